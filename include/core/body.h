/* Bodies of messages: what stays of one that is edited or deleted.
 *
 * WHY    content is never parsed and written again, so that its numbers look as they were sent.
 * MODEL  a body is the JSON object that an event keeps, compact as we wrote it. Its content is
 *        `text`, `message`, `mentions`; the rest says whose it is and where it stands.
 * Floor: core. Pure. Texts made live in the arena. */
#ifndef TIDINGS_CORE_BODY_H
#define TIDINGS_CORE_BODY_H

#include "base/arena.h"
#include "base/span.h"

/* The value of a member as it stands there; data NULL if there is none. */
struct span body_member(struct span body, const char *name);
/* As a number that is not below 0; 0 if there is none. */
int64_t body_number(struct span body, const char *name);

/* The body of a message with other content. `content` has roomId, messageId and the content,
 * nothing else; the rest is of the `old` one. ERR_MEMORY. */
MUST_CHECK int body_edited(struct arena *arena, struct span old, struct span content,
                           int64_t edited_at_ms, struct span *ret);
/* With other mentions, or none; there were some. ERR_MEMORY. */
MUST_CHECK int body_with_mentions(struct arena *arena, struct span body, const struct span *users,
                                  int count, struct span *ret);
/* Without content, and `deleted`. `edited_at_ms` 0: it tells of no edit. ERR_MEMORY. */
MUST_CHECK int body_erased(struct arena *arena, struct span old, int64_t edited_at_ms,
                           struct span *ret);

#endif
