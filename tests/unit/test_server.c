/* The server as a whole: its limit of connections, its descriptors, its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/deadline.h"
#include "net/drain.h"
#include "net_server.h"

#define H " HTTP/1.1\r\nHost: x\r\n"
#define CLOSE H "Connection: close\r\n"
#define STREAM "GET /stream" H "\r\n"

static int start_with(int connections, int reserve)
{
    struct settings settings = net_settings();
    settings.limits_connections = connections;
    settings.limits_connections_reserve = reserve;
    net_start(&settings);
    return 0;
}

static int start_one(void **state)
{
    return start_with(1, 0);
}

static int start_eight(void **state)
{
    return start_with(8, 3);
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

/* -- the limit ------------------------------------------------------------------------------ */

static void one_connection_at_a_time(void **state)
{
    for (int i = 0; i < 20; i++) {
        int first = net_connect(), second, reset;
        net_send(first, i % 2 ? STREAM : "GET /hello" H "\r\n");
        net_read(first, i % 2 ? "connected\n\n" : "hello", NULL);
        assert_false(server_is_full(net_server()));
        second = net_connect();
        net_send(second, "GET /hello" H "\r\n");
        const char *text = net_read(second, NULL, &reset);
        assert_non_null(strstr(text, "HTTP/1.1 503 "));
        assert_non_null(strstr(text, "too_many_connections"));
        assert_int_equal(reset, 0);
        close(second);
        close(first);
        net_wait_connections(0);
        assert_non_null(strstr(net_ask("GET /hello" CLOSE "\r\n"), "hello"));
        net_wait_connections(0);
    }
}

static void the_reserve_is_told(void **state)
{
    int fds[9];
    for (int i = 0; i < 8; i++) {
        fds[i] = net_connect();
        net_send(fds[i], "GET /hello" H "\r\n");
        assert_non_null(strstr(net_read(fds[i], "hello", NULL), " 200 "));
        assert_int_equal(server_is_full(net_server()), i + 1 > 5);
    }
    fds[8] = net_connect();
    assert_non_null(strstr(net_read(fds[8], NULL, NULL), " 503 "));
    for (int i = 0; i < 9; i++)
        close(fds[i]);
    net_wait_connections(0);
    assert_false(server_is_full(net_server()));
}

/* -- descriptors ---------------------------------------------------------------------------- */

/* With none left, newcomers are refused rather than left hanging, streams are told they cannot be
 * had, and all is well once there are some again. */
static void out_of_descriptors(void **state)
{
    int kept = net_connect(), waiting = net_connect(), newcomer = net_connect();
    net_send(kept, "GET /hello" H "\r\n");
    net_read(kept, "hello", NULL);
    net_send(waiting, "GET /hello" H "\r\n");
    net_read(waiting, "hello", NULL);
    net_wait_connections(3);
    int fillers[4096], count = 0, last = -1, spare = socket(AF_INET, SOCK_STREAM, 0);
    struct rlimit files, few;
    getrlimit(RLIMIT_NOFILE, &files);
    last = dup(0);
    few = files;
    few.rlim_cur = (rlim_t)last + 8;
    setrlimit(RLIMIT_NOFILE, &few);
    while (count < 4096 && (fillers[count] = dup(0)) >= 0)
        count++;

    struct timeval patience = {.tv_sec = 5};
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    getpeername(kept, (struct sockaddr *)&address, &len);
    setsockopt(spare, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(spare, (struct sockaddr *)&address, len), 0);
    assert_non_null(strstr(net_read(spare, NULL, NULL), " 503 "));

    net_send(kept, STREAM);
    assert_non_null(strstr(net_read(kept, NULL, NULL), "event: busy\n\n"));
    net_wait_streams(0);
    net_send(waiting, "GET /park" H "\r\n");
    net_wait_waiting(1);
    net_send(newcomer, "GET /go" H "\r\n");
    net_read(newcomer, "gone", NULL);
    assert_non_null(strstr(net_read(waiting, "went", NULL), " 200 "));

    while (count > 0)
        close(fillers[--count]);
    setrlimit(RLIMIT_NOFILE, &files);
    close(last);
    close(spare);
    close(kept);
    close(waiting);
    close(newcomer);
    net_wait_connections(0);
    assert_non_null(strstr(net_ask("GET /hello" CLOSE "\r\n"), "hello"));
}

