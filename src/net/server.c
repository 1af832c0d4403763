#include "net/server.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/logging.h"
#include "base/metric.h"
#include "net/connection.h"
#include "net/drain.h"
#include "net/listen.h"
#include "net/tls.h"

#define BACKLOG 4096
#define STEP_MS 20             /* between two looks at a drain */
#define DESCRIPTORS_KEPT 128   /* for files, databases and loops */
#define DESCRIPTORS_OF_WORKER 16

struct server {
    const struct settings *settings; /* borrowed */
    struct http_app app;
    struct proxies *proxies;         /* owned */
    struct tls *tls;                 /* owned; NULL: plain */
    struct endpoint endpoints[LISTENERS_MAX];
    int endpoint_count;
    struct worker *workers[WORKERS_MAX]; /* owned */
    int worker_count;
    struct drain drain;
    int wake_fd;                     /* eventfd: a signal, a stop, a worker */
    atomic_int state;                /* enum server_state */
    atomic_int stops;
    atomic_int reloads;
    atomic_int connections;
    int connections_max, streams_max;
    atomic_int started, failed;      /* workers */
    atomic_int worker_err;
};

/* The server that signals are for. */
static _Atomic(struct server *) signalled;

enum server_state server_state(const struct server *server)
{
    return (enum server_state)atomic_load_explicit(&server->state, memory_order_acquire);
}

int server_worker_count(const struct server *server)
{
    return server->worker_count;
}

const struct settings *server_settings(const struct server *server)
{
    return server->settings;
}

const char *server_origin(const struct server *server)
{
    return server->endpoints[0].origin;
}

struct proxies *server_proxies(const struct server *server)
{
    return server->proxies;
}

struct tls *server_tls(const struct server *server)
{
    return server->tls;
}

bool server_is_full(const struct server *server)
{
    return atomic_load_explicit(&server->connections, memory_order_relaxed) > server->streams_max;
}

bool server_take_connection(struct server *server)
{
    if (atomic_fetch_add(&server->connections, 1) < server->connections_max) {
        metric_add(METRIC_CONNECTIONS, 1);
        return true;
    }
    atomic_fetch_sub(&server->connections, 1);
    return false;
}

void server_give_connection(struct server *server)
{
    metric_add(METRIC_CONNECTIONS, -1);
    int before = atomic_fetch_sub(&server->connections, 1);
    assert(before > 0);
}

