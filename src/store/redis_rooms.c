#include <assert.h>

#include "base/err.h"
#include "store/redis_ledger.h"

/* Up to here a room that is deleted takes leave of each member; a larger one is doomed. */
#define MEMBERS_REMOVED_MAX 500

static struct redis_key *state_of(struct redis_ledger *ledger, place_number room)
{
    return redis_key_of(ledger->view, 'p', room, "state");
}

/* -- records -------------------------------------------------------------------------------- */

static int info_pack(struct buf *buf, place_number realm, const struct room_info *info)
{
    buf->len = 0;
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
    int err = info_pack(&ledger->scratch, realm, info);
    return err ? err
               : redis_view_set(ledger->view, state_of(ledger, room), span_text("i"),
                                buf_span(&ledger->scratch));
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

int redis_doomed(struct redis_ledger *ledger, place_number realm, place_number room,
                 struct event_id *ret)
{
    struct redis_key *doomed = redis_key_of(ledger->view, 'r', realm, "doomed");
    struct span value;
    *ret = EVENT_ID_NONE;
    int err = redis_view_whole(ledger->view, doomed);
    if (!err)
        err = redis_view_get_loose(ledger->view, doomed, redis_text_of(room), &value);
    return err || !value.data ? err : redis_parse_id(value, ret);
}

static int doom(struct redis_ledger *ledger, place_number realm, place_number room,
                struct event_id until)
{
    ledger->scratch.len = 0;
    int err = redis_put_id(&ledger->scratch, until);
    return err ? err
               : redis_view_set(ledger->view, redis_key_of(ledger->view, 'r', realm, "doomed"),
                                redis_text_of(room), buf_span(&ledger->scratch));
}

static int remove_members(struct redis_ledger *ledger, place_number realm, place_number room,
                          struct event_id until)
{
    struct ledger *base = &ledger->ledger;
    const struct span *names;
    int count = 0, missed = 0;
    int err = redis_view_names(ledger->view, redis_key_of(ledger->view, 'p', room, "names"),
                               (struct span){NULL, 0}, (struct span){NULL, 0},
                               MEMBERS_REMOVED_MAX + 1, false, false, &names, &count);
    if (!err && count > MEMBERS_REMOVED_MAX)
        return doom(ledger, realm, room, until);
    for (int i = 0; i < count && !err; i++) {
        struct span id;
        place_number user;
        err = redis_name_cut(names[i], &id, &user);
        if (!err)
            err = ledger_put_off(base->ops->tenure_close(base, user, room, until), &missed);
        if (!err)
            err = ledger_put_off(base->ops->member_remove(base, room, user), &missed);
    }
    return err ? err : missed;
}

static int room_remove(struct ledger *base, place_number place, struct event_id until)
{
    static const char *const dropped[] = {"members", "names", "bans", "banned", "ends"};
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct room_info info;
    place_number realm;
    int err = get_info(ledger, place, &realm, &info);
    if (!err)
        err = remove_members(ledger, realm, place, until);
    if (!err)
        err = redis_direct_remove(ledger, realm, place);
    for (size_t i = 0; i < array_count(dropped) && !err; i++)
        err = redis_view_drop(ledger->view, redis_key_of(ledger->view, 'p', place, dropped[i]));
    if (!err)
        err = redis_markers_drop(ledger, place);
    if (!err)
        err = redis_view_set(ledger->view, state_of(ledger, place), span_text("c"), span_text("0"));
    if (!err)
        err = redis_view_unset(ledger->view, redis_key_of(ledger->view, 'r', realm, "rooms"),
                               info.id);
    ledger->scratch.len = 0;
    if (!err)
        err = redis_put_id(&ledger->scratch, until);
    return err ? err
               : redis_view_set(ledger->view, state_of(ledger, place), span_text("x"),
                                buf_span(&ledger->scratch));
}

void redis_ledger_add_rooms(struct ledger_ops *ops)
{
    ops->room_find = room_find;
    ops->room_at = room_at;
    ops->room_add = room_add;
    ops->room_set = room_set;
    ops->room_remove = room_remove;
}
