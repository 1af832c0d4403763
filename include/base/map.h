/* Hash tables: uthash with a hash that is keyed at random for each process, so that nobody can
 * choose names that collide.
 *
 * Use uthash's own macros after including this; HASH_FUNCTION is SipHash-1-3. Without memory
 * HASH_ADD leaves the table as it was, so that each is followed by a look at map_added.
 * Floor: base. A table belongs to one thread. */
#ifndef TIDINGS_BASE_MAP_H
#define TIDINGS_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* SipHash-1-3 (Aumasson and Bernstein, 2012) under the process's own random key. */
uint64_t map_hash(const void *data, size_t len);

#define HASH_FUNCTION(key_pointer, key_len, hash_value)                                            \
    (hash_value) = (unsigned)map_hash((key_pointer), (key_len))
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Whether HASH_ADD had the memory for it: of the entry's handle, right after it. */
static inline bool map_added(const UT_hash_handle *handle)
{
    return handle->tbl != NULL;
}

#endif