/* -- the end -------------------------------------------------------------------------------- */

static int start_draining(void **state)
{
    struct settings settings = net_settings();
    settings.drain_notice_ms = 300;
    settings.drain_spread_ms = 500;
    net_start(&settings);
    return 0;
}

static void wait_state(enum server_state wanted)
{
    for (int i = 0; i < 1000 && server_state(net_server()) < wanted; i++)
        usleep(2000);
    assert_true(server_state(net_server()) >= wanted);
}

static void drains_in_steps(void **state)
{
    int stream = net_connect(), parked = net_connect(), idle = net_connect(), reset;
    net_send(stream, STREAM);
    net_read(stream, "connected\n\n", NULL);
    net_send(parked, "GET /park" H "\r\n");
    net_wait_waiting(1);
    net_send(idle, "GET /hello" H "\r\n");
    net_read(idle, "hello", NULL);
    net_stop_soon();
    wait_state(SERVER_NOTICE);
    /* All goes on as before. */
    net_send(idle, "GET /hello" H "\r\n");
    assert_null(strstr(net_read(idle, "hello", NULL), "Connection: close"));
    net_ask("POST /say" CLOSE "Content-Length: 8\r\n\r\ndata: x\n");
    net_read(stream, "data: x\n", NULL);
    wait_state(SERVER_ENDING);
    assert_string_equal(net_read(stream, NULL, &reset), "event: reconnect\n\n");
    assert_int_equal(reset, 0);
    assert_non_null(strstr(net_read(parked, NULL, &reset), "went"));
    assert_int_equal(reset, 0);
    close(stream);
    close(parked);
    net_send(idle, "GET /hello" H "\r\n");
    assert_non_null(strstr(net_read(idle, NULL, &reset), "Connection: close"));
    assert_int_equal(reset, 0);
    close(idle);
    net_join();
}

static void nothing_is_waited_for_when_there_is_nothing(void **state)
{
    struct settings settings = net_settings();
    settings.drain_spread_ms = 10000;
    int64_t start_ms = clock_now_ms();
    net_start(&settings);
    net_stop();
    assert_in_range(clock_now_ms() - start_ms, 0, 1500);
}

static void a_second_stop_ends_at_once(void **state)
{
    struct settings settings = net_settings();
    settings.drain_notice_ms = 60000;
    net_start(&settings);
    int stream = net_connect(), waiting = net_connect(), parked = net_connect();
    net_send(stream, STREAM);
    net_read(stream, "connected\n\n", NULL);
    net_send(waiting, "GET /wait" H "\r\n");
    net_send(parked, "GET /park" H "\r\n");
    net_wait_waiting(2);
    int64_t start_ms = clock_now_ms();
    net_stop_soon();
    wait_state(SERVER_NOTICE);
    net_forget_waiting();
    net_stop();
    assert_in_range(clock_now_ms() - start_ms, 0, 2000);
    close(stream);
    close(waiting);
    close(parked);
}

static void signals_stop_it(void **state)
{
    struct settings settings = net_settings();
    net_start(&settings);
    kill(getpid(), SIGHUP);
    net_wait_reloads(1);
    assert_int_equal(server_state(net_server()), SERVER_SERVING);
    kill(getpid(), SIGTERM);
    net_join();
}

/* Clients that ask without end while one server follows another on the same port: none is reset
 * or refused. */
static atomic_bool asking;
static atomic_int asked;

