/* A Redis for tests of views: one server for all, emptied for each. */
#ifndef TIDINGS_TESTS_REDIS_VIEW_TEST_H
#define TIDINGS_TESTS_REDIS_VIEW_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hiredis/hiredis.h>
#include <string.h>

#include "base/err.h"
#include "redis_sync.h"

static struct redis_server server;
static struct redis_sync sync;

static int start_redis(void **state)
{
    redis_server_start(&server, NULL);
    return 0;
}

static int stop_redis(void **state)
{
    redis_server_stop(&server);
    return 0;
}

static int set_up(void **state)
{
    freeReplyObject(redis_server_ask(&server, "FLUSHALL"));
    redis_sync_open(&sync, &server, 3);
    return 0;
}

static int tear_down(void **state)
{
    redis_sync_close(&sync);
    return 0;
}

/* The answer to a command is that text; NULL: nothing is there. */
UNUSED static void assert_text(const char *command, const char *text)
{
    redisReply *reply = redisCommand(sync.redis, command);
    assert_non_null(reply);
    if (text) {
        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        assert_string_equal(reply->str, text);
    } else {
        assert_int_equal(reply->type, REDIS_REPLY_NIL);
    }
    freeReplyObject(reply);
}

/* A command of redis-cli that must not fail. */
UNUSED static void redis(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(sync.redis, format, args);
    va_end(args);
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

#define WITH_REDIS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
