/* How many are in large rooms: told at the first change, and then once an interval at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/room_stats.h"

enum { INTERVAL_MS = 5000 };

static struct room_numbers now_true;
static bool is_large, knows_members;
static char told[256];
static int looks;

static bool read_numbers(void *context, struct span realm, struct span room, int64_t members,
                         struct room_numbers *ret)
{
    looks++;
    *ret = now_true;
    if (!knows_members)
        ret->members = members;
    return is_large && ret->members >= 0;
}

static void tell(void *context, struct span realm, struct span room,
                 const struct room_numbers *numbers)
{
    size_t len = strlen(told);
    snprintf(told + len, sizeof(told) - len, "%.*s/%.*s:%d,%d,%d ", SPAN_ARGS(realm),
             SPAN_ARGS(room), (int)numbers->members, (int)numbers->online, (int)numbers->watchers);
}

static const struct room_stats_ops ops = {read_numbers, tell};

static struct room_stats made(void)
{
    is_large = knows_members = true;
    looks = 0;
    now_true = (struct room_numbers){300, 20, 3};
    return (struct room_stats){.ops = &ops, .interval_ms = INTERVAL_MS};
}

static void note(struct room_stats *stats, const char *room, int64_t members, int64_t now_ms,
                 const char *expected)
{
    told[0] = 0;
    room_stats_note(stats, span_text("main"), span_text(room), members, now_ms);
    assert_string_equal(told, expected);
}

static void tick(struct room_stats *stats, int64_t now_ms, const char *expected)
{
    told[0] = 0;
    room_stats_tick(stats, now_ms);
    assert_string_equal(told, expected);
}

static void changes_are_told_once_an_interval(void **state)
{
    struct room_stats stats = made();
    room_stats_init(&stats);
    assert_int_equal(room_stats_due_ms(&stats), -1);
    note(&stats, "r", -1, 0, "main/r:300,20,3 ");
    now_true.online = 21;
    note(&stats, "r", -1, 10, "");
    now_true.online = 22;
    note(&stats, "r", -1, 4999, "");
    note(&stats, "s", -1, 4999, "main/s:300,22,3 ");
    tick(&stats, 4999, "");
    assert_int_equal(room_stats_due_ms(&stats), INTERVAL_MS);
    tick(&stats, 5000, "main/r:300,22,3 ");
    tick(&stats, 9998, "");
    tick(&stats, 9999, "");
    tick(&stats, 10000, "");
    assert_null(stats.rooms);
    assert_int_equal(looks, 3);
    room_stats_fini(&stats);
}

static void what_is_as_told_is_not_told_again(void **state)
{
    struct room_stats stats = made();
    room_stats_init(&stats);
    note(&stats, "r", -1, 0, "main/r:300,20,3 ");
    note(&stats, "r", -1, 1, "");
    tick(&stats, 5000, "");
    now_true.watchers = 4;
    note(&stats, "r", -1, 5001, "");
    tick(&stats, 10000, "main/r:300,20,4 ");
    room_stats_fini(&stats);
}

static void small_rooms_are_told_nothing(void **state)
{
    struct room_stats stats = made();
    room_stats_init(&stats);
    is_large = false;
    note(&stats, "r", -1, 0, "");
    is_large = true;
    note(&stats, "r", -1, 1, "");
    tick(&stats, 5000, "main/r:300,20,3 ");
    is_large = false;
    note(&stats, "r", -1, 5001, "");
    tick(&stats, 10000, "");
    is_large = true;
    note(&stats, "r", -1, 10001, "");
    tick(&stats, 15000, "main/r:300,20,3 ");
    room_stats_fini(&stats);
}

static void members_may_become_known_later(void **state)
{
    struct room_stats stats = made();
    room_stats_init(&stats);
    knows_members = false;
    note(&stats, "r", -1, 0, "");
    told[0] = 0;
    room_stats_learn(&stats, span_text("main"), span_text("r"), 250, 3);
    assert_string_equal(told, "main/r:250,20,3 ");
    note(&stats, "r", 251, 4, "");
    room_stats_learn(&stats, span_text("main"), span_text("r"), 250, 5);
    room_stats_learn(&stats, span_text("main"), span_text("none"), 250, 5);
    tick(&stats, 5003, "main/r:251,20,3 ");
    note(&stats, "r", -1, 5004, "");
    room_stats_count(&stats, span_text("main"), span_text("r"), 7);
    room_stats_count(&stats, span_text("main"), span_text("none"), 7);
    tick(&stats, 10003, "main/r:7,20,3 ");
    room_stats_fini(&stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told_once_an_interval),
        cmocka_unit_test(what_is_as_told_is_not_told_again),
        cmocka_unit_test(small_rooms_are_told_nothing),
        cmocka_unit_test(members_may_become_known_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
