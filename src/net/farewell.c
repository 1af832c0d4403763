/* The last seconds of a connection.
 *
 * A socket closed with unread bytes sends a reset, which can take from the peer what it has not
 * read yet. So the outgoing side is ended first, and what comes in is dropped until the peer
 * closes, FAREWELL_MS have passed, or it has sent FAREWELL_BYTES_MAX. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"

#define DROP_READS_MAX 64 /* of one socket at a time */

struct farewell {
    struct worker *worker;
    struct farewell *previous, *next;
    struct worker_timer timer;
    uint64_t dropped;
    int fd;
    bool counted;
};

static void farewell_end(struct farewell *farewell)
{
    struct worker *worker = farewell->worker;
    worker_timer_remove(&farewell->timer);
    close(farewell->fd);
    if (farewell->counted)
        server_give_connection(worker->server);
    else
        worker->refused_farewells--;
    if (farewell->previous)
        farewell->previous->next = farewell->next;
    else
        worker->farewells = farewell->next;
    if (farewell->next)
        farewell->next->previous = farewell->previous;
    worker_busy(worker, -1);
    free(farewell);
}

static void on_late(struct worker_timer *timer)
{
    farewell_end(container_of(timer, struct farewell, timer));
}

/* True when nothing more is to be expected. */
static bool drop(int fd, uint64_t *dropped)
{
    char waste[16384];
    for (int i = 0; i < DROP_READS_MAX; i++) {
        ssize_t len = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (len == 0)
            return true;
        if (len < 0)
            return errno != EAGAIN && errno != EINTR;
        *dropped += (uint64_t)len;
        if (*dropped > FAREWELL_BYTES_MAX)
            return true;
    }
    return false;
}

static void close_now(struct worker *worker, int fd, bool counted)
{
    close(fd);
    if (counted)
        server_give_connection(worker->server);
}

void farewell_start(struct worker *worker, int fd, bool watched, bool counted)
{
    uint64_t dropped = 0;
    shutdown(fd, SHUT_WR);
    struct farewell *farewell = NULL;
    if (!drop(fd, &dropped) && (counted || worker->refused_farewells < REFUSED_FAREWELLS_MAX))
        farewell = calloc(1, sizeof(*farewell));
    if (!farewell) {
        close_now(worker, fd, counted);
        return;
    }
    /* Level-triggered: a peer that sends without end is read a little each turn. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
                                .data.ptr = (void *)((uintptr_t)farewell | FAREWELL_TAG)};
    if (epoll_ctl(worker->streams_fd, watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0) {
        free(farewell);
        close_now(worker, fd, counted);
        return;
    }
    *farewell = (struct farewell){.worker = worker,
                              .next = worker->farewells,
                              .timer.on_due = on_late,
                              .dropped = dropped,
                              .fd = fd,
                              .counted = counted};
    if (worker->farewells)
        worker->farewells->previous = farewell;
    worker->farewells = farewell;
    worker_busy(worker, 1);
    if (!counted)
        worker->refused_farewells++;
    worker_timer_set(worker, &farewell->timer, FAREWELL_MS);
}

void farewell_on_ready(struct farewell *farewell)
{
    if (drop(farewell->fd, &farewell->dropped))
        farewell_end(farewell);
}

void farewells_close_all(struct worker *worker)
{
    while (worker->farewells)
        farewell_end(worker->farewells);
}
