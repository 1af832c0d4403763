/* Presence: the rule of what is shown, the grace, the folding, leases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "core/presence.h"

enum { GRACE_MS = 15000, FOLD_MS = 250, WALL_MS = 1000000 };

static struct presence presence;
static struct presence_user ann, bob;
static int64_t now_ms;
static char told[512]; /* "ann:online(activity)@seen …", "ann gone@seen" */

static void note(const char *format, ...)
{
    size_t len = strlen(told);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(told + len, sizeof(told) - len, format, arguments);
    va_end(arguments);
}

static const char *name_of(const struct presence_user *user)
{
    return user == &ann ? "ann" : "bob";
}

static int64_t on_change(struct presence *at, struct presence_user *user)
{
    const char *activity = presence_activity(user);
    note("%s:%s", name_of(user), presence_status_name(user->told_status));
    if (activity)
        note("(%s)", activity);
    note(" ");
    return 1;
}

static void on_absent(struct presence *at, struct presence_user *user)
{
    note("%s gone@%d ", name_of(user), (int)(user->seen_ms - WALL_MS));
}

static int settled;

static void on_settled(struct presence *at, struct presence_user *user)
{
    assert_false(user->changed);
    settled++;
}

static const struct presence_ops ops = {
    .on_change = on_change, .on_settled = on_settled, .on_absent = on_absent};

static int64_t wall_ms(void)
{
    return WALL_MS + now_ms;
}

static int start(void **state)
{
    now_ms = 5000;
    told[0] = 0;
    memset(&ann, 0, sizeof(ann));
    memset(&bob, 0, sizeof(bob));
    presence_init(&presence, &ops, GRACE_MS, FOLD_MS, now_ms);
    return 0;
}

static int stop(void **state)
{
    presence_user_fini(&presence, &ann);
    presence_user_fini(&presence, &bob);
    assert_null(presence.changed_first);
    assert_int_equal(presence.lingering, 0);
    return 0;
}

/* Time passes in steps of a loop's turn; what is due is done. */
static void pass(int64_t duration_ms)
{
    for (int64_t end_ms = now_ms + duration_ms; now_ms < end_ms;) {
        now_ms += 10;
        presence_tick(&presence, now_ms);
        if (presence_flush_in(&presence, now_ms) == 0)
            presence_flush(&presence, now_ms, wall_ms(), 1000);
    }
}

#define assert_told(text)                                                                          \
    do {                                                                                           \
        pass(FOLD_MS + 10);                                                                        \
        assert_string_equal(told, text);                                                           \
        told[0] = 0;                                                                               \
    } while (0)

static void enter(struct presence_user *user, struct presence_session *session)
{
    presence_enter(&presence, user, session);
}

static void leave(struct presence_user *user, struct presence_session *session, bool logged_out)
{
    presence_leave(&presence, user, session, logged_out, now_ms, wall_ms());
}

static void report(struct presence_session *session, enum presence_status status,
                   const char *activity)
{
    assert_int_equal(presence_report(&presence, &ann, session, status, span_text(activity)), 0);
}

static void choose(enum presence_status status, const char *activity)
{
    assert_int_equal(presence_choose(&presence, &ann, status, span_text(activity)), 0);
}

static void statuses_have_names(void **state)
{
    static const char *const names[] = {"online", "away", "busy", "offline"};
    enum presence_status status;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(presence_status_parse(span_text(names[i]), &status), 0);
        assert_int_equal(status, PRESENCE_ONLINE + i);
        assert_string_equal(presence_status_name(status), names[i]);
    }
    assert_int_equal(presence_status_parse(span_text("here"), &status), ERR_INVALID_FIELD);
    assert_int_equal(presence_status_parse(span_text(""), &status), ERR_INVALID_FIELD);
}

