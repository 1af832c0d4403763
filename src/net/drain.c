#include "net/drain.h"

static enum server_state move(struct drain *drain, enum server_state state, int64_t now_ms)
{
    drain->state_ms = now_ms;
    return state;
}

enum server_state drain_next(struct drain *drain, enum server_state state,
                             const struct drain_load *load, int64_t now_ms)
{
    int64_t passed_ms = now_ms - drain->state_ms;
    if (load->stops > 1 && state < SERVER_STOPPED)
        return move(drain, SERVER_STOPPED, now_ms);
    switch (state) {
    case SERVER_SERVING:
        return load->stops > 0 ? move(drain, SERVER_NOTICE, now_ms) : state;
    case SERVER_NOTICE:
        return passed_ms >= drain->notice_ms ? move(drain, SERVER_ENDING, now_ms) : state;
    case SERVER_ENDING:
        if ((load->told && load->busy == 0) || passed_ms >= drain->spread_ms + DRAIN_GRACE_MS)
            return move(drain, SERVER_CLOSING, now_ms);
        return state;
    case SERVER_CLOSING:
        if ((load->told && load->busy == 0 && load->connections == 0) ||
            passed_ms >= DRAIN_CLOSING_MS)
            return move(drain, SERVER_STOPPED, now_ms);
        return state;
    default:
        return state;
    }
}
