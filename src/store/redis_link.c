#include "store/redis_link.h"

#include <assert.h>
#include <event2/event.h>
#include <fcntl.h>
#include <hiredis/adapters/libevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/logging.h"
#include "store/redis_link_parts.h"

#define TICK_MS 50 /* how late a limit may be noticed */
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 2000
#define STEADY_MS 2000     /* up for so long, the next attempt follows at once again */
#define STALL_MS 500       /* between two ticks: the loop was held up */
#define ROLE_EVERY_MS 1000 /* a server that hangs is found within this and the answer's limit */

static void set_timer(struct redis_link *link, int64_t ms)
{
    const struct timeval after = {ms / 1000, ms % 1000 * 1000};
    event_add(link->timer, &after);
}

static void move(struct redis_link *link, enum redis_link_state state)
{
    static const unsigned successors[REDIS_LINK_STATE_COUNT] = {
        [REDIS_LINK_DOWN] = 1u << REDIS_LINK_CONNECTING | 1u << REDIS_LINK_DOWN,
        [REDIS_LINK_CONNECTING] = 1u << REDIS_LINK_CONNECTED | 1u << REDIS_LINK_DOWN,
        [REDIS_LINK_CONNECTED] = 1u << REDIS_LINK_GREETING | 1u << REDIS_LINK_DOWN,
        [REDIS_LINK_GREETING] = 1u << REDIS_LINK_UP | 1u << REDIS_LINK_DOWN,
        [REDIS_LINK_UP] = 1u << REDIS_LINK_DOWN,
    };
    assert(successors[link->state] & 1u << state);
    link->state = state;
}

/* -- going down ----------------------------------------------------------------------------- */

/* What can be called from within ends here. */
static void leave(struct redis_link *link)
{
    if (--link->inside == 0 && link->freed)
        free(link);
}

/* Half of it at least. */
static int64_t with_jitter(int64_t ms)
{
    return ms - (int64_t)arc4random_uniform((uint32_t)(ms / 2 + 1));
}

static void pause_before_next(struct redis_link *link)
{
    set_timer(link, with_jitter(link->pause_ms));
    link->pause_ms = 2 * link->pause_ms < PAUSE_MAX_MS ? 2 * link->pause_ms : PAUSE_MAX_MS;
}

/* Of attempts that fail one after the other for the same reason only the first is told. */
static void tell(struct redis_link *link, bool was_up)
{
    char port[8];
    if (!was_up && strcmp(link->why, link->told_why) == 0)
        return;
    memcpy(link->told_why, link->why, sizeof(link->told_why));
    snprintf(port, sizeof(port), "%d", link->spec.host.port);
    log_line(LOG_WARN, was_up ? "the link to Redis went down" : "Redis cannot be reached", "link",
             link->spec.name, "host", link->spec.host.name, "port", port, "why", link->why, NULL);
}

/* It has let go of its context, if there was one. */
static void go_down(struct redis_link *link, const char *why)
{
    bool was_up = link->state == REDIS_LINK_UP;
    assert(!link->redis);
    snprintf(link->why, sizeof(link->why), "%s", why);
    move(link, REDIS_LINK_DOWN);
    link->inside++;
    if (!link->freed) {
        pause_before_next(link);
        tell(link, was_up);
        if (was_up)
            link->spec.on_down(link->spec.context, link);
    }
    redis_link_end_calls(link);
    leave(link);
}

static redisAsyncContext *let_go(struct redis_link *link)
{
    redisAsyncContext *redis = link->redis;
    link->redis = NULL;
    redis->data = NULL;
    return redis;
}

void redis_link_cut(struct redis_link *link, const char *why)
{
    if (!link->redis)
        return;
    redisAsyncContext *redis = let_go(link);
    go_down(link, why);
    redisAsyncFree(redis);
}

void redis_link_lost(struct redis_link *link, const redisAsyncContext *redis)
{
    let_go(link);
    go_down(link, *redis->errstr ? redis->errstr : "the server hung up");
}

static void on_disconnect(const redisAsyncContext *redis, int status)
{
    if (redis->data)
        redis_link_lost(redis->data, redis);
}

/* -- coming up ------------------------------------------------------------------------------ */

static void on_connect(const redisAsyncContext *redis, int status)
{
    struct redis_link *link = redis->data;
    if (status != REDIS_OK) {
        redis_link_lost(link, redis);
        return;
    }
    move(link, REDIS_LINK_CONNECTED);
    set_timer(link, 0);
}

static redisAsyncContext *open_context(const struct redis_host *host)
{
    return host->port == 0 ? redisAsyncConnectUnix(host->name)
                           : redisAsyncConnect(host->name, host->port);
}