/* Every row of the rule: what sessions report, what was chosen, what is shown. */
static void shown_is_what_the_rule_says(void **state)
{
    static const struct {
        const char *reports; /* a letter for each session: o, a */
        enum presence_status choice;
        enum presence_status shown;
    } rows[] = {
        {"", PRESENCE_NONE, PRESENCE_OFFLINE},      {"o", PRESENCE_NONE, PRESENCE_ONLINE},
        {"a", PRESENCE_NONE, PRESENCE_AWAY},        {"ao", PRESENCE_NONE, PRESENCE_ONLINE},
        {"aa", PRESENCE_NONE, PRESENCE_AWAY},       {"o", PRESENCE_AWAY, PRESENCE_AWAY},
        {"a", PRESENCE_ONLINE, PRESENCE_ONLINE},    {"o", PRESENCE_BUSY, PRESENCE_BUSY},
        {"oo", PRESENCE_OFFLINE, PRESENCE_OFFLINE}, {"", PRESENCE_BUSY, PRESENCE_OFFLINE},
        {"", PRESENCE_ONLINE, PRESENCE_OFFLINE},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct presence_session sessions[2] = {0};
        start(state);
        choose(rows[i].choice, NULL);
        for (size_t k = 0; rows[i].reports[k]; k++) {
            enter(&ann, &sessions[k]);
            report(&sessions[k], rows[i].reports[k] == 'o' ? PRESENCE_ONLINE : PRESENCE_AWAY, NULL);
        }
        pass(2 * FOLD_MS);
        enum presence_status shown = ann.told_status ? ann.told_status : PRESENCE_OFFLINE;
        assert_int_equal(shown, rows[i].shown);
        stop(state);
    }
    start(state);
}

static void a_reconnect_within_the_grace_is_not_seen(void **state)
{
    struct presence_session first = {0}, second = {0};
    enter(&ann, &first);
    assert_told("ann:online ");
    report(&first, PRESENCE_AWAY, "on a train");
    assert_told("ann:away(on a train) ");
    leave(&ann, &first, false);
    pass(GRACE_MS - 100);
    enter(&ann, &second);
    assert_int_equal(second.reported, PRESENCE_AWAY);
    pass(3 * GRACE_MS);
    assert_told("");
    report(&second, PRESENCE_ONLINE, NULL);
    assert_told("ann:online ");
}

static void offline_is_told_after_the_grace(void **state)
{
    struct presence_session session = {0};
    enter(&ann, &session);
    assert_told("ann:online ");
    int64_t left_ms = now_ms;
    leave(&ann, &session, false);
    pass(GRACE_MS - 20);
    assert_string_equal(told, "");
    pass(400);
    char expected[64];
    snprintf(expected, sizeof(expected), "ann gone@%d ann:offline ", (int)left_ms);
    assert_told(expected);
    assert_true(presence_user_is_idle(&ann));
}

static void a_log_out_is_seen_at_once(void **state)
{
    struct presence_session phone = {0}, desk = {0};
    enter(&ann, &phone);
    enter(&ann, &desk);
    assert_told("ann:online ");
    leave(&ann, &phone, true);
    assert_told("");
    leave(&ann, &desk, true);
    assert_true(strncmp(told, "ann gone@", 9) == 0);
    told[0] = 0;
    assert_told("ann:offline ");
}

static void the_other_sessions_count_at_once(void **state)
{
    struct presence_session phone = {0}, desk = {0};
    enter(&ann, &phone);
    enter(&ann, &desk);
    report(&desk, PRESENCE_AWAY, NULL);
    assert_told("ann:online ");
    leave(&ann, &phone, false);
    assert_told("ann:away ");
    assert_int_equal(ann.lingering, PRESENCE_NONE);
}

static void an_activity_lasts_as_long_as_its_session(void **state)
{
    struct presence_session phone = {0}, desk = {0};
    enter(&ann, &phone);
    enter(&ann, &desk);
    report(&phone, PRESENCE_ONLINE, "walking");
    assert_told("ann:online(walking) ");
    report(&desk, PRESENCE_ONLINE, "typing");
    assert_told("ann:online(typing) ");
    report(&phone, PRESENCE_ONLINE, NULL);
    assert_told("");
    choose(PRESENCE_BUSY, NULL);
    assert_told("ann:busy(typing) ");
    choose(PRESENCE_BUSY, "a talk");
    assert_told("ann:busy(a talk) ");
    choose(PRESENCE_NONE, "is not kept");
    assert_told("ann:online(typing) ");
    leave(&ann, &desk, false);
    assert_told("ann:online ");
    choose(PRESENCE_OFFLINE, "hidden");
    assert_told("ann:offline ");
}

