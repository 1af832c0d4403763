/* What the files that make the hall share: its tables, in which seats and follows stay in step,
 * and its queueing.
 *
 * MODEL  a follow (in the subscriber) names its seat (in the room), and the seat its subscriber;
 *        taking one away moves the room's last seat into its place.
 * Floor: core. Nobody but src/core/hall*.c includes this. */
#ifndef TIDINGS_CORE_HALL_TABLES_H
#define TIDINGS_CORE_HALL_TABLES_H

#include "core/hall.h"

static inline struct subscriber *seat_subscriber(tagged_seat seat)
{
    return (struct subscriber *)(seat & ~(uintptr_t)SEAT_TAGS);
}

static inline bool seat_is_member(tagged_seat seat)
{
    return seat & SEAT_MEMBER;
}

static inline bool seat_is_blind(tagged_seat seat)
{
    return seat & SEAT_BLIND;
}

/* Notes that the realm has no reader, if so; it is forgotten REALM_IDLE_MS later, when the next
 * one comes or goes. */
void realm_note_idle(struct hall_realm *realm, int64_t now_ms);
/* Puts it into the realm's list of those who wait, or out of it, since its queue has changed. */
void realm_sort(struct subscriber *subscriber);
/* Takes what the message said that `deletion` tells of out of every queue, but for a block that is
 * begun. */
void realm_erase(struct hall_realm *realm, const struct frame *deletion);
/* NULL if nobody here follows it. */
struct hall_room *realm_find_room(struct hall_realm *realm, const char *name);
/* The first subscriber of the user; NULL if there is none. */
struct subscriber *realm_find_user(struct hall_realm *realm, const char *name);
/* All the realm's subscribers; NULL: no more. */
struct subscriber *realm_first(struct hall_realm *realm);
struct subscriber *realm_next(struct hall_realm *realm, const struct subscriber *subscriber);
/* Among those of its user, whose name it has in by_user. */
void realm_add(struct hall_realm *realm, struct subscriber *subscriber);
void realm_remove(struct hall_realm *realm, struct subscriber *subscriber);

/* NULL if it does not follow the room. */
struct follow *follow_find(const struct subscriber *subscriber, const struct hall_room *room);
/* Makes room for `size` rooms in all, and not more: most readers keep the rooms they came with. */
MUST_CHECK int follows_reserve(struct subscriber *subscriber, uint32_t size);
/* Seats it, or changes the membership of the seat it has. ERR_MEMORY. */
MUST_CHECK int follow_add(struct subscriber *subscriber, const struct hall_follow *as);
/* What the subscriber is in the room has changed. */
void follow_set(struct subscriber *subscriber, struct follow *follow, bool member, bool readable);
/* Other follows of the subscriber move; the room may be freed. */
void follow_remove(struct subscriber *subscriber, struct follow *follow);

/* A frame that makes its user a member. */
static inline bool is_join(const struct frame *frame)
{
    return frame->type == EVENT_USER_JOINED || frame->type == EVENT_ROOM_CREATED;
}

/* A frame that changes the membership of its user. */
static inline bool is_move(const struct frame *frame)
{
    return frame->room && frame->user && (is_join(frame) || frame->type == EVENT_USER_LEFT);
}

/* A frame that changes who may watch its room. */
static inline bool turns_room(const struct frame *frame)
{
    return frame->room &&
           (frame->ends_watching || frame->opens_watching || frame->type == EVENT_ROOM_CREATED);
}

/* A frame that changes what its user may see of its room from there on. */
static inline bool moves_seats(const struct frame *frame)
{
    return is_move(frame) || (frame->bars_user && frame->room && frame->user);
}

/* Is this frame of AUDIENCE_ROOM for what the subscriber is in the room? */
bool is_seated_for(const struct subscriber *subscriber, const struct frame *frame);
/* Is this frame of AUDIENCE_USER for this session of the user? */
bool is_addressed(const struct subscriber *subscriber, const struct frame *frame);
/* The encoding of a frame that this subscriber is given. */
struct frame *version_for(struct frame *frame, const struct subscriber *subscriber);
bool is_spared(const struct subscriber *subscriber, const struct frame *frame);
bool queue_has_room(const struct subscriber *subscriber, const struct frame *frame);
/* Queues a dispatched frame that this subscriber may see; falls back when it does not fit. */
void push_live(struct subscriber *subscriber, struct frame *frame);
/* Keeps a frame that tells a state, and had no room, in the place of what it makes void. */
void hold_state(struct subscriber *subscriber, struct frame *frame);
static inline bool is_state(const struct frame *frame)
{
    return event_type_state_group((enum event_type)frame->type) != 0;
}
static inline bool is_typing(const struct frame *frame)
{
    return event_type_state_group((enum event_type)frame->type) == EVENT_USER_TYPING;
}
/* Lets go of all that is held. */
void held_free(struct subscriber *subscriber);
/* Queues a replayed one; false when it could not. */
MUST_CHECK bool push_replayed(struct subscriber *subscriber, struct frame *frame);

#endif
