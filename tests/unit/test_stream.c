/* Connections that are moved out of libmicrohttpd: streams and parked requests.
 *
 * What the hand-over leans on is no contract of libmicrohttpd's; the cases here pin it, so that a
 * version that changes it is noticed. After each, all counts are back at zero. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/metric.h"
#include "net/stream.h"
#include "net_server.h"

#define H " HTTP/1.1\r\nHost: x\r\n"
#define CLOSE H "Connection: close\r\n"
#define IMPATIENT_MS 2000 /* until peers that take nothing are cut */
#define STREAM "GET /stream" H "\r\n"
#define HELLO "GET /hello" H "\r\n"
#define SAY "POST /say" CLOSE "Content-Length: 8\r\n\r\ndata: x\n"

static void say(void)
{
    net_ask(SAY);
}

static void end(void)
{
    net_ask("POST /end" CLOSE "\r\n");
}

/* The stream on `fd` hears what is said and ends in good order. */
static void stream_works(int fd)
{
    int reset;
    net_wait_streams(1);
    say();
    net_read(fd, "data: x\n", NULL);
    say();
    net_read(fd, "data: x\n", NULL);
    end();
    assert_string_equal(net_read(fd, NULL, &reset), "");
    assert_int_equal(reset, 0);
    close(fd);
    net_wait_streams(0);
    net_wait_connections(0);
}

/* -- the hand-over -------------------------------------------------------------------------- */

struct row {
    const char *what;
    const char *parts[4]; /* sent with a pause between */
};

