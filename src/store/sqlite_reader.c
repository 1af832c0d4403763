#include "store/sqlite_reader.h"

#include <assert.h>
#include <stdio.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/reading.h"
#include "store/request.h"
#include "store/sqlite_writer.h"

static int answer(struct sqlite_reader *reader, struct journal_request *request,
                  bool *ret_note_device)
{
    struct ledger *ledger = &reader->ledger.ledger;

    switch (request->kind) {
    case SQLITE_ASK_OPEN:
        return reading_open(ledger, container_of(request, struct journal_open, request),
                            clock_wall_ms(), ret_note_device);
    case SQLITE_ASK_PAGE:
        return reading_page(ledger, container_of(request, struct journal_page, request),
                            clock_wall_ms());
    case SQLITE_ASK_HISTORY:
        return reading_history(ledger, container_of(request, struct journal_history, request),
                               clock_wall_ms());
    default:
        assert(request->kind == SQLITE_ASK_READ);
        return reading_read(ledger, reader->settings,
                            container_of(request, struct journal_read, request),
                            clock_wall_ms());
    }
}

static void serve(struct sqlite_reader *reader, struct journal_request *request)
{
    bool note_device = false;
    int err = sqlite_ledger_begin(&reader->ledger);

    if (!err)
        err = answer(reader, request, &note_device);
    sqlite_ledger_roll_back(&reader->ledger);
    if (reader->ledger.code) {
        metric_add(METRIC_JOURNAL_ERRORS, 1);
        err = sqlite_told_err(err);
    }
    if (!err && note_device) {
        request->kind = SQLITE_ASK_DEVICE;
        sqlite_queue_put(reader->devices, request);
        return;
    }
    atomic_fetch_sub(reader->under_way, 1);
    journal_request_finish(request, err);
}

static void *run(void *context)
{
    struct sqlite_reader *reader = context;
    struct journal_request *request;

    while ((request = sqlite_queue_take(reader->queue))) {
        request->letter.next = NULL;
        serve(reader, request);
    }
    return NULL;
}

int sqlite_reader_start(struct sqlite_reader *reader, const char *path, char *why,
                        size_t why_size)
{
    int err = sqlite_open_reader(path, why, why_size, &reader->connection);

    if (err)
        return err;
    sqlite_ledger_init(&reader->ledger, &reader->connection, false);
    if (pthread_create(&reader->thread, NULL, run, reader)) {
        snprintf(why, why_size, "%s: a thread to read it cannot be made", path);
        return ERR_MEMORY;
    }
    reader->started = true;
    return 0;
}

void sqlite_reader_stop(struct sqlite_reader *reader)
{
    if (reader->started)
        pthread_join(reader->thread, NULL);
    reader->started = false;
    if (!reader->connection.db)
        return;
    sqlite_ledger_fini(&reader->ledger);
    sqlite_close(&reader->connection);
}
