#include "api/stats.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "api/json_writer.h"
#include "api/problem.h"
#include "api/process.h"
#include "api/routes.h"
#include "base/err.h"

#define REPORT_BYTES_MAX 65536

struct sample {
    int64_t at_ms;
    struct metric_reading readings[METRIC_COUNT];
};

static struct {
    pthread_mutex_t lock;
    struct worker_timer timer;
    struct worker *worker;
    struct sample samples[STATS_SAMPLES];
    int count, next;
} history = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void take_sample(struct sample *sample)
{
    sample->at_ms = clock_now_ms();
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        metric_read((enum metric)metric, &sample->readings[metric]);
}

static void on_step(struct worker_timer *timer)
{
    pthread_mutex_lock(&history.lock);
    take_sample(&history.samples[history.next]);
    history.next = (history.next + 1) % STATS_SAMPLES;
    if (history.count < STATS_SAMPLES)
        history.count++;
    pthread_mutex_unlock(&history.lock);
    worker_timer_set(history.worker, timer, STATS_STEP_MS);
}

void stats_start(struct worker *worker)
{
    history.worker = worker;
    history.timer.on_due = on_step;
    on_step(&history.timer);
}

/* From the oldest copy until now; without one, since the process started. */
static void measure(struct stats_span *ret)
{
    static const struct metric_reading nothing[METRIC_COUNT];
    struct sample now;
    take_sample(&now);
    pthread_mutex_lock(&history.lock);
    int oldest = history.count < STATS_SAMPLES ? 0 : history.next;
    if (history.count > 0)
        stats_subtract(now.readings, history.samples[oldest].readings,
                       (double)(now.at_ms - history.samples[oldest].at_ms) / 1000, ret);
    else
        stats_subtract(now.readings, nothing, process_uptime_s(), ret);
    pthread_mutex_unlock(&history.lock);
}

/* Arithmetic */

void stats_subtract(const struct metric_reading *newer, const struct metric_reading *older,
                    double seconds, struct stats_span *ret)
{
    ret->seconds = seconds;
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        struct metric_reading *change = &ret->change[metric];
        *change = newer[metric];
        if (change->kind == METRIC_KIND_GAUGE)
            continue;
        change->value -= older[metric].value;
        change->count -= older[metric].count;
        change->sum -= older[metric].sum;
        for (int i = 0; i < METRIC_BUCKETS; i++)
            change->buckets[i] -= older[metric].buckets[i];
    }
}

double stats_per_second(const struct stats_span *span, enum metric metric)
{
    return span->seconds > 0 ? (double)span->change[metric].value / span->seconds : 0;
}

double stats_average_ms(const struct stats_span *span, enum metric metric)
{
    const struct metric_reading *change = &span->change[metric];
    return change->count ? (double)change->sum / (double)change->count / 1000 : 0;
}

double stats_quantile_ms(const struct stats_span *span, enum metric metric, double share)
{
    const uint64_t *buckets = span->change[metric].buckets;
    uint64_t total = 0;
    for (int i = 0; i < METRIC_BUCKETS; i++)
        total += buckets[i];
    double wanted = share * (double)total, below = 0;
    for (int i = 0; i < METRIC_BUCKETS; i++) {
        if (buckets[i] == 0)
            continue;
        if (below + (double)buckets[i] < wanted) {
            below += (double)buckets[i];
            continue;
        }
        double low = i ? (double)(UINT64_C(1) << (i - 1)) : 0, high = (double)(UINT64_C(1) << i);
        return (low + (high - low) * (wanted - below) / (double)buckets[i]) / 1000;
    }
    return 0;
}

/* Advice */

struct adviser {
    void (*give)(void *context, const char *text);
    void *context;
};

static void PRINTF_LIKE(3, 4)
    advise_if(const struct adviser *adviser, bool needed, const char *format, ...)
{
    char text[512];
    if (!needed)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    adviser->give(adviser->context, text);
}

static void advise_on_load(const struct adviser *adviser, const struct stats_span *span,
                           int64_t connections_max)
{
    const struct metric_reading *change = span->change;
    double turn_ms = stats_quantile_ms(span, METRIC_LOOP_LAG_US, 0.99);
    double commit_ms = stats_quantile_ms(span, METRIC_COMMIT_US, 0.99);
    long long connections = (long long)change[METRIC_CONNECTIONS].value;
    long long refused =
        (long long)(change[METRIC_CONNECTIONS_REFUSED].value + change[METRIC_BUSY].value);
    advise_if(adviser, connections_max > 0 && connections * 5 > connections_max * 4,
              "%lld of at most %lld connections are in use: raise limits.connections and the "
              "limit of open files, or add a node.",
              connections, (long long)connections_max);
    advise_if(adviser, refused > 0,
              "%lld connections or streams were refused as too many: raise limits.connections and "
              "the limit of open files, or add a node.",
              refused);
    advise_if(adviser, turn_ms > 50,
              "One turn in a hundred of the workers' loops takes longer than %.0f ms: give them "
              "more cores (server.workers), or add a node.",
              turn_ms);
    advise_if(adviser, commit_ms > 50,
              "One commit in a hundred takes longer than %.0f ms: use a faster disk, or "
              "journal.durability = relaxed if the last moments may be lost with the machine.",
              commit_ms);
}

