/* Connections that libmicrohttpd owns and the requests on them, for the files of this floor only.
 *
 * MODEL  a connection has a phase, and for each phase a deadline:
 *
 *          FRESH -> HEAD -> BODY -> WAITING -> ANSWERING -> IDLE -> HEAD ...
 *                     \________________/  (no body: straight on)
 *
 *        A call is one request: what the application sees and what net needs for it.
 *
 *          NEW -> HANDLING (on_head) -> BODY -> HANDLING (on_request) -> WAITING (suspended)
 *                     \__________________________________\_________________\--> MOVED
 *
 *        MOVED: libmicrohttpd is to give the connection up. It takes an early response as the end
 *        of the connection, so an answer made before the body has come is kept until the body has
 *        been read and dropped. An answer that cannot wait for that is written by a stream of its
 *        own, so that the unread bytes make no reset.
 * Floor: net. On the worker's thread only. */
#ifndef TIDINGS_NET_CONNECTION_H
#define TIDINGS_NET_CONNECTION_H

#include <microhttpd.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "net/gate.h"
#include "net/loop.h"

#define PEER_TEXT_BYTES 46        /* INET6_ADDRSTRLEN */
#define BODY_DROP_BYTES_MAX 16777216 /* of a body nobody wants, so that the answer is seen */
#define ANSWER_HEADERS_MAX 40        /* of one answer */
#define ANSWER_HEAD_BYTES_MAX 16384  /* of one answer that is written by a stream of ours */
#define REQUEST_ARENA_BYTES_MAX 4194304 /* for one request: its head and what handlers make */

enum phase { PHASE_FRESH, PHASE_HEAD, PHASE_BODY, PHASE_WAITING, PHASE_ANSWERING, PHASE_IDLE };

struct connection {
    struct worker *worker;
    struct daemon *daemon;
    struct MHD_Connection *mhd;
    struct connection *previous, *next;
    struct call *call;          /* the request that is under way */
    struct worker_timer timer;  /* the deadline of the phase */
    int64_t phase_ms;           /* when the phase began */
    uint64_t bytes_seen;        /* bytes received when last looked at, while idle */
    int fd;                     /* libmicrohttpd's */
    uint8_t phase;              /* enum phase */
    bool admin;
    bool reserved;              /* came in when only the reserve was left */
    bool moved;                 /* its socket was duplicated and lives on */
    bool bytes_known;           /* bytes_seen is of this idle time */
    struct in6_addr address;    /* IPv4 as ::ffff:a.b.c.d */
    uint8_t peer_len;
    char peer[PEER_TEXT_BYTES];
};

enum call_state { CALL_NEW, CALL_BODY, CALL_HANDLING, CALL_WAITING, CALL_MOVED };

struct answer_draft;

struct call {
    struct request request;
    struct connection *connection; /* NULL once libmicrohttpd is done with the request */
    struct MHD_Response *response; /* owned; the answer, until it is queued */
    struct answer_draft *draft;    /* the answer that is being made */
    struct buf body;               /* as received, then as expanded */
    struct stream stream;          /* what the connection becomes when it is parked */
    struct buf text;               /* an answer that this stream writes */
    size_t text_at;                /* bytes of it that are written */
    struct call *abandoned_next;   /* in the worker's list */
    struct span target;            /* as sent */
    uint64_t content_length;       /* 0 when unknown */
    uint64_t body_bytes;           /* read so far */
    size_t answer_bytes;           /* of the response's body */
    int status;                    /* of the response */
    int err;                       /* found while reading; told when the body is through */
    uint8_t state;                 /* enum call_state */
    bool seen;                     /* the application has seen it: on_end is due */
    bool done;                     /* answered or handed over: no more the application's */
    bool parked;                   /* answered by `stream`, now or later */
    bool stream_open;              /* on_closed of `stream` is to come */
    bool http_1_0;
    bool expects;                  /* waits for `100 Continue` before it sends its body */
    bool length_known;             /* Content-Length was given */
    bool has_encoding;             /* Transfer-Encoding: chunked */
    bool unread;                   /* what follows must not be read: answer at once, then close */
    bool gzip_body;
    bool abandoned;                /* in the list of the worker's abandoned calls */
    bool body_read;                /* libmicrohttpd has seen the request's end */
};

