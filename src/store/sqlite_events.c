/* Events, messages, what is remembered once, and devices. */
#include <assert.h>

#include "base/err.h"
#include "store/sqlite_trim.h"

#define HOUR_MS 3600000

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

/* Adding */

static int id_next(struct ledger *base, place_number realm, int64_t now_ms, struct event_id *ret)
{
    struct sqlite_ledger *ledger = self(base);
    int64_t now = sqlite_id_pack((struct event_id){now_ms > 0 ? (uint64_t)now_ms : 0, 0});
    int64_t next = ledger->id_last + 1;

    assert(ledger->writes);
    if ((next & (SQLITE_SEQ_MAX + 1)) > SQLITE_SEQ_MAX)
        next++;
    if (next < now && now < SQLITE_ID_LAST)
        next = now;
    if (next >= ledger->id_reserved)
        return ERR_UNAVAILABLE;
    *ret = sqlite_id_unpack(next);
    return 0;
}

static void bind_event(sqlite3_stmt *statement, place_number realm,
                       const struct ledger_event *event)
{
    bool is_message = event->type == EVENT_NEW_MESSAGE;

    sqlite_bind_id(statement, 1, event->id);
    sqlite_bind_place(statement, 2, realm);
    sqlite_bind_number(statement, 3, (int64_t)event->place);
    sqlite_bind_number(statement, 4, (int64_t)event->number);
    sqlite_bind_number(statement, 5, event->type);
    sqlite_bind_number(statement, 6,
                       (int)event->audience +
                           (event->ends_watching ? SQLITE_FLAG_ENDS_WATCHING : 0) +
                           (event->opens_watching ? SQLITE_FLAG_OPENS_WATCHING : 0) +
                           (event->bars_user ? SQLITE_FLAG_BARS_USER : 0));
    sqlite_bind_number(statement, 7, event->timestamp_ms);
    sqlite_bind_place(statement, 8, event->sender);
    sqlite_bind_place(statement, 9, event->user);
    sqlite_bind_text(statement, 10, event->type_name);
    sqlite_bind_text(statement, 11, event->spared);
    sqlite_bind_text(statement, 12, is_message ? event->message_id : span_of(NULL, 0));
    sqlite_bind_text(statement, 13, is_message ? event->thread_id : span_of(NULL, 0));
    if (is_message)
        sqlite_bind_digest(statement, 14, event->digest);
    else
        sqlite_bind_text(statement, 14, span_of(NULL, 0));
    sqlite_bind_text(statement, 15, event->body.data ? event->body : span_text("{}"));
    sqlite_bind_text(statement, 16, event->own_body);
    sqlite_bind_number(statement, 17, (int64_t)event->ordinal);
    sqlite_bind_place(statement, 18, (place_number)sqlite_id_pack(event->target));
    sqlite_bind_place(statement, 19, event->room);
}

/* Most commands are of somebody who has just sent another: then the row is there. */
static int note_sender(struct sqlite_ledger *ledger, const struct ledger_event *event)
{
    struct sqlite_noted note = {event->sender, event->place, (int64_t)(event->id.ms / HOUR_MS)};
    struct sqlite_noted *slot =
        &ledger->noted[(note.sender * 31 + note.place) % SQLITE_NOTED_SLOTS];

    if (!note.sender || (slot->sender == note.sender && slot->place == note.place &&
                         slot->hour == note.hour))
        return 0;
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_sender_note);
    sqlite_bind_place(statement, 1, note.sender);
    sqlite_bind_place(statement, 2, note.place);
    sqlite_bind_number(statement, 3, note.hour);
    int err = sqlite_execute(ledger, statement);
    if (!err)
        *slot = note;
    return err;
}

