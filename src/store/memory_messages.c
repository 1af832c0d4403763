#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

static int message_find(struct ledger *ledger, place_number number, struct span message_id,
                        struct arena *arena, struct ledger_event *ret)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_event *event;
    HASH_FIND(hh, memory_room_at(memory, number)->messages_by_id, message_id.data, message_id.len,
              event);
    if (!event)
        return ERR_NOT_FOUND;
    *ret = memory_event_given(memory, event);
    return 0;
}

static int visit_sent(const struct memory_sent *sent, struct event_id after, int *limit,
                      ledger_id_visitor visit, void *context)
{
    const struct memory_events *messages = &sent->messages;
    int err = 0;
    for (size_t i = memory_events_above(messages, after); i < messages->end && !err; i++) {
        if (*limit == 0)
            break;
        const struct ledger_event *event = &messages->items[i]->event;
        (*limit)--;
        err = visit(context, event->id, event->place, event->type);
    }
    return err;
}

static int messages_of_sender(struct ledger *ledger, place_number sender, place_number room,
                              struct event_id after, int limit, ledger_id_visitor visit,
                              void *context)
{
    struct memory_user *user = memory_user_at(memory_of(ledger), sender);
    struct memory_sent *sent, *next;
    int err = 0;
    if (room) {
        HASH_FIND(hh, user->sent, &room, sizeof(room), sent);
        return sent ? visit_sent(sent, after, &limit, visit, context) : 0;
    }
    HASH_ITER(hh, user->sent, sent, next)
    {
        if (!err)
            err = visit_sent(sent, after, &limit, visit, context);
    }
    return err;
}

static int last_message_of_sender(struct ledger *ledger, place_number sender, place_number room,
                                  struct event_id *ret_id, int64_t *ret_timestamp_ms)
{
    struct memory_user *user = memory_user_at(memory_of(ledger), sender);
    struct memory_sent *sent;
    HASH_FIND(hh, user->sent, &room, sizeof(room), sent);
    if (!sent || sent->messages.end == sent->messages.first)
        return ERR_NOT_FOUND;
    const struct ledger_event *event = &sent->messages.items[sent->messages.end - 1]->event;
    *ret_id = event->id;
    *ret_timestamp_ms = event->timestamp_ms;
    return 0;
}

static struct memory_once *find_once(struct memory_room *room, struct span id)
{
    struct memory_once *once;
    HASH_FIND(hh, room->onces, id.data, id.len, once);
    return once;
}

static int once_find(struct ledger *ledger, place_number place, struct span message_id,
                     int64_t since_ms, struct ledger_once *ret)
{
    struct memory_once *once = find_once(memory_room_at(memory_of(ledger), place), message_id);
    if (!once || once->once.timestamp_ms < since_ms)
        return ERR_NOT_FOUND;
    *ret = once->once;
    return 0;
}

/* One that a newer one replaced stands in the line, but in no table. */
void memory_once_prune(struct memory_ledger *memory, int64_t before_ms)
{
    while (memory->once_oldest && memory->once_oldest->once.timestamp_ms < before_ms) {
        struct memory_once *once = memory->once_oldest;
        memory->once_oldest = once->newer;
        if (!once->newer)
            memory->once_newest = NULL;
        if (find_once(once->room, once->id) == once)
            HASH_DELETE(hh, once->room->onces, once);
        free((char *)once->id.data);
        free(once);
    }
}

static int once_add(struct ledger *ledger, place_number place, struct span message_id,
                    const struct ledger_once *value)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_room *room = memory_room_at(memory, place);
    struct memory_once *once = calloc(1, sizeof(*once));
    int err = once ? memory_text_set(&once->id, message_id) : ERR_MEMORY;
    if (err) {
        free(once);
        return err;
    }
    once->room = room;
    once->once = *value;
    struct memory_once *older = find_once(room, message_id);
    HASH_ADD_KEYPTR(hh, room->onces, once->id.data, once->id.len, once);
    if (!map_added(&once->hh)) {
        free((char *)once->id.data);
        free(once);
        return ERR_MEMORY;
    }
    if (older)
        HASH_DELETE(hh, room->onces, older);
    if (memory->once_newest)
        memory->once_newest->newer = once;
    else
        memory->once_oldest = once;
    memory->once_newest = once;
    memory_once_prune(memory, value->timestamp_ms - memory->settings->journal_dedup_window_ms);
    return 0;
}

void memory_message_ops(struct ledger_ops *ops)
{
    ops->message_find = message_find;
    ops->message_find_repeat = message_find;
    ops->messages_of_sender = messages_of_sender;
    ops->last_message_of_sender = last_message_of_sender;
    ops->once_find = once_find;
    ops->once_add = once_add;
}
