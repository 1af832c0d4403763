/* Reads: run on what was fetched, until nothing is missing. */
#include <assert.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/err.h"
#include "store/reading.h"
#include "store/redis_journal.h"
#include "store/request.h"

struct reading {
    struct redis_work *work;
    struct redis_view *view;
    int64_t now_ms;         /* of all its runs, since they must ask for the same */
    struct redis_head head; /* likewise, of a page, which is cut there */
    int rounds;
};

static void reading_end(struct reading *reading, int err)
{
    struct redis_work *work = reading->work;
    struct redis_journal *journal = work->shard->journal;
    struct redis_shard *shard = work->shard;
    redis_view_free(reading->view);
    free(reading);
    journal->readings--;
    redis_work_finish(journal, work, err);
    if (!list_is_empty(&shard->waiting) && err != ERR_UNAVAILABLE)
        redis_shard_serve(shard);
}

/* What an earlier run has found. */
static void forget_results(struct journal_request *request)
{
    switch (request->kind) {
    case REDIS_ASK_OPEN:
        journal_open_fini(container_of(request, struct journal_open, request));
        break;
    case REDIS_ASK_PAGE:
        journal_page_fini(container_of(request, struct journal_page, request));
        break;
    case REDIS_ASK_HISTORY:
        journal_history_fini(container_of(request, struct journal_history, request));
        break;
    default:
        journal_read_fini(container_of(request, struct journal_read, request));
        break;
    }
    journal_request_begin(request);
}

static int run(struct reading *reading, struct ledger *ledger, bool *ret_note_device)
{
    struct journal_request *request = reading->work->request;
    struct redis_journal *journal = reading->work->shard->journal;
    int64_t now_ms = reading->now_ms;
    *ret_note_device = false;
    switch (request->kind) {
    case REDIS_ASK_OPEN:
        return reading_open(ledger, container_of(request, struct journal_open, request), now_ms,
                            ret_note_device);
    case REDIS_ASK_PAGE:
        return reading_page(ledger, container_of(request, struct journal_page, request), now_ms);
    case REDIS_ASK_HISTORY:
        return reading_history(ledger, container_of(request, struct journal_history, request),
                               now_ms);
    default:
        assert(request->kind == REDIS_ASK_READ);
        return reading_read(ledger, journal->settings,
                            container_of(request, struct journal_read, request), now_ms);
    }
}

static void reading_step(struct reading *reading);

static void on_fetched(void *context, int err, const struct redisReply *reply)
{
    struct reading *reading = context;
    int64_t redis_ms = 0;
    if (!err)
        err = redis_view_read_fetch(reading->view, reply, &redis_ms);
    if (err) {
        reading_end(reading, err == ERR_CLOSED ? ERR_UNAVAILABLE : err);
        return;
    }
    redis_note_clock(reading->work->shard->journal, redis_ms);
    reading_step(reading);
}

static int fetch(struct reading *reading)
{
    struct redis_work *work = reading->work;
    struct redis_call call;
    int64_t left_ms = work->until_ms - clock_now_ms();
    if (left_ms <= 0)
        return ERR_UNAVAILABLE;
    if (++reading->rounds > REDIS_ROUNDS_MAX)
        return ERR_BUSY;
    int err = redis_view_write_fetch(reading->view, &call);
    return err ? err
               : redis_link_run(work->shard->journal->work, REDIS_SCRIPT_FETCH, call.argc,
                                call.argv, call.lens, left_ms, on_fetched, reading);
}

/* The device is noted by a commit, with the answer there already. */
static void note_device(struct reading *reading)
{
    struct redis_work *work = reading->work;
    work->request->kind = REDIS_ASK_DEVICE;
    list_append(&work->shard->fresh, &work->member);
    redis_view_free(reading->view);
    free(reading);
    work->shard->journal->readings--;
    redis_shard_serve(work->shard);
}

static void reading_step(struct reading *reading)
{
    struct redis_shard *shard = reading->work->shard;
    struct redis_ledger ledger;
    bool device;
    redis_view_restart(reading->view);
    redis_ledger_init(&ledger, reading->view, shard->journal->settings, &shard->places);
    ledger.now_ms = reading->now_ms;
    if (reading->work->request->kind == REDIS_ASK_PAGE)
        ledger.head = &reading->head;
    int err = run(reading, &ledger.ledger, &device);
    redis_ledger_fini(&ledger);
    bool missing = redis_view_missing(reading->view) > 0;
    assert(err != ERR_NOT_FETCHED || missing);
    if (missing && (!err || err == ERR_NOT_FETCHED)) {
        forget_results(reading->work->request);
        err = fetch(reading);
        if (!err)
            return;
    } else if (!err && device) {
        note_device(reading);
        return;
    }
    reading_end(reading, err);
}

void redis_reading_start(struct redis_work *work)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    if (reading)
        reading->view = redis_view_new(work->shard->number, NULL);
    if (!reading || !reading->view) {
        free(reading);
        redis_work_finish(work->shard->journal, work, ERR_MEMORY);
        return;
    }
    reading->work = work;
    reading->now_ms = redis_now_ms(work->shard->journal);
    work->shard->journal->readings++;
    reading_step(reading);
}
