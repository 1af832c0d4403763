/* The frames of message_read and message_delivered.
 *
 * Floor: api. Any thread. */
#ifndef TIDINGS_API_RECEIPT_FRAME_H
#define TIDINGS_API_RECEIPT_FRAME_H

#include "core/frame.h"
#include "store/journal.h"

/* For all members of the room; of EVENT_MESSAGE_READ the user's own sessions are given the counts
 * as well, as of `as_of`, and with `own_only` they alone are told. Those of a user whom
 * EVENT_MESSAGE_DELIVERED is about are not told. ERR_MEMORY. */
MUST_CHECK int receipt_frame_new(struct span realm, const struct read_receipt *receipt,
                                 struct event_id as_of, bool own_only, struct frame **ret);

#endif
