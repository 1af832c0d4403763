#include <assert.h>

#include "base/err.h"
#include "store/act.h"
#include "store/reading_parts.h"
#include "store/shape.h"

static int keep(struct act *act, struct span *text)
{
    struct span copy = arena_copy(act->apply->results, *text);
    if (text->data && !copy.data)
        return ERR_MEMORY;
    *text = copy;
    return 0;
}

int act_keep_room(struct act *act)
{
    struct room_info *room = &act->room;
    int err = keep(act, &room->id);
    if (!err)
        err = keep(act, &room->name);
    if (!err)
        err = keep(act, &room->topic);
    if (!err)
        err = keep(act, &room->data);
    return err;
}

int act_load_room(struct act *act)
{
    assert(act->scene.room.place);
    act->room = act->scene.room.info;
    return act_keep_room(act);
}

int act_check_space(struct act *act, place_number user, int64_t count, bool *ret_full)
{
    int64_t rooms = 0;
    int err = 0;
    if (user)
        err = act->ledger->ops->room_count_of_user(act->ledger, user, &rooms);
    *ret_full = rooms >= ROOMS_OF_USER_MAX || act->room.member_count > ROOM_MEMBERS_MAX - count;
    return err;
}

static void change_room(struct room_info *room, const struct room_change *change)
{
    if (change->has_kind)
        room->kind = change->kind;
    if (change->has_name)
        room->name = change->name;
    if (change->has_topic)
        room->topic = change->topic;
    if (change->has_announce)
        room->announce = change->announce;
    if (change->has_slow_mode)
        room->slow_mode_s = change->slow_mode_s;
    if (change->has_history_from)
        room->history_from = change->history_from;
    if (change->has_data)
        room->data = change->data;
}

static bool room_differs(const struct room_info *a, const struct room_info *b)
{
    return a->kind != b->kind || !span_equal(a->name, b->name) || !span_equal(a->topic, b->topic) ||
           a->announce != b->announce || a->slow_mode_s != b->slow_mode_s ||
           a->history_from != b->history_from || !span_equal(a->data, b->data);
}

json_t *act_shape_room(const struct act *act, enum role role)
{
    json_t *room = shape_room(&act->room, role, -1);
    if (!room || !act->pair)
        return room;
    json_t *members = json_array();
    int err = members ? 0 : -1;
    for (int i = 0; i < 2 && !err; i++) {
        const struct room_person *person = &act->pair[i];
        err = json_array_append_new(members,
                                    shape_person(person->user, person->name, person->data));
    }
    if (!err)
        err = json_object_set(room, "members", members);
    json_decref(members);
    if (!err)
        return room;
    json_decref(room);
    return NULL;
}

int act_emit_room(struct act *act, enum event_type type, bool was_public)
{
    bool is_deleted = type == EVENT_ROOM_DELETED;
    bool is_public = !is_deleted && act->room.kind == ROOM_PUBLIC;
    struct ledger_event event = {
        .type = type,
        .place = act->scene.room.place,
        .room_id = act->room.id,
        .ends_watching = is_deleted || (was_public && !is_public),
        .opens_watching = is_public && !was_public,
    };
    if (type == EVENT_ROOM_CREATED) {
        event.user = act->scene.actor.place;
        event.user_id = act->command->actor.user;
    }
    int err = act_emit(act, &event, act_shape_room(act, ROLE_NONE), NULL);
    if (!err && type == EVENT_ROOM_CREATED)
        err = act->ledger->ops->tenure_open(act->ledger, event.user, event.place, event.id);
    return err;
}

void act_init_room(struct act *act, enum room_kind kind)
{
    act->room = (struct room_info){
        .id = act->command->room,
        .kind = kind,
        .name = span_text(""),
        .topic = span_text(""),
        .data = span_text("{}"),
        .version = 1,
        .created_at_ms = act->apply->now_ms,
    };
}

