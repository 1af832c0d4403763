#include <assert.h>
#include <stdlib.h>

#include "store/redis_view_parts.h"

/* The present command changes the field. */
static void touch(struct redis_view *view, struct redis_field *field)
{
    struct redis_written *written = &field->written;
    if (written->run == view->run && written->serial == view->serial)
        return;
    struct redis_value before = redis_field_value(view, field);
    field->undo = *written;
    field->next_touched = view->touched_fields;
    view->touched_fields = field;
    *written = (struct redis_written){
        .run = view->run,
        .serial = view->serial,
        .set = redis_key_is_own_drop(view, field->key),
        .now = before,
        .before = before,
    };
}

static void touch_key(struct redis_view *view, struct redis_key *key)
{
    redis_key_now(view, key);
    if (key->touched == view->serial)
        return;
    key->touched = view->serial;
    key->drop_undo = key->drop_serial;
    key->next_touched = view->touched_keys;
    view->touched_keys = key;
}

static int put(struct redis_view *view, struct redis_field *field, struct span value)
{
    struct span kept;
    if (!redis_keep_value(view, false, value, &kept))
        return redis_view_failed(view);
    touch(view, field);
    field->written.set = true;
    field->written.now = (struct redis_value){.is_text = true, .text = kept};
    return 0;
}

static int raise(struct redis_view *view, struct redis_field *field, int64_t by)
{
    touch(view, field);
    struct redis_value *now = &field->written.now;
    if (now->is_text) {
        struct redis_value base = *now;
        struct span text;
        int err = redis_sum(view, base.text, by, &text);
        if (!err)
            now->text = text;
        return err;
    }
    now->is_sum = true;
    return __builtin_add_overflow(now->by, by, &now->by) ? ERR_CORRUPT : 0;
}

/* Of a text that is written. */
static int speak(struct redis_view *view, struct span text)
{
    struct redis_mark mark;
    struct span rest = text;
    while (view->command && redis_find_mark(rest, &mark)) {
        /* The ordinal of an event is known once it is stored, its id before. */
        assert(mark.kind != 'o' || mark.index < view->event_count);
        if (mark.index >= view->command->events_named)
            view->command->events_named = mark.index + 1;
        size_t end = mark.at + REDIS_MARK_BYTES;
        rest = span_of(rest.data + end, rest.len - end);
    }
    return redis_need_marks(view, text);
}

static int write_add(struct redis_view *view, char verb, struct redis_key *key,
                     struct redis_write **ret)
{
    assert(view->is_open);
    struct redis_write *write = key && view->command ? redis_run_alloc(view, sizeof(*write)) : NULL;
    if (!write)
        return redis_view_failed(view);
    write->verb = verb;
    write->key = key;
    *view->command->writes_end = write;
    view->command->writes_end = &write->next;
    view->command->write_count++;
    *ret = write;
    return 0;
}

static int field_write(struct redis_view *view, char verb, struct redis_key *key, struct span name,
                       struct redis_write **ret)
{
    struct redis_write *write;
    int err = write_add(view, verb, key, &write);
    if (!err)
        err = speak(view, name);
    if (err)
        return err;
    write->field = redis_field_at(view, key, name);
    if (!write->field)
        return redis_view_failed(view);
    *ret = write;
    return 0;
}

int redis_view_set(struct redis_view *view, struct redis_key *hash, struct span field,
                   struct span value)
{
    struct redis_write *write;
    assert(value.data);
    int err = field_write(view, 'S', hash, field, &write);
    if (!err)
        err = speak(view, value);
    if (!err)
        err = put(view, write->field, value);
    if (!err)
        write->a = write->field->written.now.text;
    return err;
}

int redis_view_unset(struct redis_view *view, struct redis_key *hash, struct span field)
{
    struct redis_write *write;
    int err = field_write(view, 'U', hash, field, &write);
    return err ? err : put(view, write->field, (struct span){0});
}

int redis_view_raise(struct redis_view *view, struct redis_key *hash, struct span field, int64_t by)
{
    struct redis_write *write;
    char text[REDIS_DIGITS_MAX + 1] = "-";
    size_t sign = by < 0;
    size_t len = sign + redis_put_digits(text + sign, sign ? 0 - (uint64_t)by : (uint64_t)by);
    int err = field_write(view, 'A', hash, field, &write);
    if (err)
        return err;
    write->a = redis_run_copy(view, span_of(text, len));
    return write->a.data ? raise(view, write->field, by) : redis_view_failed(view);
}

static int name_op(struct redis_view *view, struct redis_key *key, enum redis_name_act act,
                   struct span name, struct span before)
{
    struct redis_name_op *op = redis_run_alloc(view, sizeof(*op));
    if (!op)
        return redis_view_failed(view);
    touch_key(view, key);
    *op = (struct redis_name_op){
        .older = key->names, .serial = view->serial, .act = act, .name = name, .before = before};
    key->names = op;
    return 0;
}

static int name_write(struct redis_view *view, char verb, struct redis_key *key, struct span name,
                      enum redis_name_act act)
{
    struct redis_write *write;
    int err = write_add(view, verb, key, &write);
    if (!err)
        err = speak(view, name);
    if (err)
        return err;
    write->a = redis_run_copy(view, name);
    return write->a.data ? name_op(view, key, act, write->a, write->a) : redis_view_failed(view);
}

int redis_view_name_add(struct redis_view *view, struct redis_key *names, struct span name)
{
    return name_write(view, 'Z', names, name, REDIS_NAME_ADD);
}

