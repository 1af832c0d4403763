#include "core/here.h"

#include <assert.h>

#include "base/err.h"
#include "core/pair.h"

static struct spot *of_room(struct link *link)
{
    return link ? container_of(link, struct spot, of_room) : NULL;
}

static struct spot *of_session(struct link *link)
{
    return link ? container_of(link, struct spot, of_session) : NULL;
}

/* -- the tables --------------------------------------------------------------------------- */

static struct here_room *room_find(const struct here *here, struct span realm, struct span name)
{
    char key[PAIR_BYTES_MAX];
    unsigned len = pair_make(key, realm, name);
    struct here_room *room;
    HASH_FIND(hh, here->rooms, key, len, room);
    return room;
}

static struct here_room *room_add(struct here *here, struct span realm, struct span name)
{
    struct here_room *room = room_find(here, realm, name);
    if (room)
        return room;
    room = calloc(1, sizeof(*room) + PAIR_BYTES_MAX + 1);
    if (!room)
        return NULL;
    list_init(&room->spots);
    unsigned len = pair_make(room->key, realm, name);
    HASH_ADD_KEYPTR(hh, here->rooms, room->key, len, room);
    if (!map_added(&room->hh)) {
        free(room);
        return NULL;
    }
    return room;
}

static void room_free_if_empty(struct here *here, struct here_room *room)
{
    if (room->count)
        return;
    HASH_DEL(here->rooms, room);
    free(room);
}

static struct here_session *session_find(const struct here *here, const struct here_name *name)
{
    struct here_session *session;
    HASH_FIND(hh, here->sessions, name->key, name->len, session);
    return session;
}

static struct here_session *session_add(struct here *here, const struct here_name *name)
{
    struct here_session *session = session_find(here, name);
    if (session)
        return session;
    session = calloc(1, sizeof(*session) + name->len + 1);
    if (!session)
        return NULL;
    memcpy(session->key, name->key, name->len);
    session->len = name->len;
    session->user_len = name->user_len;
    list_init(&session->spots);
    HASH_ADD_KEYPTR(hh, here->sessions, session->key, session->len, session);
    if (!map_added(&session->hh)) {
        free(session);
        return NULL;
    }
    return session;
}

static void session_free_if_empty(struct here *here, struct here_session *session)
{
    if (session->count)
        return;
    link_remove(&session->away);
    HASH_DEL(here->sessions, session);
    free(session);
}

/* Of one session there are few. */
static struct spot *spot_find(const struct here_session *session, struct span room)
{
    struct link *at = session ? list_first(&session->spots) : NULL;
    for (; at; at = list_next(&session->spots, at)) {
        if (span_equal(pair_second(of_session(at)->room->key), room))
            return of_session(at);
    }
    return NULL;
}

/* -- telling ------------------------------------------------------------------------------ */

static struct here_news news_of(const struct spot *spot)
{
    const struct here_session *session = spot->session;
    return (struct here_news){
        .realm = pair_first(session->key),
        .room = pair_second(spot->room->key),
        .user = pair_second(session->key),
        .session = span_text(session->key + session->user_len + 1),
        .data = span_of(spot->data, spot->data_len),
        .members = spot->room->members,
    };
}

static void tell(struct here *here, const struct spot *spot, bool by_session)
{
    struct here_news news = news_of(spot);
    news.by_session = by_session;
    here->tell(here->context, &news);
}

/* -- spots -------------------------------------------------------------------------------- */

static void set_data(struct spot *spot, char *data, size_t len)
{
    free(spot->data);
    spot->data = data;
    spot->data_len = len;
}

static void spot_free(struct here *here, struct spot *spot)
{
    link_remove(&spot->of_room);
    link_remove(&spot->of_session);
    spot->room->count--;
    spot->session->count--;
    room_free_if_empty(here, spot->room);
    session_free_if_empty(here, spot->session);
    free(spot->data);
    free(spot);
}

static void spot_end(struct here *here, struct spot *spot, bool by_session)
{
    set_data(spot, NULL, 0);
    tell(here, spot, by_session);
    spot_free(here, spot);
}

/* Without data yet. ERR_FULL, ERR_MEMORY. */
static int spot_new(struct here *here, const struct here_name *name, struct span room_name,
                    struct spot **ret)
{
    struct here_session *session = session_find(here, name);
    struct span realm = pair_first(name->key);
    struct here_room *room = room_find(here, realm, room_name);
    if ((session && session->count == HERE_ROOMS_OF_SESSION_MAX) ||
        (room && room->count == HERE_SESSIONS_OF_ROOM_MAX))
        return ERR_FULL;
    struct spot *spot = calloc(1, sizeof(*spot));
    room = spot ? room_add(here, realm, room_name) : NULL;
    session = room ? session_add(here, name) : NULL;
    if (!session) {
        if (room)
            room_free_if_empty(here, room);
        free(spot);
        return ERR_MEMORY;
    }
    spot->room = room;
    spot->session = session;
    list_append(&room->spots, &spot->of_room);
    list_append(&session->spots, &spot->of_session);
    room->count++;
    session->count++;
    *ret = spot;
    return 0;
}

