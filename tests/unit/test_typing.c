/* Who types where, told as a script: each row is something that happens, and what is told by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/typing.h"

enum { THROTTLE_MS = 1000, TIMEOUT_MS = 10000 };

static char told[4096];

static void tell(void *context, const struct typing_news *news)
{
    size_t len = strlen(told);
    int at = snprintf(told + len, sizeof(told) - len, "%s%c%.*s@%.*s", len ? " " : "",
                      news->types ? '+' : '-', SPAN_ARGS(news->user), SPAN_ARGS(news->room));
    if (news->types && news->expires_in_ms != TIMEOUT_MS)
        snprintf(told + len + at, sizeof(told) - len - (size_t)at, ":%lld",
                 (long long)news->expires_in_ms);
}

enum step_kind { START, STOP, USER, ROOM, TICK, SEEN };

struct step {
    int64_t at_ms;
    enum step_kind kind;
    const char *room, *user;
    const char *told;
};

static void play(struct typing *typing, const struct step *step)
{
    struct span realm = span_text("main");
    struct span room = span_text(step->room), user = span_text(step->user);
    switch (step->kind) {
    case START:
        typing_start(typing, realm, room, user, step->at_ms);
        break;
    case STOP:
        typing_stop(typing, realm, room, user, step->at_ms);
        break;
    case USER:
        typing_stop_user(typing, realm, user, step->at_ms);
        break;
    case ROOM:
        typing_stop_room(typing, realm, room, step->at_ms);
        break;
    case TICK:
        typing_tick(typing, step->at_ms);
        break;
    case SEEN:
        typing_visit(typing, realm, room, step->at_ms, tell, NULL);
        break;
    }
}

static void check(const struct step *steps, size_t count)
{
    struct typing typing = {.throttle_ms = THROTTLE_MS, .timeout_ms = TIMEOUT_MS, .tell = tell};
    typing_init(&typing);
    for (size_t i = 0; i < count; i++) {
        told[0] = 0;
        play(&typing, &steps[i]);
        if (strcmp(told, steps[i].told) != 0)
            fail_msg("step %zu: \"%s\" instead of \"%s\"", i, told, steps[i].told);
    }
    typing_fini(&typing);
    assert_null(typing.rooms);
    assert_null(typing.users);
    assert_int_equal(typing.active, 0);
    assert_int_equal(typing_due_ms(&typing), -1);
}

#define CHECK(steps) check(steps, array_count(steps))

static void a_start_is_told_at_once_and_a_refresh_in_the_throttle_is_not(void **state)
{
    static const struct step steps[] = {
        {0, START, "r", "ann", "+ann@r"},
        {500, START, "r", "ann", ""},
        {999, TICK, "", "", ""},
        {999, START, "r", "ann", ""},
        {1000, START, "r", "ann", "+ann@r"},
        {1000, START, "r", "bob", "+bob@r"},
        {1000, START, "s", "ann", "+ann@s"},
        {1500, SEEN, "r", "", "+ann@r:9500 +bob@r:9500"},
        {10999, TICK, "", "", ""},
        {11000, TICK, "", "", "-ann@r -bob@r -ann@s"},
        {11000, SEEN, "r", "", ""},
    };
    CHECK(steps);
}

static void a_silent_refresh_prolongs(void **state)
{
    static const struct step steps[] = {
        {0, START, "r", "ann", "+ann@r"}, {900, START, "r", "ann", ""},  {10899, TICK, "", "", ""},
        {10900, TICK, "", "", "-ann@r"},  {10900, STOP, "r", "ann", ""},
    };
    CHECK(steps);
}

static void what_is_told_alternates_within_the_throttle(void **state)
{
    static const struct step steps[] = {
        {0, STOP, "r", "ann", ""},
        {0, START, "r", "ann", "+ann@r"},
        {100, STOP, "r", "ann", "-ann@r"},
        {150, STOP, "r", "ann", ""},
        {200, START, "r", "ann", ""},
        {250, SEEN, "r", "", ""},
        {300, STOP, "r", "ann", ""},
        {400, START, "r", "ann", ""},
        {999, TICK, "", "", ""},
        {1000, TICK, "", "", "+ann@r:9400"},
        {1100, STOP, "r", "ann", "-ann@r"},
        {1999, TICK, "", "", ""},
        {2000, TICK, "", "", ""},
        {2000, START, "r", "ann", "+ann@r"},
    };
    CHECK(steps);
}

static void it_ends_with_its_user_or_its_room(void **state)
{
    static const struct step steps[] = {
        {0, START, "r", "ann", "+ann@r"}, {0, START, "s", "ann", "+ann@s"},
        {0, START, "r", "bob", "+bob@r"}, {10, USER, "", "ann", "-ann@r -ann@s"},
        {10, USER, "", "nobody", ""},     {20, START, "s", "bob", "+bob@s"},
        {30, ROOM, "r", "", "-bob@r"},    {30, ROOM, "none", "", ""},
        {1500, TICK, "", "", ""},         {2000, USER, "", "bob", "-bob@s"},
        {2000, USER, "", "bob", ""},      {2000, ROOM, "s", "", ""},
    };
    CHECK(steps);
}

static void realms_and_names_are_told_apart(void **state)
{
    struct typing typing = {.throttle_ms = THROTTLE_MS, .timeout_ms = TIMEOUT_MS, .tell = tell};
    typing_init(&typing);
    typing_start(&typing, span_text("one"), span_text("r"), span_text("ann"), 0);
    told[0] = 0;
    typing_stop(&typing, span_text("two"), span_text("r"), span_text("ann"), 0);
    typing_stop_user(&typing, span_text("two"), span_text("ann"), 0);
    typing_stop_user(&typing, span_text("on"), span_text("ann"), 0);
    typing_stop_room(&typing, span_text("two"), span_text("r"), 0);
    assert_string_equal(told, "");
    assert_int_equal(typing.active, 1);
    typing_fini(&typing);
}

static void a_user_types_in_so_many_rooms(void **state)
{
    struct typing typing = {.throttle_ms = THROTTLE_MS, .timeout_ms = TIMEOUT_MS, .tell = tell};
    char room[16];
    typing_init(&typing);
    for (int i = 0; i < TYPING_ROOMS_OF_USER_MAX; i++) {
        snprintf(room, sizeof(room), "r%d", i);
        typing_start(&typing, span_text("main"), span_text(room), span_text("ann"), i);
    }
    /* The second is by now the one refreshed longest ago. */
    typing_start(&typing, span_text("main"), span_text("r0"), span_text("ann"), 50);
    told[0] = 0;
    typing_start(&typing, span_text("main"), span_text("more"), span_text("ann"), 60);
    assert_string_equal(told, "-ann@r1 +ann@more");
    assert_int_equal(typing.active, TYPING_ROOMS_OF_USER_MAX);
    typing_fini(&typing);
}

