/* How a reader comes from its cursor to live; one without, by way of the history it asked for.
 *
 * A replay from the ring needs the membership at each frame, and only that of now is kept. It
 * is found backwards: the user's own joins and leaves between the frame and now are in the ring
 * too, so the first of them at or after the frame tells what was true before it. Where a room
 * was deleted in that stretch the journal is asked instead, which remembers. */
#include <assert.h>

#include "core/hall_tables.h"

/* Membership events of one user in the stretch that is replayed. More than this many: the
 * journal is asked. */
#define MOVES_MAX 64

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
        if (!is_move(frame) || strcmp(frame->user, subscriber_user(subscriber)) != 0)
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
        return strcmp(frame->user, subscriber_user(subscriber)) == 0 &&
               is_addressed(subscriber, frame);
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
            if (!queue_has_room(subscriber, version) || !push_replayed(subscriber, version))
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
    if (subscriber->state == SUBSCRIBER_LIVE)
        hall_release(subscriber);
}

/* Goes on without the journal: live, or as far as the ring leads and the queue has room. False:
 * the journal must be asked. */
static bool replay_here(struct subscriber *subscriber)
{
    struct hall_realm *realm = subscriber->realm;
    bool past_snapshot = event_id_compare(subscriber->position, subscriber->snapshot) >= 0;
    if (past_snapshot && event_id_compare(subscriber->position, realm->head) >= 0) {
        go_live(subscriber);
        return true;
    }
    /* The ring tells the membership only from the state that the seats have now. */
    bool seats_are_past =
        past_snapshot || event_id_compare(realm->head, subscriber->snapshot) >= 0;
    if (!seats_are_past || !ring_covers(&realm->ring, subscriber->position))
        return false;
    enum fed fed = feed_from_ring(subscriber);
    if (fed == FED_ALL)
        go_live(subscriber);
    return fed != FED_NOT;
}

void hall_replay(struct subscriber *subscriber)
{
    if (subscriber->state != SUBSCRIBER_REPLAY || subscriber->page_pending)
        return;
    if (subscriber->history_left == 0 && replay_here(subscriber))
        return;
    if (subscriber->queue_bytes <= subscriber->realm->hall->limits.queue_bytes_max / 2) {
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

static bool sees_room(const struct subscriber *subscriber, const struct frame *frame)
{
    struct hall_room *room = realm_find_room(subscriber->realm, frame->room);
    const struct follow *follow = room ? follow_find(subscriber, room) : NULL;
    return follow && (follow->member || follow->readable);
}

void hall_feed_history(struct subscriber *subscriber, struct frame *const *frames, int count,
                       uint32_t left)
{
    assert(subscriber->page_pending);
    assert(left <= subscriber->history_left);
    subscriber->page_pending = false;
    if (subscriber->state != SUBSCRIBER_REPLAY)
        return;
    for (int i = 0; i < count; i++) {
        if (!sees_room(subscriber, frames[i]))
            continue;
        if (subscriber_push_own(subscriber, frames[i], true) != 0) {
            subscriber->ops->on_broken(subscriber);
            return;
        }
        subscriber->replayed++;
    }
    subscriber->history_left = left;
    hall_replay(subscriber);
}

void hall_feed_failed(struct subscriber *subscriber)
{
    subscriber->page_pending = false;
}
