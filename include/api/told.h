/* The gaps that a reader was told while it is fed from the journal, so that none is told twice.
 *
 * BOUNDS one for each room of the reader; empty for one who is live.
 * Floor: api. Owns its memory. */
#ifndef TIDINGS_API_TOLD_H
#define TIDINGS_API_TOLD_H

#include "store/journal.h"

struct told {
    int count, size;
    struct journal_gap gaps[]; /* names owned */
};

/* Takes the place of an earlier one of that room. `*told` is made or moved; NULL is an empty one.
 * Without memory it is not noted, and may be told again. */
void told_add(struct told **told, const struct journal_gap *gap);
/* NULL is fine. Returns NULL. */
struct told *told_free(struct told *told);

#endif
