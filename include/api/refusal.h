/* How a stream is refused, so that native EventSources come back.
 *
 * WHY    they give up for good on any status but 200, and hammer on 401 and 403.
 * MODEL  400 and 404 at once; 401 and 403 after a pause of a second; what would be 429 or 503
 *        is a stream of one `busy` block with a random `retry:`.
 * Floor: api. On the request's worker. */
#ifndef TIDINGS_API_REFUSAL_H
#define TIDINGS_API_REFUSAL_H

#include "api/problem.h"

/* `detail` may be NULL; its texts are copied where they are needed later. */
void refusal_answer(struct request *request, int err, const struct problem_detail *detail);

#endif
