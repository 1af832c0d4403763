/* Event ids: `<ms>-<seq>`, as Redis streams have them.
 *
 * WHY    one short cursor covers all rooms of a user, works as a native Last-Event-ID and can be
 *        typed into curl.
 * MODEL  two numbers, compared as numbers; 0-0 is "from the beginning". No leading zeros.
 * Floor: core. Pure. */
#ifndef TIDINGS_CORE_EVENT_ID_H
#define TIDINGS_CORE_EVENT_ID_H

#include "base/span.h"

#define EVENT_ID_TEXT_MAX 42 /* two numbers of 20 digits, the dash, NUL */

struct event_id {
    uint64_t ms;  /* milliseconds since 1970 UTC by the journal's clock */
    uint64_t seq; /* within the millisecond */
};

#define EVENT_ID_NONE ((struct event_id){0, 0})

/* ERR_INVALID_FIELD for anything else than two decimal numbers below 2^64 with a dash. */
MUST_CHECK int event_id_parse(struct span text, struct event_id *ret);
/* Writes the text and NUL, returns its length. */
size_t event_id_format(struct event_id id, char out[EVENT_ID_TEXT_MAX]);
/* The id directly above. */
struct event_id event_id_next(struct event_id id);

static inline int event_id_compare(struct event_id a, struct event_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static inline bool event_id_is_none(struct event_id id)
{
    return id.ms == 0 && id.seq == 0;
}

#endif
