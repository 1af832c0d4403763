/* Room stats: how many are in large rooms, told now and then.
 *
 * WHY    in a large room nobody is told of each other; how many they are is told instead, and must
 *        cost little however often it changes.
 * MODEL  a room is known here from a change on, until `interval_ms` have passed without another:
 *
 *            change          changes            interval over
 *        none -----> told ----------> told, ------------------> told again, if the numbers are
 *          ^          |               changed                   others than those told last
 *          +----------+ interval over without a change
 *
 *        The interval is the same for all, so one list in order of time is all the timers: only
 *        rooms that have changed are looked at.
 * BOUNDS the rooms that have changed within an interval. Without memory a change is left out.
 * Floor: core. Pure: time is an argument. On one thread. */
#ifndef TIDINGS_CORE_ROOM_STATS_H
#define TIDINGS_CORE_ROOM_STATS_H

#include "base/attr.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/span.h"

struct room_numbers {
    int64_t members, online, watchers;
};

struct stats_room {
    UT_hash_handle hh; /* by realm NUL room */
    struct link paced; /* by looked_ms */
    int64_t looked_ms;
    bool changed; /* since then */
    bool told;    /* `numbers` were */
    struct room_numbers numbers;
    int64_t members; /* as last noted; below 0: not known */
    char key[];
};

struct room_stats_ops {
    /* The numbers now; `members` as noted, below 0: not known. False: they are not to be told. */
    bool (*read)(void *context, struct span realm, struct span room, int64_t members,
                 struct room_numbers *ret);
    void (*tell)(void *context, struct span realm, struct span room,
                 const struct room_numbers *numbers);
};

/* `ops`, its context and the interval are set by the caller. Neither may call back. */
struct room_stats {
    const struct room_stats_ops *ops;
    void *context;
    int64_t interval_ms;
    struct stats_room *rooms;
    struct list paced;
};

void room_stats_init(struct room_stats *stats);
void room_stats_fini(struct room_stats *stats);

/* Something has changed. `members` below 0: not known here. */
void room_stats_note(struct room_stats *stats, struct span realm, struct span room, int64_t members,
                     int64_t now_ms);
/* Is it looked at, or was it within the last interval? */
bool room_stats_knows(struct room_stats *stats, struct span realm, struct span name);
/* It has so many members by now, which is no change to be told. */
void room_stats_count(struct room_stats *stats, struct span realm, struct span room,
                      int64_t members);
/* It had so many when somebody looked: counts if nobody knows otherwise. */
void room_stats_learn(struct room_stats *stats, struct span realm, struct span room,
                      int64_t members, int64_t now_ms);
/* Looks at what has become due. */
void room_stats_tick(struct room_stats *stats, int64_t now_ms);
/* When the next tick has something to do; -1: never. */
int64_t room_stats_due_ms(const struct room_stats *stats);

#endif
