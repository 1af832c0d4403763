/* The hall's queueing: what a subscriber is given, and what happens when it does not fit. */
#include <assert.h>

#include "base/metric.h"
#include "core/hall_tables.h"

struct frame *version_for(struct frame *frame, const struct subscriber *subscriber)
{
    bool own = frame->own && frame->user && strcmp(frame->user, subscriber_user(subscriber)) == 0;
    return own ? frame->own : frame;
}

bool is_addressed(const struct subscriber *subscriber, const struct frame *frame)
{
    if (!frame->room || subscriber->follows_all)
        return true;
    const struct hall_room *room = realm_find_room(subscriber->realm, frame->room);
    return room && follow_find(subscriber, room);
}

bool is_seated_for(const struct subscriber *subscriber, const struct frame *frame)
{
    const struct hall_room *room = realm_find_room(subscriber->realm, frame->room);
    const struct follow *follow = room ? follow_find(subscriber, room) : NULL;
    return follow && (follow->member ||
                      (follow->readable &&
                       event_type_is_for_watchers((enum event_type)frame->type)));
}

bool is_spared(const struct subscriber *subscriber, const struct frame *frame)
{
    if (!frame->spared_user || strcmp(frame->spared_user, subscriber_user(subscriber)) != 0)
        return false;
    return !frame->spared ||
           (subscriber->session && strcmp(frame->spared, subscriber->session) == 0);
}

/* No replay brings it again: history, and blocks made for this session alone. */
static bool is_unique(queued_frame queued)
{
    const struct frame *frame = queued_get(queued);
    return queued_without_id(queued) ||
           (frame->audience == AUDIENCE_SESSION && frame->type != EVENT_HEARTBEAT);
}

/* How many of the oldest frames must stay: what is begun, and all up to the last unique one. */
static uint32_t count_kept(const struct subscriber *subscriber)
{
    uint32_t least = subscriber->head_taken > 0 ? 1 : 0;
    uint32_t count = subscriber->queue_count;
    while (count > least && !is_unique(subscriber_peek(subscriber, count - 1)))
        count--;
    return count;
}

/* Drops what can be had again, and starts again after the last event that stays or was taken. */
static void fall_back(struct subscriber *subscriber)
{
    uint32_t keep = count_kept(subscriber);
    struct event_id from = subscriber->taken;
    for (uint32_t i = 0; i < keep; i++) {
        queued_frame kept = subscriber_peek(subscriber, i);
        if (!queued_without_id(kept) && event_id_compare(queued_get(kept)->id, from) > 0)
            from = queued_get(kept)->id;
    }
    for (uint32_t i = keep; i < subscriber->queue_count; i++) {
        struct frame *dropped = queued_get(subscriber_peek(subscriber, i));
        if (is_state(dropped))
            hold_state(subscriber, dropped);
    }
    while (subscriber->queue_count > keep) {
        queued_frame queued = subscriber_peek(subscriber, subscriber->queue_count - 1);
        subscriber->queue_count--;
        subscriber->queue_bytes -= subscriber_frame_bytes(subscriber, queued);
        frame_unref(queued_get(queued));
    }
    realm_sort(subscriber);
    subscriber->position = from;
    subscriber->state = SUBSCRIBER_REPLAY;
    subscriber->fallback = true;
    subscriber->ops->on_queued(subscriber);
}

/* What was made for this session alone: it leaves when it is read, and takes nobody's place. */
static bool holds_own_blocks_only(const struct subscriber *subscriber)
{
    for (uint32_t i = 0; i < subscriber->queue_count; i++) {
        if (queued_get(subscriber_peek(subscriber, i))->audience != AUDIENCE_SESSION)
            return false;
    }
    return true;
}

bool queue_has_room(const struct subscriber *subscriber, const struct frame *frame)
{
    return subscriber->queue_bytes + frame->size <=
               subscriber->realm->hall->limits.queue_bytes_max ||
           holds_own_blocks_only(subscriber);
}

/* A dispatched frame that this subscriber may see. */
void push_live(struct subscriber *subscriber, struct frame *frame)
{
    /* One that is being opened is told the states when it goes live. */
    bool live = subscriber->state == SUBSCRIBER_LIVE;
    bool behind = subscriber->state == SUBSCRIBER_REPLAY && subscriber->fallback;
    if ((!live && !behind) || is_spared(subscriber, frame) ||
        (is_typing(frame) && !subscriber->hears_typing))
        return;
    if (is_state(frame) && (behind || subscriber->held || !queue_has_room(subscriber, frame))) {
        hold_state(subscriber, frame);
        return;
    }
    if (!live)
        return;
    bool durable = !event_id_is_none(frame->id);
    if (durable && event_id_compare(frame->id, subscriber->position) <= 0)
        return;
    frame = version_for(frame, subscriber);
    bool queued = queue_has_room(subscriber, frame) &&
                  subscriber_push_own(subscriber, frame, false) == 0;
    if (durable && queued) {
        subscriber->position = frame->id;
    } else if (durable) {
        metric_add(METRIC_QUEUE_OVERFLOWS, 1);
        fall_back(subscriber);
    }
}

void hall_tell(struct subscriber *subscriber, struct frame *frame)
{
    assert(event_id_is_none(frame->id));
    if (subscriber->state == SUBSCRIBER_NEW || subscriber->state == SUBSCRIBER_ENDED ||
        (frame->audience == AUDIENCE_ROOM && !is_seated_for(subscriber, frame)))
        return;
    push_live(subscriber, frame);
}

/* A replayed frame; false when it could not be queued. */
bool push_replayed(struct subscriber *subscriber, struct frame *frame)
{
    if (subscriber_push_own(subscriber, frame, false) != 0)
        return false;
    subscriber->position = frame->id;
    subscriber->replayed += !subscriber->fallback;
    metric_add(METRIC_REPLAYED, 1);
    return true;
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
    uint32_t count = subscriber->queue_count;
    if (count && queued_get(subscriber_peek(subscriber, count - 1))->type == EVENT_HEARTBEAT)
        return;
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
