#include "base/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define CHAIN_LINKS_MAX 2 /* on average, before the buckets are doubled */

static struct table_link **bucket_of(struct table *table, uint32_t hash)
{
    return table->buckets ? &table->buckets[hash & table->mask] : &table->one;
}

static void put(struct table *table, struct table_link *link)
{
    struct table_link **bucket = bucket_of(table, link->hash);
    link->next = *bucket;
    link->at = bucket;
    if (link->next)
        link->next->at = &link->next;
    *bucket = link;
}

static void take(struct table_link *link)
{
    *link->at = link->next;
    if (link->next)
        link->next->at = link->at;
}

static void grow(struct table *table)
{
    struct table old = *table;
    uint32_t size = 2 * (table->mask + 1);
    struct table_link **buckets = calloc(size, sizeof(struct table_link *));
    if (!buckets)
        return;
    table->buckets = buckets;
    table->mask = size - 1;
    for (uint32_t i = 0; i <= old.mask; i++) {
        struct table_link *next = *bucket_of(&old, i);
        while (next) {
            struct table_link *link = next;
            next = link->next;
            put(table, link);
        }
    }
    free(old.buckets);
}

struct table_link *table_find(struct table *table, const char *key, size_t len)
{
    if (table->count == 0)
        return NULL;
    uint32_t hash = (uint32_t)map_hash(key, len);
    struct table_link *link = *bucket_of(table, hash);
    while (link && (link->hash != hash || link->key_len != len || memcmp(link->key, key, len) != 0))
        link = link->next;
    return link;
}

void table_add(struct table *table, struct table_link *link)
{
    assert(!link->at);
    link->hash = (uint32_t)map_hash(link->key, link->key_len);
    if (table->count / CHAIN_LINKS_MAX > table->mask)
        grow(table);
    put(table, link);
    table->count++;
}

void table_remove(struct table *table, struct table_link *link)
{
    assert(link->at);
    assert(table->count > 0);
    take(link);
    link->next = NULL;
    link->at = NULL;
    if (--table->count > 0)
        return;
    free(table->buckets);
    *table = (struct table){0};
}

void table_replace(struct table_link *link, struct table_link *next)
{
    assert(link->at);
    assert(!next->at);
    next->next = link->next;
    next->at = link->at;
    next->hash = link->hash;
    *next->at = next;
    if (next->next)
        next->next->at = &next->next;
    link->next = NULL;
    link->at = NULL;
}

struct table_link *table_first(struct table *table)
{
    for (uint32_t i = 0; table->count > 0 && i <= table->mask; i++) {
        struct table_link *link = *bucket_of(table, i);
        if (link)
            return link;
    }
    return NULL;
}

struct table_link *table_next(struct table *table, const struct table_link *link)
{
    if (link->next)
        return link->next;
    for (uint32_t i = (link->hash & table->mask) + 1; i <= table->mask; i++) {
        struct table_link *first = *bucket_of(table, i);
        if (first)
            return first;
    }
    return NULL;
}
