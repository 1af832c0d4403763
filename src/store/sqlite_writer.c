#include "store/sqlite_writer.h"

#include <assert.h>
#include <stdio.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/request.h"

#define TICK_MS 1000              /* how long the writer sleeps at most */
#define IDLE_CHECKPOINT_MS 10000  /* what is in the WAL moves into the file after that long */
#define DOWN_CHECKPOINT_MS 200
#define ERASE_AGAIN_MS 1000       /* when old snapshots kept the WAL from being emptied */
#define CHECKPOINT_WAIT_MS 50     /* for old snapshots, when the WAL is too large */

/* Whole requests of one commit. */
struct batch {
    struct journal_request *requests[SQLITE_BATCH_COMMANDS_MAX];
    int count;
};

/* Requests */

static struct journal_append *append_of(struct journal_request *request)
{
    assert(request->kind == SQLITE_ASK_APPEND);
    return container_of(request, struct journal_append, request);
}

static int commands_of(struct journal_request *request)
{
    if (request->kind != SQLITE_ASK_APPEND)
        return 1;
    int count = append_of(request)->count;
    return count > 0 ? count : 1;
}

static void conclude(struct journal_request *request, int err)
{
    request->err = sqlite_told_err(err);
    if (err)
        metric_add(METRIC_JOURNAL_ERRORS, 1);
}

/* What goes to one mailbox goes in one call: who reads it is woken once for all. */
static void finish(struct sqlite_writer *writer, struct batch *batch, int err)
{
    for (int i = 0; i < batch->count; i++)
        conclude(batch->requests[i], err);
    atomic_fetch_sub(writer->under_way, batch->count);
    for (int i = 0; i < batch->count; i++) {
        struct journal_request *first = batch->requests[i];

        if (!first)
            continue;
        struct mailbox *home = first->home;
        struct letter *newest = &first->letter;
        for (int j = i + 1; j < batch->count; j++) {
            if (!batch->requests[j] || batch->requests[j]->home != home)
                continue;
            batch->requests[j]->letter.next = newest;
            newest = &batch->requests[j]->letter;
            batch->requests[j] = NULL;
        }
        mailbox_push_chain(home, newest, &first->letter);
    }
    batch->count = 0;
}

/* Transactions */

static int carry_out(struct sqlite_writer *writer, struct journal_request *request,
                     int64_t now_ms)
{
    if (request->kind == SQLITE_ASK_APPEND)
        return apply_append(&writer->apply, append_of(request), now_ms);
    assert(request->kind == SQLITE_ASK_DEVICE);
    return apply_device(&writer->apply, container_of(request, struct journal_open, request),
                        now_ms);
}

/* Writes how many of the requests the transaction took. */
static int try_batch(struct sqlite_writer *writer, const struct batch *batch, int64_t now_ms,
                     int *ret_taken)
{
    int err = sqlite_ledger_begin(&writer->ledger);
    int taken = 0;

    while (taken < batch->count && !err && apply_events(&writer->apply) < APPEND_EVENTS_MAX)
        err = carry_out(writer, batch->requests[taken++], now_ms);
    *ret_taken = taken;
    if (!err) {
        int64_t start_us = clock_now_us();

        err = sqlite_ledger_commit(&writer->ledger);
        metric_observe(METRIC_COMMIT_US, (uint64_t)(clock_now_us() - start_us));
    }
    if (err) {
        sqlite_ledger_roll_back(&writer->ledger);
        apply_forget(&writer->apply);
    }
    return err;
}

/* Results of a try that was rolled back. */
static void forget_results(struct journal_request *request)
{
    if (request->kind != SQLITE_ASK_APPEND)
        return;
    arena_fini(&request->arena);
    arena_init(&request->arena, REQUEST_ARENA_BYTES_MAX);
}

/* The first `count` requests, which it leaves out of the batch. */
static struct batch cut(struct batch *batch, int count)
{
    struct batch head = {.count = count};

    memcpy(head.requests, batch->requests, (size_t)count * sizeof(head.requests[0]));
    batch->count -= count;
    memmove(batch->requests, batch->requests + count,
            (size_t)batch->count * sizeof(head.requests[0]));
    return head;
}