static void server_wake(struct server *server)
{
    uint64_t one = 1;
    while (write(server->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void server_on_worker(struct server *server, int err)
{
    if (err)
        atomic_store(&server->worker_err, err);
    atomic_fetch_add(err ? &server->failed : &server->started, 1);
    server_wake(server);
}

void server_stop(struct server *server)
{
    atomic_fetch_add(&server->stops, 1);
    server_wake(server);
}

/* Connections are descriptors: what the process may open bounds them. */
static void set_limits(struct server *server)
{
    struct rlimit files = {.rlim_cur = 1024, .rlim_max = 1024};
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_NOFILE, &files);
    }
    int64_t open_max = files.rlim_cur > 4000000 ? 4000000 : (int64_t)files.rlim_cur;
    int64_t kept = DESCRIPTORS_KEPT + (int64_t)server->worker_count * DESCRIPTORS_OF_WORKER;
    int64_t fit = open_max > 2 * kept ? open_max - kept : open_max / 2;
    int64_t wanted = server->settings->limits_connections;
    if (wanted > fit)
        log_line(LOG_WARN, "limits.connections is more than the open files allow", NULL);
    int64_t max = wanted > 0 ? wanted : fit;
    int64_t reserve = server->settings->limits_connections_reserve;
    if (reserve > max / 2)
        reserve = max / 2;
    server->connections_max = (int)max;
    server->streams_max = (int)(max - reserve);
}

static int add_endpoints(struct server *server, const struct setting_list *list, bool admin,
                         char *why, size_t why_size)
{
    for (int i = 0; i < list->count; i++) {
        if (server->endpoint_count == LISTENERS_MAX) {
            snprintf(why, why_size, "more than %d addresses to listen on", LISTENERS_MAX);
            return ERR_CONFIG;
        }
        struct endpoint *endpoint = &server->endpoints[server->endpoint_count++];
        endpoint->admin = admin;
        endpoint->secure = server->tls && !admin;
        int err = endpoint_parse(list->items[i], endpoint, why, why_size);
        if (err)
            return err;
    }
    return 0;
}

static int add_worker(struct server *server, char *why, size_t why_size)
{
    int err = worker_new(server, server->worker_count, &server->app,
                         &server->workers[server->worker_count]);
    if (err) {
        snprintf(why, why_size, "cannot make a worker: %s", err_text(err));
        return err;
    }
    struct worker *worker = server->workers[server->worker_count++];
    for (int i = 0; i < server->endpoint_count; i++) {
        struct endpoint *endpoint = &server->endpoints[i];
        int fd;
        if ((err = endpoint_bind(endpoint, why, why_size, &fd)))
            return err;
        if ((err = listener_add(worker, fd, endpoint->admin, endpoint->secure))) {
            snprintf(why, why_size, "cannot serve %s: %s", endpoint->origin, err_text(err));
            return err;
        }
    }
    return 0;
}

static int server_build(struct server *server, char *why, size_t why_size)
{
    const struct settings *settings = server->settings;
    int err = proxies_new(&settings->http_trusted_proxies, why, why_size, &server->proxies);
    if (!err && settings->tls_cert && settings->tls_cert[0])
        err = tls_new(settings->tls_cert, settings->tls_key, why, why_size, &server->tls);
    if (!err)
        err = add_endpoints(server, &settings->server_listen, false, why, why_size);
    if (!err)
        err = add_endpoints(server, &settings->server_admin_listen, true, why, why_size);
    if (!err && server->endpoint_count == 0) {
        snprintf(why, why_size, "server.listen names no address");
        err = ERR_CONFIG;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long count = settings->server_workers > 0 ? settings->server_workers : cores;
    for (long i = 0; i < count && i < WORKERS_MAX && !err; i++)
        err = add_worker(server, why, why_size);
    return err;
}

int server_new(const struct settings *settings, const struct http_app *app, char *why,
               size_t why_size, struct server **ret)
{
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return ERR_MEMORY;
    server->settings = settings;
    server->app = *app;
    server->drain = (struct drain){.notice_ms = settings->drain_notice_ms,
                                   .spread_ms = settings->drain_spread_ms};
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    snprintf(why, why_size, "%s", err_text(ERR_MEMORY));
    int err = server->wake_fd < 0 ? ERR_IO : server_build(server, why, why_size);
    if (err) {
        server_free(server);
        return err;
    }
    set_limits(server);
    *ret = server;
    return 0;
}

struct server *server_free(struct server *server)
{
    if (!server)
        return NULL;
    for (int i = 0; i < server->worker_count; i++)
        worker_free(server->workers[i]);
    proxies_free(server->proxies);
    tls_free(server->tls);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    free(server);
    return NULL;
}

static void on_signal(int number)
{
    struct server *server = atomic_load(&signalled);
    int kept = errno;
    if (server) {
        atomic_fetch_add(number == SIGHUP ? &server->reloads : &server->stops, 1);
        server_wake(server);
    }
    errno = kept;
}

/* For good: one that comes while the journal is being closed must not end the process. */
static void signals_take(struct server *server)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    atomic_store(&signalled, server);
    for (size_t i = 0; i < array_count(numbers); i++)
        sigaction(numbers[i], &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static void signals_leave(struct server *server)
{
    atomic_compare_exchange_strong(&signalled, &server, NULL);
}

static void wait_woken(struct server *server, int timeout_ms)
{
    struct pollfd waiting = {.fd = server->wake_fd, .events = POLLIN};
    uint64_t count;
    if (poll(&waiting, 1, timeout_ms) > 0)
        while (read(server->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
            ;
}

static void set_state(struct server *server, enum server_state state)
{
    atomic_store(&server->state, state);
    for (int i = 0; i < server->worker_count; i++)
        worker_tell_state(server->workers[i]);
}

static void print_endpoints(const struct server *server)
{
    for (int i = 0; i < server->endpoint_count; i++)
        printf("listening on %s\n", server->endpoints[i].origin);
    fflush(stdout);
}

static int start_workers(struct server *server)
{
    for (int i = 0; i < server->worker_count; i++) {
        int err = listeners_listen(server->workers[i], BACKLOG);
        if (!err)
            err = worker_start(server->workers[i]);
        if (err)
            return err;
    }
    while (atomic_load(&server->started) + atomic_load(&server->failed) < server->worker_count)
        wait_woken(server, -1);
    return atomic_load(&server->worker_err);
}

static struct drain_load load_read(const struct server *server)
{
    struct drain_load load = {.stops = atomic_load(&server->stops),
                              .connections = atomic_load(&server->connections),
                              .told = true};
    for (int i = 0; i < server->worker_count; i++) {
        load.busy += atomic_load(&server->workers[i]->busy);
        load.told = load.told && !atomic_load(&server->workers[i]->state_posted);
    }
    return load;
}

static void reload(struct server *server, void (*on_reload)(void *context), void *context)
{
    char why[256];
    if (server->tls && tls_reload(server->tls, why, sizeof(why)))
        log_line(LOG_ERROR, "certificate not reloaded", "why", why, NULL);
    if (on_reload)
        on_reload(context);
}

static void serve(struct server *server, void (*on_reload)(void *context), void *context)
{
    static const char *const names[] = {"starting", "serving", "notice",
                                        "ending",   "closing", "stopped"};
    int reloads = 0;
    set_state(server, SERVER_SERVING);
    while (server_state(server) != SERVER_STOPPED) {
        wait_woken(server, server_state(server) == SERVER_SERVING ? -1 : STEP_MS);
        if (atomic_load(&server->reloads) != reloads) {
            reloads = atomic_load(&server->reloads);
            reload(server, on_reload, context);
        }
        struct drain_load load = load_read(server);
        enum server_state state = server_state(server);
        enum server_state next = drain_next(&server->drain, state, &load, clock_now_ms());
        if (next != state) {
            log_line(LOG_INFO, "draining", "state", names[next], NULL);
            set_state(server, next);
        }
    }
}

int server_run(struct server *server, void (*on_reload)(void *context), void *context)
{
    signals_take(server);
    int err = start_workers(server);
    if (!err) {
        print_endpoints(server);
        serve(server, on_reload, context);
    }
    set_state(server, SERVER_STOPPED);
    for (int i = 0; i < server->worker_count; i++)
        worker_join(server->workers[i]);
    signals_leave(server);
    return err;
}
