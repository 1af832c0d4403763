#include "api/cors.h"

#include "api/origin.h"
#include "api/routes.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

static const struct answer_header preflight_headers[] = {
    {"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE"},
    {"Access-Control-Allow-Headers", "Authorization, Content-Type, Content-Encoding, "
                                     "Last-Event-ID, If-Match, X-Tidings-Session"},
    {"Access-Control-Max-Age", TEXT(CORS_MAX_AGE_S)},
};

const char *cors_allow_origin(const struct setting_list *allowed, struct span origin,
                              bool *ret_credentials)
{
    const char *listed = origin_find(allowed, origin);

    *ret_credentials = listed != NULL;
    if (listed || !origin.data)
        return listed;
    return origin_is_open(allowed) ? "*" : NULL;
}

bool cors_answer_preflight(struct request *request)
{
    const struct setting_list *allowed = &request_app(request)->settings->http_allowed_origins;
    struct answer answer = {.status = 204};
    bool credentials;

    if (request->method != METHOD_OPTIONS || !request->headers[HEADER_ORIGIN].data ||
        !request->headers[HEADER_REQUEST_METHOD].data)
        return false;
    if (cors_allow_origin(allowed, request->headers[HEADER_ORIGIN], &credentials)) {
        answer.headers = preflight_headers;
        answer.header_count = (int)array_count(preflight_headers);
    }
    request_answer(request, &answer);
    return true;
}

static void add_cors(struct request *request)
{
    const struct setting_list *allowed = &request_app(request)->settings->http_allowed_origins;
    bool credentials;
    const char *origin =
        cors_allow_origin(allowed, request->headers[HEADER_ORIGIN], &credentials);

    request_add_header(request, "Vary", "Origin");
    if (!origin)
        return;
    request_add_header(request, "Access-Control-Allow-Origin", origin);
    if (credentials)
        request_add_header(request, "Access-Control-Allow-Credentials", "true");
    request_add_header(request, "Access-Control-Expose-Headers",
                       "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
                       "X-Request-Id, Location");
}

/* Pages may be kept, and streams say more than `no-store`: both have a Cache-Control already. */
static bool says_itself(const struct request *request, int status)
{
    const struct exchange *exchange = request_exchange(request);

    if (!exchange || !exchange->route || status >= 400)
        return false;
    return exchange->route->handle == assets_get || exchange->route->handle == subscribe_get;
}

void cors_on_answer(struct request *request, int status)
{
    add_cors(request);
    request_add_header(request, "X-Content-Type-Options", "nosniff");
    request_add_header(request, "Referrer-Policy", "no-referrer");
    if (!says_itself(request, status))
        request_add_header(request, "Cache-Control", "no-store");
}
