/* What was deleted is given to nobody who is not in the middle of it: the queues of all who wait,
 * whatever they may see by now, and what is fed to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/hall.h"

static struct hall hall;
static struct subscriber subscriber;

static void on_queued(struct subscriber *queued)
{
}

/* The tests feed it themselves. */
static void on_page_needed(struct subscriber *asking)
{
}

static void on_live(struct subscriber *live, bool first)
{
}

static void on_denied(struct subscriber *denied, const char *room, int err)
{
}

static const struct subscriber_ops ops = {.on_queued = on_queued,
                                          .on_page_needed = on_page_needed,
                                          .on_live = on_live,
                                          .on_denied = on_denied};

/* A reader of one room, whose replay begins at 50 and which is live when there is none. */
static void enter(uint64_t position)
{
    const struct hall_limits limits = {2000, 1 << 20, 60000};
    const struct hall_follow follow = {.room = span_text("room"), .member = true, .named = true};
    const struct hall_entry entry = {
        .user = "alice",
        .follows_all = true,
        .follows = &follow,
        .follow_count = 1,
        .head = {1000, 100},
        .position = {1000, position},
    };
    hall_init(&hall, &limits);
    struct hall_realm *realm = hall_open(&hall, span_text("main"), 0);
    subscriber = (struct subscriber){.ops = &ops, .session = "s"};
    assert_int_equal(hall_enter(realm, &subscriber, &entry), 0);
    hall_replay(&subscriber);
}

/* Live at 100. */
static int setup(void **state)
{
    enter(100);
    assert_int_equal(subscriber.state, SUBSCRIBER_LIVE);
    return 0;
}

/* Its replay waits for a page of what is after 50. */
static int setup_behind(void **state)
{
    enter(50);
    assert_true(subscriber.page_pending);
    return 0;
}

static int teardown(void **state)
{
    hall_leave(&subscriber, 0);
    subscriber_fini(&subscriber);
    hall_fini(&hall);
    return 0;
}

/* `target`: the message that it is about; `edited`: and that had edits. Whoever it moves is the
 * reader. */
static struct frame *made(enum event_type type, uint64_t number, uint64_t target, bool edited)
{
    bool moves = type == EVENT_USER_JOINED || type == EVENT_USER_LEFT;
    const struct frame_spec spec = {
        .type = type,
        .audience = AUDIENCE_ROOM,
        .id = {1000, number},
        .target = {target ? 1000 : 0, target},
        .target_edited = edited,
        .timestamp_ms = 1700000000000 + (int64_t)number,
        .realm = span_text("main"),
        .room = span_text("room"),
        .user = moves ? span_text("alice") : span_of(NULL, 0),
        .body =
            type == EVENT_NEW_MESSAGE
                ? span_text("{\"roomId\":\"room\",\"messageId\":\"m\",\"text\":\"a \\\"secret"
                            "\",\"mentions\":[\"x\"],\"sender\":{\"userId\":\"bob\"}}")
            : type == EVENT_MESSAGE_EDITED
                ? span_text("{\"roomId\":\"room\",\"messageId\":\"m\",\"message\":{\"a\":\"secret"
                            "\"},\"sender\":{\"userId\":\"bob\"},\"editedAt\":7}")
                : span_text("{}"),
    };
    struct frame *frame;
    assert_int_equal(frame_new(&spec, &frame), 0);
    return frame;
}

static void dispatch(enum event_type type, uint64_t number, uint64_t target, bool edited)
{
    struct frame *frame = made(type, number, target, edited);
    hall_dispatch(&hall, frame, 0);
    frame_unref(frame);
}

/* Feeds a page of one frame. */
static void feed(enum event_type type, uint64_t number, uint64_t target, uint64_t upto)
{
    struct frame *frame = made(type, number, target, false);
    hall_feed(&subscriber, &frame, 1, (struct event_id){1000, upto});
    frame_unref(frame);
}

static bool says(const struct frame *frame, const char *text)
{
    struct span json = frame_json(frame);
    return memmem(json.data, json.len, text, strlen(text)) != NULL;
}

/* All that is queued, as it would be written. */
static size_t queued_bytes(void)
{
    struct iovec pieces[64];
    size_t bytes = 0;
    int count = subscriber_gather(&subscriber, pieces, 64);
    for (int i = 0; i < count; i++)
        bytes += pieces[i].iov_len;
    return bytes;
}

static struct frame *take(enum event_type type, uint64_t number)
{
    assert_int_equal(queued_bytes(), subscriber.queue_bytes);
    struct frame *frame = subscriber_take(&subscriber);
    assert_int_equal(frame->id.seq, number);
    assert_int_equal(frame->type, type);
    if (subscriber.state == SUBSCRIBER_REPLAY)
        hall_replay(&subscriber);
    return frame;
}

