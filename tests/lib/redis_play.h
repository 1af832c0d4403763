/* Commands over a ledger in Redis, several in one view: run until all is fetched, committed, and
 * those whose facts did not hold run again. Each that was done is handed on, in the order in which
 * Redis did them. */
#ifndef TIDINGS_TESTS_REDIS_PLAY_H
#define TIDINGS_TESTS_REDIS_PLAY_H

#include "redis_sync.h"

#define REDIS_PLAY_MAX 8

struct redis_play_ops {
    /* Carries out a step as a command; `*ret_made`: the id of its event, 0-0: none. Any error but
     * ERR_NOT_FETCHED and ERR_AGAIN fails the test. */
    int (*run)(void *context, struct redis_ledger *ledger, void *step, struct event_id *ret_made);
    /* It was done; the id is the real one. */
    void (*done)(void *context, void *step, struct event_id id);
};

struct redis_play {
    const struct redis_play_ops *ops;
    void *context;
    struct redis_sync *sync;
    const struct settings *settings;
    int64_t now_ms;
    void *steps[REDIS_PLAY_MAX]; /* those that are not done */
    int count;

    struct redis_view *view; /* between the two below */
    struct redis_given given;
    int errs[REDIS_PLAY_MAX], indices[REDIS_PLAY_MAX]; /* of the last run */
    struct event_id made[REDIS_PLAY_MAX];
};

/* Runs all steps in one new view, until nothing is missing. */
void redis_play_settle(struct redis_play *batch);
/* Commits that; leaves the steps that were not done. */
void redis_play_commit(struct redis_play *batch);
/* Both, until all steps are done; every other time without the cache, when it must get on. */
void redis_play_do(struct redis_play *batch);

/* Two texts of many lines; fails the test with the first line in which they differ. */
void redis_assert_same(struct buf *redis, struct buf *memory);

#endif
