#include "core/event.h"

#include <assert.h>

static const struct {
    const char *name;
    bool durable, watchers;
} table[EVENT_TYPE_COUNT] = {
#define X(id, text, durable, watchers) [EVENT_##id] = {text, durable, watchers},
    EVENT_TYPES(X)
#undef X
};

const char *event_type_name(enum event_type type)
{
    assert(type < EVENT_TYPE_COUNT);
    return table[type].name;
}

bool event_type_is_durable(enum event_type type)
{
    assert(type < EVENT_TYPE_COUNT);
    return table[type].durable;
}

bool event_type_is_for_watchers(enum event_type type)
{
    assert(type < EVENT_TYPE_COUNT);
    return table[type].watchers;
}
