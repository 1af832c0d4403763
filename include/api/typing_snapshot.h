/* Who types already, for a reader that has just caught up.
 *
 * WHY    what began before it came is told to nobody again.
 * MODEL  reader LIVE -> the rooms it is a member of, to the hub -> frames, back to the worker,
 *        which tells them by the rules of dispatched ones. The hub's letters stay in order, so
 *        what changes meanwhile is told behind it. While nobody types nothing is asked.
 * Floor: api. On the reader's worker. */
#ifndef TIDINGS_API_TYPING_SNAPSHOT_H
#define TIDINGS_API_TYPING_SNAPSHOT_H

#include "api/reader.h"

/* The reader is LIVE, and the hub knows it; else nothing happens. Without memory neither. */
void typing_snapshot_ask(struct reader *reader);

#endif