static void expect(enum event_type type, uint64_t number)
{
    struct frame *frame = take(type, number);
    bool tells = type == EVENT_NEW_MESSAGE || type == EVENT_MESSAGE_EDITED;
    assert_int_equal(says(frame, "secret"), tells);
    assert_false(says(frame, "\"deleted\":true"));
    frame_unref(frame);
}

static void expect_erased(enum event_type type, uint64_t number)
{
    struct frame *frame = take(type, number);
    assert_false(says(frame, "secret"));
    assert_false(says(frame, "mentions"));
    assert_true(says(frame, "\"deleted\":true"));
    assert_true(says(frame, "\"messageId\":\"m\""));
    assert_true(says(frame, "\"sender\":{\"userId\":\"bob\"}"));
    assert_true(says(frame, "\"timestamp\":1700000000"));
    assert_int_equal(says(frame, "\"editedAt\":7"), type == EVENT_MESSAGE_EDITED);
    frame_unref(frame);
}

static void test_the_message(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    dispatch(EVENT_NEW_MESSAGE, 102, 0, false);
    dispatch(EVENT_MESSAGE_DELETED, 103, 102, false);
    assert_int_equal(subscriber.state, SUBSCRIBER_LIVE);
    expect(EVENT_NEW_MESSAGE, 101);
    expect_erased(EVENT_NEW_MESSAGE, 102);
    expect(EVENT_MESSAGE_DELETED, 103);
}

static void test_its_edits(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    expect(EVENT_NEW_MESSAGE, 101);
    dispatch(EVENT_MESSAGE_EDITED, 102, 101, false);
    dispatch(EVENT_MESSAGE_EDITED, 103, 101, false);
    dispatch(EVENT_MESSAGE_DELETED, 104, 101, true);
    expect_erased(EVENT_MESSAGE_EDITED, 102);
    expect_erased(EVENT_MESSAGE_EDITED, 103);
    expect(EVENT_MESSAGE_DELETED, 104);
}

static void test_what_was_given_before_changes_nothing(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    expect(EVENT_NEW_MESSAGE, 101);
    dispatch(EVENT_NEW_MESSAGE, 102, 0, false);
    dispatch(EVENT_MESSAGE_DELETED, 103, 101, false);
    expect(EVENT_NEW_MESSAGE, 102);
    expect(EVENT_MESSAGE_DELETED, 103);
}

static void test_a_block_that_is_begun_is_finished(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    dispatch(EVENT_MESSAGE_EDITED, 102, 101, false);
    assert_int_equal(subscriber_taken(&subscriber, 5), 0);
    dispatch(EVENT_MESSAGE_DELETED, 103, 101, true);
    expect(EVENT_NEW_MESSAGE, 101);
    expect_erased(EVENT_MESSAGE_EDITED, 102);
    expect(EVENT_MESSAGE_DELETED, 103);
}

/* It is told nothing of the room any more, not the deletion either. */
static void test_for_one_who_has_left_the_room(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    dispatch(EVENT_USER_LEFT, 102, 0, false);
    dispatch(EVENT_MESSAGE_DELETED, 103, 101, false);
    expect_erased(EVENT_NEW_MESSAGE, 101);
    expect(EVENT_USER_LEFT, 102);
    assert_int_equal(subscriber.queue_count, 0);
}

/* What is queued behind it leads beyond it, so that it cannot be replayed in its place. */
static void test_while_the_first_replay_runs(void **state)
{
    feed(EVENT_NEW_MESSAGE, 60, 0, 60);
    feed(EVENT_MESSAGE_EDITED, 61, 60, 61);
    assert_int_equal(subscriber.state, SUBSCRIBER_REPLAY);
    dispatch(EVENT_MESSAGE_DELETED, 101, 60, true);
    expect_erased(EVENT_NEW_MESSAGE, 60);
    expect_erased(EVENT_MESSAGE_EDITED, 61);
    hall_feed(&subscriber, NULL, 0, (struct event_id){1000, 100});
    expect(EVENT_MESSAGE_DELETED, 101);
    assert_int_equal(subscriber.state, SUBSCRIBER_LIVE);
}