static int event_add(struct ledger *base, place_number realm_place,
                     const struct ledger_event *event)
{
    struct sqlite_ledger *ledger = self(base);
    struct sqlite_realm *realm;
    int err = sqlite_realm_at(ledger, realm_place, &realm);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    assert(sqlite_id_is_exact(event->id));
    assert(sqlite_id_pack(event->id) > ledger->id_last);
    assert(sqlite_id_pack(event->id) < ledger->id_reserved);
    assert(event->number == realm->found.head_number + 1);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_event_add);
    bind_event(statement, realm_place, event);
    err = sqlite_execute(ledger, statement);
    if (!err)
        err = note_sender(ledger, event);
    if (err)
        return err;
    ledger->id_last = sqlite_id_pack(event->id);
    realm->found.head = event->id;
    realm->found.head_number = event->number;
    realm->changed = true;
    if (ledger->trim && event->audience == AUDIENCE_ROOM)
        sqlite_trim_note(ledger->trim, event->place);
    return 0;
}

/* Reading */

/* Columns in the order of the view event_told; texts are the statement's. */
static struct ledger_event event_of_row(sqlite3_stmt *row)
{
    int flags = sqlite3_column_int(row, 4);
    struct ledger_event event = {
        .id = sqlite_column_id(row, 0),
        .number = (uint64_t)sqlite3_column_int64(row, 1),
        .place = (place_number)sqlite3_column_int64(row, 2),
        .type = (enum event_type)sqlite3_column_int(row, 3),
        .audience = (enum audience)(flags & (SQLITE_FLAG_ENDS_WATCHING - 1)),
        .ends_watching = flags & SQLITE_FLAG_ENDS_WATCHING,
        .opens_watching = flags & SQLITE_FLAG_OPENS_WATCHING,
        .deleted = flags & SQLITE_FLAG_DELETED,
        .bars_user = flags & SQLITE_FLAG_BARS_USER,
        .timestamp_ms = sqlite3_column_int64(row, 5),
        .sender = (place_number)sqlite3_column_int64(row, 6),
        .user = (place_number)sqlite3_column_int64(row, 7),
        .room_id = sqlite_column_span(row, 8),
        .sender_id = sqlite_column_span(row, 9),
        .user_id = sqlite_column_span(row, 10),
        .type_name = sqlite_column_span(row, 11),
        .spared = sqlite_column_span(row, 12),
        .message_id = sqlite_column_span(row, 13),
        .thread_id = sqlite_column_span(row, 14),
        .body = sqlite_column_span(row, 16),
        .own_body = sqlite_column_span(row, 17),
        .ordinal = (uint64_t)sqlite3_column_int64(row, 19),
        .target = sqlite_column_id(row, 20),
        .room = (place_number)sqlite3_column_int64(row, 21),
    };
    const void *digest = sqlite3_column_blob(row, 15);

    if (digest && sqlite3_column_bytes(row, 15) == COMMAND_DIGEST_BYTES)
        memcpy(event.digest, digest, COMMAND_DIGEST_BYTES);
    return event;
}

static int keep_texts(struct arena *arena, struct ledger_event *event)
{
    struct span *texts[] = {&event->room_id, &event->sender_id,  &event->user_id,
                            &event->type_name, &event->spared,   &event->message_id,
                            &event->thread_id, &event->body,     &event->own_body};

    for (size_t i = 0; i < array_count(texts); i++) {
        struct span copy = arena_copy(arena, *texts[i]);

        if (texts[i]->data && !copy.data)
            return ERR_MEMORY;
        *texts[i] = copy;
    }
    return 0;
}

static int take_event(struct sqlite_ledger *ledger, sqlite3_stmt *statement, struct arena *arena,
                      struct ledger_event *ret)
{
    int err = sqlite_next(ledger, statement);

    if (!err) {
        struct ledger_event event = event_of_row(statement);

        err = keep_texts(arena, &event);
        if (!err)
            *ret = event;
    }
    return sqlite_finish(statement, err);
}

static int event_find(struct ledger *base, place_number realm, struct event_id id,
                      struct arena *arena, struct ledger_event *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_event_find);

    if (!sqlite_id_is_exact(id))
        return ERR_NOT_FOUND;
    sqlite_bind_id(statement, 1, id);
    sqlite_bind_place(statement, 2, realm);
    return take_event(ledger, statement, arena, ret);
}

