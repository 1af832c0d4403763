#include "base/deadline.h"

#include <assert.h>
#include <stddef.h>
#include <time.h>

static int64_t clock_us(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return clock_us(CLOCK_BOOTTIME);
}

int64_t clock_now_ms(void)
{
    return clock_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

void deadline_wheel_init(struct deadline_wheel *wheel, int64_t slot_ms, int64_t now_ms)
{
    assert(slot_ms > 0);
    for (int i = 0; i < DEADLINE_SLOTS; i++)
        wheel->slots[i].next = wheel->slots[i].previous = &wheel->slots[i];
    wheel->slot_ms = slot_ms;
    wheel->done_slot = now_ms / slot_ms;
}

/* The first slot that starts at or after `at_ms`, but none that is done already. */
static struct deadline *slot_of(struct deadline_wheel *wheel, int64_t at_ms)
{
    int64_t slot = (at_ms + wheel->slot_ms - 1) / wheel->slot_ms;
    if (slot <= wheel->done_slot)
        slot = wheel->done_slot + 1;
    return &wheel->slots[slot % DEADLINE_SLOTS];
}

void deadline_set(struct deadline_wheel *wheel, struct deadline *deadline, int64_t at_ms)
{
    deadline_remove(deadline);
    struct deadline *head = slot_of(wheel, at_ms);
    deadline->at_ms = at_ms;
    deadline->previous = head->previous;
    deadline->next = head;
    head->previous->next = deadline;
    head->previous = deadline;
}

void deadline_remove(struct deadline *deadline)
{
    if (!deadline->next)
        return;
    deadline->previous->next = deadline->next;
    deadline->next->previous = deadline->previous;
    deadline->next = deadline->previous = NULL;
}

struct deadline *deadline_take(struct deadline_wheel *wheel, int64_t now_ms)
{
    int64_t now_slot = now_ms / wheel->slot_ms;
    /* After a long sleep one turn is enough: every slot is looked at once. */
    if (now_slot - wheel->done_slot > DEADLINE_SLOTS)
        wheel->done_slot = now_slot - DEADLINE_SLOTS;
    while (wheel->done_slot < now_slot) {
        struct deadline *head = &wheel->slots[(wheel->done_slot + 1) % DEADLINE_SLOTS];
        for (struct deadline *at = head->next; at != head; at = at->next) {
            if (at->at_ms <= now_ms) {
                deadline_remove(at);
                return at;
            }
        }
        wheel->done_slot++;
    }
    return NULL;
}
