#include "base/err.h"
#include "core/body.h"
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

static int mentioned_blocks(struct act *act, struct span id, bool *ret)
{
    struct ledger_user user;
    int err = act->ledger->ops->user_find(act->ledger, act->scene.realm.place, id,
                                          &act->apply->scratch, &user);
    *ret = false;
    if (err)
        return err == ERR_NOT_FOUND ? 0 : err;
    return scene_is_blocked(act->ledger, user.place, act->scene.actor.place, ret);
}

int act_heed_blocks(struct act *act)
{
    struct arena *scratch = &act->apply->scratch;
    int count = 0;
    if (act->mention_count == 0 || !act->scene.actor.place)
        return 0;
    struct span *kept = arena_alloc(scratch, (size_t)act->mention_count * sizeof(*kept));
    if (!kept)
        return ERR_MEMORY;
    for (int i = 0; i < act->mention_count; i++) {
        bool blocked;
        int err = mentioned_blocks(act, act->mentions[i], &blocked);
        if (err)
            return err;
        if (!blocked)
            kept[count++] = act->mentions[i];
    }
    if (count == act->mention_count)
        return 0;
    act->mentions = kept;
    act->mention_count = count;
    return body_with_mentions(scratch, act->body, kept, count, &act->body);
}
