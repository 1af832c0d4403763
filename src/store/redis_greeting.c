/* The first questions over a link to Redis, and the one for the role that goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/deadline.h"
#include "base/err.h"
#include "store/redis_link_parts.h"

#define ROLE_LIMIT_MS 1000

static void one_less(struct redis_link *link)
{
    if (--link->greetings == 0)
        redis_link_come_up(link);
}

/* False: the answer is none, an error, or of the wrong type; then the link is down. */
static bool is_greeted(struct redis_link *link, int err, const redisReply *reply, int type)
{
    if (err)
        return false;
    if (reply->type == type)
        return true;
    redis_link_cut(link, reply->type == REDIS_REPLY_ERROR ? reply->str : "an unexpected answer");
    return false;
}

/* -- AUTH, SELECT --------------------------------------------------------------------------- */

/* The text of an error is not passed on: to who knows no AUTH, it repeats the password. */
static void on_auth(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    char why[64];
    if (err)
        return;
    if (reply->type == REDIS_REPLY_STATUS) {
        one_less(link);
        return;
    }
    enum redis_fault fault = redis_reply_fault(reply);
    if (fault == REDIS_FAULT_AUTH)
        snprintf(why, sizeof(why), "user or password is wrong");
    else
        snprintf(why, sizeof(why), "AUTH is refused: %s", redis_fault_name(fault));
    redis_link_cut(link, why);
}

static void on_selected(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (is_greeted(link, err, reply, REDIS_REPLY_STATUS))
        one_less(link);
}

static int say(struct redis_link *link, int argc, const char **argv, redis_answer answer)
{
    size_t lens[3];
    for (int i = 0; i < argc; i++)
        lens[i] = strlen(argv[i]);
    link->greetings++;
    return redis_link_send(link, argc, argv, lens, link->spec.connect_ms, NULL, answer, link);
}

static int say_who(struct redis_link *link)
{
    const struct redis_url *url = link->spec.url;
    char database[16];
    int err = 0;
    if (*url->user)
        err = say(link, 3, (const char *[]){"AUTH", url->user, url->password}, on_auth);
    else if (*url->password)
        err = say(link, 2, (const char *[]){"AUTH", url->password}, on_auth);
    snprintf(database, sizeof(database), "%d", url->database);
    if (!err && url->database != 0)
        err = say(link, 2, (const char *[]){"SELECT", database}, on_selected);
    return err;
}

/* -- who it is ------------------------------------------------------------------------------ */

static void on_info(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    static const char name[] = "\nrun_id:";
    const size_t name_len = sizeof(name) - 1;
    if (!is_greeted(link, err, reply, REDIS_REPLY_STRING))
        return;
    const char *at = memmem(reply->str, reply->len, name, name_len);
    if (!at || (size_t)(reply->str + reply->len - at) < name_len + REDIS_RUN_ID_BYTES) {
        redis_link_cut(link, "INFO tells no run_id");
        return;
    }
    memcpy(link->greeted.run_id, at + name_len, REDIS_RUN_ID_BYTES);
    one_less(link);
}

static bool is_master(const redisReply *reply)
{
    return reply->elements > 0 && reply->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(reply->element[0]->str, "master") == 0;
}

/* False: the link is down. */
static bool check_role(struct redis_link *link, const redisReply *reply)
{
    if (!link->spec.wants_master || is_master(reply))
        return true;
    redis_link_cut(link, "the server is no master");
    return false;
}

static void on_first_role(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (is_greeted(link, err, reply, REDIS_REPLY_ARRAY) && check_role(link, reply))
        one_less(link);
}

static void on_time(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (!is_greeted(link, err, reply, REDIS_REPLY_ARRAY))
        return;
    if (reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING) {
        redis_link_cut(link, "TIME tells no time");
        return;
    }
    link->greeted.clock_offset_ms = strtoll(reply->element[0]->str, NULL, 10) * 1000 +
                                    strtoll(reply->element[1]->str, NULL, 10) / 1000 -
                                    clock_now_ms();
    one_less(link);
}

static void on_client_id(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (!is_greeted(link, err, reply, REDIS_REPLY_INTEGER))
        return;
    link->greeted.client_id = reply->integer;
    one_less(link);
}

static void on_script(void *context, int err, const redisReply *reply)
{
    struct redis_link_script *script = context;
    if (!is_greeted(script->link, err, reply, REDIS_REPLY_STRING))
        return;
    if (reply->len != REDIS_SHA1_BYTES) {
        redis_link_cut(script->link, "SCRIPT LOAD tells no SHA1");
        return;
    }
    memcpy(script->sha, reply->str, REDIS_SHA1_BYTES);
    one_less(script->link);
}

int redis_link_greet(struct redis_link *link)
{
    link->greetings = 0;
    link->greeted = (struct redis_link_server){.client_id = 0};
    int err = say_who(link);
    if (!err)
        err = say(link, 2, (const char *[]){"INFO", "server"}, on_info);
    if (!err)
        err = say(link, 1, (const char *[]){"ROLE"}, on_first_role);
    if (!err)
        err = say(link, 1, (const char *[]){"TIME"}, on_time);
    if (!err)
        err = say(link, 2, (const char *[]){"CLIENT", "ID"}, on_client_id);
    for (int i = 0; i < REDIS_SCRIPT_COUNT && !err; i++) {
        link->greetings++;
        err = redis_link_load(link, &link->scripts[i], on_script, &link->scripts[i]);
    }
    return err;
}

/* -- what it still is ----------------------------------------------------------------------- */

/* An error tells nothing: a server that is busy says so to all who ask. */
static void on_role(void *context, int err, const redisReply *reply)
{
    struct redis_link *link = context;
    if (!err && reply->type == REDIS_REPLY_ARRAY)
        check_role(link, reply);
}

int redis_link_ask_role(struct redis_link *link)
{
    const size_t len = 4;
    return redis_link_send(link, 1, (const char *[]){"ROLE"}, &len, ROLE_LIMIT_MS, NULL, on_role,
                           link);
}
