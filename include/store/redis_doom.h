/* Sweeps doomed rooms: ends, bit by bit, what the members of a large room that was deleted still
 * have of it.
 *
 * WHY    nobody waits for it, and nothing is told of it: readers pass over what is not swept yet.
 * MODEL  one shard after the other, of those in use, is looked at, and swept until there is
 *        nothing left to do. All nodes do so: of two that sweep the same one finds out by its
 *        checks. What fails is tried again the next time round.
 * BOUNDS one call under way; REDIS_MEMBERS_SWEPT_MAX members in one commit.
 * Floor: store. The journal's thread. */
#ifndef TIDINGS_STORE_REDIS_DOOM_H
#define TIDINGS_STORE_REDIS_DOOM_H

#define REDIS_DOOM_LOOK_MS 250 /* until the next shard is looked at */
#define REDIS_DOOM_PAUSE_MS 10 /* between two sweeps of one shard */

struct redis_journal;
struct redis_doom;

/* Borrows the journal, which has its event base. NULL: out of memory. */
struct redis_doom *redis_doom_new(struct redis_journal *journal);
/* After the journal's link, whose calls end first. */
struct redis_doom *redis_doom_free(struct redis_doom *doom);

#endif
