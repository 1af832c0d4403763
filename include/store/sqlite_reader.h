/* The threads that read a SQLite journal.
 *
 * MODEL  each takes one request at a time, answers it from a snapshot of its own connection, and
 *        ends the snapshot: the WAL can only start over when none is old.
 * Floor: store. */
#ifndef TIDINGS_STORE_SQLITE_READER_H
#define TIDINGS_STORE_SQLITE_READER_H

#include "store/sqlite_ledger.h"
#include "store/sqlite_queue.h"

/* What a reader is asked; journal_request.kind. */
enum {
    SQLITE_ASK_OPEN = 16,
    SQLITE_ASK_PAGE,
    SQLITE_ASK_HISTORY,
    SQLITE_ASK_READ,
};

struct sqlite_reader {
    struct sqlite_connection connection; /* owned */
    struct sqlite_ledger ledger;
    struct sqlite_queue *queue;          /* borrowed: what all readers are asked */
    struct sqlite_queue *devices;        /* borrowed: opens whose device the writer is to note */
    const struct settings *settings;     /* borrowed */
    _Atomic int64_t *under_way;          /* borrowed; counted down for each finished request */
    pthread_t thread;
    bool started;
};

/* Opens the connection and starts the thread; the rest of the fields are set. */
MUST_CHECK int sqlite_reader_start(struct sqlite_reader *reader, const char *path, char *why,
                                   size_t why_size);
/* The queue is closed: waits until it is empty. Also after a start that failed. */
void sqlite_reader_stop(struct sqlite_reader *reader);

#endif
