/* A link to a real Redis that hangs, dies or is a replica, with calls under way; and links that
 * are freed, cut and asked from within what they call. */
#include "redis_link_test.h"

#include <time.h>

#define CALLS 100

static struct answered calls[CALLS];

static void ask_many(const char *command, int64_t limit_ms)
{
    memset(calls, 0, sizeof(calls));
    for (int i = 0; i < CALLS; i++)
        ask(command, limit_ms, &calls[i]);
}

static bool all_answered(void)
{
    for (int i = 0; i < CALLS; i++) {
        if (calls[i].times == 0)
            return false;
    }
    return true;
}

/* Each once, with that error, after the link had gone down so often. */
static void assert_ended(int err, int down)
{
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].times, 1);
        assert_int_equal(calls[i].err, err);
        assert_int_equal(calls[i].downs, down);
    }
}

/* -- servers -------------------------------------------------------------------------------- */

static void test_stopped(void **state)
{
    open_link(true);
    redis_server_pause(&server);
    int64_t start_ms = clock_now_ms();
    ask_many("INCR a", 300);
    WAIT_UNTIL(all_answered());
    assert_ended(ERR_UNAVAILABLE, 0);
    for (int i = 0; i < CALLS; i++)
        assert_true(calls[i].at_ms >= start_ms + 300 && calls[i].at_ms < start_ms + 800);
    WAIT_UNTIL(downs == 1);
    assert_true(clock_now_ms() - start_ms < 2500);
    assert_string_equal(redis_link_why(link_), "the server does not answer");
    assert_int_equal(try_ask("PING", LIMIT_MS, NULL), ERR_UNAVAILABLE);
    turn_for(2 * CONNECT_MS); /* the kernel takes the connection, and nobody greets */
    assert_string_equal(redis_link_why(link_), "no greeting in time");
    redis_server_resume(&server);
    WAIT_UNTIL(ups == 2);
    assert_tells("PING", "PONG");
    assert_ended(ERR_UNAVAILABLE, 0); /* no answer came twice */
}

/* Calls that may take longer end with the link. */
static void test_stopped_long(void **state)
{
    open_link(true);
    redis_server_pause(&server);
    int64_t start_ms = clock_now_ms();
    ask_many("INCR a", LIMIT_MS);
    WAIT_UNTIL(all_answered());
    assert_true(clock_now_ms() - start_ms < 2500);
    assert_ended(ERR_UNAVAILABLE, 1);
    redis_server_resume(&server);
    WAIT_UNTIL(ups == 2);
}

/* A link that does not ask for roles finds out by its calls. */
static void test_stopped_tail(void **state)
{
    struct answered first = {.times = 0}, second = {.times = 0};
    open_link(false);
    redis_server_pause(&server);
    ask("XREAD BLOCK 500 STREAMS s 0-0", 1200, &first);
    ask("PING", 100, &second);
    WAIT_UNTIL(second.times);
    assert_int_equal(downs, 0); /* that is not long enough to know */
    WAIT_UNTIL(downs == 1);
    assert_int_equal(first.times, 1);
    assert_int_equal(second.times, 1);
    redis_server_resume(&server);
    WAIT_UNTIL(ups == 2);
}

/* Short of hanging: what is late ends alone, and its answer is no other one's. */
static void test_slow(void **state)
{
    struct answered sleep = {.times = 0}, after = {.times = 0};
    open_link(true);
    ask("DEBUG SLEEP 0.6", LIMIT_MS, &sleep);
    ask_many("INCR a", 100);
    ask("INCR b", LIMIT_MS, &after);
    WAIT_UNTIL(all_answered());
    assert_ended(ERR_UNAVAILABLE, 0);
    WAIT_UNTIL(after.times);
    assert_int_equal(sleep.err, 0);
    assert_string_equal(sleep.text, "OK");
    assert_int_equal(after.number, 1);
    assert_int_equal(tell("INCR a").number, CALLS + 1);
    assert_ended(ERR_UNAVAILABLE, 0);
    assert_int_equal(downs, 0);
}

static void test_sleeps(void **state)
{
    open_link(true);
    struct answered sleep = {.times = 0};
    ask("DEBUG SLEEP 4", LIMIT_MS, &sleep);
    int64_t start_ms = clock_now_ms();
    WAIT_UNTIL(downs == 1);
    assert_true(clock_now_ms() - start_ms < 2500);
    assert_int_equal(sleep.err, ERR_UNAVAILABLE);
    WAIT_UNTIL(ups == 2);
}

