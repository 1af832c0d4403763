/* Tokens: JWTs (RFC 7519, JWS compact form), verified and made.
 *
 * WHY    own code, since Debian's libjwt-gnutls 1.10.2 accepts RSA keys as HMAC secrets, empty
 *        keys and expired tokens. Follows RFC 8725: the algorithm belongs to the key.
 * MODEL  a struct keys is one set of keys, immutable; a reload makes a new one and swaps it.
 *        token_verify: form -> header -> key by kid and alg -> signature -> claims, in this
 *        order; JSON of the payload is parsed only after the signature is right.
 * BOUNDS TOKEN_BYTES_MAX, TOKEN_GRANTS_MAX, USER_DATA_BYTES_MAX; KEYS_MAX keys.
 * Floor: api. token_verify from any thread. */
#ifndef TIDINGS_API_TOKEN_H
#define TIDINGS_API_TOKEN_H

#include "base/settings.h"
#include "core/grant.h"

#define KEYS_MAX 64

struct keys;

/* Reads what settings names: secret, PEM file, JWKS file. Each key is bound to one algorithm
 * (HS256, RS256, ES256, EdDSA). ERR_CONFIG with `why` (at least 256 bytes) when a file cannot be
 * read, a key is unusable (RSA below 2048 bits, another curve, a secret below 32 bytes) or none
 * is left. */
MUST_CHECK int keys_new(const struct settings *settings, char *why, size_t why_size,
                        struct keys **ret);
struct keys *keys_ref(struct keys *keys);
struct keys *keys_unref(struct keys *keys);

/* What a valid token says. One allocation, immutable, refcounted. */
struct identity {
    struct span realm, user;
    struct span name;        /* data NULL: none */
    struct span data;        /* JSON object as text; data NULL: none */
    int64_t expires_at_s;    /* exp, without the leeway */
    int64_t issued_at_s;     /* iat; 0 without */
    bool service, guest;
    struct grants *grants;   /* NULL: none */
    unsigned refs;           /* atomic */
};

struct identity *identity_ref(struct identity *identity);
struct identity *identity_unref(struct identity *identity);

/* ERR_TOKEN_INVALID, ERR_TOKEN_EXPIRED, ERR_MEMORY. `*ret_why` (may be NULL): a constant text
 * for the log, never for the client beyond its meaning. `now_ms`: wall clock. */
MUST_CHECK int token_verify(struct keys *keys, const struct settings *settings, struct span text,
                            int64_t now_ms, struct identity **ret, const char **ret_why);

/* What a token is to say. */
struct token_claims {
    const char *realm, *user, *name, *scope; /* NULL: left out */
    int64_t issued_at_s, expires_at_s;
};

/* Makes an HS256 token with the configured secret; text owned by the caller (free). ERR_CONFIG
 * without a secret. */
MUST_CHECK int token_make(const struct settings *settings, const struct token_claims *claims,
                          char **ret);

#endif