/* -- from outside ------------------------------------------------------------------------- */

void here_init(struct here *here)
{
    assert(here->tell);
    list_init(&here->away);
}

void here_fini(struct here *here)
{
    struct here_session *session, *next;
    HASH_ITER(hh, here->sessions, session, next)
    {
        for (int left = session->count; left > 0; left--)
            spot_free(here, of_session(list_first(&session->spots)));
    }
}

int here_put(struct here *here, const struct here_name *name, struct span room, int64_t members,
             struct span data)
{
    struct spot *spot = spot_find(session_find(here, name), room);
    if (spot && span_equal(span_of(spot->data, spot->data_len), data))
        return 0;
    char *copy = malloc(data.len + 1);
    if (!copy)
        return ERR_MEMORY;
    memcpy(copy, data.data, data.len);
    int err = spot ? 0 : spot_new(here, name, room, &spot);
    if (err) {
        free(copy);
        return err;
    }
    spot->room->members = members;
    set_data(spot, copy, data.len);
    tell(here, spot, true);
    return 0;
}

void here_remove(struct here *here, const struct here_name *name, struct span room)
{
    struct spot *spot = spot_find(session_find(here, name), room);
    if (spot)
        spot_end(here, spot, true);
}

void here_away(struct here *here, const struct here_name *name, int64_t now_ms)
{
    struct here_session *session = session_find(here, name);
    if (!session)
        return;
    session->away_ms = now_ms;
    list_append(&here->away, &session->away);
}

void here_back(struct here *here, const struct here_name *name)
{
    struct here_session *session = session_find(here, name);
    if (session)
        link_remove(&session->away);
}

/* With its last spot the session goes. */
static void session_end(struct here *here, struct here_session *session)
{
    for (int left = session->count; left > 0; left--)
        spot_end(here, of_session(list_first(&session->spots)), false);
}

void here_end(struct here *here, const struct here_name *name)
{
    struct here_session *session = session_find(here, name);
    if (session)
        session_end(here, session);
}

void here_end_all(struct here *here)
{
    struct here_session *session, *next;
    HASH_ITER(hh, here->sessions, session, next)
    session_end(here, session);
}

bool here_knows(const struct here *here, const struct here_name *name)
{
    return session_find(here, name) != NULL;
}

/* Those of one user; `user` absent: all. */
static void end_in_room(struct here *here, struct here_room *room, struct span user)
{
    struct spot *next = room ? of_room(list_first(&room->spots)) : NULL;
    while (next) {
        struct spot *spot = next;
        next = of_room(list_next(&room->spots, &spot->of_room));
        if (!user.data || span_equal(pair_second(spot->session->key), user))
            spot_end(here, spot, false);
    }
}

void here_leave(struct here *here, struct span realm, struct span room, struct span user)
{
    assert(user.data);
    end_in_room(here, room_find(here, realm, room), user);
}

void here_drop_room(struct here *here, struct span realm, struct span room)
{
    end_in_room(here, room_find(here, realm, room), (struct span){NULL, 0});
}

void here_count(struct here *here, struct span realm, struct span name, int64_t members)
{
    struct here_room *room = room_find(here, realm, name);
    if (room)
        room->members = members;
}

static struct here_session *first_away(const struct here *here)
{
    struct link *link = list_first(&here->away);
    return link ? container_of(link, struct here_session, away) : NULL;
}

void here_tick(struct here *here, int64_t now_ms)
{
    struct here_session *session;
    while ((session = first_away(here)) && now_ms - session->away_ms >= here->grace_ms)
        session_end(here, session);
}

int64_t here_due_ms(const struct here *here)
{
    const struct here_session *session = first_away(here);
    return session ? session->away_ms + here->grace_ms : -1;
}

void here_visit(const struct here *here, struct span realm, struct span name,
                void (*visit)(void *context, const struct here_news *news), void *context)
{
    const struct here_room *room = room_find(here, realm, name);
    struct link *at = room ? list_first(&room->spots) : NULL;
    for (; at; at = list_next(&room->spots, at)) {
        struct here_news news = news_of(of_room(at));
        visit(context, &news);
    }
}
