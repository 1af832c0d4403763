/* Appends: commands are run on a view, and what they would write is sent in one batch, which
 * stores those whose facts still hold.
 *
 *          guessed --run on what the node remembers--\
 *                                                     batch -> commit -> done: home
 *          fresh ---run on what is fetched-----------/              \-> facts changed: fresh
 *
 * A batch whose answer does not come is sent again under the same name when the link is back:
 * Redis remembers what it did with it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/redis_journal.h"
#include "store/request.h"

#define BATCH_NAME_BYTES 48

/* A command that was run, of the batch's works[work]. */
struct ran {
    int work, command;
    int result; /* of the commit; -1: it writes nothing */
};

struct batch {
    struct link member; /* of shard->unknown */
    struct redis_shard *shard;
    struct redis_view *view;
    bool guessed, sent;
    bool starves; /* the node has no place numbers left */
    int rounds;
    int events;          /* that its commands make or rewrite */
    int64_t now_ms;      /* of all its runs, since they must ask for the same */
    int64_t until_ms;    /* clock_now_ms(): the latest that any of its works can wait */
    int64_t deadline_ms; /* the same by the clock of Redis */
    int64_t sent_us;
    char name[BATCH_NAME_BYTES];
    struct redis_work *works[REDIS_BATCH_COMMANDS_MAX];
    int ends[REDIS_BATCH_COMMANDS_MAX]; /* the first command of each that was not run */
    int work_count;
    struct redis_given given; /* places that its runs give out */
    struct ran *ran; /* owned */
    int ran_count, ran_size;
};

/* -- works ---------------------------------------------------------------------------------- */

static struct journal_append *append_of(const struct redis_work *work)
{
    assert(work->request->kind == REDIS_ASK_APPEND);
    return container_of(work->request, struct journal_append, request);
}

/* How many it has, or as many of them as one append may do (see journal_append). */
static int command_count(const struct redis_work *work)
{
    if (work->request->kind != REDIS_ASK_APPEND)
        return 1;
    return work->end ? work->end : append_of(work)->count;
}

static void finish(struct redis_work *work, int err)
{
    if (work->request->kind == REDIS_ASK_APPEND)
        append_of(work)->done = command_count(work);
    redis_work_finish(work->shard->journal, work, err);
}

/* Posts alone are worth guessing: they find the same facts again and again. */
static bool may_guess(const struct redis_work *work)
{
    if (work->stale || work->request->kind != REDIS_ASK_APPEND)
        return false;
    const struct journal_append *append = append_of(work);
    for (int i = work->next; i < command_count(work); i++) {
        enum command_kind kind = append->commands[i].kind;
        if (kind != COMMAND_SEND_MESSAGE && kind != COMMAND_CUSTOM_EVENT)
            return false;
    }
    return true;
}

/* To where what is not done yet is run next. */
static void put_back(struct redis_work *work)
{
    list_append(may_guess(work) ? &work->shard->guessed : &work->shard->fresh, &work->member);
}

/* -- batches -------------------------------------------------------------------------------- */

static void batch_free(struct batch *batch)
{
    link_remove(&batch->member);
    redis_view_free(batch->view);
    free(batch->given.items);
    free(batch->ran);
    free(batch);
}

