/* Origins of pages (RFC 6454): which are the server's own, which are listed.
 *
 * WHY    compared as wholes and byte by byte: no suffixes, no case, no patterns. `null`, which
 *        any sandboxed frame can send, is nobody, even if it is listed.
 * Floor: api. Pure. */
#ifndef TIDINGS_API_ORIGIN_H
#define TIDINGS_API_ORIGIN_H

#include "base/settings.h"
#include "base/span.h"

/* The item of http.allowed_origins that `origin` is; NULL when it is none. A `*` there is none. */
const char *origin_find(const struct setting_list *allowed, struct span origin);
/* True when `*` is listed: any page may read what needs no credentials of the browser's. */
bool origin_is_open(const struct setting_list *allowed);
/* http.public_origin, or scheme and Host when it is not set. */
bool origin_is_own(const struct settings *settings, bool secure, struct span host,
                   struct span origin);
/* True when its host is localhost or a loopback address, on any port. */
bool origin_is_loopback(struct span origin);

#endif
