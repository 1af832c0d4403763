/* Messages by their messageIds and senders, and what is remembered once. */
#include <assert.h>

#include "base/err.h"
#include "store/redis_ledger.h"

/* -- by messageId ------------------------------------------------------------------------------ */

typedef int (*getter)(struct redis_view *view, struct redis_key *hash, struct span field,
                      struct span *ret);

static int find(struct redis_ledger *ledger, place_number room, struct span message_id, getter get,
                struct ledger_event *ret)
{
    struct span value;
    struct ledger_event message;
    struct event_id id;
    bool deleted;
    int err = get(ledger->view, redis_room_key(ledger, room, "ids"), message_id, &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    err = redis_named_unpack(value, &id, &deleted);
    if (err)
        return err;
    /* Of an earlier command of this view: its ordinal is not known, nor if it will be stored. */
    if (redis_is_pending(id))
        return ERR_AGAIN;
    err = redis_where_note(ledger, id, room, EVENT_NEW_MESSAGE, NULL);
    if (!err)
        err = redis_event_at(ledger, redis_where_of(ledger, id), &message);
    if (err)
        return err;
    *ret = message;
    ret->deleted = deleted;
    return 0;
}

static int message_find(struct ledger *base, place_number room, struct span message_id,
                        struct arena *arena, struct ledger_event *ret)
{
    return find(redis_ledger_of(base), room, message_id, redis_view_get, ret);
}

static int message_find_repeat(struct ledger *base, place_number room, struct span message_id,
                               struct arena *arena, struct ledger_event *ret)
{
    return find(redis_ledger_of(base), room, message_id, redis_view_get_absent, ret);
}

/* -- by sender --------------------------------------------------------------------------------- */

static struct redis_key *sent_key(struct redis_ledger *ledger, place_number room,
                                  place_number sender)
{
    return redis_key_named(ledger->view, 'p', room, "sent", redis_text_of(sender));
}

static int visit_sent(struct redis_ledger *ledger, place_number sender, place_number room,
                      struct event_id after, int *limit, ledger_id_visitor visit, void *context)
{
    struct redis_range range = {.after = after, .before = EVENT_ID_LAST, .limit = *limit};
    const struct redis_entry *entries;
    struct event_id gone = EVENT_ID_NONE;
    int count = 0, missed = 0;
    int err = ledger_put_off(redis_room_gone(ledger, room, &gone), &missed);
    if (!err && event_id_compare(gone, after) > 0)
        range.after = gone;
    if (!err)
        err = redis_view_entries(ledger->view, sent_key(ledger, room, sender), &range, false,
                                 &entries, &count);
    *limit -= count;
    for (int i = 0; i < count && !err; i++) {
        err = redis_where_note(ledger, entries[i].id, room, EVENT_NEW_MESSAGE, NULL);
        if (!err)
            err = visit(context, entries[i].id, room, EVENT_NEW_MESSAGE);
    }
    return err ? err : missed;
}

static int messages_of_sender(struct ledger *base, place_number sender, place_number room,
                              struct event_id after, int limit, ledger_id_visitor visit,
                              void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    const struct span *rooms;
    int count = 0, missed = 0;
    if (room)
        return visit_sent(ledger, sender, room, after, &limit, visit, context);
    int err = redis_view_fields(ledger->view, redis_key_of(ledger->view, 'u', sender, "wrote"),
                                &rooms, &count);
    for (int i = 0; i < count && !err && limit > 0; i += 2) {
        uint64_t number;
        if (span_to_number(rooms[i], UINT64_MAX, &number))
            return ERR_CORRUPT;
        err = ledger_put_off(visit_sent(ledger, sender, number, after, &limit, visit, context),
                             &missed);
    }
    return err ? err : missed;
}

static int last_message_of_sender(struct ledger *base, place_number sender, place_number room,
                                  struct event_id *ret_id, int64_t *ret_timestamp_ms)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    const struct redis_range range = {.before = EVENT_ID_LAST, .limit = 1, .newest_first = true};
    const struct redis_entry *entries;
    struct event_id gone = EVENT_ID_NONE;
    int count, missed = 0;
    int err = ledger_put_off(redis_room_gone(ledger, room, &gone), &missed);
    if (!err)
        err = redis_view_entries(ledger->view, sent_key(ledger, room, sender), &range, false,
                                 &entries, &count);
    if (err || missed)
        return err ? err : missed;
    if (count == 0 || event_id_compare(entries[0].id, gone) <= 0)
        return ERR_NOT_FOUND;
    struct redis_fields fields = redis_fields_of(entries[0].value);
    uint64_t timestamp_ms = redis_take_number(&fields);
    if (fields.broken)
        return ERR_CORRUPT;
    *ret_timestamp_ms = (int64_t)timestamp_ms;
    *ret_id = entries[0].id;
    return 0;
}

