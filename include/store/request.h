/* The life of a journal request, as backends handle it.
 *
 * BOUNDS a request's results take at most REQUEST_ARENA_BYTES_MAX.
 * Floor: store. */
#ifndef TIDINGS_STORE_REQUEST_H
#define TIDINGS_STORE_REQUEST_H

#include "store/journal.h"

#define REQUEST_ARENA_BYTES_MAX (64u << 20)

/* Makes it ready for results: once, when it is started. */
void journal_request_begin(struct journal_request *request);
/* Sends it home. It may be gone when this returns. */
void journal_request_finish(struct journal_request *request, int err);

#endif
