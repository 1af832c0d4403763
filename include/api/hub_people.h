/* The hub's people: the users with sessions here, the rooms they are in, and who is told of whom.
 *
 * WHY    presence goes to those who share a room, whatever their sessions follow, and to those who
 *        subscribed; so the hub knows the rooms of every user that is connected.
 * MODEL  user <-> room by numbers, so that a link takes four bytes, and so does a seat.
 *            user -> links (numbers of rooms, in order) -> room
 *            room -> seats (numbers of users) -> user
 *        Who leaves a room is looked for among its seats: they are few, see below.
 *        A room that has grown to twice `rooms.quiet_limit` keeps no seats, only counts; they
 *        are found again among all users when it has come down to the limit: so many must leave
 *        for it that this costs little for each.
 *        Presence is told among the first `introduced` seats of a room. That is all of them, until
 *        the room grows above the limit (core/hush.h): then it is none, and what the others know of
 *        each is noted, so that the end of the hush tells what has changed and nothing else. Who is
 *        taken for shown is kept until then, also without a session. Of a room that keeps no seats
 *        nothing is noted: who is there is told anew, and who went meanwhile is not.
 *        Memberships are read from the journal once for a user (hub_load.c), and move with the
 *        joins and leaves in the news.
 * BOUNDS ROOMS_OF_USER_MAX links and SUBSCRIPTIONS_OF_USER_MAX ties of a user. PRESENCE_KNOWN_MAX
 *        notes of what is known: above it the people of a room are introduced as strangers.
 * Floor: api. On the hub's thread. */
#ifndef TIDINGS_API_HUB_PEOPLE_H
#define TIDINGS_API_HUB_PEOPLE_H

#include "base/map.h"
#include "base/numbered.h"
#include "base/table.h"
#include "core/event_id.h"
#include "core/hush.h"
#include "core/presence.h"

struct frame;
struct hub;
struct hub_load;
struct session;

/* What the others of a hushed room were told last of one user. */
struct hub_known {
    uint64_t activity; /* its hash */
    uint64_t doubted;  /* moment until which the user and the others may have been told otherwise
                          of each other, by what does not hold any more; 0: they were not */
    uint8_t status;    /* enum presence_status; PRESENCE_NONE: it came later */
    bool kept;         /* counted in the user's known_in */
};

struct hub_room {
    UT_hash_handle hh; /* by key */
    uint32_t number;
    uint32_t links;  /* users connected here that are in it */
    uint32_t online; /* of these, who is not shown offline */
    uint32_t stamp;  /* of the load that has it */
    uint32_t seat_count, seat_size;
    uint32_t *seats;            /* numbers of users; owned */
    uint32_t introduced;        /* seats from the first that are told of each other */
    uint32_t known_count;       /* while it is hushed: seats from the first with a note, which are
                                   all unless memory or the bound forbids */
    struct hub_known *known;    /* for each of these; owned, NULL: none */
    uint64_t hushed;            /* moment at which it was hushed */
    struct hush hush;
    bool seated;                /* it keeps seats */
    int64_t members;            /* all of them */
    struct event_id members_at; /* where the count was true */
    char key[];                 /* realm NUL room */
};

/* One whose presence somebody subscribed to. */
struct hub_target {
    UT_hash_handle hh;     /* by key */
    uint32_t *subscribers; /* numbers of users; owned */
    uint32_t count, size;
    char key[]; /* realm NUL user */
};

struct hub_tie {
    struct hub_target *target;
    uint32_t at; /* index in its subscribers */
};

struct hub_user {
    struct table_link by_key;
    struct session *oldest, *newest;
    struct presence_user presence;
    uint32_t *links;       /* owned */
    struct hub_tie *ties;  /* subscriptions; owned, NULL: none */
    struct hub_load *load; /* under way; owned */
    struct frame *frame;   /* ref: what was told last, for a while; NULL: to be made */
    uint32_t number, link_count, tie_count, session_count;
    uint32_t counted_sessions; /* of them, those that limits.sessions holds */
    uint32_t stamp;            /* of the telling that it was counted in last */
    uint16_t pins;             /* who still looks at it */
    uint16_t known_in;         /* hushed rooms in which somebody may take it for shown */
    uint16_t realm_len;
    bool loaded;         /* links, ties and choice are known */
    bool counted_online; /* in the counts of its rooms */
    bool seen_noted;     /* waits to be written */
    char key[];          /* realm NUL user NUL */
};

