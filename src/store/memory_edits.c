#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

static int event_rewrite(struct ledger *ledger, place_number realm, struct event_id id,
                         struct span body, bool deleted)
{
    struct memory_event *event = memory_event_at(memory_of(ledger), realm, id);
    assert(event && body.data);
    char *text = malloc(body.len + 1);
    if (!text)
        return ERR_MEMORY;
    memcpy(text, body.data, body.len);
    explicit_bzero((char *)event->event.body.data, event->event.body.len);
    free(event->rewritten);
    event->rewritten = text;
    event->event.body = span_of(text, body.len);
    event->event.deleted |= deleted;
    return 0;
}

int memory_edit_note(struct memory_ledger *memory, place_number realm, struct memory_event *event)
{
    if (event->event.type != EVENT_MESSAGE_EDITED)
        return 0;
    struct memory_event *message = memory_event_at(memory, realm, event->event.target);
    assert(message && message->event.type == EVENT_NEW_MESSAGE);
    if (!message->edits)
        message->edits = calloc(1, sizeof(*message->edits));
    return message->edits ? memory_events_add(message->edits, event) : ERR_MEMORY;
}

static int edits(struct ledger *ledger, place_number room, struct event_id id,
                 struct event_id after, int limit, ledger_id_visitor visit, void *context)
{
    struct memory_ledger *memory = memory_of(ledger);
    place_number realm = memory_room_at(memory, room)->place.realm->place.number;
    const struct memory_event *message = memory_event_at(memory, realm, id);
    const struct memory_events *found = message ? message->edits : NULL;
    int err = 0;
    for (size_t i = found ? memory_events_above(found, after) : 0;
         found && i < found->end && limit > 0 && !err; i++, limit--) {
        const struct ledger_event *edit = &found->items[i]->event;
        err = visit(context, edit->id, edit->place, edit->type);
    }
    return err;
}

static int edit_count(struct ledger *ledger, place_number room, struct event_id id, int64_t limit,
                      int64_t *ret)
{
    struct memory_ledger *memory = memory_of(ledger);
    place_number realm = memory_room_at(memory, room)->place.realm->place.number;
    const struct memory_event *message = memory_event_at(memory, realm, id);
    const struct memory_events *found = message ? message->edits : NULL;
    *ret = found ? (int64_t)(found->end - found->first) : 0;
    return 0;
}

void memory_edit_ops(struct ledger_ops *ops)
{
    ops->event_rewrite = event_rewrite;
    ops->edits = edits;
    ops->edit_count = edit_count;
}
