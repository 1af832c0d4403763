/* How a reader is fed from the journal: by pages, one at a time, each no more than the queue has
 * room for. First the history it asked for, of which only the ids are kept, then its replay. */
#include <assert.h>
#include <stdlib.h>

#include "api/blocks.h"
#include "api/desk.h"
#include "api/reader_parts.h"
#include "base/err.h"
#include "base/metric.h"

/* A page asks for no more than fits the queue. */
#define PAGE_BYTES_MIN 16384

struct reader_history {
    int count, at; /* how many, and the next to be read */
    struct event_id ids[];
};

int reader_keep_history(struct reader *reader, const struct journal_open *open)
{
    assert(!reader->history);
    if (open->history_count == 0)
        return 0;
    size_t bytes = (size_t)open->history_count * sizeof(struct event_id);
    reader->history = malloc(sizeof(*reader->history) + bytes);
    if (!reader->history)
        return ERR_MEMORY;
    reader->history->count = open->history_count;
    reader->history->at = 0;
    memcpy(reader->history->ids, open->history_ids, bytes);
    return 0;
}

void reader_push_gaps(struct reader *reader, const struct journal_gap *gaps, int count)
{
    for (int i = 0; i < count; i++) {
        reader_push(reader, block_gap(&gaps[i]));
        told_add(&reader->told, &gaps[i]);
    }
    metric_add(METRIC_GAPS, count);
}

struct paging {
    struct journal_page page;
    struct reader *reader;
    struct reader_rooms *named; /* ref */
    struct told *told;  /* the reader's, while the page is under way */
    struct reader_history *history; /* likewise; NULL: it asks for the replay */
    uint8_t generation; /* of the reader when it asked */
};

static void paging_free(struct paging *paging)
{
    journal_page_fini(&paging->page);
    told_free(paging->told);
    free(paging->history);
    reader_rooms_unref(paging->named);
    free(paging);
}

/* The page is for who has closed, was opened again, or has been given its last block. */
static bool is_late(const struct paging *paging)
{
    const struct reader *reader = paging->reader;
    return reader->closed || paging->generation != reader->generation ||
           reader->subscriber.state != SUBSCRIBER_REPLAY;
}

static void feed(struct reader *reader, const struct journal_page *page)
{
    reader_push_gaps(reader, page->gaps, page->gap_count);
    if (event_id_compare(page->upto, page->head) == 0)
        reader->told = told_free(reader->told);
    hall_feed(&reader->subscriber, page->frames, page->frame_count, page->upto);
}

static void feed_history(struct reader *reader, const struct journal_page *page)
{
    struct reader_history *history = reader->history;
    assert(page->ids_read > 0);
    history->at += page->ids_read;
    int left = history->count - history->at;
    if (left == 0) {
        free(history);
        reader->history = NULL;
    }
    hall_feed_history(&reader->subscriber, page->frames, page->frame_count, (uint32_t)left);
}

static void on_journal_page(struct letter *letter)
{
    struct paging *paging = container_of(letter, struct paging, page.request.letter);
    struct journal_page *page = &paging->page;
    struct reader *reader = paging->reader;
    reader->journal_requests--;
    if (is_late(paging)) {
        paging_free(paging);
        reader_free_if_alone(reader);
        return;
    }
    assert(!reader->told);
    reader->told = paging->told;
    paging->told = NULL;
    reader->history = paging->history;
    paging->history = NULL;
    if (page->request.err) {
        metric_add(METRIC_JOURNAL_ERRORS, 1);
        /* Asked again with the next heartbeat: streams stay open while the journal is away. */
        hall_feed_failed(&reader->subscriber);
    } else if (hall_is_outdated(&reader->subscriber, page->frames, page->frame_count,
                                page->head)) {
        hall_feed_failed(&reader->subscriber);
        hall_replay(&reader->subscriber);
    } else if (reader->history) {
        feed_history(reader, page);
    } else {
        feed(reader, page);
    }
    paging_free(paging);
}

void reader_on_page_needed(struct subscriber *subscriber)
{
    struct reader *reader = reader_of(subscriber);
    struct paging *paging = calloc(1, sizeof(*paging));
    if (!paging) {
        hall_feed_failed(subscriber);
        return;
    }
    size_t queue_max = (size_t)reader->desk->app->settings->sse_queue_bytes;
    size_t room = queue_max > subscriber->queue_bytes ? queue_max - subscriber->queue_bytes : 0;
    struct journal_page *page = &paging->page;
    paging->reader = reader;
    paging->named = reader_rooms_ref(reader->named);
    paging->generation = reader->generation;
    page->request.letter.on_read = on_journal_page;
    page->request.home = worker_mailbox(reader->desk->worker);
    page->follow = reader_follow(reader, subscriber->follows_all);
    page->after = subscriber->position;
    if (subscriber->fallback)
        page->spared_session = span_text(session_name(&reader->session));
    page->events_max = REPLAY_PAGE_EVENTS;
    page->bytes_max = room > PAGE_BYTES_MIN ? room : PAGE_BYTES_MIN;
    paging->told = reader->told;
    reader->told = NULL;
    page->told = paging->told ? paging->told->gaps : NULL;
    page->told_count = paging->told ? paging->told->count : 0;
    paging->history = reader->history;
    reader->history = NULL;
    if (paging->history) {
        page->ids = paging->history->ids + paging->history->at;
        page->id_count = paging->history->count - paging->history->at;
    }
    reader->journal_requests++;
    journal_start_page(reader->desk->app->journal, page);
}
