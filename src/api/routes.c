#include "api/routes.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>

#include "api/assets.h"
#include "api/cors.h"
#include "api/identity.h"
#include "api/rates.h"
#include "api/refusal.h"
#include "base/err.h"
#include "core/ident.h"

#define ROOM "/v1/rooms/{room}"
#define SUBSCRIPTION "/v1/presence/subscriptions/{user}"

static const struct route routes[] = {
    {METHOD_GET, "/v1/events", subscribe_get, ACCESS_READ, RATE_STREAMS, true, true},
    {METHOD_GET, "/v1/poll", poll_get, ACCESS_READ, RATE_REQUESTS, true},
    {METHOD_GET, "/v1/sync", sync_get, ACCESS_READ, RATE_REQUESTS},

    {METHOD_GET, "/v1/rooms", rooms_get, ACCESS_READ, RATE_REQUESTS},
    {METHOD_POST, "/v1/rooms", rooms_post, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, ROOM, room_get, ACCESS_READ, RATE_REQUESTS},
    {METHOD_PUT, ROOM, room_put, ACCESS_USER, RATE_REQUESTS},
    {METHOD_DELETE, ROOM, room_delete, ACCESS_USER, RATE_REQUESTS},
    {METHOD_POST, ROOM "/join", room_join, ACCESS_USER, RATE_REQUESTS},
    {METHOD_POST, ROOM "/leave", room_leave, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, ROOM "/members", members_get, ACCESS_READ, RATE_REQUESTS},
    {METHOD_POST, ROOM "/members", members_post, ACCESS_USER, RATE_REQUESTS},
    {METHOD_PUT, ROOM "/members/{user}", member_put, ACCESS_USER, RATE_REQUESTS},
    {METHOD_DELETE, ROOM "/members/{user}", member_delete, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, ROOM "/bans", bans_get, ACCESS_READ, RATE_REQUESTS},
    {METHOD_PUT, ROOM "/bans/{user}", ban_put, ACCESS_USER, RATE_REQUESTS},
    {METHOD_DELETE, ROOM "/bans/{user}", ban_delete, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, ROOM "/messages", messages_get, ACCESS_READ, RATE_REQUESTS},
    {METHOD_POST, ROOM "/messages", messages_post, ACCESS_USER, RATE_MESSAGES},
    {METHOD_GET, ROOM "/messages/{message}", message_get, ACCESS_READ, RATE_REQUESTS},
    {METHOD_PATCH, ROOM "/messages/{message}", message_patch, ACCESS_USER, RATE_REQUESTS},
    {METHOD_DELETE, ROOM "/messages/{message}", message_delete, ACCESS_USER, RATE_REQUESTS},
    {METHOD_PUT, ROOM "/messages/{message}/reactions/{key}", reaction_put, ACCESS_USER,
     RATE_REQUESTS},
    {METHOD_DELETE, ROOM "/messages/{message}/reactions/{key}", reaction_delete, ACCESS_USER,
     RATE_REQUESTS},
    {METHOD_POST, ROOM "/events", events_post, ACCESS_USER, RATE_MESSAGES},
    {METHOD_POST, ROOM "/typing", room_typing_post, ACCESS_USER, RATE_TYPING},
    {METHOD_GET, ROOM "/here", room_here_get, ACCESS_READ, RATE_REQUESTS},
    {METHOD_PUT, ROOM "/here", room_here_put, ACCESS_USER, RATE_REQUESTS},
    {METHOD_DELETE, ROOM "/here", room_here_delete, ACCESS_USER, RATE_REQUESTS},
    {METHOD_POST, "/v1/direct/{user}", direct_post, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, "/v1/blocks", blocks_get, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, "/v1/blocks/{user}", block_get, ACCESS_USER, RATE_REQUESTS},
    {METHOD_PUT, "/v1/blocks/{user}", block_put, ACCESS_USER, RATE_REQUESTS},
    {METHOD_DELETE, "/v1/blocks/{user}", block_delete, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, ROOM "/presence", room_presence_get, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, "/v1/presence", presence_get, ACCESS_USER, RATE_REQUESTS},
    {METHOD_PUT, "/v1/presence", presence_put, ACCESS_USER, RATE_REQUESTS},
    {METHOD_PUT, SUBSCRIPTION, subscription_put, ACCESS_USER, RATE_REQUESTS},
    {METHOD_DELETE, SUBSCRIPTION, subscription_delete, ACCESS_USER, RATE_REQUESTS},
    {METHOD_POST, ROOM "/read", room_read, ACCESS_USER, RATE_REQUESTS},
    {METHOD_GET, "/v1/unread", unread_get, ACCESS_READ, RATE_REQUESTS},
    {METHOD_POST, "/v1/acks", acks_post, ACCESS_USER, RATE_REQUESTS},
    {METHOD_POST, "/v1/batch", batch_post, ACCESS_USER, RATE_NONE},

    {METHOD_POST, "/v1/session", session_post, ACCESS_READ, RATE_REQUESTS},
    {METHOD_DELETE, "/v1/session", session_delete_cookie, ACCESS_OPEN, RATE_REQUESTS},
    {METHOD_DELETE, "/v1/session/{session}", session_delete, ACCESS_READ, RATE_REQUESTS},
    {METHOD_POST, "/v1/session/{session}/token", session_token_post, ACCESS_READ, RATE_REQUESTS},
    {METHOD_POST, "/v1/dev/token", dev_token_post, ACCESS_OPEN, RATE_REQUESTS},

    {METHOD_GET, "/healthz", health_get, ACCESS_OPEN, RATE_NONE},
    {METHOD_GET, "/readyz", ready_get, ACCESS_OPEN, RATE_NONE},
    {METHOD_GET, "/metrics", metrics_get, ACCESS_ADMIN, RATE_NONE},
    {METHOD_GET, "/v1/stats", stats_get, ACCESS_ADMIN, RATE_REQUESTS},
    {METHOD_GET, "/openapi.json", assets_get, ACCESS_OPEN, RATE_NONE},
    {METHOD_GET, "/", assets_get, ACCESS_OPEN, RATE_NONE},
    {.pattern = NULL},
};

