/* A Redis for tests of views: one server for all of a program, emptied for each. */
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
#include "store/ledger.h"

#define BATCH_MAX 8
#define GAVE_NOTHING (-2) /* the index of a command that was abandoned */

static struct redis_server server;
static struct redis_sync sync;
static struct redis_view *view; /* of the last batch */
static int indices[BATCH_MAX];  /* of its commands, in the results of the commit */

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
    view = NULL;
    return 0;
}

static int tear_down(void **state)
{
    view = redis_view_free(view);
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

/* The answer is a list of these texts, joined by blanks. */
UNUSED static void assert_list(const char *command, const char *texts)
{
    char joined[1024] = "";
    redisReply *reply = redisCommand(sync.redis, command);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    for (size_t i = 0; i < reply->elements; i++) {
        strcat(joined, i ? " " : "");
        strcat(joined, reply->element[i]->str);
    }
    freeReplyObject(reply);
    assert_string_equal(joined, texts);
}

/* What another node does. */
UNUSED static void redis(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(sync.redis, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    freeReplyObject(reply);
}

static int settle_one(redis_sync_run run)
{
    redis_view_begin_command(view);
    int err = run(NULL, view);
    if (err) {
        assert_int_equal(err, ERR_NOT_FETCHED);
        redis_view_abandon_command(view);
        return GAVE_NOTHING;
    }
    return redis_view_end_command(view);
}

/* Runs commands in one view until nothing is missing. */
UNUSED static void settle(const redis_sync_run *runs, int count)
{
    view = redis_view_free(view);
    view = redis_sync_view(&sync);
    do {
        if (redis_view_missing(view))
            assert_int_equal(redis_sync_fetch(&sync, view), 0);
        redis_view_restart(view);
        for (int i = 0; i < count; i++)
            indices[i] = settle_one(runs[i]);
    } while (redis_view_missing(view));
}

UNUSED static void commit(void)
{
    assert_int_equal(redis_sync_commit(&sync, view), 0);
}

/* Whether the command of that place in the batch was done. */
UNUSED static bool done(int place)
{
    assert_true(indices[place] >= 0);
    return sync.results[indices[place]].done;
}

UNUSED static void do_batch(const redis_sync_run *runs, int count)
{
    settle(runs, count);
    commit();
}
#define DO_BATCH(...)                                                                              \
    do_batch((const redis_sync_run[]){__VA_ARGS__},                                                \
             sizeof((redis_sync_run[]){__VA_ARGS__}) / sizeof(redis_sync_run))
#define SETTLE(...)                                                                                \
    settle((const redis_sync_run[]){__VA_ARGS__},                                                  \
           sizeof((redis_sync_run[]){__VA_ARGS__}) / sizeof(redis_sync_run))

/* Ends the run when something is not fetched yet. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        int err_of_call = (call);                                                                  \
        if (err_of_call)                                                                           \
            return err_of_call;                                                                    \
    } while (0)

#define S(text) span_text(text)

UNUSED static void assert_span(struct span value, const char *text)
{
    if (!text) {
        assert_null(value.data);
        return;
    }
    assert_non_null(value.data);
    assert_int_equal(value.len, strlen(text));
    assert_memory_equal(value.data, text, value.len);
}

UNUSED static struct redis_key *hash(void)
{
    return redis_key_of(view, 'p', 7, "hash");
}
#define HASH "tidings:{s3}/p/7/hash"

UNUSED static int get(const char *field, struct span *ret)
{
    return redis_view_get(view, hash(), S(field), ret);
}

UNUSED static int set(const char *field, const char *value)
{
    return redis_view_set(view, hash(), S(field), S(value));
}

UNUSED static int expect(const char *field, const char *value)
{
    struct span found;
    int err = get(field, &found);
    if (!err)
        assert_span(found, value);
    return err;
}

/* An event of realm 1, room 2. */
UNUSED static int event(const char *meta, bool raises)
{
    struct redis_event event = {
        .realm = redis_key_of(view, 'r', 1, "state"),
        .realm_stream = redis_key_of(view, 'r', 1, "events"),
        .where = S("2"),
        .stream = redis_key_of(view, 'p', 2, "messages"),
        .meta = S(meta),
        .bodies = redis_key_of(view, 'p', 2, "bodies"),
        .body = S("body"),
        .room = redis_key_of(view, 'p', 2, "state"),
        .members = -1,
        .raises_ordinal = raises,
        .realm_name = S("acme"),
    };
    return redis_view_event(view, &event);
}

static char id_text[EVENT_ID_TEXT_MAX];

UNUSED static struct event_id real(int index)
{
    struct event_id id = redis_view_real_id(view, redis_pending_id((uint64_t)index));
    assert_false(redis_is_pending(id));
    return id;
}

/* The text of a real id; static. */
UNUSED static const char *real_text(int index)
{
    event_id_format(real(index), id_text);
    return id_text;
}

UNUSED static const char *name_text(int index)
{
    static char text[REDIS_NAME_OF_ID_BYTES + 1];
    struct buf buf = {.data = text, .size = sizeof(text), .bytes_max = sizeof(text)};
    assert_int_equal(redis_put_name_of_id(&buf, real(index)), 0);
    return text;
}

UNUSED static struct span pending_text(char *out, size_t size, struct event_id id)
{
    struct buf buf = {.data = out, .size = size, .bytes_max = size};
    assert_int_equal(redis_put_id(&buf, id), 0);
    return buf_span(&buf);
}

UNUSED static int one_event(void *context, struct redis_view *v)
{
    return event("meta", true);
}

UNUSED static int checked_event(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_get(view, hash(), S("a"), &value));
    return event("checked", true);
}

#define WITH_REDIS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
