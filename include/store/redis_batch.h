/* A batch of commands of one shard: run on one view, and sent in one commit.
 *
 * MODEL  works are taken from a list of the shard, and what is left of each is run in order, as
 *        often as something is missing. Those that the batch cannot take go back to their lists.
 * BOUNDS REDIS_BATCH_COMMANDS_MAX commands, or those of one work; no work is begun after
 *        APPEND_EVENTS_MAX events.
 * Floor: store. The journal's thread. */
#ifndef TIDINGS_STORE_REDIS_BATCH_H
#define TIDINGS_STORE_REDIS_BATCH_H

#include "store/redis_journal.h"

#define REDIS_BATCH_NAME_BYTES 48

/* A command that was run, of the batch's works[work]. */
struct redis_ran {
    int work, command;
    int result; /* of the commit; -1: it writes nothing */
};

struct redis_batch {
    struct link member; /* of shard->unknown or ->starved */
    struct redis_shard *shard;
    struct redis_view *view;
    bool guessed, sent;
    bool starves; /* the node has no place numbers left */
    int rounds;
    int events;          /* that its commands make or rewrite */
    int64_t now_ms;      /* of all its runs, since they must ask for the same */
    int64_t until_ms;    /* clock_now_ms(): the latest that any of its works can wait */
    int64_t deadline_ms; /* the same by the clock of Redis */
    int64_t sent_us;
    char name[REDIS_BATCH_NAME_BYTES];
    struct redis_work *works[REDIS_BATCH_COMMANDS_MAX];
    int ends[REDIS_BATCH_COMMANDS_MAX]; /* the first command of each that was not run */
    int work_count;
    struct redis_given given; /* places that its runs give out */
    struct redis_ran *ran;    /* owned */
    int ran_count, ran_size;
};

/* NULL: out of memory. `guessed`: on what the node remembers. */
struct redis_batch *redis_batch_new(struct redis_shard *shard, bool guessed);
/* Its works are the caller's. */
void redis_batch_free(struct redis_batch *batch);
void redis_batch_fill(struct redis_batch *batch, struct list *list);
/* Runs all of it. False: something is missing in the view, or `starves`. */
bool redis_batch_run(struct redis_batch *batch);
/* Ends it and all its works with `err`. */
void redis_batch_fail(struct redis_batch *batch, int err);

struct journal_append *redis_append_of(const struct redis_work *work);
/* How many it has, or as many of them as one append may do (see journal_append). */
int redis_command_count(const struct redis_work *work);
/* Goes home. */
void redis_work_end(struct redis_work *work, int err);
/* To the list in which what is not done yet is run next. */
void redis_work_put_back(struct redis_work *work);

#endif
