/* What the parts of the journal over Redis share.
 *
 * Floor: store. All of it belongs to the journal's thread, but for what is atomic. */
#ifndef TIDINGS_STORE_REDIS_JOURNAL_H
#define TIDINGS_STORE_REDIS_JOURNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "store/apply.h"
#include "store/journal.h"
#include "store/redis_cache.h"
#include "store/redis_doom.h"
#include "store/redis_ledger.h"
#include "store/redis_link.h"
#include "store/redis_tail.h"
#include "store/redis_trim.h"

#define REDIS_LIMIT_MS 2000      /* from the start of a request to its answer, whatever happens */
#define REDIS_ROUNDS_MAX 32      /* fetches of one run */
#define REDIS_TRIES_MAX 64       /* commits of one command that found something else */
#define REDIS_BATCH_COMMANDS_MAX 64
#define REDIS_BATCHES_MAX 4      /* of one shard, sent and not answered yet */
#define REDIS_READINGS_MAX 256   /* with a fetch under way; the others wait */
#define REDIS_PLACES_WANTED 1000 /* handed out at once */

enum redis_ask_kind {
    REDIS_ASK_APPEND,
    REDIS_ASK_DEVICE, /* the device of an open that is answered otherwise */
    REDIS_ASK_OPEN,
    REDIS_ASK_PAGE,
    REDIS_ASK_HISTORY,
    REDIS_ASK_READ,
};

/* A request on its way. */
struct redis_work {
    struct link member; /* of a shard's list */
    struct journal_request *request;
    struct redis_shard *shard;
    int64_t until_ms;   /* clock_now_ms() */
    int next;           /* of an append: the first command that is not done */
    int end;            /* of an append: behind the last that is done in it; 0: all */
    int events;         /* that its commands have made or rewritten in a run */
    int tries;
    struct event_id last; /* of an append: the last event that it has made so far */
    bool erases;        /* of an append: content that the follower is to let go of */
    bool stopped;       /* of an append that is ordered: one was refused */
    bool stale;         /* what the node remembers was not enough: everything is read anew */
};

enum redis_shard_state { REDIS_SHARD_UNUSED, REDIS_SHARD_BEGINNING, REDIS_SHARD_BEGUN };

struct redis_shard {
    struct redis_journal *journal;
    int number;
    enum redis_shard_state state;
    bool tailed;
    struct redis_places places;
    struct list waiting;  /* work, until the shard is begun */
    struct list guessed;  /* appends to be run on what the node remembers */
    struct list fresh;    /* appends to be run on what is fetched */
    int batches;          /* sent and not answered yet */
    struct list unknown;  /* batches whose outcome is not known, to be sent again */
    struct list starved;  /* batches that wait for place numbers */
    struct list untold;   /* appends that are done, in the order of `last`, until the follower was
                             told: see redis_committing_told */
    struct event_id told; /* up to here it was */
};

struct redis_journal {
    struct journal journal;
    const struct settings *settings; /* borrowed */
    struct redis_url url;
    journal_follower follower;
    void *context;
    pthread_t thread;
    struct event_base *base;
    struct mailbox inbox;
    struct event *inbox_event, *sweep_event;
    struct redis_link *work;
    struct redis_tail *tail;
    struct redis_doom *doom;
    struct redis_trim *trim;
    struct redis_cache *cache;
    struct apply apply;
    struct redis_shard shards[REDIS_SHARDS];
    int64_t clock_offset_ms;   /* of Redis against clock_now_ms() */
    uint64_t boot, batch_last; /* for names of batches */
    int readings;
    atomic_llong under_way;
    atomic_bool down, closing;
};

static inline int64_t redis_now_ms(const struct redis_journal *journal)
{
    return clock_now_ms() + journal->clock_offset_ms;
}
/* Of an answer that told the clock of Redis. */
void redis_note_clock(struct redis_journal *journal, int64_t redis_ms);

/* Ends it: the request goes home. */
void redis_work_finish(struct redis_journal *journal, struct redis_work *work, int err);
/* Serves what waits in the shard, as far as it can be served now. */
void redis_shard_serve(struct redis_shard *shard);

/* redis_reading.c: an open, a page, history or a read; owned by it from here on. */
void redis_reading_start(struct redis_work *work);
/* redis_committing.c: an append, which goes into one of the lists of its shard. */
void redis_committing_start(struct redis_work *work);
/* Makes and sends batches of what stands in the lists of the shard. */
void redis_committing_serve(struct redis_shard *shard);
/* The shard is begun again: what became of batches is asked by sending them again, and those that
 * waited for place numbers go on. */
void redis_committing_repeat(struct redis_shard *shard);
/* The follower was told of what was committed up to `upto`. What takes content out of messages is
 * answered only then, so that this node gives none of it out after the answer. */
void redis_committing_told(struct redis_shard *shard, struct event_id upto);
/* Ends those whose time has passed. */
void redis_committing_sweep(struct redis_shard *shard, int64_t now_ms);

#endif
