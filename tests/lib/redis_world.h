/* A world in which steps are done over Redis and in memory, and both are compared.
 *
 * With a limit on what is kept of a room the one in memory keeps it; the test sees to Redis. */
#ifndef TIDINGS_TESTS_REDIS_WORLD_H
#define TIDINGS_TESTS_REDIS_WORLD_H

#include "redis_play.h"
#include "redis_steps.h"

#define WORLD_SHARD 3

/* Empties the server. */
struct world *world_new(const struct redis_server *server, unsigned seed, bool with_cache,
                        int64_t room_events_max);
void world_free(struct world *world);
/* By the world's seed, below `count`. */
int world_any(struct world *world, int count);
struct step world_step(struct world *world);
/* Of these steps, which must outlive it; those that are done are done in memory too. */
struct redis_play world_batch(struct world *world, struct step *steps, int count);
/* Both must tell the same of what is read at random. */
void world_compare(struct world *world);
void world_open_ledger(struct world *world, struct redis_view *view, struct redis_ledger *ledger);

#endif
