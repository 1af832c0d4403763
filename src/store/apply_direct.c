/* Direct rooms: one for each pair of users, whoever asks first, also when both ask at once. */
#include "base/err.h"
#include "store/act.h"

static int find(struct act *act)
{
    struct ledger *ledger = act->ledger;
    struct outcome *outcome = &act->command->outcome;
    int missed = 0;
    int err = ledger_put_off(ledger->ops->room_at(ledger, act->scene.direct, &act->apply->scratch,
                                                  &act->scene.room),
                             &missed);
    if (!err)
        err = ledger->ops->member_find(ledger, act->scene.direct, act->scene.actor.place,
                                       &act->scene.member);
    err = err ? err : missed;
    if (!err)
        err = act_load_room(act);
    if (!err)
        err = act_begin(act);
    outcome->role = act->scene.member.role;
    outcome->room = act->room;
    return err;
}

/* Both can take one more room; nobody's end of it is missing. */
static int check_space(struct act *act, bool *ret_full)
{
    int missed = 0;
    int err = ledger_put_off(act_check_space(act, act->scene.actor.place, 2, ret_full), &missed);
    if (!err && !*ret_full)
        err = act_check_space(act, act->scene.target.place, 2, ret_full);
    return err ? err : missed;
}

static int add_room(struct act *act)
{
    struct ledger *ledger = act->ledger;
    place_number *room = &act->scene.room.place;
    int err = ledger->ops->room_add(ledger, act->scene.realm.place, &act->room, room);
    if (!err)
        err =
            ledger->ops->direct_add(ledger, act->scene.actor.place, act->scene.target.place, *room);
    return err;
}

static int note_pair(struct act *act)
{
    const struct ledger_user *users[] = {&act->scene.actor, &act->scene.target};
    struct room_person *pair = arena_alloc(&act->apply->scratch, 2 * sizeof(*pair));
    if (!pair)
        return ERR_MEMORY;
    for (size_t i = 0; i < array_count(users); i++)
        pair[i] = (struct room_person){users[i]->id, users[i]->name, users[i]->data};
    act->pair = pair;
    return 0;
}

/* Each sees the room from its own joining on, whoever asked for it from its first event. */
static int tell(struct act *act)
{
    act->room.member_count = 1;
    int err = act_emit_room(act, EVENT_ROOM_CREATED, false);
    act->room.member_count = 0;
    if (!err)
        err = act_enter(act, &act->scene.actor, ROLE_MEMBER, false);
    if (!err)
        err = act_enter(act, &act->scene.target, ROLE_MEMBER, true);
    return err;
}

static int create(struct act *act)
{
    struct outcome *outcome = &act->command->outcome;
    bool full;
    act_init_room(act, ROOM_DIRECT);
    int err = check_space(act, &full);
    if (!err && full)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_keep_room(act);
    if (!err)
        err = act_begin(act);
    if (!err)
        err = act_user(act, act->command->target, &act->scene.target);
    if (!err)
        err = note_pair(act);
    if (!err)
        err = add_room(act);
    if (!err)
        err = tell(act);
    outcome->created = true;
    outcome->role = ROLE_MEMBER;
    outcome->room = act->room;
    return err;
}

int act_open_direct(struct act *act)
{
    return act->scene.direct ? find(act) : create(act);
}
