/* The hall: how a frame finds its readers, and how a reader comes from its cursor to live.
 *
 * A replay from the ring needs the membership at each frame, and only that of now is kept. It
 * is found backwards: the user's own joins and leaves between the frame and now are in the ring
 * too, so the first of them at or after the frame tells what was true before it. Where a room
 * was deleted in that stretch the journal is asked instead, which remembers. */
#include "core/hall.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/metric.h"
#include "core/hall_tables.h"

/* Membership events of one user in the stretch that is replayed. More than this many: the
 * journal is asked. */
#define MOVES_MAX 64

static bool is_join(const struct frame *frame)
{
    return frame->type == EVENT_USER_JOINED || frame->type == EVENT_ROOM_CREATED;
}

static bool is_move(const struct frame *frame)
{
    return frame->room && frame->user && (is_join(frame) || frame->type == EVENT_USER_LEFT);
}

static struct frame *version_for(struct frame *frame, const struct subscriber *subscriber)
{
    bool own = frame->own && frame->user && strcmp(frame->user, subscriber->user->name) == 0;
    return own ? frame->own : frame;
}

static bool is_spared(const struct subscriber *subscriber, const struct frame *frame)
{
    return frame->spared && subscriber->session && frame->spared_user &&
           strcmp(frame->spared, subscriber->session) == 0 &&
           strcmp(frame->spared_user, subscriber->user->name) == 0;
}

/* -- queueing ---------------------------------------------------------------------------- */

/* Drops what is queued and not yet begun, and starts again from the last event taken. */
static void fall_back(struct subscriber *subscriber)
{
    uint32_t keep = subscriber->head_taken > 0 ? 1 : 0;
    struct event_id from = subscriber->taken;
    metric_add(METRIC_QUEUE_OVERFLOWS, 1);
    if (keep) {
        queued_frame first = subscriber_peek(subscriber);
        if (!queued_without_id(first) && event_id_compare(queued_get(first)->id, from) > 0)
            from = queued_get(first)->id;
    }
    while (subscriber->queue_count > keep) {
        uint32_t last = (subscriber->queue_first + --subscriber->queue_count) &
                        (subscriber->queue_size - 1);
        queued_frame queued = subscriber->queue[last];
        subscriber->queue_bytes -= subscriber_frame_bytes(subscriber, queued);
        frame_unref(queued_get(queued));
    }
    subscriber->position = from;
    subscriber->state = SUBSCRIBER_REPLAY;
    subscriber->fallback = true;
    subscriber->replayed = 0;
    subscriber->ops->on_queued(subscriber);
}

static bool has_room(const struct subscriber *subscriber, const struct frame *frame)
{
    return subscriber->queue_count == 0 ||
           subscriber->queue_bytes + frame->size <= subscriber->realm->hall->limits.queue_bytes_max;
}

/* A dispatched frame that this subscriber may see. */
static void push_live(struct subscriber *subscriber, struct frame *frame)
{
    if (subscriber->state != SUBSCRIBER_LIVE || is_spared(subscriber, frame))
        return;
    bool durable = !event_id_is_none(frame->id);
    if (durable && event_id_compare(frame->id, subscriber->position) <= 0)
        return;
    frame = version_for(frame, subscriber);
    bool queued = has_room(subscriber, frame) &&
                  subscriber_push_own(subscriber, frame, false) == 0;
    if (durable && queued)
        subscriber->position = frame->id;
    else if (durable)
        fall_back(subscriber);
}

/* A replayed frame; false when it could not be queued. */
static bool push_replayed(struct subscriber *subscriber, struct frame *frame)
{
    if (subscriber_push_own(subscriber, frame, false) != 0)
        return false;
    subscriber->position = frame->id;
    subscriber->replayed++;
    return true;
}

/* -- membership -------------------------------------------------------------------------- */

/* The subscriber may not see the room from here on. If it named the room its seat stays, blind,
 * until it is let in again. */
