/* The clocks, and a wheel of deadlines for very many equal timers.
 *
 * WHY    100,000 heartbeats must not be 100,000 heap operations a second.
 * MODEL  a wheel of DEADLINE_SLOTS slots of `slot_ms`; a deadline hangs in the slot of its time
 *        as a link of a ring, and is looked at again when the wheel passes it (one further away
 *        than a turn waits for the next turn). Setting and removing cost a few instructions.
 *        A deadline fires up to one slot late, never early.
 * Floor: base. A wheel belongs to one thread. Deadlines are embedded in what they belong to. */
#ifndef TIDINGS_BASE_DEADLINE_H
#define TIDINGS_BASE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEADLINE_SLOTS 256

/* Milliseconds of a clock that never jumps and does not stop in sleep (CLOCK_BOOTTIME). */
int64_t clock_now_ms(void);
/* Microseconds of the same clock. */
int64_t clock_now_us(void);
/* Milliseconds since 1970 UTC; may jump. Only for what people and tokens read. */
int64_t clock_wall_ms(void);

struct deadline {
    struct deadline *next, *previous; /* NULL when not set */
    int64_t at_ms;                    /* clock_now_ms() */
};

struct deadline_wheel {
    struct deadline slots[DEADLINE_SLOTS]; /* heads of rings */
    int64_t slot_ms;                       /* width of a slot */
    int64_t done_slot;                     /* number of the last slot that was emptied */
};

void deadline_wheel_init(struct deadline_wheel *wheel, int64_t slot_ms, int64_t now_ms);
/* Sets or moves. */
void deadline_set(struct deadline_wheel *wheel, struct deadline *deadline, int64_t at_ms);
/* No error when it is not set. */
void deadline_remove(struct deadline *deadline);
static inline bool deadline_is_set(const struct deadline *deadline)
{
    return deadline->next != NULL;
}
/* Takes out and returns one deadline whose time has come, NULL when there is none. */
struct deadline *deadline_take(struct deadline_wheel *wheel, int64_t now_ms);

#endif
