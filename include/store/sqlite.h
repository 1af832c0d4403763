/* The journal in one SQLite file.
 *
 * WHY    one file and no server: what a team needs. An append is answered when it is on the disk
 *        (`durability = disk`), and a reader is told of nothing that could still be lost.
 * MODEL  one writer thread takes everything that is queued, carries it out in one transaction
 *        and commits once (group commit); then it tells the follower and answers. Reader threads
 *        answer the rest from snapshots.
 *
 *          append ----------> writer queue --> BEGIN, apply, COMMIT --> follower --> answers
 *          open, page, -----> reader queue --> BEGIN, reading, ROLLBACK -----------> answers
 *          history, read           \-- an open whose device is to be noted --> writer queue
 *
 *        What fails for want of the disk fails alone: its batch is rolled back and answered
 *        ERR_UNAVAILABLE, nobody was told of it, and the next batch tries again.
 *        In the same thread the writer makes the checkpoints and trims what is too old.
 * BOUNDS JOURNAL_QUEUE_MAX requests; SQLITE_BATCH_COMMANDS_MAX commands a commit, and no request
 *        is begun in one after APPEND_EVENTS_MAX events (a request is never split); the WAL by
 * SQLITE_WAL_PAGES_MAX as soon as no snapshot needs it. Floor: store. */
#ifndef TIDINGS_STORE_SQLITE_H
#define TIDINGS_STORE_SQLITE_H

#include "store/journal.h"

#define SQLITE_READERS_MAX 16

/* As journal_new, for the file `path`, which is made if missing. */
MUST_CHECK int sqlite_journal_new(const struct settings *settings, const char *path,
                                  journal_follower follower, void *context, char *why,
                                  size_t why_size, struct journal **ret);

#endif
