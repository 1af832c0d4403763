/* What a node remembers of the fields it has read: guesses that the commit script checks.
 *
 * BOUNDS `bytes_max` of keys and values; when it is full it starts over empty.
 * Floor: store. One thread. Owns its memory. */
#ifndef TIDINGS_STORE_REDIS_CACHE_H
#define TIDINGS_STORE_REDIS_CACHE_H

#include "base/span.h"

struct redis_cache;

struct redis_cache *redis_cache_new(size_t bytes_max);
struct redis_cache *redis_cache_free(struct redis_cache *cache);
/* False: nothing is known. `*ret` data NULL: that there is no such field. Lives until the cache
 * is changed. */
bool redis_cache_get(const struct redis_cache *cache, struct span key, struct span field,
                     struct span *ret);
/* Best effort: what finds no memory is not remembered. */
void redis_cache_put(struct redis_cache *cache, struct span key, struct span field,
                     struct span value);
void redis_cache_drop(struct redis_cache *cache, struct span key, struct span field);
void redis_cache_clear(struct redis_cache *cache);

#endif
