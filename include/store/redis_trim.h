/* Forgetting over Redis what need not be kept: by age, by the number of events of a room, and what
 * those who tail the journal have long read.
 *
 * WHY    what is written need not be counted for it, and no node goes over all rooms.
 * MODEL  small steps, each a call of trim.lua, which looks for itself whether there is too much:
 *        any node may make any step at any time, several nodes the same.
 *          room  of the events that the node stores in rooms one in so many, by chance, has its
 *                room looked at: on average when it got an eighth of journal.room_events_max more,
 *                however many nodes write to it
 *          age   each realm stands in the `ages` of its shard under the time of its oldest entry;
 *                those in front are too old, by the clocks of both the node and Redis. The node
 *                looks there now and then
 *          tail  the journal of a shard, up to journal.tail_window ago; every few seconds
 *        for the shards that are in use on the node.
 * BOUNDS REDIS_TRIM_EVENTS a step; REDIS_TRIM_ROOMS_MAX rooms wait to be looked at, others come
 *        with one of their next events.
 * Floor: store. The journal's thread. */
#ifndef TIDINGS_STORE_REDIS_TRIM_H
#define TIDINGS_STORE_REDIS_TRIM_H

#include "store/ledger.h"

#define REDIS_TRIM_EVENTS 64
#define REDIS_TRIM_ROOMS_MAX 256
#define REDIS_TRIM_PAUSE_MS 2         /* between two steps while there is more to do */
#define REDIS_TRIM_AGE_EVERY_MS 60000 /* between two looks at a shard, on average */
#define REDIS_TRIM_TAIL_EVERY_MS 5000

struct redis_journal;
struct redis_trim;

/* NULL: out of memory. */
struct redis_trim *redis_trim_new(struct redis_journal *journal);
/* After the link for work: an answer may still be on its way. */
struct redis_trim *redis_trim_free(struct redis_trim *trim);
/* The room gets an event. */
void redis_trim_note(struct redis_trim *trim, int shard, place_number room);

#endif
