/* What is done at random over a ledger in memory and over one in Redis, and what both tell of it.
 *
 * A step is one command; it is decided before it is known what it will find. */
#ifndef TIDINGS_TESTS_REDIS_STEPS_H
#define TIDINGS_TESTS_REDIS_STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "redis_play.h"
#include "store/memory_ledger.h"
#include "store/redis_ledger.h"

#define ROOMS 2
#define USERS 4
#define MESSAGES_MAX 400
#define WINDOW_MS 20000

enum what { SEND, EDIT, ERASE, REACT, UNREACT, CUSTOM, QUIET, REALM, READ, WHATS };

struct step {
    enum what what;
    int room, user, other, message, thread, key;
    int64_t now_ms;
    char text[32];
    struct event_id id;   /* of its event, once it is stored; 0-0: it made none */
    struct event_id upto; /* READ */
};

struct sent {
    int room;
    char id[16];
    struct event_id event;
};

struct world {
    struct settings settings;
    struct redis_sync sync;
    struct memory_ledger memory;
    place_number realm, rooms[ROOMS], users[USERS];
    struct sent sent[MESSAGES_MAX];
    int sent_count;
    struct event_id ids[2000]; /* of all events */
    int id_count;
    uint64_t ordinals[ROOMS];
    int64_t now_ms;
    unsigned seed;
};

#define KEYS 3
extern const char *const step_users[USERS], *const step_keys[KEYS], *const step_rooms[ROOMS];

/* A step being done over one of the ledgers. */
struct run {
    struct world *world;
    struct ledger *ledger;
    bool is_redis;
    const struct step *step;
    struct event_id made;
};

int step_do(struct run *run);
/* The marker of a member of the step's room. */
int step_marker(struct run *run, place_number user, struct ledger_marker *ret);

/* What is read at random, by a seed; the same over both ledgers. */
struct telling {
    struct world *world;
    unsigned seed;
    struct buf text;
};

/* ERR_NOT_FETCHED: to be told anew. */
int telling_all(struct telling *telling, struct ledger *ledger, bool is_redis);

#endif
