/* Direct rooms and blocks: what stands between two users. */
#include <stdio.h>

#include "base/err.h"
#include "store/redis_ledger.h"

#define PAIR_BYTES (2 * REDIS_DIGITS_MAX + 2)

static struct span pair_of(place_number a, place_number b, char out[PAIR_BYTES])
{
    int len = snprintf(out, PAIR_BYTES, "%llu/%llu", (unsigned long long)(a < b ? a : b),
                       (unsigned long long)(a < b ? b : a));
    return span_of(out, (size_t)len);
}

static struct redis_key *direct_of(struct redis_ledger *ledger, place_number realm)
{
    return redis_key_of(ledger->view, 'r', realm, "direct");
}

static int direct_find(struct ledger *base, place_number a, place_number b, place_number *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    char pair[PAIR_BYTES];
    place_number realm;
    struct span value, id;
    int err = redis_user_id(ledger, a, &realm, &id);
    if (!err)
        err = redis_view_get(ledger->view, direct_of(ledger, realm), pair_of(a, b, pair), &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    *ret = redis_place_parse(value);
    return *ret ? 0 : ERR_CORRUPT;
}

static int direct_add(struct ledger *base, place_number a, place_number b, place_number room)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    char pair[PAIR_BYTES];
    place_number realm;
    struct span id;
    int err = redis_room_id(ledger, room, &realm, &id);
    if (!err)
        err = redis_view_set(ledger->view, direct_of(ledger, realm), pair_of(a, b, pair),
                             redis_text_of(room));
    return err ? err
               : redis_view_set(ledger->view, redis_room_key(ledger, room, "state"), span_text("d"),
                                pair_of(a, b, pair));
}

/* Data NULL: it is no direct room. */
static int pair_get(struct redis_ledger *ledger, place_number room, struct span *ret)
{
    struct redis_key *state = redis_room_key(ledger, room, "state");
    int err = redis_view_whole(ledger->view, state);
    return err ? err : redis_view_get(ledger->view, state, span_text("d"), ret);
}

int redis_direct_remove(struct redis_ledger *ledger, place_number realm, place_number room)
{
    struct span pair;
    int err = pair_get(ledger, room, &pair);
    if (err || !pair.data)
        return err;
    err = redis_view_unset(ledger->view, direct_of(ledger, realm), pair);
    return err ? err
               : redis_view_unset(ledger->view, redis_room_key(ledger, room, "state"),
                                  span_text("d"));
}

static int direct_partner(struct ledger *base, place_number room, place_number user,
                          place_number *ret)
{
    struct span high;
    int err = pair_get(redis_ledger_of(base), room, &high);
    if (err || !high.data)
        return err ? err : ERR_NOT_FOUND;
    place_number low = redis_place_parse(span_cut(&high, '/'));
    *ret = low == user ? redis_place_parse(high) : low;
    return *ret ? 0 : ERR_CORRUPT;
}

/* -- blocks --------------------------------------------------------------------------------- */

static struct redis_key *blocks_of(struct redis_ledger *ledger, place_number blocker)
{
    return redis_key_of(ledger->view, 'u', blocker, "blocks");
}

static struct redis_key *blocked_of(struct redis_ledger *ledger, place_number blocker)
{
    return redis_key_of(ledger->view, 'u', blocker, "blocked");
}

static int block_find(struct ledger *base, place_number blocker, place_number user,
                      struct ledger_block *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span value;
    uint64_t at_ms;
    int err = redis_view_get(ledger->view, blocks_of(ledger, blocker), redis_text_of(user), &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    err = span_to_number(value, INT64_MAX, &at_ms);
    *ret = (struct ledger_block){.user = user, .blocked_at_ms = (int64_t)at_ms};
    return err ? ERR_CORRUPT : 0;
}

static int block_name(struct redis_ledger *ledger, place_number user, struct span *ret)
{
    place_number realm;
    struct span id;
    int err = redis_user_id(ledger, user, &realm, &id);
    return err ? err : redis_name_of(ledger, id, user, ret);
}

static int block_add(struct ledger *base, place_number blocker, const struct ledger_block *block)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span name;
    int err = block_name(ledger, block->user, &name);
    if (!err)
        err = redis_view_name_add(ledger->view, blocked_of(ledger, blocker), name);
    return err ? err
               : redis_view_set(ledger->view, blocks_of(ledger, blocker),
                                redis_text_of(block->user),
                                redis_text_of((uint64_t)block->blocked_at_ms));
}

static int block_remove(struct ledger *base, place_number blocker, place_number user)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct ledger_block block;
    struct span name;
    int err = block_find(base, blocker, user, &block);
    if (err)
        return err == ERR_NOT_FOUND ? 0 : err;
    err = block_name(ledger, user, &name);
    if (!err)
        err = redis_view_name_remove(ledger->view, blocked_of(ledger, blocker), name);
    return err ? err
               : redis_view_unset(ledger->view, blocks_of(ledger, blocker), redis_text_of(user));
}

static int describe(struct redis_ledger *ledger, place_number realm, place_number blocker,
                    struct span name, struct ledger_block *ret)
{
    struct redis_user user;
    struct span id;
    place_number place;
    int missed = 0;
    int err = redis_name_cut(name, &id, &place);
    if (!err)
        err = ledger_put_off(block_find(&ledger->ledger, blocker, place, ret), &missed);
    if (!err)
        err = ledger_put_off(redis_user_by_id(ledger, realm, id, &user), &missed);
    if (err || missed)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err ? err : missed;
    ret->user_id = id;
    ret->name = user.user.name;
    ret->data = user.user.data;
    return 0;
}

static int blocks(struct ledger *base, place_number blocker, struct span from, int limit,
                  ledger_block_visitor visit, void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    const struct span *names = NULL;
    struct span after, id;
    place_number realm;
    int count = 0, missed = 0;
    int err = ledger_put_off(redis_user_id(ledger, blocker, &realm, &id), &missed);
    if (!err)
        err = redis_name_after(ledger, from, &after);
    if (!err)
        err = ledger_put_off(redis_view_names(ledger->view, blocked_of(ledger, blocker), after,
                                              (struct span){NULL, 0}, limit, false, true, &names,
                                              &count),
                             &missed);
    if (err || missed)
        return err ? err : missed;
    for (int i = 0; i < count && !err; i++) {
        struct ledger_block block;
        err = ledger_put_off(describe(ledger, realm, blocker, names[i], &block), &missed);
        if (!err && !missed)
            err = visit(context, &block);
    }
    return err ? err : missed;
}

static int block_count(struct ledger *base, place_number blocker, int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    uint64_t count = 0;
    int err = redis_view_size(ledger->view, blocks_of(ledger, blocker), &count);
    *ret = (int64_t)count;
    return err;
}

void redis_ledger_add_direct(struct ledger_ops *ops)
{
    ops->direct_find = direct_find;
    ops->direct_add = direct_add;
    ops->direct_partner = direct_partner;
    ops->block_find = block_find;
    ops->block_add = block_add;
    ops->block_remove = block_remove;
    ops->blocks = blocks;
    ops->block_count = block_count;
}
