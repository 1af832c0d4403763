#include "store/redis_link.h"

#include <assert.h>
#include <event2/event.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <hiredis/adapters/libevent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/deadline.h"
#include "base/embedded.h"
#include "base/err.h"
#include "base/list.h"
#include "base/logging.h"

#define TICK_MS 50 /* how late a limit may be noticed */
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 2000
#define ROLE_EVERY_MS 1000 /* a server that hangs is found within this and the next */
#define ROLE_LIMIT_MS 1000
#define WHY_BYTES 160
#define SHA1_HEX_BYTES 40

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_UP };

/* One answer that is waited for. It lives until hiredis calls back, which may be after the link
 * has told its asker that the outcome is unknown; then `link` is NULL. */
struct call {
    struct link member; /* of link->calls */
    struct redis_link *link;
    redis_answer answer;
    void *context;
    int64_t until_ms; /* clock_now_ms() */
    char *command;    /* of a script, to be sent again; else NULL */
    size_t command_len;
    int script; /* -1: none */
};

struct redis_link {
    struct redis_link_spec spec;
    enum link_state state;
    redisAsyncContext *redis; /* NULL while down */
    struct list calls;        /* in the order they were sent */
    int call_count;
    struct event *timer; /* the next attempt, the limit of connecting, or the next tick */
    int64_t greet_until_ms;
    int64_t pause_ms;
    int64_t role_at_ms; /* when ROLE is asked next */
    int greetings;      /* answers that the greeting waits for */
    char run_id[REDIS_RUN_ID_BYTES + 1];
    char sha[REDIS_SCRIPT_COUNT][SHA1_HEX_BYTES + 1];
    int64_t clock_offset_ms, client_id;
    char why[WHY_BYTES];
    bool freed;
};

static const char *const script_files[REDIS_SCRIPT_COUNT] = {
    [REDIS_SCRIPT_FETCH] = "fetch.lua",
    [REDIS_SCRIPT_COMMIT] = "commit.lua",
    [REDIS_SCRIPT_LIFE] = "life.lua",
};

static void set_timer(struct redis_link *link, int64_t ms)
{
    const struct timeval after = {ms / 1000, ms % 1000 * 1000};
    event_add(link->timer, &after);
}

static void say_why(struct redis_link *link, const char *why)
{
    snprintf(link->why, sizeof(link->why), "%s", why);
}

/* -- going down ----------------------------------------------------------------------------- */

static void end_call(struct call *call, int err, const redisReply *reply)
{
    struct redis_link *link = call->link;
    call->link = NULL;
    link_remove(&call->member);
    link->call_count--;
    if (call->answer)
        call->answer(call->context, err, reply);
}

static void end_calls(struct redis_link *link, int err)
{
    struct link *member;
    while ((member = list_first(&link->calls)))
        end_call(container_of(member, struct call, member), err, NULL);
}

static int64_t with_jitter(int64_t ms)
{
    return ms / 2 + (int64_t)(random() % (ms / 2 + 1));
}

/* The context is gone, or about to go. */
static void go_down(struct redis_link *link)
{
    bool was_up = link->state == LINK_UP;
    link->state = LINK_DOWN;
    link->redis = NULL;
    if (link->freed) {
        end_calls(link, ERR_CLOSED);
        return;
    }
    set_timer(link, with_jitter(link->pause_ms));
    link->pause_ms = 2 * link->pause_ms < PAUSE_MAX_MS ? 2 * link->pause_ms : PAUSE_MAX_MS;
    if (was_up) {
        log_line(LOG_WARN, "redis link is down", "link", link->spec.name, "why", link->why, NULL);
        link->spec.on_down(link->spec.context, link);
    }
    end_calls(link, ERR_UNAVAILABLE);
}

void redis_link_cut(struct redis_link *link, const char *why)
{
    redisAsyncContext *redis = link->redis;
    if (!redis)
        return;
    say_why(link, why);
    redis->data = NULL;
    go_down(link);
    redisAsyncFree(redis);
}

static void on_disconnect(const redisAsyncContext *redis, int status)
{
    struct redis_link *link = redis->data;
    if (!link)
        return;
    say_why(link, redis->errstr && *redis->errstr ? redis->errstr : "the server hung up");
    go_down(link);
}

/* -- calls ---------------------------------------------------------------------------------- */

