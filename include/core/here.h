/* Here: presence of sessions inside rooms, for boards, documents, games, "who is looking".
 *
 * WHY    what a client says of one session in one room must be seen by the others at once, survive
 *        a reconnect, and go when the session does.
 * MODEL  a spot is one session in one room, with data.
 *
 *                    here_away                grace over
 *        session ---------------> session ------------------> gone, all its spots told
 *        connected <------------- away
 *                    here_back
 *
 *        A session is known here only while it has a spot. here_end (log-out), here_leave (its
 *        user left the room), here_drop_room (deleted) end spots at once. A spot that is put
 *        again with equal data is not told.
 *        The grace is the same for all, so one list in order of time is all the timers.
 * BOUNDS HERE_ROOMS_OF_SESSION_MAX, HERE_SESSIONS_OF_ROOM_MAX; data by the caller.
 * Floor: core. Pure: time is an argument. On one thread. */
#ifndef TIDINGS_CORE_HERE_H
#define TIDINGS_CORE_HERE_H

#include "base/attr.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/span.h"

/* Whose: realm NUL user NUL session, ended by NUL; `user_len` is of realm NUL user. */
struct here_name {
    const char *key;
    uint32_t len, user_len;
};

struct here_room {
    UT_hash_handle hh; /* by realm NUL room */
    struct list spots;
    int count;
    int64_t members; /* of the room, as last told */
    char key[];
};

struct here_session {
    UT_hash_handle hh; /* by key */
    struct list spots;
    int count;
    struct link away; /* by away_ms; in no list while it is connected */
    int64_t away_ms;
    uint32_t len, user_len; /* as in here_name */
    char key[];
};

struct spot {
    struct link of_room, of_session;
    struct here_room *room;
    struct here_session *session;
    char *data; /* owned */
    size_t data_len;
};

/* What is told of a spot. Borrowed for the call. */
struct here_news {
    struct span realm, room, user, session;
    struct span data; /* data NULL: it is gone */
    int64_t members;  /* of the room */
    bool by_session;  /* the session itself asked for it */
};

struct here {
    int64_t grace_ms;
    /* May not call back. */
    void (*tell)(void *context, const struct here_news *news);
    void *context;
    struct here_room *rooms;
    struct here_session *sessions;
    struct list away;
};

/* `tell` and the grace are set by the caller. */
void here_init(struct here *here);
/* Tells nothing. */
void here_fini(struct here *here);

/* `data` is copied; equal texts are equal data. The session is connected, or known here. ERR_FULL
 * at one of the bounds, ERR_MEMORY; then nothing has changed. */
MUST_CHECK int here_put(struct here *here, const struct here_name *name, struct span room,
                        int64_t members, struct span data);
/* No error when there is none. */
void here_remove(struct here *here, const struct here_name *name, struct span room);

/* Not connected any more; connected again, under the same name. */
void here_away(struct here *here, const struct here_name *name, int64_t now_ms);
void here_back(struct here *here, const struct here_name *name);
void here_end(struct here *here, const struct here_name *name);

/* All sessions of the user there. */
void here_leave(struct here *here, struct span realm, struct span room, struct span user);
void here_drop_room(struct here *here, struct span realm, struct span room);
/* All there are. */
void here_end_all(struct here *here);
/* Has it a spot? */
bool here_knows(const struct here *here, const struct here_name *name);
/* The room has so many members by now. */
void here_count(struct here *here, struct span realm, struct span room, int64_t members);

/* Ends what has been away for the grace. */
void here_tick(struct here *here, int64_t now_ms);
/* When the next tick has something to do; -1: never. */
int64_t here_due_ms(const struct here *here);

/* All spots of the room, those put first first. */
void here_visit(const struct here *here, struct span realm, struct span room,
                void (*visit)(void *context, const struct here_news *news), void *context);

#endif
