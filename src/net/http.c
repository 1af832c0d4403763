#include "net/http.h"

#include <assert.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/logging.h"
#include "net/connection.h"
#include "net/tls.h"

#define NOTSENT_LOWAT_BYTES 16384 /* what the kernel takes ahead for a stream */

struct call *call_new(struct connection *connection, const char *target)
{
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    struct request *request = &call->request;
    request->worker = connection->worker;
    request->body_bytes_max = (size_t)connection->worker->settings->limits_body_bytes;
    request->started_us = clock_now_us();
    arena_init(&request->arena, REQUEST_ARENA_BYTES_MAX);
    call->target = arena_copy(&request->arena, span_text(target));
    if (!call->target.data) {
        free(call);
        return NULL;
    }
    assert(!connection->call);
    call->connection = connection;
    connection->call = call;
    connection_set_phase(connection, PHASE_HEAD);
    worker_busy(connection->worker, 1);
    return call;
}

static const struct http_app *call_app(const struct call *call)
{
    return call->request.worker->http_app;
}

void call_finish(struct call *call)
{
    assert(!call->done);
    call->done = true;
    if (call->seen && call_app(call)->on_end)
        call_app(call)->on_end(&call->request);
    arena_fini(&call->request.arena);
    buf_fini(&call->body);
}

void call_try_free(struct call *call)
{
    if (call->connection || call->stream_open || !call->done)
        return;
    if (call->response)
        MHD_destroy_response(call->response);
    buf_fini(&call->text);
    worker_busy(call->request.worker, -1);
    free(call);
}

void call_abandon(struct call *call)
{
    struct worker *worker = call->request.worker;
    assert(worker->stopping && !call->done);
    if (call->abandoned)
        return;
    call->abandoned = true;
    call->abandoned_next = worker->abandoned;
    worker->abandoned = call;
}

void calls_finish_abandoned(struct worker *worker)
{
    while (worker->abandoned) {
        struct call *call = worker->abandoned;
        worker->abandoned = call->abandoned_next;
        if (!call->done)
            call_finish(call);
        call_try_free(call);
    }
}

void call_release(struct call *call)
{
    struct connection *connection = call->connection;
    assert(connection->call == call);
    connection->call = NULL;
    call->connection = NULL;
    if (!connection->moved)
        connection_set_phase(connection, PHASE_IDLE);
    if (!call->done && !call->parked && !call->abandoned)
        call_finish(call);
    call_try_free(call);
}

static void stream_socket(int fd)
{
    int on = 1, ahead = NOTSENT_LOWAT_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &ahead, sizeof(ahead));
}

static void call_resume(struct call *call)
{
    MHD_resume_connection(call->connection->mhd);
    call->connection->daemon->due = true;
}

int call_move(struct call *call, struct stream *stream, int *ret_fd)
{
    struct connection *connection = call->connection;
    assert(call->state == CALL_HANDLING || call->state == CALL_WAITING);
    int fd = connection->fd;
    if (connection->daemon->secure) {
        int err = tls_take(call, stream);
        if (err)
            return err;
        if (call->state == CALL_HANDLING)
            MHD_suspend_connection(connection->mhd);
    } else {
        fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return ERR_BUSY;
        connection->moved = true;
        if (call->state == CALL_WAITING)
            call_resume(call);
    }
    stream_socket(fd);
    worker_timer_remove(&connection->timer);
    call->state = CALL_MOVED;
    *ret_fd = fd;
    return 0;
}

/* True when the answer cannot wait until the body has been read. */
static bool answers_early(const struct call *call)
{
    return call->unread || (call->request.has_body && call->expects && !call->http_1_0) ||
           call->content_length > BODY_DROP_BYTES_MAX || call->body_bytes > BODY_DROP_BYTES_MAX;
}