/* Any other page of `www/`. */
static const struct route page_route = {METHOD_GET, "/{page}", assets_get, ACCESS_OPEN, RATE_NONE};

/* By enum method; OPTIONS and what is none of ours stand in no row. */
static const char *const method_names[] = {
    [METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT", [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
};

const struct route *routes_table(void)
{
    return routes;
}

const struct route *routes_find(enum method method, const char *pattern)
{
    for (const struct route *route = routes; route->pattern; route++) {
        if (route->method == method && strcmp(route->pattern, pattern) == 0)
            return route;
    }
    return NULL;
}

void routes_print(FILE *out)
{
    for (const struct route *route = routes; route->pattern; route++)
        fprintf(out, "%s %s\n", method_names[route->method], route->pattern);
}

/* Finding the route */

bool route_matches(const char *pattern, struct span path, struct span ret[ROUTE_PARAMETERS_MAX])
{
    struct span pattern_rest = span_text(pattern), path_rest = path;
    int count = 0;
    while (pattern_rest.data && path_rest.data) {
        struct span expected = span_cut(&pattern_rest, '/');
        struct span segment = span_cut(&path_rest, '/');
        if (expected.len && expected.data[0] == '{') {
            assert(count < ROUTE_PARAMETERS_MAX);
            if (segment.len == 0)
                return false;
            if (ret)
                ret[count] = segment;
            count++;
        } else if (!span_equal(expected, segment)) {
            return false;
        }
    }
    return !pattern_rest.data && !path_rest.data;
}

static bool takes_method(const struct route *route, enum method method)
{
    return route->method == method ||
           (method == METHOD_HEAD && route->method == METHOD_GET && !route->is_stream);
}

/* What may be done at a path. */
struct methods {
    bool allowed[METHOD_OTHER + 1];
    int count;
};

static void methods_add(struct methods *methods, const struct route *route)
{
    methods->allowed[route->method] = true;
    if (takes_method(route, METHOD_HEAD))
        methods->allowed[METHOD_HEAD] = true;
    methods->count++;
}

/* NULL when no row has the path and the method; `methods` then has the methods of the path. */
static const struct route *find_route(const struct request *request, struct methods *methods,
                                      struct span parameters[ROUTE_PARAMETERS_MAX])
{
    for (const struct route *route = routes; route->pattern; route++) {
        if (!route_matches(route->pattern, request->path, parameters))
            continue;
        if (takes_method(route, request->method))
            return route;
        methods_add(methods, route);
    }
    if (methods->count > 0 || !assets_find(request->path))
        return NULL;
    if (takes_method(&page_route, request->method))
        return &page_route;
    methods_add(methods, &page_route);
    return NULL;
}

static void answer_methods(struct request *request, const struct methods *methods)
{
    char text[64] = "";
    for (size_t i = 0; i < array_count(method_names); i++) {
        if (!methods->allowed[i])
            continue;
        if (*text)
            strcat(text, ", ");
        strcat(text, method_names[i]);
    }
    struct answer_header allow = {"Allow", text};
    struct problem_detail detail = {.headers = &allow, .header_count = 1};
    struct answer answer = {.status = 204, .headers = &allow, .header_count = 1};
    if (request->method == METHOD_OPTIONS)
        request_answer(request, &answer);
    else
        problem_answer(request, ERR_METHOD_NOT_ALLOWED, &detail);
}

/* Names in the path */

static const struct {
    const char *brace; /* as patterns have it */
    const char *field; /* as clients know it */
    bool (*is_valid)(struct span text);
} parameter_kinds[] = {
    {"{room}", "roomId", ident_is_valid},
    {"{user}", "userId", ident_is_user},
    {"{message}", "messageId", ident_is_message},
    {"{session}", "sessionId", ident_is_valid},
    {"{key}", "key", ident_is_reaction},
};

static size_t parameter_kind(struct span brace)
{
    size_t i = 0;
    while (i < array_count(parameter_kinds) && !span_is(brace, parameter_kinds[i].brace))
        i++;
    return i;
}

const char *route_field(struct span brace)
{
    size_t kind = parameter_kind(brace);
    return kind < array_count(parameter_kinds) ? parameter_kinds[kind].field : NULL;
}

bool route_takes(struct span brace, struct span text)
{
    size_t kind = parameter_kind(brace);
    return kind < array_count(parameter_kinds) && parameter_kinds[kind].is_valid(text);
}

static int decode_parameter(struct request *request, struct span brace, struct span *parameter,
                            const char **ret_field)
{
    struct span decoded;
    if (!route_field(brace))
        return 0; /* {page}: assets.c compares it as it is */
    int err = http_unescape(&request->arena, *parameter, &decoded);
    if (err == ERR_MEMORY)
        return err;
    *ret_field = route_field(brace);
    if (err != 0 || !route_takes(brace, decoded))
        return ERR_INVALID_IDENTIFIER;
    *parameter = decoded;
    return 0;
}

static int decode_parameters(struct request *request, struct exchange *exchange,
                             const char **ret_field)
{
    int count = 0;
    for (struct span rest = span_text(exchange->route->pattern); rest.data;) {
        struct span segment = span_cut(&rest, '/');
        if (segment.len == 0 || segment.data[0] != '{')
            continue;
        int err = decode_parameter(request, segment, &exchange->parameters[count++], ret_field);
        if (err != 0)
            return err;
    }
    return 0;
}

/* Refusing */

static void refuse(struct request *request, int err, const struct problem_detail *detail)
{
    if (request_exchange(request)->route->is_events)
        refusal_answer(request, err, detail);
    else
        problem_answer(request, err, detail);
}

/* The steps */

static bool has_body(const struct route *route)
{
    return route->method != METHOD_GET && route->method != METHOD_HEAD;
}

/* `application/json`, whatever parameters follow. */
static bool is_json(struct span type)
{
    struct span name = span_trim(span_cut(&type, ';'));
    return name.len == strlen("application/json") &&
           strncasecmp(name.data, "application/json", name.len) == 0;
}

/* False when it has refused. */
static bool check_request(struct request *request)
{
    struct exchange *exchange = request_exchange(request);
    struct problem_detail detail = {NULL};
    int err = identity_check(request);
    if (err != 0) {
        refuse(request, err, NULL);
        return false;
    }
    if (!rates_take_for_route(request))
        return false;
    err = decode_parameters(request, exchange, &detail.field);
    if (err != 0)
        refuse(request, err, &detail);
    return err == 0;
}

void routes_on_head(struct request *request)
{
    struct methods methods = {0};
    if (cors_answer_preflight(request))
        return;
    struct exchange *exchange = arena_alloc(&request->arena, sizeof(*exchange));
    if (!exchange) {
        problem_answer(request, ERR_MEMORY, NULL);
        return;
    }
    exchange->route = find_route(request, &methods, exchange->parameters);
    if (!exchange->route && methods.count > 0) {
        answer_methods(request, &methods);
        return;
    }
    if (!exchange->route) {
        problem_answer(request, ERR_NOT_FOUND, NULL);
        return;
    }
    request->route = exchange->route->pattern;
    request->app = exchange;
    /* What is refused after a pause must not be asked for its body meanwhile. */
    if (!exchange->route->is_events)
        (void)check_request(request);
}

void routes_on_request(struct request *request)
{
    static const struct problem_detail type = {.detail = "The body must be application/json"};
    const struct route *route = request_exchange(request)->route;
    if (route->is_events && !check_request(request))
        return;
    if (request->body.len > 0 && has_body(route) &&
        !is_json(request->headers[HEADER_CONTENT_TYPE])) {
        problem_answer(request, ERR_MEDIA_TYPE, &type);
        return;
    }
    route->handle(request);
}
