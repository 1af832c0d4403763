/* Rooms and users over a ledger in memory and over one in Redis: what is done there at random, and
 * what both tell of it.
 *
 * Places differ between the two, so rooms are told by the order in which they were made. */
#ifndef TIDINGS_TESTS_REDIS_TOWN_H
#define TIDINGS_TESTS_REDIS_TOWN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "redis_play.h"
#include "store/memory_ledger.h"

#define TOWN_ROOMS 3
#define TOWN_USERS 5
#define TOWN_MADE_MAX 400
#define TOWN_IDS_MAX 4000
extern const char *const town_rooms[TOWN_ROOMS], *const town_users[TOWN_USERS];

enum town_act {
    TOWN_CREATE,
    TOWN_CHANGE,
    TOWN_DELETE,
    TOWN_JOIN,
    TOWN_LEAVE,
    TOWN_ROLE,
    TOWN_BAN,
    TOWN_LIFT,
    TOWN_POST,
    TOWN_DIRECT,
    TOWN_BLOCK,
    TOWN_UNBLOCK,
    TOWN_PROFILE,
    TOWN_ACK,
    TOWN_DEVICE,
    TOWN_PRESENCE,
    TOWN_SUBSCRIBE,
    TOWN_UNSUBSCRIBE,
    TOWN_ACTS,
};

/* One command. What it does depends on what it finds. */
struct town_step {
    enum town_act act;
    int room, user, other;
    int number; /* of whatever the act has */
    int64_t now_ms;
    struct event_id id; /* of its event, once it is stored; 0-0: it made none */
    place_number made;  /* room that it made, over Redis */
};

/* A room, for good, and its places in both ledgers. */
struct town_room {
    place_number redis, memory;
};

struct town {
    struct settings settings;
    struct redis_sync sync;
    struct memory_ledger memory;
    int parted_max; /* 0: as it is */
    struct town_room made[TOWN_MADE_MAX];
    int made_count;
    struct event_id ids[TOWN_IDS_MAX]; /* of all events */
    int id_count;
    int64_t now_ms;
    unsigned seed;
};

/* Of a Redis that is emptied for it. */
struct town *town_new(const struct redis_server *server, unsigned seed);
void town_free(struct town *town);
/* Sweeps doomed rooms, once; whether there is more to do. */
bool town_sweep(struct town *town);
/* How many there are in a key: `command` is HLEN or ZCARD. */
int town_count(struct town *town, const char *command, const char *key);
int town_any(struct town *town, int count);
/* Over either; the room that it made, 0: none. */
int town_do(struct town *town, struct ledger *ledger, const struct town_step *step, bool is_redis,
            struct event_id *ret_id, place_number *ret_room);
/* A batch of them, to be done over Redis, and then in memory. */
struct redis_play town_batch(struct town *town, struct town_step *steps, int count);
/* Reads everything there is of both, and some of it as pages and ranges by chance; they tell the
 * same. At most so many fetches. */
void town_compare(struct town *town, int fetches_max);

#endif
