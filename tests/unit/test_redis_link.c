/* A link to a real Redis: how it comes up, goes down and comes back. */
#include "redis_link_test.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLOCK_MS 10 /* by which timers may come early: the clock of the loop is a coarse one */

/* -- coming up ------------------------------------------------------------------------------ */

static void assert_greeted(void)
{
    struct redisReply *info = redis_server_ask(&server, "INFO server");
    char id[32];
    struct span run_id = redis_link_run_id(link_);
    int64_t skew_ms = clock_now_ms() + redis_link_clock_offset_ms(link_) - clock_wall_ms();
    assert_int_equal(run_id.len, REDIS_RUN_ID_BYTES);
    assert_non_null(memmem(info->str, info->len, run_id.data, run_id.len));
    freeReplyObject(info);
    assert_true(skew_ms > -500 && skew_ms < 500);
    snprintf(id, sizeof(id), "%lld", (long long)redis_link_client_id(link_));
    struct answered answered = tell("CLIENT ID");
    assert_int_equal(answered.number, redis_link_client_id(link_));
}

static void test_comes_up(void **state)
{
    const struct redis_host hosts[] = {socket_host(&server), port_host(server.port)};
    for (int i = 0; i < 2; i++) {
        link_ = make_link(&hosts[i], true);
        assert_false(redis_link_is_up(link_));
        assert_string_equal(redis_link_why(link_), "not connected yet");
        assert_int_equal(redis_link_run_id(link_).len, 0);
        assert_int_equal(try_ask("PING", LIMIT_MS, NULL), ERR_UNAVAILABLE);
        WAIT_UNTIL(ups == i + 1);
        assert_greeted();
        assert_tells("PING", "PONG");
        link_ = redis_link_free(link_);
    }
    assert_int_equal(downs, 0);
}

static void test_database(void **state)
{
    url.database = 3;
    open_link(true);
    assert_tells("SET a b", "OK");
    struct redisContext *redis = redis_server_connect(&server);
    freeReplyObject(redisCommand(redis, "SELECT 3"));
    redisReply *reply = redisCommand(redis, "GET a");
    assert_string_equal(reply->str, "b");
    freeReplyObject(reply);
    redisFree(redis);
    link_ = redis_link_free(link_);
    url.database = 15;
    server.args[0] = "--databases";
    server.args[1] = "2";
    redis_server_restart(&server);
    struct redis_host host = socket_host(&server);
    link_ = make_link(&host, true);
    WAIT_UNTIL(strstr(redis_link_why(link_), "DB index is out of range"));
}

/* -- AUTH ----------------------------------------------------------------------------------- */

/* What is logged meanwhile. */
static int log_begin(int *real)
{
    int log = memfd_create("log", MFD_CLOEXEC);
    *real = dup(STDERR_FILENO);
    assert_true(log >= 0 && *real >= 0);
    dup2(log, STDERR_FILENO);
    return log;
}

