#include "api/told.h"

#include <stdlib.h>

static struct journal_gap *find(struct told *told, struct span room)
{
    for (int i = 0; i < told->count; i++) {
        if (span_equal(told->gaps[i].room, room))
            return &told->gaps[i];
    }
    return NULL;
}

static struct journal_gap *add(struct told *told)
{
    if (told->count == told->size) {
        int size = told->size ? 2 * told->size : 4;
        struct journal_gap *gaps = realloc(told->gaps, (size_t)size * sizeof(*gaps));
        if (!gaps)
            return NULL;
        told->gaps = gaps;
        told->size = size;
    }
    return &told->gaps[told->count];
}

void told_add(struct told *told, const struct journal_gap *gap)
{
    struct journal_gap *noted = find(told, gap->room);
    if (noted) {
        if (event_id_compare(gap->before, noted->before) > 0)
            noted->before = gap->before;
        return;
    }
    noted = add(told);
    char *name = noted && gap->room.data ? malloc(gap->room.len + 1) : NULL;
    if (!noted || (gap->room.data && !name))
        return;
    if (name)
        memcpy(name, gap->room.data, gap->room.len);
    *noted = *gap;
    noted->room = span_of(name, gap->room.len);
    told->count++;
}

void told_clear(struct told *told)
{
    for (int i = 0; i < told->count; i++)
        free((char *)told->gaps[i].room.data);
    free(told->gaps);
    *told = (struct told){NULL, 0, 0};
}