/* connection.c: phases and their deadlines */
struct connection *connection_new(struct daemon *daemon, struct MHD_Connection *mhd);
void connection_free(struct connection *connection);
void connection_set_phase(struct connection *connection, enum phase phase);
/* The whole answer is `len` bytes: how long it may take is known now. */
void connection_set_answering(struct connection *connection, size_t len);

/* http.c */
/* A call for the request line `target`; NULL without memory. */
struct call *call_new(struct connection *connection, const char *target);
/* libmicrohttpd is done with it. */
void call_release(struct call *call);
enum MHD_Result call_on_mhd(struct call *call, const char *method, const char *url,
                            const char *version, const char *data, size_t *len);
static inline struct call *request_call(struct request *request)
{
    return container_of(request, struct call, request);
}
/* Ends the application's part: on_end, and the request's memory. */
void call_finish(struct call *call);
/* The worker stops before it was answered. The application, or whom it has asked, may still hold
 * the request's memory: it stays until the worker is freed, and the answer, if one comes, is
 * dropped. Repeats are fine. */
void call_abandon(struct call *call);
/* When nobody has it any more. */
void call_try_free(struct call *call);
/* Takes the connection from libmicrohttpd for `stream`; `*ret_fd` is the stream's. ERR_BUSY when
 * that cannot be done; then nothing has changed. */
MUST_CHECK int call_move(struct call *call, struct stream *stream, int *ret_fd);

/* head.c: the headers of a request */
/* Fills the request; ERR_OK or what is wrong with it. */
MUST_CHECK int head_read(struct call *call, const char *method, const char *url,
                         const char *version);

/* target.c: path and query */
MUST_CHECK int target_read(struct request *request, struct span target);

/* answer.c */
/* Makes the response that libmicrohttpd will send. ERR_MEMORY. */
MUST_CHECK int answer_make(struct call *call, const struct answer *answer);
/* The same as text, for connections of our own; without length and body when it is the head of a
 * stream. */
MUST_CHECK int answer_format(struct call *call, const struct answer *answer, bool is_stream,
                             struct buf *text);

/* parked.c */
/* The connection becomes the call's own stream, which waits for the answer; without a descriptor
 * for that, all stays as it is. */
void parked_try(struct call *call);
/* Writes the answer, then ends the connection in good order. */
void parked_answer(struct call *call, const struct answer *answer);

/* stream.c */
/* What is written first; NULL without memory. */
struct stream_head *stream_head_new(struct span text);
/* The stream owns `fd` (but for TLS) and `head`, which may be NULL. Calls nobody yet. */
void stream_open(struct stream *stream, struct worker *worker, int fd, struct stream_head *head);
/* It did not come to be: on_opened will tell ERR_BUSY. */
void stream_refuse(struct stream *stream, struct worker *worker);

/* encoding.c */
bool encoding_accepts_gzip(struct span accept_encoding);
/* ERR_FULL when it would not get smaller. */
MUST_CHECK int encoding_gzip(struct worker *worker, struct span text, struct buf *ret);
/* ERR_BODY_TOO_LARGE, ERR_INVALID_REQUEST. */
MUST_CHECK int encoding_gunzip(struct worker *worker, struct span text, struct buf *ret);

/* proxies.c: who may tell us the client's address */
MUST_CHECK int proxies_new(const struct setting_list *list, char *why, size_t why_size,
                           struct proxies **ret);
struct proxies *proxies_free(struct proxies *proxies);
bool proxies_trust(const struct proxies *proxies, const struct in6_addr *address);
/* The client's address: the last of `forwarded` that is no trusted proxy. Into `ret`, which
 * holds PEER_TEXT_BYTES; returns its length, 0 when nothing better is known. */
size_t proxies_client(const struct proxies *proxies, struct span forwarded, char *ret);
/* Text of an address, IPv4 as such. */
size_t address_format(const struct in6_addr *address, char *ret);

#endif
