#include <assert.h>

#include "base/err.h"
#include "store/act.h"
#include "store/shape.h"

/* {roomId, userId, userData?} */
static json_t *person(const struct act *act, const struct ledger_user *user)
{
    json_t *body = json_pack("{s:s%, s:s%}", "roomId", act->room.id.data, act->room.id.len,
                             "userId", user->id.data, user->id.len);
    if (body && (user->name.data || user->data.data) &&
        json_object_set_new(body, "userData", shape_user_data(user->name, user->data))) {
        json_decref(body);
        return NULL;
    }
    return body;
}

/* Sets a member of an object being built; NULL when that fails or it is NULL already. */
static json_t *with(json_t *object, const char *name, json_t *value)
{
    if (!object) {
        json_decref(value);
        return NULL;
    }
    if (!json_object_set_new(object, name, value))
        return object;
    json_decref(object);
    return NULL;
}

/* What is told to the person concerned alone, as the joins and leaves of a large room are, stands
 * under the user's own place, so that nobody else's replay walks over it. */
static void make_quiet(struct ledger_event *event, json_t **body, json_t **own)
{
    event->room = event->place;
    event->place = event->user;
    event->audience = AUDIENCE_USER;
    if (*own) {
        json_decref(*body);
        *body = *own;
        *own = NULL;
    }
}

static bool is_quiet(const struct act *act)
{
    return settings_is_quiet(act->apply->settings, act->room.member_count);
}

static struct ledger_event event_about(const struct act *act, enum event_type type,
                                       const struct ledger_user *user)
{
    return (struct ledger_event){
        .type = type,
        .place = act->scene.room.place,
        .user = user->place,
        .room_id = act->room.id,
        .user_id = user->id,
    };
}

int act_enter(struct act *act, const struct ledger_user *user, enum role role, bool open_tenure)
{
    struct ledger *ledger = act->ledger;
    place_number room = act->scene.room.place;
    const struct ledger_member member = {
        .user = user->place, .role = role, .joined_at_ms = act->apply->now_ms};
    assert(room && user->place && role != ROLE_NONE);
    int err = ledger->ops->member_put(ledger, room, &member);
    /* Who is let in is not kept out any longer. */
    if (!err)
        err = ledger->ops->ban_remove(ledger, room, user->place);
    if (err)
        return err;
    act->room.member_count++;
    struct ledger_event event = event_about(act, EVENT_USER_JOINED, user);
    json_t *body = with(person(act, user), "role", json_string(role_name(role)));
    json_t *own = body ? json_copy(body) : NULL;
    own = with(own, "room", act_shape_room(act, role));
    if (!own) {
        json_decref(body);
        return ERR_MEMORY;
    }
    if (is_quiet(act))
        make_quiet(&event, &body, &own);
    err = act_emit(act, &event, body, own);
    if (!err && open_tenure)
        err = ledger->ops->tenure_open(ledger, user->place, room, event.id);
    return err ? err : act_start_marker(act, user->place, event.id);
}

int act_part(struct act *act, const struct ledger_user *user, const char *reason, bool banned)
{
    struct ledger *ledger = act->ledger;
    place_number room = act->scene.room.place;
    struct ledger_event event = event_about(act, EVENT_USER_LEFT, user);
    json_t *body = with(person(act, user), "reason", json_string(reason)), *own = NULL;
    int missed = 0;
    event.bars_user = banned;
    if (is_quiet(act))
        make_quiet(&event, &body, &own);
    act->room.member_count--;
    int err = act_emit(act, &event, body, own);
    if (!err)
        err = ledger_put_off(ledger->ops->tenure_close(ledger, user->place, room, event.id),
                             &missed);
    if (!err)
        err = ledger->ops->member_remove(ledger, room, user->place);
    return err ? err : missed;
}

static int begin_in_room(struct act *act)
{
    int err = act_load_room(act);
    return err ? err : act_begin(act);
}

int act_leave(struct act *act)
{
    if (act->scene.member.role == ROLE_NONE)
        return 0;
    int err = begin_in_room(act);
    return err ? err : act_part(act, &act->scene.actor, "left", false);
}

int act_remove_member(struct act *act)
{
    if (act->scene.target_member.role == ROLE_NONE)
        return 0;
    int err = begin_in_room(act);
    if (err)
        return err;
    bool self = act->scene.target.place == act->scene.actor.place;
    return act_part(act, self ? &act->scene.actor : &act->scene.target, self ? "left" : "removed",
                    false);
}

