#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/map.h"
#include "store/redis_view_parts.h"

#define SLOTS_FIRST 256
#define KEY_BYTES_MAX 512 /* of a key but for its name */

static size_t put_text(char *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len);
    return len;
}

struct redis_view *redis_view_new(int shard, struct redis_cache *cache)
{
    assert(shard >= 0 && shard < REDIS_SHARDS);
    struct redis_view *view = calloc(1, sizeof(*view));
    if (!view)
        return NULL;
    view->cache = cache;
    view->run = 1;
    view->asks_end = &view->asks;
    view->commands_end = &view->commands;
    view->prefix_len = put_text(view->prefix, "tidings:{s");
    view->prefix_len += redis_put_digits(view->prefix + view->prefix_len, (uint64_t)shard);
    view->prefix_len += put_text(view->prefix + view->prefix_len, "}/");
    arena_init(&view->facts, REDIS_VIEW_BYTES_MAX);
    arena_init(&view->run_arena, REDIS_VIEW_BYTES_MAX);
    return view;
}

struct redis_view *redis_view_free(struct redis_view *view)
{
    if (!view)
        return NULL;
    arena_fini(&view->facts);
    arena_fini(&view->run_arena);
    free(view->keys.buckets);
    free(view->fields.buckets);
    free(view->asked.buckets);
    free(view->events);
    free(view->argv);
    free(view->lens);
    free(view);
    return NULL;
}

bool redis_view_is_optimistic(const struct redis_view *view)
{
    return view->cache != NULL;
}

static void *alloc(struct redis_view *view, struct arena *arena, const struct arena *other,
                   size_t len)
{
    arena->bytes_max = REDIS_VIEW_BYTES_MAX - other->used;
    void *data = arena_alloc(arena, len);
    if (!data)
        view->is_full = len > arena->bytes_max - arena->used;
    return data;
}

void *redis_facts_alloc(struct redis_view *view, size_t len)
{
    return alloc(view, &view->facts, &view->run_arena, len);
}

void *redis_run_alloc(struct redis_view *view, size_t len)
{
    return alloc(view, &view->run_arena, &view->facts, len);
}

static struct span copy_into(char *data, struct span text)
{
    if (!data)
        return (struct span){0};
    if (text.len)
        memcpy(data, text.data, text.len);
    return span_of(data, text.len);
}

struct span redis_facts_copy(struct redis_view *view, struct span text)
{
    return text.data ? copy_into(redis_facts_alloc(view, text.len + 1), text) : text;
}

struct span redis_run_copy(struct redis_view *view, struct span text)
{
    return text.data ? copy_into(redis_run_alloc(view, text.len + 1), text) : text;
}

bool redis_keep_value(struct redis_view *view, bool in_facts, struct span value, struct span *ret)
{
    *ret = in_facts ? redis_facts_copy(view, value) : redis_run_copy(view, value);
    return ret->data || !value.data;
}

struct redis_slot *redis_slots_first(const struct redis_slots *slots, uint64_t hash)
{
    return slots->size ? slots->buckets[hash & (slots->size - 1)] : NULL;
}

static bool slots_grow(struct redis_slots *slots)
{
    size_t size = slots->size ? 2 * slots->size : SLOTS_FIRST;
    struct redis_slot **buckets = calloc(size, sizeof(struct redis_slot *));
    if (!buckets)
        return false;
    for (size_t i = 0; i < slots->size; i++) {
        struct redis_slot *next;
        for (struct redis_slot *slot = slots->buckets[i]; slot; slot = next) {
            next = slot->next;
            slot->next = buckets[slot->hash & (size - 1)];
            buckets[slot->hash & (size - 1)] = slot;
        }
    }
    free(slots->buckets);
    slots->buckets = buckets;
    slots->size = size;
    return true;
}

bool redis_slots_add(struct redis_slots *slots, struct redis_slot *slot)
{
    if (slots->count >= slots->size && !slots_grow(slots))
        return false;
    struct redis_slot **bucket = &slots->buckets[slot->hash & (slots->size - 1)];
    slot->next = *bucket;
    *bucket = slot;
    slots->count++;
    return true;
}