static const struct row rows[] = {
    {"plain", {STREAM}},
    {"in pieces", {"GET /str", "eam HTTP/1.1\r\nHo", "st: x\r\n\r", "\n"}},
    {"in on_head", {"GET /early-stream" H "\r\n"}},
    {"1.0", {"GET /stream HTTP/1.0\r\n\r\n"}},
    {"1.0 with keep-alive", {"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"}},
    {"asked to close", {"GET /stream" CLOSE "\r\n"}},
    {"second request", {HELLO, STREAM}},
    {"third request", {HELLO, HELLO, STREAM}},
    {"behind another", {HELLO STREAM}},
    {"behind two others", {HELLO "POST /echo" H "Content-Length: 2\r\n\r\nab" STREAM}},
    {"before another", {STREAM HELLO}},
    {"before half of another", {STREAM "GET /hel"}},
    {"before one that comes later", {STREAM, HELLO}},
    {"before and behind", {HELLO STREAM HELLO HELLO}},
    {"before many bytes", {STREAM HELLO HELLO HELLO HELLO HELLO HELLO HELLO HELLO, HELLO HELLO}},
    {"with a body", {"POST /stream" H "Content-Length: 4\r\n\r\nabcd"}},
    {"with a body in pieces", {"POST /stream" H "Content-Length: 4\r\n\r\na", "bc", "d"}},
    {"with chunks", {"POST /stream" H "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"}},
    {"in on_head with a body", {"POST /early-stream" H "Content-Length: 4\r\n\r\nabcd"}},
    {"in on_head, body under way", {"POST /early-stream" H "Content-Length: 9\r\n\r\na", "b", "c"}},
    {"in on_head, body never comes", {"POST /early-stream" H "Content-Length: 9\r\n\r\n"}},
    {"in on_head, chunks under way",
     {"POST /early-stream" H "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "cde\r\n", "0\r\n\r\n"}},
    {"in on_head, with Expect",
     {"POST /early-stream" H "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"}},
    {"GET, body under way", {"GET /stream" H "Content-Length: 9\r\n\r\na", "b", "c"}},
    {"GET, body never comes", {"GET /stream" H "Transfer-Encoding: chunked\r\n\r\n"}},
    {"with Expect", {"POST /stream" H "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n", "abcd"}},
};

static void streams_come_out_whole(void **state)
{
    for (size_t i = 0; i < array_count(rows); i++) {
        int fd = net_connect();
        for (size_t part = 0; part < 4 && rows[i].parts[part]; part++) {
            net_send(fd, rows[i].parts[part]);
            usleep(10000);
        }
        const char *text = net_read(fd, "event: connected\n\n", NULL);
        if (!strstr(text, "Content-Type: text/event-stream\r\n") || strstr(text, "chunked"))
            fail_msg("%s: %s", rows[i].what, text);
        stream_works(fd);
    }
}

static void stream_after_suspension(void **state)
{
    static const char *const requests[] = {"GET /later-stream" H "\r\n",
                                           HELLO "GET /later-stream" H "\r\n",
                                           "GET /later-stream" H "\r\n" HELLO,
                                           "POST /later-stream" H "Content-Length: 1\r\n\r\na",
                                           "GET /later-stream" H "Content-Length: 9\r\n\r\na"};
    for (size_t i = 0; i < array_count(requests); i++) {
        int fd = net_connect();
        net_send(fd, requests[i]);
        net_wait_waiting(1);
        net_ask("GET /go" CLOSE "\r\n");
        net_read(fd, "event: connected\n\n", NULL);
        stream_works(fd);
    }
}

static void head_of_a_stream(void **state)
{
    int fd = net_connect(), reset;
    net_send(fd, "HEAD /stream" H "\r\n");
    const char *text = net_read(fd, NULL, &reset);
    assert_non_null(strstr(text, "text/event-stream"));
    assert_null(strstr(text, "connected"));
    assert_int_equal(reset, 0);
    close(fd);
    net_wait_streams(0);
    net_wait_connections(0);
}

static void reset(int fd)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
}

static void leave(int fd, int how)
{
    if (how == 0) {
        reset(fd);
    } else if (how == 1) {
        close(fd);
    } else {
        shutdown(fd, SHUT_WR);
        net_read(fd, NULL, NULL);
        close(fd);
    }
}

/* Peers that leave by a reset, a close or half a close, at whatever moment. */
static void peers_leave_at_any_moment(void **state)
{
    static const char *const requests[] = {STREAM, HELLO STREAM, STREAM HELLO,
                                           "POST /early-stream" H "Content-Length: 9\r\n\r\nab",
                                           "GET /park" H "\r\n"};
    for (size_t i = 0; i < array_count(requests); i++) {
        for (int how = 0; how < 3; how++) {
            for (int delay_us = 0; delay_us <= 20000; delay_us = delay_us * 4 + 50) {
                int fd = net_connect();
                net_send(fd, requests[i]);
                usleep((useconds_t)delay_us);
                leave(fd, how);
                say();
            }
        }
    }
    net_wait_streams(0);
    net_wait_waiting(0);
    net_wait_connections(0);
}

static void suspended_peers_leave(void **state)
{
    for (int how = 0; how < 2; how++) {
        int fd = net_connect();
        net_send(fd, "GET /later-stream" H "\r\n");
        net_wait_waiting(1);
        leave(fd, how);
        usleep(10000);
        net_ask("GET /go" CLOSE "\r\n");
        net_wait_streams(0);
        net_wait_connections(0);
    }
}

/* -- streams -------------------------------------------------------------------------------- */

static int64_t metric_value(enum metric metric)
{
    struct metric_reading reading;
    metric_read(metric, &reading);
    return reading.value;
}

/* A write is counted when it may have been read already: the count, once it has rested. */
static int64_t settled_writes(void)
{
    int64_t count = metric_value(METRIC_DELIVERY_WRITES);
    for (int rests = 0; rests < 10; rests++) {
        usleep(20000);
        int64_t now = metric_value(METRIC_DELIVERY_WRITES);
        if (now != count)
            rests = 0;
        count = now;
    }
    return count;
}

static void a_delivery_is_one_write(void **state)
{
    int fds[20];
    for (size_t i = 0; i < array_count(fds); i++) {
        fds[i] = net_connect();
        net_send(fds[i], STREAM);
        net_read(fds[i], "event: connected\n\n", NULL);
    }
    int64_t before = settled_writes();
    say();
    for (size_t i = 0; i < array_count(fds); i++)
        net_read(fds[i], "data: x\n", NULL);
    assert_int_equal(settled_writes() - before, 20);
    for (size_t i = 0; i < array_count(fds); i++)
        close(fds[i]);
    net_wait_streams(0);
    net_wait_connections(0);
    assert_true(sizeof(struct stream) <= 96);
}

static const char *say_large(size_t len)
{
    static char request[70000];
    int head = snprintf(request, sizeof(request), "POST /say" CLOSE "Content-Length: %zu\r\n\r\n",
                        len);
    memset(request + head, 'x', len);
    request[(size_t)head + len] = '\0';
    return net_ask(request);
}

/* The kernel takes little ahead for a reader that does not read, and all of it arrives once it
 * does. */
static void slow_readers_get_all(void **state)
{
    int fd = net_connect(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    net_send(fd, STREAM);
    size_t said = 0;
    net_wait_streams(1);
    for (int i = 0; i < 4; i++) {
        assert_non_null(strstr(say_large(60000), " 200 "));
        said += 60000;
    }
    end();
    /* A turn later it is still there. */
    net_ask("GET /hello" CLOSE "\r\n");
    net_wait_streams(1);
    const char *text = net_read(fd, NULL, NULL);
    text = strstr(text, "connected\n\n");
    assert_non_null(text);
    assert_int_equal(strlen(text + strlen("connected\n\n")), said);
    close(fd);
    net_wait_streams(0);
    net_wait_connections(0);
}

static int64_t cut_count; /* before the server was started */

static int start_impatient(void **state)
{
    struct settings settings = net_settings();
    settings.sse_peer_timeout_ms = IMPATIENT_MS;
    cut_count = metric_value(METRIC_PEERS_CUT);
    net_start(&settings);
    return 0;
}

static void none_is_cut(void)
{
    assert_int_equal(metric_value(METRIC_PEERS_CUT), cut_count);
}

static void one_is_cut(int fd)
{
    net_wait_streams(0);
    assert_int_equal(metric_value(METRIC_PEERS_CUT), cut_count + 1);
    close(fd);
    net_wait_connections(0);
}

static int small_reader(void)
{
    int fd = net_connect_small(16384);
    net_send(fd, STREAM);
    net_wait_streams(1);
    return fd;
}

static void peers_that_take_nothing_are_cut(void **state)
{
    int fd = small_reader();
    for (int i = 0; i < 4; i++)
        say_large(60000);
    one_is_cut(fd);
}

/* It acknowledges nothing from here on, as if the network had gone. */
static void go_dead(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &nothing};
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
}

static void dead_peers_are_cut(void **state)
{
    int fd = net_connect();
    net_send(fd, STREAM);
    net_read(fd, "event: connected\n\n", NULL);
    go_dead(fd);
    say();
    one_is_cut(fd);
}

/* Nothing is owed to it, so nothing can be told of it. */
static void quiet_peers_are_left_alone(void **state)
{
    int fd = net_connect();
    net_send(fd, STREAM);
    net_read(fd, "event: connected\n\n", NULL);
    usleep(2 * IMPATIENT_MS * 1000);
    none_is_cut();
    stream_works(fd);
}

/* What is left of the window never holds all that the kernel wants to send at once. */
static void peers_that_take_little_are_not_cut(void **state)
{
    enum { PAUSE_MS = 250 };
    static char piece[6000];
    int fd = small_reader();
    for (int i = 0; i < 4; i++)
        say_large(60000);
    for (int i = 0; i < 2 * IMPATIENT_MS / PAUSE_MS; i++) {
        usleep(PAUSE_MS * 1000);
        assert_true(recv(fd, piece, sizeof(piece), MSG_DONTWAIT) > 0);
    }
    none_is_cut();
    net_wait_streams(1);
    close(fd);
    net_wait_streams(0);
    net_wait_connections(0);
}

static void stray_bytes_are_bounded(void **state)
{
    static char filler[4096];
    int fd = net_connect();
    net_send(fd, STREAM);
    net_read(fd, "event: connected\n\n", NULL);
    for (int i = 0; i < 15; i++)
        assert_int_equal(send(fd, filler, sizeof(filler), MSG_NOSIGNAL), sizeof(filler));
    say();
    net_read(fd, "data: x\n", NULL);
    for (int i = 0; i < 4; i++)
        if (send(fd, filler, sizeof(filler), MSG_NOSIGNAL) < 0)
            break;
    net_wait_streams(0);
    close(fd);
    net_wait_connections(0);
}

static void streams_are_cut(void **state)
{
    int fd = net_connect(), was_reset;
    net_send(fd, STREAM);
    net_read(fd, "event: connected\n\n", NULL);
    net_ask("POST /cut" CLOSE "\r\n");
    assert_string_equal(net_read(fd, NULL, &was_reset), "");
    close(fd);
    net_wait_streams(0);
    net_wait_connections(0);
}

/* More than two slices of them. */
static void many_streams(void **state)
{
    enum { COUNT = 700 };
    static int fds[COUNT];
    for (int i = 0; i < COUNT; i++) {
        fds[i] = net_connect();
        net_send(fds[i], STREAM);
    }
    net_wait_streams(COUNT);
    for (int i = 0; i < COUNT; i++)
        net_read(fds[i], "event: connected\n\n", NULL);
    say();
    for (int i = 0; i < COUNT; i++)
        net_read(fds[i], "data: x\n", NULL);
    end();
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(net_read(fds[i], NULL, NULL), "");
        close(fds[i]);
    }
    net_wait_streams(0);
    net_wait_connections(0);
}