/* Who is invisible comes and goes unseen, and when is not told either. */
static void the_invisible_leave_no_trace(void **state)
{
    struct presence_session session = {0};
    enter(&ann, &session);
    assert_told("ann:online ");
    choose(PRESENCE_OFFLINE, NULL);
    assert_int_equal(presence_seen_ms(&ann, wall_ms()), wall_ms());
    assert_told("ann:offline ");
    int64_t seen_ms = ann.seen_ms;
    pass(5000);
    assert_int_equal(presence_seen_ms(&ann, wall_ms()), seen_ms);
    leave(&ann, &session, true);
    assert_int_equal(ann.seen_ms, seen_ms);
    enter(&ann, &session);
    leave(&ann, &session, false);
    pass(2 * GRACE_MS);
    assert_int_equal(ann.seen_ms, seen_ms);
    assert_null(strstr(told, ":"));
    told[0] = 0;
}

static void changes_within_the_fold_are_told_together(void **state)
{
    struct presence_session session = {0}, other = {0};
    enter(&ann, &session);
    assert_int_equal(presence_flush_in(&presence, now_ms), 0);
    pass(10);
    assert_string_equal(told, "ann:online ");
    told[0] = 0;
    enter(&bob, &other);
    report(&session, PRESENCE_AWAY, NULL);
    assert_int_equal(presence_flush_in(&presence, now_ms), FOLD_MS);
    pass(FOLD_MS - 20);
    assert_string_equal(told, "");
    /* As it was: nothing to tell. */
    report(&session, PRESENCE_ONLINE, NULL);
    settled = 0;
    assert_told("bob:online ");
    assert_int_equal(settled, 2);
    assert_int_equal(presence_flush_in(&presence, now_ms), -1);
}

static void a_flush_keeps_to_its_budget(void **state)
{
    struct presence_session session = {0}, other = {0};
    enter(&ann, &session);
    enter(&bob, &other);
    presence_flush(&presence, now_ms, wall_ms(), 1);
    assert_string_equal(told, "ann:online ");
    assert_int_equal(presence_flush_in(&presence, now_ms), FOLD_MS);
    assert_told("ann:online bob:online ");
}

static void a_newer_session_of_a_name_goes_on_as_the_older(void **state)
{
    struct presence_session older = {0}, newer = {0};
    enter(&ann, &older);
    report(&older, PRESENCE_AWAY, "lunch");
    assert_told("ann:away(lunch) ");
    presence_replace(&ann, &older, &newer);
    assert_told("");
    assert_int_equal(older.reported, PRESENCE_NONE);
    report(&newer, PRESENCE_AWAY, NULL);
    assert_told("ann:away ");
}

static void a_lost_node_takes_its_sessions_along(void **state)
{
    struct presence_node node = {0};
    struct presence_lease leases[3] = {0};
    struct presence_session here = {0};
    presence_lease_enter(&presence, &node, &ann, &leases[0]);
    presence_lease_enter(&presence, &node, &bob, &leases[1]);
    presence_lease_enter(&presence, &node, &bob, &leases[2]);
    assert_told("ann:online bob:online ");
    presence_lease_leave(&presence, &leases[1], true, now_ms, wall_ms());
    int lost = 0;
    while (presence_node_lose(&presence, &node, now_ms, wall_ms()))
        lost++;
    assert_int_equal(lost, 2);
    pass(GRACE_MS / 2);
    enter(&bob, &here);
    pass(GRACE_MS);
    assert_non_null(strstr(told, "ann:offline "));
    assert_null(strstr(told, "bob"));
    told[0] = 0;
}

static void who_is_forgotten_is_not_told_of(void **state)
{
    struct presence_session one = {0}, other = {0};
    enter(&ann, &one);
    enter(&bob, &other);
    presence_user_fini(&presence, &bob);
    assert_told("ann:online ");
    enter(&bob, &(struct presence_session){0});
    presence_user_fini(&presence, &ann);
    memset(&ann, 0, sizeof(ann));
    presence_user_fini(&presence, &bob);
    memset(&bob, 0, sizeof(bob));
    assert_told("");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(statuses_have_names),
        TEST(shown_is_what_the_rule_says),
        TEST(a_reconnect_within_the_grace_is_not_seen),
        TEST(offline_is_told_after_the_grace),
        TEST(a_log_out_is_seen_at_once),
        TEST(the_other_sessions_count_at_once),
        TEST(an_activity_lasts_as_long_as_its_session),
        TEST(the_invisible_leave_no_trace),
        TEST(changes_within_the_fold_are_told_together),
        TEST(a_flush_keeps_to_its_budget),
        TEST(a_newer_session_of_a_name_goes_on_as_the_older),
        TEST(a_lost_node_takes_its_sessions_along),
        TEST(who_is_forgotten_is_not_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
