/* The hall: the readers of one worker, by realm, room and user.
 *
 * WHY    an event finds its readers without a look at anyone else, and membership moves with the
 *        events that change it, in journal order.
 * MODEL  realm -> rooms -> seats (one for each subscriber that follows the room)
 *              -> the first subscriber of each user -> its others
 *              -> ring of recent frames
 *        hall_dispatch is given every frame of the process in journal order. Frames of realms
 *        without a reader here are dropped. What a message said is taken out of ring and queues
 *        when its deletion passes here. A realm is kept while it has a subscriber or an
 *        opening (hall_open), and REALM_IDLE_MS after.
 *
 *        Joining a subscriber to the order: hall_open before the journal is asked, so that
 *        everything above the answer's head passes here; hall_enter with the answer: seats from
 *        its snapshot, moved by what passed meanwhile; hall_replay starts.
 *
 *        A room that was asked for by name and may not be seen keeps a blind seat: its reader is
 *        shown the room again when it joins, or may watch what is made public.
 * BOUNDS the rings' (see core/ring.h), the queues' (core/subscriber.h), seats by the readers.
 * Floor: core. On one thread. Pure: time is an argument, no I/O. */
#ifndef TIDINGS_CORE_HALL_H
#define TIDINGS_CORE_HALL_H

#include "base/limits.h"
#include "base/map.h"
#include "base/numbered.h"
#include "core/ring.h"
#include "core/subscriber.h"

struct hall_limits {
    size_t queue_bytes_max;  /* of one subscriber */
    size_t ring_bytes_max;   /* of one realm */
    int64_t ring_age_max_ms;
};

/* A subscriber, and in the low bits what it is in the room: a member, a watcher (none set), or
 * one who asked for the room and may not see it now. */
typedef uintptr_t tagged_seat;
enum { SEAT_MEMBER = 1, SEAT_BLIND = 2, SEAT_TAGS = 3 };

struct hall_room {
    UT_hash_handle hh;
    struct hall_realm *realm;
    tagged_seat *seats; /* owned */
    uint32_t seat_count, seat_size;
    uint32_t number; /* in the realm */
    struct event_id public_since; /* watchers without a grant are shown nothing older */
    char name[];
};

struct hall_realm {
    UT_hash_handle hh;
    struct hall *hall;
    struct hall_room *rooms;
    struct numbered room_numbers;
    struct table users; /* the first subscriber of each, by_user; the others by user_next */
    struct subscriber *waiting; /* those with something queued, also when they have left */
    struct ring ring;
    struct deletions *deletions; /* the last that were dispatched, owned; NULL: none */
    struct event_id deletions_from; /* those up to here are not kept */
    struct event_id head;      /* last entry dispatched here */
    uint32_t opening;          /* hall_open without hall_enter or hall_abandon yet */
    int64_t idle_since_ms;     /* when the last reader left */
    struct hall_realm *idle_previous, *idle_next; /* of those without readers, oldest first */
    bool idle;                 /* in that list */
    struct frame *heartbeat;   /* ref, for `head`; NULL: not made yet */
    char name[];
};

struct hall {
    struct hall_limits limits;
    struct hall_realm *realms;
    struct hall_realm *idle_oldest, *idle_newest;
    struct frame *heartbeat_without_id; /* ref */
    uint32_t subscriber_count;
    uint32_t losses;           /* calls of hall_lost */
    int64_t now_ms;            /* the latest it was told */
    /* A watcher came (+1) or went (-1). May be NULL. */
    void (*on_watchers)(struct hall *hall, const char *realm, const char *room, int change);
    void *context; /* the owner's */
};

/* The room that the subscriber follows with it. */
static inline struct hall_room *hall_followed(const struct subscriber *subscriber,
                                              const struct follow *follow)
{
    return numbered_get(&subscriber->realm->room_numbers, follow->room);
}

void hall_init(struct hall *hall, const struct hall_limits *limits);
/* Without subscribers. */
void hall_fini(struct hall *hall);

