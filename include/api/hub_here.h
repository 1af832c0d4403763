/* Here, as the hub keeps it for all workers (core/here.h).
 *
 * MODEL  a call goes from its worker to the hub and back. The session is one that the hub knows,
 *        connected or here within its grace. What changes is told to the room's members by
 *        signals, but not in rooms above rooms.quiet_limit. When news of the journal was lost all
 *        spots end, for nobody knows any more who has left.
 * Floor: api. On the calling worker's thread. */
#ifndef TIDINGS_API_HUB_HERE_H
#define TIDINGS_API_HUB_HERE_H

#include "api/hub.h"
#include "api/json_writer.h"
#include "base/limits.h"

enum here_action { HERE_PUT, HERE_REMOVE, HERE_LIST };

/* Embedded; the caller keeps it, and what it borrows, until on_done. */
struct here_call {
    enum here_action action;
    struct worker *home;
    struct span realm, room;
    struct span user, session; /* PUT, REMOVE */
    struct span data;          /* PUT: a JSON object as canonical text */
    int64_t members;           /* PUT: of the room */
    struct json_writer *list;  /* LIST: gets an array of {userId, sessionId, data} */
    /* ERR_OK; ERR_NOT_FOUND: the user has no session of this name; ERR_FULL, ERR_MEMORY: PUT. */
    void (*on_done)(struct here_call *call, int err);
    /* the hub's */
    struct hub *hub;
    int err;
    struct letter letter;
};

void hub_here(struct hub *hub, struct here_call *call);

#endif
