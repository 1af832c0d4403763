#include "store/memory_ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

int memory_text_set(struct span *owned, struct span text)
{
    char *copy = NULL;
    if (text.data) {
        copy = malloc(text.len + 1);
        if (!copy)
            return ERR_MEMORY;
        memcpy(copy, text.data, text.len);
        copy[text.len] = 0;
    }
    free((char *)owned->data);
    *owned = span_of(copy, text.len);
    return 0;
}

int memory_grow(void *items, size_t *size, size_t count, size_t item_bytes)
{
    void **array = items;
    if (count < *size)
        return 0;
    size_t grown_size = *size ? 2 * *size : 4;
    void *grown = realloc(*array, grown_size * item_bytes);
    if (!grown)
        return ERR_MEMORY;
    *array = grown;
    *size = grown_size;
    return 0;
}

int memory_text_compare(struct span a, struct span b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

struct memory_place *memory_place_at(struct memory_ledger *ledger, place_number number)
{
    assert(number >= 1 && number <= ledger->place_count);
    return ledger->places[number - 1];
}

struct memory_room *memory_room_at(struct memory_ledger *ledger, place_number number)
{
    struct memory_place *place = memory_place_at(ledger, number);
    assert(place->kind == MEMORY_ROOM);
    return container_of(place, struct memory_room, place);
}

struct memory_user *memory_user_at(struct memory_ledger *ledger, place_number number)
{
    struct memory_place *place = memory_place_at(ledger, number);
    assert(place->kind == MEMORY_USER);
    return container_of(place, struct memory_user, place);
}

struct memory_realm *memory_realm_at(struct memory_ledger *ledger, place_number number)
{
    struct memory_place *place = memory_place_at(ledger, number);
    assert(place->kind == MEMORY_REALM);
    return container_of(place, struct memory_realm, place);
}

int memory_place_add(struct memory_ledger *ledger, struct memory_place *place,
                     enum memory_place_kind kind, struct memory_realm *realm)
{
    int err = memory_grow(&ledger->places, &ledger->place_size, ledger->place_count,
                          sizeof(*ledger->places));
    if (err)
        return err;
    ledger->places[ledger->place_count++] = place;
    place->number = ledger->place_count;
    place->kind = kind;
    place->realm = realm;
    return 0;
}

int memory_sweep(struct memory_place *place)
{
    struct memory_realm *realm = place->realm;
    if (place->is_swept)
        return 0;
    int err = memory_grow(&realm->swept, &realm->swept_size, realm->swept_count,
                          sizeof(*realm->swept));
    if (err)
        return err;
    realm->swept[realm->swept_count++] = place;
    place->is_swept = true;
    return 0;
}

static struct ledger_realm realm_given(const struct memory_realm *realm)
{
    return (struct ledger_realm){
        .place = realm->place.number,
        .head = realm->head,
        .head_number = realm->head_number,
        .gone = realm->place.gone,
    };
}

/* The event with the texts that stand in other records. */
struct ledger_event memory_event_given(struct memory_ledger *memory,
                                       const struct memory_event *event)
{
    struct ledger_event given = event->event;
    given.room_id = given.sender_id = given.user_id = (struct span){NULL, 0};
    place_number room = given.room ? given.room : given.place;
    if (memory_place_at(memory, room)->kind == MEMORY_ROOM)
        given.room_id = memory_room_at(memory, room)->info.id;
    if (given.sender)
        given.sender_id = memory_user_at(memory, given.sender)->id;
    if (given.user)
        given.user_id = memory_user_at(memory, given.user)->id;
    return given;
}

static int realm_find(struct ledger *ledger, struct span name, struct ledger_realm *ret)
{
    struct memory_realm *realm;
    HASH_FIND(hh, memory_of(ledger)->realms, name.data, name.len, realm);
    if (!realm)
        return ERR_NOT_FOUND;
    *ret = realm_given(realm);
    return 0;
}

static int realm_add(struct ledger *ledger, struct span name, struct ledger_realm *ret)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_realm *realm = calloc(1, sizeof(*realm));
    if (!realm)
        return ERR_MEMORY;
    int err = memory_text_set(&realm->name, name);
    if (!err) {
        HASH_ADD_KEYPTR(hh, memory->realms, realm->name.data, realm->name.len, realm);
        err = map_added(&realm->hh) ? memory_place_add(memory, &realm->place, MEMORY_REALM, realm)
                                    : ERR_MEMORY;
    }
    if (err && map_added(&realm->hh))
        HASH_DEL(memory->realms, realm);
    if (err) {
        free((char *)realm->name.data);
        free(realm);
        return err;
    }
    *ret = realm_given(realm);
    return 0;
}

static int user_find(struct ledger *ledger, place_number realm, struct span id, struct arena *arena,
                     struct ledger_user *ret)
{
    struct memory_user *user;
    HASH_FIND(hh, memory_realm_at(memory_of(ledger), realm)->users, id.data, id.len, user);
    if (!user)
        return ERR_NOT_FOUND;
    *ret = (struct ledger_user){
        .place = user->place.number,
        .id = user->id,
        .name = user->name,
        .data = user->data,
        .gone = user->place.gone,
        .acked = user->acked,
    };
    return 0;
}

