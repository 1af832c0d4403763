#include "base/err.h"
#include "store/act.h"

/* Of one command, so that its transaction stays short. */
#define MESSAGES_DELETED_MAX 100

struct sent {
    struct event_id ids[MESSAGES_DELETED_MAX];
    int count;
};

static int note_sent(void *context, struct event_id id, place_number place, enum event_type type)
{
    struct sent *sent = context;
    sent->ids[sent->count++] = id;
    return 0;
}

static int delete_message(struct act *act, struct event_id id)
{
    struct arena scratch;
    struct ledger_event message;
    arena_init(&scratch, 2 * EVENT_BYTES_MAX);
    int err =
        act->ledger->ops->event_find(act->ledger, act->scene.realm.place, id, &scratch, &message);
    if (!err && !message.deleted)
        err = act_erase_message(act, &message);
    arena_fini(&scratch);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* Of one who wrote much in this command only the next ones. */
static int delete_messages(struct act *act)
{
    struct outcome *outcome = &act->command->outcome;
    struct sent sent = {.count = 0};
    int before = apply_events(act->apply), count = 0, missed = 0;
    int err = act->ledger->ops->messages_of_sender(
        act->ledger, act->scene.target.place, act->scene.room.place, act->command->ban.deleted_upto,
        MESSAGES_DELETED_MAX, note_sent, &sent);
    if (!err)
        err = ledger_put_off(ledger_expect(act->ledger, act->scene.realm.place, sent.ids,
                                           sent.count),
                             &missed);
    while (count < sent.count && !err && apply_events(act->apply) - before < APPEND_EVENTS_MAX)
        err = ledger_put_off(delete_message(act, sent.ids[count++]), &missed);
    outcome->more = sent.count == MESSAGES_DELETED_MAX || count < sent.count;
    if (outcome->more)
        outcome->deleted_upto = sent.ids[count - 1];
    return err ? err : missed;
}

/* One who is not in the room may be watching it. No client is given this entry; it ends the
 * watching at its place in the order. */
static int bar_watcher(struct act *act)
{
    struct ledger_event event = {
        .type = EVENT_NONE,
        .place = act->scene.room.place,
        .audience = AUDIENCE_SESSION,
        .bars_user = true,
        .user = act->scene.target.place,
        .room_id = act->room.id,
        .user_id = act->scene.target.id,
    };
    return act_emit(act, &event, json_object(), NULL);
}

static int has_space(struct act *act, bool *ret_full)
{
    int64_t count;
    int err =
        act->ledger->ops->ban_count(act->ledger, act->scene.room.place, act->apply->now_ms, &count);
    *ret_full = !err && count >= ROOM_BANS_MAX && !act->scene.facts.target_banned;
    return err;
}

static int put_ban(struct act *act)
{
    const struct ban_spec *spec = &act->command->ban;
    const struct ledger_ban ban = {
        .user = act->scene.target.place,
        .until_ms = spec->until_ms,
        .banned_at_ms = act->apply->now_ms,
        .by = act->scene.actor.place,
        .reason = spec->reason,
    };
    return act->ledger->ops->ban_put(act->ledger, act->scene.room.place, &ban, act->apply->now_ms);
}

int act_ban(struct act *act)
{
    const struct scene *scene = &act->scene;
    bool full;
    int missed = 0;
    int err = act_load_room(act);
    if (!err)
        err = ledger_put_off(has_space(act, &full), &missed);
    if (!err && full)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_begin(act);
    if (!err)
        err = act_user(act, act->command->target, &act->scene.target);
    if (!err && scene->target_member.role != ROLE_NONE)
        err = ledger_put_off(act_part(act, &scene->target, "banned", true), &missed);
    else if (!err && !scene->facts.target_banned)
        err = bar_watcher(act);
    if (!err)
        err = ledger_put_off(put_ban(act), &missed);
    if (!err && act->command->ban.delete_messages)
        err = delete_messages(act);
    return err ? err : missed;
}

int act_lift_ban(struct act *act)
{
    if (!act->scene.target.place)
        return 0;
    int err = act_begin(act);
    return err ? err
               : act->ledger->ops->ban_remove(act->ledger, act->scene.room.place,
                                              act->scene.target.place);
}
