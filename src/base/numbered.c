#include "base/numbered.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

/* A free entry holds the next free number and 1, shifted, with the lowest bit set. */

int numbered_add(struct numbered *numbered, void *item, uint32_t *ret)
{
    assert(item);
    assert(((uintptr_t)item & 1) == 0);
    if (numbered->free) {
        uint32_t number = numbered->free - 1;
        numbered->free = (uint32_t)((uintptr_t)numbered->items[number] >> 1);
        numbered->items[number] = item;
        *ret = number;
        return 0;
    }
    if (numbered->end == numbered->size) {
        uint32_t size = numbered->size + numbered->size / 2 + 16;
        void **items = realloc(numbered->items, size * sizeof(*items));
        if (!items)
            return ERR_MEMORY;
        numbered->items = items;
        numbered->size = size;
    }
    numbered->items[numbered->end] = item;
    *ret = numbered->end++;
    return 0;
}

void numbered_remove(struct numbered *numbered, uint32_t number)
{
    assert(numbered_get(numbered, number));
    numbered->items[number] = (void *)((uintptr_t)numbered->free << 1 | 1);
    numbered->free = number + 1;
}

void numbered_fini(struct numbered *numbered)
{
    free(numbered->items);
    *numbered = (struct numbered){0};
}