static int commands_in(const struct batch *batch)
{
    int commands = 0;

    for (int i = 0; i < batch->count; i++)
        commands += commands_of(batch->requests[i]);
    return commands;
}

/* Finishes one request at least, as many as one transaction takes. */
static void run_some(struct sqlite_writer *writer, struct batch *batch)
{
    int64_t now_ms = clock_wall_ms();
    int taken = batch->count;
    int err = sqlite_life_reserve(writer, now_ms);

    if (!err)
        err = try_batch(writer, batch, now_ms, &taken);
    bool store_failed = writer->ledger.code != 0 || err == ERR_UNAVAILABLE;
    atomic_store(&writer->down, err && store_failed);
    if (err && !store_failed && taken > 1) {
        for (int i = 0; i < taken; i++) {
            struct batch one = cut(batch, 1);

            forget_results(one.requests[0]);
            run_some(writer, &one);
        }
        return;
    }
    struct batch done = cut(batch, err && store_failed ? batch->count : taken);
    if (!err) {
        writer->erasing |= writer->ledger.erased;
        writer->ledger.erased = false;
        metric_observe(METRIC_COMMIT_BATCH, (uint64_t)commands_in(&done));
        apply_tell(&writer->apply, writer->follower, writer->context);
    }
    finish(writer, &done, err);
}

/* Checkpoints */

static int on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_writer *writer = context;

    if (pages < writer->wal_pages_tried)
        writer->wal_pages_tried = 0; /* it has started over */
    writer->wal_pages = pages;
    return SQLITE_OK;
}

/* Moves the WAL into the file as far as snapshots allow. Failing is no harm: the WAL holds it. */
static void checkpoint(struct sqlite_writer *writer, int mode)
{
    if (writer->erasing)
        mode = SQLITE_CHECKPOINT_TRUNCATE;
    sqlite3_busy_timeout(writer->connection.db, CHECKPOINT_WAIT_MS);
    int code = sqlite3_wal_checkpoint_v2(writer->connection.db, NULL, mode, NULL, NULL);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        metric_add(METRIC_JOURNAL_ERRORS, 1);
    writer->erase_again = writer->erasing && code != SQLITE_OK;
    if (writer->erasing && code == SQLITE_OK)
        sqlite3_db_release_memory(writer->connection.db); /* its pages are not scrubbed */
    writer->erasing = writer->erase_again;
    writer->wal_pages_tried = writer->wal_pages;
    writer->checkpoint_at_ms = clock_now_ms();
}

static void checkpoint_if_due(struct sqlite_writer *writer, bool idle)
{
    int fresh = writer->wal_pages - writer->wal_pages_tried;
    int64_t age_ms = clock_now_ms() - writer->checkpoint_at_ms;

    /* A full disk may have room again once the WAL starts over. */
    if (atomic_load(&writer->down) && age_ms >= DOWN_CHECKPOINT_MS)
        checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
    else if (fresh >= SQLITE_CHECKPOINT_PAGES)
        checkpoint(writer, writer->wal_pages >= SQLITE_WAL_PAGES_MAX ? SQLITE_CHECKPOINT_RESTART
                                                                     : SQLITE_CHECKPOINT_PASSIVE);
    else if (writer->erase_again && age_ms >= ERASE_AGAIN_MS)
        checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
    else if (idle && fresh > 0 && age_ms >= IDLE_CHECKPOINT_MS)
        checkpoint(writer, SQLITE_CHECKPOINT_PASSIVE);
}

/* The thread */

/* Cuts the next batch, which is empty, off `*pending`. */
static void fill_batch(struct journal_request **pending, struct batch *ret)
{
    int commands = 0;

    while (*pending && commands < SQLITE_BATCH_COMMANDS_MAX) {
        int more = commands_of(*pending);

        if (ret->count > 0 && commands + more > SQLITE_BATCH_COMMANDS_MAX)
            return;
        struct journal_request *request = *pending;
        *pending = sqlite_queue_next(request);
        request->letter.next = NULL;
        ret->requests[ret->count++] = request;
        commands += more;
    }
}