/* Announces that a subscriber of this realm is about to be opened. NULL: out of memory. */
struct hall_realm *hall_open(struct hall *hall, struct span realm, int64_t now_ms);
/* The opening came to nothing. */
void hall_abandon(struct hall_realm *realm, int64_t now_ms);

/* A followed room as the journal's snapshot has it. */
struct hall_follow {
    struct span room;
    bool member, named, readable, granted, banned;
    struct event_id public_since;
};

/* What hall_enter needs beside the zeroed subscriber with ops, session, unnamed set. */
struct hall_entry {
    const char *user; /* borrowed until the subscriber leaves */
    bool follows_all;
    const struct hall_follow *follows;
    int follow_count;
    struct event_id head;     /* the snapshot's */
    uint32_t losses;          /* hall.losses when the journal was asked for the snapshot */
    struct event_id position; /* where its replay starts: at most the head */
    uint32_t history_count;   /* messages of history that come before the replay */
};

/* Seats the subscriber; its state is REPLAY, nothing is queued or called yet. The opening is
 * over if it succeeds. ERR_MEMORY; ERR_AGAIN when events after the snapshot were lost, or
 * membership events have left the ring already: read a new snapshot, the opening goes on. */
MUST_CHECK int hall_enter(struct hall_realm *realm, struct subscriber *subscriber,
                          const struct hall_entry *entry);
/* Unseats it; state ENDED. Its queue stays for who writes it (subscriber_fini), and so long as
 * something is in it what was deleted is taken out of it. Repeats are fine. */
void hall_leave(struct subscriber *subscriber, int64_t now_ms);

/* Goes on with a replay as far as the queue has room: from the ring, or by on_page_needed. Call
 * it after hall_enter and whenever the queue has been emptied to half. May call on_live. */
void hall_replay(struct subscriber *subscriber);
/* Does what is fed to it hold what a message said that was deleted after it was read, at `head`,
 * and before now? Then it is not to be fed but read again: see hall_feed_failed. */
bool hall_is_outdated(const struct subscriber *subscriber, struct frame *const *frames, int count,
                      struct event_id head);
/* A page of the journal: frames as this user sees them, in order, everything visible up to
 * `upto`. Frames are borrowed. Goes on with hall_replay. */
void hall_feed(struct subscriber *subscriber, struct frame *const *frames, int count,
               struct event_id upto);
/* Likewise for a page of history, which comes first: messages that are queued without their ids,
 * but for those of rooms that may not be seen any more. `left` are still to come. Without memory
 * for one it calls on_broken. */
void hall_feed_history(struct subscriber *subscriber, struct frame *const *frames, int count,
                       uint32_t left);
/* The page could not be read: on_page_needed may be called again by the next hall_replay. */
void hall_feed_failed(struct subscriber *subscriber);

/* A frame, durable ones in journal order. Borrowed. */
void hall_dispatch(struct hall *hall, struct frame *frame, int64_t now_ms);

/* Gives an ephemeral frame to one subscriber alone, by the rules of a dispatched one: one for a
 * room only if its seat there is for it. Borrowed. */
void hall_tell(struct subscriber *subscriber, struct frame *frame);
/* Queues what was held back, as far as there is room: to be called when the queue is empty. */
void hall_release(struct subscriber *subscriber);

/* Frames were lost on their way here (no memory for the letter), from the first of them on all up
 * to this call: the rings are emptied and every subscriber is told on_broken, so that its reader
 * comes back with its cursor. Openings under way need a new snapshot. */
void hall_lost(struct hall *hall);

/* Queues a heartbeat, unless one is the last thing queued already. */
void hall_heartbeat(struct subscriber *subscriber);

/* The token's grants changed: watchers that no longer may are told by on_denied. `granted` is
 * asked for each followed room. */
void hall_regrant(struct subscriber *subscriber, bool (*granted)(void *context, const char *room),
                  void *context);

/* Readers of a realm here; NULL if none. */
struct hall_realm *hall_find(struct hall *hall, struct span realm);

#define REALM_IDLE_MS 60000

#endif
