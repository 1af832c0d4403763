/* The one thread that writes a SQLite journal.
 *
 * MODEL  batch: up to SQLITE_BATCH_COMMANDS_MAX commands of whole requests, one transaction, or
 *        several if they make more than APPEND_EVENTS_MAX events.
 *        Committed: the follower is told, then each request is finished. Failed: rolled back; if
 *        it was the store, all of it is answered ERR_UNAVAILABLE; if it was one request (memory),
 *        each is tried again alone, so that it fails alone.
 *        Between batches: checkpoints, by pages in the WAL; trimming, by steps. After content was
 *        deleted the next checkpoint empties the WAL too, and is tried until it has.
 *        *Life*: from opening to closing the file. One that begins after an unclean end of the
 *        machine, when commits were not synced, starts its ids above whatever can have been
 *        given out (state.reserved) and writes down what may be lost.
 * BOUNDS see store/sqlite.h.
 * Floor: store. The thread owns all of it but the queue. */
#ifndef TIDINGS_STORE_SQLITE_WRITER_H
#define TIDINGS_STORE_SQLITE_WRITER_H

#include "store/apply.h"
#include "store/sqlite_ledger.h"
#include "store/sqlite_queue.h"
#include "store/sqlite_trim.h"

#define SQLITE_BATCH_COMMANDS_MAX 256
#define SQLITE_CHECKPOINT_PAGES 2048 /* in the WAL, of 4 KB */
#define SQLITE_WAL_PAGES_MAX 16384   /* from here on a checkpoint waits for old snapshots */
#define SQLITE_RESERVE_MS 60000      /* how far ahead ids are reserved in relaxed mode */

/* What the writer is asked; journal_request.kind. */
enum { SQLITE_ASK_APPEND = 1, SQLITE_ASK_DEVICE };

struct sqlite_writer {
    struct sqlite_connection connection; /* owned */
    struct sqlite_ledger ledger;
    struct apply apply;
    struct sqlite_trim trim;
    struct sqlite_queue queue;
    const struct settings *settings;     /* borrowed */
    journal_follower follower;
    void *context;
    _Atomic int64_t *under_way;          /* borrowed; counted down for each finished request */
    pthread_t thread;
    bool relaxed;
    _Atomic bool down;                   /* the last transaction failed */
    bool erasing;                        /* the WAL may hold content that was deleted */
    bool erase_again;                    /* and the last checkpoint could not empty it */
    int wal_pages;                       /* in the WAL after the last commit */
    int wal_pages_tried;                 /* at the last checkpoint that left some */
    int64_t checkpoint_at_ms;            /* clock_now_ms() of the last one */
};

/* Opens the file, which is locked already, and begins a life. As sqlite_open_writer. */
MUST_CHECK int sqlite_writer_open(struct sqlite_writer *writer, const char *path,
                                  const struct settings *settings, char *why, size_t why_size);
MUST_CHECK int sqlite_writer_start(struct sqlite_writer *writer);
/* Does what is queued, then ends the thread. */
void sqlite_writer_stop(struct sqlite_writer *writer);
/* After the readers have closed: the last checkpoint, and the mark of a clean end. */
void sqlite_writer_close(struct sqlite_writer *writer);

/* Statements of the life; within no transaction. */
MUST_CHECK int sqlite_life_begin(struct sqlite_writer *writer, int64_t now_ms);
/* In relaxed mode: makes sure that ids may be given out for a while. */
MUST_CHECK int sqlite_life_reserve(struct sqlite_writer *writer, int64_t now_ms);
MUST_CHECK int sqlite_life_end(struct sqlite_writer *writer);

#endif
