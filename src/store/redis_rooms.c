#include "base/err.h"
#include "store/redis_ledger.h"

static struct redis_key *state_of(struct redis_ledger *ledger, place_number room)
{
    return redis_room_key(ledger, room, "state");
}

/* -- records -------------------------------------------------------------------------------- */

static int info_pack(struct buf *buf, place_number realm, const struct room_info *info)
{
    int err = redis_pack_number(buf, realm);
    if (!err)
        err = redis_pack_text(buf, info->id);
    if (!err)
        err = redis_pack_number(buf, info->kind);
    if (!err)
        err = redis_pack_number(buf, info->announce);
    if (!err)
        err = redis_pack_number(buf, (uint64_t)info->slow_mode_s);
    if (!err)
        err = redis_pack_number(buf, info->history_from);
    if (!err)
        err = redis_pack_number(buf, info->version);
    if (!err)
        err = redis_pack_number(buf, (uint64_t)info->created_at_ms);
    if (!err)
        err = redis_pack_id(buf, info->public_since);
    if (!err)
        err = redis_pack_text(buf, info->name);
    if (!err)
        err = redis_pack_text(buf, info->topic);
    return err ? err : redis_pack_text(buf, info->data);
}

static int info_unpack(struct span value, place_number *ret_realm, struct room_info *ret)
{
    struct redis_fields fields = redis_fields_of(value);
    *ret = (struct room_info){.member_count = 0};
    *ret_realm = redis_take_number(&fields);
    ret->id = redis_take_text(&fields);
    ret->kind = (enum room_kind)redis_take_number(&fields);
    ret->announce = redis_take_number(&fields);
    ret->slow_mode_s = (int)redis_take_number(&fields);
    ret->history_from = (enum history_from)redis_take_number(&fields);
    ret->version = redis_take_number(&fields);
    ret->created_at_ms = (int64_t)redis_take_number(&fields);
    ret->public_since = redis_take_id(&fields);
    ret->name = redis_take_text(&fields);
    ret->topic = redis_take_text(&fields);
    ret->data = redis_take_text(&fields);
    return fields.broken || !ret->id.data || !ret->data.data ? ERR_CORRUPT : 0;
}

static int get_info(struct redis_ledger *ledger, place_number room, place_number *ret_realm,
                    struct room_info *ret)
{
    struct redis_key *state = state_of(ledger, room);
    struct span value;
    int err = redis_view_whole(ledger->view, state);
    if (!err)
        err = redis_view_get(ledger->view, state, span_text("i"), &value);
    return err ? err : info_unpack(value, ret_realm, ret);
}

int redis_room_id(struct redis_ledger *ledger, place_number room, place_number *ret_realm,
                  struct span *ret_id)
{
    struct room_info info;
    int err = get_info(ledger, room, ret_realm, &info);
    *ret_id = info.id;
    return err;
}

static int get_number(struct redis_ledger *ledger, place_number room, const char *field,
                      uint64_t *ret)
{
    struct span value;
    int err = redis_view_get_loose(ledger->view, state_of(ledger, room), span_text(field), &value);
    *ret = 0;
    return err || !value.data ? err : span_to_number(value, UINT64_MAX, ret) ? ERR_CORRUPT : 0;
}

/* What only grows, or is only told, is read loosely; whoever changes the number of members checks
 * it there. */
static int room_at(struct ledger *base, place_number place, struct arena *arena,
                   struct ledger_room *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    place_number realm;
    uint64_t members = 0, has_erased = 0;
    struct span gone = {NULL, 0}, deleted = {NULL, 0};
    *ret = (struct ledger_room){.place = place};
    int err = get_info(ledger, place, &realm, &ret->info);
    if (!err)
        err = get_number(ledger, place, "c", &members);
    if (!err)
        err = get_number(ledger, place, "o", &ret->ordinal);
    if (!err)
        err = get_number(ledger, place, "t", &ret->trimmed_ordinal);
    if (!err)
        err = get_number(ledger, place, "e", &has_erased);
    if (!err)
        err = redis_view_get_loose(ledger->view, state_of(ledger, place), span_text("g"), &gone);
    if (!err)
        err = redis_view_get_loose(ledger->view, state_of(ledger, place), span_text("x"), &deleted);
    if (!err && gone.data)
        err = redis_parse_id(gone, &ret->gone);
    ret->info.member_count = (int64_t)members;
    ret->has_erased = has_erased;
    ret->deleted = deleted.data;
    return err;
}