static void log_end(int log, int real, char *text, size_t size)
{
    dup2(real, STDERR_FILENO);
    close(real);
    ssize_t len = pread(log, text, size - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    close(log);
}

/* `why`: NULL, it comes up. */
static void try_login(const char *user, const char *password, const char *why)
{
    struct redis_host host = socket_host(&server);
    char text[4096];
    int real, before = ups, log = log_begin(&real);
    snprintf(url.user, sizeof(url.user), "%s", user);
    snprintf(url.password, sizeof(url.password), "%s", password);
    link_ = make_link(&host, true);
    if (why)
        WAIT_UNTIL(strstr(redis_link_why(link_), why));
    else
        WAIT_UNTIL(ups == before + 1);
    link_ = redis_link_free(link_);
    log_end(log, real, text, sizeof(text));
    assert_true(ups == (why ? before : before + 1));
    assert_true(why ? strstr(text, why) != NULL : *text == '\0');
    assert_true(!*password || !strstr(text, password));
}

static void test_auth(void **state)
{
    freeReplyObject(redis_server_ask(&server, "ACL SETUSER bob on >builder ~* +@all"));
    freeReplyObject(redis_server_ask(&server, "ACL SETUSER eve on nopass ~* +@all -info"));
    freeReplyObject(redis_server_ask(&server, "CONFIG SET requirepass sesame"));
    try_login("", "sesame", NULL);
    try_login("default", "sesame", NULL);
    try_login("bob", "builder", NULL);
    try_login("", "", "NOAUTH");
    try_login("", "sesam", "user or password is wrong");
    try_login("bob", "sesame", "user or password is wrong");
    try_login("nobody", "sesame", "user or password is wrong");
    try_login("eve", "", "NOPERM");
    try_login("eve", "anything", "NOPERM");
}

static void test_auth_not_wanted(void **state)
{
    try_login("", "sesame", "AUTH is refused: ERR");
}

/* Its error repeats the arguments. */
static void test_auth_not_known(void **state)
{
    server.args[0] = "--rename-command";
    server.args[1] = "AUTH";
    server.args[2] = "";
    redis_server_restart(&server);
    try_login("bob", "builder", "AUTH is refused: ERR");
}

/* -- nobody there --------------------------------------------------------------------------- */

static void test_starts_later(void **state)
{
    const struct redis_host hosts[] = {socket_host(&server), port_host(server.port)};
    for (int i = 0; i < 2; i++) {
        redis_server_kill(&server);
        link_ = make_link(&hosts[i], true);
        WAIT_UNTIL(strstr(redis_link_why(link_), "Connection refused"));
        assert_int_equal(try_ask("PING", LIMIT_MS, NULL), ERR_UNAVAILABLE);
        turn_for(300);
        assert_int_equal(ups, i);
        redis_server_restart(&server);
        WAIT_UNTIL(ups == i + 1);
        assert_tells("PING", "PONG");
        link_ = redis_link_free(link_);
    }
    assert_int_equal(downs, 0);
}

static void test_no_such_place(void **state)
{
    struct redis_host host = {.name = "/tmp/no/such/socket"};
    link_ = make_link(&host, true);
    WAIT_UNTIL(strstr(redis_link_why(link_), "No such file"));
    redis_link_free(link_);
    host = (struct redis_host){.name = "host.invalid", .port = 1};
    link_ = make_link(&host, true);
    WAIT_UNTIL(strstr(redis_link_why(link_), "ame")); /* as the resolver calls it */
}

static int listen_at(int *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* The kernel drops what asks to connect while nobody accepts. */
static void test_black_hole(void **state)
{
    int port, fillers[8];
    int fd = listen_at(&port, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    struct redis_host host = port_host(port);
    int64_t start_ms = clock_now_ms();
    link_ = make_link(&host, true);
    WAIT_UNTIL(strcmp(redis_link_why(link_), "no connection in time") == 0);
    int64_t took_ms = clock_now_ms() - start_ms;
    if (took_ms < CONNECT_MS - CLOCK_MS || took_ms > CONNECT_MS + 1000)
        fail_msg("it took %lld ms", (long long)took_ms);
    turn_for(CONNECT_MS); /* and in the middle of the next attempt */
    link_ = redis_link_free(link_);
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(fd);
}

/* It accepts, and says nothing; or what is no Redis. */
static void test_no_redis(void **state)
{
    static const struct {
        const char *says, *why;
    } rows[] = {
        {NULL, "no greeting in time"},
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error"},
        {"-ERR max number of clients reached\r\n", "max number of clients"},
        {"+OK\r\n", "an unexpected answer"},
        {"$2\r\nhi\r\n", "INFO tells no run_id"},
    };
    for (int i = 0; i < 5; i++) {
        int port, peer, fd = listen_at(&port, 8);
        struct redis_host host = port_host(port);
        link_ = make_link(&host, true);
        WAIT_UNTIL((peer = accept(fd, NULL, NULL)) >= 0);
        char greeting[16];
        if (i > 0)
            WAIT_UNTIL(recv(peer, greeting, sizeof(greeting), MSG_DONTWAIT) > 0);
        if (rows[i].says)
            assert_true(write(peer, rows[i].says, strlen(rows[i].says)) > 0);
        WAIT_UNTIL(strstr(redis_link_why(link_), rows[i].why));
        link_ = redis_link_free(link_);
        close(peer);
        close(fd);
    }
    assert_int_equal(ups, 0);
}

/* -- pauses --------------------------------------------------------------------------------- */

/* Accepts and hangs up, `count` times; tells when. */
static void count_attempts(int fd, int count, int64_t *at_ms)
{
    for (int i = 0; i < count; i++) {
        int peer;
        WAIT_UNTIL((peer = accept(fd, NULL, NULL)) >= 0);
        at_ms[i] = clock_now_ms();
        close(peer);
    }
}

static void test_pauses(void **state)
{
    static const int64_t pauses_ms[] = {50, 100, 200, 400, 800, 1600, 2000, 2000};
    int64_t at_ms[9];
    int port, fd = listen_at(&port, 8);
    struct redis_host host = port_host(port);
    link_ = make_link(&host, true);
    count_attempts(fd, 9, at_ms);
    for (int i = 0; i < 8; i++) {
        int64_t gap_ms = at_ms[i + 1] - at_ms[i];
        if (gap_ms < pauses_ms[i] / 2 - CLOCK_MS || gap_ms > pauses_ms[i] + 500)
            fail_msg("pause %d took %lld ms", i, (long long)gap_ms);
    }
    close(fd);
}

/* A node's links, and other nodes, do not all come at the same moment. */
static void test_jitter(void **state)
{
    int64_t low_ms = INT64_MAX, high_ms = 0;
    for (int i = 0; i < 8; i++) {
        int64_t at_ms[5];
        int port, fd = listen_at(&port, 8);
        struct redis_host host = port_host(port);
        link_ = make_link(&host, true);
        count_attempts(fd, 5, at_ms);
        int64_t gap_ms = at_ms[4] - at_ms[3];
        low_ms = gap_ms < low_ms ? gap_ms : low_ms;
        high_ms = gap_ms > high_ms ? gap_ms : high_ms;
        link_ = redis_link_free(link_);
        close(fd);
    }
    assert_true(high_ms - low_ms > 20);
}

static void cut(void)
{
    redis_link_cut(link_, "of no use");
}

/* One that comes up each time, and is of no use each time. */
static void test_pauses_of_no_use(void **state)
{
    struct redis_host host = socket_host(&server);
    then_up = cut;
    link_ = make_link(&host, true);
    turn_for(2000);
    assert_true(ups >= 4 && ups <= 8);
    assert_int_equal(downs, ups);
    then_up = NULL;
    WAIT_UNTIL(redis_link_is_up(link_));
    turn_for(2200);
    int before = ups;
    int64_t start_ms = clock_now_ms();
    redis_link_cut(link_, "of no use");
    WAIT_UNTIL(ups > before); /* it had been up for long: at once */
    assert_true(clock_now_ms() - start_ms < 1000);
}

/* -- moving --------------------------------------------------------------------------------- */

static void test_move(void **state)
{
    struct redis_server second;
    char first_id[REDIS_RUN_ID_BYTES + 1];
    struct answered under_way = {.times = 0};
    redis_server_start(&second, NULL);
    freeReplyObject(redis_server_ask(&second, "REPLICAOF 127.0.0.1 1"));
    struct redis_host hosts[] = {socket_host(&server), socket_host(&second)};
    open_link(true);
    snprintf(first_id, sizeof(first_id), "%.*s", SPAN_ARGS(redis_link_run_id(link_)));
    redis_link_move(link_, &hosts[0]);
    assert_true(redis_link_is_up(link_));
    ask("DEBUG SLEEP 0.2", LIMIT_MS, &under_way);
    redis_link_move(link_, &hosts[1]);
    assert_int_equal(under_way.err, ERR_UNAVAILABLE);
    assert_string_equal(redis_link_why(link_), "another server took over");
    WAIT_UNTIL(strcmp(redis_link_why(link_), "the server is no master") == 0);
    assert_true(span_is(redis_link_run_id(link_), first_id)); /* the last that it was up with */
    freeReplyObject(redis_server_ask(&second, "REPLICAOF NO ONE"));
    WAIT_UNTIL(ups == 2);
    assert_false(span_is(redis_link_run_id(link_), first_id));
    assert_tells("SET where second", "OK");
    struct redisReply *reply = redis_server_ask(&second, "GET where");
    assert_string_equal(reply->str, "second");
    freeReplyObject(reply);

    redis_server_kill(&second);
    WAIT_UNTIL(downs == 2);
    turn_for(1000); /* the pauses have grown */
    int64_t start_ms = clock_now_ms();
    redis_link_move(link_, &hosts[0]);
    WAIT_UNTIL(ups == 3);
    assert_true(clock_now_ms() - start_ms < 500);
    assert_true(span_is(redis_link_run_id(link_), first_id));
    redis_server_stop(&second);
}

static void test_move_while_connecting(void **state)
{
    int port, fd = listen_at(&port, 8);
    struct redis_host host = port_host(port), other = socket_host(&server);
    link_ = make_link(&host, true);
    turn_for(100); /* it waits for the greeting */
    redis_link_move(link_, &other);
    WAIT_UNTIL(ups == 1);
    assert_tells("PING", "PONG");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: only so many lines are logged in a second. */
        TEST(test_auth),
        TEST(test_auth_not_wanted),
        TEST(test_auth_not_known),
        TEST(test_comes_up),
        TEST(test_database),
        TEST(test_starts_later),
        TEST_ALONE(test_no_such_place),
        TEST_ALONE(test_black_hole),
        TEST_ALONE(test_no_redis),
        TEST_ALONE(test_pauses),
        TEST_ALONE(test_jitter),
        TEST(test_pauses_of_no_use),
        TEST(test_move),
        TEST(test_move_while_connecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