static int event_at_or_below(struct ledger *base, place_number realm, struct event_id id,
                             struct event_id *ret_id, uint64_t *ret_number)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_event_at_or_below);

    sqlite_bind_place(statement, 1, realm);
    sqlite_bind_id(statement, 2, id);
    int err = sqlite_next(ledger, statement);
    if (!err) {
        *ret_id = sqlite_column_id(statement, 0);
        *ret_number = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    return sqlite_finish(statement, err);
}

/* The statement for a range, bound. `all`, `messages` and `thread` are the upward ones; each is
 * followed by its downward one. */
static sqlite3_stmt *range_statement(struct sqlite_ledger *ledger,
                                     const struct ledger_range *range, enum sql_statement all,
                                     enum sql_statement messages, enum sql_statement thread)
{
    bool in_thread = range->messages_only && range->thread.data;
    int which = in_thread ? (int)thread : range->messages_only ? (int)messages : (int)all;
    sqlite3_stmt *statement =
        sqlite_get(ledger, (enum sql_statement)(which + (range->newest_first ? 1 : 0)));

    assert(range->limit >= 1);
    sqlite_bind_place(statement, 1, range->place);
    sqlite_bind_id(statement, 2, range->after);
    sqlite_bind_id(statement, 3, range->before);
    sqlite_bind_number(statement, 4, range->limit);
    if (in_thread)
        sqlite_bind_text(statement, 5, range->thread);
    return statement;
}

_Static_assert(SQL_events_down == SQL_events_up + 1, "range_statement counts on it");
_Static_assert(SQL_messages_down == SQL_messages_up + 1, "range_statement counts on it");
_Static_assert(SQL_thread_down == SQL_thread_up + 1, "range_statement counts on it");
_Static_assert(SQL_ids_down == SQL_ids_up + 1, "range_statement counts on it");
_Static_assert(SQL_message_ids_down == SQL_message_ids_up + 1, "range_statement counts on it");
_Static_assert(SQL_thread_ids_down == SQL_thread_ids_up + 1, "range_statement counts on it");

static int events(struct ledger *base, const struct ledger_range *range,
                  ledger_event_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement =
        range_statement(ledger, range, SQL_events_up, SQL_messages_up, SQL_thread_up);
    int err;

    while (!(err = sqlite_next(ledger, statement))) {
        struct ledger_event event = event_of_row(statement);

        err = visit(context, &event);
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

int sqlite_visit_ids(struct sqlite_ledger *ledger, sqlite3_stmt *statement,
                     ledger_id_visitor visit, void *context)
{
    int err;

    while (!(err = sqlite_next(ledger, statement))) {
        err = visit(context, sqlite_column_id(statement, 0),
                    (place_number)sqlite3_column_int64(statement, 1),
                    (enum event_type)sqlite3_column_int(statement, 2));
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int ids(struct ledger *base, const struct ledger_range *range, ledger_id_visitor visit,
               void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement =
        range_statement(ledger, range, SQL_ids_up, SQL_message_ids_up, SQL_thread_ids_up);

    return sqlite_visit_ids(ledger, statement, visit, context);
}

static int realm_ids(struct ledger *base, place_number realm, struct event_id after, int limit,
                     ledger_id_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_realm_ids);

    sqlite_bind_place(statement, 1, realm);
    sqlite_bind_id(statement, 2, after);
    sqlite_bind_number(statement, 3, limit);
    return sqlite_visit_ids(ledger, statement, visit, context);
}

/* Messages */

static int message_find(struct ledger *base, place_number room, struct span message_id,
                        struct arena *arena, struct ledger_event *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_message_find);

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_text(statement, 2, message_id);
    return take_event(ledger, statement, arena, ret);
}

static int messages_of_sender(struct ledger *base, place_number sender, place_number room,
                              struct event_id after, int limit, ledger_id_visitor visit,
                              void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement =
        sqlite_get(ledger, room ? SQL_messages_of_sender_in_room : SQL_messages_of_sender);

    sqlite_bind_place(statement, 1, sender);
    sqlite_bind_number(statement, 2, limit);
    if (room) {
        sqlite_bind_place(statement, 3, room);
        sqlite_bind_id(statement, 4, after);
    }
    return sqlite_visit_ids(ledger, statement, visit, context);
}

static int last_message_of_sender(struct ledger *base, place_number sender, place_number room,
                                  struct event_id *ret_id, int64_t *ret_timestamp_ms)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_last_message_of_sender);

    sqlite_bind_place(statement, 1, sender);
    sqlite_bind_place(statement, 2, room);
    int err = sqlite_next(ledger, statement);
    if (!err) {
        *ret_id = sqlite_column_id(statement, 0);
        *ret_timestamp_ms = sqlite3_column_int64(statement, 1);
    }
    return sqlite_finish(statement, err);
}

