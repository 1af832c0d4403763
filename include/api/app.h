/* The application: what all handlers share, and what each worker has of its own.
 *
 * MODEL  one struct app for the process, constant once the workers run but for the keys, which a
 *        reload swaps under a lock. One struct desk for each worker, used on its thread only.
 * Floor: api. */
#ifndef TIDINGS_API_APP_H
#define TIDINGS_API_APP_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/hub.h"
#include "api/token.h"
#include "core/receipt.h"
#include "net/server.h"
#include "store/journal.h"
#include "store/signals.h"

struct hall;
struct limiter;
struct poll_table;
struct reader;
struct watchers;
struct token_cache;

#define NODE_BYTES_MAX 160

struct app {
    const struct settings *settings; /* borrowed */
    struct http_app callbacks;       /* what the server calls, with this as context */
    char node[NODE_BYTES_MAX];       /* server.node, or host name and port */
    struct journal *journal;         /* owned */
    struct signals signals;
    struct server *server;           /* owned */
    struct hub *hub;                 /* owned: sessions of the whole process */
    struct limiter *limiter;         /* owned: rates of users and addresses */
    struct keys *keys;               /* ref, under keys_lock */
    pthread_mutex_t keys_lock;
    struct watchers *watchers;       /* owned: watchers of rooms, over all workers */
    struct desk *desks[WORKERS_MAX]; /* owned; NULL before the worker has started */
};

/* One worker's share. */
struct desk {
    struct app *app;
    struct worker *worker;
    struct session_home home;  /* of its readers */
    struct hall *hall;       /* owned: the readers of this worker */
    struct reader *readers;    /* all of them, also those that wait for their last letter */
    struct poll_table *polls;  /* owned: sessions of long-polls by name */
    struct letter lost;        /* news could not be posted: see hall_lost */
    atomic_bool lost_posted;
    struct token_cache *tokens; /* owned: tokens verified lately; NULL: none are kept */
    struct receipts sent;       /* markers moved by sending, until the hub is told */
    struct worker_timer sent_timer;
    struct hub_flush flush;          /* of markers, before the readers are sent away */
    struct worker_timer flush_timer; /* they wait for it no longer */
    int64_t drain_spread_ms;
    bool drained;                    /* they were sent away */
};

/* Reads the keys, opens the journal, makes the server; `why` as in config.h. */
MUST_CHECK int app_new(const struct settings *settings, char *why, size_t why_size,
                       struct app **ret);
/* Serves until drained. */
MUST_CHECK int app_run(struct app *app);
struct app *app_free(struct app *app);

/* A reference to the keys in force. */
struct keys *app_keys(struct app *app);

static inline struct desk *request_desk(const struct request *request)
{
    return worker_app(request->worker);
}

static inline struct app *request_app(const struct request *request)
{
    return request_desk(request)->app;
}

#endif
