/* The hall's tables: realms, rooms, users and the seats that bind subscribers to rooms. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "core/hall_tables.h"

void hall_init(struct hall *hall, const struct hall_limits *limits)
{
    *hall = (struct hall){.limits = *limits};
}

static void idle_remove(struct hall_realm *realm)
{
    struct hall *hall = realm->hall;
    if (!realm->idle)
        return;
    realm->idle = false;
    if (realm->idle_previous)
        realm->idle_previous->idle_next = realm->idle_next;
    else
        hall->idle_oldest = realm->idle_next;
    if (realm->idle_next)
        realm->idle_next->idle_previous = realm->idle_previous;
    else
        hall->idle_newest = realm->idle_previous;
    realm->idle_previous = realm->idle_next = NULL;
}

static void realm_free(struct hall_realm *realm)
{
    assert(!realm->waiting && !realm->rooms && realm->users.count == 0);
    idle_remove(realm);
    HASH_DEL(realm->hall->realms, realm);
    numbered_fini(&realm->room_numbers);
    ring_fini(&realm->ring);
    frame_unref(realm->heartbeat);
    free(realm->deletions);
    free(realm);
}

void hall_fini(struct hall *hall)
{
    struct hall_realm *realm, *next;
    HASH_ITER(hh, hall->realms, realm, next)
        realm_free(realm);
    hall->heartbeat_without_id = frame_unref(hall->heartbeat_without_id);
}

struct hall_realm *hall_find(struct hall *hall, struct span realm)
{
    struct hall_realm *found;
    HASH_FIND(hh, hall->realms, realm.data, (unsigned)realm.len, found);
    return found;
}

/* A table's entry with its name behind it; zeroed. */
static void *named_new(size_t size, struct span name, size_t name_at)
{
    char *entry = calloc(1, size + name.len + 1);
    if (entry)
        memcpy(entry + name_at, name.data, name.len);
    return entry;
}

static void forget_idle(struct hall *hall, int64_t now_ms)
{
    while (hall->idle_oldest && hall->idle_oldest->idle_since_ms + REALM_IDLE_MS < now_ms)
        realm_free(hall->idle_oldest);
}

void realm_note_idle(struct hall_realm *realm, int64_t now_ms)
{
    struct hall *hall = realm->hall;
    forget_idle(hall, now_ms);
    if (realm->users.count || realm->waiting || realm->opening || realm->idle)
        return;
    realm->idle = true;
    realm->idle_since_ms = now_ms;
    realm->idle_previous = hall->idle_newest;
    if (hall->idle_newest)
        hall->idle_newest->idle_next = realm;
    else
        hall->idle_oldest = realm;
    hall->idle_newest = realm;
}

struct hall_realm *hall_open(struct hall *hall, struct span name, int64_t now_ms)
{
    hall->now_ms = now_ms;
    forget_idle(hall, now_ms);
    struct hall_realm *realm = hall_find(hall, name);
    if (!realm) {
        realm = named_new(sizeof(*realm), name, offsetof(struct hall_realm, name));
        if (!realm)
            return NULL;
        realm->hall = hall;
        ring_init(&realm->ring, hall->limits.ring_bytes_max, hall->limits.ring_age_max_ms);
        HASH_ADD_KEYPTR(hh, hall->realms, realm->name, (unsigned)name.len, realm);
        if (!map_added(&realm->hh)) {
            free(realm);
            return NULL;
        }
    }
    idle_remove(realm);
    realm->opening++;
    return realm;
}

void hall_abandon(struct hall_realm *realm, int64_t now_ms)
{
    assert(realm->opening > 0);
    realm->hall->now_ms = now_ms;
    realm->opening--;
    realm_note_idle(realm, now_ms);
}

struct hall_room *realm_find_room(struct hall_realm *realm, const char *name)
{
    struct hall_room *room;
    HASH_FIND_STR(realm->rooms, name, room);
    return room;
}

static struct hall_room *realm_add_room(struct hall_realm *realm, struct span name)
{
    struct hall_room *room;
    HASH_FIND(hh, realm->rooms, name.data, (unsigned)name.len, room);
    if (room)
        return room;
    room = named_new(sizeof(*room), name, offsetof(struct hall_room, name));
    if (!room || numbered_add(&realm->room_numbers, room, &room->number) != 0) {
        free(room);
        return NULL;
    }
    room->realm = realm;
    HASH_ADD_KEYPTR(hh, realm->rooms, room->name, (unsigned)name.len, room);
    if (!map_added(&room->hh)) {
        numbered_remove(&realm->room_numbers, room->number);
        free(room);
        return NULL;
    }
    return room;
}

static void room_free_if_empty(struct hall_room *room)
{
    if (room->seat_count)
        return;
    HASH_DEL(room->realm->rooms, room);
    numbered_remove(&room->realm->room_numbers, room->number);
    free(room->seats);
    free(room);
}

static struct subscriber *by_user(struct table_link *link)
{
    return link ? container_of(link, struct subscriber, by_user) : NULL;
}

struct subscriber *realm_find_user(struct hall_realm *realm, const char *name)
{
    return by_user(table_find(&realm->users, name, strlen(name)));
}

struct subscriber *realm_first(struct hall_realm *realm)
{
    return by_user(table_first(&realm->users));
}

struct subscriber *realm_next(struct hall_realm *realm, const struct subscriber *subscriber)
{
    if (subscriber->user_next)
        return subscriber->user_next;
    while (subscriber->user_previous)
        subscriber = subscriber->user_previous;
    return by_user(table_next(&realm->users, &subscriber->by_user));
}

