/* Typing, as the hub keeps it for all workers (core/typing.h).
 *
 * WHY    a user types with one device and sends with another, on whatever worker they are.
 * MODEL  a worker tells of a start or stop; the hub ends it by what it hears: a message of the
 *        user in the room, leaving, removal, deletion of the room, its growth above
 *        rooms.quiet_limit, the user's going offline, and the timeout. It is told to the others by
 *        signals, to none of the typing user's own sessions. When news of the journal was lost all
 *        typing ends: better less than what is not true.
 * Floor: api. From any thread. */
#ifndef TIDINGS_API_HUB_TYPING_H
#define TIDINGS_API_HUB_TYPING_H

#include "base/span.h"

struct hub;

/* The names are copied. Whatever of the user is committed after the call counts as later. Without
 * memory nothing happens. */
void hub_typing_set(struct hub *hub, struct span realm, struct span room, struct span user,
                    bool types);

#endif
