/* Hushes: of a room that grows large presence is told no longer, and once it has come down again
 * its people are introduced to each other.
 *
 * WHY    introducing all the people of a room costs the square of their number, and one who comes
 *        and goes at the limit could ask for it again and again.
 * MODEL
 *             large             small               interval over
 *        OFF ------> ON <-------------> WAITING -------------------> ENDING
 *         ^           ^      large                                   |    |
 *         |           +------- the last step is done, and large -----+    |
 *         +------------------- the last step is done ---------------------+
 *
 *        Whatever happens within the interval is folded: a room that is large again before its
 *        turn introduces nobody. ENDING goes step by step, in slices.
 *        The interval is the same for all, so one list in order of time is all the timers.
 * BOUNDS one ending of a room in `interval_ms`; steps of one tick by its budget.
 * Floor: core. Pure: time is an argument. One thread. A hush is the caller's memory, zeroed, and
 * removed before it goes. */
#ifndef TIDINGS_CORE_HUSH_H
#define TIDINGS_CORE_HUSH_H

#include <stdint.h>

#include "base/list.h"

enum hush_state { HUSH_OFF, HUSH_ON, HUSH_WAITING, HUSH_ENDING };

struct hush {
    struct link queued; /* WAITING, ENDING */
    int64_t due_ms;     /* WAITING: when it is to end */
    uint8_t state;      /* enum hush_state */
    bool large;         /* as set last */
};

struct hushes;

struct hush_ops {
    /* From now on nothing is told, whether that was so before or it was ENDING. */
    void (*on_begin)(struct hushes *hushes, struct hush *hush);
    /* The next step of an ending. True: it was the last. Adds its cost. */
    bool (*on_step)(struct hushes *hushes, struct hush *hush, int64_t *cost);
    void (*on_end)(struct hushes *hushes, struct hush *hush);
};

/* `ops` and the interval are set by the caller. The hush may go within on_begin and on_end, and
 * any other at any call. */
struct hushes {
    const struct hush_ops *ops;
    int64_t interval_ms;
    struct list waiting, ending;
};

void hushes_init(struct hushes *hushes);
/* The room is large, or is not, by now. */
void hush_set(struct hushes *hushes, struct hush *hush, bool large, int64_t now_ms);
/* Forgets it, whatever its state, untold. */
void hush_remove(struct hush *hush);

/* Ends what has become due, until the costs reach the budget. */
void hushes_tick(struct hushes *hushes, int64_t now_ms, int64_t budget);
/* Milliseconds until the next tick has something to do: 0 now; -1: never. */
int64_t hushes_due_in(const struct hushes *hushes, int64_t now_ms);

#endif
