#include <stdio.h>

#include "api/presence.h"
#include "api/query.h"
#include "api/shapes.h"
#include "base/err.h"
#include "base/limits.h"

/* --- one room ------------------------------------------------------------------------------ */

static void answer_room(struct errand *errand, int status, const struct read_room *room,
                        struct event_id as_of)
{
    struct json_writer writer;
    json_writer_init(&writer, ANSWER_BYTES_MAX);
    shapes_write_read_room(errand, &writer, room);
    json_writer_reopen(&writer);
    json_writer_member_id(&writer, "asOf", as_of);
    json_writer_add(&writer, "}");
    char location[sizeof("/v1/rooms/") + IDENT_BYTES_MAX];
    snprintf(location, sizeof(location), "/v1/rooms/%.*s", SPAN_ARGS(room->info.id));
    errand_answer(errand, status, &writer, status == 201 ? location : NULL);
}

static void answer_read(struct errand *errand)
{
    const struct journal_read *read = presence_asked_of(errand);
    answer_room(errand, 200, &read->rooms[0], read->head);
}

static void on_read(struct errand *errand)
{
    if (errand->read.room_count == 0)
        errand_refuse(errand, ERR_NOT_FOUND, NULL);
    else
        presence_ask_of_pairs(errand, answer_read);
}

void room_get(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_read);
    if (errand)
        errand_read(errand, READ_ROOM);
}

static void answer_put(struct errand *errand)
{
    const struct errand *put = errand->before ? errand->before : errand;
    const struct outcome *outcome = &put->command.outcome;
    const struct read_room room = {.info = outcome->room,
                                   .role = outcome->role,
                                   .notify = outcome->notify,
                                   .pair = outcome->pair};
    answer_room(errand, outcome->created ? 201 : 200, &room, outcome->head);
}

/* How the two of a direct room are. */
static void on_put(struct errand *errand)
{
    const struct room_person *pair = errand->command.outcome.pair;
    const struct span users[] = {pair ? pair[0].user : (struct span){NULL, 0},
                                 pair ? pair[1].user : (struct span){NULL, 0}};
    presence_ask(errand, users, pair ? 2 : 0, answer_put);
}

/* --- the members of a change --------------------------------------------------------------- */

static bool is_given(const struct json_reader *reader, const char *name)
{
    const json_t *value = json_object_get(reader->object, name);
    return value && !json_is_null(value);
}

static void fail(struct json_reader *reader, const char *name)
{
    if (reader->err)
        return;
    reader->err = ERR_INVALID_FIELD;
    reader->field = name;
}

static void read_texts(struct json_reader *reader, struct room_change *change)
{
    change->name = json_read_text(reader, "name", ROOM_NAME_BYTES_MAX);
    change->has_name = change->name.data;
    change->topic = json_read_text(reader, "topic", ROOM_TOPIC_BYTES_MAX);
    change->has_topic = change->topic.data;
}

/* A direct room is made by its own call, between two users. */
static void read_kinds(struct json_reader *reader, struct room_change *change)
{
    struct span kind = json_read_text(reader, "kind", IDENT_BYTES_MAX);
    change->has_kind = kind.data;
    if (kind.data && (room_kind_parse(kind, &change->kind) || change->kind == ROOM_DIRECT))
        fail(reader, "kind");
    struct span from = json_read_text(reader, "historyFrom", IDENT_BYTES_MAX);
    change->has_history_from = from.data;
    if (from.data && history_from_parse(from, &change->history_from))
        fail(reader, "historyFrom");
}

static void read_rules(struct json_reader *reader, struct room_change *change)
{
    change->has_announce = is_given(reader, "announce");
    change->announce = json_read_bool(reader, "announce", false);
    change->has_slow_mode = is_given(reader, "slowModeSec");
    change->slow_mode_s = (int)json_read_number(reader, "slowModeSec", 0, SLOW_MODE_SEC_MAX, 0);
}

static void read_data(struct errand *errand, struct room_change *change)
{
    const json_t *data = json_read_object(&errand->reader, "data");
    if (!data)
        return;
    struct json_writer writer;
    json_writer_init(&writer, ROOM_DATA_BYTES_MAX);
    json_writer_value(&writer, data);
    int err = writer.err;
    change->has_data = true;
    change->data = errand_keep(errand, &writer);
    if (err == ERR_FULL)
        fail(&errand->reader, "data");
    else if (!change->data.data)
        errand->reader.err = ERR_MEMORY;
}

