/* Tokens that were verified lately: a client sends the same one with every request.
 *
 * MODEL  a table of fixed size, keyed by map_hash of the text; a newer token takes the place of
 *        an older one in its row of TOKEN_CACHE_WAYS. The whole text is compared and `exp` checked
 *        at each use. Everything is dropped when other keys are in force.
 * BOUNDS the entries given to token_cache_new, TOKEN_CACHE_TEXT_MAX bytes of text each; longer
 *        tokens are verified every time.
 * Floor: api. One thread. Owns copies of the texts, a ref to each identity and to the keys. */
#ifndef TIDINGS_API_TOKEN_CACHE_H
#define TIDINGS_API_TOKEN_CACHE_H

#include "api/token.h"

#define TOKEN_CACHE_ENTRIES 1024 /* for each worker */
#define TOKEN_CACHE_TEXT_MAX 2048
#define TOKEN_CACHE_WAYS 4

struct token_cache;

/* `entries`: a power of two, at least TOKEN_CACHE_WAYS. ERR_MEMORY. */
MUST_CHECK int token_cache_new(int entries, struct token_cache **ret);
struct token_cache *token_cache_free(struct token_cache *cache);
/* As token_verify, which it calls when it does not know the text. `cache` may be NULL. */
MUST_CHECK int token_cache_verify(struct token_cache *cache, struct keys *keys,
                                  const struct settings *settings, struct span text,
                                  int64_t now_ms, struct identity **ret, const char **ret_why);

#endif
