/* Appends: commands are run on a view, and what they would write is sent in one batch, which
 * stores those whose facts still hold.
 *
 *          guessed --run on what the node remembers--\
 *                                                     batch -> commit -> done: home
 *          fresh ---run on what is fetched-----------/              \-> facts changed: fresh
 *
 * A batch whose answer does not come is sent again under the same name when the link is back:
 * Redis remembers what it did with it. */
#include <stdlib.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/redis_batch.h"

/* -- answers -------------------------------------------------------------------------------- */

static void settle_outcome(const struct redis_batch *batch, struct outcome *outcome,
                           const struct redis_result *result)
{
    outcome->id = redis_view_real_id(batch->view, outcome->id);
    outcome->head = redis_view_real_id(batch->view, outcome->head);
    outcome->room.public_since = redis_view_real_id(batch->view, outcome->room.public_since);
    outcome->marker.upto = redis_view_real_id(batch->view, outcome->marker.upto);
    if (result && batch->guessed && result->members >= 0)
        outcome->members = result->members;
}

static bool erases(const struct command *command)
{
    return command->kind == COMMAND_DELETE_MESSAGE ||
           (command->kind == COMMAND_BAN && command->ban.delete_messages);
}

static void note_events(struct redis_work *work, const struct command *command)
{
    if (event_id_is_none(command->outcome.id) || command->outcome.repeated)
        return;
    work->last = command->outcome.head;
    work->erases |= erases(command);
}

static void end_when_told(struct redis_work *work)
{
    if (work->erases && event_id_compare(work->last, work->shard->told) > 0)
        list_append(&work->shard->untold, &work->member);
    else
        redis_work_end(work, 0);
}

void redis_committing_told(struct redis_shard *shard, struct event_id upto)
{
    struct link *member;
    shard->told = upto;
    while ((member = list_first(&shard->untold))) {
        struct redis_work *work = container_of(member, struct redis_work, member);
        if (event_id_compare(work->last, upto) > 0)
            return;
        redis_work_end(work, 0);
    }
}

/* The works whose commands are all done go home, the others are run again from the first that is
 * not. */
static void batch_settle(struct redis_batch *batch, const struct redis_result *results)
{
    int failed_from[REDIS_BATCH_COMMANDS_MAX];
    bool any_failed = false;
    for (int i = 0; i < batch->work_count; i++)
        failed_from[i] = batch->ends[i];
    for (int i = 0; i < redis_view_command_count(batch->view); i++)
        any_failed |= !results[i].done;
    for (int i = batch->ran_count - 1; i >= 0; i--) {
        const struct redis_ran *ran = &batch->ran[i];
        if (ran->result < 0 ? any_failed : !results[ran->result].done)
            failed_from[ran->work] = ran->command;
    }
    for (int i = 0; i < batch->ran_count; i++) {
        const struct redis_ran *ran = &batch->ran[i];
        struct redis_work *work = batch->works[ran->work];
        if (ran->command >= failed_from[ran->work] || work->request->kind != REDIS_ASK_APPEND)
            continue;
        struct outcome *outcome = &redis_append_of(work)->commands[ran->command].outcome;
        settle_outcome(batch, outcome, ran->result < 0 ? NULL : &results[ran->result]);
        note_events(work, &redis_append_of(work)->commands[ran->command]);
        work->stopped |= redis_append_of(work)->ordered && outcome->err;
    }
    for (int i = 0; i < batch->work_count; i++) {
        struct redis_work *work = batch->works[i];
        work->stale |= failed_from[i] < batch->ends[i];
        if (failed_from[i] == work->next)
            work->tries++;
        work->next = failed_from[i];
        if (work->next == redis_command_count(work))
            end_when_told(work);
        else if (work->tries > REDIS_TRIES_MAX)
            redis_work_end(work, ERR_BUSY);
        else
            redis_work_put_back(work);
    }
    redis_batch_free(batch);
}

static void batch_send(struct redis_batch *batch);
static void batch_step(struct redis_batch *batch);

/* The outcome is not known. */
static void batch_wait(struct redis_batch *batch)
{
    if (!batch->member.next)
        list_append(&batch->shard->unknown, &batch->member);
}

static void on_committed(void *context, int err, const struct redisReply *reply)
{
    struct redis_batch *batch = context;
    struct redis_shard *shard = batch->shard;
    struct redis_result *results = NULL;
    int64_t redis_ms = 0;
    shard->batches--;
    if (err == ERR_CLOSED) {
        redis_batch_fail(batch, ERR_UNAVAILABLE);
        return;
    }
    if (!err) {
        results = calloc((size_t)redis_view_command_count(batch->view) + 1, sizeof(*results));
        err = results ? redis_view_read_commit(batch->view, reply, results, &redis_ms) : ERR_MEMORY;
    }
    if (redis_ms > 0)
        redis_note_clock(shard->journal, redis_ms);
    if (!err) {
        metric_observe(METRIC_COMMIT_US, (uint64_t)(clock_now_us() - batch->sent_us));
        metric_observe(METRIC_COMMIT_BATCH, (uint64_t)redis_view_command_count(batch->view));
        batch_settle(batch, results);
    } else if (err == ERR_VERSION || err == ERR_UNAVAILABLE || err == ERR_MEMORY) {
        if (err == ERR_VERSION)
            shard->state = REDIS_SHARD_UNUSED;
        batch_wait(batch);
    } else {
        redis_batch_fail(batch, err == ERR_AGAIN ? ERR_UNAVAILABLE : err);
    }
    free(results);
    redis_shard_serve(shard);
}

