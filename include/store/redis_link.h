/* One connection to one Redis server, kept up.
 *
 * WHY    hiredis has no time limits, and an answer that does not come means that the outcome is
 *        unknown, never that nothing was done.
 * MODEL  on an event loop, and only on its thread:
 *
 *          DOWN -> connecting -> greeting (AUTH, SELECT, HELLO of ours: run_id, ROLE, clock;
 *                                          scripts are loaded) -> UP
 *          UP -> DOWN on an error, on an answer that is late, on a server that is no master
 *          DOWN: tries again after a pause with jitter, 50 ms at first, doubling to 2 s
 *
 *        Every call has a time limit of its own; when one passes, the link is cut, since answers
 *        come in order. All calls under way then end with ERR_UNAVAILABLE, outcome unknown.
 *        A link that is UP asks ROLE once a second and ends itself when the server is no master
 *        any more; a link that only reads (a tail) does so too, by a link beside it.
 * BOUNDS `REDIS_CALLS_MAX` calls under way: ERR_BUSY.
 * Floor: store. The loop's thread. */
#ifndef TIDINGS_STORE_REDIS_LINK_H
#define TIDINGS_STORE_REDIS_LINK_H

#include "base/span.h"
#include "store/redis_url.h"

#define REDIS_CALLS_MAX 4096
#define REDIS_RUN_ID_BYTES 40

struct event_base;
struct redisReply;
struct redis_link;

enum redis_script {
    REDIS_SCRIPT_FETCH,
    REDIS_SCRIPT_COMMIT,
    REDIS_SCRIPT_LIFE,
    REDIS_SCRIPT_COUNT
};

/* What an error answer means; never that something was stored. */
enum redis_fault {
    REDIS_FAULT_NONE,
    REDIS_FAULT_NOSCRIPT,    /* load it and repeat; done by the link itself */
    REDIS_FAULT_BUSY,        /* a script runs for too long */
    REDIS_FAULT_LOADING,
    REDIS_FAULT_OOM,         /* maxmemory is reached */
    REDIS_FAULT_MISCONF,     /* its disk fails */
    REDIS_FAULT_READONLY,    /* a replica */
    REDIS_FAULT_NOREPLICAS,  /* min-replicas-to-write */
    REDIS_FAULT_MASTERDOWN,
    REDIS_FAULT_CLUSTERDOWN,
    REDIS_FAULT_MOVED,
    REDIS_FAULT_ASK,
    REDIS_FAULT_TRYAGAIN,
    REDIS_FAULT_CROSSSLOT,
    REDIS_FAULT_UNBLOCKED,   /* CLIENT UNBLOCK … ERROR */
    REDIS_FAULT_AUTH,        /* NOAUTH, WRONGPASS, NOPERM */
    REDIS_FAULT_WRONGTYPE,
    REDIS_FAULT_OTHER
};
/* Of a reply that is an error, by its first word; NONE of any other. */
enum redis_fault redis_reply_fault(const struct redisReply *reply);
/* Whether waiting and asking again can help. */
bool redis_fault_passes(enum redis_fault fault);
const char *redis_fault_name(enum redis_fault fault);

struct redis_link_spec {
    struct event_base *base;         /* borrowed */
    const char *name;                /* for logs: "work", "tail"; static */
    const struct redis_url *url;     /* borrowed: user, password, database */
    struct redis_host host;
    bool wants_master;               /* else any role will do */
    int64_t connect_ms;              /* limit of connecting and of greeting */
    void (*on_up)(void *context, struct redis_link *link);
    /* Not called for a first attempt that fails before on_up, but for `why` in redis_link_why. */
    void (*on_down)(void *context, struct redis_link *link);
    void *context;
};

/* Begins to connect. NULL: out of memory. */
struct redis_link *redis_link_new(const struct redis_link_spec *spec);
/* Calls under way end with ERR_CLOSED, from within. */
struct redis_link *redis_link_free(struct redis_link *link);
bool redis_link_is_up(const struct redis_link *link);
/* Of the server that it is or was last up with. */
struct span redis_link_run_id(const struct redis_link *link);
/* The server's clock minus this machine's monotonic one, in ms, as the last greeting found it. */
int64_t redis_link_clock_offset_ms(const struct redis_link *link);
/* Its CLIENT ID, for CLIENT UNBLOCK from another link. */
int64_t redis_link_client_id(const struct redis_link *link);
/* Why it is down, for logs and /readyz; static or the link's own. "" while it is up. */
const char *redis_link_why(const struct redis_link *link);
/* From now on with that server: cuts the link if it is another one. */
void redis_link_move(struct redis_link *link, const struct redis_host *host);
/* Cuts it now, and connects anew: when an answer shows that the server is of no use. */
void redis_link_cut(struct redis_link *link, const char *why);

/* `reply` is borrowed, NULL when `err` is not 0:
 *   ERR_UNAVAILABLE  outcome unknown
 *   ERR_CLOSED       the link is being freed; outcome unknown
 * An error answer comes as a reply. */
typedef void (*redis_answer)(void *context, int err, const struct redisReply *reply);

/* Arguments are copied. 0, or when it was not sent: ERR_UNAVAILABLE (down), ERR_BUSY, ERR_MEMORY;
 * then `answer` is not called. It is never called within the call. */
MUST_CHECK int redis_link_ask(struct redis_link *link, int argc, const char **argv,
                              const size_t *lens, int64_t limit_ms, redis_answer answer,
                              void *context);
/* EVALSHA of a script, whose argv begins with the number of keys. When the server does not know
 * it, it is loaded and asked again, before anything that was asked later on this link could
 * overtake it only if the caller waits for the answer. */
MUST_CHECK int redis_link_run(struct redis_link *link, enum redis_script script, int argc,
                              const char **argv, const size_t *lens, int64_t limit_ms,
                              redis_answer answer, void *context);

#endif
