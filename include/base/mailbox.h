/* Letters between threads: many senders, one reader, no locks.
 *
 * MODEL  a stack of letters that the senders push (compare and swap) and the reader takes whole
 *        and turns round; the eventfd is written only by a sender that finds the box empty.
 *        Letters of one sender stay in order, and letters pushed in one call stay together.
 * BOUNDS none of its own: whoever sends bounds what it has under way.
 * Floor: base. Push from any thread, take from the one reader. Letters are embedded in what they
 * carry; the reader owns what it took. */
#ifndef TIDINGS_BASE_MAILBOX_H
#define TIDINGS_BASE_MAILBOX_H

#include <stdatomic.h>

#include "base/attr.h"

struct letter {
    struct letter *next;
    void (*on_read)(struct letter *letter); /* called on the reader's thread */
};

struct mailbox {
    _Atomic(struct letter *) top; /* newest first */
    int fd;                       /* eventfd, readable while something may be there */
};

MUST_CHECK int mailbox_init(struct mailbox *mailbox);
/* Letters still inside are not read and not freed. */
void mailbox_fini(struct mailbox *mailbox);
void mailbox_push(struct mailbox *mailbox, struct letter *letter);
/* Several in one call: linked by `next` from the newest to the oldest. */
void mailbox_push_chain(struct mailbox *mailbox, struct letter *newest, struct letter *oldest);
/* Takes everything, calls on_read of each, oldest first; returns how many. Letters that arrive
 * meanwhile wait for the next call. */
int mailbox_read(struct mailbox *mailbox);
/* Takes everything without calling anything, linked by `next` from the oldest to the newest; NULL:
 * it was empty. For letters whose on_read is meant for another reader. */
struct letter *mailbox_take(struct mailbox *mailbox);

#endif
