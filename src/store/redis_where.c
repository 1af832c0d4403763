/* Events as they are packed, and what is known of them while a run lasts. */
#include <assert.h>

#include "base/err.h"
#include "store/redis_ledger.h"

/* Of `flags`: the audience, and what else is yes or no. */
#define FLAG_ENDS_WATCHING 4
#define FLAG_BARS_USER 8
#define FLAG_TARGET_EDITED 16
#define FLAG_OPENS_WATCHING 32
#define FLAG_SILENCES_USER 64
#define AUDIENCE_MASK 3

/* -- packing ---------------------------------------------------------------------------------- */

static int pack_meta(struct buf *buf, const struct ledger_event *event)
{
    const uint64_t numbers[] = {
        event->type,
        (unsigned)event->audience | (event->ends_watching ? FLAG_ENDS_WATCHING : 0u) |
            (event->bars_user ? FLAG_BARS_USER : 0u) |
            (event->target_edited ? FLAG_TARGET_EDITED : 0u) |
            (event->opens_watching ? FLAG_OPENS_WATCHING : 0u) |
            (event->silences_user ? FLAG_SILENCES_USER : 0u),
        (uint64_t)event->timestamp_ms,
        event->sender,
        event->user,
        event->room,
    };
    int err = 0;
    assert(event->timestamp_ms >= 0);
    for (size_t i = 0; i < array_count(numbers) && !err; i++)
        err = redis_pack_number(buf, numbers[i]);
    return err ? err : redis_pack_id(buf, event->target);
}

static void unpack_meta(struct redis_fields *fields, struct ledger_event *event)
{
    uint64_t type = redis_take_number(fields), flags = redis_take_number(fields);
    event->type = (enum event_type)type;
    event->audience = (enum audience)(flags & AUDIENCE_MASK);
    event->ends_watching = flags & FLAG_ENDS_WATCHING;
    event->bars_user = flags & FLAG_BARS_USER;
    event->target_edited = flags & FLAG_TARGET_EDITED;
    event->opens_watching = flags & FLAG_OPENS_WATCHING;
    event->silences_user = flags & FLAG_SILENCES_USER;
    event->timestamp_ms = (int64_t)redis_take_number(fields);
    event->sender = redis_take_number(fields);
    event->user = redis_take_number(fields);
    event->room = redis_take_number(fields);
    event->target = redis_take_id(fields);
    if (type >= EVENT_TYPE_COUNT || event->timestamp_ms < 0)
        fields->broken = true;
}

