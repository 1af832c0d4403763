/* Markers: how far members have read, whom messages mention, what a user acknowledged. */
#include "base/err.h"
#include "store/act.h"
#include "store/unread.h"

/* The time of a move, on the scale of ids: a cursor told after it is not older. */
static int64_t moved_ms(const struct act *act)
{
    uint64_t head_ms = act->scene.realm.head.ms; /* none of these if it stands for a later one */
    bool ahead = head_ms <= INT64_MAX && (int64_t)head_ms > act->apply->now_ms;
    return ahead ? (int64_t)head_ms : act->apply->now_ms;
}

int act_start_marker(struct act *act, place_number user, struct event_id joined)
{
    const struct ledger_marker marker = {.read = joined, .ordinal = act->scene.room.ordinal};
    return act->ledger->ops->marker_put(act->ledger, act->scene.room.place, user, &marker);
}

/* -- messages ------------------------------------------------------------------------------- */

uint64_t act_next_ordinal(const struct act *act)
{
    return act->scene.room.ordinal + (act->command->thread_id.data ? 0 : 1);
}

/* Mentions that are not counted may stay where they are, below the marker. */
static int move_marker(struct act *act, const struct ledger_marker *marker)
{
    struct ledger *ledger = act->ledger;
    place_number room = act->scene.room.place, user = act->scene.actor.place;
    int err = ledger->ops->marker_put(ledger, room, user, marker);
    if (!err && act->scene.member.marker.mentions > 0)
        err = ledger->ops->mentions_read(ledger, room, user, marker->read);
    act->command->outcome.marker_moved = true;
    return err;
}

