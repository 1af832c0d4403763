#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/memory_ledger.h"

/* Trimmed events that wait in a realm's array before it is swept. */
#define TRIMMED_KEPT_MIN 256
/* Places looked at for old events with every event that is added. */
#define PLACES_SWEPT 2
/* Events taken out of one room at once. */
#define EVENTS_SWEPT 64

static size_t count_of(const struct memory_events *events)
{
    return events->end - events->first;
}

static int events_reserve(struct memory_events *events)
{
    if (events->end < events->size)
        return 0;
    if (events->first > 0 && events->first >= events->size / 2) {
        memmove(events->items, events->items + events->first,
                count_of(events) * sizeof(*events->items));
        events->end -= events->first;
        events->first = 0;
        return 0;
    }
    return memory_grow(&events->items, &events->size, events->end, sizeof(*events->items));
}

static void events_push(struct memory_events *events, struct memory_event *event)
{
    assert(events->end < events->size);
    events->items[events->end++] = event;
}

int memory_events_add(struct memory_events *events, struct memory_event *event)
{
    int err = events_reserve(events);
    if (!err)
        events_push(events, event);
    return err;
}

static void events_pop(struct memory_events *events, const struct memory_event *event)
{
    assert(count_of(events) > 0 && events->items[events->first] == event);
    events->first++;
}

void memory_events_fini(struct memory_events *events)
{
    free(events->items);
    *events = (struct memory_events){0};
}

void memory_event_free(struct memory_event *event)
{
    if (event->edits)
        memory_events_fini(event->edits);
    free(event->edits);
    free(event->rewritten);
    memory_reactions_free(event);
    free(event);
}

