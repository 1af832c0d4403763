/* Rooms and members as answers show them: the shapes of store/shape.h, written out.
 *
 * Floor: api. Borrows everything for the call. */
#ifndef TIDINGS_API_SHAPES_H
#define TIDINGS_API_SHAPES_H

#include "api/errand.h"

/* The room with its watchers and, unless it is ROLE_NONE, the asker's role. */
void shapes_write_room(const struct errand *errand, struct json_writer *writer,
                       const struct room_info *room, enum role role);
/* What was read of a room: also what of it is the asker's own, and its newest message. */
void shapes_write_read_room(const struct errand *errand, struct json_writer *writer,
                            const struct read_room *room);
/* The members `rooms` and `next` of what was read. */
void shapes_write_rooms(const struct errand *errand, struct json_writer *writer,
                        const struct journal_read *read);
/* {userId, userData?}. */
void shapes_write_person(struct json_writer *writer, struct span user, struct span name,
                         struct span data);
/* An array of members. */
void shapes_write_members(struct json_writer *writer, const struct read_member *members,
                          int count);

#endif
