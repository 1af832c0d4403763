#include "api/typing_snapshot.h"

#include <stdlib.h>

#include "api/desk.h"
#include "api/hub_typing.h"

struct typing_snapshot {
    struct typing_call call;
    struct reader *reader;
    uint8_t generation; /* of the reader when it asked */
    char names[];       /* of rooms, each ended by NUL */
};

/* The hub answers before it says that the session is closed, so the reader is there; but it may
 * have closed, or been opened again. */
static void on_done(struct typing_call *call)
{
    struct typing_snapshot *snapshot = container_of(call, struct typing_snapshot, call);
    struct reader *reader = snapshot->reader;
    bool wanted = !reader->closed && reader->generation == snapshot->generation;
    for (int i = 0; i < call->frame_count; i++) {
        if (wanted)
            hall_tell(&reader->subscriber, call->frames[i]);
        frame_unref(call->frames[i]);
    }
    free(call->frames);
    free(snapshot);
}

static size_t names_size(const struct subscriber *subscriber)
{
    size_t size = 0;
    for (uint32_t i = 0; i < subscriber->follow_count; i++) {
        const struct follow *follow = &subscriber->follows[i];
        if (follow->member)
            size += strlen(hall_followed(subscriber, follow)->name) + 1;
    }
    return size;
}

void typing_snapshot_ask(struct reader *reader)
{
    const struct subscriber *subscriber = &reader->subscriber;
    struct hub *hub = reader->desk->app->hub;
    if (subscriber->state != SUBSCRIBER_LIVE || !reader->in_hub || !hub_typing_is_on(hub))
        return;
    size_t size = names_size(subscriber);
    struct typing_snapshot *snapshot = malloc(sizeof(*snapshot) + size);
    if (!snapshot)
        return;
    char *at = snapshot->names;
    for (uint32_t i = 0; i < subscriber->follow_count; i++) {
        const struct follow *follow = &subscriber->follows[i];
        if (follow->member)
            at = stpcpy(at, hall_followed(subscriber, follow)->name) + 1;
    }
    snapshot->reader = reader;
    snapshot->generation = reader->generation;
    snapshot->call = (struct typing_call){
        .home = reader->desk->worker,
        .realm = span_text(session_realm(&reader->session)),
        .rooms = span_of(snapshot->names, size),
        .on_done = on_done,
    };
    hub_typing_list(hub, &snapshot->call);
}
