#include "store/redis_batch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/err.h"

/* -- works ---------------------------------------------------------------------------------- */

struct journal_append *redis_append_of(const struct redis_work *work)
{
    assert(work->request->kind == REDIS_ASK_APPEND);
    return container_of(work->request, struct journal_append, request);
}

int redis_command_count(const struct redis_work *work)
{
    if (work->request->kind != REDIS_ASK_APPEND)
        return 1;
    return work->end ? work->end : redis_append_of(work)->count;
}

void redis_work_end(struct redis_work *work, int err)
{
    if (work->request->kind == REDIS_ASK_APPEND)
        redis_append_of(work)->done = redis_command_count(work);
    redis_work_finish(work->shard->journal, work, err);
}

/* Posts alone are worth guessing: they find the same facts again and again. */
static bool may_guess(const struct redis_work *work)
{
    if (work->stale || work->request->kind != REDIS_ASK_APPEND)
        return false;
    const struct journal_append *append = redis_append_of(work);
    for (int i = work->next; i < redis_command_count(work); i++) {
        enum command_kind kind = append->commands[i].kind;
        if (kind != COMMAND_SEND_MESSAGE && kind != COMMAND_CUSTOM_EVENT)
            return false;
    }
    return true;
}

void redis_work_put_back(struct redis_work *work)
{
    list_append(may_guess(work) ? &work->shard->guessed : &work->shard->fresh, &work->member);
}

/* -- batches -------------------------------------------------------------------------------- */

void redis_batch_free(struct redis_batch *batch)
{
    link_remove(&batch->member);
    redis_view_free(batch->view);
    free(batch->given.items);
    free(batch->ran);
    free(batch);
}

struct redis_batch *redis_batch_new(struct redis_shard *shard, bool guessed)
{
    struct redis_journal *journal = shard->journal;
    struct redis_batch *batch = calloc(1, sizeof(*batch));
    if (batch)
        batch->view = redis_view_new(shard->number, guessed ? journal->cache : NULL);
    if (!batch || !batch->view) {
        free(batch);
        return NULL;
    }
    redis_view_know_new(batch->view, &batch->given);
    batch->shard = shard;
    batch->now_ms = redis_now_ms(journal);
    batch->guessed = guessed;
    snprintf(batch->name, sizeof(batch->name), "%016llx-%llu", (unsigned long long)journal->boot,
             (unsigned long long)++journal->batch_last);
    return batch;
}

void redis_batch_fill(struct redis_batch *batch, struct list *list)
{
    int commands = 0;
    struct link *member;
    while ((member = list_first(list)) && batch->work_count < REDIS_BATCH_COMMANDS_MAX) {
        struct redis_work *work = container_of(member, struct redis_work, member);
        int more = redis_command_count(work) - work->next;
        if (commands > 0 && commands + more > REDIS_BATCH_COMMANDS_MAX)
            break;
        commands += more;
        link_remove(member);
        batch->works[batch->work_count++] = work;
        if (work->until_ms > batch->until_ms)
            batch->until_ms = work->until_ms;
    }
}

void redis_batch_fail(struct redis_batch *batch, int err)
{
    for (int i = 0; i < batch->work_count; i++)
        redis_work_end(batch->works[i], err);
    redis_batch_free(batch);
}