static void without_a_throttle_all_is_told(void **state)
{
    struct typing typing = {.timeout_ms = TIMEOUT_MS, .tell = tell};
    typing_init(&typing);
    told[0] = 0;
    for (int i = 0; i < 2; i++) {
        typing_start(&typing, span_text("main"), span_text("r"), span_text("ann"), 5);
        typing_start(&typing, span_text("main"), span_text("r"), span_text("ann"), 5);
        typing_tick(&typing, 5);
        typing_stop(&typing, span_text("main"), span_text("r"), span_text("ann"), 5);
    }
    assert_string_equal(told, "+ann@r +ann@r -ann@r +ann@r +ann@r -ann@r");
    assert_null(typing.users);
    typing_fini(&typing);
}

static void it_says_when_it_is_due(void **state)
{
    struct typing typing = {.throttle_ms = THROTTLE_MS, .timeout_ms = TIMEOUT_MS, .tell = tell};
    struct span realm = span_text("main"), room = span_text("r"), user = span_text("ann");
    typing_init(&typing);
    assert_int_equal(typing_due_ms(&typing), -1);
    typing_start(&typing, realm, room, user, 100);
    assert_int_equal(typing_due_ms(&typing), 1100);
    typing_tick(&typing, 1100);
    assert_int_equal(typing_due_ms(&typing), 10100);
    typing_stop(&typing, realm, room, user, 1200);
    assert_int_equal(typing_due_ms(&typing), -1);
    assert_null(typing.users);
    typing_fini(&typing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_is_told_at_once_and_a_refresh_in_the_throttle_is_not),
        cmocka_unit_test(a_silent_refresh_prolongs),
        cmocka_unit_test(what_is_told_alternates_within_the_throttle),
        cmocka_unit_test(it_ends_with_its_user_or_its_room),
        cmocka_unit_test(realms_and_names_are_told_apart),
        cmocka_unit_test(a_user_types_in_so_many_rooms),
        cmocka_unit_test(without_a_throttle_all_is_told),
        cmocka_unit_test(it_says_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
