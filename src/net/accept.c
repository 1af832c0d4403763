/* Listeners: each worker accepts on its own sockets, and never stops before the server does.
 *
 * MODEL  accepted -> counted -> libmicrohttpd; beyond the limit a 503 is written as it stands.
 *        When descriptors run out, a spare one is given up for as long as it takes to accept one
 *        connection and refuse it, so nobody hangs in the queue.
 *        A listening socket that closes resets the handshakes under way. So it first stops hearing
 *        new ones, by asking more of a packet's TTL than packets have: their clients try again
 *        after a second, and find whoever listens then. Those under way come to their end
 *        meanwhile. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/logging.h"
#include "base/metric.h"
#include "net/connection.h"

#define ACCEPTS_MAX 64   /* of one listener in one turn */
#define FINISH_MAX 65536 /* of one listener when it closes */
#define REST_MS 100      /* after accept failed for want of memory */
#define LAST_MS 200      /* for handshakes under way when a listener closes */
#define TTL_OF_NONE 255

#define REFUSAL_BODY                                                                               \
    "{\"type\":\"about:blank\",\"title\":\"Too many connections\",\"status\":503,"                 \
    "\"code\":\"too_many_connections\"}"

static const char refusal[] = "HTTP/1.1 503 Service Unavailable\r\n"
                              "Content-Type: application/problem+json\r\n"
                              "Content-Length: 96\r\n"
                              "Retry-After: 3\r\n"
                              "Cache-Control: no-store\r\n"
                              "Connection: close\r\n"
                              "\r\n" REFUSAL_BODY;
static_assert(sizeof(REFUSAL_BODY) - 1 == 96, "Content-Length of the refusal");

static void refuse(struct worker *worker, int fd)
{
    metric_add(METRIC_CONNECTIONS_REFUSED, 1);
    if (send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        close(fd);
        return;
    }
    farewell_start(worker, fd, false, false);
}

static void spare_open(struct worker *worker)
{
    if (worker->spare_fd < 0)
        worker->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors. True when one connection was refused. */
static bool accept_with_spare(struct listener *listener)
{
    struct worker *worker = listener->worker;
    log_line(LOG_WARN, "out of file descriptors", NULL);
    if (worker->spare_fd < 0)
        return false;
    close(worker->spare_fd);
    worker->spare_fd = -1;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        char waste[4096];
        metric_add(METRIC_CONNECTIONS_REFUSED, 1);
        if (send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
            shutdown(fd, SHUT_WR);
            while (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) > 0)
                ;
        }
        close(fd);
    }
    spare_open(worker);
    return fd >= 0;
}

static void set_ttl_min(int fd, int ttl)
{
    /* Each is refused by sockets of the other family. */
    setsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof(ttl));
    setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &ttl, sizeof(ttl));
}

static void rest(struct listener *listener)
{
    if (listener->closing)
        return;
    event_del(listener->event);
    worker_timer_set(listener->worker, &listener->rest, REST_MS);
}

static void listener_finish(struct listener *listener);

static void on_rested(struct worker_timer *timer)
{
    struct listener *listener = container_of(timer, struct listener, rest);
    if (listener->closing) {
        listener_finish(listener);
        return;
    }
    spare_open(listener->worker);
    if (listener->event)
        event_add(listener->event, NULL);
}

static void take_in(struct listener *listener, int fd, const struct sockaddr *address,
                    socklen_t address_len)
{
    struct worker *worker = listener->worker;
    if (!server_take_connection(worker->server)) {
        refuse(worker, fd);
        return;
    }
    metric_add(METRIC_CONNECTIONS_ACCEPTED, 1);
    struct daemon *daemon = listener->secure ? &worker->secure : &worker->plain;
    worker->accepting = listener;
    worker->accepted = NULL;
    /* It closes the socket if it fails; a connection that was made was freed then, too. */
    bool counted = MHD_add_connection(daemon->mhd, fd, address, address_len) == MHD_YES;
    worker->accepting = NULL;
    if (!worker->accepted)
        server_give_connection(worker->server);
    if (counted)
        daemon->due = true;
}

/* One connection: true when there may be more. */
static bool accept_one(struct listener *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (listener->closing)
            set_ttl_min(fd, 0);
        take_in(listener, fd, (struct sockaddr *)&address, len);
        return true;
    }
    switch (errno) {
    case EAGAIN:
    case EINVAL: /* never listened */
    case EBADF:
        return false;
    case EMFILE:
    case ENFILE:
        if (accept_with_spare(listener))
            return true;
        rest(listener);
        return false;
    case ENOMEM:
    case ENOBUFS:
        log_line(LOG_WARN, "no memory to accept connections", NULL);
        rest(listener);
        return false;
    default:
        return true; /* that one connection failed */
    }
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct listener *listener = context;
    worker_wake(listener->worker);
    for (int i = 0; i < ACCEPTS_MAX && accept_one(listener); i++)
        ;
}

int listener_add(struct worker *worker, int fd, bool admin, bool secure)
{
    assert(worker->listener_count < LISTENERS_MAX);
    struct listener *listener = &worker->listeners[worker->listener_count++];
    *listener = (struct listener){.worker = worker,
                                  .rest.on_due = on_rested,
                                  .fd = fd,
                                  .admin = admin,
                                  .secure = secure};
    struct daemon *daemon = secure ? &worker->secure : &worker->plain;
    int err = daemon->mhd ? 0 : daemon_open(daemon, worker, secure);
    if (err)
        return err;
    spare_open(worker);
    listener->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_readable, listener);
    if (!listener->event)
        return ERR_MEMORY;
    return event_add(listener->event, NULL) < 0 ? ERR_IO : 0;
}

int listeners_listen(struct worker *worker, int backlog)
{
    for (int i = 0; i < worker->listener_count; i++)
        if (listen(worker->listeners[i].fd, backlog) < 0)
            return ERR_IO;
    return 0;
}

void listener_close(struct listener *listener)
{
    worker_timer_remove(&listener->rest);
    if (listener->event)
        event_free(listener->event);
    listener->event = NULL;
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}

/* Accepts all that waits, then closes. */
static void listener_finish(struct listener *listener)
{
    for (int i = 0; i < FINISH_MAX && accept_one(listener); i++)
        ;
    listener_close(listener);
    worker_busy(listener->worker, -1);
}

void listener_stop(struct listener *listener)
{
    if (listener->closing)
        return;
    listener->closing = true;
    worker_busy(listener->worker, 1);
    set_ttl_min(listener->fd, TTL_OF_NONE);
    worker_timer_set(listener->worker, &listener->rest, LAST_MS);
}
