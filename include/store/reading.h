/* Answering the reading requests of a journal from a ledger.
 *
 * WHY    what a user may see at each position is decided in one place for every backend.
 * MODEL  a reader's *view* is a list of sources, one for each place, each with the stretches of
 *        ids that are visible in it: whole tenures, and what a watcher is shown between them.
 *        Sources are merged by id, upwards for pages, downwards to count what a resume may send.
 * BOUNDS a page by events and bytes; what is looked at for a resume by replay_max; results by
 *        the request's arena.
 * Floor: store. Each call within one snapshot of the ledger; writes nothing. The request's arena
 * must have been initialised; results live in it. What they return is the request's `err`. */
#ifndef TIDINGS_STORE_READING_H
#define TIDINGS_STORE_READING_H

#include "base/settings.h"
#include "store/journal.h"
#include "store/ledger.h"

/* `*ret_note_device`: the device is new or was not used for long; apply_device with this open,
 * before it is finished, makes its cursor durable. */
MUST_CHECK int reading_open(struct ledger *ledger, struct journal_open *open, int64_t now_ms,
                            bool *ret_note_device);
MUST_CHECK int reading_page(struct ledger *ledger, struct journal_page *page, int64_t now_ms);
MUST_CHECK int reading_history(struct ledger *ledger, struct journal_history *history,
                               int64_t now_ms);
MUST_CHECK int reading_read(struct ledger *ledger, const struct settings *settings,
                            struct journal_read *read, int64_t now_ms);

#endif
