#include "store/sqlite.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/err.h"
#include "store/request.h"
#include "store/sqlite_reader.h"
#include "store/sqlite_writer.h"

struct sqlite_journal {
    struct journal journal;
    int lock_fd;
    struct sqlite_writer writer;
    struct sqlite_queue read_queue;
    int reader_count;
    struct sqlite_reader readers[SQLITE_READERS_MAX];
    _Atomic int64_t under_way; /* requests that were started and are not finished */
};

static struct sqlite_journal *self(struct journal *journal)
{
    return container_of(journal, struct sqlite_journal, journal);
}

static void start(struct sqlite_journal *journal, struct sqlite_queue *queue, int kind,
                  struct journal_request *request)
{
    journal_request_begin(request);
    request->kind = kind;
    if (atomic_fetch_add(&journal->under_way, 1) >= JOURNAL_QUEUE_MAX) {
        atomic_fetch_sub(&journal->under_way, 1);
        journal_request_finish(request, ERR_BUSY);
        return;
    }
    sqlite_queue_put(queue, request);
}

static void start_append(struct journal *base, struct journal_append *append)
{
    append->started_us = clock_now_us();
    start(self(base), &self(base)->writer.queue, SQLITE_ASK_APPEND, &append->request);
}

static void start_open(struct journal *base, struct journal_open *open)
{
    start(self(base), &self(base)->read_queue, SQLITE_ASK_OPEN, &open->request);
}

static void start_page(struct journal *base, struct journal_page *page)
{
    start(self(base), &self(base)->read_queue, SQLITE_ASK_PAGE, &page->request);
}

static void start_history(struct journal *base, struct journal_history *history)
{
    start(self(base), &self(base)->read_queue, SQLITE_ASK_HISTORY, &history->request);
}

static void start_read(struct journal *base, struct journal_read *read)
{
    start(self(base), &self(base)->read_queue, SQLITE_ASK_READ, &read->request);
}

static void status(struct journal *base, struct journal_status *ret)
{
    struct sqlite_journal *journal = self(base);

    *ret = (struct journal_status){
        .state = atomic_load(&journal->writer.down) ? "down" : "ok",
        .backend = "sqlite",
        .queued = atomic_load(&journal->under_way),
    };
}

static void stop_readers(struct sqlite_journal *journal)
{
    sqlite_queue_close(&journal->read_queue);
    for (int i = 0; i < journal->reader_count; i++)
        sqlite_reader_stop(&journal->readers[i]);
    sqlite_queue_fini(&journal->read_queue);
}

/* Readers first: they hand to the writer, and no snapshot may hinder the last checkpoint. */
static void close_journal(struct journal *base)
{
    struct sqlite_journal *journal = self(base);

    stop_readers(journal);
    sqlite_writer_stop(&journal->writer);
    assert(atomic_load(&journal->under_way) == 0);
    sqlite_writer_close(&journal->writer);
    close(journal->lock_fd);
    free(journal);
}

static const struct journal_ops ops = {
    .append = start_append,
    .open = start_open,
    .page = start_page,
    .history = start_history,
    .read = start_read,
    .status = status,
    .close = close_journal,
};

static int start_readers(struct sqlite_journal *journal, const struct settings *settings,
                         const char *path, char *why, size_t why_size)
{
    int64_t wanted = settings->journal_readers;

    wanted = wanted < 1 ? 1 : wanted > SQLITE_READERS_MAX ? SQLITE_READERS_MAX : wanted;
    while (journal->reader_count < wanted) {
        struct sqlite_reader *reader = &journal->readers[journal->reader_count++];

        *reader = (struct sqlite_reader){
            .queue = &journal->read_queue,
            .devices = &journal->writer.queue,
            .settings = settings,
            .under_way = &journal->under_way,
        };
        int err = sqlite_reader_start(reader, path, why, why_size);
        if (err)
            return err;
    }
    return 0;
}

/* The file is locked. */
static int open_file(struct sqlite_journal *journal, const struct settings *settings,
                     const char *path, char *why, size_t why_size)
{
    int err = sqlite_writer_open(&journal->writer, path, settings, why, why_size);

    if (err)
        return err;
    sqlite_queue_init(&journal->read_queue);
    err = start_readers(journal, settings, path, why, why_size);
    if (!err) {
        err = sqlite_writer_start(&journal->writer);
        if (err)
            snprintf(why, why_size, "%s: a thread to write it cannot be made", path);
    }
    if (err) {
        stop_readers(journal);
        sqlite_writer_close(&journal->writer);
    }
    return err;
}

int sqlite_journal_new(const struct settings *settings, const char *path,
                       journal_follower follower, void *context, char *why, size_t why_size,
                       struct journal **ret)
{
    struct sqlite_journal *journal = calloc(1, sizeof(*journal));

    if (!journal) {
        snprintf(why, why_size, "out of memory");
        return ERR_MEMORY;
    }
    journal->journal.ops = &ops;
    journal->writer.follower = follower;
    journal->writer.context = context;
    journal->writer.under_way = &journal->under_way;
    int err = sqlite_lock(path, why, why_size, &journal->lock_fd);
    if (err) {
        free(journal);
        return err;
    }
    err = open_file(journal, settings, path, why, why_size);
    if (err) {
        close(journal->lock_fd);
        free(journal);
        return err;
    }
    *ret = &journal->journal;
    return 0;
}
