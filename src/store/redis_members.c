/* Members. Also of doomed rooms: what their members still have of them is passed over. */
#include <assert.h>

#include "base/err.h"
#include "store/redis_ledger.h"

static struct redis_key *room_key(struct redis_ledger *ledger, place_number room, const char *what)
{
    return redis_key_of(ledger->view, 'p', room, what);
}

static struct redis_key *user_key(struct redis_ledger *ledger, place_number user, const char *what)
{
    return redis_key_of(ledger->view, 'u', user, what);
}

static int count_get(struct redis_ledger *ledger, struct redis_key *state, const char *field,
                     int64_t *ret)
{
    struct span value;
    uint64_t count = 0;
    int err = redis_view_get(ledger->view, state, span_text(field), &value);
    if (!err && value.data && span_to_number(value, INT64_MAX, &count))
        err = ERR_CORRUPT;
    *ret = (int64_t)count;
    return err;
}

/* -- records -------------------------------------------------------------------------------- */

static int unpack(struct span value, place_number user, struct ledger_member *ret)
{
    struct redis_fields fields = redis_fields_of(value);
    *ret = (struct ledger_member){.user = user};
    ret->role = (enum role)redis_take_number(&fields);
    ret->joined_at_ms = (int64_t)redis_take_number(&fields);
    ret->muted_until_ms = (int64_t)redis_take_number(&fields);
    ret->notify = (enum notify)redis_take_number(&fields);
    return fields.broken || ret->role == ROLE_NONE ? ERR_CORRUPT : 0;
}

/* Without the marker. */
static int get(struct redis_ledger *ledger, place_number room, place_number user,
               struct ledger_member *ret)
{
    struct span value;
    int err = redis_view_get(ledger->view, room_key(ledger, room, "members"), redis_text_of(user),
                             &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    return unpack(value, user, ret);
}

static int member_find(struct ledger *base, place_number room, place_number user,
                       struct ledger_member *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    int missed = 0;
    int err = ledger_put_off(get(ledger, room, user, ret), &missed);
    if (!err)
        err = redis_marker_get(ledger, room, user, &ret->marker);
    return err ? err : missed;
}

static int put(struct redis_ledger *ledger, place_number room, const struct ledger_member *member)
{
    struct buf *buf = redis_scratch(ledger);
    int err = redis_pack_number(buf, member->role);
    if (!err)
        err = redis_pack_number(buf, (uint64_t)member->joined_at_ms);
    if (!err)
        err = redis_pack_number(buf, (uint64_t)member->muted_until_ms);
    if (!err)
        err = redis_pack_number(buf, member->notify);
    return err ? err
               : redis_view_set(ledger->view, room_key(ledger, room, "members"),
                                redis_text_of(member->user), buf_span(buf));
}

/* The names by which room and user find one another, and how many they are to each. Whoever tells
 * how many members there are must be right, so that is checked. */
static int link_both(struct redis_ledger *ledger, place_number room, place_number user, bool added)
{
    struct redis_view *view = ledger->view;
    place_number realm;
    struct span room_id, user_id, name;
    int64_t members;
    int missed = 0;
    int err = ledger_put_off(redis_room_id(ledger, room, &realm, &room_id), &missed);
    if (!err)
        err = ledger_put_off(redis_user_id(ledger, user, &realm, &user_id), &missed);
    if (!err)
        err = ledger_put_off(count_get(ledger, room_key(ledger, room, "state"), "c", &members),
                             &missed);
    if (err || missed)
        return err ? err : missed;
    if (!added && members == 0)
        return ERR_CORRUPT;
    err = redis_view_raise(view, room_key(ledger, room, "state"), span_text("c"), added ? 1 : -1);
    if (!err)
        err = redis_name_of(ledger, user_id, user, &name);
    if (!err && added)
        err = redis_view_name_add(view, room_key(ledger, room, "names"), name);
    else if (!err)
        err = redis_view_name_remove(view, room_key(ledger, room, "names"), name);
    if (err || !added)
        return err ? err : redis_member_part(ledger, room, room_id, user);
    err = redis_view_raise(view, user_key(ledger, user, "state"), span_text("n"), 1);
    if (!err)
        err = redis_name_of(ledger, room_id, room, &name);
    return err ? err : redis_view_name_add(view, user_key(ledger, user, "rooms"), name);
}

int redis_member_part(struct redis_ledger *ledger, place_number room, struct span room_id,
                      place_number user)
{
    struct span name;
    int err = redis_view_raise(ledger->view, user_key(ledger, user, "state"), span_text("n"), -1);
    if (!err)
        err = redis_name_of(ledger, room_id, room, &name);
    return err ? err : redis_view_name_remove(ledger->view, user_key(ledger, user, "rooms"), name);
}

/* Whoever decides by the number of owners has checked it. */
static int count_owners(struct redis_ledger *ledger, place_number room, enum role before,
                        enum role after)
{
    int by = (after == ROLE_OWNER) - (before == ROLE_OWNER);
    return by ? redis_view_raise(ledger->view, room_key(ledger, room, "state"), span_text("w"), by)
              : 0;
}

static int member_put(struct ledger *base, place_number room, const struct ledger_member *member)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct ledger_member before = {.role = ROLE_NONE};
    int missed = 0;
    assert(member->role != ROLE_NONE);
    int err = ledger_put_off(get(ledger, room, member->user, &before), &missed);
    if (err == ERR_NOT_FOUND || missed)
        err = ledger_put_off(link_both(ledger, room, member->user, true), &missed);
    if (!err)
        err = count_owners(ledger, room, before.role, member->role);
    if (!err)
        err = put(ledger, room, member);
    return err ? err : missed;
}

