#include "base/err.h"
#include "store/memory_ledger.h"

static int presence_get(struct ledger *ledger, place_number user, struct arena *arena,
                        struct ledger_presence *ret)
{
    *ret = memory_user_at(memory_of(ledger), user)->presence;
    return 0;
}

static int presence_put(struct ledger *ledger, place_number number,
                        const struct ledger_presence *value)
{
    struct memory_user *user = memory_user_at(memory_of(ledger), number);
    struct span activity = user->presence.activity;
    /* What was given out by presence_get is put back as it is. */
    if (activity.data != value->activity.data) {
        int err = memory_text_set(&activity, value->activity);
        if (err)
            return err;
    }
    user->presence = *value;
    user->presence.activity = activity;
    return 0;
}

/* The place of the target, or where it would be. */
static size_t place_of(const struct memory_user *user, place_number target)
{
    size_t low = 0, high = user->subscription_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (user->subscriptions[middle] < target)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const struct memory_user *user, place_number target, size_t *ret_at)
{
    *ret_at = place_of(user, target);
    return *ret_at < user->subscription_count && user->subscriptions[*ret_at] == target;
}

static int subscription_find(struct ledger *ledger, place_number number, place_number target)
{
    size_t at;
    return has(memory_user_at(memory_of(ledger), number), target, &at) ? 0 : ERR_NOT_FOUND;
}

static int subscription_put(struct ledger *ledger, place_number number, place_number target)
{
    struct memory_user *user = memory_user_at(memory_of(ledger), number);
    size_t at;
    if (has(user, target, &at))
        return 0;
    int err = memory_grow(&user->subscriptions, &user->subscription_size, user->subscription_count,
                          sizeof(*user->subscriptions));
    if (err)
        return err;
    memmove(user->subscriptions + at + 1, user->subscriptions + at,
            (user->subscription_count - at) * sizeof(*user->subscriptions));
    user->subscriptions[at] = target;
    user->subscription_count++;
    return 0;
}

static int subscription_remove(struct ledger *ledger, place_number number, place_number target)
{
    struct memory_user *user = memory_user_at(memory_of(ledger), number);
    size_t at;
    if (!has(user, target, &at))
        return 0;
    user->subscription_count--;
    memmove(user->subscriptions + at, user->subscriptions + at + 1,
            (user->subscription_count - at) * sizeof(*user->subscriptions));
    return 0;
}

static int subscription_count(struct ledger *ledger, place_number user, int64_t *ret)
{
    *ret = (int64_t)memory_user_at(memory_of(ledger), user)->subscription_count;
    return 0;
}

static int subscriptions(struct ledger *ledger, place_number number, ledger_name_visitor visit,
                         void *context)
{
    const struct memory_user *user = memory_user_at(memory_of(ledger), number);
    int err = 0;
    for (size_t i = 0; i < user->subscription_count && !err; i++)
        err = visit(context, memory_user_at(memory_of(ledger), user->subscriptions[i])->id);
    return err;
}

static int acquainted(struct ledger *ledger, place_number number, place_number other, bool *ret)
{
    struct memory_ledger *memory = memory_of(ledger);
    const struct memory_user *user = memory_user_at(memory, number);
    const struct memory_user *friend = memory_user_at(memory, other);
    /* From the one in fewer rooms. */
    const struct memory_user *few = user->room_count <= friend->room_count ? user : friend;
    struct memory_member_key key = {0, few == user ? other : number};
    struct memory_member *found = NULL;
    for (size_t i = 0; i < few->room_count && !found; i++) {
        key.room = few->rooms[i]->key.room;
        HASH_FIND(hh, memory->members, &key, sizeof(key), found);
    }
    *ret = found != NULL;
    return 0;
}

void memory_presence_ops(struct ledger_ops *ops)
{
    ops->presence_get = presence_get;
    ops->presence_put = presence_put;
    ops->subscription_find = subscription_find;
    ops->subscription_put = subscription_put;
    ops->subscription_remove = subscription_remove;
    ops->subscription_count = subscription_count;
    ops->subscriptions = subscriptions;
    ops->acquainted = acquainted;
}