static struct batch *batch_new(struct redis_shard *shard, bool guessed)
{
    struct redis_journal *journal = shard->journal;
    struct batch *batch = calloc(1, sizeof(*batch));
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

static void batch_fill(struct batch *batch, struct list *list)
{
    int commands = 0;
    struct link *member;
    while ((member = list_first(list)) && batch->work_count < REDIS_BATCH_COMMANDS_MAX) {
        struct redis_work *work = container_of(member, struct redis_work, member);
        int more = command_count(work) - work->next;
        if (commands > 0 && commands + more > REDIS_BATCH_COMMANDS_MAX)
            break;
        commands += more;
        link_remove(member);
        batch->works[batch->work_count++] = work;
        if (work->until_ms > batch->until_ms)
            batch->until_ms = work->until_ms;
    }
}

/* Ends with `err`, all of it. */
static void batch_fail(struct batch *batch, int err)
{
    for (int i = 0; i < batch->work_count; i++)
        finish(batch->works[i], err);
    batch_free(batch);
}

static int note_ran(struct batch *batch, int work, int command, int result)
{
    if (batch->ran_count == batch->ran_size) {
        int size = batch->ran_size ? 2 * batch->ran_size : REDIS_BATCH_COMMANDS_MAX;
        struct ran *grown = realloc(batch->ran, (size_t)size * sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        batch->ran = grown;
        batch->ran_size = size;
    }
    batch->ran[batch->ran_count++] = (struct ran){work, command, result};
    return 0;
}

/* -- running -------------------------------------------------------------------------------- */

static int carry_out(struct batch *batch, struct redis_work *work, int command, int64_t now_ms)
{
    struct apply *apply = &batch->shard->journal->apply;
    int err;
    if (work->request->kind == REDIS_ASK_DEVICE)
        err =
            apply_device(apply, container_of(work->request, struct journal_open, request), now_ms);
    else
        err = apply_command(apply, &append_of(work)->commands[command], now_ms,
                            &work->request->arena);
    work->events += apply_events(apply);
    batch->events += apply_events(apply);
    apply_forget(apply); /* frames are made by those who tail */
    return err;
}

/* What was found by guessing counts only when the commit checks it. */
static bool is_mere_guess(const struct batch *batch, const struct redis_work *work, int command)
{
    if (!batch->guessed)
        return false;
    const struct outcome *outcome = &append_of(work)->commands[command].outcome;
    return outcome->err || outcome->repeated;
}

/* Runs what is left of a work. ERR_NOT_FETCHED: asks were added to the view; what comes behind is
 * run all the same, so that all that it needs is asked for at once. */
static int run_work(struct batch *batch, int at, int64_t now_ms)
{
    struct redis_work *work = batch->works[at];
    int count = command_count(work), first = work->next, missed = 0;
    bool stopped = work->stopped, writes = false;
    work->events = 0;
    for (batch->ends[at] = first; batch->ends[at] < count; batch->ends[at]++) {
        int command = batch->ends[at];
        if (!stopped && command > 0 && work->events >= APPEND_EVENTS_MAX) {
            work->end = command;
            return missed;
        }
        if (stopped) {
            append_of(work)->commands[command].outcome = (struct outcome){.err = ERR_AGAIN};
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
        stopped = work->request->kind == REDIS_ASK_APPEND && append_of(work)->ordered &&
                  append_of(work)->commands[command].outcome.err;
    }
    return missed;
}

static void drop_work(struct batch *batch, int at)
{
    for (int i = at + 1; i < batch->work_count; i++)
        batch->works[i - 1] = batch->works[i];
    batch->work_count--;
}

/* Those from `at` on come later. */
static void cut_off(struct batch *batch, int at)
{
    for (int i = at; i < batch->work_count; i++)
        put_back(batch->works[i]);
    batch->work_count = at;
}

/* One that fails for itself goes home, and the others are run without it. Returns whether all
 * were run; `*ret_failed`: start over. */
static bool run_works(struct batch *batch, struct redis_ledger *ledger, bool *ret_failed)
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
            finish(work, err);
            *ret_failed = true;
            return false;
        }
    }
    return whole;
}

/* Returns whether the view has all that was needed. */
static bool run(struct batch *batch)
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
        ledger.now_ms = batch->now_ms;
        journal->apply.ledger = &ledger.ledger;
        whole = run_works(batch, &ledger, &failed);
        journal->apply.ledger = NULL;
        batch->starves = ledger.out_of_places;
        redis_ledger_fini(&ledger);
    } while (failed);
    return whole;
}

/* -- answers -------------------------------------------------------------------------------- */

static void settle_outcome(const struct batch *batch, struct outcome *outcome,
                           const struct redis_result *result)
{
    outcome->id = redis_view_real_id(batch->view, outcome->id);
    outcome->head = redis_view_real_id(batch->view, outcome->head);
    outcome->room.public_since = redis_view_real_id(batch->view, outcome->room.public_since);
    outcome->marker.upto = redis_view_real_id(batch->view, outcome->marker.upto);
    if (result && batch->guessed && result->members >= 0)
        outcome->members = result->members;
}

/* The works whose commands are all done go home, the others are run again from the first that is
 * not. */
