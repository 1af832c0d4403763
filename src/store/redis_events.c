/* Adding events, and finding them by id and in the order of a realm. */
#include <assert.h>

#include "base/err.h"
#include "store/redis_ledger.h"

/* Asked for at once. */
#define LOST_AT_ONCE 64

/* -- adding ----------------------------------------------------------------------------------- */

static int id_next(struct ledger *base, place_number realm, int64_t now_ms, struct event_id *ret)
{
    *ret = redis_view_next_id(redis_ledger_of(base)->view);
    return 0;
}

/* The room that an event is about; 0: none. */
static place_number room_of(place_number realm, const struct ledger_event *event)
{
    bool is_user = event->audience == AUDIENCE_USER && event->place == event->user;
    if (event->room)
        return event->room;
    return is_user || event->place == realm ? 0 : event->place;
}

static char kind_of(place_number realm, const struct ledger_event *event)
{
    if (event->place == realm)
        return 'r';
    return room_of(realm, event) == event->place ? 'p' : 'u';
}

/* What is packed for one event; a buffer each, since all are needed at once. */
struct packed {
    struct buf where, meta, body;
};

static int pack(struct packed *packed, place_number realm, const struct ledger_event *event)
{
    buf_init(&packed->where, EVENT_BYTES_MAX);
    buf_init(&packed->meta, EVENT_BYTES_MAX);
    buf_init(&packed->body, 4 * EVENT_BYTES_MAX);
    int err = redis_where_pack(&packed->where, event->place, kind_of(realm, event), event->type);
    return err ? err : redis_event_pack(&packed->meta, &packed->body, event);
}

static void packed_fini(struct packed *packed)
{
    buf_fini(&packed->where);
    buf_fini(&packed->meta);
    buf_fini(&packed->body);
}

static int add_to_thread(struct redis_ledger *ledger, const struct ledger_event *event,
                         struct span meta)
{
    struct redis_key *thread =
        redis_key_named(ledger->view, 'p', event->place, "thread", event->thread_id);
    struct buf *value = redis_scratch(ledger);
    int err = redis_pack_ordinal(value, REDIS_PENDING_ORDINAL + event->id.seq);
    if (!err)
        err = buf_add_span(value, meta);
    if (!err)
        err = redis_view_entry_add(ledger->view, thread, event->id, buf_span(value));
    return err ? err
               : redis_view_raise(ledger->view, redis_room_key(ledger, event->place, "threads"),
                                  event->thread_id, 1);
}

static int add_to_sender(struct redis_ledger *ledger, const struct ledger_event *event)
{
    struct redis_view *view = ledger->view;
    struct span sender = redis_text_of(event->sender);
    struct span room = redis_text_of(event->place);
    struct redis_key *sent = redis_key_named(view, 'p', event->place, "sent", sender);
    struct buf *value = redis_scratch(ledger);
    int err = redis_pack_number(value, (uint64_t)event->timestamp_ms);
    if (!err)
        err = redis_view_entry_add(view, sent, event->id, buf_span(value));
    if (!err)
        err = redis_view_set(view, redis_key_of(view, 'u', event->sender, "wrote"), room,
                             span_text(""));
    return err;
}

static int add_message(struct redis_ledger *ledger, const struct ledger_event *event,
                       struct span meta)
{
    struct buf *value = redis_scratch(ledger);
    int err = redis_named_pack(value, event->id, false);
    if (!err)
        err = redis_view_set(ledger->view, redis_room_key(ledger, event->place, "ids"),
                             event->message_id, buf_span(value));
    if (!err)
        err = add_to_sender(ledger, event);
    if (!err && event->thread_id.data)
        err = add_to_thread(ledger, event, meta);
    return err;
}

static int add_edit(struct redis_ledger *ledger, const struct ledger_event *event)
{
    struct buf *name = redis_scratch(ledger);
    int err = redis_put_name_of_id(name, event->target);
    if (!err)
        err = redis_put_name_of_id(name, event->id);
    return err ? err
               : redis_view_name_add(ledger->view, redis_room_key(ledger, event->place, "edits"),
                                     buf_span(name));
}

