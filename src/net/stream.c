/* Streams: written directly, each registered once for life with the worker's own epoll.
 *
 * Closing a stream only marks it and puts it on the list of due streams; its owner is told when
 * the list reaches it. So no pointer to it is left anywhere when the owner frees it, and on_closed
 * never comes inside a call of the owner's. */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/metric.h"
#include "net/connection.h"
#include "net/tls.h"

#define READY_MAX 256       /* events of one epoll_wait */
#define READY_ROUNDS_MAX 4  /* epoll_waits of one turn */

struct stream_head {
    uint32_t len, at;
    char text[];
};

struct stream_head *stream_head_new(struct span text)
{
    struct stream_head *head = malloc(sizeof(*head) + text.len);
    if (!head)
        return NULL;
    head->len = (uint32_t)text.len;
    head->at = 0;
    if (text.len)
        memcpy(head->text, text.data, text.len);
    return head;
}

static void due_add(struct stream *stream)
{
    struct worker *worker = stream->worker;
    if (stream->due)
        return;
    stream->due = true;
    stream->due_next = NULL;
    if (worker->due_last)
        worker->due_last->due_next = stream;
    else
        worker->due_first = stream;
    worker->due_last = stream;
}

void stream_mark_due(struct stream *stream)
{
    if (stream->writable && (stream->state == STREAM_OPEN || stream->state == STREAM_ENDING))
        due_add(stream);
}

void stream_open(struct stream *stream, struct worker *worker, int fd, struct stream_head *head)
{
    assert(stream->state == STREAM_IDLE);
    assert(stream->ops);
    stream->worker = worker;
    stream->head = head;
    stream->fd = fd;
    stream->state = STREAM_OPEN;
    stream->writable = true;
    stream->previous = NULL;
    stream->next = worker->streams;
    if (worker->streams)
        worker->streams->previous = stream;
    worker->streams = stream;
    worker_busy(worker, 1);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = stream};
    if (fd < 0 || epoll_ctl(worker->streams_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        stream_cut(stream);
    else
        due_add(stream);
}

void stream_refuse(struct stream *stream, struct worker *worker)
{
    assert(stream->state == STREAM_IDLE);
    assert(stream->opening);
    stream->worker = worker;
    due_add(stream);
}

/* Lets go of the connection; the owner is told when the list of due streams gets here. */
static void stream_close(struct stream *stream, bool failed)
{
    struct worker *worker = stream->worker;
    assert(stream->state == STREAM_OPEN || stream->state == STREAM_ENDING);
    stream->state = STREAM_CLOSED;
    stream->failed = failed;
    if (stream->tls) {
        epoll_ctl(worker->streams_fd, EPOLL_CTL_DEL, stream->fd, NULL);
        tls_give_back(stream);
    } else if (stream->fd >= 0 && !failed) {
        farewell_start(worker, stream->fd, true, true);
    } else if (stream->fd >= 0) {
        close(stream->fd);
        server_give_connection(worker->server);
    }
    stream->fd = -1;
    due_add(stream);
}

void stream_end(struct stream *stream)
{
    if (stream->state != STREAM_OPEN)
        return;
    stream->state = STREAM_ENDING;
    stream_mark_due(stream);
}

void stream_cut(struct stream *stream)
{
    if (stream->state == STREAM_OPEN || stream->state == STREAM_ENDING)
        stream_close(stream, true);
}

/* The owner may free the stream meanwhile. */
static void stream_tell_closed(struct stream *stream)
{
    struct worker *worker = stream->worker;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        worker->streams = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    if (worker->looked_at == stream)
        worker->looked_at = stream->next;
    worker_busy(worker, -1);
    free(stream->head);
    stream->head = NULL;
    stream->ops->on_closed(stream, stream->failed ? ERR_CLOSED : ERR_OK);
}

static int stream_gather(struct stream *stream, struct iovec *pieces)
{
    int count = 0;
    struct stream_head *head = stream->head;
    if (head) {
        pieces[0] = (struct iovec){head->text + head->at, head->len - head->at};
        count = 1;
    }
    if (!stream->head_only)
        count += stream->ops->on_gather(stream, pieces + count, STREAM_PIECES_MAX - count);
    assert(count <= STREAM_PIECES_MAX);
    return count;
}

static void stream_take(struct stream *stream, size_t len)
{
    struct stream_head *head = stream->head;
    if (head) {
        size_t part = head->len - head->at < len ? head->len - head->at : len;
        head->at += (uint32_t)part;
        len -= part;
        if (head->at == head->len) {
            free(head);
            stream->head = NULL;
        }
    }
    if (len)
        stream->ops->on_taken(stream, len);
}

static long plain_write(struct stream *stream, struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? ERR_AGAIN : ERR_CLOSED;
}

static size_t pieces_len(const struct iovec *pieces, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].iov_len;
    return len;
}

/* False when the stream cannot be written to just now. */
static bool stream_flush(struct stream *stream)
{
    int err = stream->tls ? tls_flush(stream) : 0;
    if (err == ERR_AGAIN)
        stream->writable = false;
    else if (err)
        stream_cut(stream);
    return !err;
}

