/* The journal over Redis: one for all nodes of a cluster.
 *
 * MODEL  one thread with an event loop and two links: one for work, one that tails. Requests come
 *        in by a mailbox, from any thread.
 *
 *          read    run on a view -> fetch -> … -> answer           (redis_reading)
 *          append  run on a view -> fetch -> … -> commit -> answer (redis_committing)
 *          tail    what any node has committed -> follower         (redis_tail)
 *
 *        A realm lives in one of 64 shards, which is begun with its first request.
 *        It starts also while Redis is down: until then everything is ERR_UNAVAILABLE.
 * BOUNDS JOURNAL_QUEUE_MAX requests under way; each is answered within REDIS_LIMIT_MS.
 * Floor: store. */
#ifndef TIDINGS_STORE_REDIS_H
#define TIDINGS_STORE_REDIS_H

#include "store/journal.h"

/* ERR_CONFIG, ERR_MEMORY; see journal_new. */
MUST_CHECK int redis_journal_new(const struct settings *settings, struct span url,
                                 journal_follower follower, void *context, char *why,
                                 size_t why_size, struct journal **ret);

#endif