static void shut_out(struct subscriber *subscriber, struct follow *follow, int err)
{
    char room[IDENT_BYTES_MAX + 1];
    if (!follow->named) {
        follow_remove(subscriber, follow);
        return;
    }
    assert(strlen(follow->room->name) < sizeof(room));
    strcpy(room, follow->room->name);
    follow_set(subscriber, follow, false, false);
    subscriber->ops->on_denied(subscriber, room, err);
}

/* A join or leave of the subscriber's own user. */
static void move_seat(struct subscriber *subscriber, const struct frame *frame)
{
    if (event_id_compare(frame->id, subscriber->snapshot) <= 0)
        return;
    struct hall_room *room = realm_find_room(subscriber->realm, frame->room);
    struct follow *follow = room ? follow_find(subscriber, room) : NULL;
    if (is_join(frame)) {
        struct hall_follow as = {.room = span_text(frame->room), .member = true};
        if (follow)
            follow_set(subscriber, follow, true, follow->readable);
        else if (subscriber->follows_all && follow_add(subscriber, &as) != 0)
            subscriber->ops->on_broken(subscriber);
    } else if (follow && follow->member) {
        if (follow->named && follow->readable)
            follow_set(subscriber, follow, false, true);
        else
            shut_out(subscriber, follow, ERR_NOT_A_MEMBER);
    }
}

/* -- replay ------------------------------------------------------------------------------ */

/* The user's own joins and leaves from `from` on, oldest first; -1 when only the journal can
 * tell who saw what. */
static int moves_find(const struct subscriber *subscriber, uint32_t from,
                      const struct frame *moves[MOVES_MAX])
{
    const struct ring *ring = &subscriber->realm->ring;
    int count = 0;
    for (uint32_t i = from; i < ring->count; i++) {
        const struct frame *frame = ring_at(ring, i);
        if (frame->type == EVENT_ROOM_DELETED)
            return -1;
        if (!is_move(frame) || strcmp(frame->user, subscriber->user->name) != 0)
            continue;
        if (count == MOVES_MAX)
            return -1;
        moves[count++] = frame;
    }
    return count;
}

static bool was_member(const struct frame *frame, const struct follow *follow,
                       const struct frame *const *moves, int move_count)
{
    for (int i = 0; i < move_count; i++) {
        const struct frame *move = moves[i];
        if (event_id_compare(move->id, frame->id) < 0 || strcmp(move->room, frame->room) != 0)
            continue;
        /* The room's creation and the creator's joining are two events of one step. */
        if (is_join(move))
            return move == frame;
        return true;
    }
    return follow && follow->member;
}

static bool sees(const struct subscriber *subscriber, const struct frame *frame,
                 const struct frame *const *moves, int move_count)
{
    if (frame->audience == AUDIENCE_USER)
        return strcmp(frame->user, subscriber->user->name) == 0;
    if (frame->audience != AUDIENCE_ROOM)
        return frame->audience == AUDIENCE_REALM;
    struct hall_room *room = realm_find_room(subscriber->realm, frame->room);
    struct follow *follow = room ? follow_find(subscriber, room) : NULL;
    bool named = follow && follow->named;
    if (!named && !subscriber->follows_all)
        return false;
    if (was_member(frame, follow, moves, move_count))
        return true;
    return named && follow->readable &&
           event_type_is_for_watchers((enum event_type)frame->type) &&
           (follow->granted || event_id_compare(frame->id, room->public_since) > 0);
}

enum fed { FED_ALL, FED_FULL, FED_NOT };

/* Queues from the ring what it has room for. FED_NOT: the ring cannot tell. */
static enum fed feed_from_ring(struct subscriber *subscriber)
{
    const struct ring *ring = &subscriber->realm->ring;
    uint32_t from = ring_find_after(ring, subscriber->position);
    const struct frame *moves[MOVES_MAX];
    int move_count = moves_find(subscriber, from, moves);
    if (move_count < 0)
        return FED_NOT;
    for (uint32_t i = from; i < ring->count; i++) {
        struct frame *frame = ring_at(ring, i);
        bool skipped = subscriber->fallback && is_spared(subscriber, frame);
        if (!skipped && sees(subscriber, frame, moves, move_count)) {
            struct frame *version = version_for(frame, subscriber);
            if (!has_room(subscriber, version) || !push_replayed(subscriber, version))
                return FED_FULL;
        }
        subscriber->position = frame->id;
    }
    return FED_ALL;
}