/* Those who come and go have checked the number; others are not held up by them. */
static bool changes_members(enum event_type type)
{
    return type == EVENT_USER_JOINED || type == EVENT_USER_LEFT || type == EVENT_ROOM_CREATED ||
           type == EVENT_ROOM_DELETED;
}

static int add(struct redis_ledger *ledger, place_number realm, const struct ledger_event *event,
               const struct packed *packed)
{
    struct redis_view *view = ledger->view;
    place_number room = room_of(realm, event);
    const struct redis_event added = {
        .realm = redis_key_of(view, 'r', realm, "state"),
        .realm_stream = redis_key_of(view, 'r', realm, "events"),
        .where = buf_span(&packed->where),
        .stream = redis_events_key(ledger, event->place, event->type),
        .meta = buf_span(&packed->meta),
        .bodies = redis_room_key(ledger, event->place, "bodies"),
        .body = buf_span(&packed->body),
        .room = room ? redis_room_key(ledger, room, "state") : NULL,
        .members = changes_members(event->type) ? event->members : -1,
        .raises_ordinal = event->type == EVENT_NEW_MESSAGE && !event->thread_id.data,
        .realm_name = ledger->realm_name,
    };
    if (!added.realm || !added.realm_stream || !added.stream || !added.bodies ||
        (room && !added.room))
        return ERR_MEMORY;
    if (ledger->trim && room == event->place)
        redis_trim_note(ledger->trim, ledger->shard, room);
    return redis_view_event(view, &added);
}

/* The number and the ordinal are given by the script that stores it. */
static int event_add(struct ledger *base, place_number realm, const struct ledger_event *event)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct packed packed;
    assert(event_id_compare(event->id, redis_view_next_id(ledger->view)) == 0);
    assert(realm == ledger->realm);
    int err = pack(&packed, realm, event);
    if (!err)
        err = add(ledger, realm, event, &packed);
    if (!err && event->type == EVENT_NEW_MESSAGE)
        err = add_message(ledger, event, buf_span(&packed.meta));
    if (!err && event->type == EVENT_MESSAGE_EDITED)
        err = add_edit(ledger, event);
    packed_fini(&packed);
    return err;
}

/* -- one -------------------------------------------------------------------------------------- */

static int note_walked(struct redis_ledger *ledger, const struct redis_entry *entry)
{
    place_number place;
    char kind;
    enum event_type type;
    int err = redis_where_unpack(entry->value, &place, &kind, &type);
    if (!err)
        err = redis_where_note(ledger, entry->id, place, type, NULL);
    return err;
}

int redis_where_find(struct redis_ledger *ledger, place_number realm, struct event_id id,
                     struct redis_where **ret)
{
    struct redis_where *where = redis_where_of(ledger, id);
    struct redis_entry entry;
    bool found;
    int err = 0;
    if (!where) {
        err = redis_view_entry(ledger->view, redis_key_of(ledger->view, 'r', realm, "events"), id,
                               &entry, &found);
        if (!err)
            err = found ? note_walked(ledger, &entry) : ERR_NOT_FOUND;
        where = err ? NULL : redis_where_of(ledger, id);
    }
    if (!err)
        *ret = where;
    return err;
}

/* What a cache remembers of the message may be from before it was deleted. */
static int look_if_deleted(struct redis_ledger *ledger, struct ledger_event *message)
{
    struct span value;
    struct event_id id;
    int err = redis_view_get_loose(ledger->view, redis_room_key(ledger, message->place, "ids"),
                                   message->message_id, &value);
    return err || !value.data ? err : redis_named_unpack(value, &id, &message->deleted);
}

static int event_find(struct ledger *base, place_number realm, struct event_id id,
                      struct arena *arena, struct ledger_event *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_where *where;
    struct ledger_event event;
    int err = redis_where_find(ledger, realm, id, &where);
    if (!err)
        err = redis_event_at(ledger, where, &event);
    if (!err && event.type == EVENT_NEW_MESSAGE && redis_view_is_optimistic(ledger->view))
        err = look_if_deleted(ledger, &event);
    if (!err)
        *ret = event;
    return err;
}

