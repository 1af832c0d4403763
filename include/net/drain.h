/* The end of a server, in steps: see net/server.h.
 *
 * WHY    without the notice, clients that are sent away come straight back to the dying node;
 *        without the last accept, what is queued is reset.
 * MODEL  pure: fed with the clock and what is still held, it says which state comes next.
 * Floor: net. On the main thread. */
#ifndef TIDINGS_NET_DRAIN_H
#define TIDINGS_NET_DRAIN_H

#include "net/server.h"

#define DRAIN_GRACE_MS 3000  /* beyond the spread, for what ends to be taken */
#define DRAIN_CLOSING_MS 5000 /* for the connections of the last accept */

struct drain {
    int64_t notice_ms, spread_ms;
    int64_t state_ms; /* when the present state began */
};

/* What the server still holds. */
struct drain_load {
    int stops;       /* times it was told to stop */
    int busy;        /* streams, requests and listeners under way */
    int connections;
    bool told;       /* all workers have heard of the present state */
};

/* The state after `state`, or `state` itself. */
enum server_state drain_next(struct drain *drain, enum server_state state,
                             const struct drain_load *load, int64_t now_ms);

#endif