static int room_find(struct ledger *base, place_number realm, struct span id, struct arena *arena,
                     struct ledger_room *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span value;
    int err =
        redis_view_get(ledger->view, redis_key_of(ledger->view, 'r', realm, "rooms"), id, &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    place_number place = redis_place_parse(value);
    return place ? room_at(base, place, arena, ret) : ERR_CORRUPT;
}

static int put_info(struct redis_ledger *ledger, place_number realm, place_number room,
                    const struct room_info *info)
{
    struct buf *value = redis_scratch(ledger);
    int err = info_pack(value, realm, info);
    return err ? err
               : redis_view_set(ledger->view, state_of(ledger, room), span_text("i"),
                                buf_span(value));
}

static int room_add(struct ledger *base, place_number realm, const struct room_info *info,
                    place_number *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    int err = redis_place_next(ledger, ret);
    if (!err)
        err = redis_view_set(ledger->view, redis_key_of(ledger->view, 'r', realm, "rooms"),
                             info->id, redis_text_of(*ret));
    if (!err)
        err = redis_view_set(ledger->view, state_of(ledger, *ret), span_text("c"), span_text("0"));
    return err ? err : put_info(ledger, realm, *ret, info);
}

static int room_set(struct ledger *base, place_number place, const struct room_info *info)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct room_info changed = *info, before;
    place_number realm;
    int err = get_info(ledger, place, &realm, &before);
    changed.id = before.id;
    changed.created_at_ms = before.created_at_ms;
    return err ? err : put_info(ledger, realm, place, &changed);
}

/* -- deleting ------------------------------------------------------------------------------- */

static struct redis_key *doomed_of(struct redis_ledger *ledger)
{
    return redis_key_shard(ledger->view, "doomed");
}

int redis_doomed(struct redis_ledger *ledger, place_number room, struct event_id *ret)
{
    struct span value;
    *ret = EVENT_ID_NONE;
    int err = redis_view_whole(ledger->view, doomed_of(ledger));
    if (!err)
        err = redis_view_get_loose(ledger->view, doomed_of(ledger), redis_text_of(room), &value);
    return err || !value.data ? err : redis_parse_id(value, ret);
}

int redis_doomed_count(struct redis_ledger *ledger, place_number user, place_number other,
                       int64_t *ret)
{
    const place_number users[] = {user, other};
    const struct span *fields = NULL;
    int64_t found = 0;
    int count = 0, missed = 0;
    int err = redis_view_fields(ledger->view, doomed_of(ledger), &fields, &count);
    for (int i = 0; i + 1 < count && !err; i += 2) {
        bool of_all = true;
        for (size_t j = 0; j < array_count(users) && users[j] && !err; j++) {
            struct event_id from;
            err = ledger_put_off(
                redis_tenure_find(ledger, users[j], redis_place_parse(fields[i]), &from), &missed);
            of_all &= err == 0;
            err = err == ERR_NOT_FOUND ? 0 : err;
        }
        found += of_all;
    }
    *ret = found;
    return err ? err : missed;
}

/* Ends the memberships of a room at the members. `names`: of the room. */
static int part_all(struct redis_ledger *ledger, place_number room, struct span room_id,
                    struct event_id until, const struct span *names, int count)
{
    struct ledger *base = &ledger->ledger;
    int err = 0, missed = 0;
    for (int i = 0; i < count && !err; i++) {
        struct span id;
        place_number user;
        err = redis_name_cut(names[i], &id, &user);
        if (!err)
            err = ledger_put_off(base->ops->tenure_close(base, user, room, until), &missed);
        if (!err)
            err = ledger_put_off(redis_member_part(ledger, room, room_id, user), &missed);
    }
    return err ? err : missed;
}

