#include "api/shapes.h"

#include "api/presence.h"

#include "api/watchers.h"
#include "base/err.h"
#include "store/shape.h"

/* Writes the value and lets go of it; NULL is ERR_MEMORY. */
static void write_taken(struct json_writer *writer, json_t *value)
{
    if (value)
        json_writer_value(writer, value);
    else if (!writer->err)
        writer->err = ERR_MEMORY;
    json_decref(value);
}

void shapes_write_room(const struct errand *errand, struct json_writer *writer,
                       const struct room_info *room, enum role role)
{
    struct app *app = request_app(errand->request);
    int64_t watchers = watchers_count(app->watchers, errand->command.realm, room->id);
    write_taken(writer, shape_room(room, role, watchers));
}

void shapes_write_members(struct json_writer *writer, const struct read_member *members, int count)
{
    json_writer_add(writer, "[");
    for (int i = 0; i < count; i++) {
        const struct read_member *member = &members[i];
        json_writer_item(writer);
        write_taken(writer, shape_member(member->user, member->role, member->joined_at_ms,
                                         member->muted_until_ms, member->name, member->data));
        if (!member->is_asker)
            continue;
        json_writer_reopen(writer);
        json_writer_member_string(writer, "notify", span_text(notify_name(member->notify)));
        json_writer_add(writer, "}");
    }
    json_writer_add(writer, "]");
}

void shapes_write_person(struct json_writer *writer, struct span user, struct span name,
                         struct span data)
{
    write_taken(writer, shape_person(user, name, data));
}

/* The two of a direct room. */
static void write_pair(const struct errand *errand, struct json_writer *writer,
                       const struct room_person *pair)
{
    json_writer_member(writer, "members");
    json_writer_add(writer, "[");
    for (int i = 0; i < 2; i++) {
        json_writer_item(writer);
        shapes_write_person(writer, pair[i].user, pair[i].name, pair[i].data);
        json_writer_reopen(writer);
        presence_write_of(errand, writer, pair[i].user);
        json_writer_add(writer, "}");
    }
    json_writer_add(writer, "]");
}

void shapes_write_read_room(const struct errand *errand, struct json_writer *writer,
                            const struct read_room *room)
{
    shapes_write_room(errand, writer, &room->info, room->role);
    json_writer_reopen(writer);
    if (room->role != ROLE_NONE)
        json_writer_member_string(writer, "notify", span_text(notify_name(room->notify)));
    if (room->pair)
        write_pair(errand, writer, room->pair);
    if (!event_id_is_none(room->marker.upto)) {
        json_writer_member_number(writer, "unread", room->marker.unread);
        json_writer_member_number(writer, "mentions", room->marker.mentions);
        json_writer_member_id(writer, "readUpTo", room->marker.upto);
    }
    if (room->last_message.data) {
        json_writer_member(writer, "lastMessage");
        json_writer_add_span(writer, room->last_message);
    }
    json_writer_add(writer, "}");
}

void shapes_write_rooms(const struct errand *errand, struct json_writer *writer,
                        const struct journal_read *read)
{
    json_writer_member(writer, "rooms");
    json_writer_add(writer, "[");
    for (int i = 0; i < read->room_count; i++) {
        json_writer_item(writer);
        shapes_write_read_room(errand, writer, &read->rooms[i]);
    }
    json_writer_add(writer, "]");
    json_writer_member_string(writer, "next", read->next);
}
