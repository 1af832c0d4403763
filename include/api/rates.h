/* The limits of a request: whose bucket it takes from, and the refusal with what is left of it.
 *
 * Floor: api. On the request's worker. */
#ifndef TIDINGS_API_RATES_H
#define TIDINGS_API_RATES_H

#include "api/limiter.h"
#include "api/routes.h"

/* Takes one from the bucket of the request's user (guests: of user and address; without a token,
 * and for LIMIT_STREAMS: of the address). False when it has answered 429, for event streams
 * `busy`. */
bool rates_take(struct request *request, enum limit limit);
/* Answers 429, for event streams `busy`, with what the verdict tells. */
void rates_refuse(struct request *request, const struct limit_verdict *verdict);
/* What the route asks for. */
bool rates_take_for_route(struct request *request);
/* What the commands of a batch ask for, as a whole: how many of each rate. */
bool rates_take_for_batch(struct request *request, const int counts[RATE_COUNT]);
/* Charges bytes times readers to the user's budget of fan-out, which LIMIT_FANOUT asks for. */
void rates_charge(struct request *request, int64_t bytes);

#endif
