#include "api/identity.h"

#include <assert.h>
#include <strings.h>

#include "api/cookie.h"
#include "api/origin.h"
#include "api/token_cache.h"
#include "base/err.h"
#include "base/logging.h"

#define BEARER "Bearer"

/* The credentials behind `Bearer`; data NULL when the header is of another scheme, as proxies
 * with a password before us have it. */
static struct span bearer_of(struct span header)
{
    const size_t len = sizeof(BEARER) - 1;

    header = span_trim(header);
    if (!header.data || header.len < len || strncasecmp(header.data, BEARER, len) != 0)
        return span_of(NULL, 0);
    if (header.len > len && header.data[len] != ' ')
        return span_of(NULL, 0);
    return span_trim(span_of(header.data + len, header.len - len));
}

static int find_in_query(const struct request *request, struct span *ret)
{
    int count;
    struct span value = request_query(request, "access_token", &count);

    if (count > 1)
        return ERR_INVALID_PARAMETER;
    *ret = count == 1 && !value.data ? span_of("", 0) : value;
    return ERR_OK;
}

int identity_find_token(const struct request *request, const struct settings *settings,
                        bool is_stream, struct span *ret_text, enum token_source *ret_source)
{
    struct span text = bearer_of(request->headers[HEADER_AUTHORIZATION]);
    enum token_source source = TOKEN_FROM_HEADER;

    if (!text.data && is_stream) {
        int err = find_in_query(request, &text);
        if (err)
            return err;
        source = TOKEN_FROM_QUERY;
    }
    if (!text.data) {
        text = cookie_find(request->headers[HEADER_COOKIE],
                           cookie_name(cookie_is_secure(settings, request->secure)));
        source = TOKEN_FROM_COOKIE;
    }
    *ret_source = text.data ? source : TOKEN_FROM_NOWHERE;
    if (text.data)
        *ret_text = text;
    return ERR_OK;
}

bool identity_needs_origin(const struct request *request, const struct settings *settings,
                           bool is_stream)
{
    switch (request->method) {
    case METHOD_GET:
    case METHOD_HEAD:
    case METHOD_OPTIONS:
        return is_stream && settings->auth_cookie_samesite == SAMESITE_NONE;
    default:
        return true;
    }
}

int identity_check_origin(const struct request *request, const struct settings *settings)
{
    struct span origin = request->headers[HEADER_ORIGIN];

    if (origin_is_own(settings, request->secure, request->headers[HEADER_HOST], origin) ||
        origin_find(&settings->http_allowed_origins, origin))
        return ERR_OK;
    return ERR_ORIGIN_NOT_ALLOWED;
}

int identity_check_access(const struct identity *identity, enum route_access access)
{
    switch (access) {
    case ACCESS_OPEN:
    case ACCESS_READ:
        return ERR_OK;
    case ACCESS_USER:
        return identity->guest ? ERR_NOT_ALLOWED : ERR_OK;
    case ACCESS_SERVICE:
    case ACCESS_ADMIN:
        return identity->service ? ERR_OK : ERR_NOT_ALLOWED;
    }
    assert(!"an access that is none");
    return ERR_NOT_ALLOWED;
}

static int verify(struct request *request, struct span text)
{
    struct desk *desk = request_desk(request);
    struct keys *keys = app_keys(desk->app);
    const char *why = NULL;
    int err;

    err = token_cache_verify(desk->tokens, keys, desk->app->settings, text, clock_wall_ms(),
                             &request_exchange(request)->identity, &why);
    keys_unref(keys);
    if (err)
        log_line(LOG_DEBUG, "token refused", "request", request->id, "why",
                 why ? why : err_text(err), NULL);
    return err;
}

int identity_check(struct request *request)
{
    const struct settings *settings = request_app(request)->settings;
    struct exchange *exchange = request_exchange(request);
    const struct route *route = exchange->route;
    enum token_source source;
    struct span text;
    int err;

    assert(!exchange->identity);
    if (route->access == ACCESS_OPEN || (route->access == ACCESS_ADMIN && request->admin))
        return ERR_OK;
    err = identity_find_token(request, settings, route->is_stream, &text, &source);
    if (err)
        return err;
    if (source == TOKEN_FROM_NOWHERE)
        return ERR_TOKEN_MISSING;
    exchange->by_cookie = source == TOKEN_FROM_COOKIE;
    if (exchange->by_cookie && identity_needs_origin(request, settings, route->is_stream))
        err = identity_check_origin(request, settings);
    if (!err)
        err = verify(request, text);
    return err ? err : identity_check_access(exchange->identity, route->access);
}

void identity_release(struct request *request)
{
    struct exchange *exchange = request_exchange(request);

    if (exchange)
        exchange->identity = identity_unref(exchange->identity);
}

void request_actor(const struct request *request, struct span room, struct actor *ret)
{
    const struct identity *identity = request_identity(request);

    assert(identity);
    *ret = (struct actor){
        .user = identity->user,
        .name = identity->name,
        .data = identity->data,
        .issued_at_s = identity->issued_at_s,
        .grants = room.data ? grants_for(identity->grants, room) : 0,
        .service = identity->service,
    };
}
