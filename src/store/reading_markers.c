/* What is unread, and which markers moved. */
#include "base/err.h"
#include "store/reading_parts.h"
#include "store/unread.h"

#define ROOMS_AT_ONCE 512 /* where a walk may end before the last */
#define MEMBERS_AT_ONCE 256

int reading_marker(struct ledger *ledger, const struct ledger_room *room, place_number user,
                   const struct ledger_marker *marker, struct read_marker *ret)
{
    int missed = 0;
    ret->upto = marker->read;
    int err = ledger_put_off(unread_mentions(ledger, room->place, user, marker, &ret->mentions),
                             &missed);
    if (!err)
        err = unread_count(ledger, room, marker, &ret->unread);
    return err ? err : missed;
}

/* -- the rooms of a user ---------------------------------------------------------------------- */

struct room_list {
    struct arena *arena;
    struct room_of_user *rooms;
    int count;
};

static int note_room(void *context, const struct ledger_room *room,
                     const struct ledger_member *member)
{
    struct room_list *list = context;
    struct room_of_user *of = &list->rooms[list->count++];
    *of = (struct room_of_user){.room = *room, .member = *member};
    return reading_keep(list->arena, &of->room.info.id);
}

/* All after `from`, `at_once` read at a time: each time costs a look at all rooms of the user. */
static int walk_rooms(struct ledger *ledger, place_number user, struct span from, int64_t at_once,
                      struct arena *arena, room_visitor visit, void *context)
{
    struct room_list list = {.arena = arena};
    int64_t count;
    int err = ledger->ops->room_count_of_user(ledger, user, &count);
    if (err || count == 0)
        return err;
    int limit = (int)(count < at_once ? count : at_once);
    list.rooms = arena_alloc(arena, (size_t)limit * sizeof(*list.rooms));
    if (!list.rooms)
        return ERR_MEMORY;
    int missed = 0;
    do {
        list.count = 0;
        err = ledger->ops->rooms_of_user(ledger, user, from, limit, note_room, &list);
        for (int i = 0; i < list.count && !err; i++)
            err = ledger_put_off(visit(context, &list.rooms[i]), &missed);
        if (list.count)
            from = list.rooms[list.count - 1].room.info.id;
    } while (!err && list.count == limit && limit < count);
    return err < 0 || !missed ? err : missed;
}

int reading_each_room(struct ledger *ledger, place_number user, struct span from,
                      struct arena *arena, room_visitor visit, void *context)
{
    return walk_rooms(ledger, user, from, ROOMS_OF_USER_MAX, arena, visit, context);
}

static int gather_reader(struct ledger *ledger, struct journal_read *read, struct arena *scratch,
                         struct scene *ret)
{
    const struct command command = {
        .kind = COMMAND_PROFILE, .realm = read->realm, .actor = read->actor};
    *ret = (struct scene){.realm.place = 0};
    int err = scene_gather(ledger, &command, 0, scratch, ret);
    read->head = ret->realm.head;
    return err;
}

/* -- unread ----------------------------------------------------------------------------------- */

struct unread_walk {
    struct ledger *ledger;
    struct journal_read *read; /* NULL: only the sums */
    place_number user;
    int64_t unread, mentions;
    int size;
};

static int list_unread(struct unread_walk *walk, struct span room, const struct read_marker *marker)
{
    struct journal_read *read = walk->read;
    struct arena *arena = &read->request.arena;
    if (read->unread_count == walk->size) {
        int size = walk->size ? 2 * walk->size : 64;
        struct read_unread *unread = arena_alloc(arena, (size_t)size * sizeof(*unread));
        if (!unread)
            return ERR_MEMORY;
        if (walk->size)
            memcpy(unread, read->unread, (size_t)walk->size * sizeof(*unread));
        read->unread = unread;
        walk->size = size;
    }
    struct read_unread *added = &read->unread[read->unread_count++];
    *added = (struct read_unread){room, marker->unread, marker->mentions};
    return reading_keep(arena, &added->room);
}

static int add_unread(void *context, const struct room_of_user *of)
{
    struct unread_walk *walk = context;
    struct read_marker marker;
    int err =
        reading_marker(walk->ledger, &of->room, walk->user, &of->member.marker, &marker);
    if (err)
        return err;
    walk->unread += marker.unread;
    walk->mentions += marker.mentions;
    return walk->read && marker.unread > 0 ? list_unread(walk, of->room.info.id, &marker) : 0;
}

