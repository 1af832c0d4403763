/* base64url without padding (RFC 4648 section 5), as JWS has it.
 *
 * WHY    strict: one value has one spelling, so that no two texts are the same token.
 * Floor: api. Pure. */
#ifndef TIDINGS_API_BASE64URL_H
#define TIDINGS_API_BASE64URL_H

#include "base/span.h"

/* Bytes that a text of `len` can decode to, at most. */
#define BASE64URL_DECODED_MAX(len) ((len) / 4 * 3 + 3)
/* Characters of `len` bytes, exactly. */
#define BASE64URL_ENCODED(len) (((len) * 4 + 2) / 3)

/* `out` has room for BASE64URL_DECODED_MAX bytes. ERR_INVALID_FIELD for padding, characters
 * outside the alphabet, an impossible length, and unused bits that are not zero. */
MUST_CHECK int base64url_decode(struct span text, unsigned char *out, size_t *ret_len);
/* Writes BASE64URL_ENCODED(len) characters, no NUL; returns how many. */
size_t base64url_encode(const void *data, size_t len, char *out);

#endif
