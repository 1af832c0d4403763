/* A hash table of what there are very many of: by name, through links that are embedded.
 *
 * WHY    32 bytes of an entry and 4 to 8 of buckets, where uthash (base/map.h) takes 56 and 3.
 *        Every session of a process stands in several of them.
 * MODEL  buckets -> chains of links. Equal keys may be there several times; that one is found of
 *        them is all that is promised. Taking one out does not look at the others.
 * BOUNDS none of its own. Without memory for more buckets its chains grow longer.
 * Floor: base. Owns its buckets, and them only while something is in it; a table belongs to one
 * thread. It is zeroed at first, and stays where it is while something is in it. */
#ifndef TIDINGS_BASE_TABLE_H
#define TIDINGS_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct table_link {
    struct table_link *next;
    struct table_link **at; /* where the pointer to it stands; NULL: in no table */
    const char *key;        /* set by the owner, like key_len; borrowed */
    uint32_t key_len, hash;
};

struct table {
    struct table_link **buckets; /* owned; NULL: `one` is the only bucket */
    struct table_link *one;
    uint32_t mask;  /* buckets - 1 */
    uint32_t count; /* links */
};

/* NULL: none. */
struct table_link *table_find(struct table *table, const char *key, size_t len);
void table_add(struct table *table, struct table_link *link);
void table_remove(struct table *table, struct table_link *link);
/* `next`, which has an equal key, takes the place of `link`. */
void table_replace(struct table_link *link, struct table_link *next);

/* All of them, in no order; NULL: no more. What was returned may be removed once the next one is
 * asked for. */
struct table_link *table_first(struct table *table);
struct table_link *table_next(struct table *table, const struct table_link *link);

#endif
