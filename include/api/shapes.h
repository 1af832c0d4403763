/* Rooms and members as answers show them: the shapes of store/shape.h, written out.
 *
 * Floor: api. Borrows everything for the call. */
#ifndef TIDINGS_API_SHAPES_H
#define TIDINGS_API_SHAPES_H

#include "api/errand.h"

/* The room with its watchers and, unless it is ROLE_NONE, the asker's role. */
void shapes_write_room(const struct errand *errand, struct json_writer *writer,
                       const struct room_info *room, enum role role);
/* An array of members. */
void shapes_write_members(struct json_writer *writer, const struct read_member *members,
                          int count);

#endif