static void go_live(struct subscriber *subscriber)
{
    bool first = !subscriber->fallback;
    subscriber->state = SUBSCRIBER_LIVE;
    subscriber->fallback = false;
    subscriber->ops->on_live(subscriber, first);
}

void hall_replay(struct subscriber *subscriber)
{
    struct hall_realm *realm = subscriber->realm;
    if (subscriber->state != SUBSCRIBER_REPLAY || subscriber->page_pending)
        return;
    bool caught_up_with_snapshot = event_id_compare(subscriber->position, subscriber->snapshot) >= 0;
    if (caught_up_with_snapshot && event_id_compare(subscriber->position, realm->head) >= 0) {
        go_live(subscriber);
        return;
    }
    /* The ring tells the membership only from the state that the seats have now. */
    bool seats_are_past = caught_up_with_snapshot ||
                          event_id_compare(realm->head, subscriber->snapshot) >= 0;
    if (seats_are_past && ring_covers(&realm->ring, subscriber->position)) {
        enum fed fed = feed_from_ring(subscriber);
        if (fed == FED_ALL)
            go_live(subscriber);
        if (fed != FED_NOT)
            return;
    }
    if (subscriber->queue_bytes <= realm->hall->limits.queue_bytes_max / 2) {
        subscriber->page_pending = true;
        subscriber->ops->on_page_needed(subscriber);
    }
}

void hall_feed(struct subscriber *subscriber, struct frame *const *frames, int count,
               struct event_id upto)
{
    assert(subscriber->page_pending);
    subscriber->page_pending = false;
    if (subscriber->state != SUBSCRIBER_REPLAY)
        return;
    for (int i = 0; i < count; i++) {
        if (event_id_compare(frames[i]->id, subscriber->position) <= 0)
            continue;
        if (!push_replayed(subscriber, frames[i]))
            return;
    }
    if (event_id_compare(upto, subscriber->position) > 0)
        subscriber->position = upto;
    hall_replay(subscriber);
}

void hall_feed_failed(struct subscriber *subscriber)
{
    subscriber->page_pending = false;
}

/* -- coming and going -------------------------------------------------------------------- */

static void lists_add(struct subscriber *subscriber)
{
    struct hall_user *user = subscriber->user;
    struct hall_realm *realm = subscriber->realm;
    subscriber->user_next = user->subscribers;
    if (user->subscribers)
        user->subscribers->user_previous = subscriber;
    user->subscribers = subscriber;
    subscriber->realm_next = realm->subscribers;
    if (realm->subscribers)
        realm->subscribers->realm_previous = subscriber;
    realm->subscribers = subscriber;
    realm->hall->subscriber_count++;
}

static void lists_remove(struct subscriber *subscriber)
{
    if (subscriber->user_previous)
        subscriber->user_previous->user_next = subscriber->user_next;
    else
        subscriber->user->subscribers = subscriber->user_next;
    if (subscriber->user_next)
        subscriber->user_next->user_previous = subscriber->user_previous;
    if (subscriber->realm_previous)
        subscriber->realm_previous->realm_next = subscriber->realm_next;
    else
        subscriber->realm->subscribers = subscriber->realm_next;
    if (subscriber->realm_next)
        subscriber->realm_next->realm_previous = subscriber->realm_previous;
    subscriber->realm->hall->subscriber_count--;
}

static void unseat(struct subscriber *subscriber)
{
    while (subscriber->follow_count)
        follow_remove(subscriber, &subscriber->follows[subscriber->follow_count - 1]);
    free(subscriber->follows);
    subscriber->follows = NULL;
    subscriber->follow_size = 0;
    lists_remove(subscriber);
    user_free_if_empty(subscriber->realm, subscriber->user);
    subscriber->user = NULL;
}

