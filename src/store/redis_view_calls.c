/* The arguments of fetch.lua and commit.lua. First all keys are numbered, in the order in which
 * they are met, then everything names them by number. */
#include <stdlib.h>

#include "store/redis_view_parts.h"

static int add(struct redis_view *view, struct span text)
{
    if (!text.data)
        return redis_view_failed(view);
    if (view->argc == view->argv_size) {
        int size = view->argv_size ? 2 * view->argv_size : 512;
        const char **argv = realloc(view->argv, (size_t)size * sizeof(*argv));
        if (!argv)
            return ERR_MEMORY;
        view->argv = argv;
        size_t *lens = realloc(view->lens, (size_t)size * sizeof(*lens));
        if (!lens)
            return ERR_MEMORY;
        view->lens = lens;
        view->argv_size = size;
    }
    view->argv[view->argc] = text.data;
    view->lens[view->argc++] = text.len;
    return 0;
}

static struct span number_text(struct redis_view *view, uint64_t number)
{
    char text[REDIS_DIGITS_MAX];
    return redis_run_copy(view, span_of(text, redis_put_digits(text, number)));
}

static int add_number(struct redis_view *view, uint64_t number)
{
    static const char digits[] = "0123456789";
    if (number < 10)
        return add(view, span_of(digits + number, 1));
    return add(view, number_text(view, number));
}

static int add_verb(struct redis_view *view, const char *verb)
{
    return add(view, span_of(verb, 1));
}

static int begin(struct redis_view *view)
{
    view->call++;
    view->argc = 0;
    view->key_count = 0;
    return add(view, span_text(""));
}

static int number_key(struct redis_view *view, struct redis_key *key)
{
    if (!key)
        return redis_view_failed(view);
    if (key->call == view->call)
        return 0;
    key->call = view->call;
    key->index = number_text(view, (uint64_t)++view->key_count);
    return key->index.data ? add(view, key->text) : redis_view_failed(view);
}

/* Now that all keys are there: how many. */
static int end_keys(struct redis_view *view)
{
    struct span count = number_text(view, (uint64_t)view->key_count);
    if (!count.data)
        return redis_view_failed(view);
    view->argv[0] = count.data;
    view->lens[0] = count.len;
    return 0;
}

static void give(const struct redis_view *view, struct redis_call *ret)
{
    *ret = (struct redis_call){view->argv, view->lens, view->argc};
}

static int number_ask_keys(struct redis_view *view, const struct redis_ask *ask)
{
    const struct redis_asked *asked = ask->asked;
    int err = number_key(view, ask->key);
    if (!err && asked && asked->other)
        err = number_key(view, asked->other);
    for (int i = 0; asked && i < asked->with_count && !err; i++)
        err = number_key(view, asked->with[i]);
    return err;
}

static int add_range(struct redis_view *view, struct span from, struct span to, int limit,
                     bool descending)
{
    int err = add(view, from);
    if (!err)
        err = add(view, to);
    if (!err)
        err = add_number(view, (uint64_t)limit);
    return err ? err : add_number(view, descending);
}

static int add_asked(struct redis_view *view, const struct redis_asked *asked)
{
    int err;
    switch (asked->verb) {
    case 'J':
        return add(view, asked->other->index);
    case 'C':
        err = add(view, asked->from);
        return err ? err : add(view, asked->to);
    default:
        err = add_range(view, asked->from, asked->to, asked->limit, asked->descending);
    }
    if (!err && asked->verb == 'R')
        err = add_number(view, (uint64_t)asked->with_count);
    for (int i = 0; i < asked->with_count && !err; i++)
        err = add(view, asked->with[i]->index);
    return err;
}

static int add_ask(struct redis_view *view, const struct redis_ask *ask)
{
    int err = add_verb(view, &ask->verb);
    if (!err)
        err = add(view, ask->key->index);
    if (!err && ask->field)
        err = add(view, ask->field->name);
    if (!err && ask->asked)
        err = add_asked(view, ask->asked);
    return err;
}

int redis_view_write_fetch(struct redis_view *view, struct redis_call *ret)
{
    int err = begin(view);
    for (const struct redis_ask *ask = view->asks; ask && !err; ask = ask->next)
        err = number_ask_keys(view, ask);
    if (!err)
        err = end_keys(view);
    for (const struct redis_ask *ask = view->asks; ask && !err; ask = ask->next)
        err = add_ask(view, ask);
    if (err)
        return err;
    view->sent_count = view->ask_count;
    give(view, ret);
    return 0;
}

