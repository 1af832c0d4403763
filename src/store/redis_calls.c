/* What is asked over a link to Redis, and answered. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/deadline.h"
#include "base/embedded.h"
#include "base/err.h"
#include "store/redis_link_parts.h"

#define HANG_MS 1000 /* without any answer */

static const char *const script_files[REDIS_SCRIPT_COUNT] = {
    [REDIS_SCRIPT_FETCH] = "fetch.lua",
    [REDIS_SCRIPT_COMMIT] = "commit.lua",
    [REDIS_SCRIPT_LIFE] = "life.lua",
    [REDIS_SCRIPT_TRIM] = "trim.lua",
};

/* -- ending --------------------------------------------------------------------------------- */

/* The asker may do anything to the link then; the call itself is freed when hiredis is done. */
static void end_call(struct redis_link_call *call, int err, const redisReply *reply)
{
    link_remove(&call->member);
    call->link->call_count--;
    call->link = NULL;
    if (call->answer)
        call->answer(call->context, err, reply);
}

static void end_list(struct redis_link *link, struct list *list)
{
    struct link *member;
    while ((member = list_first(list)))
        end_call(container_of(member, struct redis_link_call, member),
                 link->freed ? ERR_CLOSED : ERR_UNAVAILABLE, NULL);
}

void redis_link_end_calls(struct redis_link *link)
{
    assert(link->inside > 0);
    end_list(link, &link->late);
    end_list(link, &link->calls);
    end_list(link, &link->given_up);
}

/* Its answer is still to come, and counts among those under way until then. */
static void give_up(struct redis_link_call *call)
{
    redis_answer answer = call->answer;
    call->answer = NULL;
    call->script = NULL;
    list_append(&call->link->given_up, &call->member);
    if (answer)
        answer(call->context, ERR_UNAVAILABLE, NULL);
}

static void find_late(struct redis_link *link, int64_t now_ms)
{
    struct link *member = list_first(&link->calls);
    while (member) {
        struct redis_link_call *call = container_of(member, struct redis_link_call, member);
        member = list_next(&link->calls, member);
        if (call->until_ms <= now_ms)
            list_append(&link->late, &call->member);
    }
}

static bool hangs_with(const struct redis_link *link, const struct list *list, int64_t now_ms)
{
    for (struct link *at = list_first(list); at; at = list_next(list, at)) {
        const struct redis_link_call *call = container_of(at, struct redis_link_call, member);
        int64_t since_ms = call->sent_ms > link->awake_ms ? call->sent_ms : link->awake_ms;
        if (call->heard == link->heard && now_ms - since_ms >= HANG_MS)
            return true;
    }
    return false;
}

bool redis_link_end_late(struct redis_link *link, int64_t now_ms)
{
    struct link *member;
    assert(link->inside > 0);
    find_late(link, now_ms);
    if (hangs_with(link, &link->late, now_ms) || hangs_with(link, &link->given_up, now_ms))
        return false;
    while ((member = list_first(&link->late)))
        give_up(container_of(member, struct redis_link_call, member));
    return true;
}

/* -- asking --------------------------------------------------------------------------------- */

static void call_free(struct redis_link_call *call)
{
    redisFreeCommand(call->command);
    free(call);
}

static bool ask_again(struct redis_link_call *call);

/* No reply: hiredis frees the context. */
static void on_reply(redisAsyncContext *redis, void *answered, void *context)
{
    struct redis_link_call *call = context;
    const redisReply *reply = answered;
    if (call->link && !reply)
        redis_link_lost(call->link, redis);
    if (call->link) {
        call->link->heard++;
        if (redis_reply_fault(reply) == REDIS_FAULT_NOSCRIPT && ask_again(call))
            return;
        end_call(call, 0, reply);
    }
    call_free(call);
}

