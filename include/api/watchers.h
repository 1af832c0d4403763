/* How many sessions watch each room, over all workers.
 *
 * MODEL  a table under a lock, changed when a watcher comes or goes, not by events.
 * BOUNDS rooms that are watched now.
 * Floor: api. Any thread. */
#ifndef TIDINGS_API_WATCHERS_H
#define TIDINGS_API_WATCHERS_H

#include "base/span.h"

struct watchers;

/* NULL: out of memory. */
struct watchers *watchers_new(void);
struct watchers *watchers_free(struct watchers *watchers);
/* True: the first change since watchers_take. */
bool watchers_add(struct watchers *watchers, const char *realm, const char *room, int change);
int64_t watchers_count(struct watchers *watchers, struct span realm, struct span room);
/* The count, for who wants to hear of the next change. */
int64_t watchers_take(struct watchers *watchers, struct span realm, struct span room);

#endif
