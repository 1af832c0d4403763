/* How many messages of a room a member has not read.
 *
 * WHY    exact, also after deletions and trimming, by a few look-ups however long the history is.
 * MODEL  top-level messages are numbered by their ordinals. Of those above a marker, and above what
 *        was trimmed, the deleted ones are taken off. These are counted in a binary indexed tree
 *        turned upwards: node n counts the deleted ordinals in [n, n + lowest bit of n), so that
 *        it needs no end.
 *        One's own messages are never above one's marker: sending moves it.
 * BOUNDS a deletion adds to one node for each bit set in the ordinal; a count looks at no more
 *        nodes than the room's last ordinal has bits, and at none where nothing was deleted.
 * Floor: store. */
#ifndef TIDINGS_STORE_UNREAD_H
#define TIDINGS_STORE_UNREAD_H

#include "store/ledger.h"

MUST_CHECK int unread_count(struct ledger *ledger, const struct ledger_room *room,
                            const struct ledger_marker *marker, int64_t *ret);
/* Messages that mention the member, above its marker. */
MUST_CHECK int unread_mentions(struct ledger *ledger, place_number room, place_number user,
                               const struct ledger_marker *marker, int64_t *ret);

/* A top-level message is not counted any more. Once for each. */
MUST_CHECK int unread_erase(struct ledger *ledger, place_number room, uint64_t ordinal);

#endif
