/* Requests and answers over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/deadline.h"
#include "net_server.h"

#define CLOSE "Host: x\r\nConnection: close\r\n"

/* -- requests as they come ------------------------------------------------------------------ */

struct row {
    const char *what;
    const char *request;
    const char *answer;  /* must stand in it */
    const char *missing; /* must not; may be NULL */
};

static const struct row rows[] = {
    {"GET", "GET /hello HTTP/1.1\r\n" CLOSE "\r\n", "HTTP/1.1 200 OK\r\n", NULL},
    {"1.0", "GET /hello HTTP/1.0\r\n\r\n", "\r\n\r\nhello", "chunked"},
    {"HEAD", "HEAD /hello HTTP/1.1\r\n" CLOSE "\r\n", "Content-Length: 5\r\n", "\r\n\r\nhello"},
    {"OPTIONS", "OPTIONS * HTTP/1.1\r\n" CLOSE "\r\n", " 200 ", NULL},
    {"asterisk", "GET * HTTP/1.1\r\n" CLOSE "\r\n", " 400 ", NULL},
    {"absolute", "GET http://a/about?x=1 HTTP/1.1\r\n" CLOSE "\r\n", "query=1", NULL},
    {"other method", "BREW /hello HTTP/1.1\r\n" CLOSE "\r\n", " 200 ", NULL},
    {"query", "GET /about?a=1&&b&c=%20 HTTP/1.1\r\n" CLOSE "\r\n", "query=3", NULL},
    {"escape", "GET /about?a=%4a%C3%a9 HTTP/1.1\r\n" CLOSE "\r\n", "a=J\xc3\xa9.", NULL},
    {"broken escape", "GET /about?a=%4 HTTP/1.1\r\n" CLOSE "\r\n", "a=%4.", NULL},
    {"escaped NUL", "GET /about?a=b%00 HTTP/1.1\r\n" CLOSE "\r\n", "a=b%00.", NULL},
    {"escaped line end", "GET /about?a=%0d%0a HTTP/1.1\r\n" CLOSE "\r\n", "a=%0d%0a.", NULL},
    {"no UTF-8", "GET /about?a=%ff HTTP/1.1\r\n" CLOSE "\r\n", "a=%ff.", NULL},
    {"escaped name", "GET /about?%61=1 HTTP/1.1\r\n" CLOSE "\r\n", "a=1.", NULL},
    {"plus stays", "GET /about?a=1+2 HTTP/1.1\r\n" CLOSE "\r\n", "a=1+2.", NULL},
    {"GET with a body", "GET /hello HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc",
     "\r\n\r\nhello", NULL},
    {"peer", "GET /about HTTP/1.1\r\n" CLOSE "X-Forwarded-For: 9.9.9.9\r\n\r\n",
     "peer=127.0.0.1 secure=0", NULL},
    {"body", "POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc", "\r\n\r\nabc", NULL},
    {"chunks", "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "\r\n\r\nabcde", NULL},
    {"trailer", "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
                "1\r\na\r\n0\r\nX-A: b\r\n\r\n", "\r\n\r\na", NULL},
    {"broken chunk", "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
                     "0x1\r\na\r\n0\r\n\r\n", " 400 ", NULL},
    {"no body", "POST /echo HTTP/1.1\r\n" CLOSE "\r\n", "Content-Length: 0\r\n", NULL},
    {"1.0 with a type but no length", "POST /echo HTTP/1.0\r\nContent-Type: a/b\r\n\r\nabc",
     " 411 ", NULL},
    {"refused before its body", "POST /refuse HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc",
     " 403 ", NULL},
    {"unknown coding", "POST /echo HTTP/1.1\r\n" CLOSE "Content-Encoding: br\r\n"
                       "Content-Length: 3\r\n\r\nabc", " 415 ", NULL},
    {"identity", "POST /echo HTTP/1.1\r\n" CLOSE "Content-Encoding: identity\r\n"
                 "Content-Length: 3\r\n\r\nabc", "\r\n\r\nabc", NULL},
    {"no gzip", "POST /echo HTTP/1.1\r\n" CLOSE "Content-Encoding: gzip\r\n"
                "Content-Length: 3\r\n\r\nabc", " 400 ", NULL},
    {"large JSON", "GET /json HTTP/1.1\r\n" CLOSE "\r\n", "Vary: Accept-Encoding\r\n",
     "Content-Encoding"},
    {"gzip not wanted", "GET /json HTTP/1.1\r\n" CLOSE "Accept-Encoding: br, gzip;q=0\r\n\r\n",
     "Content-Length: 5000\r\n", "Content-Encoding"},
    {"gzip wanted", "GET /json HTTP/1.1\r\n" CLOSE "Accept-Encoding: br, gzip;q=0.5\r\n\r\n",
     "Content-Encoding: gzip\r\n", "Content-Length: 5000"},

    /* Read differently by different readers. */
    {"two lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 0\r\n"
                    "\r\nabcde", " 400 ", NULL},
    {"length and chunks", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\n"
                          "Host: x\r\n\r\n", " 400 ", " 200 "},
    {"blank before the colon", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length : 37\r\n\r\n"
                               "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", " 200 "},
    {"xchunked", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
     " 400 ", NULL},
    {"two encodings", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", " 400 ", NULL},
    {"chunks on 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     " 400 ", NULL},
    {"two hosts", "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", " 400 ", NULL},
    {"no host", "GET /hello HTTP/1.1\r\n\r\n", " 400 ", NULL},
    {"bare CR", "GET /hello HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n", " 400 ", NULL},
    {"NUL in a name", "GET /hello HTTP/1.1\r\nHost: x\r\nX-\x01: b\r\n\r\n", " 400 ", NULL},
    {"folded header", "GET /hello HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n", " 400 ", NULL},
    {"folded last", "GET /hello HTTP/1.1\r\nHost: x\r\n\ty\r\n\r\n", " 400 ", NULL},
    {"bare LF behind the request line", "GET /hello HTTP/1.1\nHost: x\r\n\r\n", " 400 ", NULL},
    {"bare LF behind a header", "GET /hello HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n", " 400 ", NULL},
    {"bare LF behind the last header", "GET /hello HTTP/1.1\r\nHost: x\n\r\n", " 400 ", NULL},
    {"bare LF at the end", "GET /hello HTTP/1.1\r\nHost: x\r\n\n", " 400 ", NULL},
    {"header without a name", "GET /hello HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", " 400 ", NULL},
    {"header without name and value", "GET /hello HTTP/1.1\r\nHost: x\r\n:\r\n\r\n", " 400 ",
     NULL},
    {"two blanks", "GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", NULL},
    {"signed length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde",
     " 400 ", NULL},
    {"list of lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5,5\r\n\r\nabcde",
     " 400 ", NULL},
    {"version 2", "GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", " 505 ", NULL},
};

/* What no text can hold. */
static void a_nul_is_refused(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n";
    int fd = net_connect();
    assert_true(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0);
    assert_non_null(strstr(net_read(fd, NULL, NULL), " 400 "));
    close(fd);
}

static void answers_each_row(void **state)
{
    for (size_t i = 0; i < array_count(rows); i++) {
        int fd = net_connect(), reset;
        net_send(fd, rows[i].request);
        const char *text = net_read(fd, NULL, &reset);
        if (!strstr(text, rows[i].answer) || (rows[i].missing && strstr(text, rows[i].missing)))
            fail_msg("%s: %s", rows[i].what, text);
        if (reset)
            fail_msg("%s: reset after %s", rows[i].what, text);
        close(fd);
    }
    net_wait_connections(0);
}

/* -- connections ---------------------------------------------------------------------------- */

static void answers_on_one_connection(void **state)
{
    int fd = net_connect();
    for (int i = 0; i < 3; i++) {
        net_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        const char *text = net_read(fd, "hello", NULL);
        assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(text, "X-Test: yes\r\n"));
        assert_non_null(strstr(text, "X-Request-Id: "));
    }
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    net_wait_heads(4);
    net_send(fd, "cde");
    assert_non_null(strstr(net_read(fd, "abcde", NULL), " 200 "));
    net_send(fd, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    net_wait_heads(5);
    net_send(fd, "cde");
    assert_non_null(strstr(net_read(fd, "refused", NULL), " 403 "));
    net_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    net_read(fd, "\r\n\r\nhello", NULL);
    close(fd);
    net_wait_connections(0);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    while ((text = strstr(text, part))) {
        text++;
        count++;
    }
    return count;
}

static void answers_pipelined_requests_in_order(void **state)
{
    int fd = net_connect();
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
                 "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb"
                 "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
                 "GET /hello HTTP/1.1\r\n" CLOSE "\r\n");
    net_wait_waiting(1);
    net_ask("GET /go HTTP/1.1\r\n" CLOSE "\r\n");
    const char *text = net_read(fd, NULL, NULL);
    assert_int_equal(count_of(text, " 200 OK"), 4);
    assert_true(strstr(text, "\r\n\r\na") < strstr(text, "\r\n\r\nb"));
    assert_true(strstr(text, "\r\n\r\nb") < strstr(text, "\r\n\r\nwent"));
    assert_true(strstr(text, "\r\n\r\nwent") < strstr(text, "\r\n\r\nhello"));
    close(fd);
    net_wait_connections(0);
}

static void answers_a_half_closed_peer(void **state)
{
    int fd = net_connect();
    net_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    assert_non_null(strstr(net_read(fd, NULL, NULL), "hello"));
    net_wait_connections(0);
    close(fd);
    fd = net_connect();
    net_send(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    net_wait_waiting(1);
    net_ask("GET /go HTTP/1.1\r\n" CLOSE "\r\n");
    assert_non_null(strstr(net_read(fd, NULL, NULL), "went"));
    net_wait_connections(0);
    close(fd);
}

static void many_requests_wait_at_once(void **state)
{
    int fds[40];
    for (size_t i = 0; i < array_count(fds); i++) {
        fds[i] = net_connect();
        net_send(fds[i], "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    net_wait_waiting(40);
    for (size_t i = 0; i < 10; i++)
        close(fds[i]);
    net_ask("GET /go HTTP/1.1\r\n" CLOSE "\r\n");
    for (size_t i = 10; i < array_count(fds); i++) {
        net_read(fds[i], "went", NULL);
        net_send(fds[i], "GET /hello HTTP/1.1\r\n" CLOSE "\r\n");
        net_read(fds[i], "hello", NULL);
        close(fds[i]);
    }
    net_wait_connections(0);
}

static void big_answers_arrive_whole(void **state)
{
    int fd = net_connect();
    net_send(fd, "GET /big HTTP/1.1\r\n" CLOSE "\r\n");
    net_wait_heads(1);
    const char *text = net_read(fd, NULL, NULL);
    assert_int_equal(strlen(strstr(text, "\r\n\r\n") + 4), BIG_BYTES);
    close(fd);
    net_wait_connections(0);
}

/* -- heads ---------------------------------------------------------------------------------- */

static void add_filler(char *text, size_t size, const char *before, size_t len)
{
    size_t at = strlen(text);
    assert_true(at + strlen(before) + len < size);
    memcpy(text + at, before, strlen(before));
    memset(text + at + strlen(before), 'a', len);
    text[at + strlen(before) + len] = '\0';
}

static const char *ask_large(size_t target_len, size_t header_len, size_t header_count)
{
    static char request[100000];
    request[0] = '\0';
    add_filler(request, sizeof(request), "GET /about?a=", target_len);
    add_filler(request, sizeof(request), " HTTP/1.1\r\n" CLOSE, 0);
    for (size_t i = 0; i < header_count; i++) {
        add_filler(request, sizeof(request), "X-A: ", header_len);
        add_filler(request, sizeof(request), "\r\n", 0);
    }
    add_filler(request, sizeof(request), "\r\n", 0);
    int fd = net_connect(), reset;
    net_send(fd, request);
    const char *text = net_read(fd, NULL, &reset);
    close(fd);
    return text;
}

static void heads_are_bounded(void **state)
{
    assert_non_null(strstr(ask_large(8000, 8000, 1), " 200 "));
    assert_non_null(strstr(ask_large(1, 16000, 1), " 200 "));
    assert_non_null(strstr(ask_large(1, 10, 98), " 200 "));
    assert_non_null(strstr(ask_large(9000, 1, 1), " 414 "));
    assert_non_null(strstr(ask_large(1, 17000, 1), " 431 "));
    assert_non_null(strstr(ask_large(1, 10, 101), " 431 "));
    net_wait_connections(0);
}

/* -- deadlines ------------------------------------------------------------------------------ */

static int start_hasty(void **state)
{
    struct settings settings = net_settings();
    settings.http_head_timeout_ms = 300;
    settings.http_idle_timeout_ms = 800;
    settings.http_body_rate_min = 1000;
    net_start(&settings);
    return 0;
}

/* Sends a byte each 50 ms until the server closes; returns after how long, at most 5 s. */
static int64_t dribble(int fd, const char *text)
{
    int64_t start_ms = clock_now_ms();
    char waste[1000];
    for (size_t i = 0; clock_now_ms() - start_ms < 5000; i++) {
        if (text[i % strlen(text)] && send(fd, text + i % strlen(text), 1, MSG_NOSIGNAL) < 0)
            break;
        ssize_t got = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (got == 0)
            break;
        usleep(50000);
    }
    close(fd);
    return clock_now_ms() - start_ms;
}

static void slow_requests_are_cut(void **state)
{
    assert_in_range(dribble(net_connect(), "GET /hello/hello/hello/hello/hello/hello"), 250, 1000);
    int fd = net_connect();
    net_send(fd, "GET /hello HTTP/1.1\r\n");
    assert_in_range(dribble(fd, "X-A: bbbbbbbbbbbbbbbbbbbbbbbbb\r\n"), 250, 1000);
    fd = net_connect();
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n");
    assert_in_range(dribble(fd, "abcdefgh"), 1000, 2500);
    fd = net_connect();
    net_send(fd, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n");
    assert_in_range(dribble(fd, "abcdefgh"), 1000, 2500);
    fd = net_connect();
    net_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    net_read(fd, "hello", NULL);
    assert_in_range(dribble(fd, "GET /hello/hello/hello/hello"), 250, 1500);
    net_wait_connections(0);
}

static void idle_connections_are_closed(void **state)
{
    int fd = net_connect();
    int64_t start_ms = clock_now_ms();
    assert_string_equal(net_read(fd, NULL, NULL), "");
    assert_in_range(clock_now_ms() - start_ms, 700, 1500);
    close(fd);
    fd = net_connect();
    for (int i = 0; i < 4; i++) {
        net_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        net_read(fd, "hello", NULL);
        usleep(500000);
    }
    start_ms = clock_now_ms();
    assert_string_equal(net_read(fd, NULL, NULL), "");
    assert_in_range(clock_now_ms() - start_ms, 150, 1000);
    close(fd);
    net_wait_connections(0);
}

static void waiting_has_no_deadline(void **state)
{
    int fd = net_connect();
    net_send(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    usleep(1500000);
    net_ask("GET /go HTTP/1.1\r\n" CLOSE "\r\n");
    net_read(fd, "went", NULL);
    close(fd);
}

/* -- proxies -------------------------------------------------------------------------------- */

static int start_proxied(void **state)
{
    static char *trusted[] = {(char *)"127.0.0.0/8", (char *)"10.1.0.0/16", (char *)"2001:db8::1"};
    struct settings settings = net_settings();
    settings.http_trusted_proxies = (struct setting_list){trusted, 3};
    net_start(&settings);
    return 0;
}

static void trusted_proxies_name_the_client(void **state)
{
    static const struct {
        const char *headers, *answer;
    } cases[] = {
        {"X-Forwarded-For: 9.9.9.9\r\n", "peer=9.9.9.9 "},
        {"X-Forwarded-For: 6.6.6.6, 9.9.9.9\r\n", "peer=9.9.9.9 "},
        {"X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.1.2.3\r\n", "peer=9.9.9.9 "},
        {"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 9.9.9.9,10.1.2.3\r\n", "peer=9.9.9.9 "},
        {"X-Forwarded-For: 9.9.9.9, 10.2.0.1\r\n", "peer=10.2.0.1 "},
        {"X-Forwarded-For: 9.9.9.9:1234\r\n", "peer=9.9.9.9 "},
        {"X-Forwarded-For: [2001:db8::7]:80, 2001:DB8:0::1\r\n", "peer=2001:db8::7 "},
        {"X-Forwarded-For: 10.1.1.1\r\n", "peer=10.1.1.1 "},
        {"X-Forwarded-For: x, 10.1.1.1\r\n", "peer=10.1.1.1 "},
        {"X-Forwarded-For: evil\r\n", "peer=127.0.0.1 "},
        {"X-Forwarded-For: \r\n", "peer=127.0.0.1 "},
        {"X-Forwarded-Proto: https\r\n", "secure=1"},
        {"X-Forwarded-Proto: http\r\n", "secure=0"},
        {"X-Request-Id: abc-1.Z_\r\n", "id=abc-1.Z_"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        char request[300];
        snprintf(request, sizeof(request), "GET /about HTTP/1.1\r\n" CLOSE "%s\r\n",
                 cases[i].headers);
        const char *text = net_ask(request);
        if (!strstr(text, cases[i].answer))
            fail_msg("%s: %s", cases[i].headers, text);
    }
    const char *text = net_ask("GET /about HTTP/1.1\r\n" CLOSE "X-Request-Id: a\"b\r\n\r\n");
    assert_non_null(strstr(text, "id="));
    assert_null(strstr(text, "a\"b"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_each_row),
        TEST(a_nul_is_refused),
        TEST(answers_on_one_connection),
        TEST(answers_pipelined_requests_in_order),
        TEST(answers_a_half_closed_peer),
        TEST(many_requests_wait_at_once),
        TEST(big_answers_arrive_whole),
        TEST(heads_are_bounded),
        cmocka_unit_test_setup_teardown(slow_requests_are_cut, start_hasty, tear_down),
        cmocka_unit_test_setup_teardown(idle_connections_are_closed, start_hasty, tear_down),
        cmocka_unit_test_setup_teardown(waiting_has_no_deadline, start_hasty, tear_down),
        cmocka_unit_test_setup_teardown(trusted_proxies_name_the_client, start_proxied, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
