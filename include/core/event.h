/* The kinds of events and what is fixed for each.
 *
 * Floor: core. Pure, static tables. */
#ifndef TIDINGS_CORE_EVENT_H
#define TIDINGS_CORE_EVENT_H

#include "base/span.h"

/* name, type on the wire, durable, shown to watchers. The order is stored on disk: append only. */
#define EVENT_TYPES(X)                                                                             \
    X(NONE, "", false, false)                                                                      \
    X(NEW_MESSAGE, "new_message", true, true)                                                      \
    X(MESSAGE_EDITED, "message_edited", true, true)                                                \
    X(MESSAGE_DELETED, "message_deleted", true, true)                                              \
    X(REACTION_ADDED, "reaction_added", true, true)                                                \
    X(REACTION_REMOVED, "reaction_removed", true, true)                                            \
    X(USER_JOINED, "user_joined", true, false)                                                     \
    X(USER_LEFT, "user_left", true, false)                                                         \
    X(ROOM_CREATED, "room_created", true, true)                                                    \
    X(ROOM_UPDATED, "room_updated", true, true)                                                    \
    X(ROOM_DELETED, "room_deleted", true, true)                                                    \
    X(MEMBER_UPDATED, "member_updated", true, false)                                               \
    X(USER_UPDATED, "user_updated", true, false)                                                   \
    X(USER_DELETED, "user_deleted", true, false)                                                   \
    X(CUSTOM, "custom.", true, true)                                                               \
    X(COMMAND_REFUSED, "command_refused", true, false)                                             \
    X(CONNECTED, "connected", false, true)                                                         \
    X(CAUGHT_UP, "caught_up", false, true)                                                         \
    X(GAP, "gap", false, true)                                                                     \
    X(RESET, "reset", false, true)                                                                 \
    X(RECONNECT, "reconnect", false, true)                                                         \
    X(ENDED, "ended", false, true)                                                                 \
    X(BUSY, "busy", false, true)                                                                   \
    X(HEARTBEAT, "heartbeat", false, true)                                                         \
    X(ROOM_DENIED, "room_denied", false, true)                                                     \
    X(ROOM_STATS, "room_stats", false, true)                                                       \
    X(USER_TYPING, "user_typing", false, false)                                                    \
    X(USER_STOPPED_TYPING, "user_stopped_typing", false, false)                                    \
    X(PRESENCE_UPDATE, "presence_update", false, false)                                            \
    X(HERE_UPDATE, "here_update", false, false)                                                    \
    X(MESSAGE_DELIVERED, "message_delivered", false, false)                                        \
    X(MESSAGE_READ, "message_read", false, false)

enum event_type {
#define X(name, text, durable, watchers) EVENT_##name,
    EVENT_TYPES(X)
#undef X
        EVENT_TYPE_COUNT
};

/* The type on the wire; of EVENT_CUSTOM only its prefix. */
const char *event_type_name(enum event_type type);
bool event_type_is_durable(enum event_type type);
/* True when one who watches a room without membership is shown events of this type. */
bool event_type_is_for_watchers(enum event_type type);
/* Ephemeral and the newest makes older ones void: two of one group that name the same room, user
 * and session. 0: of none. */
int event_type_state_group(enum event_type type);

#endif
