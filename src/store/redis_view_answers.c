/* What the scripts answered. */
#include <assert.h>
#include <hiredis/hiredis.h>
#include <limits.h>

#include "store/redis_view_parts.h"

static struct span text_of(const redisReply *reply)
{
    return span_of(reply->str, reply->len);
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

/* A text already kept is not kept a second time. */
static int keep(struct redis_view *view, struct span text, struct span *kept)
{
    if (kept->data && span_equal(*kept, text))
        return 0;
    *kept = redis_facts_copy(view, text);
    return kept->data ? 0 : redis_view_failed(view);
}

/* `text` data NULL: it is not there. */
static int field_fetched(struct redis_view *view, struct redis_field *field, struct span text)
{
    bool is_same = !field->base.data == !text.data && span_equal(field->base, text);
    field->fetched = view->fetch;
    if (is_same)
        return 0;
    field->is_cached = false;
    return redis_keep_value(view, true, text, &field->base) ? 0 : redis_view_failed(view);
}

static int field_read(struct redis_view *view, struct redis_field *field, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_NIL)
        return field_fetched(view, field, (struct span){0});
    return is_text(reply) ? field_fetched(view, field, text_of(reply)) : ERR_CORRUPT;
}

static int fields_read(struct redis_view *view, struct redis_key *key, const redisReply *reply)
{
    int err = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0)
        return ERR_CORRUPT;
    for (size_t i = 0; i < reply->elements && !err; i += 2) {
        if (!is_text(reply->element[i]))
            return ERR_CORRUPT;
        struct redis_field *field = redis_field_at(view, key, text_of(reply->element[i]));
        err = field ? field_read(view, field, reply->element[i + 1]) : redis_view_failed(view);
    }
    key->whole = view->fetch;
    return err;
}

static int names_read(struct redis_view *view, struct redis_asked *asked, const redisReply *reply)
{
    int err = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > (size_t)asked->limit)
        return ERR_CORRUPT;
    int count = (int)reply->elements;
    if (count > asked->size) {
        struct span *names = redis_facts_alloc(view, (size_t)count * sizeof(*names));
        if (!names)
            return redis_view_failed(view);
        if (asked->count)
            memcpy(names, asked->names, (size_t)asked->count * sizeof(*names));
        asked->names = names;
        asked->size = count;
    }
    for (int i = 0; i < count && !err; i++)
        err = is_text(reply->element[i]) ? keep(view, text_of(reply->element[i]), &asked->names[i])
                                         : ERR_CORRUPT;
    asked->count = count;
    return err;
}

static bool read_number(struct span text, uint64_t *ret)
{
    *ret = 0;
    return text.len == 0 || span_to_number(text, UINT64_MAX, ret) == 0;
}

/* `row`: id, n, o, v, and a field of each hash. */
static int entry_read(struct redis_view *view, const struct redis_asked *asked,
                      redisReply *const *row, struct redis_entry *entry)
{
    for (int i = 0; i < 4; i++) {
        if (!is_text(row[i]))
            return ERR_CORRUPT;
    }
    if (redis_parse_id(text_of(row[0]), &entry->id) ||
        !read_number(text_of(row[1]), &entry->number) ||
        !read_number(text_of(row[2]), &entry->ordinal))
        return ERR_CORRUPT;
    int err = keep(view, text_of(row[3]), &entry->value);
    for (int i = 0; i < asked->with_count && !err; i++) {
        struct redis_field *field = redis_field_at(view, asked->with[i], text_of(row[0]));
        err = field ? field_read(view, field, row[4 + i]) : redis_view_failed(view);
    }
    return err;
}

static int entries_read(struct redis_view *view, struct redis_asked *asked, const redisReply *reply)
{
    size_t width = 4 + (size_t)asked->with_count;
    int err = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % width != 0 ||
        reply->elements / width > (size_t)asked->limit)
        return ERR_CORRUPT;
    int count = (int)(reply->elements / width);
    if (count > asked->size) {
        struct redis_entry *entries = redis_facts_alloc(view, (size_t)count * sizeof(*entries));
        if (!entries)
            return redis_view_failed(view);
        if (asked->count)
            memcpy(entries, asked->entries, (size_t)asked->count * sizeof(*entries));
        asked->entries = entries;
        asked->size = count;
    }
    for (int i = 0; i < count && !err; i++)
        err = entry_read(view, asked, reply->element + (size_t)i * width, &asked->entries[i]);
    asked->count = count;
    return err;
}

