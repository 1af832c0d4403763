/* Direct rooms and blocks: what stands between two users. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

static struct memory_pair pair_of(place_number a, place_number b)
{
    return a < b ? (struct memory_pair){a, b} : (struct memory_pair){b, a};
}

static int direct_find(struct ledger *ledger, place_number a, place_number b, place_number *ret)
{
    const struct memory_pair pair = pair_of(a, b);
    struct memory_room *room;
    HASH_FIND(by_pair, memory_of(ledger)->direct, &pair, sizeof(pair), room);
    if (!room)
        return ERR_NOT_FOUND;
    *ret = room->place.number;
    return 0;
}

static int direct_add(struct ledger *ledger, place_number a, place_number b, place_number number)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_room *room = memory_room_at(memory, number);
    room->pair = pair_of(a, b);
    HASH_ADD(by_pair, memory->direct, pair, sizeof(room->pair), room);
    if (map_added(&room->by_pair))
        return 0;
    room->pair = (struct memory_pair){0, 0};
    return ERR_MEMORY;
}

void memory_direct_remove(struct memory_ledger *memory, struct memory_room *room)
{
    if (!room->pair.high)
        return;
    HASH_DELETE(by_pair, memory->direct, room);
    room->pair = (struct memory_pair){0, 0};
}

static int direct_partner(struct ledger *ledger, place_number room, place_number user,
                          place_number *ret)
{
    const struct memory_pair *pair = &memory_room_at(memory_of(ledger), room)->pair;
    if (!pair->high)
        return ERR_NOT_FOUND;
    *ret = pair->low == user ? pair->high : pair->low;
    return 0;
}

/* The place of the first block whose user id is not below `id`. */
static size_t place_of(const struct memory_user *blocker, struct span id)
{
    size_t low = 0, high = blocker->block_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memory_text_compare(blocker->blocks[middle].user->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct memory_block *find(struct memory_ledger *memory, place_number blocker,
                                 place_number user)
{
    struct memory_user *of = memory_user_at(memory, blocker);
    struct span id = memory_user_at(memory, user)->id;
    size_t at = place_of(of, id);
    return at < of->block_count && span_equal(of->blocks[at].user->id, id) ? &of->blocks[at] : NULL;
}

static int block_find(struct ledger *ledger, place_number blocker, place_number user,
                      struct ledger_block *ret)
{
    const struct memory_block *block = find(memory_of(ledger), blocker, user);
    if (!block)
        return ERR_NOT_FOUND;
    *ret = (struct ledger_block){.user = user, .blocked_at_ms = block->blocked_at_ms};
    return 0;
}

static int block_add(struct ledger *ledger, place_number blocker, const struct ledger_block *block)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_user *of = memory_user_at(memory, blocker);
    struct memory_user *user = memory_user_at(memory, block->user);
    assert(!find(memory, blocker, block->user));
    int err = memory_grow(&of->blocks, &of->block_size, of->block_count, sizeof(*of->blocks));
    if (err)
        return err;
    size_t at = place_of(of, user->id);
    memmove(of->blocks + at + 1, of->blocks + at, (of->block_count - at) * sizeof(*of->blocks));
    of->blocks[at] = (struct memory_block){user, block->blocked_at_ms};
    of->block_count++;
    return 0;
}

static int block_remove(struct ledger *ledger, place_number blocker, place_number user)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_user *of = memory_user_at(memory, blocker);
    struct memory_block *block = find(memory, blocker, user);
    if (!block)
        return 0;
    size_t behind = of->block_count - (size_t)(block - of->blocks) - 1;
    memmove(block, block + 1, behind * sizeof(*block));
    of->block_count--;
    return 0;
}

static int blocks(struct ledger *ledger, place_number blocker, struct span from, int limit,
                  ledger_block_visitor visit, void *context)
{
    const struct memory_user *of = memory_user_at(memory_of(ledger), blocker);
    size_t at = from.data ? place_of(of, from) : 0;
    if (from.data && at < of->block_count && span_equal(of->blocks[at].user->id, from))
        at++;
    int err = 0;
    for (; at < of->block_count && limit > 0 && !err; at++, limit--) {
        const struct memory_user *user = of->blocks[at].user;
        const struct ledger_block given = {
            .user = user->place.number,
            .user_id = user->id,
            .name = user->name,
            .data = user->data,
            .blocked_at_ms = of->blocks[at].blocked_at_ms,
        };
        err = visit(context, &given);
    }
    return err;
}

static int block_count(struct ledger *ledger, place_number blocker, int64_t *ret)
{
    *ret = (int64_t)memory_user_at(memory_of(ledger), blocker)->block_count;
    return 0;
}

void memory_direct_ops(struct ledger_ops *ops)
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
