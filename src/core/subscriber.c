#include "core/subscriber.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "core/hall_tables.h"

static queued_frame *entry_at(const struct subscriber *subscriber, uint32_t index)
{
    return &subscriber->queue[(subscriber->queue_first + index) & (subscriber->queue_size - 1)];
}

/* A frame is written as up to two slices: what stands before `event:` (the id and retry lines)
 * and the rest, or the rest from `data:` on. */
static int frame_pieces(const struct subscriber *subscriber, queued_frame queued,
                        struct iovec pieces[2])
{
    const struct frame *frame = queued_get(queued);
    uint32_t from = subscriber->unnamed ? frame->data_at : frame->event_at;
    int count = 0;
    if (!queued_without_id(queued) && frame->event_at > 0) {
        if (!subscriber->unnamed) {
            pieces[0] = (struct iovec){frame->wire, frame->size};
            return 1;
        }
        pieces[count++] = (struct iovec){frame->wire, frame->event_at};
    }
    pieces[count++] = (struct iovec){frame->wire + from, frame->size - from};
    return count;
}

uint32_t subscriber_frame_bytes(const struct subscriber *subscriber, queued_frame queued)
{
    const struct frame *frame = queued_get(queued);
    uint32_t bytes = frame->size;
    if (subscriber->unnamed)
        bytes -= frame->data_at - frame->event_at;
    if (queued_without_id(queued))
        bytes -= frame->event_at;
    return bytes;
}

static bool queue_grow(struct subscriber *subscriber)
{
    uint32_t size = subscriber->queue_size * 2;
    queued_frame *queue = malloc(size * sizeof(*queue));
    if (!queue)
        return false;
    for (uint32_t i = 0; i < subscriber->queue_count; i++)
        queue[i] = *entry_at(subscriber, i);
    if (subscriber->queue != subscriber->inline_frames)
        free(subscriber->queue);
    subscriber->queue = queue;
    subscriber->queue_size = size;
    subscriber->queue_first = 0;
    return true;
}

int subscriber_push_own(struct subscriber *subscriber, struct frame *frame, bool without_id)
{
    if (!subscriber->queue) {
        subscriber->queue = subscriber->inline_frames;
        subscriber->queue_size = SUBSCRIBER_INLINE_FRAMES;
    }
    if (subscriber->queue_count == subscriber->queue_size && !queue_grow(subscriber))
        return ERR_MEMORY;
    queued_frame queued = (queued_frame)frame_ref(frame) | (without_id ? 1 : 0);
    *entry_at(subscriber, subscriber->queue_count++) = queued;
    subscriber->queue_bytes += subscriber_frame_bytes(subscriber, queued);
    realm_sort(subscriber);
    subscriber->ops->on_queued(subscriber);
    return 0;
}

int subscriber_gather(const struct subscriber *subscriber, struct iovec *pieces, int max)
{
    int count = 0;
    uint32_t skip = subscriber->head_taken;
    for (uint32_t i = 0; i < subscriber->queue_count && count + 2 <= max; i++) {
        struct iovec of_frame[2];
        int n = frame_pieces(subscriber, *entry_at(subscriber, i), of_frame);
        for (int k = 0; k < n; k++) {
            if (skip >= of_frame[k].iov_len) {
                skip -= (uint32_t)of_frame[k].iov_len;
                continue;
            }
            pieces[count++] = (struct iovec){(char *)of_frame[k].iov_base + skip,
                                             of_frame[k].iov_len - skip};
            skip = 0;
        }
    }
    return count;
}

/* Gives the memory of a long queue back once it is empty. */
static void queue_shrink(struct subscriber *subscriber)
{
    if (subscriber->queue_count || subscriber->queue == subscriber->inline_frames)
        return;
    free(subscriber->queue);
    subscriber->queue = subscriber->inline_frames;
    subscriber->queue_size = SUBSCRIBER_INLINE_FRAMES;
    subscriber->queue_first = 0;
}

struct frame *subscriber_take(struct subscriber *subscriber)
{
    assert(subscriber->queue_count > 0);
    queued_frame queued = *entry_at(subscriber, 0);
    struct frame *frame = queued_get(queued);
    subscriber->queue_bytes -=
        subscriber_frame_bytes(subscriber, queued) - subscriber->head_taken;
    subscriber->head_taken = 0;
    subscriber->queue_first = (subscriber->queue_first + 1) & (subscriber->queue_size - 1);
    subscriber->queue_count--;
    if (!queued_without_id(queued) && event_id_compare(frame->id, subscriber->taken) > 0)
        subscriber->taken = frame->id;
    queue_shrink(subscriber);
    realm_sort(subscriber);
    return frame;
}

queued_frame subscriber_peek(const struct subscriber *subscriber, uint32_t index)
{
    assert(index < subscriber->queue_count);
    return *entry_at(subscriber, index);
}

void subscriber_replace(struct subscriber *subscriber, uint32_t index, struct frame *frame)
{
    assert(index < subscriber->queue_count);
    assert(index > 0 || subscriber->head_taken == 0);
    queued_frame *entry = entry_at(subscriber, index);
    struct frame *old = queued_get(*entry);
    subscriber->queue_bytes -= subscriber_frame_bytes(subscriber, *entry);
    *entry = (queued_frame)frame | (queued_frame)queued_without_id(*entry);
    subscriber->queue_bytes += subscriber_frame_bytes(subscriber, *entry);
    frame_unref(old);
}

int subscriber_taken(struct subscriber *subscriber, size_t len)
{
    int finished = 0;
    assert(len <= subscriber->queue_bytes);
    while (len > 0) {
        queued_frame queued = *entry_at(subscriber, 0);
        size_t left = subscriber_frame_bytes(subscriber, queued) - subscriber->head_taken;
        if (len < left) {
            subscriber->head_taken += (uint32_t)len;
            subscriber->queue_bytes -= (uint32_t)len;
            break;
        }
        len -= left;
        frame_unref(subscriber_take(subscriber));
        finished++;
    }
    return finished;
}

void subscriber_fini(struct subscriber *subscriber)
{
    assert(subscriber->state == SUBSCRIBER_NEW || subscriber->state == SUBSCRIBER_ENDED);
    while (subscriber->queue_count)
        frame_unref(subscriber_take(subscriber));
    if (subscriber->queue != subscriber->inline_frames)
        free(subscriber->queue);
    subscriber->queue = NULL;
    subscriber->queue_size = 0;
    held_free(subscriber);
}
