/* A queue gives nothing out of what was deleted while it waited. */
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

static const struct subscriber_ops ops = {
    .on_queued = on_queued, .on_page_needed = on_page_needed, .on_live = on_live};

/* A reader of one room that is live at 100. */
static int setup(void **state)
{
    const struct hall_limits limits = {2000, 1 << 20, 60000};
    const struct hall_follow follow = {.room = span_text("room"), .member = true};
    const struct hall_entry entry = {
        .user = span_text("alice"),
        .follows_all = true,
        .follows = &follow,
        .follow_count = 1,
        .head = {1000, 100},
        .position = {1000, 100},
    };
    hall_init(&hall, &limits);
    struct hall_realm *realm = hall_open(&hall, span_text("main"), 0);
    subscriber = (struct subscriber){.ops = &ops, .session = "s"};
    assert_int_equal(hall_enter(realm, &subscriber, &entry), 0);
    hall_replay(&subscriber);
    assert_int_equal(subscriber.state, SUBSCRIBER_LIVE);
    return 0;
}

static int teardown(void **state)
{
    hall_leave(&subscriber, 0);
    subscriber_fini(&subscriber);
    hall_fini(&hall);
    return 0;
}

/* `target`: the message that it is about; `edited`: and that had edits. */
static void dispatch(enum event_type type, uint64_t number, uint64_t target, bool edited)
{
    const struct frame_spec spec = {
        .type = type,
        .audience = AUDIENCE_ROOM,
        .id = {1000, number},
        .target = {target ? 1000 : 0, target},
        .target_edited = edited,
        .realm = span_text("main"),
        .room = span_text("room"),
        .body = span_text("{}"),
    };
    struct frame *frame;
    assert_int_equal(frame_new(&spec, &frame), 0);
    hall_dispatch(&hall, frame, 0);
    frame_unref(frame);
}

static void expect(enum event_type type, uint64_t number)
{
    struct frame *frame = subscriber_take(&subscriber);
    assert_int_equal(frame->id.seq, number);
    assert_int_equal(frame->type, type);
    frame_unref(frame);
    if (subscriber.state == SUBSCRIBER_REPLAY)
        hall_replay(&subscriber);
}

static void test_the_message(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    dispatch(EVENT_NEW_MESSAGE, 102, 0, false);
    dispatch(EVENT_MESSAGE_DELETED, 103, 102, false);
    assert_int_equal(subscriber.queue_count, 0);
    assert_int_equal(subscriber.state, SUBSCRIBER_REPLAY);
    hall_replay(&subscriber);
    assert_int_equal(subscriber.queue_count, 1);
    expect(EVENT_NEW_MESSAGE, 101);
    assert_true(subscriber.page_pending); /* the ring has a hole at 102 */
    hall_feed(&subscriber, NULL, 0, (struct event_id){1000, 102});
    expect(EVENT_MESSAGE_DELETED, 103);
    assert_int_equal(subscriber.state, SUBSCRIBER_LIVE);
}

static void test_its_edits(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    expect(EVENT_NEW_MESSAGE, 101);
    dispatch(EVENT_MESSAGE_EDITED, 102, 101, false);
    dispatch(EVENT_MESSAGE_DELETED, 103, 101, true);
    assert_int_equal(subscriber.queue_count, 0);
    hall_replay(&subscriber);
    hall_feed(&subscriber, NULL, 0, (struct event_id){1000, 102});
    expect(EVENT_MESSAGE_DELETED, 103);
}

static void test_what_was_given_before_changes_nothing(void **state)
{
    dispatch(EVENT_NEW_MESSAGE, 101, 0, false);
    expect(EVENT_NEW_MESSAGE, 101);
    dispatch(EVENT_NEW_MESSAGE, 102, 0, false);
    dispatch(EVENT_MESSAGE_DELETED, 103, 101, false);
    assert_int_equal(subscriber.state, SUBSCRIBER_LIVE);
    expect(EVENT_NEW_MESSAGE, 102);
    expect(EVENT_MESSAGE_DELETED, 103);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_its_edits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_given_before_changes_nothing, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
