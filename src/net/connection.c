#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/tcp.h>

#include "base/metric.h"
#include "net/connection.h"

#define BODY_CHECK_MS 1000     /* between two looks at a body's rate */
#define IDLE_FIRST_MS 1000     /* until an idle connection is looked at */
#define CLOSING_GRACE_MS 1000  /* for a last request on a connection, when the server closes */

static uint64_t bytes_received(const struct connection *connection)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return 0;
    return info.tcpi_bytes_received;
}

/* libmicrohttpd sees the end of both directions and frees the connection. */
static void connection_cut(struct connection *connection)
{
    metric_add(METRIC_PEERS_CUT, 1);
    shutdown(connection->fd, SHUT_RDWR);
}

static int64_t min_ms(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void set_timer(struct connection *connection, int64_t delay_ms)
{
    worker_timer_set(connection->worker, &connection->timer, delay_ms);
}

static void idle_end(struct connection *connection)
{
    shutdown(connection->fd, SHUT_RDWR);
}

/* libmicrohttpd misses a half-close that comes together with a request. */
static bool is_half_closed(const struct connection *connection)
{
    struct pollfd peer = {.fd = connection->fd, .events = POLLRDHUP};
    return poll(&peer, 1, 0) > 0;
}

/* Idle, or the first bytes of a head are there: libmicrohttpd does not say. The socket's count of
 * bytes does: bytes that came more than head_timeout ago must have become a request by now. */
static void idle_check(struct connection *connection)
{
    const struct settings *settings = connection->worker->settings;
    int64_t idle_ms = connection->worker->now_ms - connection->phase_ms;
    uint64_t bytes = bytes_received(connection);
    if (server_state(connection->worker->server) >= SERVER_CLOSING) {
        idle_end(connection);
        return;
    }
    bool fresh = connection->phase == PHASE_FRESH;
    if (fresh ? bytes > 0 : connection->bytes_known && bytes != connection->bytes_seen) {
        connection_cut(connection);
        return;
    }
    if (idle_ms >= settings->http_idle_timeout_ms || is_half_closed(connection)) {
        idle_end(connection);
        return;
    }
    connection->phase = PHASE_IDLE;
    connection->bytes_seen = bytes;
    connection->bytes_known = true;
    set_timer(connection, min_ms(settings->http_idle_timeout_ms - idle_ms,
                                 settings->http_head_timeout_ms));
}

static void body_check(struct connection *connection)
{
    const struct settings *settings = connection->worker->settings;
    int64_t past_grace_ms =
        connection->worker->now_ms - connection->phase_ms - settings->http_head_timeout_ms;
    int64_t bytes = connection->call ? (int64_t)connection->call->body_bytes : 0;
    if (bytes * 1000 < settings->http_body_rate_min * past_grace_ms)
        connection_cut(connection);
    else
        set_timer(connection, BODY_CHECK_MS);
}

static void on_late(struct worker_timer *timer)
{
    struct connection *connection = container_of(timer, struct connection, timer);
    switch (connection->phase) {
    case PHASE_FRESH:
    case PHASE_IDLE:
        idle_check(connection);
        break;
    case PHASE_BODY:
        body_check(connection);
        break;
    case PHASE_HEAD:
    case PHASE_ANSWERING:
        connection_cut(connection);
        break;
    case PHASE_WAITING:
        assert(connection->phase != PHASE_WAITING);
        break;
    }
}

void connection_set_phase(struct connection *connection, enum phase phase)
{
    const struct settings *settings = connection->worker->settings;
    connection->phase = phase;
    connection->phase_ms = connection->worker->now_ms;
    connection->bytes_known = false;
    if (phase == PHASE_WAITING) {
        worker_timer_remove(&connection->timer);
        return;
    }
    int64_t delay_ms = settings->http_head_timeout_ms;
    if (phase == PHASE_FRESH && server_state(connection->worker->server) >= SERVER_CLOSING)
        delay_ms = CLOSING_GRACE_MS;
    if (phase == PHASE_IDLE)
        delay_ms = min_ms(min_ms(delay_ms, settings->http_idle_timeout_ms), IDLE_FIRST_MS);
    set_timer(connection, delay_ms + (phase == PHASE_BODY ? BODY_CHECK_MS : 0));
}

void connection_set_answering(struct connection *connection, size_t len)
{
    const struct settings *settings = connection->worker->settings;
    int64_t rate = settings->http_body_rate_min > 0 ? settings->http_body_rate_min : 1000;
    connection->phase = PHASE_ANSWERING;
    connection->phase_ms = connection->worker->now_ms;
    set_timer(connection, settings->sse_peer_timeout_ms + (int64_t)len * 1000 / rate);
}

static void address_read(struct connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    if (address && address->sa_family == AF_INET6) {
        connection->address = ((const struct sockaddr_in6 *)address)->sin6_addr;
    } else if (address && address->sa_family == AF_INET) {
        uint8_t *bytes = connection->address.s6_addr;
        bytes[10] = bytes[11] = 0xff;
        memcpy(bytes + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    }
    connection->peer_len = (uint8_t)address_format(&connection->address, connection->peer);
}

struct connection *connection_new(struct daemon *daemon, struct MHD_Connection *mhd)
{
    struct worker *worker = daemon->worker;
    assert(worker->accepting);
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return NULL;
    connection->worker = worker;
    connection->daemon = daemon;
    connection->mhd = mhd;
    connection->admin = worker->accepting->admin;
    connection->reserved = server_is_full(worker->server);
    connection->timer.on_due = on_late;
    connection->fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    address_read(connection);
    connection->next = worker->connections;
    if (worker->connections)
        worker->connections->previous = connection;
    worker->connections = connection;
    worker->accepted = connection;
    connection_set_phase(connection, PHASE_FRESH);
    return connection;
}

void connection_free(struct connection *connection)
{
    struct worker *worker = connection->worker;
    worker_timer_remove(&connection->timer);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        worker->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    if (!connection->moved)
        server_give_connection(worker->server);
    free(connection);
}

void connections_finish(struct worker *worker)
{
    for (struct connection *at = worker->connections; at; at = at->next)
        if (at->call && !at->call->done)
            call_abandon(at->call);
}

void connections_close_idle(struct worker *worker)
{
    for (struct connection *at = worker->connections; at; at = at->next)
        if (!at->call && !at->moved)
            set_timer(at, CLOSING_GRACE_MS);
}
