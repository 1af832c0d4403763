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

#include "net_server.h"

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
    usleep(20000);
    net_send(fd, "cde");
    assert_non_null(strstr(net_read(fd, "abcde", NULL), " 200 "));
    close(fd);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_on_one_connection, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
