/* Hushes, told as a script: each row is something that happens, and what is done by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "core/hush.h"

enum { INTERVAL_MS = 5000, STEPS = 3, ROOMS = 3 };

struct room {
    struct hush hush;
    int steps; /* of this ending */
};

static struct room rooms[ROOMS];
static char done[256]; /* what is done, of which room: b0 begins, s0 a step, e0 ends */

static void note(char what, const struct hush *hush)
{
    size_t len = strlen(done);
    const struct room *room = container_of(hush, struct room, hush);
    snprintf(done + len, sizeof(done) - len, "%s%c%d", len ? " " : "", what, (int)(room - rooms));
}

static void on_begin(struct hushes *hushes, struct hush *hush)
{
    note('b', hush);
}

static bool on_step(struct hushes *hushes, struct hush *hush, int64_t *cost)
{
    struct room *room = container_of(hush, struct room, hush);
    note('s', hush);
    *cost += 10;
    room->steps = (room->steps + 1) % STEPS;
    return room->steps == 0;
}

static void on_end(struct hushes *hushes, struct hush *hush)
{
    note('e', hush);
}

static const struct hush_ops ops = {on_begin, on_step, on_end};

enum step_kind { LARGE, SMALL, GONE, TICK };

struct step {
    int64_t at_ms;
    enum step_kind kind;
    int room; /* of a tick: its budget */
    const char *done;
    int64_t due_in_ms; /* from then on */
};

static void check(const struct step *steps, size_t count)
{
    struct hushes hushes = {.ops = &ops, .interval_ms = INTERVAL_MS};
    memset(rooms, 0, sizeof(rooms));
    hushes_init(&hushes);
    for (size_t i = 0; i < count; i++) {
        const struct step *step = &steps[i];
        done[0] = 0;
        if (step->kind == TICK)
            hushes_tick(&hushes, step->at_ms, step->room);
        else if (step->kind == GONE)
            hush_remove(&rooms[step->room].hush);
        else
            hush_set(&hushes, &rooms[step->room].hush, step->kind == LARGE, step->at_ms);
        int64_t due_in_ms = hushes_due_in(&hushes, step->at_ms);
        if (strcmp(done, step->done) != 0 || due_in_ms != step->due_in_ms)
            fail_msg("step %zu: \"%s\", due in %lld", i, done, (long long)due_in_ms);
    }
}

#define CHECK(steps) check(steps, array_count(steps))

static void it_ends_an_interval_after_the_room_came_down(void **state)
{
    static const struct step steps[] = {
        {0, SMALL, 0, "", -1},      {10, LARGE, 0, "b0", -1},
        {20, LARGE, 0, "", -1},     {30, TICK, 1000, "", -1},
        {100, SMALL, 0, "", 5000},  {200, SMALL, 0, "", 4900},
        {5099, TICK, 1000, "", 1},  {5100, TICK, 1000, "s0 s0 s0 e0", -1},
        {9000, LARGE, 0, "b0", -1}, {9001, SMALL, 0, "", 5000},
    };
    CHECK(steps);
}

static void a_room_that_is_large_again_before_its_turn_has_none(void **state)
{
    static const struct step steps[] = {
        {0, LARGE, 0, "b0", -1},
        {100, SMALL, 0, "", 5000},
        {200, LARGE, 0, "", -1},
        {300, SMALL, 0, "", 5000},
        {5200, TICK, 1000, "", 100},
        {5250, LARGE, 0, "", -1},
        {9000, TICK, 1000, "", -1},
        {9000, SMALL, 0, "", 5000},
        {14000, TICK, 1000, "s0 s0 s0 e0", -1},
    };
    CHECK(steps);
}

static void endings_keep_to_the_budget(void **state)
{
    static const struct step steps[] = {
        {0, LARGE, 0, "b0", -1},      {0, LARGE, 1, "b1", -1},
        {0, SMALL, 1, "", 5000},      {100, SMALL, 0, "", 4900},
        {5000, TICK, 1, "s1", 0},     {5000, TICK, 20, "s1 s1 e1", 100},
        {5100, TICK, 11, "s0 s0", 0}, {5120, TICK, 1000, "s0 e0", -1},
    };
    CHECK(steps);
}

/* What grows while it ends is hushed when that is over, and not before. */
static void what_ends_is_not_broken_off(void **state)
{
    static const struct step steps[] = {
        {0, LARGE, 0, "b0", -1},
        {0, SMALL, 0, "", 5000},
        {5000, TICK, 1, "s0", 0},
        {5001, LARGE, 0, "", 0},
        {5002, SMALL, 0, "", 0},
        {5003, LARGE, 0, "", 0},
        {5020, TICK, 1000, "s0 s0 b0", -1},
        {6000, SMALL, 0, "", 5000},
        {11000, TICK, 1, "s0", 0},
        {11000, LARGE, 0, "", 0},
        {11000, SMALL, 0, "", 0},
        {11020, TICK, 1000, "s0 s0 e0", -1},
    };
    CHECK(steps);
}

static void what_is_gone_is_left_out(void **state)
{
    static const struct step steps[] = {
        {0, LARGE, 0, "b0", -1}, {0, LARGE, 1, "b1", -1},
        {0, LARGE, 2, "b2", -1}, {0, SMALL, 0, "", 5000},
        {1, SMALL, 1, "", 4999}, {2, SMALL, 2, "", 4998},
        {3, GONE, 0, "", 4998},  {5001, TICK, 1, "s1", 0},
        {5001, GONE, 1, "", 1},  {5002, TICK, 99, "s2 s2 s2 e2", -1},
    };
    CHECK(steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ends_an_interval_after_the_room_came_down),
        cmocka_unit_test(a_room_that_is_large_again_before_its_turn_has_none),
        cmocka_unit_test(endings_keep_to_the_budget),
        cmocka_unit_test(what_ends_is_not_broken_off),
        cmocka_unit_test(what_is_gone_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
