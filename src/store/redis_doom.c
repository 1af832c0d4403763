#include "store/redis_doom.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/err.h"
#include "store/redis_journal.h"

#define ROUNDS_MAX 8 /* fetches of one sweep */
#define NAME_BYTES 48

struct redis_doom {
    struct redis_journal *journal; /* borrowed */
    struct event *timer;
    int shard;               /* that is looked at, or next */
    struct redis_view *view; /* of the sweep under way, owned; NULL: there is none */
    int rounds;
    bool more; /* there will be something left in the shard */
};

static void wait_for(struct redis_doom *doom, int64_t ms)
{
    const struct timeval after = {ms / 1000, ms % 1000 * 1000};
    event_add(doom->timer, &after);
}

/* The same shard again when there is more, else the next one. */
static void end(struct redis_doom *doom, bool more)
{
    doom->view = redis_view_free(doom->view);
    if (!more)
        doom->shard = (doom->shard + 1) % REDIS_SHARDS;
    wait_for(doom, more ? REDIS_DOOM_PAUSE_MS : REDIS_DOOM_LOOK_MS);
}

/* One command of the view. */
static int run(struct redis_doom *doom)
{
    struct redis_journal *journal = doom->journal;
    struct redis_ledger ledger;
    redis_view_restart(doom->view);
    redis_ledger_init(&ledger, doom->view, journal->settings, &journal->shards[doom->shard].places);
    ledger.now_ms = redis_now_ms(journal);
    redis_view_begin_command(doom->view);
    int err = redis_doomed_sweep(&ledger, &doom->more);
    if (err)
        redis_view_abandon_command(doom->view);
    else
        redis_view_end_command(doom->view);
    redis_ledger_fini(&ledger);
    return err;
}

/* Whatever became of it: facts have changed only where somebody else has swept. */
static void on_committed(void *context, int err, const struct redisReply *reply)
{
    struct redis_doom *doom = context;
    struct redis_result result;
    int64_t redis_ms;
    if (err == ERR_CLOSED)
        return;
    if (!err)
        err = redis_view_read_commit(doom->view, reply, &result, &redis_ms);
    end(doom, !err && doom->more);
}

static int commit(struct redis_doom *doom)
{
    struct redis_journal *journal = doom->journal;
    struct redis_call call;
    char name[NAME_BYTES];
    snprintf(name, sizeof(name), "%016llx-%llu", (unsigned long long)journal->boot,
             (unsigned long long)++journal->batch_last);
    int err = redis_view_write_commit(doom->view, redis_link_run_id(journal->work), span_text(name),
                                      redis_now_ms(journal) + REDIS_LIMIT_MS, &call);
    return err ? err
               : redis_link_run(journal->work, REDIS_SCRIPT_COMMIT, call.argc, call.argv, call.lens,
                                REDIS_LIMIT_MS, on_committed, doom);
}

static void step(struct redis_doom *doom);

static void on_fetched(void *context, int err, const struct redisReply *reply)
{
    struct redis_doom *doom = context;
    int64_t redis_ms;
    if (err == ERR_CLOSED)
        return;
    if (!err)
        err = redis_view_read_fetch(doom->view, reply, &redis_ms);
    if (err)
        end(doom, false);
    else
        step(doom);
}

static int fetch(struct redis_doom *doom)
{
    struct redis_call call;
    if (++doom->rounds > ROUNDS_MAX)
        return ERR_BUSY;
    int err = redis_view_write_fetch(doom->view, &call);
    return err ? err
               : redis_link_run(doom->journal->work, REDIS_SCRIPT_FETCH, call.argc, call.argv,
                                call.lens, REDIS_LIMIT_MS, on_fetched, doom);
}

static void step(struct redis_doom *doom)
{
    int err = run(doom);
    if (err == ERR_NOT_FETCHED)
        err = fetch(doom);
    else if (!err && redis_view_command_count(doom->view) > 0)
        err = commit(doom);
    else if (!err)
        err = ERR_NOT_FOUND; /* nothing is doomed */
    if (err)
        end(doom, false);
}

/* The next one that this node uses, from the present one on. */
static bool find_shard(struct redis_doom *doom)
{
    for (int i = 0; i < REDIS_SHARDS; i++) {
        if (doom->journal->shards[doom->shard].state == REDIS_SHARD_BEGUN)
            return true;
        doom->shard = (doom->shard + 1) % REDIS_SHARDS;
    }
    return false;
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
    struct redis_doom *doom = context;
    if (redis_link_is_up(doom->journal->work) && find_shard(doom))
        doom->view = redis_view_new(doom->shard, NULL);
    doom->rounds = 0;
    if (doom->view)
        step(doom);
    else
        end(doom, false);
}

struct redis_doom *redis_doom_new(struct redis_journal *journal)
{
    struct redis_doom *doom = calloc(1, sizeof(*doom));
    if (!doom)
        return NULL;
    doom->journal = journal;
    doom->shard = (int)(random() % REDIS_SHARDS); /* so that nodes do not look at the same */
    doom->timer = evtimer_new(journal->base, on_timer, doom);
    if (!doom->timer)
        return redis_doom_free(doom);
    wait_for(doom, REDIS_DOOM_LOOK_MS);
    return doom;
}

struct redis_doom *redis_doom_free(struct redis_doom *doom)
{
    if (!doom)
        return NULL;
    if (doom->timer)
        event_free(doom->timer);
    redis_view_free(doom->view);
    free(doom);
    return NULL;
}
