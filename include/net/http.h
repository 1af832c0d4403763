/* One HTTP exchange, without libmicrohttpd in sight.
 *
 * MODEL
 *        on_head    the request line and the headers are here and have passed the gate
 *        on_request the body is here too
 *        answer     once, from either of them or any time later on the worker's thread
 *        hand over  instead of an answer: the connection becomes a stream
 *
 *        A request that is not answered when on_request returns waits (suspended). One that will
 *        wait for long is parked: libmicrohttpd is rid of it, and the answer, when it comes, is
 *        written with `Connection: close`. The application does not see the difference.
 * BOUNDS head REQUEST_HEAD_BYTES_MAX and http.head_timeout; body `body_bytes_max`, also after
 *        gunzip, and http.body_rate_min.
 * Floor: net. On the worker's thread only. Requests are owned by net; texts in them live as long
 * as the request: until it is answered or handed over. */
#ifndef TIDINGS_NET_HTTP_H
#define TIDINGS_NET_HTTP_H

#include "base/arena.h"
#include "base/limits.h"
#include "net/stream.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE,
              METHOD_OPTIONS, METHOD_OTHER };

/* Headers the application may ask for. Absent ones have data NULL. */
#define REQUEST_HEADERS(X)                                                                         \
    X(AUTHORIZATION, "Authorization")                                                              \
    X(COOKIE, "Cookie")                                                                            \
    X(HOST, "Host")                                                                                \
    X(ORIGIN, "Origin")                                                                            \
    X(CONTENT_TYPE, "Content-Type")                                                                \
    X(CONTENT_ENCODING, "Content-Encoding")                                                        \
    X(ACCEPT_ENCODING, "Accept-Encoding")                                                          \
    X(LAST_EVENT_ID, "Last-Event-ID")                                                              \
    X(IF_MATCH, "If-Match")                                                                        \
    X(IF_NONE_MATCH, "If-None-Match")                                                              \
    X(TIDINGS_SESSION, "X-Tidings-Session")                                                        \
    X(FORWARDED_FOR, "X-Forwarded-For")                                                            \
    X(FORWARDED_PROTO, "X-Forwarded-Proto")                                                        \
    X(REQUEST_METHOD, "Access-Control-Request-Method")                                             \
    X(REQUEST_ID, "X-Request-Id")

enum request_header {
#define X(name, text) HEADER_##name,
    REQUEST_HEADERS(X)
#undef X
        HEADER_COUNT
};

struct query_parameter {
    struct span name, value; /* decoded, or as sent when the escapes are broken or give control
                                characters or no UTF-8; value data NULL: no `=` */
};

struct answer;

struct request {
    struct worker *worker;
    struct arena arena;             /* for whatever lives as long as the request */
    enum method method;
    struct span method_text;
    struct span path;               /* as sent, without the query, not decoded */
    struct query_parameter *query;  /* decoded, in order */
    int query_count;
    struct span headers[HEADER_COUNT];
    struct span body;               /* whole, gunzipped; empty before on_request */
    bool has_body;                  /* Content-Length above 0 or chunked */
    size_t body_bytes_max;          /* on_head may lower it; default limits.body_bytes */
    char id[33];                    /* request id, for logs and `X-Request-Id` */
    struct span peer;               /* the client's address as text, behind trusted proxies */
    bool secure;                    /* https, here or at a trusted proxy */
    bool admin;                     /* came in on server.admin_listen */
    int64_t started_us;             /* clock_now_us() at the head */
    void (*on_answered)(struct request *request, const struct answer *answer); /* NULL, but for a
                                                 request that the application made: no connection
                                                 stands behind it, and this takes its answer */
    void (*on_gone)(struct request *request); /* parked only: the peer left; the request is freed
                                                 after the call. NULL: it waits for its answer,
                                                 which nobody hears */
    void *app;                      /* the application's own; starts NULL */
    const char *route;              /* constant text for logs and metrics; NULL: none */
};

struct answer_header {
    const char *name; /* constant */
    const char *value; /* copied */
};

struct answer {
    int status;
    const char *content_type;     /* NULL with an empty body */
    struct span body;             /* copied unless body_static */
    bool body_static;             /* lives for ever */
    bool close;                   /* `Connection: close` afterwards */
    const struct answer_header *headers;
    int header_count;
};

/* What net calls. */
struct http_app {
    /* A worker has started, on its thread; sets worker_app. An error stops the server. */
    int (*on_worker_start)(struct worker *worker, void *context);
    /* Streams are closed and requests answered; on its thread. */
    void (*on_worker_stop)(struct worker *worker);
    /* Headers are here. May answer (the body is then read and dropped up to a cap). */
    void (*on_head)(struct request *request);
    /* The body is here. Not called when on_head answered. */
    void (*on_request)(struct request *request);
    /* The request is over: answered, handed over, or its peer left before. Once for each request
     * that on_head saw, last of all; may be NULL. Lets go of what request->app holds. For those
     * that a stop leaves without an answer it is called by server_free: until then their memory
     * stays with whom it was lent to, and they may still be answered, which nobody hears. */
    void (*on_end)(struct request *request);
    /* Every answer, once, also those that net makes itself: adds headers that belong on all
     * (CORS, security) by answer_add. `request->app` may be NULL. */
    void (*on_answer)(struct request *request, int status);
    /* An error that net found itself (gate, limits): `err` of base/err.h. Fills the JSON body
     * in the request's arena and the status. */
    void (*on_error)(struct request *request, int err, struct answer *ret);
    /* Phase two of the drain: end what waits, spread over `spread_ms`. */
    void (*on_drain)(struct worker *worker, int64_t spread_ms);
    void *context;
};

/* Answers; the request is gone afterwards. JSON bodies of 1 KiB and more are gzipped for those
 * who accept it. Unsuccessful allocation ends the connection. */
void request_answer(struct request *request, const struct answer *answer);
/* Adds a header to the answer that is being made; only from on_answer. `name` is constant, `value`
 * is copied; a second Vary is added to the first. X-Request-Id, Date and Content-Length are there
 * without. */
void request_add_header(struct request *request, const char *name, const char *value);
/* False when its connection came in when only the reserve was left, and that is so still: then it
 * may not be kept for a stream or a long-poll. */
bool request_may_stay(const struct request *request);
/* Will wait for long. Plain connections leave libmicrohttpd. */
void request_park(struct request *request);
/* The connection becomes `stream` (zeroed, with ops set). `head`: status and headers of the
 * response, its body is not used. Called once; the request is gone when it returns. Later, never
 * inside this call, its on_opened tells ERR_OK or, if the descriptor could not be duplicated,
 * ERR_BUSY, after which `busy` has been answered with that text as a body (text/event-stream). */
void request_hand_over(struct request *request, struct stream *stream, const struct answer *head,
                       struct span busy);

/* The value of a query parameter, the first of that name; data NULL if absent. `*ret_count` (may
 * be NULL): how often it stands there. */
struct span request_query(const struct request *request, const char *name, int *ret_count);

/* Decodes percent-escapes (and no `+`) into the arena. ERR_INVALID_PARAMETER for a broken
 * escape, control characters and what is no UTF-8. */
MUST_CHECK int http_unescape(struct arena *arena, struct span text, struct span *ret);

#endif
