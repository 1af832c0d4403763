/* What the queue of a reader keeps when it overflows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/hall.h"

enum { QUEUE_BYTES = 2000, BODY_BYTES = 300 };

static int live_count, first_count;
static int history_at, history_end, page_size; /* messages of history: the next, the end */

static void on_queued(struct subscriber *subscriber)
{
}

static struct frame *made(enum event_type type, enum audience audience, uint64_t number)
{
    char body[BODY_BYTES + 32];
    snprintf(body, sizeof(body), "{\"filler\":\"%0*d\"}", BODY_BYTES, 0);
    struct frame_spec spec = {
        .type = type,
        .audience = audience,
        .id = {1000, number},
        .realm = span_text("main"),
        .room = span_text("room"),
        .body = span_text(body),
    };
    struct frame *frame;
    assert_int_equal(frame_new(&spec, &frame), 0);
    return frame;
}

static void push_own(struct subscriber *subscriber, struct frame *frame, bool without_id)
{
    assert_int_equal(subscriber_push_own(subscriber, frame, without_id), 0);
    frame_unref(frame);
}

static void on_live(struct subscriber *subscriber, bool first)
{
    live_count++;
    first_count += first;
    if (first)
        push_own(subscriber, made(EVENT_CAUGHT_UP, AUDIENCE_SESSION, 100), false);
}

static int broken_count;

static void on_broken(struct subscriber *subscriber)
{
    broken_count++;
}

/* Only history is asked for: the ring reaches back. */
static void on_page_needed(struct subscriber *subscriber)
{
    struct frame *frames[10];
    int count = 0;
    assert_true(history_at < history_end);
    for (; count < page_size && history_at < history_end; count++)
        frames[count] = made(EVENT_NEW_MESSAGE, AUDIENCE_ROOM, (uint64_t)history_at++);
    hall_feed_history(subscriber, frames, count, (uint32_t)(history_end - history_at));
    while (count > 0)
        frame_unref(frames[--count]);
}

static const struct subscriber_ops ops = {
    .on_queued = on_queued,
    .on_page_needed = on_page_needed,
    .on_live = on_live,
    .on_broken = on_broken,
};

static void dispatch(struct hall *hall, uint64_t number)
{
    struct frame *frame = made(EVENT_NEW_MESSAGE, AUDIENCE_ROOM, number);
    hall_dispatch(hall, frame, 0);
    frame_unref(frame);
}

static void enter(struct hall *hall, struct subscriber *subscriber, int history)
{
    history_at = 90;
    history_end = 90 + history;
    struct hall_follow follow = {.room = span_text("room"), .member = true};
    struct hall_entry entry = {
        .user = "alice",
        .follows_all = true,
        .follows = &follow,
        .follow_count = 1,
        .head = {1000, 100},
        .position = {1000, 100},
        .history_count = (uint32_t)history,
    };
    struct hall_realm *realm = hall_open(hall, span_text("main"), 0);
    *subscriber = (struct subscriber){.ops = &ops, .session = "s", .hears_typing = true};
    assert_int_equal(hall_enter(realm, subscriber, &entry), 0);
}

/* The next frame: its number in the journal, its type in `ret_type`. */
static uint64_t take(struct subscriber *subscriber, enum event_type *ret_type)
{
    struct frame *frame = subscriber_take(subscriber);
    uint64_t number = frame->id.seq;
    *ret_type = (enum event_type)frame->type;
    frame_unref(frame);
    if (subscriber->state == SUBSCRIBER_REPLAY)
        hall_replay(subscriber);
    return number;
}

static void expect(struct subscriber *subscriber, enum event_type type, uint64_t number)
{
    enum event_type got;
    assert_int_equal(take(subscriber, &got), number);
    assert_int_equal(got, type);
}

static void leave(struct hall *hall, struct subscriber *subscriber)
{
    assert_int_equal(subscriber->queue_count, 0);
    hall_leave(subscriber, 0);
    subscriber_fini(subscriber);
    hall_fini(hall);
}

