/* Pages of other origins (the Fetch standard's CORS protocol), and the headers that belong on
 * every answer.
 *
 * MODEL  listed origins are named back and may send credentials; with `*` in
 *        http.allowed_origins all others get `*`, without credentials; the rest get nothing.
 * Floor: api. On the worker's thread. */
#ifndef TIDINGS_API_CORS_H
#define TIDINGS_API_CORS_H

#include "base/settings.h"
#include "net/http.h"

#define CORS_MAX_AGE_S 600

/* The value of Access-Control-Allow-Origin; NULL: none. Only a listed origin may send
 * credentials. Pure; `*ret_credentials` is set in any case. */
const char *cors_allow_origin(const struct setting_list *allowed, struct span origin,
                              bool *ret_credentials);
/* Answers a preflight, which has no token, whatever its path; false when it is none. */
bool cors_answer_preflight(struct request *request);
/* For http_app.on_answer. */
void cors_on_answer(struct request *request, int status);

#endif
