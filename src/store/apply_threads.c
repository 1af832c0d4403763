#include "base/err.h"
#include "store/act.h"

int act_find_root(struct act *act, struct event_id *ret)
{
    struct ledger_event root;
    int err = ERR_NOT_FOUND;
    *ret = EVENT_ID_NONE;
    if (act->command->thread_id.data)
        err = act->ledger->ops->message_find(act->ledger, act->scene.room.place,
                                             act->command->thread_id, &act->apply->scratch, &root);
    if (!err)
        *ret = root.id;
    return err == ERR_NOT_FOUND ? 0 : err;
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
    /* A reply that stood there before the message of that name was never counted. */
    if (!err && event_id_compare(root.id, message->id) <= 0)
        err = ledger->ops->replies_add(ledger, message->place, root.id, -1);
    return err == ERR_NOT_FOUND ? 0 : err;
}
