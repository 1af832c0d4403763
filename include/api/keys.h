/* What a struct keys is made of: for the verifier and for the readers of key files.
 *
 * WHY    each key is bound to one algorithm when it is read; a token only chooses among keys.
 * MODEL  filled by keys_new alone, immutable afterwards.
 * BOUNDS KEYS_MAX keys, KEY_FILE_BYTES_MAX of a file, KEY_SECRET_BYTES_MAX of a secret.
 * Floor: api. */
#ifndef TIDINGS_API_KEYS_H
#define TIDINGS_API_KEYS_H

#include <gnutls/abstract.h>

#include "api/token.h"

#define KEY_FILE_BYTES_MAX 1048576
#define KEY_SECRET_BYTES_MIN 32
#define KEY_SECRET_BYTES_MAX 1024
#define KEY_RSA_BITS_MIN 2048
#define KEY_RSA_BITS_MAX 8192

enum key_algorithm { KEY_HS256, KEY_RS256, KEY_ES256, KEY_EDDSA, KEY_ALGORITHM_COUNT };

struct key {
    enum key_algorithm algorithm;
    struct span kid;             /* owned; data NULL: none, fits any token's kid */
    unsigned char *secret;       /* owned, HS256 only */
    size_t secret_len;           /* bytes */
    gnutls_pubkey_t public_key;  /* owned, all others */
};

struct keys {
    unsigned refs; /* atomic */
    int count;
    struct key items[KEYS_MAX];
};

/* Where a message for the operator goes, and what it speaks of. */
struct key_source {
    const char *name; /* of the file or the setting */
    char *why;
    size_t why_size;
};

/* "HS256", "RS256", "ES256", "EdDSA". Static. */
const char *key_algorithm_name(enum key_algorithm algorithm);
/* ERR_INVALID_FIELD for every other text, `none` among them. */
MUST_CHECK int key_algorithm_parse(struct span text, enum key_algorithm *ret);

/* Writes "NAME: …" into source->why. */
void key_explain(const struct key_source *source, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same, and gives ERR_CONFIG. */
#define key_refuse(...) (key_explain(__VA_ARGS__), ERR_CONFIG)
/* Both copy what they are given. ERR_CONFIG with why, ERR_MEMORY. */
MUST_CHECK int keys_add_secret(struct keys *keys, struct span secret, struct span kid,
                               const struct key_source *source);
/* Takes `public_key` over, on failure too. Its kind decides the algorithm. */
MUST_CHECK int keys_add_public(struct keys *keys, gnutls_pubkey_t public_key, struct span kid,
                               const struct key_source *source);
/* Adds the usable keys of a JWKS (RFC 7517). Keys of other kinds, uses and algorithms are left
 * out; one that is meant for us and is unusable refuses the whole. */
MUST_CHECK int keys_add_jwks(struct keys *keys, struct span text,
                             const struct key_source *source);
/* Adds every PUBLIC KEY and CERTIFICATE of a PEM file; other blocks are refused. */
MUST_CHECK int keys_add_pem(struct keys *keys, struct span text,
                            const struct key_source *source);

/* The secret that settings name, auth.secret before auth.secret_file; owned by the caller (free,
 * ended by NUL). ERR_CONFIG with why; `*ret` NULL when none is configured. */
MUST_CHECK int keys_read_secret(const struct settings *settings, char *why, size_t why_size,
                                char **ret);

#endif