/* It is the node that hangs. */
static void test_held_up(void **state)
{
    const struct timespec time = {1, 500000000};
    struct answered patient = {.times = 0};
    open_link(true);
    ask_many("INCR a", 1000);
    ask("INCR b", LIMIT_MS, &patient);
    nanosleep(&time, NULL);
    WAIT_UNTIL(all_answered());
    assert_ended(ERR_UNAVAILABLE, 0);
    WAIT_UNTIL(patient.times);
    assert_int_equal(patient.number, 1);
    assert_int_equal(downs, 0);
}

static void test_killed(void **state)
{
    open_link(true);
    char before[REDIS_RUN_ID_BYTES + 1];
    snprintf(before, sizeof(before), "%.*s", SPAN_ARGS(redis_link_run_id(link_)));
    for (int round = 1; round <= 3; round++) {
        ask_many(round == 2 ? "BLPOP none 0" : "INCR a", LIMIT_MS);
        if (round != 1)
            turn(); /* sent, else in the buffer */
        redis_server_kill(&server);
        WAIT_UNTIL(all_answered());
        if (round == 2)
            assert_ended(ERR_UNAVAILABLE, round);
        WAIT_UNTIL(downs == round);
        turn_for(200);
        redis_server_restart(&server);
        WAIT_UNTIL(ups == round + 1);
        assert_false(span_is(redis_link_run_id(link_), before));
        assert_tells("PING", "PONG");
    }
}

/* One client is put out. */
static void test_put_out(void **state)
{
    char command[64];
    open_link(true);
    ask_many("BLPOP none 0", LIMIT_MS);
    turn();
    snprintf(command, sizeof(command), "CLIENT KILL ID %lld",
             (long long)redis_link_client_id(link_));
    assert_int_equal(redis_server_number(&server, command), 1);
    WAIT_UNTIL(downs == 1);
    assert_ended(ERR_UNAVAILABLE, 1);
    WAIT_UNTIL(ups == 2);
    /* It kills itself: the answer comes first, the end behind it. */
    ask_many("INCR a", LIMIT_MS);
    struct answered quit = {.times = 0};
    ask("QUIT", LIMIT_MS, &quit);
    WAIT_UNTIL(downs == 2);
    assert_ended(0, 1);
    assert_string_equal(quit.text, "OK");
    WAIT_UNTIL(ups == 3);
}

static void test_becomes_replica(void **state)
{
    struct redis_host host = socket_host(&server);
    struct redis_link *any = make_link(&host, false), *master = make_link(&host, true);
    WAIT_UNTIL(redis_link_is_up(any) && redis_link_is_up(master));
    turn_for(1500); /* not only the first answer counts */
    int64_t start_ms = clock_now_ms();
    freeReplyObject(redis_server_ask(&server, "REPLICAOF 127.0.0.1 1"));
    WAIT_UNTIL(!redis_link_is_up(master));
    assert_true(clock_now_ms() - start_ms < 2000);
    assert_string_equal(redis_link_why(master), "the server is no master");
    turn_for(1500);
    assert_true(redis_link_is_up(any));
    assert_int_equal(ups, 2); /* nor does it come up again */
    assert_string_equal(redis_link_why(master), "the server is no master");
    redis_link_cut(any, "try anew");
    WAIT_UNTIL(redis_link_is_up(any));
    freeReplyObject(redis_server_ask(&server, "REPLICAOF NO ONE"));
    WAIT_UNTIL(redis_link_is_up(master));
    assert_true(redis_link_is_up(any));
    redis_link_free(any);
    redis_link_free(master);
}

/* -- from within ---------------------------------------------------------------------------- */

static int under_way;

static void free_link(void)
{
    link_ = redis_link_free(link_);
    for (int i = 0; i < under_way; i++)
        assert_int_equal(calls[i].times, 1);
}

static void try_all(void)
{
    struct redis_host host = socket_host(&server);
    assert_int_equal(try_ask("PING", LIMIT_MS, NULL), ERR_UNAVAILABLE);
    redis_link_cut(link_, "again");
    redis_link_move(link_, &host);
}

static void cut(void)
{
    redis_link_cut(link_, "of no use");
}

static void test_freed(void **state)
{
    struct redis_host host = socket_host(&server);
    open_link(true);
    ask_many("INCR a", LIMIT_MS);
    under_way = CALLS;
    free_link();
    assert_ended(ERR_CLOSED, 0);
    open_link(true);
    ask_many("BLPOP none 0", LIMIT_MS);
    turn_for(50); /* sent, and waited for by the server */
    free_link();
    assert_ended(ERR_CLOSED, 0);
    assert_null(redis_link_free(NULL));
    /* Before it is up, in each state that a turn may find it in. */
    for (int turns = 0; turns < 8; turns++) {
        link_ = make_link(&host, true);
        for (int i = 0; i < turns; i++)
            event_base_loop(base, EVLOOP_ONCE);
        link_ = redis_link_free(link_);
    }
    turn_for(100);
    assert_int_equal(downs, 0);
}