static void test_history_outlives_an_overflow(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    live_count = first_count = 0;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 0);
    for (uint64_t number = 90; number < 100; number++)
        push_own(&subscriber, made(EVENT_NEW_MESSAGE, AUDIENCE_ROOM, number), true);
    hall_replay(&subscriber);
    for (uint64_t number = 101; number < 111; number++)
        dispatch(&hall, number);
    for (uint64_t number = 90; number < 100; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    for (uint64_t number = 101; number < 111; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    assert_int_equal(first_count, 1);
    assert_int_equal(live_count, 2);
    leave(&hall, &subscriber);
}

/* What was queued behind the last block of its own is dropped, and comes again once. */
static void test_what_can_be_replayed_is_dropped(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    live_count = first_count = 0;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 0);
    hall_replay(&subscriber);
    for (uint64_t number = 101; number < 104; number++)
        dispatch(&hall, number);
    assert_int_equal(subscriber.queue_count, 4);
    for (uint64_t number = 104; number < 111; number++)
        dispatch(&hall, number);
    assert_int_equal(subscriber.state, SUBSCRIBER_REPLAY);
    assert_int_equal(subscriber.queue_count, 1);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    for (uint64_t number = 101; number < 111; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    assert_int_equal(subscriber.replayed, 0); /* by what it was opened with */
    leave(&hall, &subscriber);
}

/* A state of `user`; `version` stands in its filler. */
static struct frame *state_of(const char *user, int version)
{
    char body[BODY_BYTES + 32];
    snprintf(body, sizeof(body), "{\"filler\":\"%0*d\"}", BODY_BYTES, version);
    struct frame_spec spec = {
        .type = EVENT_PRESENCE_UPDATE,
        .audience = AUDIENCE_USER,
        .realm = span_text("main"),
        .user = span_text(user),
        .body = span_text(body),
    };
    struct frame *frame;
    assert_int_equal(frame_new(&spec, &frame), 0);
    return frame;
}

static void tell(struct subscriber *subscriber, const char *user, int version)
{
    struct frame *frame = state_of(user, version);
    hall_tell(subscriber, frame);
    frame_unref(frame);
}

static void expect_state(struct subscriber *subscriber, const char *user, int version)
{
    char tail[16];
    assert_true(subscriber->queue_count > 0);
    struct frame *frame = subscriber_take(subscriber);
    struct span json = frame_json(frame);
    assert_int_equal(frame->type, EVENT_PRESENCE_UPDATE);
    assert_string_equal(frame->user, user);
    snprintf(tail, sizeof(tail), "0%d\"}", version);
    assert_memory_equal(json.data + json.len - strlen(tail), tail, strlen(tail));
    frame_unref(frame);
    if (subscriber->queue_count == 0)
        hall_release(subscriber);
}

static void test_the_newest_state_wins(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 0);
    tell(&subscriber, "early", 1); /* told again when it goes live: not by the hall */
    hall_replay(&subscriber);
    tell(&subscriber, "bob", 1);
    for (uint64_t number = 101; number < 104; number++)
        dispatch(&hall, number);
    tell(&subscriber, "bob", 2);
    tell(&subscriber, "eve", 1);
    tell(&subscriber, "bob", 3);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    expect_state(&subscriber, "bob", 1);
    /* There is room, but what is held comes first. */
    tell(&subscriber, "eve", 2);
    for (uint64_t number = 101; number < 104; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    assert_int_equal(subscriber.queue_count, 0);
    hall_release(&subscriber);
    expect_state(&subscriber, "bob", 3);
    expect_state(&subscriber, "eve", 2);
    assert_null(subscriber.held);
    leave(&hall, &subscriber);
}

/* States that stood in the queue which was dropped, and those told during the replay. */
static void test_states_outlive_a_fall_back(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 0);
    hall_replay(&subscriber);
    dispatch(&hall, 101);
    tell(&subscriber, "bob", 1);
    for (uint64_t number = 102; number < 108; number++)
        dispatch(&hall, number);
    assert_int_equal(subscriber.state, SUBSCRIBER_REPLAY);
    tell(&subscriber, "bob", 2);
    tell(&subscriber, "eve", 1);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    for (uint64_t number = 101; number < 108; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    assert_int_equal(subscriber.state, SUBSCRIBER_LIVE);
    hall_release(&subscriber);
    expect_state(&subscriber, "bob", 2);
    expect_state(&subscriber, "eve", 1);
    leave(&hall, &subscriber);
}

/* Something that bob does in the room, told by the hall to all its members. */
static void dispatch_state(struct hall *hall, enum event_type type, const char *session, bool by_it)
{
    char body[BODY_BYTES + 32];
    snprintf(body, sizeof(body), "{\"filler\":\"%0*d\"}", BODY_BYTES, 0);
    const struct span none = {NULL, 0};
    struct frame_spec spec = {
        .type = type,
        .audience = AUDIENCE_ROOM,
        .realm = span_text("main"),
        .room = span_text("room"),
        .user = session ? span_text("bob") : none,
        .session = session ? span_text(session) : none,
        .spared_user = session && !by_it ? none : span_text("bob"),
        .spared = by_it ? span_text(session) : none,
        .body = span_text(body),
    };
    struct frame *frame;
    assert_int_equal(frame_new(&spec, &frame), 0);
    hall_dispatch(hall, frame, 0);
    frame_unref(frame);
}

static void expect_of_room(struct subscriber *subscriber, enum event_type type,
                           const char *session, bool by_it)
{
    assert_true(subscriber->queue_count > 0);
    struct frame *frame = subscriber_take(subscriber);
    assert_int_equal(frame->type, type);
    assert_int_equal(frame->spared != NULL, by_it);
    if (session)
        assert_string_equal(frame->session, session);
    frame_unref(frame);
    if (subscriber->queue_count == 0)
        hall_release(subscriber);
}

/* Typing by room and user, here by room and session, whoever is spared. */
static void test_what_makes_a_state_of_a_room_void(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 0);
    hall_replay(&subscriber);
    for (uint64_t number = 101; number < 105; number++)
        dispatch(&hall, number);
    dispatch_state(&hall, EVENT_USER_TYPING, NULL, false);
    dispatch_state(&hall, EVENT_HERE_UPDATE, "one", true);
    dispatch_state(&hall, EVENT_HERE_UPDATE, "two", true);
    assert_non_null(subscriber.held);
    dispatch_state(&hall, EVENT_HERE_UPDATE, "one", false);
    dispatch_state(&hall, EVENT_USER_STOPPED_TYPING, NULL, false);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    for (uint64_t number = 101; number < 105; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    hall_release(&subscriber);
    expect_of_room(&subscriber, EVENT_USER_STOPPED_TYPING, NULL, false);
    expect_of_room(&subscriber, EVENT_HERE_UPDATE, "one", false);
    expect_of_room(&subscriber, EVENT_HERE_UPDATE, "two", true);
    assert_null(subscriber.held);
    leave(&hall, &subscriber);
}

/* Neither queued nor held. */
static void test_who_does_not_know_who_types_is_told_no_change(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 0);
    subscriber.hears_typing = false;
    hall_replay(&subscriber);
    for (uint64_t number = 101; number < 105; number++) {
        dispatch_state(&hall, EVENT_USER_TYPING, NULL, false);
        dispatch(&hall, number);
        dispatch_state(&hall, EVENT_USER_STOPPED_TYPING, NULL, false);
    }
    assert_null(subscriber.held);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    for (uint64_t number = 101; number < 105; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    leave(&hall, &subscriber);
}

static void test_states_of_a_room_are_for_those_in_it(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 0);
    hall_replay(&subscriber);
    for (uint64_t number = 101; number < 105; number++)
        dispatch(&hall, number);
    dispatch_state(&hall, EVENT_USER_TYPING, NULL, false);
    assert_non_null(subscriber.held);
    struct frame_spec spec = {
        .type = EVENT_USER_LEFT,
        .audience = AUDIENCE_ROOM,
        .id = {1000, 105},
        .realm = span_text("main"),
        .room = span_text("room"),
        .user = span_text("alice"),
        .body = span_text("{}"),
    };
    struct frame *left;
    assert_int_equal(frame_new(&spec, &left), 0);
    hall_dispatch(&hall, left, 0);
    frame_unref(left);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    for (uint64_t number = 101; number < 105; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    expect(&subscriber, EVENT_USER_LEFT, 105);
    hall_release(&subscriber);
    assert_int_equal(subscriber.queue_count, 0);
    assert_null(subscriber.held);
    leave(&hall, &subscriber);
}

static void test_too_many_states_break_the_reader(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    char name[16];
    broken_count = 0;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 0);
    hall_replay(&subscriber);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    for (int i = 0; subscriber.held == NULL; i++)
        tell(&subscriber, "bob", i);
    for (int i = 1; i < HELD_MAX; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        tell(&subscriber, name, 0);
    }
    assert_int_equal(broken_count, 0);
    tell(&subscriber, "bob", 99);
    assert_int_equal(broken_count, 0);
    tell(&subscriber, "one more", 0);
    assert_int_equal(broken_count, 1);
    hall_leave(&subscriber, 0);
    subscriber_fini(&subscriber);
    assert_null(subscriber.held);
    hall_fini(&hall);
}

