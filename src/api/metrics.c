/* The metrics in the text format of Prometheus. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/problem.h"
#include "api/process.h"
#include "api/routes.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"

#define TEXT_BYTES_MAX 262144

static int add_head(struct buf *out, const char *name, const char *help, const char *type)
{
    return buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Buckets hold what is below a power of two: microseconds, shown as seconds, or whole numbers. */
static int add_histogram(struct buf *out, const struct metric_reading *reading)
{
    bool time = reading->kind == METRIC_KIND_TIME;
    double unit = time ? 1e-6 : 1;
    uint64_t below = 0;
    int err = 0;
    for (int i = 0; err == 0 && i < METRIC_BUCKETS - 1; i++) {
        double edge = (double)((UINT64_C(1) << i) - (time ? 0 : 1)) * unit;
        below += reading->buckets[i];
        err = buf_format(out, "%s_bucket{le=\"%.9g\"} %llu\n", reading->name, edge,
                         (unsigned long long)below);
    }
    below += reading->buckets[METRIC_BUCKETS - 1];
    if (err == 0)
        err = buf_format(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9g\n%s_count %llu\n",
                         reading->name, (unsigned long long)below, reading->name,
                         (double)reading->sum * unit, reading->name, (unsigned long long)below);
    return err;
}

static int add_metric(struct buf *out, enum metric metric)
{
    static const char *const types[] = {
        [METRIC_KIND_COUNTER] = "counter",
        [METRIC_KIND_GAUGE] = "gauge",
        [METRIC_KIND_TIME] = "histogram",
        [METRIC_KIND_SIZE] = "histogram",
    };
    struct metric_reading reading;
    metric_read(metric, &reading);
    int err = add_head(out, reading.name, reading.help, types[reading.kind]);
    if (err != 0)
        return err;
    if (reading.kind == METRIC_KIND_TIME || reading.kind == METRIC_KIND_SIZE)
        return add_histogram(out, &reading);
    return buf_format(out, "%s %lld\n", reading.name, (long long)reading.value);
}

static int add_gauge(struct buf *out, const char *name, const char *help, double value)
{
    int err = add_head(out, name, help, "gauge");
    return err ? err : buf_format(out, "%s %.15g\n", name, value);
}

static int add_process(struct buf *out)
{
    int err = add_gauge(out, "process_resident_memory_bytes", "Memory in use",
                        (double)process_memory_bytes());
    if (err == 0)
        err = add_gauge(out, "process_start_time_seconds", "When the process started",
                        (double)process_started_wall_ms() / 1000);
    return err;
}

static int add_journal(struct buf *out, struct journal *journal)
{
    struct journal_status status = {.state = "down"};
    journal->ops->status(journal, &status);
    int err = add_gauge(out, "tidings_journal_up", "1 while the journal can be written",
                        strcmp(status.state, "ok") == 0);
    if (err == 0)
        err = add_gauge(out, "tidings_journal_queued", "Requests that wait for the journal",
                        (double)status.queued);
    return err;
}

void metrics_get(struct request *request)
{
    struct buf text;
    int err = 0;
    buf_init(&text, TEXT_BYTES_MAX);
    for (int metric = 0; err == 0 && metric < METRIC_COUNT; metric++)
        err = add_metric(&text, (enum metric)metric);
    if (err == 0)
        err = add_journal(&text, request_app(request)->journal);
    if (err == 0)
        err = add_process(&text);
    assert(err != ERR_FULL);
    struct answer answer = {
        .status = 200,
        .content_type = "text/plain; version=0.0.4; charset=utf-8",
        .body = buf_span(&text),
    };
    if (err == 0)
        request_answer(request, &answer);
    else
        problem_answer(request, err, NULL);
    buf_fini(&text);
}
