/* The hub's part of presence, for the workers: what is shown of users, reports of sessions, and
 * that something durable has changed.
 *
 * MODEL  a call goes to the hub and comes back as on_done on its home worker:
 *          PRESENCE_STATES  what is shown now of `states`
 *          PRESENCE_REPORT  the session `name` of `user` reports `status` and `activity`
 *          PRESENCE_RELOAD  the user's choice or subscriptions were changed in the journal: they
 *                           are in force when it comes back
 *        `states` are filled by each of them.
 * Floor: api. */
#ifndef TIDINGS_API_HUB_PRESENCE_H
#define TIDINGS_API_HUB_PRESENCE_H

#include "base/limits.h"
#include "base/mailbox.h"
#include "base/span.h"
#include "core/presence.h"

struct hub;
struct worker;

#define ACTIVITY_BYTES_MAX (4 * ACTIVITY_CHARACTERS_MAX)

struct presence_state {
    struct span user; /* asked for */
    bool known;       /* the hub knows it; else it is offline */
    enum presence_status status;
    bool has_activity;
    char activity[ACTIVITY_BYTES_MAX + 1];
    int64_t seen_ms; /* 0: not known */
};

enum presence_action { PRESENCE_STATES, PRESENCE_REPORT, PRESENCE_RELOAD };

/* Embedded; the caller keeps it and all it points to until on_done. */
struct presence_call {
    enum presence_action action;
    struct worker *home;
    struct span realm, user;     /* of whom it is about */
    struct span name;            /* PRESENCE_REPORT: session */
    enum presence_status status; /* PRESENCE_REPORT */
    struct span activity;        /* PRESENCE_REPORT; data NULL: none */
    struct presence_state *states;
    int state_count;
    /* ERR_OK; ERR_CLOSED; of a report ERR_NOT_FOUND: no such session, ERR_MEMORY. */
    void (*on_done)(struct presence_call *call, int err);
    /* the hub's */
    struct hub *hub;
    struct presence_call *next;
    int err;
    struct letter letter;
};

void hub_presence_call(struct hub *hub, struct presence_call *call);

#endif