static void connect_now(struct redis_link *link)
{
    redisAsyncContext *redis = open_context(&link->spec.host);
    if (!redis || redis->err || redisLibeventAttach(redis, link->spec.base) != REDIS_OK) {
        go_down(link, redis && redis->err ? redis->errstr : "out of memory");
        if (redis)
            redisAsyncFree(redis);
        return;
    }
    fcntl(redis->c.fd, F_SETFD, FD_CLOEXEC);
    redis->data = link;
    link->redis = redis;
    move(link, REDIS_LINK_CONNECTING);
    link->greet_until_ms = clock_now_ms() + link->spec.connect_ms;
    redisAsyncSetDisconnectCallback(redis, on_disconnect);
    redisAsyncSetConnectCallback(redis, on_connect);
    set_timer(link, link->spec.connect_ms);
}

static void greet(struct redis_link *link)
{
    int64_t left_ms = link->greet_until_ms - clock_now_ms();
    move(link, REDIS_LINK_GREETING);
    if (redis_link_greet(link))
        redis_link_cut(link, "it cannot be written to");
    else
        set_timer(link, left_ms > 0 ? left_ms : 0);
}

void redis_link_come_up(struct redis_link *link)
{
    int64_t now_ms = clock_now_ms();
    move(link, REDIS_LINK_UP);
    link->server = link->greeted;
    link->why[0] = link->told_why[0] = '\0';
    link->up_at_ms = link->awake_ms = link->ticked_ms = now_ms;
    link->role_at_ms = now_ms + ROLE_EVERY_MS;
    set_timer(link, TICK_MS);
    link->spec.on_up(link->spec.context, link);
}

/* -- staying up ----------------------------------------------------------------------------- */

static void look_for_role(struct redis_link *link, int64_t now_ms)
{
    if (!link->spec.wants_master || now_ms < link->role_at_ms)
        return;
    link->role_at_ms = now_ms + ROLE_EVERY_MS;
    if (redis_link_ask_role(link) == ERR_UNAVAILABLE)
        redis_link_cut(link, "it cannot be written to");
}

static void tick(struct redis_link *link)
{
    int64_t now_ms = clock_now_ms();
    if (now_ms - link->up_at_ms >= STEADY_MS)
        link->pause_ms = PAUSE_MIN_MS;
    if (now_ms - link->ticked_ms >= STALL_MS)
        link->awake_ms = now_ms;
    link->ticked_ms = now_ms;
    set_timer(link, TICK_MS);
    link->inside++;
    if (!redis_link_end_late(link, now_ms))
        redis_link_cut(link, "the server does not answer");
    else if (link->state == REDIS_LINK_UP)
        look_for_role(link, now_ms);
    leave(link);
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
    struct redis_link *link = context;
    switch (link->state) {
    case REDIS_LINK_DOWN:
        connect_now(link);
        break;
    case REDIS_LINK_CONNECTING:
        redis_link_cut(link, "no connection in time");
        break;
    case REDIS_LINK_CONNECTED:
        greet(link);
        break;
    case REDIS_LINK_GREETING:
        redis_link_cut(link, "no greeting in time");
        break;
    default:
        assert(link->state == REDIS_LINK_UP);
        tick(link);
        break;
    }
}

/* -- its life ------------------------------------------------------------------------------- */

struct redis_link *redis_link_new(const struct redis_link_spec *spec)
{
    struct redis_link *link = calloc(1, sizeof(*link));
    if (!link)
        return NULL;
    link->spec = *spec;
    link->pause_ms = PAUSE_MIN_MS;
    snprintf(link->why, sizeof(link->why), "not connected yet");
    list_init(&link->calls);
    list_init(&link->late);
    list_init(&link->given_up);
    for (int i = 0; i < REDIS_SCRIPT_COUNT; i++)
        link->scripts[i].link = link;
    link->timer = evtimer_new(spec->base, on_timer, link);
    if (!link->timer) {
        free(link);
        return NULL;
    }
    set_timer(link, 0);
    return link;
}

struct redis_link *redis_link_free(struct redis_link *link)
{
    if (!link)
        return NULL;
    assert(!link->freed);
    link->freed = true;
    link->inside++;
    redis_link_cut(link, "freed");
    redis_link_end_calls(link);
    event_free(link->timer);
    link->timer = NULL;
    leave(link);
    return NULL;
}

void redis_link_move(struct redis_link *link, const struct redis_host *host)
{
    if (strcmp(host->name, link->spec.host.name) == 0 && host->port == link->spec.host.port)
        return;
    link->spec.host = *host;
    link->pause_ms = PAUSE_MIN_MS;
    if (link->redis)
        redis_link_cut(link, "another server took over");
    else
        set_timer(link, 0);
}

bool redis_link_is_up(const struct redis_link *link)
{
    return link->state == REDIS_LINK_UP;
}

struct span redis_link_run_id(const struct redis_link *link)
{
    return span_text(link->server.run_id);
}

int64_t redis_link_clock_offset_ms(const struct redis_link *link)
{
    return link->server.clock_offset_ms;
}

int64_t redis_link_client_id(const struct redis_link *link)
{
    return link->server.client_id;
}

const char *redis_link_why(const struct redis_link *link)
{
    return link->why;
}