static int number_command_keys(struct redis_view *view, const struct redis_command *command)
{
    int err = 0;
    for (const struct redis_check *check = command->checks; check && !err; check = check->next)
        err = check->key ? number_key(view, check->key) : 0;
    for (const struct redis_write *write = command->writes; write && !err; write = write->next) {
        err = number_key(view, write->key);
        if (err || write->verb != 'E')
            continue;
        const struct redis_event *event = &view->events[write->event]->event;
        err = number_key(view, event->realm_stream);
        if (!err)
            err = number_key(view, event->stream);
        if (!err)
            err = number_key(view, event->bodies);
        if (!err && event->room)
            err = number_key(view, event->room);
    }
    return err;
}

/* The verb, with a star when one of the texts has a mark. */
static int add_marked(struct redis_view *view, char verb, const struct span *texts, int count)
{
    static const char verbs[] = "A*D*E*G*H*N*P*Q*R*S*U*X*Z*g*z*";
    struct redis_mark mark;
    bool has_marks = false;
    for (int i = 0; i < count && !has_marks; i++)
        has_marks = redis_find_mark(texts[i], &mark);
    return add(view, span_of(strchr(verbs, verb), has_marks ? 2 : 1));
}

static int add_check(struct redis_view *view, const struct redis_check *check)
{
    struct span texts[] = {check->field ? check->field->name : check->from, check->to, check->was};
    int err = add_marked(view, check->verb, texts, array_count(texts));
    if (!err && check->key)
        err = add(view, check->key->index);
    switch (check->verb) {
    case 'P':
        return err;
    case 'E':
    case 'H':
        return err ? err : add_number(view, check->number);
    case 'g':
        return err ? err : add(view, check->field->name);
    case 'G':
        if (!err)
            err = add(view, check->field->name);
        break;
    default:
        if (!err)
            err = add_range(view, check->from, check->to, check->limit, check->descending);
    }
    return err ? err : add(view, check->was);
}

static int add_event(struct redis_view *view, int index)
{
    const struct redis_event *event = &view->events[index]->event;
    struct span texts[] = {
        event->realm->index,
        event->realm_stream->index,
        event->where,
        event->stream->index,
        event->meta,
        event->bodies->index,
        event->body,
        event->room ? event->room->index : span_text("0"),
        span_text(event->raises_ordinal ? "1" : "0"),
        event->realm_name,
    };
    int err = add_marked(view, 'E', &event->meta, 1);
    if (!err)
        err = add_number(view, (uint64_t)index);
    for (size_t i = 0; i < array_count(texts) && !err; i++)
        err = add(view, texts[i]);
    if (!err)
        err = event->members < 0 ? add(view, span_text("-"))
                                 : add_number(view, (uint64_t)event->members);
    return err;
}

static int add_write(struct redis_view *view, const struct redis_write *write)
{
    if (write->verb == 'E')
        return add_event(view, write->event);
    struct span texts[] = {write->field ? write->field->name : write->a, write->a, write->b};
    int err = add_marked(view, write->verb, texts, array_count(texts));
    if (!err)
        err = add(view, write->key->index);
    if (!err && write->field)
        err = add(view, write->field->name);
    if (!err && write->a.data)
        err = add(view, write->a);
    if (!err && write->b.data)
        err = add(view, write->b);
    return err;
}

static int add_command(struct redis_view *view, const struct redis_command *command)
{
    const int counts[] = {command->check_count, command->write_count, command->first_event,
                          command->event_count};
    int err = 0;
    for (size_t i = 0; i < array_count(counts) && !err; i++)
        err = add_number(view, (uint64_t)counts[i]);
    for (const struct redis_check *check = command->checks; check && !err; check = check->next)
        err = add_check(view, check);
    for (const struct redis_write *write = command->writes; write && !err; write = write->next)
        err = add_write(view, write);
    return err;
}

static int number_fixed_keys(struct redis_view *view, int64_t deadline_ms)
{
    char done[32] = "done/";
    uint64_t period = (uint64_t)deadline_ms / REDIS_DONE_PERIOD_MS;
    done[5 + redis_put_digits(done + 5, period)] = 0;
    int err = number_key(view, redis_key_shard(view, "state"));
    if (!err)
        err = number_key(view, redis_key_shard(view, "journal"));
    return err ? err : number_key(view, redis_key_shard(view, done));
}

int redis_view_write_commit(struct redis_view *view, struct span life, struct span batch,
                            int64_t deadline_ms, struct redis_call *ret)
{
    int err = begin(view);
    if (!err)
        err = number_fixed_keys(view, deadline_ms);
    for (const struct redis_command *one = view->commands; one && !err; one = one->next)
        err = number_command_keys(view, one);
    if (!err)
        err = end_keys(view);
    if (!err)
        err = add(view, redis_run_copy(view, life));
    if (!err)
        err = add_number(view, (uint64_t)deadline_ms);
    if (!err)
        err = add(view, redis_run_copy(view, batch));
    if (!err)
        err = add_number(view, REDIS_DONE_KEPT_S);
    for (const struct redis_command *one = view->commands; one && !err; one = one->next)
        err = add_command(view, one);
    if (!err)
        give(view, ret);
    return err;
}