/* -- once -------------------------------------------------------------------------------------- */

/* Two hashes take turns: one that begins anew holds what is older than the window. */
static uint64_t period_of(const struct redis_ledger *ledger, int64_t ms)
{
    return (uint64_t)ms / (uint64_t)ledger->settings->journal_dedup_window_ms;
}

static struct redis_key *once_key(struct redis_ledger *ledger, place_number place, uint64_t period)
{
    return redis_key_named(ledger->view, 'p', place, "once", span_text(period % 2 ? "1" : "0"));
}

/* `*ret_found` when it is there and not older than `since_ms`, nor than what was found before. */
static int look_in(struct redis_ledger *ledger, struct redis_key *key, struct span message_id,
                   int64_t since_ms, struct ledger_once *ret, bool *ret_found)
{
    struct span value;
    struct ledger_once once = {0};
    int err = redis_view_get_absent(ledger->view, key, message_id, &value);
    if (err || !value.data)
        return err;
    struct redis_fields fields = redis_fields_of(value);
    once.sender = redis_take_number(&fields);
    once.id = redis_take_id(&fields);
    once.timestamp_ms = (int64_t)redis_take_number(&fields);
    redis_take_digest(&fields, once.digest);
    if (fields.broken)
        return ERR_CORRUPT;
    if (redis_is_pending(once.id))
        return ERR_AGAIN;
    if (once.timestamp_ms < since_ms || (*ret_found && once.timestamp_ms < ret->timestamp_ms))
        return 0;
    *ret = once;
    *ret_found = true;
    return 0;
}

static int once_find(struct ledger *base, place_number place, struct span message_id,
                     int64_t since_ms, struct ledger_once *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct ledger_once once;
    bool found = false;
    int err = 0, missed = 0;
    for (uint64_t period = 0; period < 2 && !err; period++)
        err = ledger_put_off(
            look_in(ledger, once_key(ledger, place, period), message_id, since_ms, &once, &found),
            &missed);
    if (err || missed || !found)
        return err ? err : missed ? missed : ERR_NOT_FOUND;
    *ret = once;
    return 0;
}

/* Empties the hash if it is of an older period. */
static int turn(struct redis_ledger *ledger, struct redis_key *key, uint64_t period)
{
    struct span value;
    uint64_t last = 0;
    int err = redis_view_get(ledger->view, key, span_text(""), &value);
    if (err)
        return err;
    if (value.data && span_to_number(value, UINT64_MAX, &last))
        return ERR_CORRUPT;
    if (value.data && last >= period)
        return 0;
    struct buf *text = redis_scratch(ledger);
    if (value.data)
        err = redis_view_drop(ledger->view, key);
    if (!err)
        err = buf_format(text, "%llu", (unsigned long long)period);
    return err ? err : redis_view_set(ledger->view, key, span_text(""), buf_span(text));
}

static int once_add(struct ledger *base, place_number place, struct span message_id,
                    const struct ledger_once *once)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    uint64_t period = period_of(ledger, once->timestamp_ms);
    struct redis_key *key = once_key(ledger, place, period);
    assert(once->timestamp_ms >= 0);
    int err = turn(ledger, key, period);
    struct buf *value = redis_scratch(ledger);
    if (!err)
        err = redis_pack_number(value, once->sender);
    if (!err)
        err = redis_pack_id(value, once->id);
    if (!err)
        err = redis_pack_number(value, (uint64_t)once->timestamp_ms);
    if (!err)
        err = redis_pack_digest(value, once->digest);
    return err ? err : redis_view_set(ledger->view, key, message_id, buf_span(value));
}

void redis_ledger_add_messages(struct ledger_ops *ops)
{
    ops->message_find = message_find;
    ops->message_find_repeat = message_find_repeat;
    ops->messages_of_sender = messages_of_sender;
    ops->last_message_of_sender = last_message_of_sender;
    ops->once_find = once_find;
    ops->once_add = once_add;
}