static void advise_on_faults(const struct adviser *adviser, const struct stats_span *span)
{
    const struct metric_reading *change = span->change;
    int64_t requests = change[METRIC_REQUESTS].value;
    advise_if(adviser, change[METRIC_JOURNAL_ERRORS].value > 0,
              "%lld operations of the journal failed: see the log.",
              (long long)change[METRIC_JOURNAL_ERRORS].value);
    advise_if(adviser, change[METRIC_REQUESTS_FAILED].value * 100 > requests,
              "%lld of %lld requests were answered with 5xx: see the log.",
              (long long)change[METRIC_REQUESTS_FAILED].value, (long long)requests);
    advise_if(adviser, change[METRIC_REQUESTS_LIMITED].value * 20 > requests,
              "%lld of %lld requests were refused as too many (429): if these are not floods, "
              "raise the rates under limits.",
              (long long)change[METRIC_REQUESTS_LIMITED].value, (long long)requests);
    advise_if(adviser, change[METRIC_QUEUE_OVERFLOWS].value > 0,
              "%lld readers could not keep up and were fed from the journal again: if it is not "
              "their network, raise sse.queue_bytes.",
              (long long)change[METRIC_QUEUE_OVERFLOWS].value);
    advise_if(adviser, change[METRIC_GAPS].value > 0,
              "%lld gaps were told to readers that were away for too long: raise "
              "replay.max_events, journal.room_events_max or journal.retention_days.",
              (long long)change[METRIC_GAPS].value);
}

void stats_advise(const struct stats_span *span, int64_t connections_max,
                  void (*give)(void *context, const char *text), void *context)
{
    struct adviser adviser = {give, context};
    advise_on_load(&adviser, span, connections_max);
    advise_on_faults(&adviser, span);
}

/* The report */

static int64_t connections_max(const struct settings *settings)
{
    struct rlimit files;
    if (settings->limits_connections > 0)
        return settings->limits_connections;
    return getrlimit(RLIMIT_NOFILE, &files) == 0 ? (int64_t)files.rlim_cur : 0;
}

static void append_text(void *array, const char *text)
{
    json_array_append_new(array, json_string(text));
}

static double rounded(double value)
{
    return (double)(int64_t)(value * 1000 + 0.5) / 1000;
}

static void set_real(json_t *report, const char *name, double value)
{
    json_object_set_new(report, name, json_real(rounded(value)));
}

static void set_number(json_t *report, const char *name, int64_t value)
{
    json_object_set_new(report, name, json_integer(value));
}

static void set_rates(json_t *report, const struct stats_span *span)
{
    const struct metric_reading *change = span->change;
    int64_t requests = change[METRIC_REQUESTS].value;
    set_number(report, "activeConnections", change[METRIC_CONNECTIONS].value);
    set_number(report, "streams", change[METRIC_STREAMS].value);
    set_number(report, "pollsWaiting", change[METRIC_POLLS].value);
    set_real(report, "connectionsPerSecond", stats_per_second(span, METRIC_CONNECTIONS_ACCEPTED));
    set_real(report, "requestsPerSecond", stats_per_second(span, METRIC_REQUESTS));
    set_real(report, "messagesPerSecond",
             stats_per_second(span, METRIC_PUBLISHED) +
                 stats_per_second(span, METRIC_PUBLISHED_EPHEMERAL));
    set_real(report, "deliveriesPerSecond", stats_per_second(span, METRIC_DELIVERED));
    set_real(report, "averageLatencyMs", stats_average_ms(span, METRIC_DELIVERY_US));
    set_real(report, "p99LatencyMs", stats_quantile_ms(span, METRIC_DELIVERY_US, 0.99));
    set_real(report, "averageAppendMs", stats_average_ms(span, METRIC_APPEND_US));
    set_real(report, "p99AppendMs", stats_quantile_ms(span, METRIC_APPEND_US, 0.99));
    set_real(report, "errorRate",
             requests > 0 ? (double)change[METRIC_REQUESTS_FAILED].value / (double)requests : 0);
}

static void set_journal(json_t *report, struct journal *journal)
{
    struct journal_status status = {.state = "down"};
    journal->ops->status(journal, &status);
    json_object_set_new(report, "journal",
                        json_pack("{s:s, s:s, s:I}", "state", status.state, "backend",
                                  status.backend, "queued", (json_int_t)status.queued));
}

/* By the writer, which writes 0.1 as 0.1. Takes the report over. */
static void answer_report(struct request *request, json_t *report)
{
    struct json_writer writer;
    json_writer_init(&writer, REPORT_BYTES_MAX);
    json_writer_value(&writer, report);
    json_decref(report);
    struct answer answer = {
        .status = 200,
        .content_type = "application/json",
        .body = json_writer_text(&writer),
    };
    if (writer.err)
        problem_answer(request, ERR_MEMORY, NULL);
    else
        request_answer(request, &answer);
    json_writer_fini(&writer);
}

void stats_get(struct request *request)
{
    const struct app *app = request_app(request);
    struct stats_span span;
    measure(&span);
    json_t *report = json_object(), *advice = json_array();
    set_rates(report, &span);
    set_real(report, "windowSeconds", span.seconds);
    set_real(report, "uptimeSeconds", process_uptime_s());
    set_number(report, "memoryBytes", process_memory_bytes());
    set_number(report, "workers", server_worker_count(app->server));
    set_journal(report, app->journal);
    stats_advise(&span, connections_max(app->settings), append_text, advice);
    json_object_set_new(report, "recommendations", advice);
    json_object_set_new(report, "node", json_string(app->node));
    json_object_set_new(report, "version", json_string(TIDINGS_VERSION));
    answer_report(request, report);
}
