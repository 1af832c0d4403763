/* Signals: what is told to everyone now and kept by nobody (ephemeral events).
 *
 * MODEL  publish hands an ephemeral frame to the follower of every node. With one node that is
 *        a call; the interface is where several nodes will be joined.
 * Floor: store. Publish from any thread; the follower must take calls from several at once. */
#ifndef TIDINGS_STORE_SIGNALS_H
#define TIDINGS_STORE_SIGNALS_H

#include "core/frame.h"

/* The frame is borrowed for the call. */
typedef void (*signals_follower)(void *context, struct frame *frame);

struct signals {
    void (*publish)(struct signals *signals, struct frame *frame);
    signals_follower follower;
    void *context;
};

/* For one node: publish calls the follower at once. Nothing to give back. */
void signals_init_local(struct signals *signals, signals_follower follower, void *context);

static inline void signals_publish(struct signals *signals, struct frame *frame)
{
    signals->publish(signals, frame);
}

#endif