size_t memory_events_above(const struct memory_events *events, struct event_id id)
{
    size_t low = events->first, high = events->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (event_id_compare(events->items[middle]->event.id, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void copy_text(char **at, struct span *text)
{
    if (!text->data)
        return;
    if (text->len)
        memcpy(*at, text->data, text->len);
    text->data = *at;
    *at += text->len;
}

static struct memory_event *event_new(const struct ledger_event *event)
{
    size_t bytes = event->type_name.len + event->spared.len + event->message_id.len +
                   event->thread_id.len + event->body.len + event->own_body.len;
    struct memory_event *made = malloc(sizeof(*made) + bytes + 1);
    if (!made)
        return NULL;
    memset(made, 0, sizeof(*made));
    made->event = *event;
    char *at = (char *)(made + 1);
    copy_text(&at, &made->event.type_name);
    copy_text(&at, &made->event.spared);
    copy_text(&at, &made->event.message_id);
    copy_text(&at, &made->event.thread_id);
    copy_text(&at, &made->event.body);
    copy_text(&at, &made->event.own_body);
    return made;
}

static int thread_of(struct memory_room *room, struct span id, struct memory_thread **ret)
{
    struct memory_thread *thread;
    HASH_FIND(hh, room->threads, id.data, id.len, thread);
    if (!thread) {
        thread = calloc(1, sizeof(*thread));
        int err = thread ? memory_text_set(&thread->id, id) : ERR_MEMORY;
        if (err) {
            free(thread);
            return err;
        }
        HASH_ADD_KEYPTR(hh, room->threads, thread->id.data, thread->id.len, thread);
        if (!map_added(&thread->hh)) {
            free((char *)thread->id.data);
            free(thread);
            return ERR_MEMORY;
        }
    }
    *ret = thread;
    return 0;
}

static int sent_of(struct memory_user *user, place_number room, struct memory_sent **ret)
{
    struct memory_sent *sent;
    HASH_FIND(hh, user->sent, &room, sizeof(room), sent);
    if (!sent) {
        sent = calloc(1, sizeof(*sent));
        if (!sent)
            return ERR_MEMORY;
        sent->room = room;
        HASH_ADD(hh, user->sent, room, sizeof(sent->room), sent);
        if (!map_added(&sent->hh)) {
            free(sent);
            return ERR_MEMORY;
        }
    }
    *ret = sent;
    return 0;
}

/* The arrays an event stands in beside those of its realm and place. */
struct standing {
    struct memory_room *room;
    struct memory_thread *thread; /* NULL: none */
    struct memory_sent *sent;
};

static int find_standing(struct memory_ledger *memory, const struct ledger_event *event,
                         struct standing *ret)
{
    struct standing standing = {.room = memory_room_at(memory, event->place)};
    int err = sent_of(memory_user_at(memory, event->sender), event->place, &standing.sent);
    if (!err && event->thread_id.data)
        err = thread_of(standing.room, event->thread_id, &standing.thread);
    if (!err)
        *ret = standing;
    return err;
}

static int reserve_message(const struct standing *standing)
{
    int err = events_reserve(&standing->room->messages);
    if (!err)
        err = events_reserve(&standing->sent->messages);
    if (!err && standing->thread)
        err = events_reserve(&standing->thread->replies);
    return err;
}

static int index_message(struct memory_room *room, struct memory_event *event)
{
    HASH_ADD_KEYPTR(hh, room->messages_by_id, event->event.message_id.data,
                    event->event.message_id.len, event);
    return map_added(&event->hh) ? 0 : ERR_MEMORY;
}

static void push_message(const struct standing *standing, struct memory_event *event)
{
    events_push(&standing->room->messages, event);
    events_push(&standing->sent->messages, event);
    if (standing->thread)
        events_push(&standing->thread->replies, event);
}

static void pop_thread(struct memory_room *room, struct memory_thread *thread,
                       const struct memory_event *event)
{
    events_pop(&thread->replies, event);
    if (count_of(&thread->replies) > 0)
        return;
    HASH_DELETE(hh, room->threads, thread);
    memory_events_fini(&thread->replies);
    free((char *)thread->id.data);
    free(thread);
}

static void pop_message(struct memory_ledger *memory, struct memory_event *event)
{
    struct memory_room *room = memory_room_at(memory, event->event.place);
    struct memory_user *sender = memory_user_at(memory, event->event.sender);
    struct memory_sent *sent;
    struct memory_thread *thread = NULL;
    HASH_FIND(hh, sender->sent, &event->event.place, sizeof(event->event.place), sent);
    assert(sent);
    if (event->event.thread_id.data)
        HASH_FIND(hh, room->threads, event->event.thread_id.data, event->event.thread_id.len,
                  thread);
    events_pop(&room->messages, event);
    events_pop(&sent->messages, event);
    if (thread)
        pop_thread(room, thread, event);
    if (count_of(&sent->messages) == 0) {
        HASH_DELETE(hh, sender->sent, sent);
        memory_events_fini(&sent->messages);
        free(sent);
    }
    HASH_DELETE(hh, room->messages_by_id, event);
}

/* Lets the realm's array go of what was trimmed. */
static void sweep_realm(struct memory_realm *realm)
{
    struct memory_events *all = &realm->all;
    size_t kept = all->first;
    for (size_t i = all->first; i < all->end; i++) {
        if (all->items[i]->trimmed)
            memory_event_free(all->items[i]);
        else
            all->items[kept++] = all->items[i];
    }
    all->end = kept;
    realm->trimmed = 0;
}

static void trim_oldest(struct memory_ledger *memory, struct memory_place *place)
{
    struct memory_events *events = &place->events;
    struct memory_event *event = events->items[events->first];
    struct memory_realm *realm = place->realm;
    events_pop(events, event);
    if (event->event.type == EVENT_NEW_MESSAGE) {
        pop_message(memory, event);
        memory_markers_trim(memory, container_of(place, struct memory_room, place), &event->event);
    }
    event->trimmed = true;
    realm->trimmed++;
    place->gone = event->event.id;
    if (event_id_compare(event->event.id, realm->place.gone) > 0)
        realm->place.gone = event->event.id;
}

static bool is_too_old(const struct memory_ledger *memory, const struct memory_event *event,
                       int64_t now_ms)
{
    int64_t days = memory->settings->journal_retention_days;
    return days > 0 && event->event.timestamp_ms < now_ms - days * 86400000;
}

/* The last entry of a realm always stays. */
static void trim_place(struct memory_ledger *memory, struct memory_place *place, int64_t now_ms)
{
    const struct memory_events *events = &place->events;
    int64_t max = memory->settings->journal_room_events_max;
    for (int i = 0; i < EVENTS_SWEPT && count_of(events) > 0; i++) {
        const struct memory_event *oldest = events->items[events->first];
        bool last = event_id_compare(oldest->event.id, place->realm->head) == 0;
        bool many = place->kind == MEMORY_ROOM && max > 0 && count_of(events) > (size_t)max;
        if (last || (!many && !is_too_old(memory, oldest, now_ms)))
            return;
        trim_oldest(memory, place);
    }
}

static void trim(struct memory_ledger *memory, struct memory_realm *realm,
                 struct memory_place *place, int64_t now_ms)
{
    if (place->kind != MEMORY_REALM)
        trim_place(memory, place, now_ms);
    for (int i = 0; i < PLACES_SWEPT && realm->swept_count > 0; i++) {
        realm->swept_at = (realm->swept_at + 1) % realm->swept_count;
        trim_place(memory, realm->swept[realm->swept_at], now_ms);
    }
    if (realm->trimmed > TRIMMED_KEPT_MIN && realm->trimmed > count_of(&realm->all) / 2)
        sweep_realm(realm);
}

static int id_next(struct ledger *ledger, place_number number, int64_t now_ms, struct event_id *ret)
{
    struct event_id next = event_id_next(memory_realm_at(memory_of(ledger), number)->head);
    struct event_id now = {now_ms > 0 ? (uint64_t)now_ms : 0, 0};
    *ret = event_id_compare(now, next) > 0 ? now : next;
    return 0;
}

static int event_add(struct ledger *ledger, place_number number, const struct ledger_event *event)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_realm *realm = memory_realm_at(memory, number);
    struct memory_place *place = memory_place_at(memory, event->place);
    struct standing standing = {NULL, NULL, NULL};
    bool message = event->type == EVENT_NEW_MESSAGE;
    assert(event_id_compare(event->id, realm->head) > 0);
    assert(event->number == realm->head_number + 1);
    int err = events_reserve(&realm->all);
    if (!err)
        err = events_reserve(&place->events);
    if (!err && place->kind != MEMORY_REALM)
        err = memory_sweep(place);
    if (!err && message)
        err = find_standing(memory, event, &standing);
    if (!err && message)
        err = reserve_message(&standing);
    struct memory_event *made = err ? NULL : event_new(event);
    if (!made)
        return err ? err : ERR_MEMORY;
    err = memory_edit_note(memory, number, made);
    if (!err && message)
        err = index_message(standing.room, made);
    if (err) {
        memory_event_free(made);
        return err;
    }
    events_push(&realm->all, made);
    events_push(&place->events, made);
    if (message)
        push_message(&standing, made);
    realm->head = event->id;
    realm->head_number = event->number;
    trim(memory, realm, place, event->timestamp_ms);
    return 0;
}

struct memory_event *memory_event_at(struct memory_ledger *memory, place_number realm,
                                     struct event_id id)
{
    const struct memory_events *all = &memory_realm_at(memory, realm)->all;
    size_t at = memory_events_above(all, id);
    if (at == all->first)
        return NULL;
    struct memory_event *event = all->items[at - 1];
    return event->trimmed || event_id_compare(event->event.id, id) != 0 ? NULL : event;
}

static int event_find(struct ledger *ledger, place_number number, struct event_id id,
                      struct arena *arena, struct ledger_event *ret)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct memory_event *event = memory_event_at(memory, number, id);
    if (!event)
        return ERR_NOT_FOUND;
    *ret = memory_event_given(memory, event);
    return 0;
}

static int event_at_or_below(struct ledger *ledger, place_number number, struct event_id id,
                             struct event_id *ret_id, uint64_t *ret_number)
{
    const struct memory_events *all = &memory_realm_at(memory_of(ledger), number)->all;
    size_t at = memory_events_above(all, id);
    while (at > all->first && all->items[at - 1]->trimmed)
        at--;
    if (at == all->first)
        return ERR_NOT_FOUND;
    *ret_id = all->items[at - 1]->event.id;
    *ret_number = all->items[at - 1]->event.number;
    return 0;
}

static int message_at_or_below(struct ledger *ledger, place_number number, struct event_id id,
                               struct event_id *ret_id, uint64_t *ret_ordinal)
{
    const struct memory_events *messages = &memory_room_at(memory_of(ledger), number)->messages;
    size_t at = memory_events_above(messages, id);
    if (at == messages->first)
        return ERR_NOT_FOUND;
    *ret_id = messages->items[at - 1]->event.id;
    *ret_ordinal = messages->items[at - 1]->event.ordinal;
    return 0;
}

typedef int (*visitor)(void *context, struct memory_ledger *memory,
                       const struct memory_event *event);

static int walk(struct memory_ledger *memory, const struct memory_events *events,
                const struct ledger_range *range, visitor visit, void *context)
{
    size_t low = memory_events_above(events, range->after);
    size_t high = memory_events_above(events, range->before);
    int err = 0;
    if (high > low && event_id_compare(events->items[high - 1]->event.id, range->before) == 0)
        high--;
    for (int i = 0; i < range->limit && low < high && !err; i++)
        err = visit(context, memory, events->items[range->newest_first ? --high : low++]);
    return err;
}

static const struct memory_events no_events = {0};

const struct memory_events *memory_replies(const struct memory_room *room, struct span thread)
{
    struct memory_thread *found;
    HASH_FIND(hh, room->threads, thread.data, thread.len, found);
    return found ? &found->replies : &no_events;
}

static const struct memory_events *events_of(struct memory_ledger *memory,
                                             const struct ledger_range *range)
{
    struct memory_place *place = memory_place_at(memory, range->place);
    if (!range->messages_only)
        return &place->events;
    if (place->kind != MEMORY_ROOM)
        return &no_events;
    struct memory_room *room = container_of(place, struct memory_room, place);
    return range->thread.data ? memory_replies(room, range->thread) : &room->messages;
}

struct event_walk {
    ledger_event_visitor visit;
    void *context;
};

static int visit_event(void *context, struct memory_ledger *memory,
                       const struct memory_event *event)
{
    const struct event_walk *walk = context;
    struct ledger_event found = memory_event_given(memory, event);
    return walk->visit(walk->context, &found);
}

static int events(struct ledger *ledger, const struct ledger_range *range,
                  ledger_event_visitor visit, void *context)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct event_walk event_walk = {visit, context};
    return walk(memory, events_of(memory, range), range, visit_event, &event_walk);
}