int redis_view_name_remove(struct redis_view *view, struct redis_key *names, struct span name)
{
    return name_write(view, 'z', names, name, REDIS_NAME_REMOVE);
}

int redis_view_names_remove(struct redis_view *view, struct redis_key *names, struct span after,
                            struct span before)
{
    struct redis_write *write;
    int err = write_add(view, 'Q', names, &write);
    if (!err)
        err = speak(view, after);
    if (!err)
        err = speak(view, before);
    if (err)
        return err;
    write->a = redis_bound(view, after, "-");
    write->b = redis_bound(view, before, "+");
    if (!write->a.data || !write->b.data)
        return redis_view_failed(view);
    return name_op(view, names, REDIS_NAMES_REMOVE, redis_unbound(write->a),
                   redis_unbound(write->b));
}

static int added(struct redis_view *view, struct redis_key *stream, struct redis_added entry)
{
    struct redis_added *add = redis_run_alloc(view, sizeof(*add));
    if (!add)
        return redis_view_failed(view);
    touch_key(view, stream);
    *add = entry;
    add->older = stream->added;
    add->serial = view->serial;
    stream->added = add;
    return 0;
}

int redis_view_drop(struct redis_view *view, struct redis_key *key)
{
    struct redis_write *write;
    int err = write_add(view, 'D', key, &write);
    if (!err)
        err = name_op(view, key, REDIS_NAMES_DROP, (struct span){0}, (struct span){0});
    if (!err)
        err = added(view, key, (struct redis_added){.is_drop = true});
    if (err)
        return err;
    for (struct redis_field *field = key->fields; field && !err; field = field->sibling)
        err = put(view, field, (struct span){0});
    key->drop_serial = view->serial;
    return err;
}

int redis_view_entry_add(struct redis_view *view, struct redis_key *stream, struct event_id id,
                         struct span value)
{
    struct redis_write *write;
    int err = write_add(view, 'X', stream, &write);
    if (err)
        return err;
    write->a = redis_id_text(view, id);
    write->b = redis_run_copy(view, value.data ? value : span_text(""));
    if (!write->a.data || !write->b.data)
        return redis_view_failed(view);
    err = speak(view, write->a);
    if (!err)
        err = speak(view, value);
    struct redis_entry entry = {.id = id, .value = write->b};
    return err ? err : added(view, stream, (struct redis_added){.entry = entry});
}

struct event_id redis_view_next_id(const struct redis_view *view)
{
    return redis_pending_id((uint64_t)view->event_count);
}

static int event_slot(struct redis_view *view, struct redis_event_write *event)
{
    if (view->event_count == REDIS_EVENTS_MAX)
        return ERR_FULL;
    if (view->event_count == view->event_size) {
        int size = view->event_size ? 2 * view->event_size : 64;
        void *events = realloc(view->events, (size_t)size * sizeof(struct redis_event_write *));
        if (!events)
            return ERR_MEMORY;
        view->events = events;
        view->event_size = size;
    }
    view->events[view->event_count] = event;
    return 0;
}

/* What is there once the event is stored. */
static int event_seen(struct redis_view *view, const struct redis_event *event, int index)
{
    struct event_id id = redis_pending_id((uint64_t)index);
    struct span name = redis_id_text(view, id);
    struct redis_field *head = redis_field_at(view, event->realm, span_text("h"));
    struct redis_field *number = redis_field_at(view, event->realm, span_text("n"));
    struct redis_field *body = name.data ? redis_field_at(view, event->bodies, name) : NULL;
    if (!head || !number || !body)
        return redis_view_failed(view);
    struct redis_entry entry = {.id = id, .value = event->meta};
    if (event->room)
        entry.ordinal = REDIS_PENDING_ORDINAL + (uint64_t)index;
    int err = put(view, head, name);
    if (!err)
        err = raise(view, number, 1);
    if (!err)
        err = put(view, body, event->body);
    if (!err)
        err = added(view, event->stream, (struct redis_added){.entry = entry});
    entry = (struct redis_entry){
        .id = id, .number = REDIS_PENDING_ORDINAL + (uint64_t)index, .value = event->where};
    if (!err)
        err = added(view, event->realm_stream, (struct redis_added){.entry = entry});
    if (err || !event->room || !event->raises_ordinal)
        return err;
    struct redis_field *ordinal = redis_field_at(view, event->room, span_text("o"));
    return ordinal ? raise(view, ordinal, 1) : redis_view_failed(view);
}

int redis_view_event(struct redis_view *view, const struct redis_event *event)
{
    struct redis_write *write;
    if (!event->realm_stream || !event->stream || !event->bodies)
        return redis_view_failed(view);
    int err = write_add(view, 'E', event->realm, &write);
    if (err)
        return err;
    struct redis_event_write *kept = redis_run_alloc(view, sizeof(*kept));
    if (!kept)
        return redis_view_failed(view);
    kept->event = *event;
    kept->event.where = redis_run_copy(view, event->where);
    kept->event.meta = redis_run_copy(view, event->meta);
    kept->event.body = redis_run_copy(view, event->body);
    kept->event.realm_name = redis_run_copy(view, event->realm_name);
    if (!kept->event.where.data || !kept->event.meta.data || !kept->event.body.data ||
        !kept->event.realm_name.data)
        return redis_view_failed(view);
    err = event_slot(view, kept);
    if (err)
        return err;
    write->event = view->event_count++;
    err = speak(view, event->meta);
    return err ? err : event_seen(view, &kept->event, write->event);
}