static void batch_settle(struct batch *batch, const struct redis_result *results)
{
    int failed_from[REDIS_BATCH_COMMANDS_MAX];
    bool any_failed = false;
    for (int i = 0; i < batch->work_count; i++)
        failed_from[i] = batch->ends[i];
    for (int i = 0; i < redis_view_command_count(batch->view); i++)
        any_failed |= !results[i].done;
    for (int i = batch->ran_count - 1; i >= 0; i--) {
        const struct ran *ran = &batch->ran[i];
        if (ran->result < 0 ? any_failed : !results[ran->result].done)
            failed_from[ran->work] = ran->command;
    }
    for (int i = 0; i < batch->ran_count; i++) {
        const struct ran *ran = &batch->ran[i];
        struct redis_work *work = batch->works[ran->work];
        if (ran->command >= failed_from[ran->work] || work->request->kind != REDIS_ASK_APPEND)
            continue;
        struct outcome *outcome = &append_of(work)->commands[ran->command].outcome;
        settle_outcome(batch, outcome, ran->result < 0 ? NULL : &results[ran->result]);
        work->stopped |= append_of(work)->ordered && outcome->err;
    }
    for (int i = 0; i < batch->work_count; i++) {
        struct redis_work *work = batch->works[i];
        work->stale |= failed_from[i] < batch->ends[i];
        if (failed_from[i] == work->next)
            work->tries++;
        work->next = failed_from[i];
        if (work->next == command_count(work))
            finish(work, 0);
        else if (work->tries > REDIS_TRIES_MAX)
            finish(work, ERR_BUSY);
        else
            put_back(work);
    }
    batch_free(batch);
}

static void batch_send(struct batch *batch);
static void batch_step(struct batch *batch);

/* The outcome is not known. */
static void batch_wait(struct batch *batch)
{
    if (!batch->member.next)
        list_append(&batch->shard->unknown, &batch->member);
}

static void on_committed(void *context, int err, const struct redisReply *reply)
{
    struct batch *batch = context;
    struct redis_shard *shard = batch->shard;
    struct redis_result *results = NULL;
    int64_t redis_ms = 0;
    shard->batches--;
    if (err == ERR_CLOSED) {
        batch_fail(batch, ERR_UNAVAILABLE);
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
        batch_fail(batch, err == ERR_AGAIN ? ERR_UNAVAILABLE : err);
    }
    free(results);
    redis_shard_serve(shard);
}

static void batch_send(struct batch *batch)
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
    struct batch *batch = context;
    struct redis_shard *shard = batch->shard;
    int64_t redis_ms = 0;
    shard->batches--;
    if (!err)
        err = redis_view_read_fetch(batch->view, reply, &redis_ms);
    if (err) {
        batch_fail(batch, err == ERR_CLOSED ? ERR_UNAVAILABLE : err);
        return;
    }
    redis_note_clock(shard->journal, redis_ms);
    batch_step(batch);
    redis_shard_serve(shard);
}

static int batch_fetch(struct batch *batch)
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

static void batch_step(struct batch *batch)
{
    bool whole = run(batch);
    if (batch->work_count == 0) {
        batch_free(batch);
    } else if (batch->starves) {
        list_append(&batch->shard->starved, &batch->member);
        batch->shard->state = REDIS_SHARD_UNUSED;
    } else if (!whole) {
        int err = batch_fetch(batch);
        if (err)
            batch_fail(batch, err);
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
        struct batch *batch = batch_new(shard, guessed);
        if (!batch)
            return false;
        batch_fill(batch, list);
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
    put_back(work);
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
        batch_send(container_of(member, struct batch, member));
    }
    while ((member = list_first(&shard->starved)))
        list_append(&again, member);
    while ((member = list_first(&again))) {
        link_remove(member);
        batch_step(container_of(member, struct batch, member));
    }
}

static void sweep(struct list *list, int64_t now_ms)
{
    struct link *member = list_first(list);
    while (member) {
        struct batch *batch = container_of(member, struct batch, member);
        member = list_next(list, member);
        if (batch->until_ms <= now_ms)
            batch_fail(batch, ERR_UNAVAILABLE);
    }
}

void redis_committing_sweep(struct redis_shard *shard, int64_t now_ms)
{
    sweep(&shard->unknown, now_ms);
    sweep(&shard->starved, now_ms);
}