/* Freed by the answer in the middle: those before it have theirs, the others end. */
static void test_free_in_answer(void **state)
{
    open_link(true);
    ask_many("INCR a", LIMIT_MS);
    calls[CALLS / 2].then = free_link;
    under_way = CALLS;
    WAIT_UNTIL(!link_);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].times, 1);
        assert_int_equal(calls[i].err, i <= CALLS / 2 ? 0 : ERR_CLOSED);
    }
    turn_for(100);
    assert_int_equal(downs, 0);
}

static void test_free_in_late_answer(void **state)
{
    open_link(true);
    ask("DEBUG SLEEP 0.3", LIMIT_MS, NULL);
    ask_many("INCR a", 50);
    calls[CALLS / 2].then = free_link;
    under_way = CALLS;
    WAIT_UNTIL(!link_);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(calls[i].err, i <= CALLS / 2 ? ERR_UNAVAILABLE : ERR_CLOSED);
    turn_for(500); /* the server answers, nobody listens */
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(calls[i].times, 1);
}

/* The link goes down, by its own doing and by the server's, and is freed on the way. */
static void test_free_while_going_down(void **state)
{
    for (int round = 0; round < 4; round++) {
        ups = downs = 0;
        open_link(true);
        ask_many("BLPOP none 0", LIMIT_MS);
        turn();
        under_way = CALLS;
        if (round % 2)
            then_down = free_link;
        else
            calls[10].then = free_link;
        if (round < 2)
            cut();
        else
            redis_server_restart(&server);
        WAIT_UNTIL(!link_);
        for (int i = 0; i < CALLS; i++) {
            assert_int_equal(calls[i].times, 1);
            assert_int_equal(calls[i].err,
                             round % 2 == 0 && i <= 10 ? ERR_UNAVAILABLE : ERR_CLOSED);
        }
        assert_int_equal(downs, 1);
        then_down = NULL;
        turn_for(100);
    }
}

static void test_free_in_on_up(void **state)
{
    struct redis_host host = socket_host(&server);
    under_way = 0;
    then_up = free_link;
    link_ = make_link(&host, true);
    WAIT_UNTIL(ups == 1);
    assert_null(link_);
    turn_for(100);
    assert_int_equal(downs, 0);
}

static void test_cut_in_answer(void **state)
{
    open_link(true);
    ask_many("INCR a", LIMIT_MS);
    calls[CALLS / 2].then = cut;
    WAIT_UNTIL(downs == 1);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].times, 1);
        assert_int_equal(calls[i].err, i <= CALLS / 2 ? 0 : ERR_UNAVAILABLE);
    }
    assert_string_equal(redis_link_why(link_), "of no use");
    WAIT_UNTIL(ups == 2);
    assert_tells("PING", "PONG");
}

/* Nothing can be asked of a link that goes down, and cutting it is nothing new. */
static void test_all_while_going_down(void **state)
{
    open_link(true);
    for (int round = 1; round <= 2; round++) {
        ask_many("BLPOP none 0", LIMIT_MS);
        turn();
        for (int i = 0; i < CALLS; i++)
            calls[i].then = try_all;
        then_down = try_all;
        if (round == 1)
            cut();
        else
            redis_server_restart(&server);
        WAIT_UNTIL(downs == round);
        assert_ended(ERR_UNAVAILABLE, round);
        WAIT_UNTIL(ups == round + 1);
    }
}

static void ask_two(void)
{
    ask("INCR up", LIMIT_MS, &calls[0]);
    ask("INCR up", LIMIT_MS, &calls[1]);
}

static void test_ask_in_on_up(void **state)
{
    memset(calls, 0, sizeof(calls));
    then_up = ask_two;
    open_link(true);
    WAIT_UNTIL(calls[1].times);
    assert_int_equal(calls[0].number, 1);
    assert_int_equal(calls[1].number, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stopped),
        TEST(test_stopped_long),
        TEST(test_stopped_tail),
        TEST(test_slow),
        TEST(test_sleeps),
        TEST(test_held_up),
        TEST(test_killed),
        TEST(test_put_out),
        TEST(test_becomes_replica),
        TEST(test_freed),
        TEST(test_free_in_answer),
        TEST(test_free_in_late_answer),
        TEST(test_free_while_going_down),
        TEST(test_free_in_on_up),
        TEST(test_cut_in_answer),
        TEST(test_all_while_going_down),
        TEST(test_ask_in_on_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
