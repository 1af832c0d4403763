#include "base/err.h"
#include "store/act.h"

int act_block(struct act *act)
{
    struct ledger *ledger = act->ledger;
    bool blocked;
    int64_t count;
    int err = scene_is_blocked(ledger, act->scene.actor.place, act->scene.target.place, &blocked);
    if (err || blocked)
        return err;
    err = act_begin(act);
    if (!err)
        err = ledger->ops->block_count(ledger, act->scene.actor.place, &count);
    if (!err && count >= BLOCKS_OF_USER_MAX)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_user(act, act->command->target, &act->scene.target);
    if (err)
        return err;
    const struct ledger_block block = {
        .user = act->scene.target.place,
        .blocked_at_ms = act->apply->now_ms,
    };
    return ledger->ops->block_add(ledger, act->scene.actor.place, &block);
}

int act_unblock(struct act *act)
{
    if (!act->scene.actor.place || !act->scene.target.place)
        return 0;
    return act->ledger->ops->block_remove(act->ledger, act->scene.actor.place,
                                          act->scene.target.place);
}
