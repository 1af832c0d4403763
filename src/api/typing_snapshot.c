#include "api/typing_snapshot.h"

#include <assert.h>
#include <stdlib.h>

#include "api/desk.h"
#include "api/hub_typing.h"

struct typing_snapshot {
    struct typing_call call;
    struct reader *reader;
    uint8_t generation; /* of the reader when it asked */
    char names[];       /* of rooms, each ended by NUL */
};

/* The names of the rooms it is a member of, in order of their numbers: into `out`, if not NULL.
 * Gives their size. */
static size_t names_write(const struct subscriber *subscriber, char *out)
{
    size_t size = 0;
    for (uint32_t i = 0; i < subscriber->follow_count; i++) {
        const struct follow *follow = &subscriber->follows[i];
        if (!follow->member)
            continue;
        const char *name = hall_followed(subscriber, follow)->name;
        if (out)
            strcpy(out + size, name);
        size += strlen(name) + 1;
    }
    return size;
}

/* Is it a member of just the rooms that were asked for? */
static bool is_complete(const struct typing_snapshot *snapshot)
{
    const struct subscriber *subscriber = &snapshot->reader->subscriber;
    struct span rest = snapshot->call.rooms;
    for (uint32_t i = 0; i < subscriber->follow_count; i++) {
        const struct follow *follow = &subscriber->follows[i];
        if (!follow->member)
            continue;
        struct span name = span_text(hall_followed(subscriber, follow)->name);
        if (rest.len == 0 || !span_equal(span_text(rest.data), name))
            return false;
        rest = span_of(rest.data + name.len + 1, rest.len - name.len - 1);
    }
    return rest.len == 0;
}

/* The hub answers before it says that the session is closed, so the reader is there; but it may
 * have closed, or been opened again. */
static void on_done(struct typing_call *call)
{
    struct typing_snapshot *snapshot = container_of(call, struct typing_snapshot, call);
    struct reader *reader = snapshot->reader;
    bool wanted = !reader->closed && reader->generation == snapshot->generation;
    bool complete = wanted && is_complete(snapshot);
    if (complete)
        reader->subscriber.hears_typing = true;
    for (int i = 0; i < call->frame_count; i++) {
        if (complete)
            hall_tell(&reader->subscriber, call->frames[i]);
        frame_unref(call->frames[i]);
    }
    free(call->frames);
    free(snapshot);
    if (wanted && !complete)
        typing_snapshot_ask(reader);
}

/* NULL: out of memory. */
static struct typing_snapshot *snapshot_new(struct reader *reader)
{
    size_t size = names_write(&reader->subscriber, NULL);
    struct typing_snapshot *snapshot = malloc(sizeof(*snapshot) + size);
    if (!snapshot)
        return NULL;
    names_write(&reader->subscriber, snapshot->names);
    snapshot->reader = reader;
    snapshot->generation = reader->generation;
    snapshot->call = (struct typing_call){
        .home = reader->desk->worker,
        .realm = span_text(session_realm(&reader->session)),
        .rooms = span_of(snapshot->names, size),
        .on_done = on_done,
    };
    return snapshot;
}

void typing_snapshot_ask(struct reader *reader)
{
    struct hub *hub = reader->desk->app->hub;
    if (reader->subscriber.state == SUBSCRIBER_ENDED)
        return;
    assert(reader->in_hub);
    struct typing_snapshot *snapshot = hub_typing_is_on(hub) ? snapshot_new(reader) : NULL;
    if (snapshot)
        hub_typing_list(hub, &snapshot->call);
    else
        reader->subscriber.hears_typing = true;
}
