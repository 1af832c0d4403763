/* What a commit tells the cache: of fields that this view has read, or that are remembered. */
#include "store/redis_view_parts.h"

/* What the script made of the text. data NULL: out of memory, or it had none. */
static struct span filled(struct redis_view *view, struct span text)
{
    struct redis_mark mark;
    struct buf buf;
    if (!redis_find_mark(text, &mark))
        return text;
    size_t size = text.len * EVENT_ID_TEXT_MAX;
    char *data = redis_run_alloc(view, size);
    buf = (struct buf){.data = data, .size = size, .bytes_max = size};
    int err = data ? 0 : ERR_MEMORY;
    while (!err && redis_find_mark(text, &mark)) {
        const struct redis_event_write *event = view->events[mark.index];
        size_t end = mark.at + REDIS_MARK_BYTES;
        err = buf_add(&buf, text.data, mark.at);
        if (!err && mark.kind == 'i')
            err = redis_put_id(&buf, event->real);
        else if (!err && mark.kind == 'h')
            err = redis_put_name_of_id(&buf, event->real);
        else if (!err)
            err = buf_add_span(&buf, event->real_ordinal);
        text = span_of(text.data + end, text.len - end);
    }
    if (!err)
        err = buf_add_span(&buf, text);
    return err ? (struct span){0} : buf_span(&buf);
}

static void forget(struct redis_view *view, const struct redis_field *field)
{
    redis_cache_drop(view->cache, field->key->text, field->name);
}

static bool is_known(struct redis_view *view, const struct redis_key *key, struct span name,
                     struct span *ret)
{
    return redis_cache_get(view->cache, key->text, name, ret);
}

static void learn(struct redis_view *view, const struct redis_field *field, struct span value)
{
    struct span known;
    if (field->is_pending)
        return;
    if (!field->is_wanted && !is_known(view, field->key, field->name, &known))
        return;
    struct span text = filled(view, value);
    if (text.data || !value.data)
        redis_cache_put(view->cache, field->key->text, field->name, text);
    else
        forget(view, field);
}

static void learn_known(struct redis_view *view, const struct redis_key *key, const char *name,
                        struct span value)
{
    struct span known;
    if (is_known(view, key, span_text(name), &known))
        redis_cache_put(view->cache, key->text, span_text(name), value);
}

static void learn_raise(struct redis_view *view, const struct redis_key *key, struct span name,
                        struct span by)
{
    struct span known, text;
    int64_t number;
    if (!is_known(view, key, name, &known))
        return;
    if (redis_read_signed(by, &number) || redis_sum(view, known, number, &text))
        redis_cache_drop(view->cache, key->text, name);
    else
        redis_cache_put(view->cache, key->text, name, text);
}

static void learn_event(struct redis_view *view, const struct redis_event_write *event)
{
    char text[EVENT_ID_TEXT_MAX];
    size_t len = event_id_format(event->real, text);
    learn_known(view, event->event.realm, "h", span_of(text, len));
    learn_raise(view, event->event.realm, span_text("n"), span_text("1"));
    if (event->event.room)
        learn_known(view, event->event.room, "o", event->real_ordinal);
}

static void learn_write(struct redis_view *view, const struct redis_write *write)
{
    switch (write->verb) {
    case 'S':
        learn(view, write->field, write->a);
        break;
    case 'U':
        learn(view, write->field, (struct span){0});
        break;
    case 'A':
        learn_raise(view, write->key, write->field->name, write->a);
        break;
    case 'D':
        for (struct redis_field *field = write->key->fields; field; field = field->sibling)
            forget(view, field);
        break;
    case 'E':
        learn_event(view, view->events[write->event]);
        break;
    default:
        break;
    }
}

static void learn_failure(struct redis_view *view, const struct redis_command *command, int failed)
{
    const struct redis_check *check = command->checks;
    for (int i = 1; i < failed; i++)
        check = check->next;
    if (check->field)
        forget(view, check->field);
}

void redis_view_learn(struct redis_view *view, const struct redis_result *results)
{
    int i = 0;
    for (const struct redis_command *one = view->commands; one; one = one->next, i++) {
        if (!results[i].done) {
            learn_failure(view, one, results[i].failed_check);
            continue;
        }
        for (const struct redis_write *write = one->writes; write; write = write->next)
            learn_write(view, write);
    }
}
