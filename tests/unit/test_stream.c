/* Connections that are moved out of libmicrohttpd: streams and parked requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net_server.h"

#define STREAM "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
#define SAY "POST /say HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\ndata: x\n"
#define END "POST /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void stream_is_written_to(void **state)
{
    int fd = net_connect();
    net_send(fd, STREAM);
    const char *text = net_read(fd, "connected\n\n", NULL);
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(text, "Content-Type: text/event-stream\r\n"));
    assert_null(strstr(text, "chunked"));
    net_ask(SAY);
    assert_non_null(strstr(net_read(fd, "data: x\n", NULL), "data: x\n"));
    net_ask(END);
    int reset;
    assert_string_equal(net_read(fd, NULL, &reset), "");
    assert_int_equal(reset, 0);
    close(fd);
    net_wait_streams(0);
    net_wait_connections(0);
}

static void peer_that_closes_is_noticed(void **state)
{
    int fd = net_connect();
    net_send(fd, STREAM);
    net_read(fd, "connected\n\n", NULL);
    net_wait_streams(1);
    close(fd);
    net_wait_streams(0);
    net_wait_connections(0);
}

static void parked_request_is_answered(void **state)
{
    int fd = net_connect();
    net_send(fd, "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
    net_wait_waiting(1);
    net_ask("POST /go HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const char *text = net_read(fd, NULL, NULL);
    assert_non_null(strstr(text, "Content-Length: 4\r\n"));
    assert_non_null(strstr(text, "\r\n\r\nwent"));
    close(fd);
    net_wait_connections(0);
}

static void parked_peer_that_leaves_is_noticed(void **state)
{
    int fd = net_connect();
    net_send(fd, "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
    net_wait_waiting(1);
    close(fd);
    net_wait_waiting(0);
    assert_int_equal(net_gone_count(), 1);
    net_wait_connections(0);
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
        TEST(stream_is_written_to),
        TEST(peer_that_closes_is_noticed),
        TEST(parked_request_is_answered),
        TEST(parked_peer_that_leaves_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
