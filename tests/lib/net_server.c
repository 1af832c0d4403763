#include "net_server.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/metric.h"
#include "net/server.h"

#define WAITING_MAX 64
#define QUEUE_BYTES 262144

struct reader {
    struct stream stream;
    char queue[QUEUE_BYTES];
    size_t len, at;
    struct reader *next;
};

/* Of the one worker; other threads only read what is atomic. */
static struct {
    struct reader *readers;
    struct request *waiting[WAITING_MAX];
    atomic_int stream_count, waiting_count, open_requests, gone_count, head_count, reload_count;
} app;

static struct settings kept[2]; /* a server borrows its settings, for life */
static struct server *server;
static pthread_t thread;
static char *big;

static void answer_text(struct request *request, int status, const char *text)
{
    struct answer answer = {.status = status, .content_type = "text/plain",
                            .body = span_text(text)};
    request_answer(request, &answer);
}

static int reader_gather(struct stream *stream, struct iovec *pieces, int max)
{
    struct reader *reader = container_of(stream, struct reader, stream);
    if (reader->at == reader->len)
        return 0;
    pieces[0] = (struct iovec){reader->queue + reader->at, reader->len - reader->at};
    return 1;
}

static void reader_taken(struct stream *stream, size_t len)
{
    struct reader *reader = container_of(stream, struct reader, stream);
    reader->at += len;
    if (reader->at == reader->len)
        reader->at = reader->len = 0;
}

static void reader_say(struct reader *reader, const char *text, size_t len)
{
    if (reader->len + len > QUEUE_BYTES)
        return;
    memcpy(reader->queue + reader->len, text, len);
    reader->len += len;
    stream_mark_due(&reader->stream);
}

static void reader_remove(struct reader *reader)
{
    struct reader **at = &app.readers;
    while (*at != reader)
        at = &(*at)->next;
    *at = reader->next;
    free(reader);
    app.stream_count--;
}

static void reader_closed(struct stream *stream, int err)
{
    reader_remove(container_of(stream, struct reader, stream));
}

static void reader_opened(struct stream *stream, int err)
{
    struct reader *reader = container_of(stream, struct reader, stream);
    if (err)
        reader_remove(reader);
    else
        reader_say(reader, "event: connected\n\n", 18);
}

static const struct stream_ops reader_ops = {reader_opened, reader_gather, reader_taken,
                                             reader_closed};

static void become_stream(struct request *request)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    assert(reader);
    reader->stream.ops = &reader_ops;
    reader->next = app.readers;
    app.readers = reader;
    app.stream_count++;
    struct answer head = {.status = 200, .content_type = "text/event-stream"};
    request_hand_over(request, &reader->stream, &head, span_text("event: busy\n\n"));
}

static void wait_add(struct request *request)
{
    assert(app.waiting_count < WAITING_MAX);
    app.waiting[app.waiting_count++] = request;
}

static void on_gone(struct request *request)
{
    for (int i = 0; i < app.waiting_count; i++)
        if (app.waiting[i] == request) {
            app.waiting[i] = app.waiting[app.waiting_count - 1];
            app.waiting_count--;
            app.gone_count++;
            return;
        }
}

static void wait_go(void)
{
    while (app.waiting_count > 0) {
        struct request *request = app.waiting[app.waiting_count - 1];
        app.waiting_count--;
        if (span_is(request->path, "/later-stream"))
            become_stream(request);
        else
            answer_text(request, 200, "went");
    }
}

static void say_all(struct request *request)
{
    struct span text = request->body;
    for (struct reader *at = app.readers; at; at = at->next)
        reader_say(at, text.data, text.len);
}

static void answer_big(struct request *request)
{
    struct answer answer = {.status = 200, .content_type = "application/octet-stream",
                            .body = span_of(big, BIG_BYTES), .body_static = true};
    request_answer(request, &answer);
}

static void answer_json(struct request *request)
{
    char text[5001];
    memset(text, ' ', 5000);
    text[0] = '{';
    text[4999] = '}';
    struct answer answer = {.status = 200, .content_type = "application/json",
                            .body = span_of(text, 5000)};
    request_answer(request, &answer);
}

