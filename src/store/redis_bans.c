#include "base/err.h"
#include "store/redis_ledger.h"

#define PASSED_AT_ONCE 32 /* bans that are forgotten with one that is put */
#define UNTIL_DIGITS 16   /* hexadecimal */

static struct redis_key *key_of(struct redis_ledger *ledger, place_number room, const char *what)
{
    return redis_key_of(ledger->view, 'p', room, what);
}

static int unpack(struct span value, place_number user, struct ledger_ban *ret)
{
    struct redis_fields fields = redis_fields_of(value);
    *ret = (struct ledger_ban){.user = user};
    ret->until_ms = (int64_t)redis_take_number(&fields);
    ret->banned_at_ms = (int64_t)redis_take_number(&fields);
    ret->by = redis_take_number(&fields);
    ret->by_id = redis_take_text(&fields);
    ret->user_id = redis_take_text(&fields);
    ret->reason = redis_take_text(&fields);
    return fields.broken ? ERR_CORRUPT : 0;
}

static int get(struct redis_ledger *ledger, place_number room, place_number user,
               struct ledger_ban *ret)
{
    struct span value;
    int err =
        redis_view_get(ledger->view, key_of(ledger, room, "bans"), redis_text_of(user), &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    return unpack(value, user, ret);
}

static int ban_find(struct ledger *base, place_number room, place_number user,
                    struct ledger_ban *ret)
{
    int err = get(redis_ledger_of(base), room, user, ret);
    if (!err)
        ret->by_id = ret->user_id = ret->reason = (struct span){NULL, 0};
    return err;
}

/* In order of when they end; those for good have none. */
static int end_name(struct redis_ledger *ledger, int64_t until_ms, place_number user,
                    struct span *ret)
{
    struct buf *name = redis_scratch(ledger);
    int err = buf_format(name, "%0*llx%llu", UNTIL_DIGITS, (unsigned long long)until_ms,
                         (unsigned long long)user);
    *ret = buf_span(name);
    return err;
}

static int forget(struct redis_ledger *ledger, place_number room, const struct ledger_ban *ban)
{
    struct span name;
    int err =
        redis_view_unset(ledger->view, key_of(ledger, room, "bans"), redis_text_of(ban->user));
    if (!err)
        err = redis_name_of(ledger, ban->user_id, ban->user, &name);
    if (!err)
        err = redis_view_name_remove(ledger->view, key_of(ledger, room, "banned"), name);
    if (err || !ban->until_ms)
        return err;
    err = end_name(ledger, ban->until_ms, ban->user, &name);
    return err ? err : redis_view_name_remove(ledger->view, key_of(ledger, room, "ends"), name);
}

static int ban_remove(struct ledger *base, place_number room, place_number user)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct ledger_ban ban;
    int err = get(ledger, room, user, &ban);
    if (err)
        return err == ERR_NOT_FOUND ? 0 : err;
    return forget(ledger, room, &ban);
}

static int forget_passed(struct redis_ledger *ledger, place_number room, int64_t now_ms)
{
    const struct span *names = NULL;
    struct span before;
    int count = 0, missed = 0;
    int err = end_name(ledger, now_ms + 1, 0, &before);
    if (!err)
        err = redis_view_names(ledger->view, key_of(ledger, room, "ends"), (struct span){NULL, 0},
                               before, PASSED_AT_ONCE, false, true, &names, &count);
    for (int i = 0; i < count && !err; i++) {
        struct ledger_ban ban;
        if (names[i].len <= UNTIL_DIGITS)
            return ERR_CORRUPT;
        place_number user =
            redis_place_parse(span_of(names[i].data + UNTIL_DIGITS, names[i].len - UNTIL_DIGITS));
        err = ledger_put_off(get(ledger, room, user, &ban), &missed);
        if (err == ERR_NOT_FOUND)
            err = 0; /* forgotten in this view */
        else if (!err && !missed)
            err = forget(ledger, room, &ban);
    }
    return err ? err : missed;
}

static int pack(struct buf *buf, const struct ledger_ban *ban, struct span by_id,
                struct span user_id)
{
    int err = redis_pack_number(buf, (uint64_t)ban->until_ms);
    if (!err)
        err = redis_pack_number(buf, (uint64_t)ban->banned_at_ms);
    if (!err)
        err = redis_pack_number(buf, ban->by);
    if (!err)
        err = redis_pack_text(buf, by_id);
    if (!err)
        err = redis_pack_text(buf, user_id);
    return err ? err : redis_pack_text(buf, ban->reason);
}