/* Tells everyone, or with `only_notify` the member itself, what the member is by now. */
static int tell_member(struct act *act, const struct ledger_user *user,
                       const struct ledger_member *member, bool only_notify)
{
    struct ledger_event event = event_about(act, EVENT_MEMBER_UPDATED, user);
    event.silences_user = member->muted_until_ms > 0;
    json_t *body = shape_member(user->id, member->role, member->joined_at_ms,
                                member->muted_until_ms, user->name, user->data);
    body = with(body, "roomId", json_stringn(act->room.id.data, act->room.id.len));
    json_t *own =
        with(body ? json_copy(body) : NULL, "notify", json_string(notify_name(member->notify)));
    if (!own) {
        json_decref(body);
        return ERR_MEMORY;
    }
    if (only_notify)
        make_quiet(&event, &body, &own);
    return act_emit(act, &event, body, own);
}

/* What the command makes of a member. */
static struct ledger_member changed(const struct act *act, struct ledger_member member)
{
    const struct member_change *change = &act->command->member;
    if (act->command->role != ROLE_NONE)
        member.role = act->command->role;
    if (change->has_muted)
        member.muted_until_ms = change->muted_until_ms;
    if (member.muted_until_ms <= act->apply->now_ms)
        member.muted_until_ms = 0;
    if (change->has_notify)
        member.notify = change->notify;
    return member;
}

static int add_target(struct act *act)
{
    bool full;
    struct ledger_user *user = &act->scene.target;
    int err = act_check_space(act, user->place, 1, &full);
    if (!err && full)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_begin(act);
    if (!err)
        err = act_user(act, act->command->target, user);
    if (err)
        return err;
    const struct ledger_member member = changed(
        act, (struct ledger_member){
                 .user = user->place, .role = ROLE_MEMBER, .joined_at_ms = act->apply->now_ms});
    act->command->outcome.members_added = 1;
    err = act_enter(act, user, member.role, true);
    if (err || member.muted_until_ms == 0)
        return err;
    err = act->ledger->ops->member_put(act->ledger, act->scene.room.place, &member);
    return err ? err : tell_member(act, user, &member, false);
}

static int change_target(struct act *act)
{
    const struct ledger_member *before = &act->scene.target_member;
    struct ledger_member member = changed(act, *before);
    member.user = act->scene.target.place;
    int err = act_begin(act);
    bool same = member.role == before->role && member.muted_until_ms == before->muted_until_ms;
    if (err || (same && member.notify == before->notify))
        return err;
    err = act->ledger->ops->member_put(act->ledger, act->scene.room.place, &member);
    return err ? err : tell_member(act, &act->scene.target, &member, same);
}

int act_put_member(struct act *act)
{
    int err = act_load_room(act);
    if (err)
        return err;
    return act->scene.target_member.role == ROLE_NONE ? add_target(act) : change_target(act);
}

static int find_member(struct act *act, struct span id, struct ledger_user *user, bool *ret_member)
{
    struct ledger *ledger = act->ledger;
    struct ledger_member member;
    *user = (struct ledger_user){0};
    int err =
        ledger->ops->user_find(ledger, act->scene.realm.place, id, &act->apply->scratch, user);
    if (!err)
        err = ledger->ops->member_find(ledger, act->scene.room.place, user->place, &member);
    *ret_member = !err;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int check_user(struct act *act, struct span id, int64_t *count, int *ret_why)
{
    struct ledger_user user;
    bool member, full = false, banned = false;
    int missed = 0;
    int err = find_member(act, id, &user, &member);
    if (err || member)
        return err;
    err = ledger_put_off(act_check_space(act, user.place, ++*count, &full), &missed);
    if (!err && !act->command->actor.service)
        err = scene_is_banned(act->ledger, act->scene.room.place, user.place, act->apply->now_ms,
                              &banned);
    *ret_why = full ? ERR_FULL : banned ? ERR_BANNED : 0;
    return err ? err : missed;
}

/* May all that are new come in, and do they find room? Before anything is written. `*ret_why` is
 * 0, ERR_FULL or ERR_BANNED. */
static int check_users(struct act *act, int *ret_why)
{
    int64_t count = 0;
    int err = 0, missed = 0;
    *ret_why = 0;
    for (int i = 0; i < act->command->user_count && !err && !*ret_why; i++)
        err = ledger_put_off(check_user(act, act->command->users[i], &count, ret_why), &missed);
    return err ? err : missed;
}

static int add_user(struct act *act, struct span id)
{
    struct ledger_user user;
    bool member;
    int err = find_member(act, id, &user, &member);
    if (err || member)
        return err;
    err = act_user(act, id, &user);
    if (!err)
        err = act_enter(act, &user, ROLE_MEMBER, true);
    if (!err)
        act->command->outcome.members_added++;
    return err;
}

int act_add_members(struct act *act)
{
    int why, missed = 0;
    int err = act_load_room(act);
    if (!err)
        err = check_users(act, &why);
    if (!err && why)
        return act_refuse(act, why);
    if (!err)
        err = act_begin(act);
    for (int i = 0; i < act->command->user_count && !err; i++)
        err = ledger_put_off(add_user(act, act->command->users[i]), &missed);
    return err ? err : missed;
}