void realm_add(struct hall_realm *realm, struct subscriber *subscriber)
{
    struct subscriber *first = realm_find_user(realm, subscriber_user(subscriber));
    realm->hall->subscriber_count++;
    if (!first) {
        table_add(&realm->users, &subscriber->by_user);
        return;
    }
    subscriber->user_previous = first;
    subscriber->user_next = first->user_next;
    if (subscriber->user_next)
        subscriber->user_next->user_previous = subscriber;
    first->user_next = subscriber;
}

void realm_remove(struct hall_realm *realm, struct subscriber *subscriber)
{
    struct subscriber *previous = subscriber->user_previous, *next = subscriber->user_next;
    realm->hall->subscriber_count--;
    if (previous)
        previous->user_next = next;
    else if (next)
        table_replace(&subscriber->by_user, &next->by_user);
    else
        table_remove(&realm->users, &subscriber->by_user);
    if (next)
        next->user_previous = previous;
    subscriber->user_previous = subscriber->user_next = NULL;
}

/* Index of the first follow whose room is not below `room`. */
static uint32_t follow_index(const struct subscriber *subscriber, const struct hall_room *room)
{
    uint32_t low = 0, high = subscriber->follow_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (subscriber->follows[middle].room < room->number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct follow *follow_find(const struct subscriber *subscriber, const struct hall_room *room)
{
    uint32_t index = follow_index(subscriber, room);
    if (index < subscriber->follow_count && subscriber->follows[index].room == room->number)
        return &subscriber->follows[index];
    return NULL;
}

static bool seats_grow(struct hall_room *room)
{
    uint32_t size = room->seat_size + room->seat_size / 2 + 4;
    if (size > 1U << FOLLOW_SEAT_BITS)
        return false;
    tagged_seat *seats = realloc(room->seats, size * sizeof(*seats));
    if (!seats)
        return false;
    room->seats = seats;
    room->seat_size = size;
    return true;
}

int follows_reserve(struct subscriber *subscriber, uint32_t size)
{
    if (size <= subscriber->follow_size)
        return 0;
    struct follow *follows = realloc(subscriber->follows, size * sizeof(*follows));
    if (!follows)
        return ERR_MEMORY;
    subscriber->follows = follows;
    subscriber->follow_size = size;
    return 0;
}

static bool follows_grow(struct subscriber *subscriber)
{
    uint32_t size = subscriber->follow_size + subscriber->follow_size / 2 + 2;
    return follows_reserve(subscriber, size) == 0;
}

static void count_watcher(struct hall_room *room, int change)
{
    struct hall *hall = room->realm->hall;
    if (hall->on_watchers)
        hall->on_watchers(hall, room->realm->name, room->name, change);
}

static tagged_seat seat_of(struct subscriber *subscriber, const struct follow *follow)
{
    unsigned tag = follow->member ? SEAT_MEMBER : follow->readable ? 0 : SEAT_BLIND;
    return (tagged_seat)subscriber | tag;
}

static bool is_watcher(const struct follow *follow)
{
    return !follow->member && follow->readable;
}

void follow_set(struct subscriber *subscriber, struct follow *follow, bool member, bool readable)
{
    struct hall_room *room = hall_followed(subscriber, follow);
    bool was_watcher = is_watcher(follow);
    follow->member = member;
    follow->readable = readable;
    room->seats[follow->seat] = seat_of(subscriber, follow);
    if (is_watcher(follow) != was_watcher)
        count_watcher(room, was_watcher ? -1 : 1);
}

int follow_add(struct subscriber *subscriber, const struct hall_follow *as)
{
    struct hall_room *room = realm_add_room(subscriber->realm, as->room);
    if (!room)
        return ERR_MEMORY;
    struct follow *follow = follow_find(subscriber, room);
    if (follow) {
        follow_set(subscriber, follow, as->member, follow->readable);
        return 0;
    }
    if ((room->seat_count == room->seat_size && !seats_grow(room)) ||
        (subscriber->follow_count == subscriber->follow_size && !follows_grow(subscriber))) {
        room_free_if_empty(room);
        return ERR_MEMORY;
    }
    if (event_id_compare(as->public_since, room->public_since) > 0)
        room->public_since = as->public_since;
    uint32_t index = follow_index(subscriber, room);
    memmove(&subscriber->follows[index + 1], &subscriber->follows[index],
            (subscriber->follow_count - index) * sizeof(struct follow));
    subscriber->follow_count++;
    subscriber->follows[index] = (struct follow){
        .room = room->number,
        .seat = room->seat_count,
        .member = as->member,
        .named = as->named,
        .readable = as->readable,
        .granted = as->granted,
        .banned = as->banned,
    };
    room->seats[room->seat_count++] = seat_of(subscriber, &subscriber->follows[index]);
    if (is_watcher(&subscriber->follows[index]))
        count_watcher(room, 1);
    return 0;
}

void follow_remove(struct subscriber *subscriber, struct follow *follow)
{
    struct hall_room *room = hall_followed(subscriber, follow);
    if (is_watcher(follow))
        count_watcher(room, -1);
    tagged_seat last = room->seats[--room->seat_count];
    if (follow->seat < room->seat_count) {
        room->seats[follow->seat] = last;
        follow_find(seat_subscriber(last), room)->seat = follow->seat;
    }
    uint32_t index = (uint32_t)(follow - subscriber->follows);
    subscriber->follow_count--;
    memmove(follow, follow + 1, (subscriber->follow_count - index) * sizeof(*follow));
    room_free_if_empty(room);
}
