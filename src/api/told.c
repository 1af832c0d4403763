#include "api/told.h"

#include <stdlib.h>

static struct journal_gap *find(struct told *told, struct span room)
{
    for (int i = 0; told && i < told->count; i++) {
        if (span_equal(told->gaps[i].room, room))
            return &told->gaps[i];
    }
    return NULL;
}

/* NULL: out of memory; it stays as it is. */
static struct told *grow(struct told *told)
{
    int size = told ? 2 * told->size : 4;
    struct told *grown = realloc(told, sizeof(*told) + (size_t)size * sizeof(told->gaps[0]));
    if (!grown)
        return NULL;
    if (!told)
        grown->count = 0;
    grown->size = size;
    return grown;
}

void told_add(struct told **told, const struct journal_gap *gap)
{
    struct journal_gap *noted = find(*told, gap->room);
    if (noted) {
        if (event_id_compare(gap->before, noted->before) > 0)
            noted->before = gap->before;
        return;
    }
    if (!*told || (*told)->count == (*told)->size) {
        struct told *grown = grow(*told);
        if (!grown)
            return;
        *told = grown;
    }
    char *name = gap->room.data ? malloc(gap->room.len + 1) : NULL;
    if (gap->room.data && !name)
        return;
    if (name)
        memcpy(name, gap->room.data, gap->room.len);
    noted = &(*told)->gaps[(*told)->count++];
    *noted = *gap;
    noted->room = span_of(name, gap->room.len);
}

struct told *told_free(struct told *told)
{
    for (int i = 0; told && i < told->count; i++)
        free((char *)told->gaps[i].room.data);
    free(told);
    return NULL;
}