static void on_reply(redisAsyncContext *redis, void *answered, void *context);

static int send_formatted(struct redis_link *link, struct call *call, const char *command,
                          size_t len)
{
    if (redisAsyncFormattedCommand(link->redis, on_reply, call, command, len) != REDIS_OK)
        return ERR_UNAVAILABLE;
    return 0;
}

static struct call *call_new(struct redis_link *link, int64_t limit_ms, redis_answer answer,
                             void *context)
{
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->link = link;
    call->answer = answer;
    call->context = context;
    call->until_ms = clock_now_ms() + limit_ms;
    call->script = -1;
    list_append(&link->calls, &call->member);
    link->call_count++;
    return call;
}

static void call_free(struct call *call)
{
    redisFreeCommand(call->command);
    free(call);
}

static void call_forget(struct call *call)
{
    link_remove(&call->member);
    call->link->call_count--;
    call_free(call);
}

/* The greeting may ask before the link is up. */
static int ask(struct redis_link *link, int argc, const char **argv, const size_t *lens,
               int64_t limit_ms, int script, redis_answer answer, void *context)
{
    char *command = NULL;
    if (link->call_count >= REDIS_CALLS_MAX)
        return ERR_BUSY;
    int len = redisFormatCommandArgv(&command, argc, argv, lens);
    if (len < 0)
        return ERR_MEMORY;
    struct call *call = call_new(link, limit_ms, answer, context);
    if (!call) {
        redisFreeCommand(command);
        return ERR_MEMORY;
    }
    int err = send_formatted(link, call, command, (size_t)len);
    if (script >= 0) {
        call->command = command;
        call->command_len = (size_t)len;
        call->script = script;
    } else {
        redisFreeCommand(command);
    }
    if (err)
        call_forget(call);
    return err;
}

int redis_link_ask(struct redis_link *link, int argc, const char **argv, const size_t *lens,
                   int64_t limit_ms, redis_answer answer, void *context)
{
    if (link->state != LINK_UP)
        return ERR_UNAVAILABLE;
    return ask(link, argc, argv, lens, limit_ms, -1, answer, context);
}

int redis_link_run(struct redis_link *link, enum redis_script script, int argc, const char **argv,
                   const size_t *lens, int64_t limit_ms, redis_answer answer, void *context)
{
    if (link->state != LINK_UP)
        return ERR_UNAVAILABLE;
    const char **all = malloc(((size_t)argc + 2) * (sizeof(*all) + sizeof(*lens)));
    if (!all)
        return ERR_MEMORY;
    size_t *all_lens = (size_t *)(all + argc + 2);
    all[0] = "EVALSHA";
    all_lens[0] = strlen(all[0]);
    all[1] = link->sha[script];
    all_lens[1] = SHA1_HEX_BYTES;
    memcpy(all + 2, argv, (size_t)argc * sizeof(*argv));
    memcpy(all_lens + 2, lens, (size_t)argc * sizeof(*lens));
    int err = ask(link, argc + 2, all, all_lens, limit_ms, script, answer, context);
    free(all);
    return err;
}

static const struct embedded *script_of(int script)
{
    const struct embedded *file = embedded_lua;
    while (file->name && strcmp(file->name, script_files[script]) != 0)
        file++;
    assert(file->name);
    return file;
}

static int load_script(struct redis_link *link, int script, redis_answer answer, void *context)
{
    const struct embedded *file = script_of(script);
    const char *argv[] = {"SCRIPT", "LOAD", file->data};
    const size_t lens[] = {6, 4, file->size};
    return ask(link, 3, argv, lens, link->spec.connect_ms, -1, answer, context);
}

/* Somebody emptied its scripts: loads it, and asks again behind that. */
static bool ask_again(struct redis_link *link, struct call *call)
{
    if (call->script < 0 || load_script(link, call->script, NULL, NULL))
        return false;
    list_append(&link->calls, &call->member);
    int err = send_formatted(link, call, call->command, call->command_len);
    call->script = -1; /* once */
    return !err;
}

static void on_reply(redisAsyncContext *redis, void *answered, void *context)
{
    struct call *call = context;
    const redisReply *reply = answered;
    struct redis_link *link = call->link;
    if (link && reply && redis_reply_fault(reply) == REDIS_FAULT_NOSCRIPT && ask_again(link, call))
        return;
    if (link)
        end_call(call, reply ? 0 : ERR_UNAVAILABLE, reply);
    call_free(call);
}

