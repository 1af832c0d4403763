/* The receipts that a reader is told again after a resume: those that moved since a while before
 * its cursor, from the journal, page by page as its queue has room. */
#include <stdio.h>
#include <stdlib.h>

#include "api/desk.h"
#include "api/reader_parts.h"
#include "api/receipt_frame.h"
#include "base/metric.h"

struct reader_receipts {
    struct journal_read read;
    struct reader *reader; /* NULL: it wants them no more */
    struct reader *asker;
    bool asked;                     /* the journal is */
    bool last;                      /* it has no more */
    char from[IDENT_BYTES_MAX + 1]; /* room where the next page starts; "": the first */
};

void reader_keep_receipts(struct reader *reader, struct event_id cursor)
{
    struct reader_receipts *receipts = calloc(1, sizeof(*receipts));
    int64_t since_ms = (int64_t)cursor.ms - RECEIPTS_AGAIN_MS;
    /* Without memory it is told of what moves from now on. */
    if (!receipts)
        return;
    receipts->reader = reader;
    receipts->read.since_ms = since_ms > 0 ? since_ms : 1;
    reader->receipts = receipts;
}

void reader_drop_receipts(struct reader *reader)
{
    struct reader_receipts *receipts = reader->receipts;
    reader->receipts = NULL;
    reader->told_again = 0;
    if (receipts && receipts->asked)
        receipts->reader = NULL; /* its page is on the way */
    else
        free(receipts);
}

/* What only repeats ends no wait, as long as nothing else is behind it. */
static void tell(struct reader *reader, const struct journal_read *read)
{
    struct subscriber *subscriber = &reader->subscriber;
    bool repeats_only = subscriber->queue_count == reader->told_again;
    for (int i = 0; i < read->receipt_count; i++) {
        const struct read_receipt *receipt = &read->receipts[i];
        struct frame *frame;
        if (receipt_frame_new(span_text(session_realm(&reader->session)), receipt, read->head,
                              false, &frame) != 0)
            continue;
        hall_tell(subscriber, frame);
        frame_unref(frame);
    }
    if (repeats_only)
        reader->told_again = subscriber->queue_count;
}

static void on_page(struct letter *letter)
{
    struct reader_receipts *receipts =
        container_of(letter, struct reader_receipts, read.request.letter);
    struct reader *reader = receipts->asker;
    struct journal_read *read = &receipts->read;
    bool dropped = !receipts->reader;
    receipts->asked = false;
    reader->journal_requests--;
    if (!dropped && !reader->closed) {
        metric_add(METRIC_JOURNAL_ERRORS, read->request.err != 0);
        if (!read->request.err)
            tell(reader, read);
        receipts->last = read->request.err || !read->next.data;
        if (!receipts->last)
            snprintf(receipts->from, sizeof(receipts->from), "%.*s", SPAN_ARGS(read->next));
    }
    journal_read_fini(read);
    if (dropped)
        free(receipts);
    if (reader->closed)
        reader_free_if_alone(reader);
    else if (!dropped)
        reader_go_on_with_receipts(reader);
}

static void ask(struct reader *reader)
{
    struct reader_receipts *receipts = reader->receipts;
    receipts->read = (struct journal_read){
        .what = READ_RECEIPTS,
        .realm = span_text(session_realm(&reader->session)),
        .actor.user = span_text(session_user(&reader->session)),
        .from = receipts->from[0] ? span_text(receipts->from) : (struct span){NULL, 0},
        .since_ms = receipts->read.since_ms,
    };
    receipts->read.request.letter.on_read = on_page;
    receipts->read.request.home = worker_mailbox(reader->desk->worker);
    receipts->asker = reader;
    receipts->asked = true;
    reader->journal_requests++;
    journal_start_read(reader->desk->app->journal, &receipts->read);
}

bool reader_asks_receipts(const struct reader *reader)
{
    return reader->receipts && reader->receipts->asked;
}

bool reader_go_on_with_receipts(struct reader *reader)
{
    struct reader_receipts *receipts = reader->receipts;
    const struct subscriber *subscriber = &reader->subscriber;
    size_t queue_max = (size_t)reader->desk->app->settings->sse_queue_bytes;
    if (!receipts)
        return false;
    if (receipts->asked || subscriber->state != SUBSCRIBER_LIVE || subscriber->held ||
        subscriber->queue_bytes > queue_max / 2)
        return true;
    if (!receipts->last) {
        ask(reader);
        return true;
    }
    reader->receipts = NULL;
    free(receipts);
    reader_ops_of(reader)->on_receipts_told(reader);
    return true;
}