static inline const char *hub_user_name(const struct hub_user *user)
{
    return user->key + user->realm_len + 1;
}
/* As others were told last. */
static inline enum presence_status hub_user_status(const struct hub_user *user)
{
    uint8_t told = user->presence.told_status;
    return told == PRESENCE_NONE ? PRESENCE_OFFLINE : (enum presence_status)told;
}
static inline bool hub_user_is_shown(const struct hub_user *user)
{
    return hub_user_status(user) != PRESENCE_OFFLINE;
}

struct people {
    struct table users_by_key;
    struct hub_room *rooms_by_key;
    struct hub_target *targets;
    struct numbered users, rooms;
    uint32_t stamp;
    uint64_t moment;    /* the order of hushes, doubts and snapshots */
    uint32_t known_sum; /* notes of all rooms */
};

/* NULL: the number is not in use. */
static inline struct hub_user *people_user(const struct people *people, uint32_t number)
{
    return numbered_get(&people->users, number);
}
static inline struct hub_room *people_room(const struct people *people, uint32_t number)
{
    return numbered_get(&people->rooms, number);
}

void people_fini(struct people *people);

/* All of them; NULL: no more. What was returned may be removed once the next one is asked for. */
struct hub_user *people_first_user(struct people *people);
struct hub_user *people_next_user(struct people *people, const struct hub_user *user);

/* `key` is realm NUL user. NULL: none. */
struct hub_user *people_find_user(struct people *people, const char *key, size_t len);
/* Added when missing; NULL: out of memory. */
struct hub_user *people_get_user(struct people *people, const char *key, size_t len,
                                 size_t realm_len);
/* Without sessions, presence and load, which are the caller's to end. */
void people_remove_user(struct people *people, struct hub_user *user);

struct hub_room *people_find_room(struct people *people, const char *realm, struct span room);
/* Added when missing, with so many members, which it stays until somebody is linked or it is
 * dropped. NULL: out of memory. */
struct hub_room *people_get_room(struct people *people, const char *realm, struct span room,
                                 int64_t members, struct event_id at, int64_t quiet_limit);
/* Frees it if nobody is linked. */
void people_drop_room(struct people *people, struct hub_room *room);
/* Nothing is told in it from now on: notes what those who were introduced know of each other. What
 * was noted before was forgotten. */
void people_hush_room(struct people *people, struct hub_room *room);
/* The user, who is about to leave `left`, and those whom it meets there and in hushed rooms may
 * have been told otherwise of each other than is noted. NULL: the user and anybody. */
void people_doubt(struct people *people, struct hub_user *user, const struct hub_room *left);
/* Forgets the note of the last seat that has one, and returns its user; NULL: there is none. */
struct hub_user *people_forget_known(struct people *people, struct hub_room *room);
/* The note for the user; NULL: none. */
struct hub_known *people_find_known(const struct hub_room *room, const struct hub_user *user);
/* Is the user told of others in the room, and they of it? */
bool people_is_introduced(const struct hub_room *room, const struct hub_user *user);
/* With all its links; nothing is noted of it. One without seats costs a look at every user. */
void people_delete_room(struct people *people, struct hub_room *room);
/* The count is true at `at`; older than what is known: no change. Nothing is noted of a room that
 * has grown so much that its seats go. */
void people_count_room(struct people *people, struct hub_room *room, int64_t members,
                       struct event_id at, int64_t quiet_limit);

bool people_is_linked(const struct hub_user *user, const struct hub_room *room);
/* It is not linked yet. Its seat is the last, not introduced. ERR_MEMORY. */
MUST_CHECK int people_link(struct people *people, struct hub_user *user, struct hub_room *room);
/* It is linked. The room may be freed. */
void people_unlink(struct people *people, struct hub_user *user, struct hub_room *room);
/* Is `user` subscribed to the other? */
bool people_is_tied(struct people *people, const struct hub_user *user,
                    const struct hub_user *to);
/* A room that is in both. */
bool people_share_room(const struct hub_user *a, const struct hub_user *b);

/* hub_ties.c. Targets are named as in the token. ERR_MEMORY: it has some of them. */
MUST_CHECK int people_tie(struct people *people, struct hub_user *user, const struct span *targets,
                          int count);
void people_untie(struct people *people, struct hub_user *user);
/* NULL: nobody subscribed. */
struct hub_target *people_find_target(struct people *people, const struct hub_user *user);

#endif
