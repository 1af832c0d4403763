/* What the parts of a link to Redis share; nobody else includes it.
 *
 * MODEL  redis_link.c      states, timers, going down and coming up
 *        redis_calls.c     what is asked and answered
 *        redis_greeting.c  the first questions, and the one for the role that goes on
 *
 *        What hiredis 0.14 does, and all of this stands on:
 *        - a context that fails calls back every call with no reply, then on_disconnect, and is
 *          freed; one whose connecting fails calls on_connect alone, and is freed
 *        - a refused connection comes at once for a socket of the file system, by on_connect
 *          for TCP
 *        - neither from within on_connect nor from on_disconnect may it be freed or asked; from
 *          within the callback of a call it may: it is then freed when that returns
 *        So the link lets go of its context before it calls anybody, and a call lives until
 *        hiredis has called back, whether the link still knows of it or not.
 * Floor: store. The loop's thread. */
#ifndef TIDINGS_STORE_REDIS_LINK_PARTS_H
#define TIDINGS_STORE_REDIS_LINK_PARTS_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "base/list.h"
#include "store/redis_link.h"

#define REDIS_WHY_BYTES 160
#define REDIS_SHA1_BYTES 40 /* as hexadecimal text */

enum redis_link_state {
    REDIS_LINK_DOWN,       /* waits for the next attempt */
    REDIS_LINK_CONNECTING, /* for the socket */
    REDIS_LINK_CONNECTED,  /* the greeting begins in the next turn of the loop */
    REDIS_LINK_GREETING,
    REDIS_LINK_UP,
    REDIS_LINK_STATE_COUNT
};

/* One answer that is waited for. */
struct redis_link_call {
    struct link member;      /* of one of the link's lists */
    struct redis_link *link; /* NULL: it was let go, and its asker has been told */
    redis_answer answer;     /* NULL: nobody wants to know, or has been told already */
    void *context;
    int64_t sent_ms, until_ms; /* clock_now_ms() */
    uint64_t heard;            /* link->heard when it was sent */
    char *command;             /* of a script, to be sent again; owned, NULL: it cannot be */
    size_t command_len;
    struct redis_link_script *script; /* NULL: none, or it was sent again already */
};

struct redis_link_script {
    struct redis_link *link;
    char sha[REDIS_SHA1_BYTES + 1];
    bool loading; /* it was asked for since the link came up, and the answer is not there */
};

/* What a server tells of itself. */
struct redis_link_server {
    char run_id[REDIS_RUN_ID_BYTES + 1];
    int64_t clock_offset_ms, client_id;
};

struct redis_link {
    struct redis_link_spec spec;
    enum redis_link_state state;
    redisAsyncContext *redis; /* NULL while down */
    struct event *timer;      /* the next attempt, the limit of connecting, or the next tick */

    struct list calls;    /* waited for, in the order they were sent */
    struct list late;     /* those whose limit has just passed, about to be told so */
    struct list given_up; /* those that were told; what may still come is dropped */
    int call_count;       /* of all of these */
    uint64_t heard;       /* answers that came */

    struct redis_link_script scripts[REDIS_SCRIPT_COUNT];
    struct redis_link_server greeted; /* the one that is being greeted */
    struct redis_link_server server;  /* the one it is or was last up with */
    int greetings;                    /* answers that the greeting waits for */

    int64_t greet_until_ms, up_at_ms, ticked_ms;
    int64_t awake_ms;   /* since when the loop has been turning, so that answers can be heard */
    int64_t role_at_ms; /* when ROLE is asked next */
    int64_t pause_ms;   /* before the next attempt, without jitter */
    char why[REDIS_WHY_BYTES];
    char told_why[REDIS_WHY_BYTES]; /* what the log said last of attempts that fail */

    int inside; /* calls of its functions that still need it after they called somebody */
    bool freed; /* it ends with the last of them */
};

/* -- redis_link.c -- */

/* The greeting is done: on_up. Nothing of the link is touched after it. */
void redis_link_come_up(struct redis_link *link);
/* hiredis gives up the context, by on_disconnect or by a call without a reply. */
void redis_link_lost(struct redis_link *link, const redisAsyncContext *redis);

/* -- redis_calls.c -- */

/* As redis_link_ask, in any state with a context, and without REDIS_CALLS_MAX. `script`: of an
 * EVALSHA, which is sent again after a NOSCRIPT; else NULL. */
MUST_CHECK int redis_link_send(struct redis_link *link, int argc, const char **argv,
                               const size_t *lens, int64_t limit_ms,
                               struct redis_link_script *script, redis_answer answer,
                               void *context);
/* SCRIPT LOAD. */
MUST_CHECK int redis_link_load(struct redis_link *link, struct redis_link_script *script,
                               redis_answer answer, void *context);
/* Ends all calls, as outcome unknown. They may free the link: it must be `inside`. */
void redis_link_end_calls(struct redis_link *link);
/* Ends those whose limit has passed. False, and none of them was ended: the server hangs, since
 * nothing at all came since one of them was sent. The link must be `inside`. */
MUST_CHECK bool redis_link_end_late(struct redis_link *link, int64_t now_ms);

/* -- redis_greeting.c -- */

/* ERR_*: it cannot be asked. */
MUST_CHECK int redis_link_greet(struct redis_link *link);
/* Cuts the link when the answer is that the server is no master. */
MUST_CHECK int redis_link_ask_role(struct redis_link *link);

#endif
