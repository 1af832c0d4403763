/* Memory that is given bit by bit and taken back all at once: one for each request and for
 * each answer of the journal.
 *
 * MODEL  a chain of blocks; the first is part of nothing until it is needed.
 * BOUNDS `bytes_max` in all; beyond it NULL.
 * Floor: base. One thread at a time. Owns its blocks. */
#ifndef TIDINGS_BASE_ARENA_H
#define TIDINGS_BASE_ARENA_H

#include "base/attr.h"
#include "base/span.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first, owned */
    size_t used;                /* bytes given in all */
    size_t bytes_max;           /* ceiling of used */
};

void arena_init(struct arena *arena, size_t bytes_max);
void arena_fini(struct arena *arena);
/* Zeroed, aligned for any type; NULL when memory or the ceiling is reached. */
MUST_CHECK void *arena_alloc(struct arena *arena, size_t len);
/* A copy that ends with NUL (not counted in len); `data` NULL on failure or for an absent one. */
struct span arena_copy(struct arena *arena, struct span text);

#endif