/* A large room is doomed: the members are left for later. */
static int remove_members(struct redis_ledger *ledger, place_number room, struct span room_id,
                          struct event_id until)
{
    struct redis_key *names_key = redis_room_key(ledger, room, "names");
    const struct span *names = NULL;
    uint64_t members;
    int count = 0;
    int err = get_number(ledger, room, "c", &members);
    if (err)
        return err;
    if (members > (uint64_t)ledger->parted_max) {
        struct buf *value = redis_scratch(ledger);
        err = redis_put_id(value, until);
        return err ? err
                   : redis_view_set(ledger->view, doomed_of(ledger), redis_text_of(room),
                                    buf_span(value));
    }
    err = redis_view_names(ledger->view, names_key, (struct span){NULL, 0}, (struct span){NULL, 0},
                           ledger->parted_max + 1, false, false, &names, &count);
    if (!err)
        err = part_all(ledger, room, room_id, until, names, count);
    return err ? err : redis_view_drop(ledger->view, names_key);
}

/* What stands in the room itself; that it has no members any more is read by whoever joins. */
static int empty(struct redis_ledger *ledger, place_number room, struct event_id until)
{
    static const char *const dropped[] = {"members", "bans", "banned", "ends"};
    struct redis_key *state = state_of(ledger, room);
    int err = 0;
    for (size_t i = 0; i < array_count(dropped) && !err; i++)
        err = redis_view_drop(ledger->view, redis_room_key(ledger, room, dropped[i]));
    if (!err)
        err = redis_markers_drop(ledger, room);
    if (!err)
        err = redis_view_set(ledger->view, state, span_text("c"), span_text("0"));
    if (!err)
        err = redis_view_unset(ledger->view, state, span_text("w"));
    struct buf *value = redis_scratch(ledger);
    if (!err)
        err = redis_put_id(value, until);
    return err ? err : redis_view_set(ledger->view, state, span_text("x"), buf_span(value));
}

static int room_remove(struct ledger *base, place_number place, struct event_id until)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct room_info info;
    place_number realm;
    int missed = 0;
    int err = get_info(ledger, place, &realm, &info);
    if (!err)
        err = ledger_put_off(remove_members(ledger, place, info.id, until), &missed);
    if (!err)
        err = redis_direct_remove(ledger, realm, place);
    if (!err)
        err = empty(ledger, place, until);
    if (!err)
        err = redis_view_unset(ledger->view, redis_key_of(ledger->view, 'r', realm, "rooms"),
                               info.id);
    return err ? err : missed;
}

/* One room, some of its members. Two who sweep at once find out by the tenures that they close. */
static int sweep(struct redis_ledger *ledger, place_number room, struct event_id until,
                 bool *ret_done)
{
    struct redis_key *names_key = redis_room_key(ledger, room, "names");
    const struct span *names = NULL;
    struct room_info info;
    place_number realm;
    int count = 0, missed = 0;
    int err = ledger_put_off(get_info(ledger, room, &realm, &info), &missed);
    if (!err)
        err = ledger_put_off(redis_view_names(ledger->view, names_key, (struct span){NULL, 0},
                                              (struct span){NULL, 0}, REDIS_MEMBERS_SWEPT_MAX,
                                              false, true, &names, &count),
                             &missed);
    if (err || missed)
        return err ? err : missed;
    err = part_all(ledger, room, info.id, until, names, count);
    for (int i = 0; i < count && !err; i++)
        err = redis_view_name_remove(ledger->view, names_key, names[i]);
    *ret_done = count < REDIS_MEMBERS_SWEPT_MAX;
    return err;
}

int redis_doomed_sweep(struct redis_ledger *ledger, bool *ret_more)
{
    const struct span *fields = NULL;
    struct event_id until;
    bool done;
    int count = 0;
    int err = redis_view_fields(ledger->view, doomed_of(ledger), &fields, &count);
    if (err || count == 0) {
        *ret_more = false;
        return err;
    }
    place_number room = redis_place_parse(fields[0]);
    err = room ? redis_parse_id(fields[1], &until) : ERR_CORRUPT;
    if (!err)
        err = sweep(ledger, room, until, &done);
    if (!err && done)
        err = redis_view_unset(ledger->view, doomed_of(ledger), redis_text_of(room));
    *ret_more = err || !done || count > 2;
    return err;
}

void redis_ledger_add_rooms(struct ledger_ops *ops)
{
    ops->room_find = room_find;
    ops->room_at = room_at;
    ops->room_add = room_add;
    ops->room_set = room_set;
    ops->room_remove = room_remove;
}