int reading_unread_sums(struct ledger *ledger, place_number user, struct arena *scratch,
                        int64_t *ret_unread, int64_t *ret_mentions)
{
    struct unread_walk walk = {.ledger = ledger, .user = user};
    int err = reading_each_room(ledger, user, (struct span){NULL, 0}, scratch, add_unread, &walk);
    *ret_unread = walk.unread;
    *ret_mentions = walk.mentions;
    return err;
}

int reading_unread(struct ledger *ledger, struct journal_read *read, struct arena *scratch)
{
    struct unread_walk walk = {.ledger = ledger, .read = read};
    struct scene scene;
    int err = gather_reader(ledger, read, scratch, &scene);
    if (err || !scene.actor.place)
        return err;
    walk.user = scene.actor.place;
    return reading_each_room(ledger, walk.user, (struct span){NULL, 0}, scratch, add_unread,
                             &walk);
}

/* -- receipts --------------------------------------------------------------------------------- */

struct receipt_walk {
    struct ledger *ledger;
    struct journal_read *read;
    struct arena *scratch;
    struct ledger_user user;
    const struct settings *settings;
    struct ledger_member *members; /* MEMBERS_AT_ONCE, those that moved */
    int member_count;
    int seen;              /* of one look at members */
    struct span last_user; /* of these */
    int looked_at;         /* members, in all rooms */
    struct span last_room; /* that was looked at */
    int size;
};

static int add_receipt(struct receipt_walk *walk, const struct read_receipt *receipt)
{
    struct journal_read *read = walk->read;
    struct arena *arena = &read->request.arena;
    if (read->receipt_count == walk->size) {
        int size = walk->size ? 2 * walk->size : 64;
        struct read_receipt *receipts = arena_alloc(arena, (size_t)size * sizeof(*receipts));
        if (!receipts)
            return ERR_MEMORY;
        if (walk->size)
            memcpy(receipts, read->receipts, (size_t)walk->size * sizeof(*receipts));
        read->receipts = receipts;
        walk->size = size;
    }
    struct read_receipt *added = &read->receipts[read->receipt_count++];
    *added = *receipt;
    int err = reading_keep(arena, &added->room);
    return err ? err : reading_keep(arena, &added->user);
}

static int note_from(void *context, const struct ledger_tenure *tenure)
{
    *(struct event_id *)context = tenure->from;
    return 0;
}

/* The last message of the room that the user has acknowledged by `acked`, if it is above `after`
 * and not from before the joining. */
static int add_delivered(struct receipt_walk *walk, const struct ledger_room *room,
                         place_number user, struct span user_id, struct event_id after,
                         struct event_id acked)
{
    struct ledger *ledger = walk->ledger;
    struct event_id joined = EVENT_ID_LAST;
    struct read_receipt receipt = {
        .type = EVENT_MESSAGE_DELIVERED, .room = room->info.id, .user = user_id};
    uint64_t ordinal;
    int missed = 0;
    int err = ledger_put_off(ledger->ops->message_at_or_below(ledger, room->place, acked,
                                                              &receipt.marker.upto, &ordinal),
                             &missed);
    if (err || (!missed && event_id_compare(receipt.marker.upto, after) <= 0))
        return err == ERR_NOT_FOUND ? 0 : err;
    err = ledger->ops->tenures(ledger, user, room->place, event_id_previous(EVENT_ID_LAST),
                               note_from, &joined);
    if (err || missed || event_id_compare(receipt.marker.upto, joined) < 0)
        return err ? err : missed;
    return add_receipt(walk, &receipt);
}

/* What sending and joining moved one's own sessions know by those events themselves. */
static int add_own(struct receipt_walk *walk, const struct room_of_user *of)
{
    struct read_receipt receipt = {.type = EVENT_MESSAGE_READ,
                                   .room = of->room.info.id,
                                   .user = walk->read->actor.user};
    if (of->member.marker.moved_ms < walk->read->since_ms)
        return 0;
    int err = reading_marker(walk->ledger, &of->room, walk->user.place, &of->member.marker,
                             &receipt.marker);
    return err ? err : add_receipt(walk, &receipt);
}