static int member_remove(struct ledger *base, place_number room, place_number user)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct ledger_member before = {.role = ROLE_NONE};
    int missed = 0;
    int err = ledger_put_off(get(ledger, room, user, &before), &missed);
    if (err == ERR_NOT_FOUND)
        return ERR_CORRUPT;
    if (!err)
        err = ledger_put_off(link_both(ledger, room, user, false), &missed);
    if (!err)
        err = count_owners(ledger, room, before.role, ROLE_NONE);
    if (!err)
        err = redis_marker_remove(ledger, room, user);
    if (!err)
        err =
            redis_view_unset(ledger->view, room_key(ledger, room, "members"), redis_text_of(user));
    return err ? err : missed;
}

/* -- lists ---------------------------------------------------------------------------------- */

/* The member with the texts of the user. */
static int describe(struct redis_ledger *ledger, place_number realm, place_number room,
                    struct span name, struct ledger_member *ret)
{
    place_number user;
    struct redis_user found;
    struct span id;
    int missed = 0;
    int err = redis_name_cut(name, &id, &user);
    if (!err)
        err = ledger_put_off(member_find(&ledger->ledger, room, user, ret), &missed);
    if (!err)
        err = ledger_put_off(redis_user_by_id(ledger, realm, id, &found), &missed);
    if (err || missed)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err ? err : missed;
    ret->user_id = id;
    ret->name = found.user.name;
    ret->data = found.user.data;
    ret->acked = found.user.acked;
    ret->acked_at_ms = found.acked_at_ms;
    return 0;
}

static int members(struct ledger *base, place_number room, struct span from, int limit,
                   ledger_member_visitor visit, void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    place_number realm;
    const struct span *names = NULL;
    struct event_id doomed;
    struct span after, id;
    int count = 0, missed = 0;
    int err = redis_name_after(ledger, from, &after);
    if (!err)
        err = ledger_put_off(redis_view_names(ledger->view, room_key(ledger, room, "names"), after,
                                              (struct span){NULL, 0}, limit, false, true, &names,
                                              &count),
                             &missed);
    if (!err)
        err = ledger_put_off(redis_room_id(ledger, room, &realm, &id), &missed);
    if (!err)
        err = ledger_put_off(redis_doomed(ledger, room, &doomed), &missed);
    if (err || missed)
        return err ? err : missed;
    /* The names are still there, for the sweep. */
    if (!event_id_is_none(doomed))
        return 0;
    for (int i = 0; i < count && !err; i++) {
        struct ledger_member member;
        err = ledger_put_off(describe(ledger, realm, room, names[i], &member), &missed);
        if (!err && !missed)
            err = visit(context, &member);
    }
    return err ? err : missed;
}

static int owner_count(struct ledger *base, place_number room, int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    return count_get(ledger, room_key(ledger, room, "state"), "w", ret);
}

/* One of a user's rooms, by its name; of a doomed one nothing is told. */
static int visit_room(struct redis_ledger *ledger, place_number user, struct span name, int *left,
                      ledger_room_visitor visit, void *context)
{
    struct ledger *base = &ledger->ledger;
    struct ledger_room room;
    struct ledger_member member;
    struct event_id doomed = EVENT_ID_NONE;
    struct span id;
    place_number place;
    int missed = 0;
    int err = redis_name_cut(name, &id, &place);
    if (!err)
        err = ledger_put_off(redis_doomed(ledger, place, &doomed), &missed);
    if (err || !event_id_is_none(doomed))
        return err;
    if (!err)
        err = ledger_put_off(base->ops->room_at(base, place, NULL, &room), &missed);
    if (!err)
        err = ledger_put_off(member_find(base, place, user, &member), &missed);
    if (err || missed)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err ? err : missed;
    --*left;
    return visit(context, &room, &member);
}

/* More names are read for those that were doomed. Two may have the same id, one of them doomed, so
 * that what comes next is told by the whole name. */
static int rooms_of_user(struct ledger *base, place_number user, struct span from, int limit,
                         ledger_room_visitor visit, void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    const struct span *names = NULL;
    struct span after;
    int missed = 0, left = limit, count = 0, wanted;
    int err = redis_name_after(ledger, from, &after);
    do {
        wanted = left;
        if (!err)
            err = redis_view_names(ledger->view, user_key(ledger, user, "rooms"), after,
                                   (struct span){NULL, 0}, wanted, false, true, &names, &count);
        for (int i = 0; i < count && !err; i++)
            err =
                ledger_put_off(visit_room(ledger, user, names[i], &left, visit, context), &missed);
        if (!err && count > 0)
            after = names[count - 1];
    } while (!err && !missed && left > 0 && count == wanted);
    return err ? err : missed;
}

static int room_count_of_user(struct ledger *base, place_number user, int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    int64_t all = 0, doomed = 0;
    int missed = 0;
    int err =
        ledger_put_off(count_get(ledger, user_key(ledger, user, "state"), "n", &all), &missed);
    if (!err)
        err = ledger_put_off(redis_doomed_count(ledger, user, 0, &doomed), &missed);
    *ret = all - doomed;
    return err ? err : missed;
}

void redis_ledger_add_members(struct ledger_ops *ops)
{
    ops->member_find = member_find;
    ops->member_put = member_put;
    ops->member_remove = member_remove;
    ops->members = members;
    ops->owner_count = owner_count;
    ops->rooms_of_user = rooms_of_user;
    ops->room_count_of_user = room_count_of_user;
}