static int put(struct redis_ledger *ledger, place_number room, const struct ledger_ban *ban,
               struct span by_id, struct span user_id)
{
    struct span name;
    struct buf *value = redis_scratch(ledger);
    int err = pack(value, ban, by_id, user_id);
    if (!err)
        err = redis_view_set(ledger->view, key_of(ledger, room, "bans"), redis_text_of(ban->user),
                             buf_span(value));
    if (!err)
        err = redis_name_of(ledger, user_id, ban->user, &name);
    if (!err)
        err = redis_view_name_add(ledger->view, key_of(ledger, room, "banned"), name);
    if (err || !ban->until_ms)
        return err;
    err = end_name(ledger, ban->until_ms, ban->user, &name);
    return err ? err : redis_view_name_add(ledger->view, key_of(ledger, room, "ends"), name);
}

static int ban_put(struct ledger *base, place_number room, const struct ledger_ban *ban,
                   int64_t now_ms)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span by_id = {NULL, 0}, user_id = {NULL, 0};
    place_number realm;
    int missed = 0;
    int err = ledger_put_off(forget_passed(ledger, room, now_ms), &missed);
    if (!err)
        err = ledger_put_off(ban_remove(base, room, ban->user), &missed);
    if (!err)
        err = ledger_put_off(redis_user_id(ledger, ban->user, &realm, &user_id), &missed);
    if (!err)
        err = ledger_put_off(redis_user_id(ledger, ban->by, &realm, &by_id), &missed);
    if (err || missed)
        return err ? err : missed;
    return put(ledger, room, ban, by_id, user_id);
}

/* The ban of that name, with the name and data of the user. ERR_NOT_FOUND: it has passed. */
static int describe(struct redis_ledger *ledger, place_number realm, place_number room,
                    struct span name, int64_t now_ms, struct ledger_ban *ret)
{
    struct redis_user user;
    struct span id;
    place_number place;
    int missed = 0;
    int err = redis_name_cut(name, &id, &place);
    if (!err)
        err = ledger_put_off(get(ledger, room, place, ret), &missed);
    if (!err)
        err = ledger_put_off(redis_user_by_id(ledger, realm, id, &user), &missed);
    if (err || missed)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err ? err : missed;
    ret->name = user.user.name;
    ret->data = user.user.data;
    return ledger_ban_holds(ret, now_ms) ? 0 : ERR_NOT_FOUND;
}

/* More names are read for those that have passed. */
static int bans(struct ledger *base, place_number room, struct span from, int64_t now_ms, int limit,
                ledger_ban_visitor visit, void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    const struct span *names = NULL;
    struct span after, id;
    place_number realm = 0;
    int missed = 0, left = limit, count = 0, wanted;
    int err = ledger_put_off(redis_room_id(ledger, room, &realm, &id), &missed);
    if (!err)
        err = redis_name_after(ledger, from, &after);
    do {
        wanted = left;
        if (!err)
            err = ledger_put_off(redis_view_names(ledger->view, key_of(ledger, room, "banned"),
                                                  after, (struct span){NULL, 0}, wanted, false,
                                                  true, &names, &count),
                                 &missed);
        for (int i = 0; i < count && !err && realm; i++) {
            struct ledger_ban ban;
            err = ledger_put_off(describe(ledger, realm, room, names[i], now_ms, &ban), &missed);
            if (!err && !missed) {
                left--;
                err = visit(context, &ban);
            }
            err = err == ERR_NOT_FOUND ? 0 : err;
        }
        if (!err && count > 0)
            after = names[count - 1];
    } while (!err && !missed && left > 0 && count == wanted);
    return err ? err : missed;
}

/* All of them, less those that are known to have passed: the passed ones alone are walked. */
static int ban_count(struct ledger *base, place_number room, int64_t now_ms, int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span before;
    uint64_t all = 0, passed = 0;
    int missed = 0;
    int err =
        ledger_put_off(redis_view_size(ledger->view, key_of(ledger, room, "bans"), &all), &missed);
    if (!err)
        err = end_name(ledger, now_ms + 1, 0, &before);
    if (!err)
        err = ledger_put_off(redis_view_count_names(ledger->view, key_of(ledger, room, "ends"),
                                                    (struct span){NULL, 0}, before, &passed),
                             &missed);
    *ret = (int64_t)(all - passed);
    return err ? err : missed;
}

void redis_ledger_add_bans(struct ledger_ops *ops)
{
    ops->ban_find = ban_find;
    ops->ban_put = ban_put;
    ops->ban_remove = ban_remove;
    ops->bans = bans;
    ops->ban_count = ban_count;
}
