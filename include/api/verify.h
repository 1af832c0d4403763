/* Signatures of tokens.
 *
 * Floor: api. Pure, any thread. */
#ifndef TIDINGS_API_VERIFY_H
#define TIDINGS_API_VERIFY_H

#include "api/keys.h"

/* ERR_OK when one of the keys for `algorithm` and `kid` (data NULL: none given) signed `text`.
 * A key with a kid is only tried for that kid or when the token has none; a key without one
 * always. ERR_TOKEN_INVALID, `*ret_why` a constant text. */
MUST_CHECK int verify_signature(const struct keys *keys, enum key_algorithm algorithm,
                                struct span kid, struct span text, struct span signature,
                                const char **ret_why);

/* HMAC-SHA-256 of `text`: 32 bytes. ERR_MEMORY. */
#define HMAC_BYTES 32
MUST_CHECK int verify_hmac(struct span secret, struct span text, unsigned char out[HMAC_BYTES]);

#endif
