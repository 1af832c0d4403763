/* Requests that wait for a thread of the SQLite journal, first come first served.
 *
 * BOUNDS none of its own: the journal counts what is under way.
 * Floor: store. Put from any thread, take from several. Links requests by their letters. */
#ifndef TIDINGS_STORE_SQLITE_QUEUE_H
#define TIDINGS_STORE_SQLITE_QUEUE_H

#include <pthread.h>

#include "store/journal.h"

struct sqlite_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct journal_request *first, *last; /* borrowed */
    int waiting;                          /* threads in take */
    bool closed;                          /* nothing is put any more */
};

void sqlite_queue_init(struct sqlite_queue *queue);
void sqlite_queue_fini(struct sqlite_queue *queue);
void sqlite_queue_put(struct sqlite_queue *queue, struct journal_request *request);
/* Takers return at once with what is left, then with nothing. */
void sqlite_queue_close(struct sqlite_queue *queue);

/* The oldest; NULL when it is closed and empty. */
struct journal_request *sqlite_queue_take(struct sqlite_queue *queue);
/* All, linked by sqlite_queue_next; NULL after `wait_ms` without any, or when it is closed and
 * empty (then `*ret_closed`). */
struct journal_request *sqlite_queue_take_all(struct sqlite_queue *queue, int64_t wait_ms,
                                              bool *ret_closed);

static inline struct journal_request *sqlite_queue_next(const struct journal_request *request)
{
    return request->letter.next ? container_of(request->letter.next, struct journal_request, letter)
                                : NULL;
}

#endif