int redis_pack_digest(struct buf *buf, const unsigned char *digest)
{
    char text[2 * COMMAND_DIGEST_BYTES];
    for (size_t i = 0; i < COMMAND_DIGEST_BYTES; i++) {
        text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    return redis_pack_text(buf, digest ? span_of(text, sizeof(text)) : span_of(NULL, 0));
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void redis_take_digest(struct redis_fields *fields, unsigned char *ret)
{
    struct span text = redis_take_text(fields);
    if (!text.data)
        return;
    if (text.len != 2 * COMMAND_DIGEST_BYTES) {
        fields->broken = true;
        return;
    }
    for (size_t i = 0; i < COMMAND_DIGEST_BYTES; i++) {
        int high = digit_of(text.data[2 * i]), low = digit_of(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            fields->broken = true;
        ret[i] = (unsigned char)(high << 4 | low);
    }
}

static int pack_texts(struct buf *buf, const struct ledger_event *event)
{
    const struct span texts[] = {event->room_id,   event->sender_id, event->user_id,
                                 event->type_name, event->spared,    event->message_id,
                                 event->thread_id};
    int err = redis_pack_number(buf, event->deleted);
    for (size_t i = 0; i < array_count(texts) && !err; i++)
        err = redis_pack_text(buf, texts[i]);
    if (!err && event->type == EVENT_NEW_MESSAGE)
        err = redis_pack_digest(buf, event->digest);
    else if (!err)
        err = redis_pack_text(buf, span_of(NULL, 0));
    if (!err)
        err = redis_pack_text(buf, event->body.data ? event->body : span_text("{}"));
    return err ? err : redis_pack_text(buf, event->own_body);
}

static void unpack_texts(struct redis_fields *fields, struct ledger_event *event)
{
    struct span *texts[] = {&event->room_id,   &event->sender_id, &event->user_id,
                            &event->type_name, &event->spared,    &event->message_id,
                            &event->thread_id};
    event->deleted = redis_take_number(fields) != 0;
    for (size_t i = 0; i < array_count(texts); i++)
        *texts[i] = redis_take_text(fields);
    redis_take_digest(fields, event->digest);
    event->body = redis_take_text(fields);
    event->own_body = redis_take_text(fields);
}

int redis_event_pack(struct buf *meta, struct buf *body, const struct ledger_event *event)
{
    int err = pack_meta(meta, event);
    return err ? err : pack_texts(body, event);
}

int redis_event_unpack(struct span meta, struct span body, struct ledger_event *ret)
{
    struct redis_fields fields = redis_fields_of(meta);
    struct ledger_event event = *ret;
    unpack_meta(&fields, &event);
    if (fields.broken)
        return ERR_CORRUPT;
    fields = redis_fields_of(body);
    if (body.data)
        unpack_texts(&fields, &event);
    if (fields.broken)
        return ERR_CORRUPT;
    *ret = event;
    return 0;
}

int redis_where_pack(struct buf *where, place_number place, char kind, enum event_type type)
{
    int err = redis_pack_number(where, place);
    if (!err)
        err = redis_pack_text(where, span_of(&kind, 1));
    return err ? err : redis_pack_number(where, type);
}

int redis_where_unpack(struct span where, place_number *ret_place, char *ret_kind,
                       enum event_type *ret_type)
{
    struct redis_fields fields = redis_fields_of(where);
    place_number place = redis_take_number(&fields);
    struct span kind = redis_take_text(&fields);
    uint64_t type = redis_take_number(&fields);
    if (fields.broken || kind.len != 1 || type >= EVENT_TYPE_COUNT)
        return ERR_CORRUPT;
    *ret_place = place;
    *ret_kind = kind.data[0];
    *ret_type = (enum event_type)type;
    return 0;
}

int redis_named_pack(struct buf *buf, struct event_id id, bool deleted)
{
    int err = redis_pack_id(buf, id);
    return err ? err : redis_pack_number(buf, deleted);
}

int redis_named_unpack(struct span value, struct event_id *ret_id, bool *ret_deleted)
{
    struct redis_fields fields = redis_fields_of(value);
    struct event_id id = redis_take_id(&fields);
    bool deleted = redis_take_number(&fields) != 0;
    if (fields.broken)
        return ERR_CORRUPT;
    *ret_id = id;
    *ret_deleted = deleted;
    return 0;
}

/* -- what is known ---------------------------------------------------------------------------- */

struct redis_where *redis_where_of(struct redis_ledger *ledger, struct event_id id)
{
    struct redis_where *where;
    HASH_FIND(hh, ledger->where, &id, sizeof(id), where);
    return where;
}

int redis_where_note(struct redis_ledger *ledger, struct event_id id, place_number place,
                     enum event_type type, const struct redis_entry *entry)
{
    struct redis_where *where = redis_where_of(ledger, id);
    if (!where) {
        where = calloc(1, sizeof(*where));
        if (!where)
            return ERR_MEMORY;
        where->id = id;
        where->place = place;
        where->type = type;
        HASH_ADD(hh, ledger->where, id, sizeof(where->id), where);
        if (!where->hh.tbl) {
            free(where);
            return ERR_MEMORY;
        }
    }
    if (entry) {
        where->entry = *entry;
        where->has_entry = true;
    }
    return 0;
}

void redis_ledger_forget(struct redis_ledger *ledger)
{
    struct redis_where *where, *next;
    HASH_ITER(hh, ledger->where, where, next)
    {
        HASH_DELETE(hh, ledger->where, where);
        free(where);
    }
}

struct redis_key *redis_room_key(struct redis_ledger *ledger, place_number room, const char *what)
{
    return redis_key_of(ledger->view, 'p', room, what);
}

struct redis_key *redis_events_key(struct redis_ledger *ledger, place_number place,
                                   enum event_type type)
{
    return redis_room_key(ledger, place, type == EVENT_NEW_MESSAGE ? "messages" : "events");
}

struct buf *redis_scratch(struct redis_ledger *ledger)
{
    ledger->scratch.len = 0;
    return &ledger->scratch;
}

int redis_room_gone(struct redis_ledger *ledger, place_number room, struct event_id *ret)
{
    struct span text;
    struct redis_key *state = redis_room_key(ledger, room, "state");
    int err = redis_view_get_loose(ledger->view, state, span_text("g"), &text);
    if (!err && text.data)
        return redis_parse_id(text, ret);
    if (!err)
        *ret = EVENT_ID_NONE;
    return err;
}

int redis_event_at(struct redis_ledger *ledger, struct redis_where *where, struct ledger_event *ret)
{
    struct redis_view *view = ledger->view;
    struct ledger_event event = {.id = where->id, .place = where->place};
    struct redis_key *bodies = redis_room_key(ledger, where->place, "bodies");
    struct buf *name = redis_scratch(ledger);
    struct span body = {NULL, 0};
    bool found = true;
    int missed = 0;
    int err = redis_put_id(name, where->id);
    if (!err && !where->has_entry)
        err = ledger_put_off(redis_view_entry(view,
                                              redis_events_key(ledger, where->place, where->type),
                                              where->id, &where->entry, &found),
                             &missed);
    found |= missed != 0;
    where->has_entry |= !err && !missed && found;
    if (!err && found)
        err = ledger_put_off(redis_view_get_loose(view, bodies, buf_span(name), &body), &missed);
    if (err || missed || !found)
        return err ? err : missed ? missed : ERR_NOT_FOUND;
    event.number = where->entry.number;
    if (where->type == EVENT_NEW_MESSAGE)
        event.ordinal = where->entry.ordinal;
    err = body.data ? redis_event_unpack(where->entry.value, body, &event) : ERR_CORRUPT;
    if (!err)
        *ret = event;
    return err;
}
