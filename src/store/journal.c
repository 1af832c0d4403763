#include "store/journal.h"

#include <stdio.h>

#include "base/err.h"
#include "store/memory.h"
#include "store/redis.h"
#include "store/redis_url.h"
#include "store/request.h"
#include "store/sqlite.h"

void journal_request_begin(struct journal_request *request)
{
    request->err = 0;
    arena_init(&request->arena, REQUEST_ARENA_BYTES_MAX);
}

void journal_request_finish(struct journal_request *request, int err)
{
    request->err = err;
    mailbox_push(request->home, &request->letter);
}

int journal_new(const struct settings *settings, journal_follower follower, void *context,
                char *why, size_t why_size, struct journal **ret)
{
    struct span url = span_text(settings->journal_url);
    if (span_is(url, "memory:"))
        return memory_journal_new(settings, follower, context, why, why_size, ret);
    const struct span scheme = span_text("sqlite:");
    if (span_starts_with(url, scheme) && url.len > scheme.len)
        return sqlite_journal_new(settings, url.data + scheme.len, follower, context, why,
                                  why_size, ret);
    if (redis_url_is(url))
        return redis_journal_new(settings, url, follower, context, why, why_size, ret);
    snprintf(why, why_size, "journal.url: neither memory:, sqlite:PATH nor redis://…");
    return ERR_CONFIG;
}

struct journal *journal_free(struct journal *journal)
{
    if (journal)
        journal->ops->close(journal);
    return NULL;
}

/* -- the closed journal ------------------------------------------------------------------- */

static void refuse(struct journal_request *request)
{
    journal_request_begin(request);
    journal_request_finish(request, ERR_UNAVAILABLE);
}

static void closed_append(struct journal *journal, struct journal_append *append)
{
    refuse(&append->request);
}

static void closed_open(struct journal *journal, struct journal_open *open)
{
    refuse(&open->request);
}

static void closed_page(struct journal *journal, struct journal_page *page)
{
    refuse(&page->request);
}

static void closed_history(struct journal *journal, struct journal_history *history)
{
    refuse(&history->request);
}

static void closed_read(struct journal *journal, struct journal_read *read)
{
    refuse(&read->request);
}

static void closed_status(struct journal *journal, struct journal_status *ret)
{
    *ret = (struct journal_status){.state = "down", .backend = "closed"};
}

static void closed_close(struct journal *journal)
{
}

struct journal *journal_closed(void)
{
    static const struct journal_ops ops = {
        .append = closed_append,
        .open = closed_open,
        .page = closed_page,
        .history = closed_history,
        .read = closed_read,
        .status = closed_status,
        .close = closed_close,
    };
    static struct journal closed = {.ops = &ops};
    return &closed;
}

/* -- what was found ----------------------------------------------------------------------- */

static void frames_fini(struct frame **frames, int count)
{
    for (int i = 0; i < count; i++)
        frame_unref(frames[i]);
}

void journal_append_fini(struct journal_append *append)
{
    arena_fini(&append->request.arena);
}

void journal_open_fini(struct journal_open *open)
{
    arena_fini(&open->request.arena);
}

void journal_page_fini(struct journal_page *page)
{
    frames_fini(page->frames, page->frame_count);
    page->frame_count = 0;
    arena_fini(&page->request.arena);
}

void journal_history_fini(struct journal_history *history)
{
    arena_fini(&history->request.arena);
}

void journal_read_fini(struct journal_read *read)
{
    arena_fini(&read->request.arena);
}