/* -- realms ----------------------------------------------------------------------------------- */

static int realm_ids(struct ledger *base, place_number realm, struct event_id after, int limit,
                     ledger_id_visitor visit, void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_key *stream = redis_key_of(ledger->view, 'r', realm, "events");
    const struct redis_range range = {.after = after, .before = EVENT_ID_LAST, .limit = limit};
    const struct redis_entry *entries;
    int count = 0;
    int err = redis_view_entries(ledger->view, stream, &range, true, &entries, &count);
    for (int i = 0; i < count && !err; i++) {
        err = note_walked(ledger, &entries[i]);
        if (err)
            break;
        struct redis_where *where = redis_where_of(ledger, entries[i].id);
        where->is_walked = true;
        err = visit(context, where->id, where->place, where->type);
    }
    return err;
}

/* The last one of a stream with an id at or below `id`. */
static int at_or_below(struct redis_ledger *ledger, struct redis_key *stream, struct event_id id,
                       struct redis_entry *ret)
{
    bool is_last = event_id_compare(id, EVENT_ID_LAST) == 0;
    const struct redis_range range = {
        .before = is_last ? id : event_id_next(id), .limit = 1, .newest_first = true};
    const struct redis_entry *entries;
    int count;
    int err = redis_view_entries(ledger->view, stream, &range, true, &entries, &count);
    if (!err && count == 0)
        return ERR_NOT_FOUND;
    if (!err)
        *ret = entries[0];
    return err;
}

static int event_at_or_below(struct ledger *base, place_number realm, struct event_id id,
                             struct event_id *ret_id, uint64_t *ret_number)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_entry entry;
    int err = at_or_below(ledger, redis_key_of(ledger->view, 'r', realm, "events"), id, &entry);
    if (err)
        return err;
    *ret_id = entry.id;
    *ret_number = entry.number;
    return 0;
}

static int message_at_or_below(struct ledger *base, place_number room, struct event_id id,
                               struct event_id *ret_id, uint64_t *ret_ordinal)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_entry entry;
    int err = at_or_below(ledger, redis_room_key(ledger, room, "messages"), id, &entry);
    if (err)
        return err;
    *ret_id = entry.id;
    *ret_ordinal = entry.ordinal;
    return 0;
}

static int visit_lost(struct span name, ledger_lost_visitor visit, void *context)
{
    struct event_id before, after;
    int err = redis_cut_name_of_id(&name, &before);
    if (!err)
        err = redis_cut_name_of_id(&name, &after);
    return err ? err : visit(context, after, before);
}

static int lost(struct ledger *base, place_number realm, struct event_id cursor,
                ledger_lost_visitor visit, void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_key *names = redis_key_of(ledger->view, 'r', realm, "lost");
    struct buf *from = redis_scratch(ledger);
    const struct span *found;
    int count;
    int err = redis_put_name_of_id(from, cursor);
    /* Above all names that begin with the cursor. */
    if (!err)
        err = buf_add_text(from, "~");
    do {
        count = 0;
        if (!err)
            err = redis_view_names(ledger->view, names, buf_span(from), span_of(NULL, 0),
                                   LOST_AT_ONCE, false, true, &found, &count);
        for (int i = 0; i < count && !err; i++)
            err = visit_lost(found[i], visit, context);
        if (!err && count == LOST_AT_ONCE) {
            redis_scratch(ledger);
            err = buf_add_span(from, found[count - 1]);
        }
    } while (!err && count == LOST_AT_ONCE);
    return err;
}

void redis_ledger_add_events(struct ledger_ops *ops)
{
    ops->id_next = id_next;
    ops->event_add = event_add;
    ops->event_find = event_find;
    ops->realm_ids = realm_ids;
    ops->event_at_or_below = event_at_or_below;
    ops->message_at_or_below = message_at_or_below;
    ops->lost = lost;
}
