/* The facts of a simulated realm: every entry of its journal, in order, and who was in which room
 * when it happened. Random numbers and time are here too. */
#ifndef TIDINGS_TESTS_FACTS_H
#define TIDINGS_TESTS_FACTS_H

#include "core/hall.h"

enum { USERS = 4, ROOMS = 6, PUBLIC_ROOMS = 3, CLIENTS = 24, QUIET_LIMIT = 2 };
enum { STEPS = 6000, EVENTS_MAX = STEPS + 64 };

struct fact {
    struct frame *frame; /* as it was told */
    struct frame *kept;  /* as the journal has it now */
    int room, user; /* user: of a join, leave or ban; else -1 */
    enum event_type type;
    int target;         /* of an edit or deletion: the message; else -1 */
    int deletion;       /* by which what it said is gone; -1: it is not */
    bool quiet;         /* a join or leave of a large room: for its user alone */
    bool member[USERS]; /* of the room, when it happened (the mover included) */
    unsigned bans[USERS];
    unsigned turns;     /* of the room, before it */
};

extern struct fact facts[EVENTS_MAX];
extern int fact_count;
extern bool members[ROOMS][USERS];
/* How often each was banned from each room and let in again: odd while banned. */
extern unsigned bans[ROOMS][USERS];
/* How often each room was made private and public again: odd while private. */
extern unsigned turns[ROOMS];
extern struct event_id public_since[ROOMS];
extern int64_t now_ms;

void facts_begin(uint64_t seed);
void facts_end(void);

/* 0 to below - 1. */
uint32_t rnd(uint32_t below);
/* Position in facts of an id: how many entries are at or below it. */
int position_of(struct event_id id);
struct event_id head_id(void);
static inline bool is_public(int room)
{
    return room < PUBLIC_ROOMS && turns[room] % 2 == 0;
}
static inline bool is_banned(int room, int user)
{
    return bans[room][user] % 2 == 1;
}

/* `user` and `target` as in struct fact. A join lifts a ban. */
void append(enum event_type type, int room, int user, int target);
/* The user is put out of the room, or if it was not in it may not watch it from there on. */
void append_ban(int room, int user);
/* Makes one of the first PUBLIC_ROOMS private, or public again. */
void append_turn(int room);
/* Edits, deletes or reacts to one of the last messages, if there is one to be had. */
void append_about(enum event_type type);

/* Whom a reader reads for, and what it asked for. */
struct sight {
    int user;
    bool all;
    unsigned named; /* bit set of rooms */
};

bool sees_as_member(const struct sight *sight, const struct fact *fact);
/* In the journal's eyes, now: who is banned watches nothing, nobody what was before the room last
 * became public. */
bool is_shown(const struct sight *sight, const struct fact *fact);
/* What one had watched by the time of a ban, or when the room was made private, depends on how
 * fast it read. */
bool must_see(const struct sight *sight, const struct fact *fact);
/* Never what happened under a ban that still holds, or while the room was private. */
bool may_see(const struct sight *sight, const struct fact *fact);

#endif
