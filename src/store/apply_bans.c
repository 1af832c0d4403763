#include "base/err.h"
#include "store/act.h"

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
    int err = act_load_room(act);
    if (!err)
        err = has_space(act, &full);
    if (!err && full)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_begin(act);
    if (!err)
        err = act_user(act, act->command->target, &act->scene.target);
    if (!err && scene->target_member.role != ROLE_NONE)
        err = act_part(act, &scene->target, "banned", true);
    else if (!err && !scene->facts.target_banned)
        err = bar_watcher(act);
    return err ? err : put_ban(act);
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
