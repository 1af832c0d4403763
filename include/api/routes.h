/* The routes: one table from method and path to handler, and what happens before a handler runs.
 *
 * MODEL  on_head:    preflight (CORS) -> find the route -> token -> scope -> rate -> names in
 *                    the path
 *        on_request: the body's type -> the handler
 *        GET /v1/events goes through all of it in on_request.
 *        Each step answers by itself when it refuses. Streams are refused with `busy` where
 *        others get 429 or 503, and 401 and 403 of streams come after a pause of a second.
 *        HEAD goes where GET does, but for streams. What stands in no row is looked for among the
 *        pages (assets.h).
 * Floor: api. The table is static; openapi.json is held against it by a test
 * (`tidingsd --print-routes`). */
#ifndef TIDINGS_API_ROUTES_H
#define TIDINGS_API_ROUTES_H

#include <jansson.h>
#include <stdio.h>

#include "api/app.h"

struct batch;
struct ticket;

#define ROUTE_PARAMETERS_MAX 3

enum route_access {
    ACCESS_OPEN,    /* no token */
    ACCESS_READ,    /* any token */
    ACCESS_USER,    /* no guests */
    ACCESS_SERVICE, /* scope `service` only */
    ACCESS_ADMIN,   /* on the admin listener without a token, elsewhere as ACCESS_SERVICE */
};

enum route_rate { RATE_NONE, RATE_REQUESTS, RATE_MESSAGES, RATE_TYPING, RATE_STREAMS,
                  RATE_COUNT };

struct route {
    enum method method;
    const char *pattern; /* "/v1/rooms/{room}/messages/{message}"; others likewise */
    void (*handle)(struct request *request);
    enum route_access access;
    enum route_rate rate;
    bool is_stream;      /* `access_token` counts */
    bool is_events;      /* refused by the rules of native EventSources: see refusal.h */
};

/* What is known of a request once its route is found; request->app. In the request's arena. */
struct exchange {
    const struct route *route;
    struct span parameters[ROUTE_PARAMETERS_MAX]; /* decoded and checked, in order of the path */
    struct identity *identity; /* ref; NULL without a token */
    bool by_cookie;            /* the token came by the cookie */
    struct worker_timer pause; /* before a 401 or 403 of a stream */
    struct ticket *ticket;     /* of a long-poll under way */
    struct batch *batch;       /* the request is one of its commands; NULL: it came by itself */
    const json_t *item;        /* of a batch: the command, which stands for the body. Borrowed */
};

static inline struct exchange *request_exchange(const struct request *request)
{
    return request->app;
}

static inline struct identity *request_identity(const struct request *request)
{
    return request_exchange(request)->identity;
}

static inline struct span request_parameter(const struct request *request, int index)
{
    return request_exchange(request)->parameters[index];
}

/* Fills `actor` from the request's token; texts live as long as the request. */
void request_actor(const struct request *request, struct span room, struct actor *ret);

void routes_on_head(struct request *request);
void routes_on_request(struct request *request);
/* True when `path` is one that `pattern` names; with `ret` (may be NULL) what stands for each
 * name in braces, as sent. Pure. */
bool route_matches(const char *pattern, struct span path, struct span ret[ROUTE_PARAMETERS_MAX]);
/* The table, ended by a row without a pattern. */
const struct route *routes_table(void);
/* NULL: there is no such row. */
const struct route *routes_find(enum method method, const char *pattern);
/* What clients call that which a pattern has in braces ("roomId" for "{room}"); NULL: nothing. */
const char *route_field(struct span brace);
/* Whether `text` may stand there, decoded. */
bool route_takes(struct span brace, struct span text);
/* A line `METHOD pattern` for each row. */
void routes_print(FILE *out);

/* Handlers, by file. */
void health_get(struct request *request);
void ready_get(struct request *request);
void metrics_get(struct request *request);
void stats_get(struct request *request);
void assets_get(struct request *request);
void subscribe_get(struct request *request);
void poll_get(struct request *request);
void sync_get(struct request *request);
void session_post(struct request *request);
void session_delete_cookie(struct request *request);
void session_delete(struct request *request);
void session_token_post(struct request *request);
void dev_token_post(struct request *request);
void rooms_get(struct request *request);
void rooms_post(struct request *request);
void room_get(struct request *request);
void room_put(struct request *request);
void room_delete(struct request *request);
void room_join(struct request *request);
void room_leave(struct request *request);
void members_get(struct request *request);
void members_post(struct request *request);
void member_put(struct request *request);
void member_delete(struct request *request);
void direct_post(struct request *request);
void blocks_get(struct request *request);
void block_get(struct request *request);
void block_put(struct request *request);
void block_delete(struct request *request);
void bans_get(struct request *request);
void ban_put(struct request *request);
void ban_delete(struct request *request);
void messages_post(struct request *request);
void messages_get(struct request *request);
void message_get(struct request *request);
void message_patch(struct request *request);
void message_delete(struct request *request);
void reaction_put(struct request *request);
void reaction_delete(struct request *request);
void events_post(struct request *request);
void room_typing_post(struct request *request);
void presence_get(struct request *request);
void presence_put(struct request *request);
void room_presence_get(struct request *request);
void subscription_put(struct request *request);
void subscription_delete(struct request *request);
void room_here_get(struct request *request);
void room_here_put(struct request *request);
void room_here_delete(struct request *request);
void acks_post(struct request *request);
void room_read(struct request *request);
void unread_get(struct request *request);
void batch_post(struct request *request);

#endif
