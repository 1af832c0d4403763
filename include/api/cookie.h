/* The cookie that carries a token for browsers.
 *
 * WHY    `__Host-` under https: no sibling domain can plant one there, and none over http.
 * BOUNDS COOKIE_BYTES_MAX of name and value, which is what browsers keep.
 * Floor: api. Pure. */
#ifndef TIDINGS_API_COOKIE_H
#define TIDINGS_API_COOKIE_H

#include "base/settings.h"
#include "base/span.h"

#define COOKIE_BYTES_MAX 4096
#define COOKIE_HEADER_BYTES_MAX (COOKIE_BYTES_MAX + 128)

/* True when browsers speak https with us, here or by http.public_origin. */
bool cookie_is_secure(const struct settings *settings, bool secure);
/* "tidings", "__Host-tidings". */
const char *cookie_name(bool secure);
/* The value in a Cookie header; data NULL when it is not there. Given twice it is empty, which
 * is no token: nobody can tell which is meant. */
struct span cookie_find(struct span header, const char *name);
/* The value of Set-Cookie and NUL; an empty token with max_age_s 0 clears it. ERR_FULL when
 * browsers would not keep it. */
MUST_CHECK int cookie_format(struct span token, bool secure, enum samesite samesite,
                             int64_t max_age_s, char out[COOKIE_HEADER_BYTES_MAX]);

#endif
