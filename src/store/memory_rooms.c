#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

/* Of the last message, also when it is gone. */
static uint64_t last_ordinal(const struct memory_room *room)
{
    const struct memory_events *messages = &room->messages;
    return messages->end > messages->first ? messages->items[messages->end - 1]->event.ordinal
                                           : room->trimmed_ordinal;
}

static struct ledger_room room_given(const struct memory_room *room)
{
    return (struct ledger_room){
        .place = room->place.number,
        .info = room->info,
        .deleted = room->deleted,
        .gone = room->place.gone,
        .ordinal = last_ordinal(room),
        .trimmed_ordinal = room->trimmed_ordinal,
        .has_erased = room->has_erased,
    };
}

static int room_find(struct ledger *ledger, place_number realm, struct span id, struct arena *arena,
                     struct ledger_room *ret)
{
    struct memory_room *room;
    HASH_FIND(hh, memory_realm_at(memory_of(ledger), realm)->rooms, id.data, id.len, room);
    if (!room)
        return ERR_NOT_FOUND;
    *ret = room_given(room);
    return 0;
}

static int room_at(struct ledger *ledger, place_number place, struct arena *arena,
                   struct ledger_room *ret)
{
    *ret = room_given(memory_room_at(memory_of(ledger), place));
    return 0;
}

/* All values of `info` but those that stay. Nothing is changed on failure. */
static int set_info(struct memory_room *room, const struct room_info *info)
{
    struct span name = {NULL, 0}, topic = {NULL, 0}, data = {NULL, 0};
    int err = memory_text_set(&name, info->name);
    if (!err)
        err = memory_text_set(&topic, info->topic);
    if (!err)
        err = memory_text_set(&data, info->data);
    if (err) {
        free((char *)name.data);
        free((char *)topic.data);
        free((char *)data.data);
        return err;
    }
    struct room_info before = room->info;
    room->info = *info;
    room->info.id = before.id;
    room->info.member_count = before.member_count;
    room->info.created_at_ms = before.created_at_ms;
    room->info.name = name;
    room->info.topic = topic;
    room->info.data = data;
    free((char *)before.name.data);
    free((char *)before.topic.data);
    free((char *)before.data.data);
    return 0;
}

static void info_free(struct room_info *info)
{
    free((char *)info->id.data);
    free((char *)info->name.data);
    free((char *)info->topic.data);
    free((char *)info->data.data);
}

static int room_add(struct ledger *ledger, place_number realm, const struct room_info *info,
                    place_number *ret)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_realm *owner = memory_realm_at(memory, realm);
    struct memory_room *room = calloc(1, sizeof(*room));
    if (!room)
        return ERR_MEMORY;
    int err = memory_text_set(&room->info.id, info->id);
    if (!err)
        err = set_info(room, info);
    if (!err) {
        HASH_ADD_KEYPTR(hh, owner->rooms, room->info.id.data, room->info.id.len, room);
        err = map_added(&room->hh) ? memory_place_add(memory, &room->place, MEMORY_ROOM, owner)
                                   : ERR_MEMORY;
    }
    if (err && map_added(&room->hh))
        HASH_DEL(owner->rooms, room);
    if (err) {
        info_free(&room->info);
        free(room);
        return err;
    }
    room->info.created_at_ms = info->created_at_ms;
    *ret = room->place.number;
    return 0;
}

static int room_set(struct ledger *ledger, place_number place, const struct room_info *info)
{
    return set_info(memory_room_at(memory_of(ledger), place), info);
}

static int room_remove(struct ledger *ledger, place_number place, struct event_id until)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_room *room = memory_room_at(memory, place);
    assert(!room->deleted);
    int err = 0;
    while (room->info.member_count > 0 && !err) {
        struct memory_member *member = room->members[room->info.member_count - 1];
        place_number user = member->key.user;
        err = ledger->ops->tenure_close(ledger, user, place, until);
        if (!err)
            err = ledger->ops->member_remove(ledger, place, user);
    }
    if (err)
        return err;
    memory_markers_free(room);
    memory_bans_fini(room);
    memory_direct_remove(memory, room);
    room->deleted = true;
    HASH_DELETE(hh, room->place.realm->rooms, room);
    return 0;
}

void memory_room_free(struct memory_room *room)
{
    struct memory_thread *thread, *next;
    HASH_CLEAR(hh, room->messages_by_id);
    memory_markers_free(room);
    HASH_ITER(hh, room->threads, thread, next)
    {
        HASH_DEL(room->threads, thread);
        memory_events_fini(&thread->replies);
        free((char *)thread->id.data);
        free(thread);
    }
    memory_events_fini(&room->messages);
    memory_events_fini(&room->place.events);
    memory_bans_fini(room);
    free(room->members);
    info_free(&room->info);
    free(room);
}

void memory_room_ops(struct ledger_ops *ops)
{
    ops->room_find = room_find;
    ops->room_at = room_at;
    ops->room_add = room_add;
    ops->room_set = room_set;
    ops->room_remove = room_remove;
}