static int number_read(const redisReply *reply, uint64_t *ret)
{
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0)
        return ERR_CORRUPT;
    *ret = (uint64_t)reply->integer;
    return 0;
}

static int answer_read(struct redis_view *view, struct redis_ask *ask, const redisReply *reply)
{
    if (ask->asked)
        ask->asked->fetched = view->fetch;
    switch (ask->verb) {
    case 'G':
        return field_read(view, ask->field, reply);
    case 'L':
        return fields_read(view, ask->key, reply);
    case 'H':
        ask->key->size_fetched = view->fetch;
        return number_read(reply, &ask->key->size);
    case 'N':
        return names_read(view, ask->asked, reply);
    case 'R':
        return entries_read(view, ask->asked, reply);
    default:
        return number_read(reply, &ask->asked->number);
    }
}

int redis_view_read_fetch(struct redis_view *view, const struct redisReply *reply,
                          int64_t *ret_now_ms)
{
    uint64_t now;
    int err = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != (size_t)view->sent_count + 1 ||
        number_read(reply->element[0], &now))
        return ERR_CORRUPT;
    view->fetch++;
    struct redis_ask *ask = view->asks;
    for (int i = 1; i <= view->sent_count && !err; i++, ask = ask->next)
        err = answer_read(view, ask, reply->element[i]);
    if (err)
        return err;
    view->answered_count = view->sent_count;
    *ret_now_ms = (int64_t)now;
    return 0;
}

/* One command's {members, id, ordinal, …}. */
static int done_read(struct redis_view *view, const struct redis_command *command,
                     const redisReply *reply, struct redis_result *ret)
{
    struct redis_result result = {.done = true, .members = -1};
    uint64_t members;
    if (reply->elements != 1 + 2 * (size_t)command->event_count || !is_text(reply->element[0]))
        return ERR_CORRUPT;
    struct span text = text_of(reply->element[0]);
    if (text.len) {
        if (span_to_number(text, INT64_MAX, &members))
            return ERR_CORRUPT;
        result.members = (int64_t)members;
    }
    for (int i = 0; i < command->event_count; i++) {
        const redisReply *id = reply->element[1 + 2 * i], *ordinal = reply->element[2 + 2 * i];
        struct redis_event_write *event = view->events[command->first_event + i];
        if (!is_text(id) || !is_text(ordinal) || redis_parse_id(text_of(id), &event->real))
            return ERR_CORRUPT;
        event->real_ordinal = text_of(ordinal);
        result.head = event->real;
    }
    *ret = result;
    return 0;
}

static int command_read(struct redis_view *view, const struct redis_command *command,
                        const redisReply *reply, struct redis_result *ret)
{
    if (reply->type == REDIS_REPLY_ARRAY)
        return done_read(view, command, reply, ret);
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 1 ||
        reply->integer > command->check_count)
        return ERR_CORRUPT;
    *ret = (struct redis_result){.members = -1, .failed_check = (int)reply->integer};
    return 0;
}

int redis_view_read_commit(struct redis_view *view, const struct redisReply *reply,
                           struct redis_result *results, int64_t *ret_now_ms)
{
    uint64_t now;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 ||
        number_read(reply->element[0], &now))
        return ERR_CORRUPT;
    if (reply->elements > 1 && is_text(reply->element[1])) {
        *ret_now_ms = (int64_t)now;
        return span_is(text_of(reply->element[1]), "life")   ? ERR_VERSION
               : span_is(text_of(reply->element[1]), "late") ? ERR_AGAIN
                                                             : ERR_CORRUPT;
    }
    if (reply->elements != (size_t)view->command_count + 1)
        return ERR_CORRUPT;
    int err = 0, i = 0;
    for (const struct redis_command *one = view->commands; one && !err; one = one->next, i++)
        err = command_read(view, one, reply->element[i + 1], &results[i]);
    if (err)
        return err;
    if (view->cache)
        redis_view_learn(view, results);
    *ret_now_ms = (int64_t)now;
    return 0;
}

struct event_id redis_view_real_id(const struct redis_view *view, struct event_id id)
{
    if (!redis_is_pending(id))
        return id;
    return id.seq < (uint64_t)view->event_count ? view->events[id.seq]->real : EVENT_ID_NONE;
}
