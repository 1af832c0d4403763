#include "core/rate.h"

static int64_t level_now(const struct rate *rate, int64_t rate_per_s, int64_t burst,
                         int64_t now_ms)
{
    int64_t full = burst * 1000;
    if (rate->at_ms == 0)
        return full;
    int64_t elapsed_ms = now_ms > rate->at_ms ? now_ms - rate->at_ms : 0;
    /* A thousandth of a token each millisecond for each token a second. */
    if (elapsed_ms >= (full - rate->level_milli) / rate_per_s + 1)
        return full;
    int64_t level = rate->level_milli + elapsed_ms * rate_per_s;
    return level < full ? level : full;
}

bool rate_take(struct rate *rate, int64_t rate_per_s, int64_t burst, int64_t cost, int64_t now_ms,
               int64_t *ret_wait_ms)
{
    if (rate_per_s == 0)
        return true;
    int64_t level = level_now(rate, rate_per_s, burst, now_ms);
    int64_t missing = cost * 1000 - level;
    if (missing > 0) {
        if (ret_wait_ms)
            *ret_wait_ms = (missing + rate_per_s - 1) / rate_per_s;
        return false;
    }
    rate->level_milli = level - cost * 1000;
    rate->at_ms = now_ms ? now_ms : 1;
    return true;
}

void rate_charge(struct rate *rate, int64_t rate_per_s, int64_t burst, int64_t cost,
                 int64_t now_ms)
{
    if (rate_per_s == 0)
        return;
    rate->level_milli = level_now(rate, rate_per_s, burst, now_ms) - cost * 1000;
    rate->at_ms = now_ms ? now_ms : 1;
}

int64_t rate_left(const struct rate *rate, int64_t rate_per_s, int64_t burst, int64_t now_ms)
{
    if (rate_per_s == 0)
        return INT64_MAX;
    int64_t level = level_now(rate, rate_per_s, burst, now_ms);
    return level >= 0 ? level / 1000 : (level - 999) / 1000;
}