static void answer_about(struct request *request)
{
    char text[512];
    struct span a = request_query(request, "a", NULL);
    snprintf(text, sizeof(text), "peer=%.*s secure=%d query=%d id=%s a=%.*s.",
             SPAN_ARGS(request->peer), request->secure, request->query_count, request->id,
             (int)(a.len < 200 ? a.len : 200), a.data ? a.data : "");
    answer_text(request, 200, text);
}

static void on_head(struct request *request)
{
    app.open_requests++;
    app.head_count++;
    if (span_is(request->path, "/refuse"))
        answer_text(request, 403, "refused");
    else if (span_is(request->path, "/early-stream"))
        become_stream(request);
}

static void on_request(struct request *request)
{
    struct span path = request->path;
    if (span_is(path, "/stream")) {
        become_stream(request);
    } else if (span_is(path, "/wait") || span_is(path, "/later-stream")) {
        wait_add(request);
    } else if (span_is(path, "/park")) {
        request->on_gone = on_gone;
        wait_add(request);
        request_park(request);
    } else if (span_is(path, "/go")) {
        wait_go();
        answer_text(request, 200, "gone");
    } else if (span_is(path, "/say")) {
        say_all(request);
        answer_text(request, 200, "said");
    } else if (span_is(path, "/end")) {
        for (struct reader *at = app.readers; at; at = at->next)
            stream_end(&at->stream);
        answer_text(request, 200, "ended");
    } else if (span_is(path, "/cut")) {
        for (struct reader *at = app.readers; at; at = at->next)
            stream_cut(&at->stream);
        answer_text(request, 200, "cut");
    } else if (span_is(path, "/echo")) {
        struct answer answer = {.status = 200, .content_type = "text/plain",
                                .body = request->body};
        request_answer(request, &answer);
    } else if (span_is(path, "/big")) {
        answer_big(request);
    } else if (span_is(path, "/json")) {
        answer_json(request);
    } else if (span_is(path, "/about")) {
        answer_about(request);
    } else {
        answer_text(request, 200, "hello");
    }
}

static void on_end(struct request *request)
{
    app.open_requests--;
}

static void on_answer(struct request *request, int status)
{
    request_add_header(request, "X-Test", "yes");
}

static void on_error(struct request *request, int err, struct answer *ret)
{
    static const struct { int err, status; } table[] = {
        {ERR_INVALID_REQUEST, 400}, {ERR_INVALID_PARAMETER, 400}, {ERR_LENGTH_REQUIRED, 411},
        {ERR_BODY_TOO_LARGE, 413},  {ERR_URI_TOO_LONG, 414},      {ERR_MEDIA_TYPE, 415},
        {ERR_HEAD_TOO_LARGE, 431}};
    *ret = (struct answer){.status = 500, .content_type = "application/problem+json",
                           .body = arena_copy(&request->arena, span_text(err_name(err)))};
    for (size_t i = 0; i < array_count(table); i++)
        if (table[i].err == err)
            ret->status = table[i].status;
}

static int on_worker_start(struct worker *worker, void *context)
{
    return 0;
}

static void on_worker_stop(struct worker *worker)
{
}

static void on_drain(struct worker *worker, int64_t spread_ms)
{
    wait_go();
    for (struct reader *at = app.readers; at; at = at->next) {
        reader_say(at, "event: reconnect\n\n", 18);
        stream_end(&at->stream);
    }
}

struct settings net_settings(void)
{
    static char *listen[] = {(char *)"127.0.0.1:0"};
    return (struct settings){.server_listen = {listen, 1},
                             .server_workers = 1,
                             .limits_body_bytes = 100000,
                             .http_head_timeout_ms = 10000,
                             .http_body_rate_min = 100,
                             .http_idle_timeout_ms = 60000,
                             .sse_peer_timeout_ms = 60000};
}

static void on_reload(void *context)
{
    app.reload_count++;
}

static void *serve(void *context)
{
    int err = server_run(context, on_reload, NULL);
    assert(!err);
    return NULL;
}

