#include <assert.h>

#include "base/err.h"
#include "store/reading_parts.h"
#include "store/shape.h"

/* A page of messages being read. */
struct leaf {
    struct journal_history *history;
    struct ledger *ledger;
    place_number room, user;
    struct event_id floor;          /* not shown at or below */
    struct event_id oldest, newest; /* of the messages found; 0-0: none */
    struct event_id ids[HISTORY_LIMIT_MAX]; /* in the order of history->messages */
};

static int note_message(void *context, const struct ledger_event *event)
{
    struct leaf *leaf = context;
    struct journal_history *history = leaf->history;
    if (leaf->history->message_count == 0)
        leaf->oldest = leaf->newest = event->id;
    if (event_id_compare(event->id, leaf->oldest) < 0)
        leaf->oldest = event->id;
    if (event_id_compare(event->id, leaf->newest) > 0)
        leaf->newest = event->id;
    leaf->ids[history->message_count] = event->id;
    return shape_message(&history->request.arena, event->id, event->timestamp_ms, event->body,
                         &history->messages[history->message_count++]);
}

static struct event_id later(struct event_id a, struct event_id b)
{
    return event_id_compare(a, b) >= 0 ? a : b;
}

static struct ledger_range range_of(const struct leaf *leaf, struct event_id after,
                                    struct event_id before, int limit, bool newest_first)
{
    return (struct ledger_range){
        .place = leaf->room,
        .after = later(after, leaf->floor),
        .before = before,
        .limit = limit,
        .newest_first = newest_first,
        .messages_only = true,
        .thread = leaf->history->thread,
    };
}

static int take(struct leaf *leaf, struct event_id after, struct event_id before, int limit,
                bool newest_first)
{
    struct ledger_range range = range_of(leaf, after, before, limit, newest_first);
    if (limit == 0 || event_id_compare(range.after, before) >= 0)
        return 0;
    return leaf->ledger->ops->events(leaf->ledger, &range, note_message, leaf);
}

static int note_any(void *context, struct event_id id, place_number place, enum event_type type)
{
    *(bool *)context = true;
    return 0;
}

/* Is there a message with after < id < before? */
static int has_any(struct leaf *leaf, struct event_id after, struct event_id before, bool *ret)
{
    struct ledger_range range = range_of(leaf, after, before, 1, false);
    *ret = false;
    if (event_id_compare(range.after, before) >= 0)
        return 0;
    return leaf->ledger->ops->ids(leaf->ledger, &range, note_any, ret);
}

/* An id, or the messageId of a message of the room that may be seen. */
static int resolve(struct leaf *leaf, struct span bound, struct event_id *ret)
{
    struct arena scratch;
    struct ledger_event event;
    if (event_id_parse(bound, ret) == 0)
        return 0;
    arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
    int err = leaf->ledger->ops->message_find(leaf->ledger, leaf->room, bound, &scratch, &event);
    arena_fini(&scratch);
    if (!err && event_id_compare(event.id, leaf->floor) <= 0)
        err = ERR_NOT_FOUND;
    if (!err)
        *ret = event.id;
    return err;
}

/* Half of the page older than the middle, the middle itself, the rest newer: newest first. */
static int take_around(struct leaf *leaf, struct event_id middle)
{
    struct journal_history *history = leaf->history;
    int newer = history->limit / 2, missed = 0;
    int err = ledger_put_off(take(leaf, middle, EVENT_ID_LAST, newer, false), &missed);
    if (err)
        return err;
    for (int i = 0; i < history->message_count / 2; i++) {
        int other = history->message_count - 1 - i;
        struct span swapped = history->messages[i];
        struct event_id swapped_id = leaf->ids[i];
        history->messages[i] = history->messages[other];
        history->messages[other] = swapped;
        leaf->ids[i] = leaf->ids[other];
        leaf->ids[other] = swapped_id;
    }
    int older = history->limit - (missed ? newer : history->message_count);
    err = take(leaf, EVENT_ID_NONE, event_id_next(middle), older, true);
    return err ? err : missed;
}

