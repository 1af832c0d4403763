#include "core/event_id.h"

#include <stdio.h>

#include "base/err.h"

int event_id_parse(struct span text, struct event_id *ret)
{
    struct event_id id;
    struct span rest = text;
    struct span ms = span_cut(&rest, '-');
    if (!rest.data || text.len >= EVENT_ID_TEXT_MAX)
        return ERR_INVALID_FIELD;
    int err = span_to_number(ms, UINT64_MAX, &id.ms);
    if (!err)
        err = span_to_number(rest, UINT64_MAX, &id.seq);
    if (err)
        return err;
    *ret = id;
    return 0;
}

size_t event_id_format(struct event_id id, char out[EVENT_ID_TEXT_MAX])
{
    return (size_t)snprintf(out, EVENT_ID_TEXT_MAX, "%llu-%llu", (unsigned long long)id.ms,
                            (unsigned long long)id.seq);
}

struct event_id event_id_next(struct event_id id)
{
    if (id.seq == UINT64_MAX)
        return (struct event_id){id.ms + 1, 0};
    return (struct event_id){id.ms, id.seq + 1};
}
