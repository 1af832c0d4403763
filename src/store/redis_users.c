/* Users and their devices. */
#include <stdlib.h>

#include "base/err.h"
#include "base/map.h"
#include "store/redis_ledger.h"

/* -- what a run has learned ----------------------------------------------------------------- */

struct redis_known {
    place_number place, realm;
    struct span id; /* of the view */
    UT_hash_handle hh;
};

/* Best effort: what is not noted is looked up. */
static void note_known(struct redis_ledger *ledger, place_number place, place_number realm,
                       struct span id)
{
    struct redis_known *known;
    HASH_FIND(hh, ledger->known, &place, sizeof(place), known);
    if (known)
        return;
    known = calloc(1, sizeof(*known) + id.len);
    if (!known)
        return;
    known->place = place;
    known->realm = realm;
    memcpy(known + 1, id.data, id.len);
    known->id = span_of((const char *)(known + 1), id.len);
    HASH_ADD(hh, ledger->known, place, sizeof(known->place), known);
    if (!known->hh.tbl)
        free(known);
}

void redis_known_free(struct redis_ledger *ledger)
{
    struct redis_known *known, *next;
    HASH_ITER(hh, ledger->known, known, next)
    {
        HASH_DEL(ledger->known, known);
        free(known);
    }
}

/* -- records -------------------------------------------------------------------------------- */

static struct redis_key *state_of(struct redis_ledger *ledger, place_number user)
{
    return redis_key_of(ledger->view, 'u', user, "state");
}

int redis_user_by_id(struct redis_ledger *ledger, place_number realm, struct span id,
                     struct redis_user *ret)
{
    struct span value;
    int err =
        redis_view_get(ledger->view, redis_key_of(ledger->view, 'r', realm, "users"), id, &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    struct redis_fields fields = redis_fields_of(value);
    *ret = (struct redis_user){.realm = realm};
    ret->user.id = id;
    ret->user.place = redis_take_number(&fields);
    ret->user.acked = redis_take_id(&fields);
    ret->acked_at_ms = (int64_t)redis_take_number(&fields);
    ret->user.name = redis_take_text(&fields);
    ret->user.data = redis_take_text(&fields);
    if (fields.broken || !ret->user.place)
        return ERR_CORRUPT;
    note_known(ledger, ret->user.place, realm, id);
    return 0;
}

int redis_user_id(struct redis_ledger *ledger, place_number place, place_number *ret_realm,
                  struct span *ret_id)
{
    struct redis_known *known;
    struct span value;
    HASH_FIND(hh, ledger->known, &place, sizeof(place), known);
    if (known) {
        *ret_realm = known->realm;
        *ret_id = known->id;
        return 0;
    }
    int err = redis_view_get(ledger->view, state_of(ledger, place), span_text("i"), &value);
    if (err)
        return err;
    struct redis_fields fields = redis_fields_of(value);
    *ret_realm = redis_take_number(&fields);
    *ret_id = redis_take_text(&fields);
    if (fields.broken || !ret_id->data)
        return ERR_CORRUPT;
    note_known(ledger, place, *ret_realm, *ret_id);
    return 0;
}

int redis_user_at(struct redis_ledger *ledger, place_number place, struct redis_user *ret)
{
    place_number realm;
    struct span id;
    int err = redis_user_id(ledger, place, &realm, &id);
    if (!err)
        err = redis_user_by_id(ledger, realm, id, ret);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

int redis_user_put(struct redis_ledger *ledger, const struct redis_user *user)
{
    struct buf *buf = redis_scratch(ledger);
    int err = redis_pack_number(buf, user->user.place);
    if (!err)
        err = redis_pack_id(buf, user->user.acked);
    if (!err)
        err = redis_pack_number(buf, (uint64_t)user->acked_at_ms);
    if (!err)
        err = redis_pack_text(buf, user->user.name);
    if (!err)
        err = redis_pack_text(buf, user->user.data);
    return err ? err
               : redis_view_set(ledger->view, redis_key_of(ledger->view, 'r', user->realm, "users"),
                                user->user.id, buf_span(buf));
}

/* -- the ledger's --------------------------------------------------------------------------- */

static int user_find(struct ledger *base, place_number realm, struct span id, struct arena *arena,
                     struct ledger_user *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_user user;
    struct span gone;
    int err = redis_user_by_id(ledger, realm, id, &user);
    if (!err)
        err = redis_view_get_loose(ledger->view, state_of(ledger, user.user.place), span_text("g"),
                                   &gone);
    if (!err && gone.data)
        err = redis_parse_id(gone, &user.user.gone);
    if (!err)
        *ret = user.user;
    return err;
}

static int user_add(struct ledger *base, place_number realm, struct span id, place_number *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_user user = {.realm = realm, .user.id = id};
    int err = redis_place_next(ledger, &user.user.place);
    if (err)
        return err;
    *ret = user.user.place;
    struct buf *value = redis_scratch(ledger);
    err = redis_pack_number(value, realm);
    if (!err)
        err = redis_pack_text(value, id);
    if (!err)
        err = redis_view_set(ledger->view, state_of(ledger, user.user.place), span_text("i"),
                             buf_span(value));
    if (!err)
        err = redis_user_put(ledger, &user);
    if (!err)
        note_known(ledger, user.user.place, realm, id);
    return err;
}

static int user_set(struct ledger *base, place_number place, struct span name, struct span data)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_user user;
    int err = redis_user_at(ledger, place, &user);
    user.user.name = name;
    user.user.data = data;
    return err ? err : redis_user_put(ledger, &user);
}

static int user_ack(struct ledger *base, place_number place, struct event_id cursor, int64_t now_ms)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_user user;
    int err = redis_user_at(ledger, place, &user);
    user.user.acked = cursor;
    user.acked_at_ms = now_ms;
    return err ? err : redis_user_put(ledger, &user);
}

