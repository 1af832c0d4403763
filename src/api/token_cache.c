#include "api/token_cache.h"

#include <assert.h>
#include <stdlib.h>

#include <gnutls/crypto.h>

#include "api/claims.h"
#include "base/err.h"
#include "base/map.h"

struct entry {
    uint64_t hash;             /* of text */
    char *text;                /* owned; NULL: free */
    size_t len;                /* bytes of text */
    struct identity *identity; /* ref */
};

struct token_cache {
    struct keys *keys; /* ref; those that all entries were verified with, NULL at first */
    uint64_t row_mask; /* rows - 1 */
    unsigned turn;     /* which way of a full row is given up next */
    struct entry entries[];
};

int token_cache_new(int entries, struct token_cache **ret)
{
    struct token_cache *cache;

    assert(entries >= TOKEN_CACHE_WAYS);
    assert((entries & (entries - 1)) == 0);
    cache = calloc(1, sizeof(*cache) + (size_t)entries * sizeof(struct entry));
    if (!cache)
        return ERR_MEMORY;
    cache->row_mask = (uint64_t)entries / TOKEN_CACHE_WAYS - 1;
    *ret = cache;
    return ERR_OK;
}

static size_t entry_count(const struct token_cache *cache)
{
    return (size_t)(cache->row_mask + 1) * TOKEN_CACHE_WAYS;
}

static void forget(struct entry *entry)
{
    free(entry->text);
    identity_unref(entry->identity);
    memset(entry, 0, sizeof(*entry));
}

static void forget_all(struct token_cache *cache)
{
    for (size_t i = 0; i < entry_count(cache); i++)
        forget(&cache->entries[i]);
}

struct token_cache *token_cache_free(struct token_cache *cache)
{
    if (!cache)
        return NULL;
    forget_all(cache);
    keys_unref(cache->keys);
    free(cache);
    return NULL;
}

static struct entry *row_of(struct token_cache *cache, uint64_t hash)
{
    return &cache->entries[(hash & cache->row_mask) * TOKEN_CACHE_WAYS];
}

static struct entry *find(struct token_cache *cache, struct span text, uint64_t hash)
{
    struct entry *row = row_of(cache, hash);

    for (int i = 0; i < TOKEN_CACHE_WAYS; i++) {
        if (row[i].text && row[i].hash == hash && row[i].len == text.len &&
            gnutls_memcmp(row[i].text, text.data, text.len) == 0)
            return &row[i];
    }
    return NULL;
}

/* Without memory nothing is kept, which is no error. */
static void keep(struct token_cache *cache, struct span text, uint64_t hash,
                 struct identity *identity)
{
    struct entry *row = row_of(cache, hash);
    struct entry *entry = &row[cache->turn++ % TOKEN_CACHE_WAYS];
    char *copy = malloc(text.len);

    if (!copy)
        return;
    for (int i = 0; i < TOKEN_CACHE_WAYS; i++) {
        if (!row[i].text)
            entry = &row[i];
    }
    forget(entry);
    memcpy(copy, text.data, text.len);
    *entry = (struct entry){hash, copy, text.len, identity_ref(identity)};
}

static void use_keys(struct token_cache *cache, struct keys *keys)
{
    if (cache->keys == keys)
        return;
    forget_all(cache);
    keys_unref(cache->keys);
    cache->keys = keys_ref(keys);
}

int token_cache_verify(struct token_cache *cache, struct keys *keys,
                       const struct settings *settings, struct span text, int64_t now_ms,
                       struct identity **ret, const char **ret_why)
{
    struct entry *entry;
    uint64_t hash;
    int err;

    if (!cache || text.len == 0 || text.len > TOKEN_CACHE_TEXT_MAX)
        return token_verify(keys, settings, text, now_ms, ret, ret_why);
    use_keys(cache, keys);
    hash = map_hash(text.data, text.len);
    entry = find(cache, text, hash);
    if (entry && !claims_are_expired(entry->identity->expires_at_s, settings, now_ms)) {
        *ret = identity_ref(entry->identity);
        return ERR_OK;
    }
    if (entry)
        forget(entry);
    err = token_verify(keys, settings, text, now_ms, ret, ret_why);
    if (!err)
        keep(cache, text, hash, *ret);
    return err;
}
