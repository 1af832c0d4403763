/* The hall: how readers take their seats, how a frame finds them, and how they leave. */
#include "core/hall.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "core/hall_tables.h"

/* -- membership -------------------------------------------------------------------------- */

/* The subscriber may not see the room from here on. If it named the room its seat stays, blind,
 * until it may again. */
static void shut_out(struct subscriber *subscriber, struct follow *follow, int err)
{
    char room[IDENT_BYTES_MAX + 1];
    if (!follow->named) {
        follow_remove(subscriber, follow);
        return;
    }
    const char *name = hall_followed(subscriber, follow)->name;
    assert(strlen(name) < sizeof(room));
    strcpy(room, name);
    follow_set(subscriber, follow, false, false);
    subscriber->ops->on_denied(subscriber, room, err);
}

/* A join, leave or ban of the subscriber's own user. */
static void move_seat(struct subscriber *subscriber, const struct frame *frame)
{
    if (event_id_compare(frame->id, subscriber->snapshot) <= 0)
        return;
    struct hall_room *room = realm_find_room(subscriber->realm, frame->room);
    struct follow *follow = room ? follow_find(subscriber, room) : NULL;
    if (is_join(frame)) {
        struct hall_follow as = {.room = span_text(frame->room), .member = true};
        if (follow) {
            follow->banned = false;
            follow_set(subscriber, follow, true, follow->readable);
        } else if (subscriber->follows_all && follow_add(subscriber, &as) != 0) {
            subscriber->ops->on_broken(subscriber);
        }
    } else if (frame->bars_user && follow) {
        follow->banned = true;
        if (follow->member || follow->readable)
            shut_out(subscriber, follow, ERR_BANNED);
    } else if (follow && follow->member) {
        if (follow->named && follow->readable)
            follow_set(subscriber, follow, false, true);
        else
            shut_out(subscriber, follow, ERR_NOT_A_MEMBER);
    }
}

/* From behind this frame on the room may be watched, or not, or is no more. */
static void turn_seat(struct subscriber *subscriber, struct follow *follow,
                      const struct frame *frame)
{
    struct hall_room *room = hall_followed(subscriber, follow);
    if (event_id_compare(frame->id, subscriber->snapshot) <= 0)
        return;
    if (frame->opens_watching && event_id_compare(frame->id, room->public_since) > 0)
        room->public_since = frame->id;
    if (frame->type == EVENT_ROOM_DELETED) {
        follow->banned = false;
        if (follow->member || follow->readable)
            shut_out(subscriber, follow, ERR_NOT_FOUND);
    } else if (!frame->ends_watching) {
        if (!follow->banned && (frame->opens_watching || follow->granted))
            follow_set(subscriber, follow, follow->member, true);
    } else if (follow->member) {
        follow_set(subscriber, follow, true, follow->granted);
    } else if (follow->readable && !follow->granted) {
        shut_out(subscriber, follow, ERR_NOT_FOUND);
    }
}

/* -- coming and going -------------------------------------------------------------------- */

static void waiting_add(struct subscriber *subscriber)
{
    struct subscriber **first = &subscriber->realm->waiting;
    subscriber->waits = true;
    subscriber->waiting_previous = NULL;
    subscriber->waiting_next = *first;
    if (*first)
        (*first)->waiting_previous = subscriber;
    *first = subscriber;
}

static void waiting_remove(struct subscriber *subscriber)
{
    subscriber->waits = false;
    if (subscriber->waiting_previous)
        subscriber->waiting_previous->waiting_next = subscriber->waiting_next;
    else
        subscriber->realm->waiting = subscriber->waiting_next;
    if (subscriber->waiting_next)
        subscriber->waiting_next->waiting_previous = subscriber->waiting_previous;
}

