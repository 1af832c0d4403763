/* A subscriber: one reader, its place in the journal's order and its bounded queue.
 *
 * WHY    exactly once and in order, however slow the reader is, in bounded memory.
 * MODEL
 *                    +------------- overflow ------------+
 *                    v                                   |
 *        NEW --> REPLAY --- position meets the head --> LIVE
 *                  |  ^ page                             |
 *                  |  +-- (need_page)                    |
 *                  +--------------> ENDED <--------------+
 *
 *        `position` is where the replay stands: everything visible up to it has been queued.
 *        A frame not above it is never queued. In LIVE whatever the hall dispatches is queued
 *        as it comes. When the queue would overflow it is dropped, all but a frame that is
 *        partly written and what stands up to the last frame that no replay brings again
 *        (history, blocks of the session's own). The replay begins again after the last event
 *        that the reader took or will take: from the ring of recent frames if it reaches so far,
 *        else from the journal's pages. That is the whole back-pressure.
 *        An ephemeral frame that tells a state (who is online, who types, how far one has read)
 *        and finds no room is held back, the newest of each, and queued once the queue is empty.
 *        What changes of who types is not for one that does not know yet who types already.
 * BOUNDS queue_bytes_max (beside its own blocks one frame is always taken, so that a large one
 *        passes); of HELD_MAX
 *        states on the subscriber is broken, so that it comes back for all of them; other
 *        ephemeral frames that do not fit are left out.
 * Floor: core. On the thread of its hall. Pure. Embedded in what owns it. */
#ifndef TIDINGS_CORE_SUBSCRIBER_H
#define TIDINGS_CORE_SUBSCRIBER_H

#include <sys/uio.h>

#include "base/table.h"
#include "core/frame.h"

struct hall;
struct held;
struct hall_realm;
struct subscriber;

enum subscriber_state { SUBSCRIBER_NEW, SUBSCRIBER_REPLAY, SUBSCRIBER_LIVE, SUBSCRIBER_ENDED };

struct subscriber_ops {
    /* The queue has something new. */
    void (*on_queued)(struct subscriber *subscriber);
    /* The ring does not reach back to `position`: read a page of the journal after it and give
     * it to hall_feed. Not called again before that. */
    void (*on_page_needed)(struct subscriber *subscriber);
    /* Went LIVE. `first` is true at the end of the replay it was opened with, not after a
     * fall-back. */
    void (*on_live)(struct subscriber *subscriber, bool first);
    /* A room it named may not be read any longer; `err` as in base/err.h. */
    void (*on_denied)(struct subscriber *subscriber, const char *room, int err);
    /* Memory ran out for a seat or for news, so it misses events: give its reader nothing more
     * and end it, but not inside this call. The reader comes back with its cursor. */
    void (*on_broken)(struct subscriber *subscriber);
};

/* A frame in a queue; the lowest bit says that its id line is left out. */
typedef uintptr_t queued_frame;

#define FOLLOW_SEAT_BITS 27 /* a room has at most so many seats in a hall: 2^27 */

/* A room that is followed; see hall_followed. Kept in order of the rooms' numbers. */
struct follow {
    uint32_t room; /* its number in the realm */
    uint32_t seat : FOLLOW_SEAT_BITS; /* index in the room's seats */
    bool member : 1;
    bool named : 1;    /* asked for by name */
    bool readable : 1; /* may be watched without membership; neither: its seat is blind */
    bool granted : 1;  /* by a grant, whatever the room's kind or age, but for a ban */
    bool banned : 1;   /* when last heard of: a ban that is lifted or over is not told */
};

#define SUBSCRIBER_INLINE_FRAMES 2

struct subscriber {
    /* what every delivery looks at */
    const struct subscriber_ops *ops;
    queued_frame *queue;           /* circular; inline_frames or owned */
    queued_frame inline_frames[SUBSCRIBER_INLINE_FRAMES];
    uint32_t queue_first, queue_count, queue_size; /* frames */
    uint32_t queue_bytes;          /* still to be written, of all frames */
    uint32_t head_taken;           /* bytes of the first frame that are written */
    uint8_t state;                 /* enum subscriber_state */
    bool unnamed;                  /* no `event:` lines */
    bool fallback;                 /* this replay is a fall-back of its own, not a resume */
    bool page_pending;             /* on_page_needed was called */
    bool follows_all;              /* rooms joined later too */
    bool waits;                    /* in the realm's list of those with something queued */
    bool hears_typing;             /* the owner's: it knows who types, and is told what changes */
    struct event_id position;
    struct event_id taken;
    struct held *held;             /* states held back, owned; NULL: none */
    /* where it sits */
    struct hall_realm *realm;
    struct table_link by_user;     /* key: the user's name, borrowed; of the first of the user it
                                      is in the table */
    struct subscriber *user_previous, *user_next;       /* of the same user */
    struct subscriber *waiting_previous, *waiting_next; /* of the same realm */
    struct follow *follows;        /* owned */
    uint32_t follow_count, follow_size;
    struct event_id snapshot;      /* memberships were read at this id */
    uint32_t history_left;         /* messages of history to be fed before its replay */
    uint32_t replayed;             /* events queued by the replay it was opened with */
    const char *session;           /* name; borrowed from the owner */
};

static inline const char *subscriber_user(const struct subscriber *subscriber)
{
    return subscriber->by_user.key;
}

/* Bytes of `frame` that a subscriber writes. */
uint32_t subscriber_frame_bytes(const struct subscriber *subscriber, queued_frame queued);

static inline struct frame *queued_get(queued_frame queued)
{
    return (struct frame *)(queued & ~(uintptr_t)1);
}

static inline bool queued_without_id(queued_frame queued)
{
    return queued & 1;
}

/* Queues a frame made for this subscriber alone (connected, gap, heartbeat, …), whatever the
 * bounds; takes a reference. `without_id`: leave out its id line. ERR_MEMORY. */
MUST_CHECK int subscriber_push_own(struct subscriber *subscriber, struct frame *frame,
                                   bool without_id);

/* The oldest queued pieces, at most `max` (at least 2), as memory to write. Returns how many;
 * what is written is told by subscriber_taken. */
int subscriber_gather(const struct subscriber *subscriber, struct iovec *pieces, int max);
/* The first `len` bytes of what was gathered are written. Returns how many frames were finished
 * by it. */
int subscriber_taken(struct subscriber *subscriber, size_t len);

/* A queued frame, 0 = the oldest; `index` is below queue_count. */
queued_frame subscriber_peek(const struct subscriber *subscriber, uint32_t index);
/* Puts another frame in the place of a queued one that is not begun; takes over the reference. */
void subscriber_replace(struct subscriber *subscriber, uint32_t index, struct frame *frame);
/* Takes the oldest off whole (long-poll). The caller takes over the reference. */
struct frame *subscriber_take(struct subscriber *subscriber);

/* Drops the queue. After hall_leave. */
void subscriber_fini(struct subscriber *subscriber);

/* Everything visible up to here has been queued: for the id of a heartbeat. */
struct event_id subscriber_reached(const struct subscriber *subscriber);

#endif