/* -- greeting ------------------------------------------------------------------------------- */

static void come_up(struct redis_link *link)
{
    link->state = LINK_UP;
    link->pause_ms = PAUSE_MIN_MS;
    link->why[0] = '\0';
    link->role_at_ms = clock_now_ms() + ROLE_EVERY_MS;
    set_timer(link, TICK_MS);
    link->spec.on_up(link->spec.context, link);
}

/* False: the answer is none, an error, or of the wrong type; then the link has been cut. */
static bool greeted(struct redis_link *link, int err, const redisReply *reply, int type)
{
    if (err || link->state == LINK_DOWN)
        return false;
    if (reply->type == type)
        return true;
    redis_link_cut(link, reply->type == REDIS_REPLY_ERROR ? reply->str : "an unexpected answer");
    return false;
}

static void one_greeting_less(struct redis_link *link)
{
    if (--link->greetings == 0 && link->state == LINK_GREETING)
        come_up(link);
}

static void on_fine(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (greeted(link, err, reply, REDIS_REPLY_STATUS))
        one_greeting_less(link);
}

static void on_info(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    static const char name[] = "\nrun_id:";
    if (!greeted(link, err, reply, REDIS_REPLY_STRING))
        return;
    const char *at = memmem(reply->str, reply->len, name, sizeof(name) - 1);
    if (!at || (size_t)(reply->str + reply->len - at) < sizeof(name) - 1 + REDIS_RUN_ID_BYTES) {
        redis_link_cut(link, "INFO tells no run_id");
        return;
    }
    memcpy(link->run_id, at + sizeof(name) - 1, REDIS_RUN_ID_BYTES);
    one_greeting_less(link);
}

static bool is_master(const redisReply *reply)
{
    return reply->elements > 0 && reply->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(reply->element[0]->str, "master") == 0;
}

static void check_role(struct redis_link *link, const redisReply *reply)
{
    if (link->spec.wants_master && !is_master(reply))
        redis_link_cut(link, "the server is no master");
}

static void on_first_role(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (!greeted(link, err, reply, REDIS_REPLY_ARRAY))
        return;
    check_role(link, reply);
    one_greeting_less(link);
}

static void on_time(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (!greeted(link, err, reply, REDIS_REPLY_ARRAY))
        return;
    if (reply->elements == 2)
        link->clock_offset_ms = strtoll(reply->element[0]->str, NULL, 10) * 1000 +
                                strtoll(reply->element[1]->str, NULL, 10) / 1000 - clock_now_ms();
    one_greeting_less(link);
}

static void on_client_id(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (!greeted(link, err, reply, REDIS_REPLY_INTEGER))
        return;
    link->client_id = reply->integer;
    one_greeting_less(link);
}

/* They are loaded in order, one after the other. */
static void on_script(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    int script = 0;
    if (!greeted(link, err, reply, REDIS_REPLY_STRING))
        return;
    while (link->sha[script][0])
        script++;
    if (reply->len == SHA1_HEX_BYTES)
        memcpy(link->sha[script], reply->str, SHA1_HEX_BYTES);
    one_greeting_less(link);
}

static int say(struct redis_link *link, int argc, const char **argv, redis_answer answer)
{
    size_t lens[4];
    for (int i = 0; i < argc; i++)
        lens[i] = strlen(argv[i]);
    link->greetings++;
    return ask(link, argc, argv, lens, link->spec.connect_ms, -1, answer, link);
}

static int say_who(struct redis_link *link)
{
    const struct redis_url *url = link->spec.url;
    char database[16];
    int err = 0;
    if (*url->password && *url->user)
        err = say(link, 3, (const char *[]){"AUTH", url->user, url->password}, on_fine);
    else if (*url->password)
        err = say(link, 2, (const char *[]){"AUTH", url->password}, on_fine);
    snprintf(database, sizeof(database), "%d", url->database);
    if (!err && url->database)
        err = say(link, 2, (const char *[]){"SELECT", database}, on_fine);
    return err;
}

