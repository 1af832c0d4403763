/* Peers that take nothing.
 *
 * TCP_USER_TIMEOUT would cut those who read as well: while the window is short, Linux counts it
 * from the first probe on, and starts again only when all fits that it wants to send at once. So
 * the sockets are asked what was acknowledged, PEER_LOOKS times in each sse.peer_timeout, a slice
 * in each turn of the loop. Looks are counted, not time: after a sleep of the machine all peers
 * have theirs again. */
#include <sys/socket.h>

#include <linux/tcp.h>

#include "base/metric.h"
#include "net/connection.h"

#define PEER_LOOKS 8

/* True when all was acknowledged, or more than at the last look. */
static bool has_taken(struct stream *stream)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(stream->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return true;
    uint32_t taken = (uint32_t)info.tcpi_bytes_acked;
    bool has_all = info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0;
    bool has_more = taken != stream->taken;
    stream->taken = taken;
    if (has_all)
        stream->owing = false;
    return has_all || has_more;
}

/* With a reset: what the kernel still holds for it goes at once. */
static void peer_cut(struct stream *stream)
{
    struct linger reset = {.l_onoff = 1};
    setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    metric_add(METRIC_PEERS_CUT, 1);
    stream_cut(stream);
}

static void peer_look(struct stream *stream)
{
    if (!stream->owing || (stream->state != STREAM_OPEN && stream->state != STREAM_ENDING))
        return;
    if (has_taken(stream))
        stream->idle_looks = 0;
    else if (++stream->idle_looks > PEER_LOOKS) /* the first may have come just after a write */
        peer_cut(stream);
}

bool peers_look(struct worker *worker)
{
    for (int i = 0; i < WORKER_SLICE && worker->looked_at; i++) {
        struct stream *stream = worker->looked_at;
        worker->looked_at = stream->next;
        peer_look(stream);
    }
    return worker->looked_at != NULL;
}

static void on_look(struct worker_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, look_timer);
    if (!worker->looked_at)
        worker->looked_at = worker->streams;
    worker_timer_set(worker, timer, worker->settings->sse_peer_timeout_ms / PEER_LOOKS);
}

void peers_start(struct worker *worker)
{
    worker->look_timer.on_due = on_look;
    on_look(&worker->look_timer);
}