/* Before it enters nobody waits, nor once the queue of one who has left is empty. */
void realm_sort(struct subscriber *subscriber)
{
    bool ended = subscriber->state == SUBSCRIBER_ENDED;
    bool waits = subscriber->queue_count > 0;
    if (subscriber->state == SUBSCRIBER_NEW || waits == subscriber->waits ||
        (ended && !subscriber->waits))
        return;
    if (waits)
        waiting_add(subscriber);
    else
        waiting_remove(subscriber);
    if (ended)
        realm_note_idle(subscriber->realm, subscriber->realm->hall->now_ms);
}

static void unseat(struct subscriber *subscriber)
{
    while (subscriber->follow_count)
        follow_remove(subscriber, &subscriber->follows[subscriber->follow_count - 1]);
    free(subscriber->follows);
    subscriber->follows = NULL;
    subscriber->follow_size = 0;
    realm_remove(subscriber->realm, subscriber);
}

/* What passed here after the snapshot. */
static void move_to_head(struct subscriber *subscriber)
{
    const struct ring *ring = &subscriber->realm->ring;
    for (uint32_t i = ring_find_after(ring, subscriber->snapshot); i < ring->count; i++) {
        const struct frame *frame = ring_at(ring, i);
        if (moves_seats(frame) && strcmp(frame->user, subscriber_user(subscriber)) == 0)
            move_seat(subscriber, frame);
        struct hall_room *room =
            turns_room(frame) ? realm_find_room(subscriber->realm, frame->room) : NULL;
        struct follow *follow = room ? follow_find(subscriber, room) : NULL;
        if (follow)
            turn_seat(subscriber, follow, frame);
    }
}

int hall_enter(struct hall_realm *realm, struct subscriber *subscriber,
               const struct hall_entry *entry)
{
    assert(subscriber->state == SUBSCRIBER_NEW);
    assert(event_id_compare(entry->position, entry->head) <= 0);
    if (entry->losses != realm->hall->losses)
        return ERR_AGAIN;
    ring_set_floor(&realm->ring, entry->head);
    if (event_id_compare(realm->head, entry->head) > 0 && !ring_covers(&realm->ring, entry->head))
        return ERR_AGAIN;
    subscriber->by_user.key = entry->user;
    subscriber->by_user.key_len = (uint32_t)strlen(entry->user);
    subscriber->realm = realm;
    subscriber->follows_all = entry->follows_all;
    subscriber->snapshot = entry->head;
    subscriber->history_left = entry->history_count;
    subscriber->position = subscriber->taken = entry->position;
    realm_add(realm, subscriber);
    int err = follows_reserve(subscriber, (uint32_t)entry->follow_count);
    for (int i = 0; i < entry->follow_count && !err; i++)
        err = follow_add(subscriber, &entry->follows[i]);
    if (err) {
        unseat(subscriber);
        return err;
    }
    assert(realm->opening > 0);
    realm->opening--;
    subscriber->state = SUBSCRIBER_REPLAY;
    realm_sort(subscriber);
    move_to_head(subscriber);
    return 0;
}

void hall_leave(struct subscriber *subscriber, int64_t now_ms)
{
    if (subscriber->state == SUBSCRIBER_NEW || subscriber->state == SUBSCRIBER_ENDED)
        return;
    struct hall_realm *realm = subscriber->realm;
    realm->hall->now_ms = now_ms;
    subscriber->state = SUBSCRIBER_ENDED;
    unseat(subscriber);
    realm_note_idle(realm, now_ms);
}

/* -- dispatch ---------------------------------------------------------------------------- */

static void turn_seats(struct hall_realm *realm, const struct frame *frame)
{
    struct hall_room *room = realm_find_room(realm, frame->room);
    /* From the end: a seat that goes is replaced by one that was looked at. The room lives until
     * its last seat goes. */
    for (uint32_t i = room ? room->seat_count : 0; i-- > 0;) {
        struct subscriber *subscriber = seat_subscriber(room->seats[i]);
        turn_seat(subscriber, follow_find(subscriber, room), frame);
    }
}