void request_answer(struct request *request, const struct answer *answer)
{
    if (request->on_answered) {
        request->on_answered(request, answer);
        return;
    }
    struct call *call = request_call(request);
    assert(!call->done);
    if (call->abandoned) {
        call_finish(call);
        return;
    }
    if (!call->parked && call->state == CALL_HANDLING && answers_early(call) &&
        !call->connection->daemon->secure)
        parked_try(call);
    if (call->parked)
        parked_answer(call, answer);
    else if (answer_make(call, answer))
        log_line(LOG_ERROR, "answer not made", "request", request->id, NULL);
    bool waits = call->state == CALL_WAITING;
    call_finish(call);
    if (waits)
        call_resume(call);
    call_try_free(call);
}

void request_park(struct request *request)
{
    struct call *call = request_call(request);
    assert(!call->done);
    if (!call->parked && !call->abandoned)
        parked_try(call);
}

bool request_may_stay(const struct request *request)
{
    const struct call *call = container_of(request, struct call, request);
    assert(call->connection);
    return !call->connection->reserved || !server_is_full(request->worker->server);
}

static void answer_busy(struct request *request, struct span busy)
{
    struct answer answer = {.status = 200,
                            .content_type = "text/event-stream",
                            .body = busy,
                            .close = true,
                            .headers = (struct answer_header[]){{"Cache-Control",
                                                                 "no-store, no-transform"}},
                            .header_count = 1};
    request_answer(request, &answer);
}

void request_hand_over(struct request *request, struct stream *stream, const struct answer *head,
                       struct span busy)
{
    struct call *call = request_call(request);
    struct worker *worker = request->worker;
    assert(!call->done && !call->parked);
    assert(stream->ops->on_opened);
    struct buf text;
    struct stream_head *stream_head = NULL;
    int fd, err;
    stream->opening = true;
    if (call->abandoned) {
        stream_refuse(stream, worker);
        call_finish(call);
        return;
    }
    buf_init(&text, ANSWER_HEAD_BYTES_MAX);
    err = answer_format(call, head, true, &text);
    if (!err && !(stream_head = stream_head_new(buf_span(&text))))
        err = ERR_MEMORY;
    buf_fini(&text);
    if (!err)
        err = call_move(call, stream, &fd);
    if (err) {
        free(stream_head);
        stream_refuse(stream, worker);
        answer_busy(request, busy);
        return;
    }
    stream->head_only = request->method == METHOD_HEAD;
    stream_open(stream, worker, fd, stream_head);
    if (stream->head_only)
        stream_end(stream);
    call_finish(call);
}

/* An error that is found here rather than by the application. */
static void call_fail(struct call *call, int err)
{
    struct answer answer = {0};
    call_app(call)->on_error(&call->request, err, &answer);
    answer.close |= call->unread;
    request_answer(&call->request, &answer);
}

/* The response goes to libmicrohttpd. */
static enum MHD_Result call_queue(struct call *call)
{
    if (!call->response)
        return MHD_NO;
    enum MHD_Result result =
        MHD_queue_response(call->connection->mhd, (unsigned)call->status, call->response);
    MHD_destroy_response(call->response);
    call->response = NULL;
    connection_set_answering(call->connection, call->answer_bytes);
    return result;
}

/* A connection that moved: libmicrohttpd closes its side, or keeps it suspended for TLS. */
static enum MHD_Result call_leave(const struct call *call)
{
    return call->connection->daemon->secure ? MHD_YES : MHD_NO;
}

static bool is_too_large(const struct call *call)
{
    return call->content_length > call->request.body_bytes_max;
}

/* A body of a GET: read for the sake of the next request, but nothing waits for it. */
static bool means_nothing(const struct call *call)
{
    return call->request.has_body &&
           (call->request.method == METHOD_GET || call->request.method == METHOD_HEAD);
}

static enum MHD_Result call_read_body(struct call *call)
{
    call->state = CALL_BODY;
    if (call->request.has_body)
        connection_set_phase(call->connection, PHASE_BODY);
    return MHD_YES;
}

