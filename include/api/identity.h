/* Who a request comes from: its token, found, verified, and held against its route.
 *
 * MODEL  Authorization: Bearer, then `access_token` (streams only), then the cookie. The first
 *        that is there counts, even if it is bad: what was given on purpose wins over what the
 *        browser sends along.
 * Floor: api. On the worker's thread. */
#ifndef TIDINGS_API_IDENTITY_H
#define TIDINGS_API_IDENTITY_H

#include "api/routes.h"

enum token_source { TOKEN_FROM_NOWHERE, TOKEN_FROM_HEADER, TOKEN_FROM_QUERY, TOKEN_FROM_COOKIE };

/* Sets exchange.identity and exchange.by_cookie of a request whose route is known, and checks
 * access and, for cookies, the origin. ERR_TOKEN_MISSING, ERR_TOKEN_INVALID, ERR_TOKEN_EXPIRED,
 * ERR_NOT_ALLOWED, ERR_ORIGIN_NOT_ALLOWED, ERR_INVALID_PARAMETER, ERR_MEMORY: to be answered. */
MUST_CHECK int identity_check(struct request *request);
/* Lets go of the identity; for http_app.on_end. Repeats are fine, so is a request without route. */
void identity_release(struct request *request);

/* The pure parts. */
/* Where the token stands; TOKEN_FROM_NOWHERE leaves `*ret_text`. ERR_INVALID_PARAMETER when
 * `access_token` is given twice. */
MUST_CHECK int identity_find_token(const struct request *request, const struct settings *settings,
                                   bool is_stream, struct span *ret_text,
                                   enum token_source *ret_source);
/* True when a request that authenticates by cookie must name an origin of ours. */
bool identity_needs_origin(const struct request *request, const struct settings *settings,
                           bool is_stream);
/* ERR_OK or ERR_ORIGIN_NOT_ALLOWED: the origin must be there and be our own or a listed one. */
MUST_CHECK int identity_check_origin(const struct request *request,
                                     const struct settings *settings);
/* ERR_OK or ERR_NOT_ALLOWED. */
MUST_CHECK int identity_check_access(const struct identity *identity, enum route_access access);

#endif