/* Membership events that passed here after the snapshot. */
static void move_to_head(struct subscriber *subscriber)
{
    const struct ring *ring = &subscriber->realm->ring;
    for (uint32_t i = ring_find_after(ring, subscriber->snapshot); i < ring->count; i++) {
        const struct frame *frame = ring_at(ring, i);
        if (is_move(frame) && strcmp(frame->user, subscriber->user->name) == 0)
            move_seat(subscriber, frame);
    }
}

int hall_enter(struct hall_realm *realm, struct subscriber *subscriber,
               const struct hall_entry *entry)
{
    assert(subscriber->state == SUBSCRIBER_NEW);
    assert(event_id_compare(entry->position, entry->head) <= 0);
    ring_set_floor(&realm->ring, entry->head);
    if (event_id_compare(realm->head, entry->head) > 0 && !ring_covers(&realm->ring, entry->head))
        return ERR_AGAIN;
    subscriber->user = realm_add_user(realm, entry->user);
    if (!subscriber->user)
        return ERR_MEMORY;
    subscriber->realm = realm;
    subscriber->follows_all = entry->follows_all;
    subscriber->snapshot = entry->head;
    subscriber->position = subscriber->taken = entry->position;
    lists_add(subscriber);
    for (int i = 0; i < entry->follow_count; i++) {
        int err = follow_add(subscriber, &entry->follows[i]);
        if (err) {
            unseat(subscriber);
            return err;
        }
    }
    assert(realm->opening > 0);
    realm->opening--;
    subscriber->state = SUBSCRIBER_REPLAY;
    move_to_head(subscriber);
    return 0;
}

void hall_leave(struct subscriber *subscriber, int64_t now_ms)
{
    if (subscriber->state == SUBSCRIBER_NEW || subscriber->state == SUBSCRIBER_ENDED)
        return;
    subscriber->state = SUBSCRIBER_ENDED;
    unseat(subscriber);
    realm_note_idle(subscriber->realm, now_ms);
}

/* -- dispatch ---------------------------------------------------------------------------- */

