#include "api/hub_people.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"

#define KEY_BYTES_MAX (2 * IDENT_BYTES_MAX + 1)

void people_fini(struct people *people)
{
    assert(people->users_by_key.count == 0 && !people->rooms_by_key && !people->targets);
    numbered_fini(&people->users);
    numbered_fini(&people->rooms);
}

/* -- users --------------------------------------------------------------------------------- */

static struct hub_user *by_key(struct table_link *link)
{
    return link ? container_of(link, struct hub_user, by_key) : NULL;
}

struct hub_user *people_find_user(struct people *people, const char *key, size_t len)
{
    return by_key(table_find(&people->users_by_key, key, len));
}

struct hub_user *people_first_user(struct people *people)
{
    return by_key(table_first(&people->users_by_key));
}

struct hub_user *people_next_user(struct people *people, const struct hub_user *user)
{
    return by_key(table_next(&people->users_by_key, &user->by_key));
}

struct hub_user *people_get_user(struct people *people, const char *key, size_t len,
                                 size_t realm_len)
{
    struct hub_user *user = people_find_user(people, key, len);
    if (user)
        return user;
    user = calloc(1, sizeof(*user) + len + 1);
    if (!user || numbered_add(&people->users, user, &user->number) != 0) {
        free(user);
        return NULL;
    }
    memcpy(user->key, key, len);
    user->realm_len = (uint16_t)realm_len;
    user->by_key.key = user->key;
    user->by_key.key_len = (uint32_t)len;
    table_add(&people->users_by_key, &user->by_key);
    return user;
}

static void untie(struct people *people, struct hub_user *user);

void people_remove_user(struct people *people, struct hub_user *user)
{
    assert(user->session_count == 0 && !user->load);
    while (user->link_count)
        people_unlink(people, user, people_room(people, user->links[user->link_count - 1]));
    untie(people, user);
    free(user->links);
    table_remove(&people->users_by_key, &user->by_key);
    numbered_remove(&people->users, user->number);
    free(user);
}

/* -- rooms --------------------------------------------------------------------------------- */

static size_t key_make(char out[KEY_BYTES_MAX], const char *realm, struct span name)
{
    size_t realm_len = strlen(realm);
    assert(realm_len <= IDENT_BYTES_MAX && name.len <= IDENT_BYTES_MAX);
    memcpy(out, realm, realm_len + 1);
    memcpy(out + realm_len + 1, name.data, name.len);
    return realm_len + 1 + name.len;
}

struct hub_room *people_find_room(struct people *people, const char *realm, struct span name)
{
    char key[KEY_BYTES_MAX];
    struct hub_room *room;
    size_t len = key_make(key, realm, name);
    HASH_FIND(hh, people->rooms_by_key, key, (unsigned)len, room);
    return room;
}

struct hub_room *people_get_room(struct people *people, const char *realm, struct span name,
                                 int64_t members, struct event_id at, int64_t quiet_limit)
{
    char key[KEY_BYTES_MAX];
    struct hub_room *room = people_find_room(people, realm, name);
    if (room) {
        people_count_room(people, room, members, at, quiet_limit);
        return room;
    }
    size_t len = key_make(key, realm, name);
    room = calloc(1, sizeof(*room) + len);
    if (!room || numbered_add(&people->rooms, room, &room->number) != 0) {
        free(room);
        return NULL;
    }
    memcpy(room->key, key, len);
    room->members = members;
    room->members_at = at;
    room->seated = quiet_limit == 0 || members <= 2 * quiet_limit;
    HASH_ADD_KEYPTR(hh, people->rooms_by_key, room->key, (unsigned)len, room);
    if (!map_added(&room->hh)) {
        numbered_remove(&people->rooms, room->number);
        free(room);
        return NULL;
    }
    return room;
}

void people_drop_room(struct people *people, struct hub_room *room)
{
    if (room->links)
        return;
    HASH_DEL(people->rooms_by_key, room);
    numbered_remove(&people->rooms, room->number);
    free(room->seats);
    free(room);
}

/* -- links --------------------------------------------------------------------------------- */

