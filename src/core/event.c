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

int event_type_state_group(enum event_type type)
{
    switch (type) {
    case EVENT_PRESENCE_UPDATE:
    case EVENT_MESSAGE_DELIVERED:
    case EVENT_MESSAGE_READ:
    case EVENT_ROOM_STATS:
    case EVENT_HERE_UPDATE:
        return (int)type;
    case EVENT_USER_TYPING:
    case EVENT_USER_STOPPED_TYPING:
        return EVENT_USER_TYPING;
    default:
        return 0;
    }
}

bool event_type_is_for_watchers(enum event_type type)
{
    assert(type < EVENT_TYPE_COUNT);
    return table[type].watchers;
}
