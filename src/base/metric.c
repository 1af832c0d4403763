#include "base/metric.h"

#include <assert.h>
#include <stdatomic.h>

struct cell {
    _Atomic int64_t value;
    _Atomic uint64_t count, sum;
    _Atomic uint64_t buckets[METRIC_BUCKETS];
};

static struct cell cells[METRIC_COUNT];

static const struct {
    const char *name;
    enum metric_kind kind;
    const char *help;
} table[METRIC_COUNT] = {
#define X(id, name, kind, help) [METRIC_##id] = {"tidings_" name, METRIC_KIND_##kind, help},
    METRICS(X)
#undef X
};

void metric_add(enum metric metric, int64_t amount)
{
    atomic_fetch_add_explicit(&cells[metric].value, amount, memory_order_relaxed);
}

void metric_observe(enum metric metric, uint64_t value)
{
    int bucket = value ? 64 - __builtin_clzll(value) : 0;
    if (bucket >= METRIC_BUCKETS)
        bucket = METRIC_BUCKETS - 1;
    struct cell *cell = &cells[metric];
    atomic_fetch_add_explicit(&cell->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&cell->sum, value, memory_order_relaxed);
    atomic_fetch_add_explicit(&cell->count, 1, memory_order_relaxed);
}

void metric_read(enum metric metric, struct metric_reading *ret)
{
    assert(metric < METRIC_COUNT);
    struct cell *cell = &cells[metric];
    *ret = (struct metric_reading){
        .name = table[metric].name,
        .help = table[metric].help,
        .kind = table[metric].kind,
        .value = atomic_load_explicit(&cell->value, memory_order_relaxed),
        .sum = atomic_load_explicit(&cell->sum, memory_order_relaxed),
        .count = atomic_load_explicit(&cell->count, memory_order_relaxed),
    };
    for (int i = 0; i < METRIC_BUCKETS; i++)
        ret->buckets[i] = atomic_load_explicit(&cell->buckets[i], memory_order_relaxed);
}