static struct redis_key *key_at(struct redis_view *view, struct span text)
{
    uint64_t hash = map_hash(text.data, text.len);
    struct redis_slot *slot = redis_slots_first(&view->keys, hash);
    for (; slot; slot = slot->next) {
        struct redis_key *key = container_of(slot, struct redis_key, slot);
        if (slot->hash == hash && span_equal(key->text, text))
            return key;
    }
    struct redis_key *key = redis_facts_alloc(view, sizeof(*key));
    if (!key)
        return NULL;
    key->slot.hash = hash;
    key->text = redis_facts_copy(view, text);
    if (!key->text.data)
        return NULL;
    return redis_slots_add(&view->keys, &key->slot) ? key : NULL;
}

struct redis_key *redis_key_shard(struct redis_view *view, const char *what)
{
    char text[KEY_BYTES_MAX];
    assert(strlen(what) < KEY_BYTES_MAX / 2);
    memcpy(text, view->prefix, view->prefix_len);
    size_t len = view->prefix_len;
    len += put_text(text + len, what);
    return key_at(view, span_of(text, len));
}

void redis_view_know_new(struct redis_view *view, const struct redis_given *given)
{
    view->given = given;
}

static bool is_new(const struct redis_view *view, uint64_t place)
{
    int low = 0, high = view->given ? view->given->count : 0;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (view->given->items[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return view->given && low < view->given->count && view->given->items[low] == place;
}

static struct redis_key *key_of_place(struct redis_view *view, uint64_t place, struct span text)
{
    struct redis_key *key = key_at(view, text);
    if (key && !key->fields && !key->is_new)
        key->is_new = is_new(view, place);
    return key;
}

static size_t put_place(const struct redis_view *view, char *text, char kind, uint64_t place,
                        const char *what)
{
    assert(strlen(what) < KEY_BYTES_MAX / 2);
    memcpy(text, view->prefix, view->prefix_len);
    size_t len = view->prefix_len;
    text[len++] = kind;
    text[len++] = '/';
    len += redis_put_digits(text + len, place);
    text[len++] = '/';
    return len + put_text(text + len, what);
}

struct redis_key *redis_key_of(struct redis_view *view, char kind, uint64_t place, const char *what)
{
    char text[KEY_BYTES_MAX];
    return key_of_place(view, place, span_of(text, put_place(view, text, kind, place, what)));
}

struct redis_key *redis_key_named(struct redis_view *view, char kind, uint64_t place,
                                  const char *what, struct span name)
{
    char text[2 * KEY_BYTES_MAX];
    size_t len = put_place(view, text, kind, place, what);
    text[len++] = '/';
    if (name.len <= sizeof(text) - len) {
        memcpy(text + len, name.data, name.len);
        return key_of_place(view, place, span_of(text, len + name.len));
    }
    char *longer = redis_run_alloc(view, len + name.len);
    if (!longer)
        return NULL;
    memcpy(longer, text, len);
    memcpy(longer + len, name.data, name.len);
    return key_of_place(view, place, span_of(longer, len + name.len));
}

struct redis_key *redis_key_now(const struct redis_view *view, struct redis_key *key)
{
    if (key->run != view->run) {
        key->run = view->run;
        key->drop_serial = 0;
        key->names = NULL;
        key->added = NULL;
    }
    return key;
}

struct redis_field *redis_field_at(struct redis_view *view, struct redis_key *key, struct span name)
{
    uint64_t hash = map_hash(name.data, name.len) + key->slot.hash * UINT64_C(0x9E3779B97F4A7C15);
    struct redis_slot *slot = redis_slots_first(&view->fields, hash);
    for (; slot; slot = slot->next) {
        struct redis_field *field = container_of(slot, struct redis_field, slot);
        if (slot->hash == hash && field->key == key && span_equal(field->name, name))
            return field;
    }
    struct redis_field *field = redis_facts_alloc(view, sizeof(*field));
    if (!field)
        return NULL;
    field->slot.hash = hash;
    field->key = key;
    field->name = redis_facts_copy(view, name.data ? name : span_text(""));
    if (!field->name.data || !redis_slots_add(&view->fields, &field->slot))
        return NULL;
    struct redis_mark mark;
    field->is_pending = redis_find_mark(name, &mark);
    field->sibling = key->fields;
    key->fields = field;
    return field;
}

void redis_view_begin_command(struct redis_view *view)
{
    assert(!view->is_open);
    view->is_open = true;
    view->serial++;
    view->touched_fields = NULL;
    view->touched_keys = NULL;
    view->command = redis_run_alloc(view, sizeof(*view->command));
    if (!view->command)
        return; /* what it reads and writes then fails */
    view->command->checks_end = &view->command->checks;
    view->command->writes_end = &view->command->writes;
    view->command->first_event = view->event_count;
}

static void take_back(struct redis_view *view)
{
    for (struct redis_field *field = view->touched_fields; field; field = field->next_touched)
        field->written = field->undo;
    for (struct redis_key *key = view->touched_keys; key; key = key->next_touched) {
        while (key->names && key->names->serial == view->serial)
            key->names = key->names->older;
        while (key->added && key->added->serial == view->serial)
            key->added = key->added->older;
        key->drop_serial = key->drop_undo;
    }
    if (view->command)
        view->event_count = view->command->first_event;
}

void redis_view_abandon_command(struct redis_view *view)
{
    assert(view->is_open);
    take_back(view);
    view->is_open = false;
    view->command = NULL;
}

int redis_view_end_command(struct redis_view *view)
{
    struct redis_command *command = view->command;
    assert(view->is_open);
    view->is_open = false;
    view->command = NULL;
    if (!command || command->write_count == 0)
        return -1;
    assert(command->events_named <= view->event_count); /* a mark would stay what it is */
    command->event_count = view->event_count - command->first_event;
    *view->commands_end = command;
    view->commands_end = &command->next;
    return view->command_count++;
}

int redis_view_command_count(const struct redis_view *view)
{
    return view->command_count;
}

int redis_view_missing(const struct redis_view *view)
{
    return view->ask_count - view->answered_count;
}

void redis_view_restart(struct redis_view *view)
{
    view->run++;
    view->is_open = false;
    view->command = NULL;
    view->commands = NULL;
    view->commands_end = &view->commands;
    view->command_count = 0;
    view->event_count = 0;
    arena_fini(&view->run_arena);
}

int redis_ask_add(struct redis_view *view, char verb, struct redis_key *key,
                  struct redis_field *field, struct redis_asked *asked)
{
    struct redis_ask *ask = redis_facts_alloc(view, sizeof(*ask));
    if (!ask)
        return redis_view_failed(view);
    *ask = (struct redis_ask){.verb = verb, .key = key, .field = field, .asked = asked};
    *view->asks_end = ask;
    view->asks_end = &ask->next;
    view->ask_count++;
    return 0;
}

struct redis_check *redis_check_add(struct redis_view *view, char verb, struct redis_key *key)
{
    struct redis_check *check = view->command ? redis_run_alloc(view, sizeof(*check)) : NULL;
    if (!check)
        return NULL;
    check->verb = verb;
    check->key = key;
    *view->command->checks_end = check;
    view->command->checks_end = &check->next;
    view->command->check_count++;
    return check;
}

static int need_event(struct redis_view *view, int index)
{
    if (!view->command)
        return redis_view_failed(view);
    struct redis_event_write *event = view->events[index];
    if (event->needed == view->serial)
        return 0;
    struct redis_check *check = redis_check_add(view, 'E', NULL);
    if (!check)
        return redis_view_failed(view);
    check->number = (uint64_t)index;
    event->needed = view->serial;
    return 0;
}

int redis_view_follow_on(struct redis_view *view)
{
    assert(view->is_open);
    if (!view->command)
        return redis_view_failed(view);
    return redis_check_add(view, 'P', NULL) ? 0 : redis_view_failed(view);
}

int redis_need_marks(struct redis_view *view, struct span text)
{
    struct redis_mark mark;
    int err = 0;
    while (!err && view->command && redis_find_mark(text, &mark)) {
        if (mark.index < view->command->first_event)
            err = need_event(view, mark.index);
        size_t end = mark.at + REDIS_MARK_BYTES;
        text = span_of(text.data + end, text.len - end);
    }
    return err;
}

int redis_need_event(struct redis_view *view, struct event_id id)
{
    bool is_earlier =
        redis_is_pending(id) && view->command && id.seq < (uint64_t)view->command->first_event;
    return is_earlier ? need_event(view, (int)id.seq) : 0;
}

bool redis_has_own_mark(const struct redis_view *view, struct span text)
{
    struct redis_mark mark;
    while (redis_find_mark(text, &mark)) {
        if (mark.index >= view->command->first_event)
            return true;
        size_t end = mark.at + REDIS_MARK_BYTES;
        text = span_of(text.data + end, text.len - end);
    }
    return false;
}
