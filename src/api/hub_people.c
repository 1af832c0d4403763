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

void people_remove_user(struct people *people, struct hub_user *user)
{
    assert(user->session_count == 0 && !user->load);
    while (user->link_count)
        people_unlink(people, user, people_room(people, user->links[user->link_count - 1]));
    people_untie(people, user);
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
    if (room)
        return room;
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
    hush_remove(&room->hush);
    people->known_sum -= room->known_count;
    HASH_DEL(people->rooms_by_key, room);
    numbered_remove(&people->rooms, room->number);
    free(room->known);
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

static uint32_t seat_find(const struct hub_room *room, uint32_t user)
{
    uint32_t seat = 0;
    while (seat < room->seat_count && room->seats[seat] != user)
        seat++;
    return seat;
}

/* Somebody may take the user for shown: it is kept. */
static void known_keep(struct people *people, struct hub_room *room, uint32_t seat)
{
    struct hub_known *known = &room->known[seat];
    people_user(people, room->seats[seat])->known_in += !known->kept;
    known->kept = true;
}

static void known_remove(struct people *people, struct hub_room *room, uint32_t seat)
{
    struct hub_user *user = people_user(people, room->seats[seat]);
    user->known_in -= room->known[seat].kept;
    room->known_count--;
    people->known_sum--;
    memmove(&room->known[seat], &room->known[seat + 1],
            (room->known_count - seat) * sizeof(*room->known));
}

/* Places for notes of so many seats in all, from the first. False: above the bound, or no memory.
 */
static bool known_reserve(struct people *people, struct hub_room *room, uint32_t count)
{
    struct hub_known *known;
    if (count - room->known_count > PRESENCE_KNOWN_MAX - people->known_sum)
        return false;
    known = realloc(room->known, count * sizeof(*known));
    if (!known)
        return false;
    room->known = known;
    people->known_sum += count - room->known_count;
    room->known_count = count;
    return true;
}

/* Somebody has taken the last seat, of whom the others know nothing yet. */
static void known_add(struct people *people, struct hub_room *room)
{
    if (room->hush.state != HUSH_OFF && room->known_count == room->seat_count - 1 &&
        known_reserve(people, room, room->seat_count))
        room->known[room->known_count - 1] = (struct hub_known){.status = PRESENCE_NONE};
}

/* The others keep their order, by which they are introduced. */
static void seat_remove(struct people *people, struct hub_room *room, uint32_t user)
{
    uint32_t seat = seat_find(room, user);
    assert(seat < room->seat_count);
    if (seat < room->known_count)
        known_remove(people, room, seat);
    if (seat < room->introduced)
        room->introduced--;
    room->seat_count--;
    memmove(&room->seats[seat], &room->seats[seat + 1],
            (room->seat_count - seat) * sizeof(*room->seats));
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
    if (room->seated)
        known_add(people, room);
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
        seat_remove(people, room, user->number);
    links_remove(user, room);
    room->links--;
    people_drop_room(people, room);
}

void people_delete_room(struct people *people, struct hub_room *room)
{
    assert(!room->known_count);
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
    assert(!room->known_count);
    free(room->seats);
    room->seats = NULL;
    room->seat_count = room->seat_size = room->introduced = 0;
    room->seated = false;
}

/* A seat for each user that is in it; without memory it goes on without seats. */
static void seats_find(struct people *people, struct hub_room *room)
{
    struct hub_user *user = people_first_user(people);
    room->seated = true;
    for (; user; user = people_next_user(people, user)) {
        if (!people_is_linked(user, room))
            continue;
        if (!seat_add(room, user->number)) {
            /* All of them are of those who came later: nobody is kept for them. */
            people->known_sum -= room->known_count;
            room->known_count = 0;
            seats_drop(room);
            return;
        }
        known_add(people, room);
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

/* -- hushes -------------------------------------------------------------------------------- */

bool people_is_introduced(const struct hub_room *room, const struct hub_user *user)
{
    return room->introduced > 0 && (room->introduced == room->seat_count ||
                                    seat_find(room, user->number) < room->introduced);
}

struct hub_known *people_find_known(const struct hub_room *room, const struct hub_user *user)
{
    if (!room->known_count)
        return NULL;
    uint32_t seat = seat_find(room, user->number);
    return seat < room->known_count ? &room->known[seat] : NULL;
}

void people_hush_room(struct people *people, struct hub_room *room)
{
    uint32_t count = room->introduced;
    assert(!room->known_count);
    room->introduced = 0;
    room->hushed = ++people->moment;
    if (count == 0 || !known_reserve(people, room, count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct hub_user *user = people_user(people, room->seats[i]);
        room->known[i] = (struct hub_known){
            .activity = presence_told_activity(&user->presence),
            .status = (uint8_t)hub_user_status(user),
        };
        if (hub_user_is_shown(user))
            known_keep(people, room, i);
    }
}

void people_doubt(struct people *people, struct hub_user *user, const struct hub_room *left)
{
    people->moment++;
    for (uint32_t i = 0; i < user->link_count; i++) {
        struct hub_room *room = people_room(people, user->links[i]);
        if (room == left || !people_find_known(room, user))
            continue;
        for (uint32_t k = 0; k < room->known_count; k++) {
            const struct hub_user *other = people_user(people, room->seats[k]);
            if (other == user)
                room->known[k].doubted = people->moment;
            if (other == user || (left && people_is_linked(other, left)))
                known_keep(people, room, k);
        }
    }
}

struct hub_user *people_forget_known(struct people *people, struct hub_room *room)
{
    if (!room->known_count) {
        free(room->known);
        room->known = NULL;
        return NULL;
    }
    known_remove(people, room, room->known_count - 1);
    return people_user(people, room->seats[room->known_count]);
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