/* The two of a direct room, into the results. */
static int load_pair(struct act *act)
{
    if (act->room.kind != ROOM_DIRECT)
        return 0;
    return reading_pair(act->ledger, act->scene.room.place, act->apply->results, &act->pair);
}

/* The creator sees the room from its first event on. */
static int create(struct act *act)
{
    struct ledger *ledger = act->ledger;
    bool full;
    act_init_room(act, ROOM_PUBLIC);
    change_room(&act->room, &act->command->change);
    int err = act_check_space(act, act->scene.actor.place, 1, &full);
    if (!err && full)
        return act_refuse(act, ERR_FULL);
    if (!err)
        err = act_keep_room(act);
    if (!err)
        err = act_begin(act);
    if (!err && act->room.kind == ROOM_PUBLIC)
        err = ledger->ops->id_next(ledger, act->scene.realm.place, act->apply->now_ms,
                                   &act->room.public_since);
    if (!err)
        err = ledger->ops->room_add(ledger, act->scene.realm.place, &act->room,
                                    &act->scene.room.place);
    if (err)
        return err;
    act->room.member_count = 1;
    err = act_emit_room(act, EVENT_ROOM_CREATED, false);
    act->room.member_count = 0;
    if (!err)
        err = act_enter(act, &act->scene.actor, ROLE_OWNER, false);
    act->command->outcome.created = true;
    act->command->outcome.role = ROLE_OWNER;
    act->command->outcome.room = act->room;
    return err;
}

static int update(struct act *act)
{
    struct outcome *outcome = &act->command->outcome;
    const struct room_info *before = &act->scene.room.info;
    enum room_kind kind_before = before->kind;
    int err = act_begin(act);
    if (err)
        return err;
    act->room = *before;
    change_room(&act->room, &act->command->change);
    bool differs = room_differs(&act->room, before);
    err = act_keep_room(act);
    if (!err)
        err = load_pair(act);
    if (!err && differs) {
        struct ledger *ledger = act->ledger;
        act->room.version++;
        if (act->room.kind == ROOM_PUBLIC && kind_before != ROOM_PUBLIC)
            err = ledger->ops->id_next(ledger, act->scene.realm.place, act->apply->now_ms,
                                       &act->room.public_since);
        if (!err)
            err = ledger->ops->room_set(ledger, act->scene.room.place, &act->room);
        if (!err)
            err = act_emit_room(act, EVENT_ROOM_UPDATED, kind_before == ROOM_PUBLIC);
    }
    outcome->role = act->scene.member.role;
    outcome->notify = act->scene.member.notify;
    outcome->room = act->room;
    outcome->pair = act->pair;
    return err;
}

int act_put_room(struct act *act)
{
    return act->scene.room.place ? update(act) : create(act);
}

int act_delete_room(struct act *act)
{
    int err = act_load_room(act);
    if (!err)
        err = act_begin(act);
    if (!err)
        err = load_pair(act);
    if (!err)
        err = act_emit_room(act, EVENT_ROOM_DELETED, act->room.kind == ROOM_PUBLIC);
    if (!err)
        err = act->ledger->ops->room_remove(act->ledger, act->scene.room.place,
                                            act->scene.realm.head);
    return err;
}

static int join(struct act *act)
{
    struct outcome *outcome = &act->command->outcome;
    int err = act_load_room(act);
    if (err)
        return err;
    outcome->role = act->scene.member.role;
    if (act->scene.member.role == ROLE_NONE) {
        bool full;
        err = act_check_space(act, act->scene.actor.place, 1, &full);
        if (!err && full)
            return act_refuse(act, ERR_FULL);
        if (!err)
            err = act_begin(act);
        if (!err)
            err = act_enter(act, &act->scene.actor, ROLE_MEMBER, true);
        outcome->role = ROLE_MEMBER;
    }
    outcome->room = act->room;
    return err;
}

int act_join(struct act *act)
{
    return act->scene.room.place ? join(act) : create(act);
}
