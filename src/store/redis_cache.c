#include "store/redis_cache.h"

#include <stdlib.h>

#include "base/map.h"

#define NAME_BYTES_MAX 1024 /* of a key and a field; what is longer is not remembered */

struct entry {
    UT_hash_handle hh;
    struct span value; /* owned, unless it is in `text`; data NULL: there is none */
    size_t name_len, size;
    char text[]; /* key NUL field value */
};

struct redis_cache {
    struct entry *entries;
    size_t bytes, bytes_max;
};

struct redis_cache *redis_cache_new(size_t bytes_max)
{
    struct redis_cache *cache = calloc(1, sizeof(*cache));
    if (cache)
        cache->bytes_max = bytes_max;
    return cache;
}

struct redis_cache *redis_cache_free(struct redis_cache *cache)
{
    if (cache)
        redis_cache_clear(cache);
    free(cache);
    return NULL;
}

void redis_cache_clear(struct redis_cache *cache)
{
    struct entry *entry, *next;
    HASH_ITER(hh, cache->entries, entry, next)
    {
        HASH_DELETE(hh, cache->entries, entry);
        free(entry);
    }
    cache->bytes = 0;
}

/* Writes the name of an entry; its length, or 0: too long. */
static size_t put_name(char out[NAME_BYTES_MAX], struct span key, struct span field)
{
    if (key.len + field.len + 1 > NAME_BYTES_MAX)
        return 0;
    memcpy(out, key.data, key.len);
    out[key.len] = 0;
    if (field.len)
        memcpy(out + key.len + 1, field.data, field.len);
    return key.len + 1 + field.len;
}

static struct entry *find(const struct redis_cache *cache, const char *name, size_t len)
{
    struct entry *entry = NULL;
    if (len)
        HASH_FIND(hh, cache->entries, name, len, entry);
    return entry;
}

bool redis_cache_get(const struct redis_cache *cache, struct span key, struct span field,
                     struct span *ret)
{
    char name[NAME_BYTES_MAX];
    const struct entry *entry = find(cache, name, put_name(name, key, field));
    if (entry)
        *ret = entry->value;
    return entry != NULL;
}

static size_t bytes_of(const struct entry *entry)
{
    return sizeof(*entry) + entry->name_len + entry->size;
}

static void drop(struct redis_cache *cache, struct entry *entry)
{
    cache->bytes -= bytes_of(entry);
    HASH_DELETE(hh, cache->entries, entry);
    free(entry);
}

static void value_set(struct entry *entry, struct span value)
{
    char *data = entry->text + entry->name_len;
    entry->value = (struct span){0};
    if (!value.data)
        return;
    if (value.len)
        memcpy(data, value.data, value.len);
    entry->value = span_of(data, value.len);
}

static void add(struct redis_cache *cache, const char *name, size_t len, struct span value)
{
    size_t size = value.len + value.len / 4; /* it may grow a little */
    struct entry *entry = malloc(sizeof(*entry) + len + size);
    if (!entry)
        return;
    *entry = (struct entry){.name_len = len, .size = size};
    memcpy(entry->text, name, len);
    value_set(entry, value);
    if (cache->bytes + bytes_of(entry) > cache->bytes_max)
        redis_cache_clear(cache);
    if (bytes_of(entry) > cache->bytes_max) {
        free(entry);
        return;
    }
    HASH_ADD_KEYPTR(hh, cache->entries, entry->text, entry->name_len, entry);
    if (!entry->hh.tbl) { /* no memory for the table */
        free(entry);
        return;
    }
    cache->bytes += bytes_of(entry);
}

void redis_cache_put(struct redis_cache *cache, struct span key, struct span field,
                     struct span value)
{
    char name[NAME_BYTES_MAX];
    size_t len = put_name(name, key, field);
    if (len == 0)
        return;
    struct entry *entry = find(cache, name, len);
    if (entry && value.len <= entry->size) {
        value_set(entry, value);
        return;
    }
    if (entry)
        drop(cache, entry);
    add(cache, name, len, value);
}

void redis_cache_drop(struct redis_cache *cache, struct span key, struct span field)
{
    char name[NAME_BYTES_MAX];
    struct entry *entry = find(cache, name, put_name(name, key, field));
    if (entry)
        drop(cache, entry);
}