/* It is read as the reader takes it, and what happens meanwhile comes behind it. */
static void test_history_is_fed_in_pages(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    for (page_size = 1; page_size <= 7; page_size += 3) {
        live_count = first_count = 0;
        hall_init(&hall, &limits);
        enter(&hall, &subscriber, 10);
        hall_replay(&subscriber);
        for (uint64_t number = 101; number < 111; number++)
            dispatch(&hall, number);
        assert_int_equal(subscriber.state, SUBSCRIBER_REPLAY);
        for (uint64_t number = 90; number < 100; number++) {
            assert_true(queued_without_id(subscriber_peek(&subscriber, 0)));
            assert_true(subscriber.queue_count <= (uint32_t)page_size + 5);
            expect(&subscriber, EVENT_NEW_MESSAGE, number);
        }
        for (uint64_t number = 101; number < 111; number++)
            expect(&subscriber, EVENT_NEW_MESSAGE, number);
        assert_int_equal(first_count, 1);
        assert_int_equal(subscriber.replayed, 20);
        expect(&subscriber, EVENT_CAUGHT_UP, 100);
        leave(&hall, &subscriber);
    }
}

static void test_history_of_a_room_that_is_left_ends(void **state)
{
    struct hall hall;
    struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    struct subscriber subscriber;
    page_size = 1;
    hall_init(&hall, &limits);
    enter(&hall, &subscriber, 10);
    hall_replay(&subscriber);
    uint32_t queued = subscriber.queue_count;
    assert_in_range(queued, 1, 9);
    struct frame_spec spec = {
        .type = EVENT_USER_LEFT,
        .audience = AUDIENCE_ROOM,
        .id = {1000, 101},
        .realm = span_text("main"),
        .room = span_text("room"),
        .user = span_text("alice"),
        .body = span_text("{}"),
    };
    struct frame *left;
    assert_int_equal(frame_new(&spec, &left), 0);
    hall_dispatch(&hall, left, 0);
    frame_unref(left);
    for (uint64_t number = 90; number < 90 + queued; number++)
        expect(&subscriber, EVENT_NEW_MESSAGE, number);
    expect(&subscriber, EVENT_USER_LEFT, 101);
    expect(&subscriber, EVENT_CAUGHT_UP, 100);
    leave(&hall, &subscriber);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_outlives_an_overflow),
        cmocka_unit_test(test_what_can_be_replayed_is_dropped),
        cmocka_unit_test(test_history_is_fed_in_pages),
        cmocka_unit_test(test_history_of_a_room_that_is_left_ends),
        cmocka_unit_test(test_the_newest_state_wins),
        cmocka_unit_test(test_states_outlive_a_fall_back),
        cmocka_unit_test(test_what_makes_a_state_of_a_room_void),
        cmocka_unit_test(test_who_does_not_know_who_types_is_told_no_change),
        cmocka_unit_test(test_states_of_a_room_are_for_those_in_it),
        cmocka_unit_test(test_too_many_states_break_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
