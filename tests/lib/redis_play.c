#include "redis_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define PASSES_MAX 100

/* A step as one command of the view. */
static void run_step(struct redis_play *batch, struct redis_ledger *ledger, int i)
{
    redis_view_begin_command(batch->view);
    batch->made[i] = EVENT_ID_NONE;
    batch->indices[i] = -1; /* it writes nothing */
    int err = batch->ops->run(batch->context, ledger, batch->steps[i], &batch->made[i]);
    if (err)
        redis_view_abandon_command(batch->view);
    else
        batch->indices[i] = redis_view_end_command(batch->view);
    if (err != ERR_NOT_FETCHED && err != ERR_AGAIN)
        assert_int_equal(err, 0);
    batch->errs[i] = err;
}

void redis_play_settle(struct redis_play *batch)
{
    batch->view = redis_sync_view(batch->sync);
    redis_view_know_new(batch->view, &batch->given);
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        struct redis_ledger ledger;
        batch->given.at = 0;
        redis_view_restart(batch->view);
        redis_ledger_init(&ledger, batch->view, batch->settings, &batch->sync->places);
        ledger.given = &batch->given;
        ledger.now_ms = batch->now_ms;
        for (int i = 0; i < batch->count; i++)
            run_step(batch, &ledger, i);
        bool starves = ledger.out_of_places;
        redis_ledger_fini(&ledger);
        if (starves)
            redis_sync_take_places(batch->sync);
        else if (!redis_view_missing(batch->view))
            return;
        if (redis_view_missing(batch->view))
            assert_int_equal(redis_sync_fetch(batch->sync, batch->view), 0);
    }
    fail_msg("a batch that never ends");
}

/* What wrote nothing counts only where all before it has held. */
void redis_play_commit(struct redis_play *batch)
{
    int left = 0;
    if (redis_view_command_count(batch->view) > 0)
        assert_int_equal(redis_sync_commit(batch->sync, batch->view), 0);
    for (int i = 0; i < batch->count; i++) {
        void *step = batch->steps[i];
        int index = batch->indices[i];
        bool is_done = index >= 0 ? batch->sync->results[index].done : left == 0;
        if (batch->errs[i] || !is_done) {
            batch->steps[left++] = step;
            continue;
        }
        struct event_id id = redis_view_real_id(batch->view, batch->made[i]);
        assert_true(event_id_is_none(id) == event_id_is_none(batch->made[i]));
        batch->ops->done(batch->context, step, id);
    }
    batch->count = left;
    batch->view = redis_view_free(batch->view);
    free(batch->given.items);
    batch->given = (struct redis_given){.items = NULL};
}

void redis_play_do(struct redis_play *batch)
{
    struct redis_cache *cache = batch->sync->cache;
    for (int round = 0; batch->count > 0; round++) {
        int before = batch->count;
        batch->sync->cache = round % 2 ? NULL : cache;
        redis_play_settle(batch);
        redis_play_commit(batch);
        assert_true(batch->count < before || batch->sync->cache);
    }
    batch->sync->cache = cache;
}

void redis_assert_same(struct buf *redis, struct buf *memory)
{
    assert_int_equal(buf_add(redis, "", 1), 0);
    assert_int_equal(buf_add(memory, "", 1), 0);
    const char *a = redis->data, *b = memory->data;
    while (*a && *b && strncmp(a, b, strcspn(a, "\n") + 1) == 0) {
        a += strcspn(a, "\n") + 1;
        b += strcspn(b, "\n") + 1;
    }
    if (*a || *b)
        fail_msg("over Redis: %.*s\nin memory: %.*s", (int)strcspn(a, "\n"), a,
                 (int)strcspn(b, "\n"), b);
}