/* Once */

static int once_find(struct ledger *base, place_number place, struct span message_id,
                     int64_t since_ms, struct ledger_once *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_once_find);

    sqlite_bind_place(statement, 1, place);
    sqlite_bind_text(statement, 2, message_id);
    sqlite_bind_number(statement, 3, since_ms);
    int err = sqlite_next(ledger, statement);
    if (!err) {
        const void *digest = sqlite3_column_blob(statement, 3);

        if (!digest || sqlite3_column_bytes(statement, 3) != COMMAND_DIGEST_BYTES)
            return sqlite_finish(statement, ERR_CORRUPT);
        *ret = (struct ledger_once){
            .sender = (place_number)sqlite3_column_int64(statement, 0),
            .id = sqlite_column_id(statement, 1),
            .timestamp_ms = sqlite3_column_int64(statement, 2),
        };
        memcpy(ret->digest, digest, COMMAND_DIGEST_BYTES);
    }
    return sqlite_finish(statement, err);
}

static int once_add(struct ledger *base, place_number place, struct span message_id,
                    const struct ledger_once *once)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_once_add);

    sqlite_bind_place(statement, 1, place);
    sqlite_bind_text(statement, 2, message_id);
    sqlite_bind_number(statement, 3, (int64_t)once->sender);
    sqlite_bind_id(statement, 4, once->id);
    sqlite_bind_number(statement, 5, once->timestamp_ms);
    sqlite_bind_digest(statement, 6, once->digest);
    return sqlite_execute(ledger, statement);
}

/* Devices */

static int device_find(struct ledger *base, place_number user, struct span device,
                       struct ledger_device *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_device_find);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_text(statement, 2, device);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = (struct ledger_device){
            .cursor = sqlite_column_id(statement, 0),
            .used_at_ms = sqlite3_column_int64(statement, 1),
        };
    return sqlite_finish(statement, err);
}

static int write_device(struct sqlite_ledger *ledger, enum sql_statement which, place_number user,
                        struct span device, const struct ledger_device *value)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_text(statement, 2, device);
    sqlite_bind_id(statement, 3, value->cursor);
    sqlite_bind_number(statement, 4, value->used_at_ms);
    return sqlite_execute(ledger, statement);
}

static int device_put(struct ledger *base, place_number user, struct span device,
                      const struct ledger_device *value)
{
    struct sqlite_ledger *ledger = self(base);
    int err = write_device(ledger, SQL_device_set, user, device, value);

    if (err || sqlite3_changes(ledger->connection->db) > 0)
        return err;
    err = write_device(ledger, SQL_device_add, user, device, value);
    if (err)
        return err;
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_device_limit);
    sqlite_bind_place(statement, 1, user);
    sqlite_bind_text(statement, 2, device);
    sqlite_bind_number(statement, 3, DEVICES_OF_USER_MAX);
    return sqlite_execute(ledger, statement);
}

void sqlite_ledger_add_events(struct ledger_ops *ops)
{
    ops->id_next = id_next;
    ops->event_add = event_add;
    ops->event_find = event_find;
    ops->event_at_or_below = event_at_or_below;
    ops->events = events;
    ops->ids = ids;
    ops->realm_ids = realm_ids;
    ops->message_find = message_find;
    ops->message_find_repeat = message_find;
    ops->messages_of_sender = messages_of_sender;
    ops->last_message_of_sender = last_message_of_sender;
    ops->once_find = once_find;
    ops->once_add = once_add;
    ops->device_find = device_find;
    ops->device_put = device_put;
}
