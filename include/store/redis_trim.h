/* Forgetting over Redis what need not be kept: by age, by the number of events of a room, and what
 * those who tail the journal have long read.
 *
 * WHY    what is written need not be counted for it in Redis, and no node goes over all rooms.
 * MODEL  small steps, each a call of trim.lua, which looks for itself whether there is too much:
 *        any node may make any step at any time, several nodes the same.
 *          room  one that got an eighth of journal.room_events_max more by this node; for the first
 *                time any part of that, so that those are looked at too that others write to, or
 *                that this node knows for a short time only
 *          age   each realm stands in the `ages` of its shard under the time of its oldest entry;
 *                those in front are too old, by the clocks of both the node and Redis. The node
 *                looks there now and then
 *          tail  the journal of a shard, up to journal.tail_window ago; every few seconds
 *        for the shards that are in use on the node.
 * BOUNDS REDIS_TRIM_EVENTS a step; of a shard REDIS_TRIM_STEPS_MAX at once, so that as much can go
 *        as comes by commits, and REDIS_TRIM_ROOMS_MAX rooms that wait to be looked at. Of rooms
 *        that fall on one of REDIS_TRIM_COUNTERS by their numbers the last is counted. All others
 *        are looked at after some of their next events.
 * Floor: store. The journal's thread. */
#ifndef TIDINGS_STORE_REDIS_TRIM_H
#define TIDINGS_STORE_REDIS_TRIM_H

#include "store/ledger.h"

#define REDIS_TRIM_EVENTS 64
#define REDIS_TRIM_STEPS_MAX 6
#define REDIS_TRIM_ROOMS_MAX 64
#define REDIS_TRIM_COUNTERS 16384
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