static int note_moved(void *context, const struct ledger_member *member)
{
    struct receipt_walk *walk = context;
    int64_t since_ms = walk->read->since_ms;
    int err = 0;
    walk->seen++;
    if (walk->seen == MEMBERS_AT_ONCE) {
        walk->last_user = member->user_id;
        err = reading_keep(walk->scratch, &walk->last_user);
    }
    if (member->user == walk->user.place ||
        (member->marker.moved_ms < since_ms && member->acked_at_ms < since_ms))
        return err;
    struct ledger_member *moved = &walk->members[walk->member_count++];
    *moved = *member;
    return err ? err : reading_keep(walk->scratch, &moved->user_id);
}

static int add_member(struct receipt_walk *walk, const struct ledger_room *room,
                      const struct ledger_member *member)
{
    int64_t since_ms = walk->read->since_ms;
    struct read_receipt receipt = {.type = EVENT_MESSAGE_READ,
                                   .room = room->info.id,
                                   .user = member->user_id,
                                   .marker.upto = member->marker.read};
    int err = member->marker.moved_ms >= since_ms ? add_receipt(walk, &receipt) : 0;
    if (!err && member->acked_at_ms >= since_ms)
        err =
            add_delivered(walk, room, member->user, member->user_id, EVENT_ID_NONE, member->acked);
    return err;
}

static int add_members(struct receipt_walk *walk, const struct ledger_room *room)
{
    struct span from = {NULL, 0};
    int err, missed = 0;
    do {
        walk->seen = walk->member_count = 0;
        err = walk->ledger->ops->members(walk->ledger, room->place, from, MEMBERS_AT_ONCE,
                                         note_moved, walk);
        for (int i = 0; i < walk->member_count && !err; i++)
            err = ledger_put_off(add_member(walk, room, &walk->members[i]), &missed);
        walk->looked_at += err == ERR_NOT_FETCHED ? MEMBERS_AT_ONCE : walk->seen;
        from = walk->last_user;
    } while (!err && walk->seen == MEMBERS_AT_ONCE);
    return err ? err : missed;
}

/* A page ends with a room. */
static int add_receipts(void *context, const struct room_of_user *of)
{
    struct receipt_walk *walk = context;
    struct journal_read *read = walk->read;
    if (read->receipt_count >= RECEIPTS_PAGE || walk->looked_at >= RECEIPTS_PAGE_MEMBERS) {
        read->next = walk->last_room;
        return 1;
    }
    walk->last_room = of->room.info.id;
    int missed = 0;
    int err = ledger_put_off(add_own(walk, of), &missed);
    if (!err && !settings_is_quiet(walk->settings, of->room.info.member_count))
        err = add_members(walk, &of->room);
    return err ? err : missed;
}

static int receipt_walk_init(struct receipt_walk *walk, struct ledger *ledger,
                             const struct settings *settings, struct journal_read *read,
                             struct arena *scratch)
{
    struct scene scene;
    *walk = (struct receipt_walk){
        .ledger = ledger,
        .read = read,
        .scratch = scratch,
        .settings = settings,
    };
    int err = gather_reader(ledger, read, scratch, &scene);
    walk->user = scene.actor;
    return err;
}

int reading_receipts(struct ledger *ledger, const struct settings *settings,
                     struct journal_read *read, struct arena *scratch)
{
    struct receipt_walk walk;
    int err = receipt_walk_init(&walk, ledger, settings, read, scratch);
    if (err || !walk.user.place)
        return err;
    walk.members = arena_alloc(scratch, MEMBERS_AT_ONCE * sizeof(*walk.members));
    if (!walk.members)
        return ERR_MEMORY;
    err = walk_rooms(ledger, walk.user.place, read->from, ROOMS_AT_ONCE, scratch, add_receipts,
                     &walk);
    if (err < 0)
        return err;
    return reading_keep(&read->request.arena, &read->next);
}

static int add_acked(void *context, const struct room_of_user *of)
{
    struct receipt_walk *walk = context;
    const struct journal_read *read = walk->read;
    if (settings_is_quiet(walk->settings, of->room.info.member_count))
        return 0;
    return add_delivered(walk, &of->room, walk->user.place, read->actor.user, read->after,
                         walk->user.acked);
}

int reading_delivered(struct ledger *ledger, const struct settings *settings,
                      struct journal_read *read, struct arena *scratch)
{
    struct receipt_walk walk;
    int err = receipt_walk_init(&walk, ledger, settings, read, scratch);
    if (err || !walk.user.place)
        return err;
    return reading_each_room(ledger, walk.user.place, (struct span){NULL, 0}, scratch, add_acked,
                             &walk);
}
