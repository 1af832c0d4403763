/* The JSON of rooms and members, the same in events and in answers.
 *
 * WHY    one shape for one thing, wherever a client meets it.
 * Floor: store. Pure; new references of Jansson, NULL when memory is short. */
#ifndef TIDINGS_STORE_SHAPE_H
#define TIDINGS_STORE_SHAPE_H

#include <jansson.h>

#include "base/arena.h"
#include "core/room_info.h"

/* roomId, kind, name, topic, announce, slowModeSec, historyFrom, data, memberCount, version,
 * createdAt; role unless ROLE_NONE; watchers unless below 0. */
json_t *shape_room(const struct room_info *info, enum role role, int64_t watchers);

/* What is known of a user beyond the id: {name?, data?}; JSON null with neither. `name` is text,
 * `data` a JSON object as text. */
json_t *shape_user_data(struct span name, struct span data);

/* userId, role, joinedAt, mutedUntil?, userData?. */
/* {userId, userData?}; in a direct room's `members`. */
json_t *shape_person(struct span user, struct span name, struct span data);
json_t *shape_member(struct span user, enum role role, int64_t joined_at_ms, int64_t muted_until_ms,
                     struct span name, struct span data);

/* A message as history shows it: `body` (a JSON object) with type, id and timestamp before its
 * members. ERR_MEMORY. */
MUST_CHECK int shape_message(struct arena *arena, struct event_id id, int64_t timestamp_ms,
                             struct span body, struct span *ret);

/* The compact text of `value` in `arena`, and lets go of the reference; a NULL value too is
 * ERR_MEMORY. */
MUST_CHECK int shape_text(struct arena *arena, json_t *value, struct span *ret);

#endif
