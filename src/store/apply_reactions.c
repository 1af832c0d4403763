#include "base/err.h"
#include "store/act.h"

static int emit(struct act *act, enum event_type type, struct event_id *ret)
{
    const struct command *command = act->command;
    struct ledger_event event = {
        .type = type,
        .place = act->scene.room.place,
        .room_id = command->room,
    };
    json_t *body = json_pack("{s:s%, s:s%, s:s%, s:s%}", "roomId", command->room.data,
                             command->room.len, "messageId", command->message_id.data,
                             command->message_id.len, "key", command->key.data, command->key.len,
                             "userId", command->actor.user.data, command->actor.user.len);
    int err = act_begin(act);
    if (err) {
        json_decref(body);
        return err;
    }
    err = act_emit(act, &event, body, NULL);
    *ret = event.id;
    return err;
}

/* Whether the actor has reacted so; nobody to a deleted message. */
static int find(struct act *act, bool *ret)
{
    int err = ERR_NOT_FOUND;
    if (act->scene.actor.place)
        err = act->ledger->ops->reaction_find(act->ledger, act->scene.room.place,
                                              act->scene.message.id, act->command->key,
                                              act->scene.actor.place);
    *ret = !err;
    return err == ERR_NOT_FOUND ? 0 : err;
}

int act_add_reaction(struct act *act)
{
    struct ledger *ledger = act->ledger;
    struct command *command = act->command;
    place_number room = act->scene.room.place;
    struct event_id message = act->scene.message.id, added;
    bool has = false;
    int keys = 0;
    int err = find(act, &command->outcome.repeated);
    if (err || command->outcome.repeated)
        return err;
    err = ledger->ops->reaction_keys(ledger, room, message, command->key, &keys, &has);
    if (!err && !has && keys >= REACTION_KEYS_MAX)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = emit(act, EVENT_REACTION_ADDED, &added);
    if (!err)
        err = ledger->ops->reaction_add(ledger, room, message, command->key, act->scene.actor.place,
                                        added);
    return err;
}

int act_remove_reaction(struct act *act)
{
    struct ledger *ledger = act->ledger;
    struct command *command = act->command;
    struct event_id removed;
    bool has;
    int err = find(act, &has);
    command->outcome.repeated = !has;
    if (err || !has)
        return err;
    err = emit(act, EVENT_REACTION_REMOVED, &removed);
    if (!err)
        err = ledger->ops->reaction_remove(ledger, act->scene.room.place, act->scene.message.id,
                                           command->key, act->scene.actor.place);
    return err;
}
