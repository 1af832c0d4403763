/* A link to a Redis of its own for each test, and what was answered over it. */
#ifndef TIDINGS_TESTS_REDIS_LINK_TEST_H
#define TIDINGS_TESTS_REDIS_LINK_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "base/err.h"
#include "redis_server.h"
#include "store/redis_link.h"

#define CONNECT_MS 500
#define LIMIT_MS 5000
#define WAIT_MS 20000
#define WORDS_MAX 16

/* What came of one call. */
struct answered {
    int times; /* 0: it is under way */
    int err, type;
    enum redis_fault fault;
    long long number;
    char text[256];
    int downs; /* how often the link had gone down then */
    int order; /* how many had been answered before */
    int64_t at_ms;
    void (*then)(void); /* called from within */
};

static struct redis_server server;
static struct redis_url url; /* of the links */
static struct event_base *base;
static struct redis_link *link_;
static int ups, downs, answers;
static void (*then_up)(void), (*then_down)(void); /* called from within */

static void count_up(void *context, struct redis_link *link)
{
    assert_true(redis_link_is_up(link));
    assert_string_equal(redis_link_why(link), "");
    ups++;
    if (then_up)
        then_up();
}

static void count_down(void *context, struct redis_link *link)
{
    assert_false(redis_link_is_up(link));
    assert_string_not_equal(redis_link_why(link), "");
    downs++;
    assert_true(downs <= ups);
    if (then_down)
        then_down();
}

UNUSED static struct redis_link *make_link(const struct redis_host *host, bool wants_master)
{
    const struct redis_link_spec spec = {
        .base = base,
        .name = "test",
        .url = &url,
        .host = *host,
        .wants_master = wants_master,
        .connect_ms = CONNECT_MS,
        .on_up = count_up,
        .on_down = count_down,
    };
    struct redis_link *link = redis_link_new(&spec);
    assert_non_null(link);
    return link;
}

static struct redis_host socket_host(const struct redis_server *of)
{
    struct redis_host host = {.port = 0};
    snprintf(host.name, sizeof(host.name), "%s", of->socket);
    return host;
}

UNUSED static struct redis_host port_host(int port)
{
    return (struct redis_host){.name = "127.0.0.1", .port = port};
}

/* One round of the loop, which lasts 5 ms at most. */
static void turn(void)
{
    const struct timeval after = {0, 5000};
    event_base_loopexit(base, &after);
    event_base_loop(base, EVLOOP_ONCE);
}

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int64_t until_ms = clock_now_ms() + WAIT_MS;                                               \
        while (!(condition)) {                                                                     \
            if (clock_now_ms() > until_ms)                                                         \
                fail_msg("line %d: not in time: %s", __LINE__, #condition);                        \
            turn();                                                                                \
        }                                                                                          \
    } while (0)

UNUSED static void turn_for(int64_t ms)
{
    int64_t until_ms = clock_now_ms() + ms;
    while (clock_now_ms() < until_ms)
        turn();
}

static void note(void *context, int err, const redisReply *reply)
{
    struct answered *answered = context;
    answered->times++;
    answered->err = err;
    answered->downs = downs;
    answered->order = answers++;
    answered->at_ms = clock_now_ms();
    assert_true((err == 0) == (reply != NULL));
    if (reply) {
        answered->type = reply->type;
        answered->fault = redis_reply_fault(reply);
        answered->number = reply->integer;
        if (reply->str)
            snprintf(answered->text, sizeof(answered->text), "%s", reply->str);
    }
    if (answered->then)
        answered->then();
}

/* The words of a command. */
static int split(char *text, const char **argv, size_t *lens)
{
    int argc = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        assert_true(argc < WORDS_MAX);
        argv[argc] = word;
        lens[argc++] = strlen(word);
    }
    return argc;
}

static int try_ask(const char *command, int64_t limit_ms, struct answered *answered)
{
    char text[1024];
    const char *argv[WORDS_MAX];
    size_t lens[WORDS_MAX];
    snprintf(text, sizeof(text), "%s", command);
    int argc = split(text, argv, lens);
    int err = redis_link_ask(link_, argc, argv, lens, limit_ms, answered ? note : NULL, answered);
    memset(text, 'x', sizeof(text));
    return err;
}

UNUSED static void ask(const char *command, int64_t limit_ms, struct answered *answered)
{
    assert_int_equal(try_ask(command, limit_ms, answered), 0);
    assert_int_equal(answered ? answered->times : 0, 0);
}

/* And waits for the answer. */
UNUSED static struct answered tell(const char *command)
{
    struct answered answered = {.times = 0};
    ask(command, LIMIT_MS, &answered);
    WAIT_UNTIL(answered.times > 0);
    assert_int_equal(answered.times, 1);
    return answered;
}

UNUSED static void assert_tells(const char *command, const char *text)
{
    struct answered answered = tell(command);
    assert_int_equal(answered.err, 0);
    assert_string_equal(answered.text, text);
}

UNUSED static void open_link(bool wants_master)
{
    struct redis_host host = socket_host(&server);
    link_ = make_link(&host, wants_master);
    WAIT_UNTIL(redis_link_is_up(link_));
}

static int set_up(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    base = event_base_new();
    assert_non_null(base);
    url = (struct redis_url){.kind = REDIS_SINGLE};
    ups = downs = answers = 0;
    then_up = then_down = NULL;
    return 0;
}

static int tear_down(void **state)
{
    link_ = redis_link_free(link_);
    event_base_free(base);
    return 0;
}

UNUSED static int set_up_server(void **state)
{
    redis_server_start(&server, NULL);
    return set_up(state);
}

UNUSED static int tear_down_server(void **state)
{
    tear_down(state);
    redis_server_stop(&server);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_server, tear_down_server)
#define TEST_ALONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