/* Everything is written: the end, which a TLS connection says in so many words. */
static void stream_finish(struct stream *stream)
{
    int err = stream->tls ? tls_bye(stream) : 0;
    if (err == ERR_AGAIN)
        stream->writable = false;
    else
        stream_close(stream, err != 0);
}

/* Writes what is queued, in one call for plain connections. */
static void stream_write(struct stream *stream)
{
    stream->owing = true;
    if (!stream_flush(stream))
        return;
    struct worker *worker = stream->worker;
    int count = stream_gather(stream, worker->pieces);
    if (count == 0) {
        if (stream->state == STREAM_ENDING)
            stream_finish(stream);
        return;
    }
    size_t len = pieces_len(worker->pieces, count);
    long sent = stream->tls ? tls_write(stream, worker->pieces, count)
                            : plain_write(stream, worker->pieces, count);
    metric_add(METRIC_DELIVERY_WRITES, 1);
    if (sent == ERR_CLOSED) {
        stream_cut(stream);
        return;
    }
    if (sent > 0)
        stream_take(stream, (size_t)sent);
    if (stream->state == STREAM_CLOSED)
        return;
    /* A record of TLS is short by nature; a plain socket that takes less is full. */
    if (sent == ERR_AGAIN || (!stream->tls && (size_t)sent < len))
        stream->writable = false;
    else if ((size_t)sent < len || count == STREAM_PIECES_MAX || stream->state == STREAM_ENDING)
        due_add(stream);
}

static void stream_serve(struct stream *stream)
{
    bool opens = stream->opening;
    stream->opening = false;
    if (stream->state == STREAM_IDLE) {
        stream->ops->on_opened(stream, ERR_BUSY);
        return;
    }
    if (opens)
        stream->ops->on_opened(stream, ERR_OK);
    if (stream->state == STREAM_CLOSED)
        stream_tell_closed(stream);
    else if (stream->writable)
        stream_write(stream);
}

bool streams_serve(struct worker *worker)
{
    for (int i = 0; i < WORKER_SLICE && worker->due_first; i++) {
        struct stream *stream = worker->due_first;
        worker->due_first = stream->due_next;
        if (!worker->due_first)
            worker->due_last = NULL;
        stream->due = false;
        stream->due_next = NULL;
        stream_serve(stream);
    }
    return worker->due_first != NULL;
}

/* Bytes dropped, ERR_AGAIN, ERR_CLOSED. */
static long plain_drop(struct stream *stream)
{
    char waste[4096];
    ssize_t len = recv(stream->fd, waste, sizeof(waste), MSG_DONTWAIT);
    if (len > 0)
        return len;
    return len < 0 && (errno == EAGAIN || errno == EINTR) ? ERR_AGAIN : ERR_CLOSED;
}

/* What a reader still says does not matter, but must be read: unread bytes make a reset of the
 * close. */
static void stream_drop_inbound(struct stream *stream)
{
    long len;
    while ((len = stream->tls ? tls_drop(stream) : plain_drop(stream)) > 0) {
        stream->stray_bytes += (uint32_t)len;
        if (stream->stray_bytes > STREAM_STRAY_BYTES_MAX) {
            stream_cut(stream);
            return;
        }
    }
    /* Who has half-closed an open stream is gone; one that ends is still told the rest. */
    if (len == ERR_CLOSED && stream->state == STREAM_OPEN)
        stream_cut(stream);
}

static bool timed_out(int fd)
{
    int err = 0;
    socklen_t len = sizeof(err);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == ETIMEDOUT;
}

static void stream_on_ready(struct stream *stream, uint32_t events)
{
    if (stream->state == STREAM_CLOSED)
        return;
    if (events & (EPOLLERR | EPOLLHUP)) {
        if (timed_out(stream->fd))
            metric_add(METRIC_PEERS_CUT, 1);
        stream_cut(stream);
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP))
        stream_drop_inbound(stream);
    if ((events & EPOLLOUT) && !stream->writable) {
        stream->writable = true;
        stream_mark_due(stream);
    }
}

void streams_on_ready(struct worker *worker)
{
    struct epoll_event events[READY_MAX];
    for (int round = 0; round < READY_ROUNDS_MAX; round++) {
        int count = epoll_wait(worker->streams_fd, events, READY_MAX, 0);
        for (int i = 0; i < count; i++) {
            uintptr_t tagged = (uintptr_t)events[i].data.ptr;
            if (tagged & FAREWELL_TAG)
                farewell_on_ready((struct farewell *)(tagged & ~(uintptr_t)FAREWELL_TAG));
            else
                stream_on_ready(events[i].data.ptr, events[i].events);
        }
        if (count < READY_MAX)
            return;
    }
}

int streams_open(struct worker *worker)
{
    worker->streams_fd = epoll_create1(EPOLL_CLOEXEC);
    return worker->streams_fd < 0 ? ERR_IO : 0;
}

void streams_cut_all(struct worker *worker)
{
    for (struct stream *at = worker->streams; at; at = at->next)
        stream_cut(at);
    while (streams_serve(worker))
        ;
}

void streams_close(struct worker *worker)
{
    assert(!worker->streams);
    if (worker->streams_fd >= 0)
        close(worker->streams_fd);
    worker->streams_fd = -1;
}
