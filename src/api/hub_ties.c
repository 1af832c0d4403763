/* The hub's people: who subscribed to whom. */
#include <string.h>

#include "api/hub_people.h"
#include "base/err.h"
#include "core/pair.h"

static struct hub_target *get_target(struct people *people, const char *key, size_t len)
{
    struct hub_target *target;
    HASH_FIND(hh, people->targets, key, (unsigned)len, target);
    if (target)
        return target;
    target = calloc(1, sizeof(*target) + len);
    if (!target)
        return NULL;
    memcpy(target->key, key, len);
    HASH_ADD_KEYPTR(hh, people->targets, target->key, (unsigned)len, target);
    if (!map_added(&target->hh)) {
        free(target);
        return NULL;
    }
    return target;
}

static void drop_target(struct people *people, struct hub_target *target)
{
    if (target->count)
        return;
    HASH_DEL(people->targets, target);
    free(target->subscribers);
    free(target);
}

static bool subscriber_add(struct hub_target *target, uint32_t user)
{
    if (target->count == target->size) {
        uint32_t size = target->size + target->size / 2 + 2;
        uint32_t *subscribers = realloc(target->subscribers, size * sizeof(*subscribers));
        if (!subscribers)
            return false;
        target->subscribers = subscribers;
        target->size = size;
    }
    target->subscribers[target->count++] = user;
    return true;
}

static struct hub_tie *find_tie(struct hub_user *user, const struct hub_target *target)
{
    struct hub_tie *tie = user->ties;
    while (tie->target != target)
        tie++;
    return tie;
}

void people_untie(struct people *people, struct hub_user *user)
{
    for (uint32_t i = 0; i < user->tie_count; i++) {
        struct hub_tie tie = user->ties[i];
        uint32_t last = tie.target->subscribers[--tie.target->count];
        if (tie.at < tie.target->count) {
            tie.target->subscribers[tie.at] = last;
            find_tie(people_user(people, last), tie.target)->at = tie.at;
        }
        drop_target(people, tie.target);
    }
    free(user->ties);
    user->ties = NULL;
    user->tie_count = 0;
}

int people_tie(struct people *people, struct hub_user *user, const struct span *targets, int count)
{
    char key[PAIR_BYTES_MAX];
    people_untie(people, user);
    if (count == 0)
        return 0;
    user->ties = calloc((size_t)count, sizeof(*user->ties));
    if (!user->ties)
        return ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        size_t len = pair_make(key, span_text(user->key), targets[i]);
        struct hub_target *target = get_target(people, key, len);
        if (!target)
            return ERR_MEMORY;
        if (!subscriber_add(target, user->number)) {
            drop_target(people, target);
            return ERR_MEMORY;
        }
        user->ties[user->tie_count++] = (struct hub_tie){target, target->count - 1};
    }
    return 0;
}

struct hub_target *people_find_target(struct people *people, const struct hub_user *user)
{
    struct hub_target *target;
    HASH_FIND(hh, people->targets, user->key, user->by_key.key_len, target);
    return target;
}

bool people_is_tied(struct people *people, const struct hub_user *user, const struct hub_user *to)
{
    const struct hub_target *target = people_find_target(people, to);
    for (uint32_t i = 0; target && i < user->tie_count; i++) {
        if (user->ties[i].target == target)
            return true;
    }
    return false;
}
