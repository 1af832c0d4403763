#include "redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define START_TRIES 5
#define WAIT_MS 10000

static void sleep_ms(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* In the child. */
static void become_server(const struct redis_server *server, pid_t parent)
{
    char port[16], log[96], clock[96];
    const char *argv[REDIS_SERVER_ARGS_MAX + 24] = {
        "redis-server",
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--unixsocket",
        server->socket,
        "--dir",
        NULL,
        "--logfile",
        log,
        "--save",
        "",
        "--appendonly",
        "no",
        "--enable-debug-command",
        "yes",
    };
    int count = 17;
    argv[8] = server->folder;
    snprintf(port, sizeof(port), "%d", server->port);
    snprintf(log, sizeof(log), "%s/log", server->folder);
    for (int i = 0; server->args[i]; i++)
        argv[count++] = server->args[i];
    snprintf(clock, sizeof(clock), "%s/clock", server->folder);
    setenv("REDIS_CLOCK_FILE", clock, 1);
    setenv("LD_PRELOAD", REDIS_CLOCK, 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    execvp("redis-server", (char *const *)argv);
    _exit(127);
}

static bool is_alive(struct redis_server *server)
{
    if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
        server->pid = 0;
    return server->pid != 0;
}

static bool answers(const struct redis_server *server)
{
    struct timeval limit = {5, 0};
    redisContext *context = redisConnectUnixWithTimeout(server->socket, limit);
    redisReply *reply = NULL;
    if (context && !context->err) {
        redisSetTimeout(context, limit);
        reply = redisCommand(context, "PING");
    }
    bool is_up = reply && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    if (context)
        redisFree(context);
    return is_up;
}

static bool start(struct redis_server *server)
{
    pid_t parent = getpid();
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        become_server(server, parent);
    for (int waited = 0; waited < WAIT_MS; waited += 10) {
        if (answers(server))
            return true;
        if (!is_alive(server))
            return false;
        sleep_ms(10);
    }
    fail_msg("redis-server does not answer");
    return false;
}

static void make_clock(struct redis_server *server)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/clock", server->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(*server->ahead_ms)), 0);
    server->ahead_ms =
        mmap(NULL, sizeof(*server->ahead_ms), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(server->ahead_ms, MAP_FAILED);
    close(fd);
}

void redis_server_set_ahead(struct redis_server *server, int64_t ms)
{
    __atomic_store_n(server->ahead_ms, ms, __ATOMIC_SEQ_CST);
}

void redis_server_start(struct redis_server *server, const char *const *args)
{
    *server = (struct redis_server){.folder = "/tmp/tidings-redis-XXXXXX"};
    for (int i = 0; args && args[i]; i++) {
        assert_true(i < REDIS_SERVER_ARGS_MAX);
        server->args[i] = args[i];
    }
    assert_non_null(mkdtemp(server->folder));
    make_clock(server);
    snprintf(server->socket, sizeof(server->socket), "%s/socket", server->folder);
    for (int i = 0; i < START_TRIES; i++) {
        server->port = free_port(); /* another process may take it meanwhile */
        if (start(server))
            return;
    }
    fail_msg("redis-server does not start; see %s/log", server->folder);
}

static void end(struct redis_server *server, int signal)
{
    if (server->pid == 0)
        return;
    kill(server->pid, signal);
    kill(server->pid, SIGCONT);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_stop(struct redis_server *server)
{
    char command[128];
    end(server, SIGKILL);
    snprintf(command, sizeof(command), "rm -rf '%s'", server->folder);
    assert_int_equal(system(command), 0);
    if (server->ahead_ms)
        munmap(server->ahead_ms, sizeof(*server->ahead_ms));
    server->ahead_ms = NULL;
}

void redis_server_kill(struct redis_server *server)
{
    end(server, SIGKILL);
}

void redis_server_restart(struct redis_server *server)
{
    end(server, SIGTERM);
    assert_true(start(server));
}

void redis_server_pause(struct redis_server *server)
{
    assert_int_equal(kill(server->pid, SIGSTOP), 0);
}

void redis_server_resume(struct redis_server *server)
{
    assert_int_equal(kill(server->pid, SIGCONT), 0);
}

struct redisContext *redis_server_connect(const struct redis_server *server)
{
    struct timeval limit = {5, 0};
    redisContext *context = redisConnectUnixWithTimeout(server->socket, limit);
    assert_non_null(context);
    assert_int_equal(context->err, 0);
    assert_int_equal(redisSetTimeout(context, limit), REDIS_OK);
    return context;
}

static redisReply *ask(const struct redis_server *server, const char *format, va_list args)
{
    redisContext *context = redis_server_connect(server);
    redisReply *reply = redisvCommand(context, format, args);
    redisFree(context);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    return reply;
}

struct redisReply *redis_server_ask(const struct redis_server *server, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = ask(server, format, args);
    va_end(args);
    return reply;
}

long long redis_server_number(const struct redis_server *server, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = ask(server, format, args);
    va_end(args);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long number = reply->integer;
    freeReplyObject(reply);
    return number;
}
