/* What is kept of presence: choices, when somebody was seen last, and who is told of whom. */
#include "base/err.h"
#include "base/limits.h"
#include "store/act.h"

static int presence_get(struct act *act, struct ledger_presence *ret)
{
    return act->ledger->ops->presence_get(act->ledger, act->scene.actor.place, &act->apply->scratch,
                                          ret);
}

int act_choose_presence(struct act *act)
{
    struct ledger_presence value;
    int err = act_begin(act);
    if (!err)
        err = presence_get(act, &value);
    if (err)
        return err;
    value.choice = act->command->presence;
    value.activity = act->command->activity;
    return act->ledger->ops->presence_put(act->ledger, act->scene.actor.place, &value);
}

/* Nodes may tell it late and in any order. */
int act_note_seen(struct act *act)
{
    struct ledger_presence value;
    int err = act_begin(act);
    if (!err)
        err = presence_get(act, &value);
    if (err || value.seen_ms >= act->command->seen_ms)
        return err;
    value.seen_ms = act->command->seen_ms;
    return act->ledger->ops->presence_put(act->ledger, act->scene.actor.place, &value);
}

static bool is_full(struct act *act, int *ret_err)
{
    int64_t count = 0;
    *ret_err = act->ledger->ops->subscription_count(act->ledger, act->scene.actor.place, &count);
    return !*ret_err && count >= SUBSCRIPTIONS_OF_USER_MAX;
}

int act_subscribe_presence(struct act *act)
{
    struct scene *scene = &act->scene;
    struct ledger *ledger = act->ledger;
    int err = ERR_NOT_FOUND;
    if (scene->actor.place && scene->target.place)
        err = ledger->ops->subscription_find(ledger, scene->actor.place, scene->target.place);
    if (err != ERR_NOT_FOUND)
        return err;
    err = 0;
    if (scene->actor.place && is_full(act, &err))
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_begin(act);
    if (!err)
        err = act_user(act, act->command->target, &scene->target);
    if (!err)
        err = ledger->ops->subscription_put(ledger, scene->actor.place, scene->target.place);
    return err;
}

int act_unsubscribe_presence(struct act *act)
{
    if (!act->scene.actor.place || !act->scene.target.place)
        return 0;
    return act->ledger->ops->subscription_remove(act->ledger, act->scene.actor.place,
                                                 act->scene.target.place);
}
