#include "core/room_stats.h"

#include <assert.h>

#include "core/pair.h"

static struct stats_room *room_find(const struct room_stats *stats, struct span realm,
                                    struct span name)
{
    char key[PAIR_BYTES_MAX];
    unsigned len = pair_make(key, realm, name);
    struct stats_room *room;
    HASH_FIND(hh, stats->rooms, key, len, room);
    return room;
}

static struct stats_room *room_add(struct room_stats *stats, struct span realm, struct span name)
{
    struct stats_room *room = calloc(1, sizeof(*room) + PAIR_BYTES_MAX + 1);
    if (!room)
        return NULL;
    unsigned len = pair_make(room->key, realm, name);
    room->members = -1;
    HASH_ADD_KEYPTR(hh, stats->rooms, room->key, len, room);
    if (!map_added(&room->hh)) {
        free(room);
        return NULL;
    }
    return room;
}

static void room_free(struct room_stats *stats, struct stats_room *room)
{
    link_remove(&room->paced);
    HASH_DEL(stats->rooms, room);
    free(room);
}

static bool same_numbers(const struct room_numbers *a, const struct room_numbers *b)
{
    return a->members == b->members && a->online == b->online && a->watchers == b->watchers;
}

static void look(struct room_stats *stats, struct stats_room *room, int64_t now_ms)
{
    struct span realm = pair_first(room->key), name = pair_second(room->key);
    struct room_numbers numbers;
    room->changed = false;
    room->looked_ms = now_ms;
    list_append(&stats->paced, &room->paced);
    if (!stats->ops->read(stats->context, realm, name, room->members, &numbers)) {
        room->told = false;
        return;
    }
    if (room->told && same_numbers(&room->numbers, &numbers))
        return;
    room->told = true;
    room->numbers = numbers;
    stats->ops->tell(stats->context, realm, name, &numbers);
}

void room_stats_init(struct room_stats *stats)
{
    assert(stats->ops);
    list_init(&stats->paced);
}

void room_stats_fini(struct room_stats *stats)
{
    struct stats_room *room, *next;
    HASH_ITER(hh, stats->rooms, room, next)
    room_free(stats, room);
}

void room_stats_note(struct room_stats *stats, struct span realm, struct span name, int64_t members,
                     int64_t now_ms)
{
    struct stats_room *room = room_find(stats, realm, name);
    bool is_new = !room;
    if (is_new)
        room = room_add(stats, realm, name);
    if (!room)
        return;
    if (members >= 0)
        room->members = members;
    if (is_new)
        look(stats, room, now_ms);
    else
        room->changed = true;
}

bool room_stats_knows(struct room_stats *stats, struct span realm, struct span name)
{
    return room_find(stats, realm, name) != NULL;
}

void room_stats_count(struct room_stats *stats, struct span realm, struct span name,
                      int64_t members)
{
    struct stats_room *room = room_find(stats, realm, name);
    if (room)
        room->members = members;
}

void room_stats_learn(struct room_stats *stats, struct span realm, struct span name,
                      int64_t members, int64_t now_ms)
{
    struct stats_room *room = room_find(stats, realm, name);
    if (!room || room->members >= 0)
        return;
    room->members = members;
    if (!room->told)
        look(stats, room, now_ms);
}

static struct stats_room *first_paced(const struct room_stats *stats)
{
    struct link *link = list_first(&stats->paced);
    return link ? container_of(link, struct stats_room, paced) : NULL;
}

void room_stats_tick(struct room_stats *stats, int64_t now_ms)
{
    struct stats_room *room;
    while ((room = first_paced(stats)) && now_ms - room->looked_ms >= stats->interval_ms) {
        if (room->changed)
            look(stats, room, now_ms);
        else
            room_free(stats, room);
    }
}

int64_t room_stats_due_ms(const struct room_stats *stats)
{
    const struct stats_room *room = first_paced(stats);
    return room ? room->looked_ms + stats->interval_ms : -1;
}