static void batch_send(struct redis_batch *batch)
{
    struct redis_shard *shard = batch->shard;
    struct redis_journal *journal = shard->journal;
    struct redis_call call;
    int64_t left_ms = batch->until_ms - clock_now_ms();
    if (!batch->sent)
        batch->deadline_ms = redis_now_ms(journal) + left_ms;
    batch->sent = true;
    batch->sent_us = clock_now_us();
    int err = redis_view_write_commit(batch->view, redis_link_run_id(journal->work),
                                      span_text(batch->name), batch->deadline_ms, &call);
    if (!err)
        err = redis_link_run(journal->work, REDIS_SCRIPT_COMMIT, call.argc, call.argv, call.lens,
                             left_ms > 0 ? left_ms : 1, on_committed, batch);
    if (!err)
        shard->batches++;
    else
        batch_wait(batch);
}

static void on_fetched(void *context, int err, const struct redisReply *reply)
{
    struct redis_batch *batch = context;
    struct redis_shard *shard = batch->shard;
    int64_t redis_ms = 0;
    shard->batches--;
    if (!err)
        err = redis_view_read_fetch(batch->view, reply, &redis_ms);
    if (err) {
        redis_batch_fail(batch, err == ERR_CLOSED ? ERR_UNAVAILABLE : err);
        return;
    }
    redis_note_clock(shard->journal, redis_ms);
    batch_step(batch);
    redis_shard_serve(shard);
}

static int batch_fetch(struct redis_batch *batch)
{
    struct redis_shard *shard = batch->shard;
    struct redis_call call;
    int64_t left_ms = batch->until_ms - clock_now_ms();
    if (left_ms <= 0)
        return ERR_UNAVAILABLE;
    if (++batch->rounds > REDIS_ROUNDS_MAX)
        return ERR_BUSY;
    int err = redis_view_write_fetch(batch->view, &call);
    if (!err)
        err = redis_link_run(shard->journal->work, REDIS_SCRIPT_FETCH, call.argc, call.argv,
                             call.lens, left_ms, on_fetched, batch);
    if (!err)
        shard->batches++;
    return err;
}

static void batch_step(struct redis_batch *batch)
{
    bool whole = redis_batch_run(batch);
    if (batch->work_count == 0) {
        redis_batch_free(batch);
    } else if (batch->starves) {
        list_append(&batch->shard->starved, &batch->member);
        batch->shard->state = REDIS_SHARD_UNUSED;
    } else if (!whole) {
        int err = batch_fetch(batch);
        if (err)
            redis_batch_fail(batch, err);
    } else if (redis_view_command_count(batch->view) == 0) {
        batch_settle(batch, NULL);
    } else {
        batch_send(batch);
    }
}

/* -- serving -------------------------------------------------------------------------------- */

static bool may_serve(const struct redis_shard *shard, const struct list *list)
{
    return !list_is_empty(list) && shard->batches < REDIS_BATCHES_MAX &&
           shard->state == REDIS_SHARD_BEGUN;
}

/* Returns false when there is no memory for a batch: what waits is swept. */
static bool serve_list(struct redis_shard *shard, struct list *list, bool guessed)
{
    while (may_serve(shard, list)) {
        struct redis_batch *batch = redis_batch_new(shard, guessed);
        if (!batch)
            return false;
        redis_batch_fill(batch, list);
        batch_step(batch);
    }
    return true;
}

/* What was guessed wrongly goes on as fresh. */
void redis_committing_serve(struct redis_shard *shard)
{
    do {
        if (!serve_list(shard, &shard->fresh, false) || !serve_list(shard, &shard->guessed, true))
            return;
    } while (may_serve(shard, &shard->fresh));
}

void redis_committing_start(struct redis_work *work)
{
    redis_work_put_back(work);
}

void redis_committing_repeat(struct redis_shard *shard)
{
    struct list again;
    struct link *member;
    list_init(&again);
    while ((member = list_first(&shard->unknown)))
        list_append(&again, member);
    while ((member = list_first(&again))) {
        link_remove(member);
        batch_send(container_of(member, struct redis_batch, member));
    }
    while ((member = list_first(&shard->starved)))
        list_append(&again, member);
    while ((member = list_first(&again))) {
        link_remove(member);
        batch_step(container_of(member, struct redis_batch, member));
    }
}

static void sweep(struct list *list, int64_t now_ms)
{
    struct link *member = list_first(list);
    while (member) {
        struct redis_batch *batch = container_of(member, struct redis_batch, member);
        member = list_next(list, member);
        if (batch->until_ms <= now_ms)
            redis_batch_fail(batch, ERR_UNAVAILABLE);
    }
}

void redis_committing_sweep(struct redis_shard *shard, int64_t now_ms)
{
    struct link *member = list_first(&shard->untold);
    sweep(&shard->unknown, now_ms);
    sweep(&shard->starved, now_ms);
    /* Done they are, though the tail hangs. */
    while (member) {
        struct redis_work *work = container_of(member, struct redis_work, member);
        member = list_next(&shard->untold, member);
        if (work->until_ms <= now_ms)
            redis_work_end(work, 0);
    }
}
