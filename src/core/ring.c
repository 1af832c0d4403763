#include "core/ring.h"

#include <assert.h>
#include <stdlib.h>

#define RING_FIRST_SLOTS 64

void ring_init(struct ring *ring, size_t bytes_max, int64_t age_max_ms)
{
    *ring = (struct ring){.bytes_max = bytes_max, .age_max_ms = age_max_ms};
}

static void drop_oldest(struct ring *ring)
{
    assert(ring->count > 0);
    struct frame *frame = ring_at(ring, 0);
    ring->floor = frame->id;
    ring->floor_known = true;
    ring->bytes -= frame->size;
    ring->first = (ring->first + 1) & (ring->size - 1);
    ring->count--;
    frame_unref(frame);
}

void ring_fini(struct ring *ring)
{
    while (ring->count)
        drop_oldest(ring);
    free(ring->slots);
    ring->slots = NULL;
}

static bool grow(struct ring *ring)
{
    uint32_t size = ring->size ? ring->size * 2 : RING_FIRST_SLOTS;
    struct ring_slot *slots = malloc(size * sizeof(*slots));
    if (!slots)
        return false;
    for (uint32_t i = 0; i < ring->count; i++)
        slots[i] = ring->slots[(ring->first + i) & (ring->size - 1)];
    free(ring->slots);
    ring->slots = slots;
    ring->size = size;
    ring->first = 0;
    return true;
}

void ring_add(struct ring *ring, struct frame *frame, int64_t now_ms)
{
    assert(!event_id_is_none(frame->id));
    assert(ring->count == 0 || event_id_compare(ring_at(ring, ring->count - 1)->id, frame->id) < 0);
    if (ring->count == ring->size && !grow(ring)) {
        while (ring->count)
            drop_oldest(ring);
        ring->floor = frame->id;
        ring->floor_known = true;
        return;
    }
    if (!ring->floor_known) {
        /* What came before the first frame is not known; the frame itself is. */
        ring->floor = frame->id;
        ring->floor_known = true;
    }
    ring->slots[(ring->first + ring->count) & (ring->size - 1)] =
        (struct ring_slot){frame_ref(frame), now_ms};
    ring->count++;
    ring->bytes += frame->size;
    while (ring->count > 1 && (ring->bytes > ring->bytes_max ||
                               ring->slots[ring->first].at_ms + ring->age_max_ms < now_ms))
        drop_oldest(ring);
}

static void erase(struct ring *ring, struct event_id id)
{
    uint32_t index = ring_find_after(ring, id);
    if (index == 0 || event_id_compare(ring_at(ring, index - 1)->id, id) != 0)
        return;
    struct ring_slot *slot = &ring->slots[(ring->first + index - 1) & (ring->size - 1)];
    struct frame *erased;
    if (frame_new_erased(slot->frame, &erased)) {
        for (uint32_t i = 0; i < index; i++)
            drop_oldest(ring);
        return;
    }
    ring->bytes = ring->bytes - slot->frame->size + erased->size;
    frame_unref(slot->frame);
    slot->frame = erased;
}

void ring_erase(struct ring *ring, struct event_id id, bool edited)
{
    erase(ring, id);
    for (uint32_t left = ring->count - ring_find_after(ring, id); edited && left > 0; left--) {
        const struct frame *frame = ring_at(ring, ring->count - left);
        if (frame->type == EVENT_MESSAGE_EDITED && event_id_compare(frame->target, id) == 0)
            erase(ring, frame->id);
    }
}

void ring_set_floor(struct ring *ring, struct event_id head)
{
    if (ring->floor_known)
        return;
    ring->floor = head;
    ring->floor_known = true;
}

bool ring_covers(const struct ring *ring, struct event_id after)
{
    return ring->floor_known && event_id_compare(ring->floor, after) <= 0;
}

uint32_t ring_find_after(const struct ring *ring, struct event_id after)
{
    uint32_t low = 0, high = ring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (event_id_compare(ring_at(ring, middle)->id, after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
