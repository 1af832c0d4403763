/* Pointers by number, so that a reference takes four bytes.
 *
 * MODEL  an array, in which the free entries are a list; their numbers are used again.
 * BOUNDS those of its owner.
 * Floor: base. Owns the array, not what is in it; belongs to one thread. Zeroed at first. */
#ifndef TIDINGS_BASE_NUMBERED_H
#define TIDINGS_BASE_NUMBERED_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct numbered {
    void **items;             /* owned; of a free entry the next one's number, as below */
    uint32_t end, size, free; /* of the free list: the number and 1, 0: empty */
};

void numbered_fini(struct numbered *numbered);
/* ERR_MEMORY. */
MUST_CHECK int numbered_add(struct numbered *numbered, void *item, uint32_t *ret);
void numbered_remove(struct numbered *numbered, uint32_t number);
/* NULL: the number is free. */
static inline void *numbered_get(const struct numbered *numbered, uint32_t number)
{
    /* What is in use is even. */
    if (number >= numbered->end || ((uintptr_t)numbered->items[number] & 1))
        return NULL;
    return numbered->items[number];
}

#endif