static void *ask_on(void *context)
{
    struct sockaddr_storage *address = context;
    struct timeval patience = {.tv_sec = 5};
    char text[2000];
    while (atomic_load(&asking)) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        bool fine = connect(fd, (struct sockaddr *)address, sizeof(struct sockaddr_in)) == 0;
        const char *request = "GET /hello" CLOSE "\r\n";
        fine = fine && send(fd, request, strlen(request), MSG_NOSIGNAL) > 0;
        size_t len = 0;
        ssize_t got = 0;
        while (fine && (got = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
            len += (size_t)got;
        text[len] = '\0';
        close(fd);
        if (!fine || got < 0 || !strstr(text, "hello"))
            return (void *)"a request was lost";
        atomic_fetch_add(&asked, 1);
    }
    return NULL;
}

/* Until so many more were answered. */
static void wait_asked(int count)
{
    int goal = atomic_load(&asked) + count;
    for (int i = 0; i < 1000 && atomic_load(&asked) < goal; i++)
        usleep(2000);
    assert_true(atomic_load(&asked) >= goal);
}

static void a_second_server_takes_over(void **state)
{
    struct settings settings = net_settings();
    net_start(&settings);
    int probe = net_connect();
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    getpeername(probe, (struct sockaddr *)&address, &len);
    close(probe);
    char name[40];
    snprintf(name, sizeof(name), "127.0.0.1:%d", net_port());
    char *names[] = {name};
    settings.server_listen = (struct setting_list){names, 1};
    pthread_t threads[4];
    void *fault;
    atomic_store(&asking, true);
    for (size_t i = 0; i < array_count(threads); i++)
        pthread_create(&threads[i], NULL, ask_on, &address);
    for (int i = 0; i < 5; i++) {
        wait_asked(20);
        net_hand_on(&settings);
    }
    atomic_store(&asking, false);
    for (size_t i = 0; i < array_count(threads); i++) {
        pthread_join(threads[i], &fault);
        if (fault)
            fail_msg("%s", (char *)fault);
    }
    assert_true(atomic_load(&asked) > 100);
    net_stop();
}

static void drain_goes_its_way(void **state)
{
    struct drain drain = {.notice_ms = 100, .spread_ms = 1000};
    struct drain_load load = {.told = true, .busy = 1, .connections = 1};
    assert_int_equal(drain_next(&drain, SERVER_SERVING, &load, 0), SERVER_SERVING);
    load.stops = 1;
    assert_int_equal(drain_next(&drain, SERVER_SERVING, &load, 50), SERVER_NOTICE);
    assert_int_equal(drain_next(&drain, SERVER_NOTICE, &load, 149), SERVER_NOTICE);
    assert_int_equal(drain_next(&drain, SERVER_NOTICE, &load, 150), SERVER_ENDING);
    load.told = false;
    load.busy = 0;
    assert_int_equal(drain_next(&drain, SERVER_ENDING, &load, 200), SERVER_ENDING);
    load.told = true;
    load.busy = 1;
    assert_int_equal(drain_next(&drain, SERVER_ENDING, &load, 1149 + DRAIN_GRACE_MS),
                     SERVER_ENDING);
    assert_int_equal(drain_next(&drain, SERVER_ENDING, &load, 1150 + DRAIN_GRACE_MS),
                     SERVER_CLOSING);
    assert_int_equal(drain_next(&drain, SERVER_CLOSING, &load, 6000), SERVER_CLOSING);
    load.connections = 0;
    assert_int_equal(drain_next(&drain, SERVER_CLOSING, &load, 6000), SERVER_CLOSING);
    load.busy = 0;
    assert_int_equal(drain_next(&drain, SERVER_CLOSING, &load, 6000), SERVER_STOPPED);
    load.stops = 2;
    assert_int_equal(drain_next(&drain, SERVER_NOTICE, &load, 6000), SERVER_STOPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_connection_at_a_time, start_one, tear_down),
        cmocka_unit_test_setup_teardown(the_reserve_is_told, start_eight, tear_down),
        cmocka_unit_test_setup_teardown(out_of_descriptors, set_up, tear_down),
        cmocka_unit_test_setup(drains_in_steps, start_draining),
        cmocka_unit_test(nothing_is_waited_for_when_there_is_nothing),
        cmocka_unit_test(a_second_stop_ends_at_once),
        cmocka_unit_test(signals_stop_it),
        cmocka_unit_test(a_second_server_takes_over),
        cmocka_unit_test(drain_goes_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
