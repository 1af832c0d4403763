/* A worker: one thread, one event loop, one share of the connections.
 *
 * MODEL  its own event_base, mailbox, wheel of timers, listeners and MHD daemons. Whatever a
 *        connection needs happens on its worker; other threads reach it by letters only.
 * BOUNDS a turn serves at most WORKER_SLICE due streams before new requests are looked at.
 * Floor: net. Everything here is called on the worker's own thread but worker_post; after
 * server_run on the thread that ran it. */
#ifndef TIDINGS_NET_WORKER_H
#define TIDINGS_NET_WORKER_H

#include "base/deadline.h"
#include "base/mailbox.h"

#define WORKER_SLICE 256
#define WORKERS_MAX 64

struct worker;

/* A timer of the wheel; embed it, zero it, set on_due. Fires once, up to 50 ms late. */
struct worker_timer {
    struct deadline deadline;
    void (*on_due)(struct worker_timer *timer);
};

int worker_index(const struct worker *worker);
/* The box that letters for this worker go into; its address is fixed for the worker's life. */
struct mailbox *worker_mailbox(struct worker *worker);
/* clock_now_ms() of this turn of the loop. */
int64_t worker_now_ms(const struct worker *worker);
/* What the application keeps for this worker, set by on_worker_start. */
void *worker_app(const struct worker *worker);
void worker_set_app(struct worker *worker, void *app);

void worker_timer_set(struct worker *worker, struct worker_timer *timer, int64_t delay_ms);
/* No error when it is not set. */
void worker_timer_remove(struct worker_timer *timer);
static inline bool worker_timer_is_set(const struct worker_timer *timer)
{
    return deadline_is_set(&timer->deadline);
}

/* From any thread: `letter.on_read` runs on the worker's thread. */
static inline void worker_post(struct worker *worker, struct letter *letter)
{
    mailbox_push(worker_mailbox(worker), letter);
}

/* After server_run: reads the letters that have come since, and does what they leave to do. True
 * if there were any. */
bool worker_settle(struct worker *worker);

#endif
