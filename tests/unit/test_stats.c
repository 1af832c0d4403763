/* The arithmetic of /v1/stats, and when it gives advice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "api/stats.h"
#include "base/attr.h"

static struct metric_reading older[METRIC_COUNT], newer[METRIC_COUNT];
static struct stats_span span;

static bool near(double value, double expected)
{
    return fabs(value - expected) < 1e-9;
}

static int clear(void **state)
{
    memset(older, 0, sizeof(older));
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        metric_read((enum metric)metric, &newer[metric]);
    memcpy(older, newer, sizeof(older));
    return 0;
}

static void observe(enum metric metric, int bucket, uint64_t count, uint64_t sum)
{
    newer[metric].buckets[bucket] += count;
    newer[metric].count += count;
    newer[metric].sum += sum;
}

static void rates_are_differences(void **state)
{
    older[METRIC_DELIVERED].value = 1000;
    newer[METRIC_DELIVERED].value = 1050;
    older[METRIC_STREAMS].value = 7;
    newer[METRIC_STREAMS].value = 5;
    stats_subtract(newer, older, 10, &span);
    assert_true(near(stats_per_second(&span, METRIC_DELIVERED), 5));
    assert_int_equal(span.change[METRIC_STREAMS].value, 5);
    stats_subtract(newer, older, 0, &span);
    assert_true(near(stats_per_second(&span, METRIC_DELIVERED), 0));
}

static void latencies_come_from_the_buckets(void **state)
{
    stats_subtract(newer, older, 1, &span);
    assert_true(near(stats_average_ms(&span, METRIC_DELIVERY_US), 0));
    assert_true(near(stats_quantile_ms(&span, METRIC_DELIVERY_US, 0.99), 0));

    older[METRIC_DELIVERY_US].buckets[20] = 5; /* of before: does not count */
    newer[METRIC_DELIVERY_US].buckets[20] = 5;
    observe(METRIC_DELIVERY_US, 10, 98, 98 * 600); /* 512 to 1024 us */
    observe(METRIC_DELIVERY_US, 14, 2, 2 * 10000); /* 8192 to 16384 us */
    stats_subtract(newer, older, 1, &span);
    assert_true(near(stats_average_ms(&span, METRIC_DELIVERY_US), (98 * 0.6 + 2 * 10.0) / 100));
    assert_true(near(stats_quantile_ms(&span, METRIC_DELIVERY_US, 0.49), 0.512 + 0.256));
    assert_true(near(stats_quantile_ms(&span, METRIC_DELIVERY_US, 0.98), 1.024));
    assert_true(near(stats_quantile_ms(&span, METRIC_DELIVERY_US, 0.99), 12.288));
    assert_true(near(stats_quantile_ms(&span, METRIC_DELIVERY_US, 1), 16.384));
}

static char given[8][512];
static int given_count;

static void give(void *context, const char *text)
{
    assert_true(given_count < 8);
    strcpy(given[given_count++], text);
}

static void advise(int64_t connections_max)
{
    given_count = 0;
    stats_subtract(newer, older, 10, &span);
    stats_advise(&span, connections_max, give, NULL);
}

static void nothing_wrong_gives_no_advice(void **state)
{
    newer[METRIC_REQUESTS].value += 1000;
    newer[METRIC_REQUESTS_LIMITED].value += 50;
    newer[METRIC_REQUESTS_FAILED].value += 10;
    newer[METRIC_CONNECTIONS].value = 80;
    observe(METRIC_LOOP_LAG_US, 10, 1000, 1000);
    observe(METRIC_COMMIT_US, 14, 1000, 1000);
    advise(100);
    assert_int_equal(given_count, 0);
}

/* Each reading on its own gives its own advice, which names the key to turn. */
static void each_fault_gives_its_advice(void **state)
{
    static const struct {
        enum metric metric;
        int bucket; /* of histograms; 0: `value` */
        int64_t value;
        const char *part;
    } rows[] = {
        {METRIC_CONNECTIONS, 0, 81, "limits.connections"},
        {METRIC_CONNECTIONS_REFUSED, 0, 1, "limits.connections"},
        {METRIC_BUSY, 0, 1, "limits.connections"},
        {METRIC_LOOP_LAG_US, 18, 1, "server.workers"},
        {METRIC_COMMIT_US, 18, 1, "journal.durability"},
        {METRIC_JOURNAL_ERRORS, 0, 1, "see the log"},
        {METRIC_REQUESTS_FAILED, 0, 11, "5xx"},
        {METRIC_REQUESTS_LIMITED, 0, 51, "limits"},
        {METRIC_QUEUE_OVERFLOWS, 0, 1, "sse.queue_bytes"},
        {METRIC_GAPS, 0, 1, "replay.max_events"},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        clear(NULL);
        newer[METRIC_CONNECTIONS].value = 0;
        newer[METRIC_REQUESTS].value += 1000;
        if (rows[i].bucket)
            observe(rows[i].metric, rows[i].bucket, 1, 200000);
        else
            newer[rows[i].metric].value += rows[i].value;
        advise(100);
        assert_int_equal(given_count, 1);
        if (!strstr(given[0], rows[i].part))
            fail_msg("row %zu: %s", i, given[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rates_are_differences, clear),
        cmocka_unit_test_setup(latencies_come_from_the_buckets, clear),
        cmocka_unit_test_setup(nothing_wrong_gives_no_advice, clear),
        cmocka_unit_test_setup(each_fault_gives_its_advice, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
