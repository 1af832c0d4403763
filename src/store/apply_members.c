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

/* In a large room joins and leaves are told to the person concerned alone: they stand under the
 * user's own place, so that nobody else's replay walks over them. */
static void make_quiet(struct ledger_event *event, json_t **body, json_t **own)
{
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
    if (err)
        return err;
    act->room.member_count++;
    struct ledger_event event = event_about(act, EVENT_USER_JOINED, user);
    json_t *body = with(person(act, user), "role", json_string(role_name(role)));
    json_t *own = body ? json_copy(body) : NULL;
    own = with(own, "room", shape_room(&act->room, role, -1));
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

/* The leaving is the last that the leaver sees of the room. */
static int part(struct act *act, const struct ledger_user *user, const char *reason)
{
    struct ledger *ledger = act->ledger;
    place_number room = act->scene.room.place;
    struct ledger_event event = event_about(act, EVENT_USER_LEFT, user);
    json_t *body = with(person(act, user), "reason", json_string(reason)), *own = NULL;
    if (is_quiet(act))
        make_quiet(&event, &body, &own);
    act->room.member_count--;
    int err = act_emit(act, &event, body, own);
    if (!err)
        err = ledger->ops->tenure_close(ledger, user->place, room, event.id);
    if (!err)
        err = ledger->ops->member_remove(ledger, room, user->place);
    return err;
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
    return err ? err : part(act, &act->scene.actor, "left");
}

int act_remove_member(struct act *act)
{
    if (act->scene.target_member.role == ROLE_NONE)
        return 0;
    int err = begin_in_room(act);
    if (err)
        return err;
    bool self = act->scene.target.place == act->scene.actor.place;
    return part(act, self ? &act->scene.actor : &act->scene.target, self ? "left" : "removed");
}

static int add_target(struct act *act)
{
    bool full;
    enum role role = act->command->role;
    int err = act_check_space(act, act->scene.target.place, 1, &full);
    if (!err && full)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_begin(act);
    if (!err)
        err = act_user(act, act->command->target, &act->scene.target);
    if (err)
        return err;
    act->command->outcome.members_added = 1;
    return act_enter(act, &act->scene.target, role == ROLE_NONE ? ROLE_MEMBER : role, true);
}

static int change_target(struct act *act)
{
    struct ledger_member member = act->scene.target_member;
    const struct ledger_user *user = &act->scene.target;
    int err = act_begin(act);
    if (err || act->command->role == ROLE_NONE || act->command->role == member.role)
        return err;
    member.user = user->place;
    member.role = act->command->role;
    err = act->ledger->ops->member_put(act->ledger, act->scene.room.place, &member);
    if (err)
        return err;
    struct ledger_event event = event_about(act, EVENT_MEMBER_UPDATED, user);
    json_t *body = shape_member(user->id, member.role, member.joined_at_ms, member.muted_until_ms,
                                user->name, user->data);
    json_t *room = json_stringn(act->room.id.data, act->room.id.len);
    return act_emit(act, &event, with(body, "roomId", room), NULL);
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

/* Whether all that are new find room: before anything is written. */
static int check_users(struct act *act, bool *ret_full)
{
    int64_t count = 0;
    *ret_full = false;
    for (int i = 0; i < act->command->user_count && !*ret_full; i++) {
        struct ledger_user user;
        bool member;
        int err = find_member(act, act->command->users[i], &user, &member);
        if (!err && !member)
            err = act_check_space(act, user.place, ++count, ret_full);
        if (err)
            return err;
    }
    return 0;
}

int act_add_members(struct act *act)
{
    bool full;
    int err = act_load_room(act);
    if (!err)
        err = check_users(act, &full);
    if (!err && full)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_begin(act);
    for (int i = 0; i < act->command->user_count && !err; i++) {
        struct ledger_user user;
        bool member;
        err = find_member(act, act->command->users[i], &user, &member);
        if (err || member)
            continue;
        err = act_user(act, act->command->users[i], &user);
        if (!err)
            err = act_enter(act, &user, ROLE_MEMBER, true);
        if (!err)
            act->command->outcome.members_added++;
    }
    return err;
}
