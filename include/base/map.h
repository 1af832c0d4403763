/* Hash tables: uthash with a hash that is keyed at random for each process, so that nobody can
 * choose names that collide.
 *
 * Use uthash's own macros after including this; HASH_FUNCTION is SipHash-1-3.
 * Floor: base. A table belongs to one thread. */
#ifndef TIDINGS_BASE_MAP_H
#define TIDINGS_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* SipHash-1-3 (Aumasson and Bernstein, 2012) under the process's own random key. */
uint64_t map_hash(const void *data, size_t len);

#define HASH_FUNCTION(key_pointer, key_len, hash_value)                                            \
    (hash_value) = (unsigned)map_hash((key_pointer), (key_len))
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
