#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

/* The place of the first ban of a room whose user id is not below `id`. */
static size_t place_of(const struct memory_room *room, struct span id)
{
    size_t low = 0, high = room->ban_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memory_text_compare(room->bans[middle].user->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct memory_ban *find(struct memory_ledger *memory, struct memory_room *room,
                               place_number user)
{
    struct span id = memory_user_at(memory, user)->id;
    size_t at = place_of(room, id);
    if (at == room->ban_count || !span_equal(room->bans[at].user->id, id))
        return NULL;
    return &room->bans[at];
}

static void take_out(struct memory_room *room, struct memory_ban *ban)
{
    size_t behind = room->ban_count - (size_t)(ban - room->bans) - 1;
    free((char *)ban->value.reason.data);
    memmove(ban, ban + 1, behind * sizeof(*ban));
    room->ban_count--;
}

static int ban_find(struct ledger *ledger, place_number room, place_number user,
                    struct ledger_ban *ret)
{
    struct memory_ledger *memory = memory_of(ledger);
    const struct memory_ban *ban = find(memory, memory_room_at(memory, room), user);
    if (!ban)
        return ERR_NOT_FOUND;
    *ret = ban->value;
    ret->reason = (struct span){NULL, 0};
    return 0;
}

static int add(struct memory_room *room, struct memory_user *user, struct memory_ban **ret)
{
    int err = memory_grow(&room->bans, &room->ban_size, room->ban_count, sizeof(*room->bans));
    if (err)
        return err;
    size_t at = place_of(room, user->id);
    memmove(room->bans + at + 1, room->bans + at, (room->ban_count - at) * sizeof(*room->bans));
    room->bans[at] = (struct memory_ban){.user = user};
    room->ban_count++;
    *ret = &room->bans[at];
    return 0;
}

static void forget_passed(struct memory_room *room, int64_t now_ms)
{
    for (size_t i = room->ban_count; i-- > 0;) {
        if (!ledger_ban_holds(&room->bans[i].value, now_ms))
            take_out(room, &room->bans[i]);
    }
}

static int ban_put(struct ledger *ledger, place_number number, const struct ledger_ban *value,
                   int64_t now_ms)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_room *room = memory_room_at(memory, number);
    struct span reason = {NULL, 0};
    forget_passed(room, now_ms);
    int err = memory_text_set(&reason, value->reason);
    struct memory_ban *ban = err ? NULL : find(memory, room, value->user);
    if (!err && !ban)
        err = add(room, memory_user_at(memory, value->user), &ban);
    if (err) {
        free((char *)reason.data);
        return err;
    }
    free((char *)ban->value.reason.data);
    ban->value = *value;
    ban->value.reason = reason;
    return 0;
}

static int ban_remove(struct ledger *ledger, place_number number, place_number user)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_room *room = memory_room_at(memory, number);
    struct memory_ban *ban = find(memory, room, user);
    if (ban)
        take_out(room, ban);
    return 0;
}

static int bans(struct ledger *ledger, place_number number, struct span from, int64_t now_ms,
                int limit, ledger_ban_visitor visit, void *context)
{
    struct memory_ledger *memory = memory_of(ledger);
    const struct memory_room *room = memory_room_at(memory, number);
    size_t at = from.data ? place_of(room, from) : 0;
    if (from.data && at < room->ban_count && span_equal(room->bans[at].user->id, from))
        at++;
    int err = 0;
    for (; at < room->ban_count && limit > 0 && !err; at++) {
        struct ledger_ban given = room->bans[at].value;
        if (!ledger_ban_holds(&given, now_ms))
            continue;
        given.user_id = room->bans[at].user->id;
        given.name = room->bans[at].user->name;
        given.data = room->bans[at].user->data;
        given.by_id = memory_user_at(memory, given.by)->id;
        err = visit(context, &given);
        limit--;
    }
    return err;
}

static int ban_count(struct ledger *ledger, place_number number, int64_t now_ms, int64_t *ret)
{
    const struct memory_room *room = memory_room_at(memory_of(ledger), number);
    *ret = 0;
    for (size_t i = 0; i < room->ban_count; i++)
        *ret += ledger_ban_holds(&room->bans[i].value, now_ms);
    return 0;
}

void memory_bans_fini(struct memory_room *room)
{
    for (size_t i = 0; i < room->ban_count; i++)
        free((char *)room->bans[i].value.reason.data);
    free(room->bans);
    room->bans = NULL;
    room->ban_count = room->ban_size = 0;
}

void memory_ban_ops(struct ledger_ops *ops)
{
    ops->ban_find = ban_find;
    ops->ban_put = ban_put;
    ops->ban_remove = ban_remove;
    ops->bans = bans;
    ops->ban_count = ban_count;
}