static enum MHD_Result call_wait(struct call *call)
{
    MHD_suspend_connection(call->connection->mhd);
    call->state = CALL_WAITING;
    connection_set_phase(call->connection, PHASE_WAITING);
    return MHD_YES;
}

static enum MHD_Result call_on_head(struct call *call, const char *method, const char *url,
                                    const char *version)
{
    call->state = CALL_HANDLING;
    int err = head_read(call, method, url, version);
    if (!err) {
        call->seen = true;
        call_app(call)->on_head(&call->request);
        if (!call->done && call->state == CALL_HANDLING && is_too_large(call))
            err = ERR_BODY_TOO_LARGE;
    }
    if (err && (answers_early(call) || !call->request.has_body))
        call_fail(call, err);
    else
        call->err = err;
    if (!err && !call->done && call->state == CALL_HANDLING && means_nothing(call))
        call_app(call)->on_request(&call->request);
    else if (!call->done && call->state == CALL_HANDLING)
        return call_read_body(call);
    if (call->state == CALL_MOVED)
        return call_leave(call);
    if (!call->done)
        return call_wait(call);
    return answers_early(call) ? call_queue(call) : call_read_body(call);
}

static size_t body_bytes_max(const struct call *call)
{
    return call->request.body_bytes_max ? call->request.body_bytes_max : 1;
}

static int body_add(struct call *call, const char *data, size_t len)
{
    if (call->body.bytes_max == 0) {
        buf_init(&call->body, body_bytes_max(call));
        /* All at once when the length is known, for it is within the limit. */
        if (buf_reserve(&call->body, (size_t)call->content_length))
            return ERR_MEMORY;
    }
    int err = buf_add(&call->body, data, len);
    return err == ERR_FULL ? ERR_BODY_TOO_LARGE : err;
}

static enum MHD_Result call_on_body(struct call *call, const char *data, size_t len)
{
    call->body_bytes += len;
    if (!call->done && !call->err) {
        call->err = body_add(call, data, len);
        if (call->err)
            buf_fini(&call->body);
    }
    if (call->body_bytes <= BODY_DROP_BYTES_MAX)
        return MHD_YES;
    /* Nobody wants it, and it does not end. */
    if (!call->done && !call->connection->daemon->secure) {
        call->state = CALL_HANDLING;
        call_fail(call, call->err ? call->err : ERR_BODY_TOO_LARGE);
    }
    return MHD_NO;
}

static int body_finish(struct call *call)
{
    if (call->err)
        return call->err;
    if (call->gzip_body && call->body.len > 0) {
        struct buf plain;
        buf_init(&plain, body_bytes_max(call));
        int err = encoding_gunzip(call->request.worker, buf_span(&call->body), &plain);
        buf_fini(&call->body);
        call->body = plain;
        if (err)
            return err;
    }
    call->request.body = buf_span(&call->body);
    return 0;
}

static enum MHD_Result call_on_end_of_body(struct call *call)
{
    if (!call->done) {
        call->state = CALL_HANDLING;
        int err = body_finish(call);
        if (err)
            call_fail(call, err);
        else
            call_app(call)->on_request(&call->request);
    }
    if (call->state == CALL_MOVED)
        return call_leave(call);
    call->body_read = true;
    return call->done ? call_queue(call) : call_wait(call);
}

enum MHD_Result call_on_mhd(struct call *call, const char *method, const char *url,
                            const char *version, const char *data, size_t *len)
{
    switch (call->state) {
    case CALL_NEW:
        return call_on_head(call, method, url, version);
    case CALL_BODY:
        if (*len > 0) {
            size_t given = *len;
            *len = 0;
            return call_on_body(call, data, given);
        }
        return call_on_end_of_body(call);
    case CALL_WAITING:
        if (!call->done)
            return call_wait(call);
        return call->body_read || answers_early(call) ? call_queue(call) : call_read_body(call);
    default:
        return MHD_NO;
    }
}
