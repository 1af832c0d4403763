/* Views over a real Redis, one call after the other: for tests of what stands on them.
 *
 * All fail the test when Redis or a script does; errors of views and runs are returned. */
#ifndef TIDINGS_TESTS_REDIS_SYNC_H
#define TIDINGS_TESTS_REDIS_SYNC_H

#include "base/settings.h"
#include "redis_server.h"
#include "store/redis_cache.h"
#include "store/redis_ledger.h"
#include "store/redis_view.h"

#define REDIS_SYNC_RESULTS_MAX 512

enum redis_sync_script {
    REDIS_SYNC_FETCH,
    REDIS_SYNC_COMMIT,
    REDIS_SYNC_LIFE,
    REDIS_SYNC_TRIM,
    REDIS_SYNC_SCRIPTS
};

struct redis_sync {
    struct redisContext *redis;
    struct redis_cache *cache; /* NULL at first; with one, views are optimistic */
    int shard;
    char scripts[REDIS_SYNC_SCRIPTS][41]; /* their hashes */
    char life[64];                        /* of what is committed */
    int64_t limit_ms; /* from the last known time of Redis to the deadline of a commit */
    int64_t now_ms;   /* of Redis, when it last answered */
    struct redis_places places;
    int batches, fetches;                                /* made so far */
    struct redis_result results[REDIS_SYNC_RESULTS_MAX]; /* of the last commit */
};

/* Begins a life in the shard. */
void redis_sync_open(struct redis_sync *sync, const struct redis_server *server, int shard);
/* The cache too, if there is one. */
void redis_sync_close(struct redis_sync *sync);
/* Calls life.lua. */
void redis_sync_live(struct redis_sync *sync, const char *life, int64_t skew_ms);

/* Calls trim.lua for `what`, with its numbers; of `tail` only the first. Returns how many went. */
int64_t redis_sync_trim(struct redis_sync *sync, const char *what, int64_t a, int64_t b,
                        int64_t limit, bool *ret_more);

/* A view of the sync's shard and cache. */
struct redis_view *redis_sync_view(struct redis_sync *sync);
/* One call of a script; both return what the view says of the answer. */
MUST_CHECK int redis_sync_fetch(struct redis_sync *sync, struct redis_view *view);
MUST_CHECK int redis_sync_commit(struct redis_sync *sync, struct redis_view *view);

typedef int (*redis_sync_run)(void *context, struct redis_view *view);
/* Runs it until nothing is missing. */
MUST_CHECK int redis_sync_read(struct redis_sync *sync, redis_sync_run run, void *context);
/* The same as one command, and commits that; ERR_AGAIN: a check did not hold. When the run fails
 * nothing is written. */
MUST_CHECK int redis_sync_write(struct redis_sync *sync, redis_sync_run run, void *context);

/* Takes more places for the ledgers, when there are none left. */
void redis_sync_take_places(struct redis_sync *sync);

/* The same over a ledger: tests that use these are built with redis_sync_ledger.c too. */
typedef int (*redis_sync_ledger_run)(void *context, struct ledger *ledger);
MUST_CHECK int redis_sync_ledger_read(struct redis_sync *sync, const struct settings *settings,
                                      redis_sync_ledger_run run, void *context);
MUST_CHECK int redis_sync_ledger_write(struct redis_sync *sync, const struct settings *settings,
                                       redis_sync_ledger_run run, void *context);

#endif
