/* A stream: a connection that was moved out of libmicrohttpd and is written to directly.
 *
 * WHY    a reader that waits for hours must cost next to nothing, and an event one system call.
 * MODEL  embedded in what owns it. The owner says when something is queued (stream_mark_due);
 *        in its turn the stream asks for the pieces (on_gather), writes them in one sendmsg and
 *        says how much was taken (on_taken). What the socket did not take is gathered again when
 *        it is writable. There is no queue in here.
 *
 *            OPEN --stream_end--> ENDING (what on_gather still gives, then a clean end)
 *              \                     |
 *               \---stream_cut-------+--> CLOSED: on_closed, once, never inside a call of the
 *                                         owner's; afterwards the owner may free it
 *
 *        TLS streams (net/tls) look the same from here.
 * BOUNDS the kernel holds at most about 16 KiB unsent (TCP_NOTSENT_LOWAT); a peer that takes
 *        nothing of what it is owed for sse.peer_timeout is cut, up to a quarter of that later;
 *        inbound bytes are dropped, beyond STREAM_STRAY_BYTES_MAX the stream is cut.
 * Floor: net. On its worker's thread only. */
#ifndef TIDINGS_NET_STREAM_H
#define TIDINGS_NET_STREAM_H

#include <sys/uio.h>

#include "net/worker.h"

#define STREAM_PIECES_MAX 1024 /* iovecs of one sendmsg */
#define STREAM_STRAY_BYTES_MAX 65536

struct stream;

struct stream_ops {
    /* Once after request_hand_over, and the first call. ERR_BUSY: the connection did not become a
     * stream, and the owner may free it. */
    void (*on_opened)(struct stream *stream, int err);
    /* Puts up to `max` pieces that wait to be written into `pieces`, oldest first; the memory
     * stays until on_taken says it is written. 0: nothing is queued. */
    int (*on_gather)(struct stream *stream, struct iovec *pieces, int max);
    /* The first `len` bytes of what was gathered are written. */
    void (*on_taken)(struct stream *stream, size_t len);
    /* The connection is gone; `err` is ERR_OK after a clean end, else ERR_CLOSED. */
    void (*on_closed)(struct stream *stream, int err);
};

enum stream_state { STREAM_IDLE, STREAM_OPEN, STREAM_ENDING, STREAM_CLOSED };

struct stream_head;
struct stream_tls;

struct stream {
    const struct stream_ops *ops;
    struct worker *worker;
    struct stream *due_next;  /* in the worker's list of due streams */
    struct stream *previous, *next; /* all streams of the worker */
    struct stream_tls *tls;   /* NULL: plain */
    struct stream_head *head; /* rest of the response head, owned; NULL once it is written */
    uint32_t stray_bytes;     /* inbound bytes dropped so far */
    int fd;
    uint32_t taken;           /* bytes acknowledged when last looked at, their low bits */
    uint8_t idle_looks;       /* at which it had taken nothing since the one before */
    uint8_t state;            /* enum stream_state */
    bool opening;             /* on_opened is still to be called */
    bool due;                 /* in the list of due streams */
    bool writable;            /* the last write took everything */
    bool head_only;           /* the answer to a HEAD: nothing follows the head */
    bool failed;              /* closed without a clean end */
    bool owing;               /* written to since it was seen to have taken everything */
};

/* Something is queued: to be written in this turn's slice or the next. Cheap to repeat. */
void stream_mark_due(struct stream *stream);
/* Ends after what is queued: no error for the peer. Repeats are fine. */
void stream_end(struct stream *stream);
/* Ends at once. */
void stream_cut(struct stream *stream);

#endif
