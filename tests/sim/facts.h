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
    int room, user; /* user: of a join or leave; else -1 */
    enum event_type type;
    int target;         /* of an edit or deletion: the message; else -1 */
    int deletion;       /* by which what it said is gone; -1: it is not */
    bool quiet;         /* a join or leave of a large room: for its user alone */
    bool member[USERS]; /* of the room, when it happened (the mover included) */
};

extern struct fact facts[EVENTS_MAX];
extern int fact_count;
extern bool members[ROOMS][USERS];
extern int64_t now_ms;

void facts_begin(uint64_t seed);
void facts_end(void);

/* 0 to below - 1. */
uint32_t rnd(uint32_t below);
/* Position in facts of an id: how many entries are at or below it. */
int position_of(struct event_id id);
struct event_id head_id(void);
/* `user` and `target` as in struct fact. */
void append(enum event_type type, int room, int user, int target);
/* Edits or deletes one of the last messages, if there is one to be had. */
void append_about(enum event_type type);

#endif
