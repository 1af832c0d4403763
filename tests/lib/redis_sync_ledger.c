#include <hiredis/hiredis.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "redis_sync.h"

#define PLACES 1000 /* that are taken at once */

struct over {
    struct redis_sync *sync;
    const struct settings *settings;
    redis_sync_ledger_run run;
    void *context;
    struct redis_given given;
};

void redis_sync_take_places(struct redis_sync *sync)
{
    redisReply *reply =
        redisCommand(sync->redis, "HINCRBY tidings:{s%d}/state places %d", sync->shard, PLACES);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    sync->places.end = (place_number)reply->integer + 1;
    sync->places.next = sync->places.end - PLACES;
    freeReplyObject(reply);
}

static int run(void *context, struct redis_view *view)
{
    struct over *over = context;
    struct redis_ledger ledger;
    over->given.at = 0;
    redis_view_know_new(view, &over->given);
    redis_ledger_init(&ledger, view, over->settings, &over->sync->places);
    ledger.given = &over->given;
    ledger.now_ms = over->sync->now_ms;
    int err = over->run(over->context, &ledger.ledger);
    if (ledger.out_of_places)
        redis_sync_take_places(over->sync);
    redis_ledger_fini(&ledger);
    return err;
}

int redis_sync_ledger_read(struct redis_sync *sync, const struct settings *settings,
                           redis_sync_ledger_run ledger_run, void *context)
{
    struct over over = {sync, settings, ledger_run, context, {.items = NULL}};
    return redis_sync_read(sync, run, &over);
}

int redis_sync_ledger_write(struct redis_sync *sync, const struct settings *settings,
                            redis_sync_ledger_run ledger_run, void *context)
{
    struct over over = {sync, settings, ledger_run, context, {.items = NULL}};
    int err = redis_sync_write(sync, run, &over);
    free(over.given.items);
    return err;
}
