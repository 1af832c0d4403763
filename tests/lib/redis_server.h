/* A redis-server in a folder of its own, for one test; it ends with the test's process.
 *
 * It keeps nothing on disk unless the test says so. All of these fail the test when they fail. */
#ifndef TIDINGS_TESTS_REDIS_SERVER_H
#define TIDINGS_TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define REDIS_SERVER_ARGS_MAX 32

struct redisContext;
struct redisReply;

struct redis_server {
    char folder[64];
    char socket[96]; /* path */
    int port;        /* on 127.0.0.1 */
    pid_t pid;       /* 0: it does not run */
    const char *args[REDIS_SERVER_ARGS_MAX + 1];
    int64_t *ahead_ms; /* mapped, from a file in the folder */
};

/* Starts it and waits until it answers. `args`: more of them, as "--appendonly", "yes"; borrowed
 * until the end; NULL: none. */
void redis_server_start(struct redis_server *server, const char *const *args);
/* Ends it and removes the folder. Also when it does not run. */
void redis_server_stop(struct redis_server *server);
/* Ends it at once, as a crash would; what is on disk stays. */
void redis_server_kill(struct redis_server *server);
/* Starts it again in the same folder, at the same socket and port, and waits until it answers. */
void redis_server_restart(struct redis_server *server);
/* It hangs until redis_server_resume. */
void redis_server_pause(struct redis_server *server);
void redis_server_resume(struct redis_server *server);

/* Its clock is so far ahead of this machine's, until it ends for good. */
void redis_server_set_ahead(struct redis_server *server, int64_t ms);

/* A connection to the socket, with 5 s for each answer. */
struct redisContext *redis_server_connect(const struct redis_server *server);
/* One command on a connection of its own; the caller frees the reply, which is no error. */
struct redisReply *redis_server_ask(const struct redis_server *server, const char *format, ...);
/* The same with a number as answer. */
long long redis_server_number(const struct redis_server *server, const char *format, ...);

#endif