/* Those who watch without a grant may not from here on; after a deletion nobody follows it. */
static void empty_seats(struct hall_realm *realm, const char *name, bool deleted)
{
    struct hall_room *room = realm_find_room(realm, name);
    /* From the end: a seat that goes is replaced by one that was looked at. The room lives until
     * its last seat goes. */
    for (uint32_t i = room ? room->seat_count : 0; i-- > 0;) {
        struct subscriber *subscriber = seat_subscriber(room->seats[i]);
        struct follow *follow = follow_find(subscriber, room);
        bool was_shown = !seat_is_blind(room->seats[i]);
        bool is_last = room->seat_count == 1;
        if (deleted && follow->named && was_shown)
            subscriber->ops->on_denied(subscriber, name, ERR_NOT_FOUND);
        if (deleted)
            follow_remove(subscriber, follow);
        else if (!follow->member && follow->readable && !follow->granted)
            shut_out(subscriber, follow, ERR_NOT_FOUND);
        else if (follow->member)
            follow->readable = follow->granted;
        if (deleted && is_last)
            return;
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
    struct hall_user *user = realm_find_user(realm, frame->user);
    for (struct subscriber *at = user ? user->subscribers : NULL; at; at = at->user_next)
        push_live(at, frame);
}

static void dispatch_moves(struct hall_realm *realm, struct frame *frame)
{
    struct hall_user *user = realm_find_user(realm, frame->user);
    for (struct subscriber *at = user ? user->subscribers : NULL; at; at = at->user_next) {
        if (at->state == SUBSCRIBER_REPLAY || at->state == SUBSCRIBER_LIVE)
            move_seat(at, frame);
    }
}

static void dispatch_to_realm(struct hall_realm *realm, struct frame *frame)
{
    for (struct subscriber *at = realm->subscribers; at; at = at->realm_next)
        push_live(at, frame);
}

void hall_dispatch(struct hall *hall, struct frame *frame, int64_t now_ms)
{
    struct hall_realm *realm = hall_find(hall, span_text(frame->realm));
    if (!realm)
        return;
    if (!event_id_is_none(frame->id)) {
        if (event_id_compare(frame->id, realm->head) <= 0)
            return;
        ring_add(&realm->ring, frame, now_ms);
        realm->head = frame->id;
        realm->heartbeat = frame_unref(realm->heartbeat);
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
    if (is_move(frame) && !is_join(frame))
        dispatch_moves(realm, frame);
    if (frame->ends_watching && frame->room)
        empty_seats(realm, frame->room, frame->type == EVENT_ROOM_DELETED);
}

/* -- heartbeat --------------------------------------------------------------------------- */

struct event_id subscriber_reached(const struct subscriber *subscriber)
{
    const struct hall_realm *realm = subscriber->realm;
    bool behind = subscriber->state == SUBSCRIBER_LIVE &&
                  event_id_compare(subscriber->position, realm->head) < 0;
    return behind ? realm->head : subscriber->position;
}

static struct frame *heartbeat_new(struct event_id id, bool with_id)
{
    struct frame_spec spec = {
        .type = EVENT_HEARTBEAT,
        .audience = AUDIENCE_SESSION,
        .id = id,
        .with_id = with_id,
        .body = span_text("{}"),
    };
    struct frame *frame = NULL;
    return frame_new(&spec, &frame) == 0 ? frame : NULL;
}

void hall_heartbeat(struct subscriber *subscriber)
{
    struct hall_realm *realm = subscriber->realm;
    if (subscriber->queue_count) {
        uint32_t last = (subscriber->queue_first + subscriber->queue_count - 1) &
                        (subscriber->queue_size - 1);
        if (queued_get(subscriber->queue[last])->type == EVENT_HEARTBEAT)
            return;
    }
    struct frame *frame = NULL;
    if (subscriber->state == SUBSCRIBER_REPLAY) {
        if (!realm->hall->heartbeat_without_id)
            realm->hall->heartbeat_without_id = heartbeat_new(EVENT_ID_NONE, false);
        frame = realm->hall->heartbeat_without_id ? frame_ref(realm->hall->heartbeat_without_id)
                                                  : NULL;
    } else if (event_id_compare(subscriber->position, realm->head) > 0) {
        frame = heartbeat_new(subscriber->position, true);
    } else {
        if (!realm->heartbeat)
            realm->heartbeat = heartbeat_new(realm->head, true);
        frame = realm->heartbeat ? frame_ref(realm->heartbeat) : NULL;
    }
    /* Without memory the next one comes in its time. */
    if (frame && subscriber_push_own(subscriber, frame, false) != 0)
        assert(subscriber->queue_count > 0);
    frame_unref(frame);
}

void hall_lost(struct hall *hall)
{
    struct hall_realm *realm, *next;
    HASH_ITER(hh, hall->realms, realm, next) {
        ring_fini(&realm->ring);
        ring_init(&realm->ring, hall->limits.ring_bytes_max, hall->limits.ring_age_max_ms);
        for (struct subscriber *at = realm->subscribers; at; at = at->realm_next)
            at->ops->on_broken(at);
    }
}

void hall_regrant(struct subscriber *subscriber, bool (*granted)(void *context, const char *room),
                  void *context)
{
    for (uint32_t i = subscriber->follow_count; i-- > 0;) {
        struct follow *follow = &subscriber->follows[i];
        bool was_granted = follow->granted;
        follow->granted = granted(context, follow->room->name);
        if (!was_granted || follow->granted)
            continue;
        /* Whether the room is public is not known here: a watcher by grant alone asks again. */
        if (follow->member)
            follow->readable = false;
        else
            shut_out(subscriber, follow, ERR_NOT_ALLOWED);
    }
}
