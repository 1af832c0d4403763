/* Who is here, told as a script: each row is something that happens, and what is told by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/here.h"

enum { GRACE_MS = 15000 };

static char told[4096];

static void tell(void *context, const struct here_news *news)
{
    size_t len = strlen(told);
    struct span data = news->data.data ? news->data : span_text("-");
    snprintf(told + len, sizeof(told) - len, "%s%.*s.%.*s@%.*s%s%.*s/%lld", len ? " " : "",
             SPAN_ARGS(news->user), SPAN_ARGS(news->session), SPAN_ARGS(news->room),
             news->by_session ? "=" : ":", SPAN_ARGS(data), (long long)news->members);
}

/* The key of realm `main`, of a text "user.session". */
static struct here_name named(const char *text, char key[64])
{
    const char *dot = strchr(text, '.');
    int user = (int)(dot - text);
    int len = snprintf(key, 64, "main%c%.*s%c%s", 0, user, text, 0, dot + 1);
    return (struct here_name){key, (uint32_t)len, (uint32_t)(5 + user)};
}

enum step_kind { PUT, REMOVE, AWAY, BACK, END, LEAVE, DROP, COUNT, TICK, SEEN };

struct step {
    enum step_kind kind;
    const char *who; /* user.session, for LEAVE a user */
    const char *room;
    int64_t number; /* AWAY, TICK: the time; PUT, COUNT: members */
    const char *data;
    const char *told;
};

static void play(struct here *here, const struct step *step)
{
    char key[64];
    struct span realm = span_text("main"), room = span_text(step->room);
    struct here_name name = {0};
    if (step->who && step->kind != LEAVE)
        name = named(step->who, key);
    switch (step->kind) {
    case PUT:
        assert_int_equal(here_put(here, &name, room, step->number, span_text(step->data)), 0);
        break;
    case REMOVE:
        here_remove(here, &name, room);
        break;
    case AWAY:
        here_away(here, &name, step->number);
        break;
    case BACK:
        here_back(here, &name);
        break;
    case END:
        here_end(here, &name);
        break;
    case LEAVE:
        here_leave(here, realm, room, span_text(step->who));
        break;
    case DROP:
        here_drop_room(here, realm, room);
        break;
    case COUNT:
        here_count(here, realm, room, step->number);
        break;
    case TICK:
        here_tick(here, step->number);
        break;
    case SEEN:
        here_visit(here, realm, room, tell, NULL);
        break;
    }
}

static void check(const struct step *steps, size_t count)
{
    struct here here = {.grace_ms = GRACE_MS, .tell = tell};
    here_init(&here);
    for (size_t i = 0; i < count; i++) {
        told[0] = 0;
        play(&here, &steps[i]);
        if (strcmp(told, steps[i].told) != 0)
            fail_msg("step %zu: \"%s\" instead of \"%s\"", i, told, steps[i].told);
    }
    here_fini(&here);
    assert_null(here.rooms);
    assert_null(here.sessions);
    assert_int_equal(here_due_ms(&here), -1);
}

#define CHECK(steps) check(steps, array_count(steps))

static void equal_data_is_not_told_again(void **state)
{
    static const struct step steps[] = {
        {PUT, "ann.tab", "r", 2, "{}", "ann.tab@r={}/2"},
        {PUT, "ann.tab", "r", 2, "{}", ""},
        {PUT, "ann.tab", "r", 3, "{\"x\":1}", "ann.tab@r={\"x\":1}/3"},
        {PUT, "ann.phone", "r", 3, "{}", "ann.phone@r={}/3"},
        {PUT, "ann.tab", "s", 9, "{}", "ann.tab@s={}/9"},
        {SEEN, NULL, "r", 0, NULL, "ann.tab@r:{\"x\":1}/3 ann.phone@r:{}/3"},
        {REMOVE, "ann.tab", "r", 0, NULL, "ann.tab@r=-/3"},
        {REMOVE, "ann.tab", "r", 0, NULL, ""},
        {REMOVE, "bob.tab", "r", 0, NULL, ""},
        {SEEN, NULL, "r", 0, NULL, "ann.phone@r:{}/3"},
        {PUT, "ann.tab", "r", 3, "{}", "ann.tab@r={}/3"},
    };
    CHECK(steps);
}

