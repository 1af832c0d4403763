/* Markers, mentions, and the counts of deleted messages. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

void memory_member_free(struct memory_member *member)
{
    free(member->mentioned);
    free(member);
}

static int marker_put(struct ledger *ledger, place_number room, place_number user,
                      const struct ledger_marker *marker)
{
    struct ledger_marker *kept = &memory_member_find(memory_of(ledger), room, user)->marker;
    kept->read = marker->read;
    kept->ordinal = marker->ordinal;
    if (marker->moved_ms)
        kept->moved_ms = marker->moved_ms;
    return 0;
}

static int user_ack(struct ledger *ledger, place_number number, struct event_id cursor,
                    int64_t now_ms)
{
    struct memory_user *user = memory_user_at(memory_of(ledger), number);
    user->acked = cursor;
    user->acked_at_ms = now_ms;
    return 0;
}

/* -- mentions: each stands with its message and with its member ----------------------------- */

static struct memory_mention *find_mention(struct memory_room *room, struct event_id id)
{
    struct memory_mention *mention;
    HASH_FIND(hh, room->mentions, &id, sizeof(id), mention);
    return mention;
}

static void free_mention(struct memory_room *room, struct memory_mention *mention)
{
    HASH_DEL(room->mentions, mention);
    free(mention->users);
    free(mention);
}

static int mention_of(struct memory_room *room, struct event_id id, struct memory_mention **ret)
{
    struct memory_mention *mention = find_mention(room, id);
    if (!mention) {
        mention = calloc(1, sizeof(*mention));
        if (!mention)
            return ERR_MEMORY;
        mention->id = id;
        HASH_ADD(hh, room->mentions, id, sizeof(mention->id), mention);
        if (!map_added(&mention->hh)) {
            free(mention);
            return ERR_MEMORY;
        }
    }
    *ret = mention;
    return 0;
}

/* The index of the first mention of a member that is above `id`. */
static size_t first_above(const struct memory_member *member, struct event_id id)
{
    size_t low = 0, high = (size_t)member->marker.mentions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (event_id_compare(member->mentioned[middle], id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int mention_add(struct ledger *ledger, place_number room, place_number user,
                       struct event_id id)
{
    struct memory_member *member = memory_member_find(memory_of(ledger), room, user);
    struct memory_mention *mention;
    size_t count = (size_t)member->marker.mentions, at = first_above(member, id);
    if (at > 0 && event_id_compare(member->mentioned[at - 1], id) == 0)
        return 0;
    int err = mention_of(member->room, id, &mention);
    if (!err)
        err = memory_grow(&mention->users, &mention->size, mention->count, sizeof(user));
    if (!err)
        err = memory_grow(&member->mentioned, &member->mentioned_size, count, sizeof(id));
    if (err)
        return err;
    mention->users[mention->count++] = user;
    memmove(member->mentioned + at + 1, member->mentioned + at, (count - at) * sizeof(id));
    member->mentioned[at] = id;
    member->marker.mentions++;
    return 0;
}

static void forget_mention(struct memory_member *member, struct event_id id)
{
    size_t at = first_above(member, id);
    assert(at > 0 && event_id_compare(member->mentioned[at - 1], id) == 0);
    memmove(member->mentioned + at - 1, member->mentioned + at,
            ((size_t)member->marker.mentions - at) * sizeof(id));
    member->marker.mentions--;
}

static void remove_mentions(struct memory_ledger *memory, struct memory_room *room,
                            struct event_id id)
{
    struct memory_mention *mention = find_mention(room, id);
    if (!mention)
        return;
    for (size_t i = 0; i < mention->count; i++)
        forget_mention(memory_member_find(memory, room->place.number, mention->users[i]), id);
    free_mention(room, mention);
}

static int mentions_remove(struct ledger *ledger, place_number room, struct event_id id)
{
    struct memory_ledger *memory = memory_of(ledger);
    remove_mentions(memory, memory_room_at(memory, room), id);
    return 0;
}

static void take_user(struct memory_room *room, struct event_id id, place_number user)
{
    struct memory_mention *mention = find_mention(room, id);
    size_t at = 0;
    assert(mention);
    while (mention->users[at] != user)
        at++;
    mention->users[at] = mention->users[--mention->count];
    if (mention->count == 0)
        free_mention(room, mention);
}

static int mentions_read(struct ledger *ledger, place_number room, place_number user,
                         struct event_id upto)
{
    struct memory_member *member = memory_member_find(memory_of(ledger), room, user);
    size_t count = (size_t)member->marker.mentions, read = first_above(member, upto);
    for (size_t i = 0; i < read; i++)
        take_user(member->room, member->mentioned[i], user);
    if (read > 0)
        memmove(member->mentioned, member->mentioned + read, (count - read) * sizeof(upto));
    member->marker.mentions -= (int64_t)read;
    return 0;
}

/* -- deleted messages ----------------------------------------------------------------------- */

static struct memory_erased *find_erased(struct memory_room *room, uint64_t node)
{
    struct memory_erased *erased;
    HASH_FIND(hh, room->erased, &node, sizeof(node), erased);
    return erased;
}

static int erased_add(struct ledger *ledger, place_number number, uint64_t node)
{
    struct memory_room *room = memory_room_at(memory_of(ledger), number);
    struct memory_erased *erased = find_erased(room, node);
    if (!erased) {
        erased = calloc(1, sizeof(*erased));
        if (!erased)
            return ERR_MEMORY;
        erased->node = node;
        HASH_ADD(hh, room->erased, node, sizeof(erased->node), erased);
        if (!map_added(&erased->hh)) {
            free(erased);
            return ERR_MEMORY;
        }
    }
    erased->count++;
    room->has_erased = true;
    return 0;
}

static int erased_count(struct ledger *ledger, place_number number, uint64_t node, uint64_t *ret)
{
    const struct memory_erased *erased =
        find_erased(memory_room_at(memory_of(ledger), number), node);
    *ret = erased ? erased->count : 0;
    return 0;
}

/* Each ordinal passes here, so no node at or below is left. */
void memory_markers_trim(struct memory_ledger *memory, struct memory_room *room,
                         const struct ledger_event *message)
{
    struct memory_erased *erased = find_erased(room, message->ordinal);
    if (erased) {
        HASH_DEL(room->erased, erased);
        free(erased);
    }
    remove_mentions(memory, room, message->id);
    room->trimmed_ordinal = message->ordinal;
}

void memory_markers_free(struct memory_room *room)
{
    struct memory_mention *mention, *next_mention;
    struct memory_erased *erased, *next;
    HASH_ITER(hh, room->mentions, mention, next_mention)
    {
        free_mention(room, mention);
    }
    HASH_ITER(hh, room->erased, erased, next)
    {
        HASH_DEL(room->erased, erased);
        free(erased);
    }
}

void memory_marker_ops(struct ledger_ops *ops)
{
    ops->marker_put = marker_put;
    ops->user_ack = user_ack;
    ops->mention_add = mention_add;
    ops->mentions_remove = mentions_remove;
    ops->mentions_read = mentions_read;
    ops->erased_add = erased_add;
    ops->erased_count = erased_count;
}