/* Only members have a count, and nobody is told of oneself or of what has been read. */
static int mention(struct act *act, const struct ledger_event *message, struct span id)
{
    struct ledger *ledger = act->ledger;
    struct ledger_user user;
    struct ledger_member member;
    int err =
        ledger->ops->user_find(ledger, act->scene.realm.place, id, &act->apply->scratch, &user);
    if (!err)
        err = ledger->ops->member_find(ledger, message->place, user.place, &member);
    if (!err && user.place != message->sender &&
        event_id_compare(member.marker.read, message->id) < 0)
        err = ledger->ops->mention_add(ledger, message->place, user.place, message->id);
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int count_mentions(struct act *act, const struct ledger_event *message,
                          const struct span *users, int count)
{
    int err = 0, missed = 0;
    for (int i = 0; i < count && !err && !message->thread_id.data; i++)
        err = ledger_put_off(mention(act, message, users[i]), &missed);
    return err ? err : missed;
}

int act_count_message(struct act *act, const struct ledger_event *message)
{
    const struct ledger_marker marker = {.read = message->id, .ordinal = message->ordinal};
    struct ledger_event sent = *message;
    bool member = act->scene.member.role != ROLE_NONE;
    int missed = 0;
    int err = member ? ledger_put_off(move_marker(act, &marker), &missed) : 0;
    sent.sender = act->scene.actor.place;
    if (!err)
        err = count_mentions(act, &sent, act->said.mentions, act->said.mention_count);
    return err ? err : missed;
}

int act_uncount_message(struct act *act, const struct ledger_event *message)
{
    int missed = 0;
    if (message->thread_id.data)
        return 0;
    int err = ledger_put_off(unread_erase(act->ledger, message->place, message->ordinal), &missed);
    if (!err)
        err = act->ledger->ops->mentions_remove(act->ledger, message->place, message->id);
    return err ? err : missed;
}

int act_recount_mentions(struct act *act, const struct ledger_event *message,
                         const struct span *users, int count)
{
    int missed = 0;
    int err = ledger_put_off(
        act->ledger->ops->mentions_remove(act->ledger, message->place, message->id), &missed);
    if (!err)
        err = count_mentions(act, message, users, count);
    return err ? err : missed;
}

/* -- reading -------------------------------------------------------------------------------- */

static int note_id(void *context, struct event_id id, place_number place, enum event_type type)
{
    *(struct event_id *)context = id;
    return 0;
}

/* Where the marker is to stand: at most at the room's last event. */
static int find_target(struct act *act, struct event_id *ret)
{
    struct ledger *ledger = act->ledger;
    struct event_id last = act->scene.room.gone;
    const struct ledger_range range = {
        .place = act->scene.room.place, .before = EVENT_ID_LAST, .limit = 1, .newest_first = true};
    *ret = act->command->cursor;
    if (act->command->message_id.data) {
        struct ledger_event message;
        int err = ledger->ops->message_find(ledger, range.place, act->command->message_id,
                                            &act->apply->scratch, &message);
        if (!err)
            *ret = message.id;
        return err;
    }
    int err = ledger->ops->ids(ledger, &range, note_id, &last);
    if (event_id_compare(*ret, last) > 0)
        *ret = last;
    return err;
}

static int read_upto(struct act *act, struct event_id upto)
{
    struct ledger *ledger = act->ledger;
    const struct ledger_room *room = &act->scene.room;
    struct ledger_marker marker = {.read = upto, .moved_ms = moved_ms(act)};
    struct event_id id;
    int err = act_begin(act);
    if (!err)
        err = ledger->ops->message_at_or_below(ledger, room->place, upto, &id, &marker.ordinal);
    if (err == ERR_NOT_FOUND) {
        marker.ordinal = room->trimmed_ordinal;
        err = 0;
    }
    if (!err)
        err = move_marker(act, &marker);
    if (!err && act->scene.member.marker.mentions < 0)
        err = ledger->ops->mentions_read(ledger, room->place, act->scene.actor.place, upto);
    if (!err)
        err = ledger->ops->member_find(ledger, room->place, act->scene.actor.place,
                                       &act->scene.member);
    return err;
}

int act_read(struct act *act)
{
    struct read_marker *found = &act->command->outcome.marker;
    const struct ledger_marker *marker = &act->scene.member.marker;
    struct event_id upto;
    int missed = 0;
    int err = find_target(act, &upto);
    if (err == ERR_NOT_FOUND)
        return act_refuse(act, ERR_NOT_FOUND);
    if (!err && event_id_compare(upto, marker->read) > 0)
        err = read_upto(act, upto);
    if (!err)
        err = ledger_put_off(unread_count(act->ledger, &act->scene.room, marker, &found->unread),
                             &missed);
    if (!err)
        err = unread_mentions(act->ledger, act->scene.room.place, act->scene.actor.place, marker,
                              &found->mentions);
    found->upto = marker->read;
    return err ? err : missed;
}

/* -- acknowledging -------------------------------------------------------------------------- */

static int device_advance(struct ledger *ledger, place_number user, struct span device,
                          struct event_id cursor, int64_t now_ms, struct event_id *ret)
{
    struct ledger_device value = {.cursor = EVENT_ID_NONE};
    int err = ledger->ops->device_find(ledger, user, device, &value);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (event_id_compare(cursor, value.cursor) > 0)
        value.cursor = cursor;
    value.used_at_ms = now_ms;
    *ret = value.cursor;
    return ledger->ops->device_put(ledger, user, device, &value);
}

int act_ack(struct act *act)
{
    const struct command *command = act->command;
    struct outcome *outcome = &act->command->outcome;
    if (event_id_compare(command->cursor, act->scene.realm.head) > 0)
        return act_refuse(act, ERR_CURSOR_AHEAD);
    int err = act_begin(act);
    outcome->acked_from = act->scene.actor.acked;
    outcome->acked = event_id_compare(command->cursor, outcome->acked_from) > 0;
    outcome->cursor = outcome->acked ? command->cursor : outcome->acked_from;
    if (!err && command->device.data)
        err = device_advance(act->ledger, act->scene.actor.place, command->device, command->cursor,
                             act->apply->now_ms, &outcome->cursor);
    if (!err && outcome->acked)
        err = act->ledger->ops->user_ack(act->ledger, act->scene.actor.place, command->cursor,
                                         moved_ms(act));
    return err;
}