static void it_ends_with_the_session_after_the_grace(void **state)
{
    static const struct step steps[] = {
        {PUT, "ann.tab", "r", 2, "{}", "ann.tab@r={}/2"},
        {PUT, "ann.tab", "s", 2, "{}", "ann.tab@s={}/2"},
        {PUT, "bob.tab", "r", 2, "{}", "bob.tab@r={}/2"},
        {AWAY, "ann.tab", NULL, 1000, NULL, ""},
        {AWAY, "nobody.tab", NULL, 1000, NULL, ""},
        {TICK, NULL, NULL, 15999, NULL, ""},
        {BACK, "ann.tab", NULL, 0, NULL, ""},
        {TICK, NULL, NULL, 99999, NULL, ""},
        {AWAY, "bob.tab", NULL, 100000, NULL, ""},
        {AWAY, "ann.tab", NULL, 101000, NULL, ""},
        {TICK, NULL, NULL, 115000, NULL, "bob.tab@r:-/2"},
        {SEEN, NULL, "r", 0, NULL, "ann.tab@r:{}/2"},
        {TICK, NULL, NULL, 116000, NULL, "ann.tab@r:-/2 ann.tab@s:-/2"},
        {BACK, "ann.tab", NULL, 0, NULL, ""},
        {SEEN, NULL, "r", 0, NULL, ""},
    };
    CHECK(steps);
}

static void it_ends_at_once_by_log_out_leaving_and_deletion(void **state)
{
    static const struct step steps[] = {
        {PUT, "ann.tab", "r", 2, "{}", "ann.tab@r={}/2"},
        {PUT, "ann.phone", "r", 2, "{}", "ann.phone@r={}/2"},
        {PUT, "ann.tab", "s", 2, "{}", "ann.tab@s={}/2"},
        {PUT, "bob.tab", "r", 2, "{}", "bob.tab@r={}/2"},
        {LEAVE, "carol", "r", 0, NULL, ""},
        {LEAVE, "ann", "r", 0, NULL, "ann.tab@r:-/2 ann.phone@r:-/2"},
        {END, "ann.tab", NULL, 0, NULL, "ann.tab@s:-/2"},
        {END, "ann.tab", NULL, 0, NULL, ""},
        {PUT, "ann.tab", "r", 2, "{}", "ann.tab@r={}/2"},
        {COUNT, NULL, "r", 7, NULL, ""},
        {COUNT, NULL, "none", 7, NULL, ""},
        {DROP, NULL, "r", 0, NULL, "bob.tab@r:-/7 ann.tab@r:-/7"},
        {DROP, NULL, "r", 0, NULL, ""},
        {AWAY, "ann.tab", NULL, 1, NULL, ""},
        {TICK, NULL, NULL, 99999, NULL, ""},
    };
    CHECK(steps);
}

static void it_is_bounded(void **state)
{
    struct here here = {.grace_ms = GRACE_MS, .tell = tell};
    char key[64], text[32];
    struct here_name name = named("ann.tab", key);
    here_init(&here);
    for (int i = 0; i <= HERE_ROOMS_OF_SESSION_MAX; i++) {
        told[0] = 0;
        snprintf(text, sizeof(text), "r%d", i);
        assert_int_equal(here_put(&here, &name, span_text(text), 2, span_text("{}")),
                         i < HERE_ROOMS_OF_SESSION_MAX ? 0 : ERR_FULL);
    }
    assert_string_equal(told, "");
    for (int i = 0; i <= HERE_SESSIONS_OF_ROOM_MAX; i++) {
        told[0] = 0;
        snprintf(text, sizeof(text), "bob.%d", i);
        name = named(text, key);
        assert_int_equal(here_put(&here, &name, span_text("full"), 2, span_text("{}")),
                         i < HERE_SESSIONS_OF_ROOM_MAX ? 0 : ERR_FULL);
    }
    assert_string_equal(told, "");
    /* What is there may change all the same. */
    name = named("bob.0", key);
    assert_int_equal(here_put(&here, &name, span_text("full"), 2, span_text("{\"x\":2}")), 0);
    assert_string_equal(told, "bob.0@full={\"x\":2}/2");
    here_away(&here, &name, 5);
    assert_int_equal(here_due_ms(&here), 5 + GRACE_MS);
    here_fini(&here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_data_is_not_told_again),
        cmocka_unit_test(it_ends_with_the_session_after_the_grace),
        cmocka_unit_test(it_ends_at_once_by_log_out_leaving_and_deletion),
        cmocka_unit_test(it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
