/* The inside of a worker, for the files of this floor only.
 *
 * MODEL  one turn of the loop: libevent tells what is ready, callbacks note it or do what is
 *        cheap; then the daemons that have something to do are run, then a slice of the due
 *        streams is served. While either has more, the next turn does not sleep.
 * Floor: net. On the worker's thread but for `busy` and what is written before it starts. */
#ifndef TIDINGS_NET_LOOP_H
#define TIDINGS_NET_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "net/http.h"
#include "net/server.h"

#define WORKER_TICK_MS 50          /* width of a slot of the wheel */
#define LISTENERS_MAX 16           /* of one process, admin listeners included */
#define FAREWELL_MS 2000             /* for a peer to take the last bytes and close */
#define FAREWELL_BYTES_MAX 16777216  /* inbound bytes dropped meanwhile */
#define FAREWELL_TAG 1               /* on a farewell's pointer in the epoll of the streams */
#define REFUSED_FAREWELLS_MAX 64   /* refused connections that may linger at once */

struct MHD_Daemon;
struct call;
struct connection;
struct event;
struct event_base;
struct farewell;
struct proxies;
struct tls;
struct z_stream_s;

/* One listening socket of one worker. */
struct listener {
    struct worker *worker;
    struct event *event;      /* owned; NULL once it has stopped */
    struct worker_timer rest; /* until it accepts again, or for the last time */
    bool closing;             /* hears nobody new */
    int fd;                   /* owned; -1 once it has stopped */
    bool admin;
    bool secure;              /* speaks TLS */
};

/* One libmicrohttpd daemon of one worker: plain or TLS. */
struct daemon {
    struct worker *worker;
    struct MHD_Daemon *mhd; /* owned; NULL: there is no such listener */
    struct event *event;    /* owned; its epoll is readable */
    bool due;               /* to be run in this turn */
    bool secure;
    int closed;             /* connections it closed in the present run */
};

struct worker {
    struct server *server;
    const struct settings *settings;
    const struct http_app *http_app;
    void *app;                 /* the application's own */
    int index;
    pthread_t thread;
    bool running;              /* the thread was started and not joined yet */
    bool stopping;             /* the loop ends after this turn */
    bool in_turn;
    bool drained;              /* the application was told to end what waits */
    int64_t now_ms;            /* of this turn */
    int64_t turn_started_us;
    struct event_base *base;   /* owned */
    struct mailbox mailbox;
    struct event *mail_event, *tick_event, *streams_event; /* owned */
    struct deadline_wheel wheel;
    struct letter state_letter; /* tells of a new state of the server */
    atomic_bool state_posted;

    struct listener listeners[LISTENERS_MAX];
    int listener_count;
    struct daemon plain, secure;
    struct connection *connections; /* those that libmicrohttpd has, newest first */
    const struct listener *accepting; /* during MHD_add_connection */
    struct connection *accepted;      /* made meanwhile */
    struct call *abandoned;           /* owned; requests that were not answered before the stop */
    int spare_fd;              /* given up to accept and refuse when descriptors run out */
    int refused_farewells;

    int streams_fd;            /* epoll of all streams and of lingering sockets */
    struct stream *streams;    /* newest first */
    struct stream *due_first, *due_last;
    struct stream *looked_at;      /* next to be looked at; NULL when all have been */
    struct worker_timer look_timer; /* until that begins again */
    struct farewell *farewells;    /* newest first */
    struct iovec pieces[STREAM_PIECES_MAX]; /* of the write that is being made */

    uint64_t request_prefix, request_number; /* of request ids */
    int64_t date_s;            /* second for which `date` was made */
    char date[32];
    struct z_stream_s *deflater, *inflater; /* owned; NULL until first needed */
    char *tls_record;          /* owned; where a record is put together */

    _Atomic int busy;          /* streams, lingering sockets and requests under way */
};

/* server.c, for the workers */
struct proxies *server_proxies(const struct server *server);
struct tls *server_tls(const struct server *server);
/* Takes one from the limit; false when it is reached. */
bool server_take_connection(struct server *server);
void server_give_connection(struct server *server);
/* A worker has started (err 0) or could not. */
void server_on_worker(struct server *server, int err);

/* worker.c */
MUST_CHECK int worker_new(struct server *server, int index, const struct http_app *app,
                          struct worker **ret);
MUST_CHECK int worker_start(struct worker *worker);
/* Waits until its thread has ended. */
void worker_join(struct worker *worker);
struct worker *worker_free(struct worker *worker);
/* From the main thread: the server's state has changed. */
void worker_tell_state(struct worker *worker);
/* First thing in every callback of the loop. */
void worker_wake(struct worker *worker);
static inline void worker_busy(struct worker *worker, int change)
{
    int busy = atomic_load_explicit(&worker->busy, memory_order_relaxed);
    atomic_store_explicit(&worker->busy, busy + change, memory_order_relaxed);
}
/* "Sun, 06 Nov 1994 08:49:37 GMT" of this turn. */
const char *worker_date(struct worker *worker);

/* connection.c */
/* Requests that were not answered in time are abandoned. */
void connections_finish(struct worker *worker);
/* The server closes: those without a request are soon ended. */
void connections_close_idle(struct worker *worker);

/* http.c */
/* The application's part of them ends: nobody holds them any more. */
void calls_finish_abandoned(struct worker *worker);

/* accept.c */
MUST_CHECK int listener_add(struct worker *worker, int fd, bool admin, bool secure);
MUST_CHECK int listeners_listen(struct worker *worker, int backlog);
/* Hears no new connections, and closes when those under way are accepted. */
void listener_stop(struct listener *listener);
void listener_close(struct listener *listener);

/* daemon.c */
MUST_CHECK int daemon_open(struct daemon *daemon, struct worker *worker, bool secure);
void daemon_close(struct daemon *daemon);
void daemon_run(struct daemon *daemon);

/* stream.c */
MUST_CHECK int streams_open(struct worker *worker);
/* Serves a slice; true when more is due. */
bool streams_serve(struct worker *worker);
/* The epoll of the streams is readable. */
void streams_on_ready(struct worker *worker);
/* Cuts all and serves until every owner was told. */
void streams_cut_all(struct worker *worker);
void streams_close(struct worker *worker);

/* peers.c */
void peers_start(struct worker *worker);
/* Cuts those that have taken nothing for sse.peer_timeout: a slice; true when more is to do. */
bool peers_look(struct worker *worker);

/* farewell.c */
/* Takes `fd` over: ends the outgoing side, drops what still comes in, closes. Without a reset
 * unless the peer goes on sending for too long. `watched`: it is in the epoll of the streams
 * already; `counted`: it is given back to the limit in the end. */
void farewell_start(struct worker *worker, int fd, bool watched, bool counted);
void farewell_on_ready(struct farewell *farewell);
void farewells_close_all(struct worker *worker);

#endif
