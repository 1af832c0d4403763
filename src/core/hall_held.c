/* States held back for a slow reader: the newest of each. */
#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"
#include "core/hall_tables.h"

struct held {
    int count, size;
    struct frame *frames[]; /* refs, in the order in which they were first held */
};

static bool same_name(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Does the one make the other void? */
static bool same_state(const struct frame *a, const struct frame *b)
{
    return event_type_state_group((enum event_type)a->type) ==
               event_type_state_group((enum event_type)b->type) &&
           a->audience == b->audience && same_name(a->user, b->user) &&
           same_name(a->room, b->room) && same_name(a->session, b->session) &&
           (a->session || same_name(a->spared_user, b->spared_user));
}

static struct held *held_grow(struct held *held)
{
    int size = held ? 2 * held->size : 8;
    struct held *grown = realloc(held, sizeof(*held) + (size_t)size * sizeof(held->frames[0]));
    if (!grown)
        return NULL;
    if (!held)
        grown->count = 0;
    grown->size = size;
    return grown;
}

void hold_state(struct subscriber *subscriber, struct frame *frame)
{
    struct held *held = subscriber->held;
    for (int i = 0; held && i < held->count; i++) {
        if (same_state(held->frames[i], frame)) {
            frame_unref(held->frames[i]);
            held->frames[i] = frame_ref(frame);
            return;
        }
    }
    if (!held || held->count == held->size) {
        held = held && held->count >= HELD_MAX ? NULL : held_grow(held);
        if (!held) {
            subscriber->ops->on_broken(subscriber);
            return;
        }
        subscriber->held = held;
    }
    held->frames[held->count++] = frame_ref(frame);
}

void held_free(struct subscriber *subscriber)
{
    struct held *held = subscriber->held;
    for (int i = 0; held && i < held->count; i++)
        frame_unref(held->frames[i]);
    free(held);
    subscriber->held = NULL;
}

void hall_release(struct subscriber *subscriber)
{
    struct held *held = subscriber->held;
    int released = 0;
    if (!held || subscriber->state != SUBSCRIBER_LIVE)
        return;
    for (; released < held->count; released++) {
        struct frame *frame = version_for(held->frames[released], subscriber);
        /* It may have left the room since. */
        bool is_meant = frame->audience != AUDIENCE_ROOM || is_seated_for(subscriber, frame);
        if (is_meant && (!queue_has_room(subscriber, frame) ||
                         subscriber_push_own(subscriber, frame, false) != 0))
            break;
        frame_unref(held->frames[released]);
    }
    held->count -= released;
    memmove(held->frames, held->frames + released, (size_t)held->count * sizeof(held->frames[0]));
    if (held->count == 0)
        held_free(subscriber);
}
