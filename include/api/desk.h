/* A worker's desk: made when the worker starts, its readers, and what it does for them.
 *
 * Floor: api. On the desk's worker but for desk_close and desk_free. */
#ifndef TIDINGS_API_DESK_H
#define TIDINGS_API_DESK_H

#include "api/reader.h"

MUST_CHECK int desk_new(struct app *app, struct worker *worker, struct desk **ret);
/* After the workers have stopped: closes its readers. NULL is fine. */
void desk_close(struct desk *desk);
/* When the last of them is gone. */
struct desk *desk_free(struct desk *desk);

void desk_add_reader(struct desk *desk, struct reader *reader);
void desk_remove_reader(struct desk *desk, struct reader *reader);
/* Tells the journal the name and data that the token has, without waiting for it. */
void desk_note_profile(struct desk *desk, struct identity *identity);

#endif
