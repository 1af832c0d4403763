#include "redis_sync.h"

#include <hiredis/hiredis.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/embedded.h"
#include "base/err.h"

#define PASSES_MAX 100 /* of one run */

static const char *const files[] = {"fetch.lua", "commit.lua", "life.lua", "trim.lua"};

static redisReply *checked(struct redis_sync *sync, redisReply *reply)
{
    if (!reply)
        fail_msg("Redis: %s", sync->redis->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("Redis: %s", reply->str);
    return reply;
}

static void load(struct redis_sync *sync, int script)
{
    const struct embedded *file = embedded_lua;
    while (file->name && strcmp(file->name, files[script]) != 0)
        file++;
    assert_non_null(file->name);
    redisReply *reply =
        checked(sync, redisCommand(sync->redis, "SCRIPT LOAD %b", file->data, file->size));
    assert_int_equal(reply->len, 40);
    memcpy(sync->scripts[script], reply->str, 41);
    freeReplyObject(reply);
}

void redis_sync_open(struct redis_sync *sync, const struct redis_server *server, int shard)
{
    *sync = (struct redis_sync){.shard = shard, .limit_ms = 60000};
    sync->redis = redis_server_connect(server);
    for (int i = 0; i < REDIS_SYNC_SCRIPTS; i++)
        load(sync, i);
    redis_sync_live(sync, "life-1", 0);
}

void redis_sync_close(struct redis_sync *sync)
{
    redisFree(sync->redis);
    redis_cache_free(sync->cache);
}

void redis_sync_live(struct redis_sync *sync, const char *life, int64_t skew_ms)
{
    redisReply *reply = checked(
        sync,
        redisCommand(
            sync->redis,
            "EVALSHA %s 2 tidings:{s%d}/state tidings:{s%d}/journal %s %lld 0", /* places */
            sync->scripts[REDIS_SYNC_LIFE], sync->shard, sync->shard, life, (long long)skew_ms));
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    sync->now_ms = reply->element[0]->integer;
    snprintf(sync->life, sizeof(sync->life), "%s", life);
    freeReplyObject(reply);
}

int64_t redis_sync_trim(struct redis_sync *sync, const char *what, int64_t a, int64_t b,
                        int64_t limit, bool *ret_more)
{
    redisReply *reply = checked(
        sync,
        redisCommand(sync->redis,
                     "EVALSHA %s 2 tidings:{s%d}/state tidings:{s%d}/journal %s %lld %lld %lld",
                     sync->scripts[REDIS_SYNC_TRIM], sync->shard, sync->shard, what, (long long)a,
                     (long long)b, (long long)limit));
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_int_equal(reply->elements, 2);
    int64_t went = reply->element[0]->integer;
    *ret_more = reply->element[1]->integer;
    freeReplyObject(reply);
    return went;
}

struct redis_view *redis_sync_view(struct redis_sync *sync)
{
    struct redis_view *view = redis_view_new(sync->shard, sync->cache);
    assert_non_null(view);
    return view;
}

static redisReply *call(struct redis_sync *sync, int script, const struct redis_call *call)
{
    int argc = call->argc + 2;
    const char **argv = calloc((size_t)argc, sizeof(*argv));
    size_t *lens = calloc((size_t)argc, sizeof(*lens));
    assert_non_null(argv);
    assert_non_null(lens);
    argv[0] = "EVALSHA";
    argv[1] = sync->scripts[script];
    lens[0] = strlen(argv[0]);
    lens[1] = strlen(argv[1]);
    memcpy(argv + 2, call->argv, (size_t)call->argc * sizeof(*argv));
    memcpy(lens + 2, call->lens, (size_t)call->argc * sizeof(*lens));
    redisReply *reply = redisCommandArgv(sync->redis, argc, argv, lens);
    free(argv);
    free(lens);
    return checked(sync, reply);
}

int redis_sync_fetch(struct redis_sync *sync, struct redis_view *view)
{
    struct redis_call asks;
    int err = redis_view_write_fetch(view, &asks);
    if (err)
        return err;
    redisReply *reply = call(sync, REDIS_SYNC_FETCH, &asks);
    err = redis_view_read_fetch(view, reply, &sync->now_ms);
    freeReplyObject(reply);
    sync->fetches++;
    return err;
}

int redis_sync_commit(struct redis_sync *sync, struct redis_view *view)
{
    struct redis_call commit;
    char batch[32];
    assert_true(redis_view_command_count(view) <= REDIS_SYNC_RESULTS_MAX);
    snprintf(batch, sizeof(batch), "batch-%d", sync->batches++);
    int err = redis_view_write_commit(view, span_text(sync->life), span_text(batch),
                                      sync->now_ms + sync->limit_ms, &commit);
    if (err)
        return err;
    redisReply *reply = call(sync, REDIS_SYNC_COMMIT, &commit);
    err = redis_view_read_commit(view, reply, sync->results, &sync->now_ms);
    freeReplyObject(reply);
    return err;
}

/* One pass after the other until nothing is missing. */
static int settle(struct redis_sync *sync, struct redis_view *view, redis_sync_run run,
                  void *context, bool is_command)
{
    for (int i = 0; i < PASSES_MAX; i++) {
        redis_view_restart(view);
        if (is_command)
            redis_view_begin_command(view);
        int err = run(context, view);
        if (is_command && err)
            redis_view_abandon_command(view);
        else if (is_command)
            redis_view_end_command(view);
        if (err != ERR_NOT_FETCHED && !(err == 0 && redis_view_missing(view)))
            return err;
        if (redis_view_missing(view) && (err = redis_sync_fetch(sync, view)))
            return err;
    }
    fail_msg("a run that never ends");
    return ERR_INTERNAL;
}

int redis_sync_read(struct redis_sync *sync, redis_sync_run run, void *context)
{
    struct redis_view *view = redis_sync_view(sync);
    int err = settle(sync, view, run, context, false);
    redis_view_free(view);
    return err;
}

int redis_sync_write(struct redis_sync *sync, redis_sync_run run, void *context)
{
    struct redis_view *view = redis_sync_view(sync);
    int err = settle(sync, view, run, context, true);
    if (!err && redis_view_command_count(view) > 0) {
        err = redis_sync_commit(sync, view);
        if (!err && !sync->results[0].done)
            err = ERR_AGAIN;
    }
    redis_view_free(view);
    return err;
}
