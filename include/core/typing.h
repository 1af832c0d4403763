/* Who types where: when the others are told, and how it ends.
 *
 * WHY    "is typing" must appear at once, never flood a room, and never stay for ever.
 * MODEL  a typist is one user in one room:
 *
 *                start                         start
 *          none ------> SHOWN   RESTING ------------------> WAITING
 *                       |   ^      |  ^                      |   |
 *         stop, timeout |   |      |  +--- stop, timeout ----+   |
 *                       v   |      v                             |
 *                    RESTING|    none  (throttle over)           |
 *                           +----------- throttle over ----------+
 *
 *        SHOWN    the others were told that it types, and will be told when it stops.
 *        RESTING  does not type; kept until another telling is allowed.
 *        WAITING  types again, which may not be told yet.
 *        So of a user and room the tellings alternate, and "types" goes out at most once in
 *        `throttle_ms`; a start within that prolongs silently.
 *        Both delays are the same for all, so two lists in order of time are all the timers.
 * BOUNDS TYPING_ROOMS_OF_USER_MAX typists of one user: the one refreshed longest ago ends for a
 *        new one. Without memory a start is left out.
 * Floor: core. Pure: time is an argument. On one thread. */
#ifndef TIDINGS_CORE_TYPING_H
#define TIDINGS_CORE_TYPING_H

#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/span.h"

enum typist_state { TYPIST_RESTING, TYPIST_SHOWN, TYPIST_WAITING };

struct typing_room {
    UT_hash_handle hh; /* by realm NUL room */
    struct list typists;
    char key[];
};

struct typing_user {
    UT_hash_handle hh;   /* by realm NUL user */
    struct list typists; /* the one refreshed longest ago first */
    int count;
    char key[];
};

struct typist {
    struct link of_room, of_user;
    struct link fresh;     /* SHOWN, WAITING: by refreshed_ms */
    struct link throttled; /* by told_ms, until the throttle is over */
    struct typing_room *room;
    struct typing_user *user;
    enum typist_state state;
    int64_t refreshed_ms; /* its last start */
    int64_t told_ms;      /* when the others were last told that it types */
};

/* What is told of a typist. Borrowed for the call. */
struct typing_news {
    struct span realm, room, user;
    bool types;
    int64_t expires_in_ms; /* when it types: how long without a refresh */
};

struct typing {
    int64_t throttle_ms, timeout_ms;
    /* May not call back. */
    void (*tell)(void *context, const struct typing_news *news);
    void *context;
    struct typing_room *rooms;
    struct typing_user *users;
    struct list fresh, throttled;
    int64_t active; /* typists that type */
};

/* `tell` and the two times are set by the caller. */
void typing_init(struct typing *typing);
/* Tells nothing. */
void typing_fini(struct typing *typing);

void typing_start(struct typing *typing, struct span realm, struct span room, struct span user,
                  int64_t now_ms);
void typing_stop(struct typing *typing, struct span realm, struct span room, struct span user,
                 int64_t now_ms);
/* Wherever the user types. */
void typing_stop_user(struct typing *typing, struct span realm, struct span user, int64_t now_ms);
/* Whoever types in the room. */
void typing_stop_room(struct typing *typing, struct span realm, struct span room, int64_t now_ms);
/* Whoever types anywhere. */
void typing_stop_all(struct typing *typing, int64_t now_ms);

/* Does what has become due. */
void typing_tick(struct typing *typing, int64_t now_ms);
/* When the next tick has something to do; -1: never. */
int64_t typing_due_ms(const struct typing *typing);

/* Whoever is shown as typing in the room. */
void typing_visit(const struct typing *typing, struct span realm, struct span room, int64_t now_ms,
                  void (*visit)(void *context, const struct typing_news *news), void *context);

#endif
