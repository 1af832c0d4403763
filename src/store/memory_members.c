#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

struct memory_member *memory_member_find(struct memory_ledger *memory, place_number room,
                                         place_number user)
{
    struct memory_member_key key = {room, user};
    struct memory_member *member;
    HASH_FIND(hh, memory->members, &key, sizeof(key), member);
    return member;
}

static struct ledger_member member_given(const struct memory_member *member)
{
    return (struct ledger_member){
        .user = member->key.user,
        .role = member->role,
        .joined_at_ms = member->joined_at_ms,
        .muted_until_ms = member->muted_until_ms,
        .marker = member->marker,
        .notify = member->notify,
    };
}

static int member_find(struct ledger *ledger, place_number room, place_number user,
                       struct ledger_member *ret)
{
    struct memory_member *member = memory_member_find(memory_of(ledger), room, user);
    if (!member)
        return ERR_NOT_FOUND;
    *ret = member_given(member);
    return 0;
}

/* The place of the first member of a room whose user id is not below `id`. */
static size_t place_of_user(const struct memory_room *room, struct span id)
{
    size_t low = 0, high = (size_t)room->info.member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memory_text_compare(room->members[middle]->user->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The place of the first of a user's rooms whose id is not below `id`. */
static size_t place_of_room(const struct memory_user *user, struct span id)
{
    size_t low = 0, high = user->room_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memory_text_compare(user->rooms[middle]->room->info.id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct memory_member **items, size_t count, size_t at,
                   struct memory_member *member)
{
    memmove(items + at + 1, items + at, (count - at) * sizeof(*items));
    items[at] = member;
}

static void take_out(struct memory_member **items, size_t count, size_t at)
{
    memmove(items + at, items + at + 1, (count - at - 1) * sizeof(*items));
}

static int add(struct memory_ledger *memory, place_number room_number, place_number user_number,
               struct memory_member **ret)
{
    struct memory_room *room = memory_room_at(memory, room_number);
    struct memory_user *user = memory_user_at(memory, user_number);
    size_t count = (size_t)room->info.member_count;
    struct memory_member *member = calloc(1, sizeof(*member));
    int err = member ? 0 : ERR_MEMORY;
    if (!err)
        err = memory_grow(&room->members, &room->member_size, count, sizeof(*room->members));
    if (!err)
        err = memory_grow(&user->rooms, &user->room_size, user->room_count, sizeof(*user->rooms));
    if (err) {
        free(member);
        return err;
    }
    member->key.room = room_number;
    member->key.user = user_number;
    HASH_ADD(hh, memory->members, key, sizeof(member->key), member);
    if (!map_added(&member->hh)) {
        free(member);
        return ERR_MEMORY;
    }
    member->room = room;
    member->user = user;
    insert(room->members, count, place_of_user(room, user->id), member);
    insert(user->rooms, user->room_count, place_of_room(user, room->info.id), member);
    room->info.member_count++;
    user->room_count++;
    *ret = member;
    return 0;
}

static int member_put(struct ledger *ledger, place_number room, const struct ledger_member *value)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_member *member = memory_member_find(memory, room, value->user);
    assert(value->role != ROLE_NONE);
    int err = member ? 0 : add(memory, room, value->user, &member);
    if (err)
        return err;
    member->room->owner_count += (value->role == ROLE_OWNER) - (member->role == ROLE_OWNER);
    member->role = value->role;
    member->joined_at_ms = value->joined_at_ms;
    member->muted_until_ms = value->muted_until_ms;
    member->notify = value->notify;
    return 0;
}

static int member_remove(struct ledger *ledger, place_number room_number, place_number user_number)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_member *member = memory_member_find(memory, room_number, user_number);
    assert(member);
    struct memory_room *room = member->room;
    struct memory_user *user = member->user;
    int err = ledger->ops->mentions_read(ledger, room_number, user_number, EVENT_ID_LAST);
    if (err)
        return err;
    take_out(room->members, (size_t)room->info.member_count, place_of_user(room, user->id));
    take_out(user->rooms, user->room_count, place_of_room(user, room->info.id));
    room->info.member_count--;
    user->room_count--;
    room->owner_count -= member->role == ROLE_OWNER;
    HASH_DELETE(hh, memory->members, member);
    memory_member_free(member);
    return 0;
}

static int members(struct ledger *ledger, place_number number, struct span from, int limit,
                   ledger_member_visitor visit, void *context)
{
    const struct memory_room *room = memory_room_at(memory_of(ledger), number);
    size_t at = from.data ? place_of_user(room, from) : 0;
    size_t count = (size_t)room->info.member_count;
    if (from.data && at < count && span_equal(room->members[at]->user->id, from))
        at++;
    int err = 0;
    for (; at < count && limit > 0 && !err; at++, limit--) {
        struct ledger_member given = member_given(room->members[at]);
        given.user_id = room->members[at]->user->id;
        given.name = room->members[at]->user->name;
        given.data = room->members[at]->user->data;
        given.acked = room->members[at]->user->acked;
        given.acked_at_ms = room->members[at]->user->acked_at_ms;
        err = visit(context, &given);
    }
    return err;
}

static int owner_count(struct ledger *ledger, place_number room, int64_t *ret)
{
    *ret = memory_room_at(memory_of(ledger), room)->owner_count;
    return 0;
}

static int rooms_of_user(struct ledger *ledger, place_number number, struct span from, int limit,
                         ledger_room_visitor visit, void *context)
{
    const struct memory_user *user = memory_user_at(memory_of(ledger), number);
    size_t at = from.data ? place_of_room(user, from) : 0;
    if (from.data && at < user->room_count && span_equal(user->rooms[at]->room->info.id, from))
        at++;
    int err = 0;
    for (; at < user->room_count && limit > 0 && !err; at++, limit--) {
        struct ledger_member member = member_given(user->rooms[at]);
        struct ledger_room room;
        err = ledger->ops->room_at(ledger, user->rooms[at]->key.room, NULL, &room);
        if (!err)
            err = visit(context, &room, &member);
    }
    return err;
}

static int room_count_of_user(struct ledger *ledger, place_number user, int64_t *ret)
{
    *ret = (int64_t)memory_user_at(memory_of(ledger), user)->room_count;
    return 0;
}

/* The place of the stays of a room, or where they would be. */
static size_t place_of_stays(const struct memory_user *user, place_number room)
{
    size_t low = 0, high = user->stay_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (user->stays[middle].room < room)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int stays_of(struct memory_user *user, place_number room, struct memory_stays **ret)
{
    size_t at = place_of_stays(user, room);
    if (at == user->stay_count || user->stays[at].room != room) {
        int err =
            memory_grow(&user->stays, &user->stay_size, user->stay_count, sizeof(*user->stays));
        if (err)
            return err;
        memmove(user->stays + at + 1, user->stays + at,
                (user->stay_count - at) * sizeof(*user->stays));
        user->stays[at] = (struct memory_stays){.room = room};
        user->stay_count++;
    }
    *ret = &user->stays[at];
    return 0;
}

/* Stays whose every event is gone show nothing any more. */
static void drop_gone(struct memory_stays *stays, struct event_id gone)
{
    size_t dropped = 0;
    while (dropped < stays->count && event_id_compare(stays->tenures[dropped].until, gone) <= 0)
        dropped++;
    stays->count -= dropped;
    if (dropped)
        memmove(stays->tenures, stays->tenures + dropped, stays->count * sizeof(*stays->tenures));
}

static int tenure_open(struct ledger *ledger, place_number user, place_number room,
                       struct event_id from)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_stays *stays;
    int err = stays_of(memory_user_at(memory, user), room, &stays);
    if (err)
        return err;
    drop_gone(stays, memory_place_at(memory, room)->gone);
    err = memory_grow(&stays->tenures, &stays->size, stays->count, sizeof(*stays->tenures));
    if (!err)
        stays->tenures[stays->count++] = (struct ledger_tenure){room, from, EVENT_ID_LAST};
    return err;
}

static int tenure_close(struct ledger *ledger, place_number user, place_number room,
                        struct event_id until)
{
    struct memory_stays *stays;
    int err = stays_of(memory_user_at(memory_of(ledger), user), room, &stays);
    if (err)
        return err;
    assert(stays->count > 0);
    struct ledger_tenure *last = &stays->tenures[stays->count - 1];
    assert(event_id_compare(last->until, EVENT_ID_LAST) == 0);
    last->until = until;
    return 0;
}

static int visit_stays(const struct memory_stays *stays, struct event_id after,
                       ledger_tenure_visitor visit, void *context)
{
    int err = 0;
    for (size_t i = 0; i < stays->count && !err; i++) {
        if (event_id_compare(stays->tenures[i].until, after) > 0)
            err = visit(context, &stays->tenures[i]);
    }
    return err;
}

static int tenures(struct ledger *ledger, place_number number, place_number room,
                   struct event_id after, ledger_tenure_visitor visit, void *context)
{
    const struct memory_user *user = memory_user_at(memory_of(ledger), number);
    size_t at = room ? place_of_stays(user, room) : 0;
    int err = 0;
    for (; at < user->stay_count && !err; at++) {
        if (room && user->stays[at].room != room)
            break;
        err = visit_stays(&user->stays[at], after, visit, context);
    }
    return err;
}

void memory_member_ops(struct ledger_ops *ops)
{
    ops->member_find = member_find;
    ops->member_put = member_put;
    ops->member_remove = member_remove;
    ops->members = members;
    ops->owner_count = owner_count;
    ops->rooms_of_user = rooms_of_user;
    ops->room_count_of_user = room_count_of_user;
    ops->tenure_open = tenure_open;
    ops->tenure_close = tenure_close;
    ops->tenures = tenures;
}