static uint32_t link_index(const struct hub_user *user, uint32_t room)
{
    uint32_t low = 0, high = user->link_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (user->links[middle] < room)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool people_is_linked(const struct hub_user *user, const struct hub_room *room)
{
    uint32_t index = link_index(user, room->number);
    return index < user->link_count && user->links[index] == room->number;
}

static bool seat_add(struct hub_room *room, uint32_t user)
{
    if (room->seat_count == room->seat_size) {
        uint32_t size = room->seat_size + room->seat_size / 2 + 4;
        uint32_t *seats = realloc(room->seats, size * sizeof(*seats));
        if (!seats)
            return false;
        room->seats = seats;
        room->seat_size = size;
    }
    room->seats[room->seat_count++] = user;
    return true;
}

static void seat_remove(struct hub_room *room, uint32_t user)
{
    uint32_t seat = 0;
    while (room->seats[seat] != user)
        seat++;
    room->seats[seat] = room->seats[--room->seat_count];
}

int people_link(struct people *people, struct hub_user *user, struct hub_room *room)
{
    assert(!people_is_linked(user, room));
    uint32_t *links = realloc(user->links, (user->link_count + 1) * sizeof(*links));
    if (!links)
        return ERR_MEMORY;
    user->links = links;
    if (room->seated && !seat_add(room, user->number))
        return ERR_MEMORY;
    uint32_t index = link_index(user, room->number);
    memmove(&links[index + 1], &links[index], (user->link_count - index) * sizeof(*links));
    links[index] = room->number;
    user->link_count++;
    room->links++;
    return 0;
}

static void links_remove(struct hub_user *user, const struct hub_room *room)
{
    uint32_t index = link_index(user, room->number);
    user->link_count--;
    memmove(&user->links[index], &user->links[index + 1],
            (user->link_count - index) * sizeof(*user->links));
}

void people_unlink(struct people *people, struct hub_user *user, struct hub_room *room)
{
    if (room->seated)
        seat_remove(room, user->number);
    links_remove(user, room);
    room->links--;
    people_drop_room(people, room);
}

void people_delete_room(struct people *people, struct hub_room *room)
{
    for (uint32_t i = 0; i < room->seat_count; i++)
        links_remove(people_user(people, room->seats[i]), room);
    struct hub_user *user = room->seated ? NULL : people_first_user(people);
    for (; user; user = people_next_user(people, user)) {
        if (people_is_linked(user, room))
            links_remove(user, room);
    }
    room->links = 0;
    people_drop_room(people, room);
}

static void seats_drop(struct hub_room *room)
{
    free(room->seats);
    room->seats = NULL;
    room->seat_count = room->seat_size = 0;
    room->seated = false;
}

/* A seat for each user that is in it; without memory it goes on without seats. */
static void seats_find(struct people *people, struct hub_room *room)
{
    struct hub_user *user = people_first_user(people);
    room->seated = true;
    for (; user; user = people_next_user(people, user)) {
        if (people_is_linked(user, room) && !seat_add(room, user->number)) {
            seats_drop(room);
            break;
        }
    }
}

void people_count_room(struct people *people, struct hub_room *room, int64_t members,
                       struct event_id at, int64_t quiet_limit)
{
    if (event_id_compare(at, room->members_at) <= 0)
        return;
    room->members = members;
    room->members_at = at;
    if (room->seated && quiet_limit > 0 && members > 2 * quiet_limit)
        seats_drop(room);
    else if (!room->seated && (quiet_limit == 0 || members <= quiet_limit))
        seats_find(people, room);
}

bool people_share_room(const struct hub_user *a, const struct hub_user *b)
{
    uint32_t i = 0, k = 0;
    while (i < a->link_count && k < b->link_count) {
        uint32_t of_a = a->links[i], of_b = b->links[k];
        if (of_a == of_b)
            return true;
        i += of_a <= of_b;
        k += of_b <= of_a;
    }
    return false;
}

/* -- ties ---------------------------------------------------------------------------------- */

static struct hub_target *get_target(struct people *people, const char *key, size_t len)
{
    struct hub_target *target;
    HASH_FIND(hh, people->targets, key, (unsigned)len, target);
    if (target)
        return target;
    target = calloc(1, sizeof(*target) + len);
    if (!target)
        return NULL;
    memcpy(target->key, key, len);
    HASH_ADD_KEYPTR(hh, people->targets, target->key, (unsigned)len, target);
    if (!map_added(&target->hh)) {
        free(target);
        return NULL;
    }
    return target;
}

static void drop_target(struct people *people, struct hub_target *target)
{
    if (target->count)
        return;
    HASH_DEL(people->targets, target);
    free(target->subscribers);
    free(target);
}

static bool subscriber_add(struct hub_target *target, uint32_t user)
{
    if (target->count == target->size) {
        uint32_t size = target->size + target->size / 2 + 2;
        uint32_t *subscribers = realloc(target->subscribers, size * sizeof(*subscribers));
        if (!subscribers)
            return false;
        target->subscribers = subscribers;
        target->size = size;
    }
    target->subscribers[target->count++] = user;
    return true;
}

static struct hub_tie *find_tie(struct hub_user *user, const struct hub_target *target)
{
    struct hub_tie *tie = user->ties;
    while (tie->target != target)
        tie++;
    return tie;
}

static void untie(struct people *people, struct hub_user *user)
{
    for (uint32_t i = 0; i < user->tie_count; i++) {
        struct hub_tie tie = user->ties[i];
        uint32_t last = tie.target->subscribers[--tie.target->count];
        if (tie.at < tie.target->count) {
            tie.target->subscribers[tie.at] = last;
            find_tie(people_user(people, last), tie.target)->at = tie.at;
        }
        drop_target(people, tie.target);
    }
    free(user->ties);
    user->ties = NULL;
    user->tie_count = 0;
}

int people_tie(struct people *people, struct hub_user *user, const struct span *targets, int count)
{
    char key[KEY_BYTES_MAX];
    untie(people, user);
    if (count == 0)
        return 0;
    user->ties = calloc((size_t)count, sizeof(*user->ties));
    if (!user->ties)
        return ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        size_t len = key_make(key, user->key, targets[i]);
        struct hub_target *target = get_target(people, key, len);
        if (!target)
            return ERR_MEMORY;
        if (!subscriber_add(target, user->number)) {
            drop_target(people, target);
            return ERR_MEMORY;
        }
        user->ties[user->tie_count++] = (struct hub_tie){target, target->count - 1};
    }
    return 0;
}

struct hub_target *people_find_target(struct people *people, const struct hub_user *user)
{
    struct hub_target *target;
    HASH_FIND(hh, people->targets, user->key, user->by_key.key_len, target);
    return target;
}
