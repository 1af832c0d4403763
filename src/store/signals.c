#include "store/signals.h"

#include <assert.h>

static void publish_here(struct signals *signals, struct frame *frame)
{
    signals->follower(signals->context, frame);
}

void signals_init_local(struct signals *signals, signals_follower follower, void *context)
{
    assert(follower);
    *signals = (struct signals){.publish = publish_here, .follower = follower, .context = context};
}