static void dispatch_to_room(struct hall_realm *realm, struct frame *frame)
{
    struct hall_room *room = realm_find_room(realm, frame->room);
    if (!room)
        return;
    bool for_watchers = event_type_is_for_watchers((enum event_type)frame->type);
    for (uint32_t i = 0; i < room->seat_count; i++) {
        tagged_seat seat = room->seats[i];
        if (seat_is_member(seat) || (for_watchers && !seat_is_blind(seat)))
            push_live(seat_subscriber(seat), frame);
    }
}

static void dispatch_to_user(struct hall_realm *realm, struct frame *frame)
{
    struct subscriber *at = realm_find_user(realm, frame->user);
    for (; at; at = at->user_next) {
        if (is_addressed(at, frame))
            push_live(at, frame);
    }
}

static void dispatch_moves(struct hall_realm *realm, struct frame *frame)
{
    struct subscriber *at = realm_find_user(realm, frame->user);
    for (; at; at = at->user_next) {
        if (at->state == SUBSCRIBER_REPLAY || at->state == SUBSCRIBER_LIVE)
            move_seat(at, frame);
    }
}

static void dispatch_to_realm(struct hall_realm *realm, struct frame *frame)
{
    for (struct subscriber *at = realm_first(realm); at; at = realm_next(realm, at))
        push_live(at, frame);
}

void hall_dispatch(struct hall *hall, struct frame *frame, int64_t now_ms)
{
    struct hall_realm *realm = hall_find(hall, span_text(frame->realm));
    hall->now_ms = now_ms;
    if (!realm)
        return;
    if (!event_id_is_none(frame->id)) {
        if (event_id_compare(frame->id, realm->head) <= 0)
            return;
        ring_add(&realm->ring, frame, now_ms);
        realm->head = frame->id;
        realm->heartbeat = frame_unref(realm->heartbeat);
        if (frame->type == EVENT_MESSAGE_DELETED) {
            ring_erase(&realm->ring, frame->target, frame->target_edited);
            realm_erase(realm, frame);
        }
    }
    /* A joiner is seated before the joining is told, a leaver afterwards. */
    if (is_move(frame) && is_join(frame))
        dispatch_moves(realm, frame);
    if (frame->audience == AUDIENCE_ROOM)
        dispatch_to_room(realm, frame);
    else if (frame->audience == AUDIENCE_USER)
        dispatch_to_user(realm, frame);
    else if (frame->audience == AUDIENCE_REALM)
        dispatch_to_realm(realm, frame);
    if (moves_seats(frame) && !is_join(frame))
        dispatch_moves(realm, frame);
    if (turns_room(frame))
        turn_seats(realm, frame);
}

void hall_lost(struct hall *hall)
{
    struct hall_realm *realm, *next;
    hall->losses++;
    HASH_ITER(hh, hall->realms, realm, next) {
        ring_fini(&realm->ring);
        ring_init(&realm->ring, hall->limits.ring_bytes_max, hall->limits.ring_age_max_ms);
        for (struct subscriber *at = realm->waiting; at; at = at->waiting_next)
            at->ops->on_broken(at);
        for (struct subscriber *at = realm_first(realm); at; at = realm_next(realm, at)) {
            if (!at->waits)
                at->ops->on_broken(at);
        }
    }
}

void hall_regrant(struct subscriber *subscriber, bool (*granted)(void *context, const char *room),
                  void *context)
{
    for (uint32_t i = subscriber->follow_count; i-- > 0;) {
        struct follow *follow = &subscriber->follows[i];
        bool was_granted = follow->granted;
        follow->granted = granted(context, hall_followed(subscriber, follow)->name);
        if (!was_granted || follow->granted)
            continue;
        /* Whether the room is public is not known here: a watcher by grant alone asks again. */
        if (follow->member)
            follow->readable = false;
        else if (follow->readable)
            shut_out(subscriber, follow, ERR_NOT_ALLOWED);
    }
}
