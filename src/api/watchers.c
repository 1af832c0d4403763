#include "api/watchers.h"

#include <assert.h>
#include <pthread.h>

#include "base/limits.h"
#include "base/map.h"

struct watched {
    UT_hash_handle hh;
    int64_t count;
    bool changed; /* since watchers_take */
    char key[]; /* realm NUL room */
};

struct watchers {
    pthread_mutex_t lock;
    struct watched *rooms;
};

#define KEY_BYTES_MAX (2 * IDENT_BYTES_MAX + 1)

static size_t key_make(char out[KEY_BYTES_MAX], struct span realm, struct span room)
{
    assert(realm.len <= IDENT_BYTES_MAX && room.len <= IDENT_BYTES_MAX);
    memcpy(out, realm.data, realm.len);
    out[realm.len] = 0;
    memcpy(out + realm.len + 1, room.data, room.len);
    return realm.len + 1 + room.len;
}

struct watchers *watchers_new(void)
{
    struct watchers *watchers = calloc(1, sizeof(*watchers));
    if (watchers)
        pthread_mutex_init(&watchers->lock, NULL);
    return watchers;
}

struct watchers *watchers_free(struct watchers *watchers)
{
    if (!watchers)
        return NULL;
    struct watched *room, *next;
    HASH_ITER(hh, watchers->rooms, room, next) {
        HASH_DEL(watchers->rooms, room);
        free(room);
    }
    pthread_mutex_destroy(&watchers->lock);
    free(watchers);
    return NULL;
}

/* One that came while there was no memory is not there when it goes. */
static struct watched *find_or_add(struct watchers *watchers, const char *key, size_t len,
                                   int change)
{
    struct watched *room;
    HASH_FIND(hh, watchers->rooms, key, (unsigned)len, room);
    if (room || change < 0)
        return room;
    room = calloc(1, sizeof(*room) + len);
    if (!room)
        return NULL;
    memcpy(room->key, key, len);
    HASH_ADD_KEYPTR(hh, watchers->rooms, room->key, (unsigned)len, room);
    if (!map_added(&room->hh)) {
        free(room);
        return NULL;
    }
    return room;
}

bool watchers_add(struct watchers *watchers, const char *realm, const char *room, int change)
{
    bool is_first = false;
    char key[KEY_BYTES_MAX];
    size_t len = key_make(key, span_text(realm), span_text(room));
    pthread_mutex_lock(&watchers->lock);
    struct watched *watched = find_or_add(watchers, key, len, change);
    if (watched) {
        is_first = !watched->changed;
        watched->changed = true;
        watched->count += change;
        if (watched->count == 0) {
            HASH_DEL(watchers->rooms, watched);
            free(watched);
        }
    }
    pthread_mutex_unlock(&watchers->lock);
    return is_first;
}

static int64_t count(struct watchers *watchers, struct span realm, struct span room, bool take)
{
    char key[KEY_BYTES_MAX];
    size_t len = key_make(key, realm, room);
    struct watched *watched;
    pthread_mutex_lock(&watchers->lock);
    HASH_FIND(hh, watchers->rooms, key, (unsigned)len, watched);
    int64_t found = watched ? watched->count : 0;
    if (watched && take)
        watched->changed = false;
    pthread_mutex_unlock(&watchers->lock);
    return found;
}

int64_t watchers_count(struct watchers *watchers, struct span realm, struct span room)
{
    return count(watchers, realm, room, false);
}

int64_t watchers_take(struct watchers *watchers, struct span realm, struct span room)
{
    return count(watchers, realm, room, true);
}