/* `<version>` or `"<version>"`. */
static int parse_version(struct span text, uint64_t *ret)
{
    text = span_trim(text);
    if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
        text = span_of(text.data + 1, text.len - 2);
    uint64_t version;
    if (span_to_number(text, INT64_MAX, &version) || version == 0)
        return ERR_INVALID_PARAMETER;
    *ret = version;
    return 0;
}

static void put(struct errand *errand)
{
    struct room_change *change = &errand->command.change;
    read_kinds(&errand->reader, change);
    read_texts(&errand->reader, change);
    read_rules(&errand->reader, change);
    read_data(errand, change);
    struct span version = errand->request->headers[HEADER_IF_MATCH];
    if (!errand->reader.err && version.data && parse_version(version, &change->if_version)) {
        errand->reader.err = ERR_INVALID_PARAMETER;
        errand->reader.field = "If-Match";
    }
    if (errand->reader.err) {
        errand_refuse(errand, errand->reader.err, errand->reader.field);
        return;
    }
    errand->command.kind = COMMAND_PUT_ROOM;
    errand->command.create_allowed = errand_may_create(errand);
    errand_append(errand);
}

void room_put(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_put);
    if (errand && errand_body(errand))
        put(errand);
}

void rooms_post(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_put);
    if (!errand || !errand_body(errand))
        return;
    struct span room = errand_make_id(errand, 'r');
    if (!room.data) {
        errand_refuse(errand, ERR_MEMORY, NULL);
        return;
    }
    errand->command.room = room;
    /* Its name decides what the token grants there. */
    request_actor(request, room, &errand->command.actor);
    put(errand);
}

static void on_deleted(struct errand *errand)
{
    errand_answer_change(errand, (struct span){NULL, 0});
}

void room_delete(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_deleted);
    if (!errand)
        return;
    errand->command.kind = COMMAND_DELETE_ROOM;
    errand_append(errand);
}

/* --- direct rooms -------------------------------------------------------------------------- */

static void answer_direct(struct errand *errand)
{
    const struct journal_read *read = presence_asked_of(errand);
    const struct errand *opening = errand;
    while (opening->before)
        opening = opening->before;
    answer_room(errand, opening->command.outcome.created ? 201 : 200, &read->rooms[0], read->head);
}

static void on_direct_read(struct errand *errand)
{
    presence_ask_of_pairs(errand, answer_direct);
}

static void on_direct(struct errand *errand)
{
    struct errand *read = errand_after(errand, on_direct_read);
    if (!read)
        return;
    read->command.room = errand->command.outcome.room.id;
    request_actor(read->request, read->command.room, &read->command.actor);
    errand_read(read, READ_ROOM);
}

void direct_post(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_direct);
    if (!errand)
        return;
    errand->command.kind = COMMAND_OPEN_DIRECT;
    errand->command.target = request_parameter(request, 0);
    errand->command.room = errand_make_id(errand, 'd');
    if (errand->command.room.data)
        errand_append(errand);
    else
        errand_refuse(errand, ERR_MEMORY, NULL);
}

/* --- the user's rooms ---------------------------------------------------------------------- */

static void answer_rooms(struct errand *errand)
{
    const struct journal_read *read = presence_asked_of(errand);
    struct json_writer writer;
    json_writer_init(&writer, ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{");
    shapes_write_rooms(errand, &writer, read);
    json_writer_member_id(&writer, "asOf", read->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

static void on_rooms(struct errand *errand)
{
    presence_ask_of_pairs(errand, answer_rooms);
}

void rooms_get(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_rooms);
    if (!errand)
        return;
    struct query_reader reader = {.request = request};
    errand->read.from = query_read_ident(&reader, "from");
    errand->read.limit =
        (int)query_read_number(&reader, "limit", 1, ROOMS_PAGE_MAX, ROOMS_PAGE_MAX);
    /* The directory of public rooms, which is not kept here. */
    if (query_read_text(&reader, "kind").data && !reader.err)
        reader.err = ERR_NOT_ALLOWED;
    if (reader.err) {
        errand_refuse(errand, reader.err, reader.field);
        return;
    }
    errand_read(errand, READ_ROOMS_OF_USER);
}
