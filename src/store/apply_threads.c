#include "base/err.h"
#include "store/act.h"

static int find(struct act *act, struct span message_id, struct ledger_event *ret)
{
    return act->ledger->ops->message_find(act->ledger, act->scene.room.place, message_id,
                                          &act->apply->scratch, ret);
}

static int note_any(void *context, struct event_id id, place_number place, enum event_type type)
{
    *(bool *)context = true;
    return 0;
}

/* A thread outlives its root when that is trimmed. */
static int check_orphans(struct act *act)
{
    bool any = false;
    const struct ledger_range range = {
        .place = act->scene.room.place,
        .before = EVENT_ID_LAST,
        .limit = 1,
        .messages_only = true,
        .thread = act->command->thread_id,
    };
    int err = act->ledger->ops->ids(act->ledger, &range, note_any, &any);
    return err ? err : any ? 0 : ERR_NOT_FOUND;
}

static int find_root(struct act *act, struct event_id *ret_root)
{
    struct ledger_event root;
    int err = find(act, act->command->thread_id, &root);
    if (err == ERR_NOT_FOUND)
        return check_orphans(act);
    if (!err)
        err = scene_check_shown(act->ledger, &act->scene, &act->command->actor, root.id);
    if (err)
        return err;
    *ret_root = root.id;
    return root.thread_id.data ? ERR_NOT_FOUND : 0;
}

int act_check_references(struct act *act, struct event_id *ret_root)
{
    const struct command *command = act->command;
    struct ledger_event answered;
    int err = 0;
    *ret_root = EVENT_ID_NONE;
    if (command->kind != COMMAND_SEND_MESSAGE)
        return 0;
    if (command->thread_id.data)
        err = find_root(act, ret_root);
    if (!err && command->reply_to.data)
        err = find(act, command->reply_to, &answered);
    if (!err && command->reply_to.data)
        err = scene_check_shown(act->ledger, &act->scene, &command->actor, answered.id);
    return err == ERR_NOT_FOUND ? act_refuse(act, ERR_INVALID_REFERENCE) : err;
}

int act_uncount_reply(struct act *act, const struct ledger_event *message)
{
    struct ledger *ledger = act->ledger;
    struct arena scratch;
    struct ledger_event root;
    if (!message->thread_id.data)
        return 0;
    arena_init(&scratch, 2 * EVENT_BYTES_MAX);
    int err =
        ledger->ops->message_find(ledger, message->place, message->thread_id, &scratch, &root);
    arena_fini(&scratch);
    if (!err)
        err = ledger->ops->replies_add(ledger, message->place, root.id, -1);
    return err == ERR_NOT_FOUND ? 0 : err;
}