static int note_neighbours(struct leaf *leaf, struct event_id after, struct event_id before,
                           bool between)
{
    struct journal_history *history = leaf->history;
    bool older = false, newer = false;
    int err = 0, missed = 0;
    if (history->message_count == 0)
        return 0;
    if (!between)
        err = ledger_put_off(has_any(leaf, EVENT_ID_NONE, leaf->oldest, &older), &missed);
    if (!err)
        err = has_any(leaf, leaf->newest, between ? before : EVENT_ID_LAST, &newer);
    if (older)
        history->next_before = leaf->oldest;
    if (newer)
        history->next_after = leaf->newest;
    return err ? err : missed;
}

/* Does the page end before the room does, for want of storage? */
static bool is_cut(const struct leaf *leaf, struct event_id gone, struct event_id after,
                   bool upwards)
{
    if (event_id_compare(gone, leaf->floor) <= 0)
        return false;
    if (upwards)
        return event_id_compare(gone, after) > 0;
    return event_id_is_none(leaf->history->next_before);
}

static int read_leaf(struct leaf *leaf, struct event_id gone)
{
    struct journal_history *history = leaf->history;
    struct event_id after = EVENT_ID_NONE, before = EVENT_ID_LAST, middle;
    bool upwards = history->after.data;
    int err = 0, missed = 0;
    assert(history->limit >= 1 && history->limit <= HISTORY_LIMIT_MAX);
    history->messages =
        arena_alloc(&history->request.arena, (size_t)history->limit * sizeof(struct span));
    if (!history->messages)
        return ERR_MEMORY;
    if (history->after.data)
        err = ledger_put_off(resolve(leaf, history->after, &after), &missed);
    if (!err && history->before.data)
        err = ledger_put_off(resolve(leaf, history->before, &before), &missed);
    if (err || missed)
        return err ? err : missed;
    if (history->around.data) {
        assert(!history->after.data && !history->before.data);
        err = resolve(leaf, history->around, &middle);
        if (!err)
            err = take_around(leaf, middle);
    } else {
        err = take(leaf, after, before, history->limit, !upwards);
    }
    if (!err)
        err = ledger_put_off(note_neighbours(leaf, after, before,
                                             upwards && history->before.data),
                             &missed);
    history->incomplete = is_cut(leaf, gone, after, upwards);
    return err ? err : missed;
}

static int read_one(struct leaf *leaf)
{
    struct journal_history *history = leaf->history;
    struct arena scratch;
    struct ledger_event event;
    history->messages = arena_alloc(&history->request.arena, sizeof(struct span));
    if (!history->messages)
        return ERR_MEMORY;
    arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
    int err = leaf->ledger->ops->message_find(leaf->ledger, leaf->room, history->message_id,
                                              &scratch, &event);
    if (!err && event_id_compare(event.id, leaf->floor) <= 0)
        err = ERR_NOT_FOUND;
    if (!err)
        err = note_message(leaf, &event);
    arena_fini(&scratch);
    return err;
}

static int adorn(struct leaf *leaf)
{
    struct journal_history *history = leaf->history;
    int err = 0, missed = 0;
    for (int i = 0; i < history->message_count && !err; i++)
        err = ledger_put_off(reading_adorn(leaf->ledger, leaf->room, leaf->ids[i], leaf->user,
                                           &history->request.arena, &history->messages[i]),
                             &missed);
    return err ? err : missed;
}

int reading_history(struct ledger *ledger, struct journal_history *history, int64_t now_ms)
{
    struct arena scratch;
    struct scene scene;
    history->messages = NULL;
    history->message_count = 0;
    history->incomplete = false;
    history->next_before = history->next_after = history->head = EVENT_ID_NONE;
    arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
    struct leaf leaf = {.history = history, .ledger = ledger};
    int missed = 0;
    bool privileged = reading_is_privileged(&history->actor, history->actor.grants);
    int err = reading_scene(ledger, history->realm, history->room, &history->actor, now_ms,
                            &scratch, &scene);
    if (!err)
        err = reading_floor(ledger, &scene.room, scene.actor.place, privileged, &leaf.floor);
    if (!err) {
        history->head = scene.realm.head;
        leaf.room = scene.room.place;
        leaf.user = scene.actor.place;
        err = history->message_id.data ? read_one(&leaf) : read_leaf(&leaf, scene.room.gone);
        err = ledger_put_off(err, &missed);
    }
    if (!err)
        err = adorn(&leaf);
    arena_fini(&scratch);
    return err ? err : missed;
}
