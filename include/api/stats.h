/* The report of /v1/stats: rates and latencies of the last seconds, and advice that follows from
 * them.
 *
 * MODEL  a worker's timer keeps a copy of all metrics every STATS_STEP_MS, the last STATS_SAMPLES
 *        of them; the report is the difference between now and the oldest copy, so it tells of
 *        the last ten seconds or so, whoever else asks.
 * BOUNDS STATS_SAMPLES copies.
 * Floor: api. stats_start once; the rest from any thread (a lock). */
#ifndef TIDINGS_API_STATS_H
#define TIDINGS_API_STATS_H

#include "base/metric.h"
#include "net/worker.h"

#define STATS_STEP_MS 1000
#define STATS_SAMPLES 11

/* Keeps copies from now on, on this worker. */
void stats_start(struct worker *worker);

/* What was counted between two copies. */
struct stats_span {
    double seconds;
    struct metric_reading change[METRIC_COUNT]; /* of gauges: the newer value */
};

/* The pure parts. */
void stats_subtract(const struct metric_reading *newer, const struct metric_reading *older,
                    double seconds, struct stats_span *ret);
double stats_per_second(const struct stats_span *span, enum metric metric);
/* Of a histogram, in milliseconds; 0 when nothing was observed. */
double stats_average_ms(const struct stats_span *span, enum metric metric);
/* `share` of the observations lie below it; taken evenly spread within a bucket. */
double stats_quantile_ms(const struct stats_span *span, enum metric metric, double share);

/* The advice: calls `give` with each sentence. */
void stats_advise(const struct stats_span *span, int64_t connections_max,
                  void (*give)(void *context, const char *text), void *context);

#endif
