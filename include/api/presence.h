/* What is shown of people, within answers about something else.
 *
 * MODEL  presence_ask -> on_done with an errand that has what was found; what was read before is
 *        its `before`. Who may not be known about is not found.
 * Floor: api. On the request's worker. */
#ifndef TIDINGS_API_PRESENCE_H
#define TIDINGS_API_PRESENCE_H

#include "api/errand.h"

/* The texts of `users` live as long as the request. With none of them `on_done` is called at once,
 * with `before` itself. */
void presence_ask(struct errand *before, const struct span *users, int count,
                  void (*on_done)(struct errand *errand));
/* What was read before presence_ask. */
const struct journal_read *presence_asked_of(const struct errand *errand);
/* The member `presence` {status, activity, lastSeen} of one of those who were found; nothing of
 * others. */
void presence_write_of(const struct errand *errand, struct json_writer *writer, struct span user);
/* The member `presence`, an array of all others who were found. */
void presence_write_list(const struct errand *errand, struct json_writer *writer);

/* Those one has direct rooms with, of what was read: as presence_ask. */
void presence_ask_of_pairs(struct errand *rooms, void (*on_done)(struct errand *errand));

#endif
