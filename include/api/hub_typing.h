/* Typing, as the hub keeps it for all workers (core/typing.h).
 *
 * WHY    a user types with one device and sends with another, on whatever worker they are.
 * MODEL  a worker tells of a start or stop; the hub ends it by what it hears: a message of the
 *        user in the room, leaving, removal, a mute or ban, deletion of the room, its growth above
 *        rooms.quiet_limit, the user's going offline or becoming invisible, and the timeout. It is
 *        told to the others by signals, to none of the typing user's own sessions. When news of the
 *        journal was lost all typing ends: better less than what is not true.
 * Floor: api. From any thread. */
#ifndef TIDINGS_API_HUB_TYPING_H
#define TIDINGS_API_HUB_TYPING_H

#include "base/span.h"
#include "net/worker.h"

struct frame;
struct hub;

/* The names are copied. Whatever of the user is committed after the call counts as later. Without
 * memory nothing happens. */
void hub_typing_set(struct hub *hub, struct span realm, struct span room, struct span user,
                    bool types);

/* Does anybody type, or is about to? What begins after the call is told to all who are LIVE. */
bool hub_typing_is_on(struct hub *hub);

/* Who is shown as typing in some rooms. Embedded; the caller keeps it, and what it borrows, until
 * on_done. */
struct typing_call {
    struct worker *home;
    struct span realm;
    struct span rooms; /* their names, each ended by NUL */
    /* Frames of user_typing: refs and array are the caller's. Some are missing without memory. */
    void (*on_done)(struct typing_call *call);
    struct frame **frames;
    int frame_count;
    /* the hub's */
    int frame_size;
    struct hub *hub;
    struct letter letter;
};
void hub_typing_list(struct hub *hub, struct typing_call *call);

#endif
