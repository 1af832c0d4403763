/* Markers that a command moved, on their way to the hub.
 *
 * MODEL  what reading and acknowledging move goes to the hub at once; what sending moves, which is
 *        told to the sender's own sessions alone, is gathered at the desk first, so that a message
 *        wakes no other thread.
 * BOUNDS one for each sender and room within SENT_GATHER_MS.
 * Floor: api. On the desk's worker. */
#ifndef TIDINGS_API_MARKERS_H
#define TIDINGS_API_MARKERS_H

#include "api/app.h"
#include "core/command.h"

#define SENT_GATHER_MS 50

/* Of a desk. */
void markers_init(struct desk *desk);
/* What was gathered and not told is told again after a resume. */
void markers_fini(struct desk *desk);

/* Gives the hub what was gathered. */
void markers_hand_over(struct desk *desk);

/* The command was carried out: READ, ACK or SEND_MESSAGE. */
void markers_note(struct desk *desk, const struct command *command);

#endif
