#include "store/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/apply.h"
#include "store/memory_ledger.h"
#include "store/reading.h"
#include "store/request.h"

struct memory_journal {
    struct journal journal;
    const struct settings *settings;
    journal_follower follower; /* may be NULL */
    void *context;
    pthread_mutex_t lock; /* of all below, and held while the follower is told */
    struct memory_ledger ledger;
    struct apply apply;
};

static struct memory_journal *of(struct journal *journal)
{
    return container_of(journal, struct memory_journal, journal);
}

static void memory_append(struct journal *journal, struct journal_append *append)
{
    struct memory_journal *memory = of(journal);
    journal_request_begin(&append->request);
    append->started_us = clock_now_us();
    pthread_mutex_lock(&memory->lock);
    int err = apply_append(&memory->apply, append, clock_wall_ms());
    /* Also after a failure: what was done stays done, since nothing here is rolled back. */
    apply_tell(&memory->apply, memory->follower, memory->context);
    pthread_mutex_unlock(&memory->lock);
    metric_observe(METRIC_COMMIT_BATCH, (uint64_t)append->count);
    journal_request_finish(&append->request, err);
}

static void memory_open(struct journal *journal, struct journal_open *open)
{
    struct memory_journal *memory = of(journal);
    bool note_device;
    int64_t now_ms = clock_wall_ms();
    journal_request_begin(&open->request);
    pthread_mutex_lock(&memory->lock);
    int err = reading_open(&memory->ledger.ledger, open, now_ms, &note_device);
    if (!err && note_device)
        err = apply_device(&memory->apply, open, now_ms);
    pthread_mutex_unlock(&memory->lock);
    journal_request_finish(&open->request, err);
}

static void memory_page(struct journal *journal, struct journal_page *page)
{
    struct memory_journal *memory = of(journal);
    journal_request_begin(&page->request);
    pthread_mutex_lock(&memory->lock);
    int err = reading_page(&memory->ledger.ledger, page, clock_wall_ms());
    pthread_mutex_unlock(&memory->lock);
    journal_request_finish(&page->request, err);
}

static void memory_history(struct journal *journal, struct journal_history *history)
{
    struct memory_journal *memory = of(journal);
    journal_request_begin(&history->request);
    pthread_mutex_lock(&memory->lock);
    int err = reading_history(&memory->ledger.ledger, history, clock_wall_ms());
    pthread_mutex_unlock(&memory->lock);
    journal_request_finish(&history->request, err);
}

static void memory_read(struct journal *journal, struct journal_read *read)
{
    struct memory_journal *memory = of(journal);
    journal_request_begin(&read->request);
    pthread_mutex_lock(&memory->lock);
    int err = reading_read(&memory->ledger.ledger, memory->settings, read, clock_wall_ms());
    pthread_mutex_unlock(&memory->lock);
    journal_request_finish(&read->request, err);
}

static void memory_status(struct journal *journal, struct journal_status *ret)
{
    *ret = (struct journal_status){.state = "ok", .backend = "memory"};
}

static void memory_close(struct journal *journal)
{
    struct memory_journal *memory = of(journal);
    apply_fini(&memory->apply);
    memory_ledger_fini(&memory->ledger);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static const struct journal_ops memory_journal_ops = {
    .append = memory_append,
    .open = memory_open,
    .page = memory_page,
    .history = memory_history,
    .read = memory_read,
    .status = memory_status,
    .close = memory_close,
};

int memory_journal_new(const struct settings *settings, journal_follower follower, void *context,
                       char *why, size_t why_size, struct journal **ret)
{
    struct memory_journal *memory = calloc(1, sizeof(*memory));
    if (!memory || pthread_mutex_init(&memory->lock, NULL)) {
        snprintf(why, why_size, "journal.url: out of memory");
        free(memory);
        return ERR_MEMORY;
    }
    memory->journal.ops = &memory_journal_ops;
    memory->settings = settings;
    memory->follower = follower;
    memory->context = context;
    memory_ledger_init(&memory->ledger, settings);
    apply_init(&memory->apply, &memory->ledger.ledger, settings);
    *ret = &memory->journal;
    return 0;
}