struct id_walk {
    ledger_id_visitor visit;
    void *context;
};

static int visit_id(void *context, struct memory_ledger *memory, const struct memory_event *event)
{
    const struct id_walk *walk = context;
    return walk->visit(walk->context, event->event.id, event->event.place, event->event.type);
}

static int ids(struct ledger *ledger, const struct ledger_range *range, ledger_id_visitor visit,
               void *context)
{
    struct memory_ledger *memory = memory_of(ledger);
    struct id_walk id_walk = {visit, context};
    return walk(memory, events_of(memory, range), range, visit_id, &id_walk);
}

static int realm_ids(struct ledger *ledger, place_number number, struct event_id after, int limit,
                     ledger_id_visitor visit, void *context)
{
    const struct memory_events *all = &memory_realm_at(memory_of(ledger), number)->all;
    int err = 0;
    for (size_t at = memory_events_above(all, after); at < all->end && limit > 0 && !err; at++) {
        const struct memory_event *event = all->items[at];
        if (event->trimmed)
            continue;
        limit--;
        err = visit(context, event->event.id, event->event.place, event->event.type);
    }
    return err;
}

void memory_event_ops(struct ledger_ops *ops)
{
    ops->id_next = id_next;
    ops->event_add = event_add;
    ops->event_find = event_find;
    ops->event_at_or_below = event_at_or_below;
    ops->message_at_or_below = message_at_or_below;
    ops->events = events;
    ops->ids = ids;
    ops->realm_ids = realm_ids;
}
