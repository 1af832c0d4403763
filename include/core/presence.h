/* Presence: what is shown of a user, folded from what was chosen and what sessions report.
 *
 * WHY    a phone that reconnects does not flap, a log-out is seen at once, and a crowd that comes
 *        is told in few pieces.
 * MODEL
 *                      +-- last one goes, no log-out --+
 *                      |                               v
 *        absent -----> present <------ enters ------ lingering -- grace over --+
 *           ^            |                                                     |
 *           +------------+-- last one logs out <-------------------------------+
 *
 *        Shown: offline while absent; else the choice; else online if any session reports so,
 *        else away. Lingering counts as the session that went. With it an activity: that of the
 *        choice, if it has one; else the newest that a session reported, for as long as that
 *        session is there; none while offline.
 *        A change is told by on_change: the first at once, those that follow within fold_ms
 *        together. Who is shown as before by then is not told of.
 *        Sessions of another node are leases: the node can be declared lost as a whole.
 * BOUNDS of one flush by its budget; what is left waits for the next. Activities by the caller.
 * Floor: core. One thread. Pure: `now_ms` is a clock that never jumps, `wall_ms` what people
 * read. Users and sessions are the caller's memory. */
#ifndef TIDINGS_CORE_PRESENCE_H
#define TIDINGS_CORE_PRESENCE_H

#include "base/attr.h"
#include "base/deadline.h"
#include "base/span.h"

/* Kept on disk: append only. */
enum presence_status {
    PRESENCE_NONE, /* of a choice: none */
    PRESENCE_ONLINE,
    PRESENCE_AWAY,
    PRESENCE_BUSY,
    PRESENCE_OFFLINE,
};

/* As in JSON; PRESENCE_NONE has none. */
const char *presence_status_name(enum presence_status status);
/* ERR_INVALID_FIELD. */
MUST_CHECK int presence_status_parse(struct span text, enum presence_status *ret);

struct presence;
struct presence_activities;
struct presence_user;

struct presence_ops {
    /* Shown otherwise than told before: told_status and what presence_activity gives. Returns
     * what it counts for in the budget of presence_flush. */
    int64_t (*on_change)(struct presence *presence, struct presence_user *user);
    /* No change of it is left to be told; it may be forgotten in this call. */
    void (*on_settled)(struct presence *presence, struct presence_user *user);
    /* Absent from now on; seen_ms is when the last session went. Likewise, if it is idle. */
    void (*on_absent)(struct presence *presence, struct presence_user *user);
};

struct presence {
    const struct presence_ops *ops;
    int64_t grace_ms, fold_ms;
    struct deadline_wheel wheel;
    struct presence_user *changed_first, *changed_last;
    int64_t flushed_ms; /* when something was told last */
    int64_t lingering;  /* users */
};

/* Zeroed before it enters. */
struct presence_session {
    uint8_t reported; /* PRESENCE_ONLINE or _AWAY; PRESENCE_NONE: has not entered */
};

/* Zeroed before it is used. */
struct presence_user {
    struct deadline grace;
    struct presence_user *changed_next;
    struct presence_activities *activities; /* owned; NULL: none is known or told, as of most */
    int64_t seen_ms;       /* wall: when it came to be shown so, or the last session went while
                              it was not invisible; 0: not known */
    uint32_t online, away; /* sessions that report so */
    uint8_t choice, lingering, told_status; /* enum presence_status */
    bool changed;                           /* in the list */
};

void presence_init(struct presence *presence, const struct presence_ops *ops, int64_t grace_ms,
                   int64_t fold_ms, int64_t now_ms);
/* Forgets the user, whatever its state, untold. */
void presence_user_fini(struct presence *presence, struct presence_user *user);
/* Nothing is to be remembered of it but what is durable. */
bool presence_user_is_idle(const struct presence_user *user);
static inline bool presence_user_is_absent(const struct presence_user *user)
{
    return !user->online && !user->away && !user->lingering;
}

/* What is shown now, told or not. */
enum presence_status presence_shown(const struct presence_user *user);
/* The activity that goes with what is shown now; NULL: none. */
const char *presence_activity(const struct presence_user *user);
/* The hash of the activity that was told last, 0: none. */
uint64_t presence_told_activity(const struct presence_user *user);
/* seen_ms for what is shown now: `wall_ms` if that is still to be told. */
int64_t presence_seen_ms(const struct presence_user *user, int64_t wall_ms);

/* Reports online, or what the session reported in whose grace it comes. */
void presence_enter(struct presence *presence, struct presence_user *user,
                    struct presence_session *session);
/* `next` goes on as `session`, of the same name, which is not in any longer. */
void presence_replace(struct presence_user *user, struct presence_session *session,
                      struct presence_session *next);
void presence_leave(struct presence *presence, struct presence_user *user,
                    struct presence_session *session, bool logged_out, int64_t now_ms,
                    int64_t wall_ms);
/* `status` is PRESENCE_ONLINE or _AWAY; an activity without data is none. ERR_MEMORY: nothing
 * was done. */
MUST_CHECK int presence_report(struct presence *presence, struct presence_user *user,
                               struct presence_session *session, enum presence_status status,
                               struct span activity);
/* PRESENCE_NONE clears. ERR_MEMORY as above. */
MUST_CHECK int presence_choose(struct presence *presence, struct presence_user *user,
                               enum presence_status status, struct span activity);

/* Ends what has lingered for the grace. */
void presence_tick(struct presence *presence, int64_t now_ms);
/* Milliseconds until changes may be told: 0 now; -1: there are none. */
int64_t presence_flush_in(const struct presence *presence, int64_t now_ms);
/* Tells changes, oldest first, until their costs reach the budget. */
void presence_flush(struct presence *presence, int64_t now_ms, int64_t wall_ms, int64_t budget);

/* A node's sessions. Zeroed at first. */
struct presence_node {
    struct presence_lease *leases;
};

/* A session on another node. */
struct presence_lease {
    struct presence_session session;
    struct presence_user *user;
    struct presence_node *node;
    struct presence_lease *previous, *next; /* of the node */
};

/* Fills a zeroed lease whose user it enters. */
void presence_lease_enter(struct presence *presence, struct presence_node *node,
                          struct presence_user *user, struct presence_lease *lease);
void presence_lease_leave(struct presence *presence, struct presence_lease *lease, bool logged_out,
                          int64_t now_ms, int64_t wall_ms);
/* Takes off one lease of a node that is gone, as if its session had broken off now; NULL when
 * none is left. */
struct presence_lease *presence_node_lose(struct presence *presence, struct presence_node *node,
                                          int64_t now_ms, int64_t wall_ms);

#endif
