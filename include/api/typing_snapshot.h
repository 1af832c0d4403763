/* Who types already, for a reader that has just caught up.
 *
 * WHY    what began before it came is told to nobody again, and what begins while it comes is told
 *        once.
 * MODEL  reader LIVE -> the rooms it is a member of, to the hub -> frames, back to the worker,
 *        which tells them by the rules of dispatched ones. The hub's letters stay in order: what
 *        it told before is in the snapshot, and comes to a reader that does not hear of typing
 *        yet; what changes later comes behind it. When the reader has moved between rooms
 *        meanwhile it is asked anew. While nobody types nothing is asked.
 * Floor: api. On the reader's worker. */
#ifndef TIDINGS_API_TYPING_SNAPSHOT_H
#define TIDINGS_API_TYPING_SNAPSHOT_H

#include "api/reader.h"

/* The reader has gone live, and the hub knows it: from the snapshot on it hears of typing. Without
 * memory for one it begins with what changes from now on. */
void typing_snapshot_ask(struct reader *reader);

#endif
