/* The ring of recent frames of one realm: what every reader who is only a little behind needs.
 *
 * WHY    a crowd that comes back with recent cursors must not touch the journal.
 * MODEL  frames in order of id: everything with id > floor that was dispatched. A message that was
 *        deleted since, and its edits, stand there as the journal has them: without content.
 * BOUNDS bytes_max and age_max_ms; the oldest go first. At least one frame is kept.
 * Floor: core. One thread. Holds a reference to each frame. Pure: time is an argument. */
#ifndef TIDINGS_CORE_RING_H
#define TIDINGS_CORE_RING_H

#include "core/frame.h"

struct ring_slot {
    struct frame *frame; /* ref */
    int64_t at_ms;       /* when it was added */
};

struct ring {
    struct ring_slot *slots;    /* circular, owned */
    uint32_t first, count, size; /* size is a power of two */
    size_t bytes;               /* on the wire, of all frames */
    size_t bytes_max;
    int64_t age_max_ms;
    struct event_id floor;      /* everything above it is here */
    bool floor_known;           /* false: nothing is known to be covered yet */
};

void ring_init(struct ring *ring, size_t bytes_max, int64_t age_max_ms);
void ring_fini(struct ring *ring);
/* Takes a reference. Ids rise. On ERR_MEMORY the ring is empty and its floor is the frame's id:
 * readers behind it go to the journal. */
void ring_add(struct ring *ring, struct frame *frame, int64_t now_ms);
/* Forgets what the message `id` and, with `edited`, every edit of it said. Without memory it
 * forgets all up to there: its floor rises. */
void ring_erase(struct ring *ring, struct event_id id, bool edited);
/* Nothing was ever dispatched but everything up to `head` is in the journal. Only while the
 * floor is not known. */
void ring_set_floor(struct ring *ring, struct event_id head);
/* True when every entry above `after` is in the ring. */
bool ring_covers(const struct ring *ring, struct event_id after);
/* Index (0 = oldest) of the first frame above `after`; ring->count if there is none. */
uint32_t ring_find_after(const struct ring *ring, struct event_id after);

static inline struct frame *ring_at(const struct ring *ring, uint32_t index)
{
    return ring->slots[(ring->first + index) & (ring->size - 1)].frame;
}

#endif