static int note_ran(struct redis_batch *batch, int work, int command, int result)
{
    if (batch->ran_count == batch->ran_size) {
        int size = batch->ran_size ? 2 * batch->ran_size : REDIS_BATCH_COMMANDS_MAX;
        struct redis_ran *grown = realloc(batch->ran, (size_t)size * sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        batch->ran = grown;
        batch->ran_size = size;
    }
    batch->ran[batch->ran_count++] = (struct redis_ran){work, command, result};
    return 0;
}

/* -- running -------------------------------------------------------------------------------- */

static int carry_out(struct redis_batch *batch, struct redis_work *work, int command,
                     int64_t now_ms)
{
    struct apply *apply = &batch->shard->journal->apply;
    int err;
    if (work->request->kind == REDIS_ASK_DEVICE)
        err =
            apply_device(apply, container_of(work->request, struct journal_open, request), now_ms);
    else
        err = apply_command(apply, &redis_append_of(work)->commands[command], now_ms,
                            &work->request->arena);
    work->events += apply_events(apply);
    batch->events += apply_events(apply);
    apply_forget(apply); /* frames are made by those who tail */
    return err;
}

/* What was found by guessing counts only when the commit checks it. */
static bool is_mere_guess(const struct redis_batch *batch, const struct redis_work *work,
                          int command)
{
    if (!batch->guessed)
        return false;
    const struct outcome *outcome = &redis_append_of(work)->commands[command].outcome;
    return outcome->err || outcome->repeated;
}

/* Runs what is left of a work. ERR_NOT_FETCHED: asks were added to the view; what comes behind is
 * run all the same, so that all that it needs is asked for at once. */
static int run_work(struct redis_batch *batch, int at, int64_t now_ms)
{
    struct redis_work *work = batch->works[at];
    int count = redis_command_count(work), first = work->next, missed = 0;
    bool stopped = work->stopped, writes = false;
    work->events = 0;
    for (batch->ends[at] = first; batch->ends[at] < count; batch->ends[at]++) {
        int command = batch->ends[at];
        if (!stopped && command > 0 && work->events >= APPEND_EVENTS_MAX) {
            work->end = command;
            return missed;
        }
        if (stopped) {
            redis_append_of(work)->commands[command].outcome = (struct outcome){.err = ERR_AGAIN};
            continue;
        }
        redis_view_begin_command(batch->view);
        int err = writes ? redis_view_follow_on(batch->view) : 0;
        if (!err)
            err = carry_out(batch, work, command, now_ms);
        if (!err && is_mere_guess(batch, work, command)) {
            redis_view_abandon_command(batch->view);
            work->stale |= !missed;
            return missed;
        }
        if (err) {
            redis_view_abandon_command(batch->view);
            if (!ledger_put_off(err, &missed))
                continue;
            return err;
        }
        int result = redis_view_end_command(batch->view);
        writes |= result >= 0;
        err = note_ran(batch, at, command, result);
        if (err)
            return err;
        stopped = work->request->kind == REDIS_ASK_APPEND && redis_append_of(work)->ordered &&
                  redis_append_of(work)->commands[command].outcome.err;
    }
    return missed;
}

static void drop_work(struct redis_batch *batch, int at)
{
    for (int i = at + 1; i < batch->work_count; i++)
        batch->works[i - 1] = batch->works[i];
    batch->work_count--;
}

/* Those from `at` on come later. */
static void cut_off(struct redis_batch *batch, int at)
{
    for (int i = at; i < batch->work_count; i++)
        redis_work_put_back(batch->works[i]);
    batch->work_count = at;
}

/* One that fails for itself goes home, and the others are run without it. Returns whether all
 * were run; `*ret_failed`: start over. */
static bool run_works(struct redis_batch *batch, struct redis_ledger *ledger, bool *ret_failed)
{
    bool whole = true;
    for (int i = 0; i < batch->work_count; i++) {
        int err = run_work(batch, i, ledger->now_ms);
        if (whole && !err && batch->events >= APPEND_EVENTS_MAX)
            cut_off(batch, i + 1);
        if (err == ERR_NOT_FETCHED) {
            whole = false;
        } else if (err == ERR_AGAIN && whole) {
            /* It reads what an earlier command of the batch has written. */
            cut_off(batch, batch->ends[i] > batch->works[i]->next ? i + 1 : i);
        } else if (err && err != ERR_AGAIN) {
            struct redis_work *work = batch->works[i];
            drop_work(batch, i);
            redis_work_end(work, err);
            *ret_failed = true;
            return false;
        }
    }
    return whole;
}

bool redis_batch_run(struct redis_batch *batch)
{
    struct redis_shard *shard = batch->shard;
    struct redis_journal *journal = shard->journal;
    struct redis_ledger ledger;
    bool whole, failed;
    do {
        failed = false;
        batch->ran_count = batch->given.at = batch->events = 0;
        redis_view_restart(batch->view);
        redis_ledger_init(&ledger, batch->view, journal->settings, &shard->places);
        ledger.given = &batch->given;
        ledger.trim = journal->trim;
        ledger.shard = shard->number;
        ledger.now_ms = batch->now_ms;
        journal->apply.ledger = &ledger.ledger;
        whole = run_works(batch, &ledger, &failed);
        journal->apply.ledger = NULL;
        batch->starves = ledger.out_of_places;
        redis_ledger_fini(&ledger);
    } while (failed);
    return whole;
}
