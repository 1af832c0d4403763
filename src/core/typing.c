#include "core/typing.h"

#include <assert.h>

#include "base/attr.h"
#include "core/pair.h"

static struct typist *of_room(struct link *link)
{
    return link ? container_of(link, struct typist, of_room) : NULL;
}

static struct typist *of_user(struct link *link)
{
    return link ? container_of(link, struct typist, of_user) : NULL;
}

/* -- the tables --------------------------------------------------------------------------- */

static struct typing_room *room_find(const struct typing *typing, struct span realm,
                                     struct span name)
{
    char key[PAIR_BYTES_MAX];
    unsigned len = pair_make(key, realm, name);
    struct typing_room *room;
    HASH_FIND(hh, typing->rooms, key, len, room);
    return room;
}

static struct typing_room *room_add(struct typing *typing, struct span realm, struct span name)
{
    struct typing_room *room = room_find(typing, realm, name);
    if (room)
        return room;
    room = calloc(1, sizeof(*room) + PAIR_BYTES_MAX + 1);
    if (!room)
        return NULL;
    list_init(&room->typists);
    unsigned len = pair_make(room->key, realm, name);
    HASH_ADD_KEYPTR(hh, typing->rooms, room->key, len, room);
    if (!map_added(&room->hh)) {
        free(room);
        return NULL;
    }
    return room;
}

static void room_free_if_empty(struct typing *typing, struct typing_room *room)
{
    if (!list_is_empty(&room->typists))
        return;
    HASH_DEL(typing->rooms, room);
    free(room);
}

static struct typing_user *user_find(const struct typing *typing, struct span realm,
                                     struct span name)
{
    char key[PAIR_BYTES_MAX];
    unsigned len = pair_make(key, realm, name);
    struct typing_user *user;
    HASH_FIND(hh, typing->users, key, len, user);
    return user;
}

static struct typing_user *user_add(struct typing *typing, struct span realm, struct span name)
{
    struct typing_user *user = user_find(typing, realm, name);
    if (user)
        return user;
    user = calloc(1, sizeof(*user) + PAIR_BYTES_MAX + 1);
    if (!user)
        return NULL;
    list_init(&user->typists);
    unsigned len = pair_make(user->key, realm, name);
    HASH_ADD_KEYPTR(hh, typing->users, user->key, len, user);
    if (!map_added(&user->hh)) {
        free(user);
        return NULL;
    }
    return user;
}

static void user_free_if_empty(struct typing *typing, struct typing_user *user)
{
    if (user->count)
        return;
    HASH_DEL(typing->users, user);
    free(user);
}

/* Of one user there are few. */
static struct typist *typist_find(const struct typing *typing, struct span realm, struct span room,
                                  struct span user)
{
    const struct typing_user *found = user_find(typing, realm, user);
    if (!found)
        return NULL;
    for (struct link *at = list_first(&found->typists); at; at = list_next(&found->typists, at)) {
        if (span_equal(pair_second(of_user(at)->room->key), room))
            return of_user(at);
    }
    return NULL;
}

static void typist_free(struct typing *typing, struct typist *typist)
{
    assert(typist->state == TYPIST_RESTING);
    link_remove(&typist->of_room);
    link_remove(&typist->of_user);
    link_remove(&typist->fresh);
    link_remove(&typist->throttled);
    typist->user->count--;
    room_free_if_empty(typing, typist->room);
    user_free_if_empty(typing, typist->user);
    free(typist);
}

/* -- states ------------------------------------------------------------------------------- */

static void move(struct typing *typing, struct typist *typist, enum typist_state to)
{
    static const bool allowed[][3] = {
        [TYPIST_RESTING] = {[TYPIST_SHOWN] = true, [TYPIST_WAITING] = true},
        [TYPIST_SHOWN] = {[TYPIST_RESTING] = true},
        [TYPIST_WAITING] = {[TYPIST_RESTING] = true, [TYPIST_SHOWN] = true},
    };
    assert(allowed[typist->state][to]);
    typing->active += (to != TYPIST_RESTING) - (typist->state != TYPIST_RESTING);
    typist->state = to;
}

static struct typing_news news_of(const struct typing *typing, const struct typist *typist,
                                  int64_t now_ms)
{
    bool types = typist->state == TYPIST_SHOWN;
    return (struct typing_news){
        .realm = pair_first(typist->room->key),
        .room = pair_second(typist->room->key),
        .user = pair_second(typist->user->key),
        .types = types,
        .expires_in_ms = types ? typist->refreshed_ms + typing->timeout_ms - now_ms : 0,
    };
}

static void tell(struct typing *typing, struct typist *typist, int64_t now_ms)
{
    struct typing_news news = news_of(typing, typist, now_ms);
    typing->tell(typing->context, &news);
}

static void show(struct typing *typing, struct typist *typist, int64_t now_ms)
{
    if (typist->state != TYPIST_SHOWN)
        move(typing, typist, TYPIST_SHOWN);
    typist->told_ms = now_ms;
    list_append(&typing->throttled, &typist->throttled);
    tell(typing, typist, now_ms);
}

/* It types no more; with the throttle over it is gone. */
static void end(struct typing *typing, struct typist *typist, int64_t now_ms)
{
    bool was_shown = typist->state == TYPIST_SHOWN;
    if (typist->state != TYPIST_RESTING)
        move(typing, typist, TYPIST_RESTING);
    link_remove(&typist->fresh);
    if (was_shown)
        tell(typing, typist, now_ms);
    if (now_ms - typist->told_ms >= typing->throttle_ms)
        typist_free(typing, typist);
}

