/* Token buckets.
 *
 * MODEL  `level` tokens in thousandths, filled by `rate` a second up to `burst`.
 * Floor: core. Pure: time is an argument. */
#ifndef TIDINGS_CORE_RATE_H
#define TIDINGS_CORE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    int64_t level_milli; /* tokens x 1000 */
    int64_t at_ms;       /* when level was true; 0: never used, full */
};

/* Takes `cost` tokens if they are there. `rate_per_s` 0 = no limit. On refusal nothing is taken
 * and `*ret_wait_ms` (may be NULL) says when it would succeed. `burst` < cost is refused too. */
bool rate_take(struct rate *rate, int64_t rate_per_s, int64_t burst, int64_t cost, int64_t now_ms,
               int64_t *ret_wait_ms);
/* Takes `cost` whatever is there: the level may fall below zero, and until it is above again
 * rate_take refuses everything. For what is only known afterwards. */
void rate_charge(struct rate *rate, int64_t rate_per_s, int64_t burst, int64_t cost,
                 int64_t now_ms);
/* Whole tokens there now; below zero rounded down. */
int64_t rate_left(const struct rate *rate, int64_t rate_per_s, int64_t burst, int64_t now_ms);

#endif
