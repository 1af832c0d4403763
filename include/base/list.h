/* A list whose links are embedded in what it lists: added at the end, taken out anywhere.
 *
 * MODEL  a ring through `ends`; a zeroed link is in no list.
 * Floor: base. Owns nothing; a list belongs to one thread. */
#ifndef TIDINGS_BASE_LIST_H
#define TIDINGS_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *previous, *next; /* NULL: in no list */
};

struct list {
    struct link ends;
};

static inline void list_init(struct list *list)
{
    list->ends.previous = list->ends.next = &list->ends;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->ends.next == &list->ends;
}

/* NULL: the list is empty, or `link` was its last. */
static inline struct link *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->ends.next;
}

static inline struct link *list_next(const struct list *list, const struct link *link)
{
    return link->next == &list->ends ? NULL : link->next;
}

/* No error when it is in none. */
static inline void link_remove(struct link *link)
{
    if (!link->next)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->previous = link->next = NULL;
}

/* Adds it as the last, or moves it there; it may come from another list. */
static inline void list_append(struct list *list, struct link *link)
{
    link_remove(link);
    link->previous = list->ends.previous;
    link->next = &list->ends;
    list->ends.previous->next = link;
    list->ends.previous = link;
}

#endif
