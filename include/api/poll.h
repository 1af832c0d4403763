/* Long-polls: sessions whose events are collected request by request.
 *
 * WHY    where streams are cut or buffered the same events must come, in the same order, by the
 *        same rules; and a client that lost an answer must get it again.
 * MODEL  a poll session is a reader that lives on one worker, chosen by the hash of its name, so
 *        that all workers find it without asking. The request may be on another: it travels as a
 *        ticket.
 *
 *            home worker                     owner worker
 *            poll_get: ticket  ----------->  find or open the reader
 *            park the request  <-----------  nothing there yet
 *            (peer gone)       ----------->  forget the ticket
 *            answer            <-----------  frames, cursor
 *
 *        The answer's cursor is confirmed only by the next poll that sends it: any other cursor
 *        opens the reader again from there. A gap, which has no id, is told in an answer whose
 *        cursor moves.
 * BOUNDS one waiting ticket for each session (a newer one has the older answered empty); a
 *        session without a poll for poll.session_ttl ends. Sessions that limits.sessions does not
 *        hold (a guest's, and one whose name was given and no poll has come with) are at most
 *        POLL_LOOSE_MAX for each worker, then the one longest without a poll ends; its next poll
 *        goes on from its cursor.
 * Floor: api. A table belongs to its desk. */
#ifndef TIDINGS_API_POLL_H
#define TIDINGS_API_POLL_H

#include "api/app.h"

#define POLL_LOOSE_MAX 4096

struct poll_table;
struct reader;

/* NULL: out of memory. */
struct poll_table *poll_table_new(void);
/* Without sessions. */
struct poll_table *poll_table_free(struct poll_table *table);
/* Answers a poll that waits with what is there, and ends its session. */
void poll_end(struct reader *reader);

#endif
