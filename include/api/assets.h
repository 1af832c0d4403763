/* The pages that are part of the binary: what `www/` holds, and the page of errors.
 *
 * MODEL  `/` is index.html, `/NAME` the file of that name, `/errors` the table of problems. Each
 *        has an ETag made of its bytes, the same on every node, and is asked for again each time
 *        (`no-cache`); the policy lets a page load from its own origin only.
 * Floor: api. Static. */
#ifndef TIDINGS_API_ASSETS_H
#define TIDINGS_API_ASSETS_H

#include "base/embedded.h"
#include "base/span.h"

/* `path` as sent. NULL when there is no such page; `data` NULL: it is made when asked for. */
const struct embedded *assets_find(struct span path);
/* By the ending of its name. Constant. */
const char *assets_content_type(const char *name);

#endif
