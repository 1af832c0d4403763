/* One connection to one Redis server, kept up.
 *
 * WHY    hiredis has no time limits, and an answer that does not come means that the outcome is
 *        unknown, never that nothing was done.
 * MODEL  on an event loop, and only on its thread:
 *
 *          DOWN -> connecting -> greeting (AUTH, SELECT, run_id, ROLE, clock; scripts are loaded)
 *               -> UP
 *          UP -> DOWN on an error, on a server that hangs, on one that is no master
 *          DOWN: tries again after a pause with jitter, 50 ms at first, doubling to 2 s; from the
 *          beginning when it was up for 2 s
 *
 *        Every call has a time limit of its own; when it passes, the call ends with
 *        ERR_UNAVAILABLE, outcome unknown, and its answer is dropped. When nothing at all came
 *        since it was sent, and that is 1 s ago, the server hangs, and the link is cut.
 *        A link that goes down first says so by on_down; then all calls under way end with
 *        ERR_UNAVAILABLE.
 *        A link that wants a master asks ROLE once a second, with 1 s for the answer, and so
 *        finds a server that is none any more, or hangs, with no calls under way. One that does
 *        not finds nothing out while nothing is asked.
 *        Everything may be called from within an answer, on_up and on_down, redis_link_free too.
 * BOUNDS `REDIS_CALLS_MAX` calls under way, those included whose limit passed: ERR_BUSY.
 *        A name of a host is resolved on the loop's thread, which waits for it as long as the
 *        resolver does.
 *        The process ignores SIGPIPE.
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
    REDIS_SCRIPT_TRIM,
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
    /* Once after each on_up, unless the link is freed first. Attempts that fail are not told, but
     * by redis_link_why and in the log. */
    void (*on_down)(void *context, struct redis_link *link);
    void *context;
};

/* Begins to connect. NULL: out of memory. */
struct redis_link *redis_link_new(const struct redis_link_spec *spec);
/* Calls under way end with ERR_CLOSED, from within; on_down is not called. From within one of its
 * functions too: of a link that goes down, the calls that were not told yet end so. */
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
/* Cuts it now, and connects anew: when an answer shows that the server is of no use. `why` is
 * copied, and logged. */
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
 * it, it is loaded and asked again, behind what was asked meanwhile: for an order between two
 * runs, wait for the first one's answer. When it is not known again, that comes as the reply. */
MUST_CHECK int redis_link_run(struct redis_link *link, enum redis_script script, int argc,
                              const char **argv, const size_t *lens, int64_t limit_ms,
                              redis_answer answer, void *context);

#endif
