#include "base/err.h"
#include "store/redis_ledger.h"

static struct redis_key *state_of(struct redis_ledger *ledger, place_number user)
{
    return redis_key_of(ledger->view, 'u', user, "state");
}

static int presence_get(struct ledger *base, place_number user, struct arena *arena,
                        struct ledger_presence *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span value;
    int err = redis_view_get(ledger->view, state_of(ledger, user), span_text("p"), &value);
    *ret = (struct ledger_presence){.choice = PRESENCE_NONE};
    if (err || !value.data)
        return err;
    struct redis_fields fields = redis_fields_of(value);
    ret->choice = (enum presence_status)redis_take_number(&fields);
    ret->seen_ms = (int64_t)redis_take_number(&fields);
    ret->activity = redis_take_text(&fields);
    return fields.broken ? ERR_CORRUPT : 0;
}

static int presence_put(struct ledger *base, place_number user, const struct ledger_presence *value)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct buf *buf = redis_scratch(ledger);
    int err = redis_pack_number(buf, value->choice);
    if (!err)
        err = redis_pack_number(buf, (uint64_t)value->seen_ms);
    if (!err)
        err = redis_pack_text(buf, value->activity);
    return err ? err
               : redis_view_set(ledger->view, state_of(ledger, user), span_text("p"),
                                buf_span(buf));
}

static struct redis_key *subscriptions_of(struct redis_ledger *ledger, place_number user)
{
    return redis_key_of(ledger->view, 'u', user, "subscriptions");
}

static int subscription_put(struct ledger *base, place_number user, place_number target)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    place_number realm;
    struct span id;
    int err = redis_user_id(ledger, target, &realm, &id);
    return err ? err
               : redis_view_set(ledger->view, subscriptions_of(ledger, user), redis_text_of(target),
                                id);
}

static int subscription_remove(struct ledger *base, place_number user, place_number target)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    return redis_view_unset(ledger->view, subscriptions_of(ledger, user), redis_text_of(target));
}

static int subscription_find(struct ledger *base, place_number user, place_number target)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span value;
    int err =
        redis_view_get(ledger->view, subscriptions_of(ledger, user), redis_text_of(target), &value);
    return err || value.data ? err : ERR_NOT_FOUND;
}

static int subscription_count(struct ledger *base, place_number user, int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    uint64_t count = 0;
    int err = redis_view_size(ledger->view, subscriptions_of(ledger, user), &count);
    *ret = (int64_t)count;
    return err;
}

static int subscriptions(struct ledger *base, place_number user, ledger_name_visitor visit,
                         void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    const struct span *fields = NULL;
    int count = 0;
    int err = redis_view_fields(ledger->view, subscriptions_of(ledger, user), &fields, &count);
    for (int i = 0; i + 1 < count && !err; i += 2)
        err = visit(context, fields[i + 1]);
    return err;
}

/* Loose: what is told is what was so when it was asked. What both still have of doomed rooms does
 * not count. */
static int acquainted(struct ledger *base, place_number user, place_number other, bool *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_key *rooms = redis_key_of(ledger->view, 'u', user, "rooms");
    struct redis_key *others = redis_key_of(ledger->view, 'u', other, "rooms");
    uint64_t shared = 0;
    int64_t doomed = 0;
    int missed = 0;
    int err =
        ledger_put_off(redis_view_count_shared(ledger->view, rooms, others, &shared), &missed);
    if (!err)
        err = ledger_put_off(redis_doomed_count(ledger, user, other, &doomed), &missed);
    *ret = (int64_t)shared > doomed;
    return err ? err : missed;
}

void redis_ledger_add_presence(struct ledger_ops *ops)
{
    ops->presence_get = presence_get;
    ops->presence_put = presence_put;
    ops->subscription_put = subscription_put;
    ops->subscription_remove = subscription_remove;
    ops->subscription_find = subscription_find;
    ops->subscription_count = subscription_count;
    ops->subscriptions = subscriptions;
    ops->acquainted = acquainted;
}