static void test_history_keeps_its_place(void **state)
{
    struct frame *frame = made(EVENT_NEW_MESSAGE, 60, 0, false);
    assert_int_equal(subscriber_push_own(&subscriber, frame, true), 0);
    frame_unref(frame);
    dispatch(EVENT_MESSAGE_DELETED, 101, 60, false);
    assert_true(queued_without_id(subscriber_peek(&subscriber, 0)));
    expect_erased(EVENT_NEW_MESSAGE, 60);
    expect(EVENT_MESSAGE_DELETED, 101);
}

static void test_a_heartbeat_has_only_the_same_id(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    expect(EVENT_NEW_MESSAGE, 101);
    hall_heartbeat(&subscriber);
    dispatch(EVENT_MESSAGE_DELETED, 102, 101, false);
    expect(EVENT_HEARTBEAT, 101);
    expect(EVENT_MESSAGE_DELETED, 102);
}

/* Its last blocks are still to be written; the realm is kept for that long. */
static void test_after_the_session_has_ended(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    hall_leave(&subscriber, 0);
    hall_abandon(hall_open(&hall, span_text("other"), 2 * REALM_IDLE_MS), 2 * REALM_IDLE_MS);
    dispatch(EVENT_MESSAGE_DELETED, 102, 101, false);
    expect_erased(EVENT_NEW_MESSAGE, 101);
    assert_int_equal(subscriber.queue_count, 0);
    hall_abandon(hall_open(&hall, span_text("other"), 4 * REALM_IDLE_MS), 4 * REALM_IDLE_MS);
    assert_null(hall_find(&hall, span_text("main")));
}

static bool is_outdated(enum event_type type, uint64_t number, uint64_t target, uint64_t head)
{
    struct frame *frames[] = {made(EVENT_NEW_MESSAGE, 59, 0, false),
                              made(type, number, target, false)};
    bool outdated = hall_is_outdated(&subscriber, frames, 2, (struct event_id){1000, head});
    frame_unref(frames[0]);
    frame_unref(frames[1]);
    return outdated;
}

static void test_a_page_that_was_read_before(void **state)
{
    assert_false(is_outdated(EVENT_NEW_MESSAGE, 60, 0, 100));
    dispatch(EVENT_MESSAGE_DELETED, 101, 60, true);
    assert_true(is_outdated(EVENT_NEW_MESSAGE, 60, 0, 100));
    assert_true(is_outdated(EVENT_MESSAGE_EDITED, 61, 60, 100));
    assert_false(is_outdated(EVENT_NEW_MESSAGE, 60, 0, 101)); /* the journal knew */
    assert_false(is_outdated(EVENT_NEW_MESSAGE, 62, 0, 100));
    assert_false(is_outdated(EVENT_MESSAGE_EDITED, 63, 62, 100));
}

/* Which of them it is behind is not known any more. */
static void test_a_page_that_was_read_long_before(void **state)
{
    for (uint64_t number = 101; number < 301; number++)
        dispatch(EVENT_MESSAGE_DELETED, number, 70, false);
    assert_true(is_outdated(EVENT_NEW_MESSAGE, 60, 0, 100));
    assert_false(is_outdated(EVENT_NEW_MESSAGE, 60, 0, 290));
    assert_true(is_outdated(EVENT_NEW_MESSAGE, 70, 0, 290));
    assert_false(hall_is_outdated(&subscriber, NULL, 0, (struct event_id){1000, 100}));
}

/* A reader who falls back is fed from the ring. */
static void test_the_ring(void **state)
{
    for (uint64_t number = 101; number < 120; number++)
        dispatch(EVENT_NEW_MESSAGE, number, 0, false);
    assert_int_equal(subscriber.state, SUBSCRIBER_REPLAY);
    dispatch(EVENT_MESSAGE_DELETED, 120, 102, false);
    hall_replay(&subscriber);
    for (uint64_t number = 101; number < 120; number++) {
        if (number == 102)
            expect_erased(EVENT_NEW_MESSAGE, number);
        else
            expect(EVENT_NEW_MESSAGE, number);
    }
    expect(EVENT_MESSAGE_DELETED, 120);
    assert_false(subscriber.page_pending);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define BEHIND(test) cmocka_unit_test_setup_teardown(test, setup_behind, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(test_the_message),
        LIVE(test_its_edits),
        LIVE(test_what_was_given_before_changes_nothing),
        LIVE(test_a_block_that_is_begun_is_finished),
        LIVE(test_for_one_who_has_left_the_room),
        BEHIND(test_while_the_first_replay_runs),
        LIVE(test_history_keeps_its_place),
        LIVE(test_a_heartbeat_has_only_the_same_id),
        LIVE(test_after_the_session_has_ended),
        LIVE(test_a_page_that_was_read_before),
        LIVE(test_a_page_that_was_read_long_before),
        LIVE(test_the_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
