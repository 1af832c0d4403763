/* The rooms of a user that have changed since a cursor, and what is unread in all of them. */
#include "base/err.h"
#include "store/reading_parts.h"

struct changed_walk {
    struct ledger *ledger;
    struct journal_read *read;
    place_number user;
    bool full;
};

static int note_tenure(void *context, const struct ledger_tenure *tenure)
{
    *(struct event_id *)context = tenure->from;
    return 0;
}

/* An event of the room, or the joining, which in a large room is none of the room's events. */
static int has_changed(struct changed_walk *walk, place_number room, bool *ret)
{
    struct ledger *ledger = walk->ledger;
    struct event_id first, joined = EVENT_ID_NONE;
    int missed = 0;
    int err = ledger_put_off(reading_first(ledger, room, walk->read->after, &first), &missed);
    bool changed = !err && event_id_compare(first, EVENT_ID_LAST) < 0;
    if (!err && !changed)
        err = ledger->ops->tenures(ledger, walk->user, room, event_id_previous(EVENT_ID_LAST),
                                   note_tenure, &joined);
    *ret = changed || event_id_compare(joined, walk->read->after) > 0;
    return err ? err : missed;
}

static int add_room(struct changed_walk *walk, const struct room_of_user *of,
                    const struct read_marker *marker)
{
    struct journal_read *read = walk->read;
    struct arena *arena = &read->request.arena;
    struct ledger_room room;
    if (read->room_count == read->limit) {
        if (!walk->full)
            read->next = read->rooms[read->room_count - 1].info.id;
        walk->full = true;
        return 0;
    }
    int err = walk->ledger->ops->room_at(walk->ledger, of->room.place, arena, &room);
    if (err)
        return err;
    struct read_room *found = &read->rooms[read->room_count++];
    *found = (struct read_room){.info = room.info,
                                .role = of->member.role,
                                .notify = of->member.notify,
                                .marker = *marker};
    err = reading_keep_room(arena, &found->info);
    if (err)
        return err;
    unsigned grants = grants_for(read->granted, found->info.id);
    return reading_details(walk->ledger, &of->room, walk->user,
                           reading_is_privileged(&read->actor, grants), arena, found);
}

static int add_partner(struct changed_walk *walk, const struct room_of_user *of)
{
    struct journal_read *read = walk->read;
    struct arena *arena = &read->request.arena;
    const struct room_person *pair;
    if (of->room.info.kind != ROOM_DIRECT || read->partner_count == PRESENCE_SNAPSHOT_MAX)
        return 0;
    if (!read->partners)
        read->partners = arena_alloc(arena, PRESENCE_SNAPSHOT_MAX * sizeof(*read->partners));
    if (!read->partners)
        return ERR_MEMORY;
    int err = reading_pair(walk->ledger, of->room.place, arena, &pair);
    for (int i = 0; i < 2 && !err; i++) {
        if (!span_equal(pair[i].user, read->actor.user))
            read->partners[read->partner_count++] = pair[i].user;
    }
    return err;
}

static int visit(void *context, const struct room_of_user *of)
{
    struct changed_walk *walk = context;
    struct read_marker marker = {.unread = 0};
    bool changed = false;
    int missed = 0;
    int err = ledger_put_off(
        reading_marker(walk->ledger, &of->room, walk->user, &of->member.marker, &marker), &missed);
    walk->read->unread_sum += marker.unread;
    walk->read->mention_sum += marker.mentions;
    if (!err)
        err = ledger_put_off(add_partner(walk, of), &missed);
    /* Nothing has changed since the head, and whether there are more is known. */
    if (err || walk->full || event_id_compare(walk->read->after, walk->read->head) >= 0)
        return err ? err : missed;
    err = ledger_put_off(has_changed(walk, of->room.place, &changed), &missed);
    if (!err && changed)
        err = add_room(walk, of, &marker);
    return err ? err : missed;
}

int reading_changed(struct ledger *ledger, struct journal_read *read, struct arena *scratch)
{
    struct scene scene = {.realm.place = 0};
    const struct command command = {
        .kind = COMMAND_PROFILE, .realm = read->realm, .actor = read->actor};
    int err = scene_gather(ledger, &command, 0, scratch, &scene);
    read->unread_sum = read->mention_sum = 0;
    read->head = scene.realm.head;
    if (err || !scene.actor.place)
        return err;
    struct changed_walk walk = {ledger, read, scene.actor.place, false};
    read->rooms = arena_alloc(&read->request.arena, (size_t)read->limit * sizeof(*read->rooms));
    if (!read->rooms)
        return ERR_MEMORY;
    return reading_each_room(ledger, scene.actor.place, read->from, scratch, visit, &walk);
}