/* Of a user who types in too many rooms. */
static void drop_oldest(struct typing *typing, struct typing_user *user, int64_t now_ms)
{
    struct typist *oldest = of_user(list_first(&user->typists));
    int count = user->count;
    end(typing, oldest, now_ms);
    if (user->count == count)
        typist_free(typing, oldest);
}

static struct typist *typist_new(struct typing *typing, struct span realm, struct span room,
                                 struct span user, int64_t now_ms)
{
    struct typist *typist = calloc(1, sizeof(*typist));
    struct typing_room *of = typist ? room_add(typing, realm, room) : NULL;
    struct typing_user *by = of ? user_add(typing, realm, user) : NULL;
    if (!by) {
        if (of)
            room_free_if_empty(typing, of);
        free(typist);
        return NULL;
    }
    typist->room = of;
    typist->user = by;
    typist->told_ms = now_ms - typing->throttle_ms;
    list_append(&of->typists, &typist->of_room);
    list_append(&by->typists, &typist->of_user);
    if (++by->count > TYPING_ROOMS_OF_USER_MAX)
        drop_oldest(typing, by, now_ms);
    return typist;
}

/* -- from outside ------------------------------------------------------------------------- */

void typing_init(struct typing *typing)
{
    assert(typing->tell);
    list_init(&typing->fresh);
    list_init(&typing->throttled);
}

void typing_fini(struct typing *typing)
{
    struct typing_user *user, *next;
    HASH_ITER(hh, typing->users, user, next)
    {
        for (int left = user->count; left > 0; left--) {
            struct typist *typist = of_user(list_first(&user->typists));
            if (typist->state != TYPIST_RESTING)
                move(typing, typist, TYPIST_RESTING);
            typist_free(typing, typist);
        }
    }
}

void typing_start(struct typing *typing, struct span realm, struct span room, struct span user,
                  int64_t now_ms)
{
    struct typist *typist = typist_find(typing, realm, room, user);
    if (!typist)
        typist = typist_new(typing, realm, room, user, now_ms);
    if (!typist)
        return;
    typist->refreshed_ms = now_ms;
    list_append(&typing->fresh, &typist->fresh);
    list_append(&typist->user->typists, &typist->of_user);
    if (now_ms - typist->told_ms >= typing->throttle_ms)
        show(typing, typist, now_ms);
    else if (typist->state == TYPIST_RESTING)
        move(typing, typist, TYPIST_WAITING);
}

void typing_stop(struct typing *typing, struct span realm, struct span room, struct span user,
                 int64_t now_ms)
{
    struct typist *typist = typist_find(typing, realm, room, user);
    if (typist && typist->state != TYPIST_RESTING)
        end(typing, typist, now_ms);
}

/* With its last typist the user goes. */
static void stop_user(struct typing *typing, struct typing_user *user, int64_t now_ms)
{
    for (int left = user->count; left > 0; left--) {
        struct typist *typist = of_user(list_first(&user->typists));
        list_append(&user->typists, &typist->of_user);
        end(typing, typist, now_ms);
    }
}

void typing_stop_user(struct typing *typing, struct span realm, struct span name, int64_t now_ms)
{
    struct typing_user *user = user_find(typing, realm, name);
    if (user)
        stop_user(typing, user, now_ms);
}

void typing_stop_all(struct typing *typing, int64_t now_ms)
{
    struct typing_user *user, *next;
    HASH_ITER(hh, typing->users, user, next)
    stop_user(typing, user, now_ms);
}

void typing_stop_room(struct typing *typing, struct span realm, struct span name, int64_t now_ms)
{
    struct typing_room *room = room_find(typing, realm, name);
    struct typist *next = room ? of_room(list_first(&room->typists)) : NULL;
    while (next) {
        struct typist *typist = next;
        next = of_room(list_next(&room->typists, &typist->of_room));
        end(typing, typist, now_ms);
    }
}

static struct typist *first_fresh(const struct typing *typing)
{
    struct link *link = list_first(&typing->fresh);
    return link ? container_of(link, struct typist, fresh) : NULL;
}

static struct typist *first_throttled(const struct typing *typing)
{
    struct link *link = list_first(&typing->throttled);
    return link ? container_of(link, struct typist, throttled) : NULL;
}

void typing_tick(struct typing *typing, int64_t now_ms)
{
    struct typist *typist;
    while ((typist = first_fresh(typing)) && now_ms - typist->refreshed_ms >= typing->timeout_ms)
        end(typing, typist, now_ms);
    while ((typist = first_throttled(typing)) && now_ms - typist->told_ms >= typing->throttle_ms) {
        link_remove(&typist->throttled);
        if (typist->state == TYPIST_WAITING)
            show(typing, typist, now_ms);
        else if (typist->state == TYPIST_RESTING)
            typist_free(typing, typist);
    }
}

int64_t typing_due_ms(const struct typing *typing)
{
    const struct typist *fresh = first_fresh(typing), *throttled = first_throttled(typing);
    int64_t timeout_ms = fresh ? fresh->refreshed_ms + typing->timeout_ms : INT64_MAX;
    int64_t throttle_ms = throttled ? throttled->told_ms + typing->throttle_ms : INT64_MAX;
    int64_t due_ms = timeout_ms < throttle_ms ? timeout_ms : throttle_ms;
    return due_ms == INT64_MAX ? -1 : due_ms;
}

void typing_visit(const struct typing *typing, struct span realm, struct span name, int64_t now_ms,
                  void (*visit)(void *context, const struct typing_news *news), void *context)
{
    const struct typing_room *room = room_find(typing, realm, name);
    struct link *at = room ? list_first(&room->typists) : NULL;
    for (; at; at = list_next(&room->typists, at)) {
        struct typing_news news = news_of(typing, of_room(at), now_ms);
        if (news.types)
            visit(context, &news);
    }
}