static int greet(struct redis_link *link)
{
    link->state = LINK_GREETING;
    link->greetings = 0;
    memset(link->sha, 0, sizeof(link->sha));
    int err = say_who(link);
    if (!err)
        err = say(link, 2, (const char *[]){"INFO", "server"}, on_info);
    if (!err)
        err = say(link, 1, (const char *[]){"ROLE"}, on_first_role);
    if (!err)
        err = say(link, 1, (const char *[]){"TIME"}, on_time);
    if (!err)
        err = say(link, 2, (const char *[]){"CLIENT", "ID"}, on_client_id);
    for (int script = 0; script < REDIS_SCRIPT_COUNT && !err; script++) {
        link->greetings++;
        err = load_script(link, script, on_script, link);
    }
    return err;
}

/* -- coming up ------------------------------------------------------------------------------ */

static void on_connect(const redisAsyncContext *redis, int status)
{
    struct redis_link *link = redis->data;
    if (!link)
        return;
    if (status != REDIS_OK) {
        /* hiredis frees the context after this. */
        say_why(link, redis->errstr);
        go_down(link);
        return;
    }
    set_timer(link, 0); /* nothing may be asked from within this call */
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
        say_why(link, redis && redis->err ? redis->errstr : "out of memory");
        if (redis)
            redisAsyncFree(redis);
        go_down(link);
        return;
    }
    redis->data = link;
    link->redis = redis;
    link->state = LINK_CONNECTING;
    link->greet_until_ms = clock_now_ms() + link->spec.connect_ms;
    redisAsyncSetDisconnectCallback(redis, on_disconnect);
    redisAsyncSetConnectCallback(redis, on_connect);
    set_timer(link, link->spec.connect_ms);
}

static bool is_connected(const struct redis_link *link)
{
    return link->redis->c.flags & REDIS_CONNECTED;
}

static void on_role(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (!err && reply->type == REDIS_REPLY_ARRAY)
        check_role(link, reply);
}

static bool is_late(const struct redis_link *link, int64_t now_ms)
{
    for (struct link *at = list_first(&link->calls); at; at = list_next(&link->calls, at)) {
        if (container_of(at, struct call, member)->until_ms <= now_ms)
            return true;
    }
    return false;
}

static void tick(struct redis_link *link)
{
    int64_t now_ms = clock_now_ms();
    if (is_late(link, now_ms)) {
        redis_link_cut(link, "an answer is late");
        return;
    }
    set_timer(link, TICK_MS);
    if (!link->spec.wants_master || now_ms < link->role_at_ms)
        return;
    link->role_at_ms = now_ms + ROLE_EVERY_MS;
    const size_t len = 4;
    if (ask(link, 1, (const char *[]){"ROLE"}, &len, ROLE_LIMIT_MS, -1, on_role, link) ==
        ERR_UNAVAILABLE)
        redis_link_cut(link, "it cannot be written to");
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
    struct redis_link *link = context;
    switch (link->state) {
    case LINK_DOWN:
        connect_now(link);
        break;
    case LINK_CONNECTING:
        if (!is_connected(link)) {
            redis_link_cut(link, "no connection in time");
        } else if (greet(link)) {
            redis_link_cut(link, "it cannot be written to");
        } else {
            int64_t left_ms = link->greet_until_ms - clock_now_ms();
            set_timer(link, left_ms > 0 ? left_ms : 0);
        }
        break;
    case LINK_GREETING:
        redis_link_cut(link, "no greeting in time");
        break;
    case LINK_UP:
        tick(link);
        break;
    }
}

struct redis_link *redis_link_new(const struct redis_link_spec *spec)
{
    struct redis_link *link = calloc(1, sizeof(*link));
    if (!link)
        return NULL;
    link->spec = *spec;
    link->pause_ms = PAUSE_MIN_MS;
    list_init(&link->calls);
    say_why(link, "not connected yet");
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
    link->freed = true;
    redis_link_cut(link, "freed");
    end_calls(link, ERR_CLOSED);
    event_free(link->timer);
    free(link);
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
    return link->state == LINK_UP;
}

struct span redis_link_run_id(const struct redis_link *link)
{
    return span_text(link->run_id);
}

int64_t redis_link_clock_offset_ms(const struct redis_link *link)
{
    return link->clock_offset_ms;
}

int64_t redis_link_client_id(const struct redis_link *link)
{
    return link->client_id;
}

const char *redis_link_why(const struct redis_link *link)
{
    return link->why;
}
