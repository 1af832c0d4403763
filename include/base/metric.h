/* Counters, gauges and histograms of the process, in one table.
 *
 * MODEL  relaxed atomics in a static array; a histogram has METRIC_BUCKETS buckets of powers of
 *        two microseconds (or of counts). api/metrics renders them for Prometheus.
 * Floor: base. Any thread. */
#ifndef TIDINGS_BASE_METRIC_H
#define TIDINGS_BASE_METRIC_H

#include <stdint.h>

#define METRIC_BUCKETS 28

/* name, Prometheus name without the prefix `tidings_`, kind, help */
#define METRICS(X)                                                                                 \
    X(STREAMS, "streams", GAUGE, "Event streams open")                                             \
    X(POLLS, "polls_waiting", GAUGE, "Long-polls that wait")                                       \
    X(CONNECTIONS, "connections", GAUGE, "TCP connections held")                                   \
    X(CONNECTIONS_ACCEPTED, "connections_accepted_total", COUNTER, "TCP connections accepted")     \
    X(CONNECTIONS_REFUSED, "connections_refused_total", COUNTER, "TCP connections refused")        \
    X(REQUESTS, "requests_total", COUNTER, "Requests answered")                                    \
    X(REQUESTS_FAILED, "requests_failed_total", COUNTER, "Requests answered with 5xx")             \
    X(REQUESTS_LIMITED, "requests_limited_total", COUNTER, "Requests answered with 429")           \
    X(PUBLISHED, "published_total", COUNTER, "Durable events stored")                              \
    X(PUBLISHED_EPHEMERAL, "published_ephemeral_total", COUNTER, "Ephemeral events sent")          \
    X(DELIVERED, "delivered_total", COUNTER, "Events written to readers")                          \
    X(DELIVERY_WRITES, "delivery_writes_total", COUNTER, "System calls that wrote to readers")     \
    X(REPLAYED, "replayed_total", COUNTER, "Events replayed to readers")                           \
    X(GAPS, "gaps_total", COUNTER, "Gaps told to readers")                                         \
    X(RESETS, "resets_total", COUNTER, "Resets told to readers")                                   \
    X(QUEUE_OVERFLOWS, "queue_overflows_total", COUNTER, "Slow readers sent back to replay")       \
    X(BUSY, "busy_total", COUNTER, "Streams refused as busy")                                      \
    X(PEERS_CUT, "peers_cut_total", COUNTER, "Connections cut for slowness")                       \
    X(PRESENCE_TOLD, "presence_told_total", COUNTER, "Presence updates given to sessions")         \
    X(APPEND_US, "append_seconds", TIME, "From a request's command to its answer")                 \
    X(DELIVERY_US, "delivery_seconds", TIME, "From an event's commit to a reader's socket")        \
    X(LOOP_LAG_US, "loop_lag_seconds", TIME, "Length of one turn of a worker's loop")              \
    X(COMMIT_BATCH, "commit_batch_size", SIZE, "Commands in one commit")                           \
    X(COMMIT_US, "commit_seconds", TIME, "Length of a commit")                                     \
    X(JOURNAL_ERRORS, "journal_errors_total", COUNTER, "Journal operations that failed")

enum metric {
#define X(name, text, kind, help) METRIC_##name,
    METRICS(X)
#undef X
        METRIC_COUNT
};

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_TIME, METRIC_KIND_SIZE };

/* A copy of one metric. */
struct metric_reading {
    const char *name; /* with prefix */
    const char *help;
    enum metric_kind kind;
    int64_t value;                     /* counter and gauge */
    uint64_t count, sum;               /* histogram: observations; sum in microseconds or units */
    uint64_t buckets[METRIC_BUCKETS];  /* bucket i: values below 2^i, not cumulative */
};

void metric_add(enum metric metric, int64_t amount);
void metric_observe(enum metric metric, uint64_t value);
void metric_read(enum metric metric, struct metric_reading *ret);

#endif
