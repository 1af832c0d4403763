/* Readers on streams, for what ends them from outside.
 *
 * Floor: api. On the reader's worker. */
#ifndef TIDINGS_API_SUBSCRIBE_H
#define TIDINGS_API_SUBSCRIBE_H

#include "api/reader.h"

/* The node drains: ends it in `after_ms` with `reconnect`. */
void subscription_drain(struct reader *reader, int64_t after_ms);

#endif