/* While nothing is asked, find out whether the disk takes writes again. */
static void probe(struct sqlite_writer *writer)
{
    struct sqlite_ledger *ledger = &writer->ledger;
    int err = sqlite_ledger_begin(ledger);

    if (!err) {
        sqlite3_stmt *statement = sqlite_get(ledger, SQL_state_set_places);
        sqlite_bind_number(statement, 1, ledger->place_last);
        err = sqlite_execute(ledger, statement);
    }
    if (!err)
        err = sqlite_ledger_commit(ledger);
    if (err)
        sqlite_ledger_roll_back(ledger);
    atomic_store(&writer->down, err != 0);
}

static int64_t keep_house(struct sqlite_writer *writer, bool idle)
{
    int64_t wait_ms = TICK_MS;

    checkpoint_if_due(writer, idle);
    if (idle && atomic_load(&writer->down))
        probe(writer);
    if (!atomic_load(&writer->down)) {
        int err = sqlite_trim_step(&writer->trim, &writer->ledger, clock_now_ms(),
                                   clock_wall_ms(), &wait_ms);
        if (err)
            metric_add(METRIC_JOURNAL_ERRORS, 1);
    }
    return wait_ms < TICK_MS ? wait_ms : TICK_MS;
}

static void *run(void *context)
{
    struct sqlite_writer *writer = context;
    struct batch batch = {.count = 0};
    int64_t wait_ms = TICK_MS;
    bool closed = false;

    while (!closed) {
        struct journal_request *pending =
            sqlite_queue_take_all(&writer->queue, wait_ms > 0 ? wait_ms : 1, &closed);
        bool idle = !pending;

        while (pending || batch.count > 0) {
            if (batch.count == 0)
                fill_batch(&pending, &batch);
            run_some(writer, &batch);
            if (pending || batch.count > 0)
                keep_house(writer, false);
        }
        wait_ms = keep_house(writer, idle);
    }
    return NULL;
}

int sqlite_writer_start(struct sqlite_writer *writer)
{
    return pthread_create(&writer->thread, NULL, run, writer) ? ERR_MEMORY : 0;
}

void sqlite_writer_stop(struct sqlite_writer *writer)
{
    sqlite_queue_close(&writer->queue);
    pthread_join(writer->thread, NULL);
}

int sqlite_writer_open(struct sqlite_writer *writer, const char *path,
                       const struct settings *settings, char *why, size_t why_size)
{
    enum durability durability = settings->journal_durability;

    writer->settings = settings;
    writer->relaxed = durability == DURABILITY_RELAXED;
    int err = sqlite_open_writer(path, durability, why, why_size, &writer->connection);
    if (err)
        return err;
    sqlite3_wal_hook(writer->connection.db, on_wal, writer);
    sqlite_ledger_init(&writer->ledger, &writer->connection, true);
    err = sqlite_life_begin(writer, clock_wall_ms());
    if (err) {
        snprintf(why, why_size, "%s: %s", path, sqlite3_errmsg(writer->connection.db));
        sqlite_ledger_fini(&writer->ledger);
        sqlite_close(&writer->connection);
        return err == ERR_FULL || err == ERR_BUSY ? ERR_IO : err;
    }
    sqlite_trim_init(&writer->trim, settings);
    writer->ledger.trim = &writer->trim;
    apply_init(&writer->apply, &writer->ledger.ledger, settings);
    sqlite_queue_init(&writer->queue);
    writer->checkpoint_at_ms = clock_now_ms();
    writer->erasing = true; /* by a life that ended before it could */
    return 0;
}

void sqlite_writer_close(struct sqlite_writer *writer)
{
    sqlite_queue_fini(&writer->queue);
    apply_fini(&writer->apply);
    /* On failure the next life finds an unclean end, which is the truth. */
    if (sqlite_life_end(writer))
        metric_add(METRIC_JOURNAL_ERRORS, 1);
    checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
    sqlite_trim_fini(&writer->trim);
    sqlite_ledger_fini(&writer->ledger);
    sqlite_close(&writer->connection);
}