static int user_add(struct ledger *ledger, place_number realm, struct span id, place_number *ret)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_realm *owner = memory_realm_at(memory, realm);
    struct memory_user *user = calloc(1, sizeof(*user));
    if (!user)
        return ERR_MEMORY;
    int err = memory_text_set(&user->id, id);
    if (!err) {
        HASH_ADD_KEYPTR(hh, owner->users, user->id.data, user->id.len, user);
        err = map_added(&user->hh) ? memory_place_add(memory, &user->place, MEMORY_USER, owner)
                                   : ERR_MEMORY;
    }
    if (err && map_added(&user->hh))
        HASH_DEL(owner->users, user);
    if (err) {
        free((char *)user->id.data);
        free(user);
        return err;
    }
    *ret = user->place.number;
    return 0;
}

static int user_set(struct ledger *ledger, place_number number, struct span name, struct span data)
{
    struct memory_user *user = memory_user_at(memory_of(ledger), number);
    int err = memory_text_set(&user->name, name);
    return err ? err : memory_text_set(&user->data, data);
}

static struct memory_device *find_device(struct memory_user *user, struct span id)
{
    for (int i = 0; i < user->device_count; i++) {
        if (span_equal(user->devices[i].id, id))
            return &user->devices[i];
    }
    return NULL;
}

static int device_find(struct ledger *ledger, place_number number, struct span id,
                       struct ledger_device *ret)
{
    struct memory_device *device = find_device(memory_user_at(memory_of(ledger), number), id);
    if (!device)
        return ERR_NOT_FOUND;
    *ret = device->value;
    return 0;
}

static struct memory_device *longest_unused(struct memory_user *user)
{
    struct memory_device *oldest = &user->devices[0];
    for (int i = 1; i < user->device_count; i++) {
        if (user->devices[i].value.used_at_ms < oldest->value.used_at_ms)
            oldest = &user->devices[i];
    }
    return oldest;
}

static int device_put(struct ledger *ledger, place_number number, struct span id,
                      const struct ledger_device *value)
{
    struct memory_user *user = memory_user_at(memory_of(ledger), number);
    struct memory_device *device = find_device(user, id);
    if (!device) {
        bool full = user->device_count == DEVICES_OF_USER_MAX;
        device = full ? longest_unused(user) : &user->devices[user->device_count];
        int err = memory_text_set(&device->id, id);
        if (err)
            return err;
        if (!full)
            user->device_count++;
    }
    device->value = *value;
    return 0;
}

static int lost(struct ledger *ledger, place_number realm, struct event_id cursor,
                ledger_lost_visitor visit, void *context)
{
    return 0;
}

static void user_free(struct memory_user *user)
{
    struct memory_sent *sent, *next;
    HASH_ITER(hh, user->sent, sent, next)
    {
        HASH_DEL(user->sent, sent);
        memory_events_fini(&sent->messages);
        free(sent);
    }
    for (size_t i = 0; i < user->stay_count; i++)
        free(user->stays[i].tenures);
    for (int i = 0; i < user->device_count; i++)
        free((char *)user->devices[i].id.data);
    free(user->stays);
    free(user->rooms);
    free((char *)user->presence.activity.data);
    free(user->subscriptions);
    free(user->blocks);
    free((char *)user->id.data);
    free((char *)user->name.data);
    free((char *)user->data.data);
    memory_events_fini(&user->place.events);
    free(user);
}

static void realm_free(struct memory_realm *realm)
{
    for (size_t i = realm->all.first; i < realm->all.end; i++)
        memory_event_free(realm->all.items[i]);
    memory_events_fini(&realm->all);
    memory_events_fini(&realm->place.events);
    free(realm->swept);
    free((char *)realm->name.data);
    free(realm);
}

/* The tables go first, while the records they point to are there; then the records by place;
 * realms last, since their events are in everyone's arrays. */
void memory_ledger_fini(struct memory_ledger *memory)
{
    struct memory_realm *realm, *next_realm;
    struct memory_member *member, *next_member;
    memory_once_prune(memory, INT64_MAX);
    HASH_ITER(hh, memory->members, member, next_member)
    {
        HASH_DEL(memory->members, member);
        memory_member_free(member);
    }
    HASH_ITER(hh, memory->realms, realm, next_realm)
    {
        HASH_CLEAR(hh, realm->rooms);
        HASH_CLEAR(hh, realm->users);
    }
    HASH_CLEAR(hh, memory->realms);
    HASH_CLEAR(by_pair, memory->direct);
    for (int realms = 0; realms < 2; realms++) {
        for (size_t i = 0; i < memory->place_count; i++) {
            struct memory_place *place = memory->places[i];
            if (!place || (place->kind == MEMORY_REALM) != realms)
                continue;
            memory->places[i] = NULL;
            if (place->kind == MEMORY_ROOM)
                memory_room_free(container_of(place, struct memory_room, place));
            else if (place->kind == MEMORY_USER)
                user_free(container_of(place, struct memory_user, place));
            else
                realm_free(container_of(place, struct memory_realm, place));
        }
    }
    free(memory->places);
}

static struct ledger_ops memory_ops = {
    .realm_find = realm_find,
    .realm_add = realm_add,
    .user_find = user_find,
    .user_add = user_add,
    .user_set = user_set,
    .device_find = device_find,
    .device_put = device_put,
    .lost = lost,
};

void memory_ledger_init(struct memory_ledger *memory, const struct settings *settings)
{
    *memory = (struct memory_ledger){.settings = settings};
    memory_room_ops(&memory_ops);
    memory_member_ops(&memory_ops);
    memory_ban_ops(&memory_ops);
    memory_direct_ops(&memory_ops);
    memory_event_ops(&memory_ops);
    memory_message_ops(&memory_ops);
    memory_marker_ops(&memory_ops);
    memory_presence_ops(&memory_ops);
    memory_edit_ops(&memory_ops);
    memory_reaction_ops(&memory_ops);
    memory->ledger.ops = &memory_ops;
}
