/* What the payload of a token says, read strictly.
 *
 * WHY    a claim of the wrong type or out of range is refused, never guessed at: `exp` as text or
 *        as 1e9 is no `exp`.
 * BOUNDS USER_NAME_BYTES_MAX, USER_DATA_BYTES_MAX, TOKEN_GRANTS_MAX; times up to the year 9999,
 *        so that one given in milliseconds is noticed.
 * Floor: api. Pure. */
#ifndef TIDINGS_API_CLAIMS_H
#define TIDINGS_API_CLAIMS_H

#include <jansson.h>

#include "api/token.h"

#define CLAIM_TIME_S_MAX 253402300799

/* `payload`: an object, borrowed. As token_verify; the identity is the caller's. */
MUST_CHECK int claims_read(const json_t *payload, const struct settings *settings, int64_t now_ms,
                           struct identity **ret, const char **ret_why);

/* True when a token with this `exp` is no longer good. */
bool claims_are_expired(int64_t expires_at_s, const struct settings *settings, int64_t now_ms);

#endif
