/* The journal in memory: nothing outlives the process. The specification for other backends.
 *
 * MODEL  requests are carried out at once, one at a time, on the thread that asks, and finished
 *        by their mailbox.
 * BOUNDS events of a room by journal_room_events_max and journal_retention_days.
 * Floor: store. Any thread. */
#ifndef TIDINGS_STORE_MEMORY_H
#define TIDINGS_STORE_MEMORY_H

#include "store/journal.h"

/* As journal_new. */
MUST_CHECK int memory_journal_new(const struct settings *settings, journal_follower follower,
                                  void *context, char *why, size_t why_size, struct journal **ret);

#endif
