/* What one who watches a room is shown of it while it is made private and public again, and while
 * it bars that user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/hall.h"

enum { QUEUE_BYTES = 1000, HEAD = 100 };

static struct hall hall;
static struct subscriber subscriber;
static int denied_count, denied_err;

static void on_queued(struct subscriber *queued)
{
}

static void on_page_needed(struct subscriber *behind)
{
    fail_msg("the ring reaches back");
}

static void on_live(struct subscriber *live, bool first)
{
}

static void on_denied(struct subscriber *denied, const char *room, int err)
{
    assert_string_equal(room, "room");
    denied_count++;
    denied_err = err;
}

static const struct subscriber_ops ops = {.on_queued = on_queued,
                                          .on_page_needed = on_page_needed,
                                          .on_live = on_live,
                                          .on_denied = on_denied};

static struct hall_realm *begin(void)
{
    const struct hall_limits limits = {QUEUE_BYTES, 1 << 20, 60000};
    hall_init(&hall, &limits);
    denied_count = denied_err = 0;
    return hall_open(&hall, span_text("main"), 0);
}

static void enter(struct hall_realm *realm, bool readable)
{
    const struct hall_follow follow = {
        .room = span_text("room"), .named = true, .readable = readable};
    const struct hall_entry entry = {
        .user = "bob",
        .follows = &follow,
        .follow_count = 1,
        .head = {1000, HEAD},
        .position = {1000, HEAD},
    };
    subscriber = (struct subscriber){.ops = &ops, .session = "s"};
    assert_int_equal(hall_enter(realm, &subscriber, &entry), 0);
    hall_replay(&subscriber);
}

static void leave(void)
{
    assert_int_equal(subscriber.queue_count, 0);
    hall_leave(&subscriber, 0);
    subscriber_fini(&subscriber);
    hall_fini(&hall);
}

static void dispatch(uint64_t number, struct frame_spec spec)
{
    struct frame *frame;
    spec.id = (struct event_id){1000, number};
    spec.realm = span_text("main");
    spec.room = span_text("room");
    spec.body = span_text("{}");
    assert_int_equal(frame_new(&spec, &frame), 0);
    hall_dispatch(&hall, frame, 0);
    frame_unref(frame);
}

static void say(uint64_t number)
{
    dispatch(number, (struct frame_spec){.type = EVENT_NEW_MESSAGE, .audience = AUDIENCE_ROOM});
}

static void make_private(uint64_t number)
{
    dispatch(number, (struct frame_spec){.type = EVENT_ROOM_UPDATED,
                                         .audience = AUDIENCE_ROOM,
                                         .ends_watching = true});
}

static void make_public(uint64_t number)
{
    dispatch(number, (struct frame_spec){.type = EVENT_ROOM_UPDATED,
                                         .audience = AUDIENCE_ROOM,
                                         .opens_watching = true});
}

static void ban(uint64_t number)
{
    dispatch(number, (struct frame_spec){.type = EVENT_NONE,
                                         .audience = AUDIENCE_SESSION,
                                         .user = span_text("bob"),
                                         .bars_user = true});
}

static void join(uint64_t number)
{
    dispatch(number, (struct frame_spec){.type = EVENT_USER_JOINED,
                                         .audience = AUDIENCE_ROOM,
                                         .user = span_text("bob")});
}

static void expect(enum event_type type, uint64_t number)
{
    assert_true(subscriber.queue_count > 0);
    struct frame *frame = subscriber_take(&subscriber);
    assert_int_equal(frame->id.seq, number);
    assert_int_equal(frame->type, type);
    frame_unref(frame);
    hall_replay(&subscriber);
}

static void expect_denied(int count, int err)
{
    assert_int_equal(denied_count, count);
    assert_int_equal(denied_err, err);
}

static void test_it_comes_back_with_what_is_said_from_then_on(void **state)
{
    enter(begin(), true);
    say(101);
    make_private(102);
    expect_denied(1, ERR_NOT_FOUND);
    say(103);
    make_public(104);
    say(105);
    expect(EVENT_NEW_MESSAGE, 101);
    expect(EVENT_ROOM_UPDATED, 102);
    expect(EVENT_NEW_MESSAGE, 105);
    expect_denied(1, ERR_NOT_FOUND);
    leave();
}

static void test_one_who_fell_back_is_given_nothing_older(void **state)
{
    enter(begin(), true);
    for (uint64_t number = 101; number < 120; number++)
        say(number);
    assert_int_equal(subscriber.state, SUBSCRIBER_REPLAY);
    make_private(120);
    say(121);
    make_public(122);
    say(123);
    hall_replay(&subscriber);
    expect(EVENT_NEW_MESSAGE, 123);
    assert_int_equal(subscriber.state, SUBSCRIBER_LIVE);
    expect_denied(1, ERR_NOT_FOUND);
    leave();
}

static void test_it_comes_to_one_who_came_while_it_was_private(void **state)
{
    enter(begin(), false);
    say(101);
    make_public(102);
    say(103);
    expect(EVENT_NEW_MESSAGE, 103);
    expect_denied(0, 0);
    leave();
}

static void test_it_is_made_private_while_its_reader_is_opened(void **state)
{
    struct hall_realm *realm = begin();
    say(HEAD);
    make_private(HEAD + 1);
    enter(realm, true);
    expect_denied(1, ERR_NOT_FOUND);
    say(HEAD + 2);
    leave();
}

static void test_it_does_not_come_back_to_one_whom_it_bars(void **state)
{
    enter(begin(), true);
    ban(101);
    expect_denied(1, ERR_BANNED);
    make_private(102);
    make_public(103);
    say(104);
    join(105);
    say(106);
    expect(EVENT_USER_JOINED, 105);
    expect(EVENT_NEW_MESSAGE, 106);
    expect_denied(1, ERR_BANNED);
    leave();
}

static void test_it_is_made_anew(void **state)
{
    enter(begin(), true);
    dispatch(101, (struct frame_spec){.type = EVENT_ROOM_DELETED,
                                      .audience = AUDIENCE_ROOM,
                                      .ends_watching = true});
    expect_denied(1, ERR_NOT_FOUND);
    dispatch(102, (struct frame_spec){.type = EVENT_ROOM_CREATED,
                                      .audience = AUDIENCE_ROOM,
                                      .user = span_text("alice"),
                                      .opens_watching = true});
    say(103);
    expect(EVENT_ROOM_DELETED, 101);
    expect(EVENT_NEW_MESSAGE, 103);
    leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_comes_back_with_what_is_said_from_then_on),
        cmocka_unit_test(test_one_who_fell_back_is_given_nothing_older),
        cmocka_unit_test(test_it_comes_to_one_who_came_while_it_was_private),
        cmocka_unit_test(test_it_is_made_private_while_its_reader_is_opened),
        cmocka_unit_test(test_it_does_not_come_back_to_one_whom_it_bars),
        cmocka_unit_test(test_it_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
