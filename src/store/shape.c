#include "store/shape.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "core/event.h"

static json_t *text_of(struct span text)
{
    return json_stringn(text.data ? text.data : "", text.len);
}

static json_t *object_of(struct span json)
{
    json_t *value = json.data ? json_loadb(json.data, json.len, 0, NULL) : NULL;
    return value ? value : json_object();
}

json_t *shape_room(const struct room_info *info, enum role role, int64_t watchers)
{
    json_t *room = json_pack(
        "{s:o, s:s, s:o, s:o, s:b, s:i, s:s, s:o, s:I, s:I, s:I}", "roomId", text_of(info->id),
        "kind", room_kind_name(info->kind), "name", text_of(info->name), "topic",
        text_of(info->topic), "announce", info->announce, "slowModeSec", info->slow_mode_s,
        "historyFrom", history_from_name(info->history_from), "data", object_of(info->data),
        "memberCount", (json_int_t)info->member_count, "version", (json_int_t)info->version,
        "createdAt", (json_int_t)info->created_at_ms);
    int err = room ? 0 : -1;
    if (!err && role != ROLE_NONE)
        err = json_object_set_new(room, "role", json_string(role_name(role)));
    if (!err && watchers >= 0)
        err = json_object_set_new(room, "watchers", json_integer(watchers));
    if (!err)
        return room;
    json_decref(room);
    return NULL;
}

json_t *shape_user_data(struct span name, struct span data)
{
    if (!name.data && !data.data)
        return json_null();
    json_t *user = json_object();
    int err = 0;
    if (name.data)
        err = json_object_set_new(user, "name", text_of(name));
    if (!err && data.data)
        err = json_object_set_new(user, "data", object_of(data));
    if (!err && user)
        return user;
    json_decref(user);
    return NULL;
}

json_t *shape_person(struct span user, struct span name, struct span data)
{
    json_t *person = json_pack("{s:o}", "userId", text_of(user));
    int err = person ? 0 : -1;
    if (!err && (name.data || data.data))
        err = json_object_set_new(person, "userData", shape_user_data(name, data));
    if (!err)
        return person;
    json_decref(person);
    return NULL;
}

json_t *shape_member(struct span user, enum role role, int64_t joined_at_ms, int64_t muted_until_ms,
                     struct span name, struct span data)
{
    json_t *member = json_pack("{s:o, s:s, s:I}", "userId", text_of(user), "role", role_name(role),
                               "joinedAt", (json_int_t)joined_at_ms);
    int err = member ? 0 : -1;
    if (!err && muted_until_ms)
        err = json_object_set_new(member, "mutedUntil", json_integer(muted_until_ms));
    if (!err && (name.data || data.data))
        err = json_object_set_new(member, "userData", shape_user_data(name, data));
    if (!err)
        return member;
    json_decref(member);
    return NULL;
}

int shape_message(struct arena *arena, struct event_id id, int64_t timestamp_ms, struct span body,
                  struct span *ret)
{
    char head[128], id_text[EVENT_ID_TEXT_MAX];
    assert(body.len >= 2 && body.data[0] == '{');
    event_id_format(id, id_text);
    int len = snprintf(head, sizeof(head), "{\"type\":\"%s\",\"id\":\"%s\",\"timestamp\":%lld%s",
                       event_type_name(EVENT_NEW_MESSAGE), id_text, (long long)timestamp_ms,
                       body.len > 2 ? "," : "");
    assert(len > 0 && (size_t)len < sizeof(head));
    char *text = arena_alloc(arena, (size_t)len + body.len - 1);
    if (!text)
        return ERR_MEMORY;
    memcpy(text, head, (size_t)len);
    memcpy(text + len, body.data + 1, body.len - 1);
    *ret = span_of(text, (size_t)len + body.len - 1);
    return 0;
}

int shape_text(struct arena *arena, json_t *value, struct span *ret)
{
    if (!value)
        return ERR_MEMORY;
    const size_t flags = JSON_COMPACT;
    size_t len = json_dumpb(value, NULL, 0, flags);
    char *text = len ? arena_alloc(arena, len) : NULL;
    bool done = text && json_dumpb(value, text, len, flags) == len;
    json_decref(value);
    if (!done)
        return ERR_MEMORY;
    *ret = span_of(text, len);
    return 0;
}
