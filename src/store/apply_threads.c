#include "base/err.h"
#include "store/act.h"

static int add_to_root(struct act *act, const struct ledger_event *message, int change)
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
        err = ledger->ops->replies_add(ledger, message->place, root.id, change);
    return err == ERR_NOT_FOUND ? 0 : err;
}

int act_count_replies(struct act *act, const struct ledger_event *message)
{
    struct ledger *ledger = act->ledger;
    int64_t waiting = 0;
    int missed = 0;
    int err = ledger_put_off(ledger->ops->replies_waiting(ledger, message->place,
                                                          message->message_id, &waiting),
                             &missed);
    if (!err && waiting)
        err = ledger->ops->replies_add(ledger, message->place, message->id, waiting);
    if (!err)
        err = add_to_root(act, message, 1);
    return err ? err : missed;
}

int act_uncount_reply(struct act *act, const struct ledger_event *message)
{
    return add_to_root(act, message, -1);
}