/* -- parked requests ------------------------------------------------------------------------ */

static void parked_request_is_answered(void **state)
{
    static const char *const requests[] = {"GET /park" H "\r\n", HELLO "GET /park" H "\r\n",
                                           "GET /park" H "\r\n" HELLO,
                                           "POST /park" H "Content-Length: 1\r\n\r\na",
                                           "GET /park HTTP/1.0\r\n\r\n"};
    for (size_t i = 0; i < array_count(requests); i++) {
        int fd = net_connect(), was_reset;
        net_send(fd, requests[i]);
        net_wait_waiting(1);
        net_ask("GET /go" CLOSE "\r\n");
        const char *text = net_read(fd, NULL, &was_reset);
        assert_non_null(strstr(text, "Content-Length: 4\r\n"));
        assert_non_null(strstr(text, "Connection: close\r\n"));
        assert_non_null(strstr(text, "X-Test: yes\r\n"));
        assert_non_null(strstr(text, "\r\n\r\nwent"));
        assert_int_equal(was_reset, 0);
        close(fd);
        net_wait_connections(0);
    }
}

static void parked_peer_that_leaves_is_noticed(void **state)
{
    for (int how = 0; how < 3; how++) {
        int fd = net_connect();
        net_send(fd, "GET /park" H "\r\n");
        net_wait_waiting(1);
        leave(fd, how);
        net_wait_waiting(0);
        assert_int_equal(net_gone_count(), how + 1);
        net_wait_connections(0);
    }
}

static int set_up(void **state)
{
    struct settings settings = net_settings();
    net_start(&settings);
    return 0;
}

static int tear_down(void **state)
{
    net_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define IMPATIENT(name) cmocka_unit_test_setup_teardown(name, start_impatient, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_come_out_whole),
        TEST(stream_after_suspension),
        TEST(head_of_a_stream),
        TEST(peers_leave_at_any_moment),
        TEST(suspended_peers_leave),
        TEST(a_delivery_is_one_write),
        TEST(slow_readers_get_all),
        IMPATIENT(peers_that_take_nothing_are_cut),
        IMPATIENT(dead_peers_are_cut),
        IMPATIENT(quiet_peers_are_left_alone),
        IMPATIENT(peers_that_take_little_are_not_cut),
        TEST(stray_bytes_are_bounded),
        TEST(streams_are_cut),
        TEST(many_streams),
        TEST(parked_request_is_answered),
        TEST(parked_peer_that_leaves_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