void net_start(const struct settings *settings)
{
    static const struct http_app http_app = {.on_worker_start = on_worker_start,
                                             .on_worker_stop = on_worker_stop,
                                             .on_head = on_head,
                                             .on_request = on_request,
                                             .on_end = on_end,
                                             .on_answer = on_answer,
                                             .on_error = on_error,
                                             .on_drain = on_drain};
    char why[256];
    if (!big) {
        big = malloc(BIG_BYTES);
        assert(big);
        memset(big, 'x', BIG_BYTES);
    }
    app.gone_count = app.head_count = app.reload_count = 0;
    static int turn;
    turn = !turn;
    kept[turn] = *settings;
    int err = server_new(&kept[turn], &http_app, why, sizeof(why), &server);
    if (err)
        fail_msg("server_new: %s", why);
    assert_int_equal(pthread_create(&thread, NULL, serve, server), 0);
    while (server_state(server) != SERVER_SERVING)
        usleep(1000);
}

static int connection_count(void)
{
    struct metric_reading reading;
    metric_read(METRIC_CONNECTIONS, &reading);
    return (int)reading.value;
}

void net_stop_soon(void)
{
    server_stop(server);
}

void net_join(void)
{
    pthread_join(thread, NULL);
    server = server_free(server);
    free(big);
    big = NULL;
    assert_int_equal(connection_count(), 0);
    assert_int_equal(app.stream_count, 0);
    assert_int_equal(app.waiting_count, 0);
    assert_int_equal(app.open_requests, 0);
}

void net_stop(void)
{
    net_stop_soon();
    net_join();
}

void net_hand_on(const struct settings *settings)
{
    struct server *old = server;
    pthread_t old_thread = thread;
    net_start(settings);
    server_stop(old);
    pthread_join(old_thread, NULL);
    server_free(old);
}

void net_forget_waiting(void)
{
    app.waiting_count = 0;
}

struct server *net_server(void)
{
    return server;
}

int net_port(void)
{
    return atoi(strrchr(server_origin(server), ':') + 1);
}

int net_connect_small(int receive_bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)net_port()),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

int net_connect(void)
{
    return net_connect_small(0);
}

void net_send(int fd, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

const char *net_read(int fd, const char *until, int *ret_reset)
{
    static char text[BIG_BYTES + 65536];
    size_t len = 0;
    if (ret_reset)
        *ret_reset = 0;
    text[0] = '\0';
    while (!until || !strstr(text, until)) {
        ssize_t got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (got < 0 && errno == ECONNRESET && ret_reset)
            *ret_reset = 1;
        else if (got < 0)
            fail_msg("read: %s, after \"%.300s\", until \"%s\"", strerror(errno), text,
                     until ? until : "the end");
        if (got <= 0)
            break;
        len += (size_t)got;
        text[len] = '\0';
    }
    return text;
}

const char *net_ask(const char *request)
{
    int fd = net_connect();
    net_send(fd, request);
    const char *text = net_read(fd, NULL, NULL);
    close(fd);
    return text;
}

static void wait_for(int (*read_count)(void), int count, const char *what)
{
    for (int i = 0; i < 1000 && read_count() != count; i++)
        usleep(5000);
    if (read_count() != count)
        fail_msg("%d %s, not %d", read_count(), what, count);
}

static int read_streams(void)
{
    return app.stream_count;
}

static int read_waiting(void)
{
    return app.waiting_count;
}

static int read_heads(void)
{
    return app.head_count;
}

static int read_reloads(void)
{
    return app.reload_count;
}

void net_wait_connections(int count)
{
    wait_for(connection_count, count, "connections");
}

void net_wait_streams(int count)
{
    wait_for(read_streams, count, "streams");
}

void net_wait_waiting(int count)
{
    wait_for(read_waiting, count, "waiting");
}

void net_wait_heads(int count)
{
    wait_for(read_heads, count, "heads");
}

void net_wait_reloads(int count)
{
    wait_for(read_reloads, count, "reloads");
}

int net_open_requests(void)
{
    return app.open_requests;
}

int net_gone_count(void)
{
    return app.gone_count;
}