/* Behind all that was asked until now. */
static int send_call(struct redis_link *link, struct redis_link_call *call, const char *command,
                     size_t len)
{
    call->sent_ms = clock_now_ms();
    call->heard = link->heard;
    list_append(&link->calls, &call->member);
    return redisAsyncFormattedCommand(link->redis, on_reply, call, command, len) == REDIS_OK
               ? 0
               : ERR_UNAVAILABLE;
}

int redis_link_send(struct redis_link *link, int argc, const char **argv, const size_t *lens,
                    int64_t limit_ms, struct redis_link_script *script, redis_answer answer,
                    void *context)
{
    char *command = NULL;
    assert(link->redis);
    struct redis_link_call *call = calloc(1, sizeof(*call));
    int len = call ? redisFormatCommandArgv(&command, argc, argv, lens) : -1;
    if (len < 0) {
        free(call);
        return ERR_MEMORY;
    }
    *call = (struct redis_link_call){
        .link = link,
        .answer = answer,
        .context = context,
        .until_ms = clock_now_ms() + limit_ms,
        .command = command,
        .command_len = (size_t)len,
        .script = script,
    };
    link->call_count++;
    int err = send_call(link, call, command, (size_t)len);
    if (err) {
        link_remove(&call->member);
        link->call_count--;
        call_free(call);
    } else if (!script) {
        redisFreeCommand(command);
        call->command = NULL;
    }
    return err;
}

static int may_ask(const struct redis_link *link)
{
    if (link->state != REDIS_LINK_UP)
        return ERR_UNAVAILABLE;
    return link->call_count >= REDIS_CALLS_MAX ? ERR_BUSY : 0;
}

int redis_link_ask(struct redis_link *link, int argc, const char **argv, const size_t *lens,
                   int64_t limit_ms, redis_answer answer, void *context)
{
    int err = may_ask(link);
    return err ? err : redis_link_send(link, argc, argv, lens, limit_ms, NULL, answer, context);
}

/* -- scripts -------------------------------------------------------------------------------- */

int redis_link_run(struct redis_link *link, enum redis_script script, int argc, const char **argv,
                   const size_t *lens, int64_t limit_ms, redis_answer answer, void *context)
{
    int err = may_ask(link);
    if (err)
        return err;
    const char **all = malloc(((size_t)argc + 2) * (sizeof(*all) + sizeof(*lens)));
    if (!all)
        return ERR_MEMORY;
    size_t *all_lens = (size_t *)(all + argc + 2);
    all[0] = "EVALSHA";
    all_lens[0] = strlen(all[0]);
    all[1] = link->scripts[script].sha;
    all_lens[1] = REDIS_SHA1_BYTES;
    memcpy(all + 2, argv, (size_t)argc * sizeof(*argv));
    memcpy(all_lens + 2, lens, (size_t)argc * sizeof(*lens));
    err = redis_link_send(link, argc + 2, all, all_lens, limit_ms, &link->scripts[script], answer,
                          context);
    free(all);
    return err;
}

int redis_link_load(struct redis_link *link, struct redis_link_script *script, redis_answer answer,
                    void *context)
{
    const char *name = script_files[script - link->scripts];
    const struct embedded *file = embedded_lua;
    while (file->name && strcmp(file->name, name) != 0)
        file++;
    assert(file->name);
    const char *argv[] = {"SCRIPT", "LOAD", file->data};
    const size_t lens[] = {6, 4, file->size};
    return redis_link_send(link, 3, argv, lens, link->spec.connect_ms, NULL, answer, context);
}

static void on_loaded(void *context, int err, const redisReply *reply)
{
    struct redis_link_script *script = context;
    script->loading = false;
}

/* Somebody emptied the server's scripts: loads it, once for all that find it missing, and asks
 * again behind that. */
static bool ask_again(struct redis_link_call *call)
{
    struct redis_link *link = call->link;
    struct redis_link_script *script = call->script;
    if (!script)
        return false;
    call->script = NULL;
    if (!script->loading) {
        if (redis_link_load(link, script, on_loaded, script))
            return false;
        script->loading = true;
    }
    return send_call(link, call, call->command, call->command_len) == 0;
}
