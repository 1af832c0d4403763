/* What a deletion takes out of the memory of this worker: what the message and its edits said, in
 * the queue of whoever is about to be given it, whatever it may see of the room by now. It is
 * given what the journal gives from here on, in the same place. */
#include <stdlib.h>

#include "core/hall_tables.h"

/* Frames of which the queues share one that stands for them. */
#define SHARED_MAX 8
/* Deletions that a page may be behind without being read again. */
#define KEPT_MAX 64

struct deletions {
    uint32_t next; /* place of the oldest, once there are KEPT_MAX of them */
    struct {
        struct event_id id, target;
    } kept[KEPT_MAX];
};

static bool is_of(const struct frame *frame, struct event_id message)
{
    return (frame->type == EVENT_NEW_MESSAGE && event_id_compare(frame->id, message) == 0) ||
           (frame->type == EVENT_MESSAGE_EDITED && event_id_compare(frame->target, message) == 0);
}

/* -- queues ------------------------------------------------------------------------------- */

/* Readers share frames, but for those out of their pages. */
struct erasure {
    struct event_id message;
    int count;
    struct frame *from[SHARED_MAX], *to[SHARED_MAX]; /* refs */
};

/* A reference for the caller; NULL: out of memory. */
static struct frame *erased(struct erasure *erasure, struct frame *frame)
{
    struct frame *made;
    for (int i = 0; i < erasure->count; i++) {
        if (erasure->from[i] == frame)
            return frame_ref(erasure->to[i]);
    }
    if (frame_new_erased(frame, &made) != 0)
        return NULL;
    if (erasure->count < SHARED_MAX) {
        erasure->from[erasure->count] = frame_ref(frame);
        erasure->to[erasure->count++] = frame_ref(made);
    }
    return made;
}

/* What is partly written has to be finished. */
static void erase_queue(struct subscriber *subscriber, struct erasure *erasure)
{
    for (uint32_t i = subscriber->head_taken > 0 ? 1 : 0; i < subscriber->queue_count; i++) {
        struct frame *frame = queued_get(subscriber_peek(subscriber, i));
        if (!is_of(frame, erasure->message))
            continue;
        struct frame *to = erased(erasure, frame);
        if (!to) {
            subscriber->ops->on_broken(subscriber);
            return;
        }
        subscriber_replace(subscriber, i, to);
    }
}

static void note_deletion(struct hall_realm *realm, const struct frame *deletion)
{
    struct deletions *deletions = realm->deletions;
    if (!deletions)
        deletions = realm->deletions = calloc(1, sizeof(*deletions));
    if (!deletions) {
        realm->deletions_from = deletion->id;
        return;
    }
    uint32_t at = deletions->next;
    if (event_id_compare(deletions->kept[at].id, realm->deletions_from) > 0)
        realm->deletions_from = deletions->kept[at].id;
    deletions->kept[at].id = deletion->id;
    deletions->kept[at].target = deletion->target;
    deletions->next = (at + 1) % KEPT_MAX;
}

void realm_erase(struct hall_realm *realm, const struct frame *deletion)
{
    struct erasure erasure = {.message = deletion->target};
    note_deletion(realm, deletion);
    for (struct subscriber *at = realm->waiting; at; at = at->waiting_next)
        erase_queue(at, &erasure);
    for (int i = 0; i < erasure.count; i++) {
        frame_unref(erasure.from[i]);
        frame_unref(erasure.to[i]);
    }
}

/* -- pages -------------------------------------------------------------------------------- */

static bool holds(struct frame *const *frames, int count, struct event_id message)
{
    for (int i = 0; i < count; i++) {
        if (is_of(frames[i], message))
            return true;
    }
    return false;
}

bool hall_is_outdated(const struct subscriber *subscriber, struct frame *const *frames, int count,
                      struct event_id head)
{
    const struct hall_realm *realm = subscriber->realm;
    const struct deletions *deletions = realm->deletions;
    if (event_id_compare(head, realm->deletions_from) < 0)
        return count > 0;
    for (int i = 0; deletions && i < KEPT_MAX; i++) {
        if (event_id_compare(deletions->kept[i].id, head) > 0 &&
            holds(frames, count, deletions->kept[i].target))
            return true;
    }
    return false;
}
