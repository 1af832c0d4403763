/* Tailing: what any node has committed, told to the follower in journal order.
 *
 * WHY    unlike PUB/SUB, a link that drops loses nothing: it goes on after the last entry.
 * MODEL  a link of its own, blocked in XREAD over the journals of all shards in use, from
 *        explicit ids. Each entry carries the dense number of its shard; where one is missing
 *        the follower is told that some were lost (a call with no frames), and each reader goes
 *        back to the journal.
 *        After each read that gave something it pauses for up to 2 ms, the longer the busier, so
 *        that one read carries more.
 * Floor: store. The loop's thread. */
#ifndef TIDINGS_STORE_REDIS_TAIL_H
#define TIDINGS_STORE_REDIS_TAIL_H

#include "store/journal.h"
#include "store/redis_link.h"

struct redis_tail;

struct redis_tail_spec {
    struct event_base *base;     /* borrowed */
    const struct redis_url *url; /* borrowed */
    struct redis_host host;
    journal_follower follower;   /* may be NULL */
    void *context;
    /* The follower was told of the shard's entries up to that one. */
    void (*on_told)(void *owner, int shard, struct event_id upto);
    void *owner;
};

/* NULL: out of memory. */
struct redis_tail *redis_tail_new(const struct redis_tail_spec *spec);
struct redis_tail *redis_tail_free(struct redis_tail *tail);
/* From now on that shard too, after the entry with that id and number. `work` is up: it ends the
 * read that is blocked. ERR_MEMORY. */
MUST_CHECK int redis_tail_add(struct redis_tail *tail, int shard, struct event_id after,
                              uint64_t number, struct redis_link *work);

#endif
