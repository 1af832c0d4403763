/* Bodies: too large, expected, gzipped, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/attr.h"
#include "net_server.h"

#define CLOSE "Host: x\r\nConnection: close\r\n"

static void send_filler(int fd, size_t len)
{
    static char filler[65536];
    memset(filler, 'x', sizeof(filler));
    while (len > 0) {
        size_t part = len < sizeof(filler) ? len : sizeof(filler);
        ssize_t sent = send(fd, filler, part, MSG_NOSIGNAL);
        assert_true(sent > 0);
        len -= (size_t)sent;
    }
}

static void too_large_a_body_is_told(void **state)
{
    int fd = net_connect();
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
    send_filler(fd, 3000000);
    assert_non_null(strstr(net_read(fd, "BODY_TOO_LARGE", NULL), " 413 "));
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "30d40\r\n");
    send_filler(fd, 200000);
    net_send(fd, "\r\n0\r\n\r\n");
    assert_non_null(strstr(net_read(fd, "BODY_TOO_LARGE", NULL), " 413 "));
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    send_filler(fd, 100000);
    assert_non_null(strstr(net_read(fd, "xxxxx", NULL), " 200 "));
    close(fd);
    net_wait_connections(0);
}

static void far_too_large_a_body_is_told_and_cut(void **state)
{
    int fd = net_connect(), reset;
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\nabc");
    assert_non_null(strstr(net_read(fd, NULL, &reset), " 413 "));
    assert_int_equal(reset, 0);
    close(fd);
    fd = net_connect();
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1100000\r\n");
    send_filler(fd, 0x1100000);
    assert_non_null(strstr(net_read(fd, NULL, &reset), " 413 "));
    assert_int_equal(reset, 0);
    close(fd);
    net_wait_connections(0);
}

static void expectations_are_met(void **state)
{
    int fd = net_connect();
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                 "Content-Length: 3\r\n\r\n");
    net_read(fd, "HTTP/1.1 100 Continue\r\n\r\n", NULL);
    net_send(fd, "abc");
    net_read(fd, "\r\n\r\nabc", NULL);
    close(fd);
    static const char *const refused[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n",
        "POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"};
    for (size_t i = 0; i < array_count(refused); i++) {
        fd = net_connect();
        net_send(fd, refused[i]);
        const char *text = net_read(fd, NULL, NULL);
        assert_null(strstr(text, " 100 "));
        assert_non_null(strstr(text, "HTTP/1.1 4"));
        assert_non_null(strstr(text, "Connection: close\r\n"));
        close(fd);
    }
    net_wait_connections(0);
}

static size_t gzip(char *ret, size_t size, const char *data, size_t len)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, 0), Z_OK);
    stream.next_in = (Bytef *)data;
    stream.avail_in = (uInt)len;
    stream.next_out = (Bytef *)ret;
    stream.avail_out = (uInt)size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

static const char *ask_gzip(const char *body, size_t len)
{
    char head[200];
    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\n" CLOSE "Content-Encoding: gzip\r\n"
             "Content-Length: %zu\r\n\r\n", len);
    int fd = net_connect();
    net_send(fd, head);
    assert_int_equal(send(fd, body, len, MSG_NOSIGNAL), (ssize_t)len);
    const char *text = net_read(fd, NULL, NULL);
    close(fd);
    return text;
}

static void gzip_bodies_are_bounded_by_what_they_expand_to(void **state)
{
    static char plain[20000000], packed[100000];
    memset(plain, 'a', sizeof(plain));
    size_t len = gzip(packed, sizeof(packed), plain, 5);
    assert_non_null(strstr(ask_gzip(packed, len), "\r\n\r\naaaaa"));
    assert_non_null(strstr(ask_gzip(packed, len - 9), " 400 "));
    size_t twice = len + gzip(packed + len, sizeof(packed) - len, plain, 3);
    assert_non_null(strstr(ask_gzip(packed, twice), "\r\n\r\naaaaaaaa"));
    packed[len] = 'x';
    assert_non_null(strstr(ask_gzip(packed, len + 1), " 400 "));
    len = gzip(packed, sizeof(packed), plain, 100000);
    const char *text = ask_gzip(packed, len);
    assert_int_equal(strlen(strstr(text, "\r\n\r\n") + 4), 100000);
    len = gzip(packed, sizeof(packed), plain, 100001);
    assert_non_null(strstr(ask_gzip(packed, len), " 413 "));
    len = gzip(packed, sizeof(packed), plain, sizeof(plain));
    assert_non_null(strstr(ask_gzip(packed, len), " 413 "));
}

static void answers_are_gzipped(void **state)
{
    static char text[6000];
    int fd = net_connect();
    net_send(fd, "GET /json HTTP/1.1\r\n" CLOSE "Accept-Encoding: gzip\r\n\r\n");
    size_t len = 0;
    ssize_t got;
    while ((got = recv(fd, text + len, sizeof(text) - len, 0)) > 0)
        len += (size_t)got;
    close(fd);
    char *body = memmem(text, len, "\r\n\r\n", 4);
    assert_non_null(body);
    char plain[6000];
    z_stream stream = {.next_in = (Bytef *)body + 4,
                       .avail_in = (uInt)(text + len - body - 4),
                       .next_out = (Bytef *)plain,
                       .avail_out = sizeof(plain)};
    assert_int_equal(inflateInit2(&stream, 31), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, 5000);
    inflateEnd(&stream);
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
        TEST(too_large_a_body_is_told),
        TEST(far_too_large_a_body_is_told_and_cut),
        TEST(expectations_are_met),
        TEST(gzip_bodies_are_bounded_by_what_they_expand_to),
        TEST(answers_are_gzipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
