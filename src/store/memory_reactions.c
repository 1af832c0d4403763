/* Reactions to messages and the counts of their replies. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

static struct memory_event *message_at(struct ledger *ledger, place_number room, struct event_id id)
{
    struct memory_ledger *memory = memory_of(ledger);
    place_number realm = memory_room_at(memory, room)->place.realm->place.number;
    struct memory_event *message = memory_event_at(memory, realm, id);
    assert(message && message->event.type == EVENT_NEW_MESSAGE);
    return message;
}

/* Where the reaction of that key is linked; where it would be, if there is none. */
static struct memory_reaction **link_of(struct memory_event *message, struct span key)
{
    struct memory_reaction **link = &message->reactions;
    while (*link && !span_equal((*link)->key, key))
        link = &(*link)->next;
    return link;
}

static struct memory_fan *find_fan(const struct memory_reaction *reaction, place_number user)
{
    struct memory_fan *fan = NULL;
    if (reaction)
        HASH_FIND(hh, reaction->fans, &user, sizeof(user), fan);
    return fan;
}

static void unlink_reaction(struct memory_reaction **link)
{
    struct memory_reaction *reaction = *link;
    struct memory_fan *fan, *next;
    *link = reaction->next;
    HASH_ITER(hh, reaction->fans, fan, next)
    {
        HASH_DELETE(hh, reaction->fans, fan);
        free(fan);
    }
    free((char *)reaction->key.data);
    free(reaction);
}

void memory_reactions_free(struct memory_event *message)
{
    while (message->reactions)
        unlink_reaction(&message->reactions);
}

static int reaction_find(struct ledger *ledger, place_number room, struct event_id message,
                         struct span key, place_number user)
{
    return find_fan(*link_of(message_at(ledger, room, message), key), user) ? 0 : ERR_NOT_FOUND;
}

static int link_reaction(struct memory_reaction **link, struct span key)
{
    struct memory_reaction *reaction = calloc(1, sizeof(*reaction));
    int err = reaction ? memory_text_set(&reaction->key, key) : ERR_MEMORY;
    if (err)
        free(reaction);
    else
        *link = reaction;
    return err;
}

static int reaction_add(struct ledger *ledger, place_number room, struct event_id message,
                        struct span key, place_number user, struct event_id added)
{
    struct memory_reaction **link = link_of(message_at(ledger, room, message), key);
    struct memory_fan *fan = calloc(1, sizeof(*fan));
    int err = fan ? 0 : ERR_MEMORY;
    if (!err && !*link)
        err = link_reaction(link, key);
    if (err) {
        free(fan);
        return err;
    }
    assert(!find_fan(*link, user));
    fan->user = user;
    HASH_ADD(hh, (*link)->fans, user, sizeof(fan->user), fan);
    if (map_added(&fan->hh))
        return 0;
    free(fan);
    if (!(*link)->fans)
        unlink_reaction(link);
    return ERR_MEMORY;
}

static int reaction_remove(struct ledger *ledger, place_number room, struct event_id message,
                           struct span key, place_number user)
{
    struct memory_reaction **link = link_of(message_at(ledger, room, message), key);
    struct memory_fan *fan = find_fan(*link, user);
    assert(fan);
    HASH_DELETE(hh, (*link)->fans, fan);
    free(fan);
    if (!(*link)->fans)
        unlink_reaction(link);
    return 0;
}

static int reactions_clear(struct ledger *ledger, place_number room, struct event_id message)
{
    memory_reactions_free(message_at(ledger, room, message));
    return 0;
}

static int reaction_keys(struct ledger *ledger, place_number room, struct event_id message,
                         struct span key, int *ret_count, bool *ret_has)
{
    struct memory_event *found = message_at(ledger, room, message);
    *ret_count = 0;
    *ret_has = *link_of(found, key) != NULL;
    for (struct memory_reaction *at = found->reactions; at; at = at->next)
        (*ret_count)++;
    return 0;
}

static int reactions(struct ledger *ledger, place_number room, struct event_id message,
                     place_number user, struct arena *arena, ledger_reaction_visitor visit,
                     void *context)
{
    int err = 0;
    struct memory_reaction *at = message_at(ledger, room, message)->reactions;
    for (; at && !err; at = at->next) {
        struct ledger_reaction given = {
            .key = at->key,
            .count = HASH_COUNT(at->fans),
            .mine = find_fan(at, user) != NULL,
        };
        for (struct memory_fan *fan = at->fans; fan && given.user_count < REACTION_USERS_SHOWN;
             fan = fan->hh.next)
            given.users[given.user_count++] = memory_user_at(memory_of(ledger), fan->user)->id;
        err = visit(context, &given);
    }
    return err;
}

static int replies_waiting(struct ledger *ledger, place_number room, struct span message_id,
                           int64_t *ret)
{
    const struct memory_events *found =
        memory_replies(memory_room_at(memory_of(ledger), room), message_id);
    *ret = 0;
    for (size_t i = found->first; i < found->end; i++)
        *ret += !found->items[i]->event.deleted;
    return 0;
}

static int replies_add(struct ledger *ledger, place_number room, struct event_id message,
                       int64_t change)
{
    struct memory_event *root = message_at(ledger, room, message);
    root->replies += change;
    assert(root->replies >= 0);
    return 0;
}

static int replies(struct ledger *ledger, place_number room, struct event_id message, int64_t *ret)
{
    *ret = message_at(ledger, room, message)->replies;
    return 0;
}

void memory_reaction_ops(struct ledger_ops *ops)
{
    ops->reaction_find = reaction_find;
    ops->reaction_add = reaction_add;
    ops->reaction_remove = reaction_remove;
    ops->reactions_clear = reactions_clear;
    ops->reaction_keys = reaction_keys;
    ops->reactions = reactions;
    ops->replies_waiting = replies_waiting;
    ops->replies_add = replies_add;
    ops->replies = replies;
}