/* -- devices -------------------------------------------------------------------------------- */

static struct redis_key *devices_of(struct redis_ledger *ledger, place_number user)
{
    return redis_key_of(ledger->view, 'u', user, "devices");
}

static int device_unpack(struct span value, struct ledger_device *ret)
{
    struct redis_fields fields = redis_fields_of(value);
    ret->cursor = redis_take_id(&fields);
    ret->used_at_ms = (int64_t)redis_take_number(&fields);
    return fields.broken ? ERR_CORRUPT : 0;
}

static int device_find(struct ledger *base, place_number user, struct span device,
                       struct ledger_device *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span value;
    int err = redis_view_whole(ledger->view, devices_of(ledger, user));
    if (!err)
        err = redis_view_get(ledger->view, devices_of(ledger, user), device, &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    return device_unpack(value, ret);
}

/* The one that goes when `device` comes: the one longest unused. data NULL: none. */
static int device_too_many(struct redis_ledger *ledger, place_number user, struct span device,
                           struct span *ret)
{
    const struct span *fields = NULL;
    struct span oldest = {NULL, 0};
    int64_t oldest_ms = INT64_MAX;
    int count = 0;
    bool is_there = false;
    int err = redis_view_fields(ledger->view, devices_of(ledger, user), &fields, &count);
    for (int i = 0; i + 1 < count && !err; i += 2) {
        struct ledger_device value;
        err = device_unpack(fields[i + 1], &value);
        is_there |= span_equal(fields[i], device);
        if (!err && value.used_at_ms < oldest_ms) {
            oldest_ms = value.used_at_ms;
            oldest = fields[i];
        }
    }
    *ret = is_there || count / 2 < DEVICES_OF_USER_MAX ? span_of(NULL, 0) : oldest;
    return err;
}

static int device_put(struct ledger *base, place_number user, struct span device,
                      const struct ledger_device *value)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span oldest;
    int err = device_too_many(ledger, user, device, &oldest);
    if (!err && oldest.data)
        err = redis_view_unset(ledger->view, devices_of(ledger, user), oldest);
    struct buf *packed = redis_scratch(ledger);
    if (!err)
        err = redis_pack_id(packed, value->cursor);
    if (!err)
        err = redis_pack_number(packed, (uint64_t)value->used_at_ms);
    return err ? err
               : redis_view_set(ledger->view, devices_of(ledger, user), device, buf_span(packed));
}

void redis_ledger_add_users(struct ledger_ops *ops)
{
    ops->user_find = user_find;
    ops->user_add = user_add;
    ops->user_set = user_set;
    ops->user_ack = user_ack;
    ops->device_find = device_find;
    ops->device_put = device_put;
}
