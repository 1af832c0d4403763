/* The key of a table by two names: one, NUL, the other.
 *
 * Floor: core. Pure. */
#ifndef TIDINGS_CORE_PAIR_H
#define TIDINGS_CORE_PAIR_H

#include <assert.h>

#include "base/limits.h"
#include "base/span.h"

#define PAIR_BYTES_MAX (2 * IDENT_BYTES_MAX + 1)

/* Its length, without a NUL behind it. */
static inline unsigned pair_make(char out[PAIR_BYTES_MAX], struct span first, struct span second)
{
    assert(first.len <= IDENT_BYTES_MAX && second.len <= IDENT_BYTES_MAX);
    memcpy(out, first.data, first.len);
    out[first.len] = 0;
    memcpy(out + first.len + 1, second.data, second.len);
    return (unsigned)(first.len + 1 + second.len);
}

/* The two of a key that is ended by NUL. */
static inline struct span pair_first(const char *key)
{
    return span_text(key);
}

static inline struct span pair_second(const char *key)
{
    return span_text(key + strlen(key) + 1);
}

#endif
