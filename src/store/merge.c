#include "store/merge.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

static struct event_id later(struct event_id a, struct event_id b)
{
    return event_id_compare(a, b) >= 0 ? a : b;
}

static struct event_id earlier(struct event_id a, struct event_id b)
{
    return event_id_compare(a, b) <= 0 ? a : b;
}

static const struct stretch *feed_stretch(const struct feed *feed)
{
    if (feed->stretch < 0 || feed->stretch >= feed->source->count)
        return NULL;
    return &feed->merge->view->stretches[feed->source->first + feed->stretch];
}

struct reading {
    struct feed *feed;
    bool watched;
    int seen;
};

static int note_id(void *context, struct event_id id, place_number place, enum event_type type)
{
    struct reading *reading = context;
    struct feed *feed = reading->feed;
    reading->seen++;
    feed->bound = id;
    if (type != EVENT_NONE && (!reading->watched || event_type_is_for_watchers(type)))
        feed->ids[feed->count++] = id;
    return 0;
}

/* Reads on in the present stretch; moves to the next one when it is exhausted. */
static int feed_read(struct feed *feed, const struct stretch *stretch)
{
    const struct merge *merge = feed->merge;
    bool down = merge->newest_first;
    struct ledger_range range = {
        .place = feed->source->place,
        .after = later(merge->after, event_id_previous(stretch->from)),
        .before = merge->before,
        .limit = feed->quota >= 0 && feed->quota < merge->batch ? feed->quota : merge->batch,
        .newest_first = down,
        .messages_only = merge->messages_only,
    };
    if (event_id_compare(stretch->until, EVENT_ID_LAST) < 0)
        range.before = earlier(range.before, event_id_next(stretch->until));
    if (down)
        range.before = earlier(range.before, feed->bound);
    else
        range.after = later(range.after, feed->bound);
    struct reading reading = {feed, stretch->watched, 0};
    int err = 0;
    if (event_id_compare(range.after, range.before) < 0)
        err = merge->ledger->ops->ids(merge->ledger, &range, note_id, &reading);
    if (reading.seen < range.limit)
        feed->stretch += down ? -1 : 1;
    return err;
}

static int feed_fill(struct feed *feed)
{
    const struct stretch *stretch;
    feed->at = feed->count = 0;
    while (feed->count == 0 && feed->quota != 0 && (stretch = feed_stretch(feed))) {
        int err = feed_read(feed, stretch);
        if (err)
            return err;
    }
    if (feed->quota > 0)
        feed->quota -= feed->count;
    return 0;
}

static bool comes_before(const struct merge *merge, const struct feed *a, const struct feed *b)
{
    int order = event_id_compare(a->ids[a->at], b->ids[b->at]);
    return merge->newest_first ? order > 0 : order < 0;
}

static void sift_down(struct merge *merge, int at)
{
    struct feed **heap = merge->heap;
    for (;;) {
        int first = at;
        for (int child = 2 * at + 1; child <= 2 * at + 2 && child < merge->heap_count; child++) {
            if (comes_before(merge, heap[child], heap[first]))
                first = child;
        }
        if (first == at)
            return;
        struct feed *moved = heap[at];
        heap[at] = heap[first];
        heap[first] = moved;
        at = first;
    }
}

static int merge_fill(struct merge *merge, const struct merge_spec *spec)
{
    int missed = 0;
    for (int i = 0; i < merge->view->count; i++) {
        struct feed *feed = &merge->feeds[i];
        *feed = (struct feed){
            .source = &merge->view->sources[i],
            .bound = spec->newest_first ? EVENT_ID_LAST : EVENT_ID_NONE,
            .ids = merge->ids + (size_t)i * (size_t)merge->batch,
            .quota = spec->quota,
            .merge = merge,
        };
        feed->stretch = spec->newest_first ? feed->source->count - 1 : 0;
        int err = ledger_put_off(feed_fill(feed), &missed);
        if (err)
            return err;
        if (feed->count > 0)
            merge->heap[merge->heap_count++] = feed;
    }
    if (missed)
        return missed;
    for (int i = merge->heap_count / 2 - 1; i >= 0; i--)
        sift_down(merge, i);
    return 0;
}

int merge_init(struct merge *merge, struct ledger *ledger, const struct view *view,
               const struct merge_spec *spec)
{
    assert(spec->wanted > 0);
    int sources = view->count ? view->count : 1;
    int batch = 2 * spec->wanted / sources + MERGE_BATCH_MIN;
    if (batch > spec->wanted + 1)
        batch = spec->wanted + 1;
    *merge = (struct merge){
        .ledger = ledger,
        .view = view,
        .after = spec->after,
        .before = spec->before,
        .newest_first = spec->newest_first,
        .messages_only = spec->messages_only,
        .batch = batch,
        .feeds = calloc((size_t)sources, sizeof(struct feed)),
        .ids = malloc((size_t)sources * (size_t)batch * sizeof(struct event_id)),
        .heap = calloc((size_t)sources, sizeof(struct feed *)),
    };
    int err = merge->feeds && merge->ids && merge->heap ? merge_fill(merge, spec) : ERR_MEMORY;
    if (err)
        merge_fini(merge);
    return err;
}

void merge_fini(struct merge *merge)
{
    free(merge->feeds);
    free(merge->ids);
    free(merge->heap);
    *merge = (struct merge){0};
}

int merge_next(struct merge *merge, struct event_id *ret)
{
    if (merge->heap_count == 0)
        return ERR_NOT_FOUND;
    struct feed *feed = merge->heap[0];
    struct event_id id = feed->ids[feed->at++];
    if (feed->at == feed->count) {
        int err = feed_fill(feed);
        if (err)
            return err;
        if (feed->count == 0)
            merge->heap[0] = merge->heap[--merge->heap_count];
    }
    sift_down(merge, 0);
    *ret = id;
    return 0;
}
