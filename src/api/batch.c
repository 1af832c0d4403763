#include "api/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "api/identity.h"
#include "api/problem.h"
#include "api/rates.h"
#include "base/err.h"

/* One command, as a request of its own. */
struct batch_item {
    struct request request;
    struct exchange exchange;
    struct batch *batch;
    const struct batch_command *command;
    json_t *json;                        /* owned: the command as its handler reads it */
    struct buf result;                   /* JSON object */
    bool failed;                         /* `result` is an error */
    bool answered;
};

/* Commands that go to the journal together. What it found lives until the batch is answered. */
struct batch_group {
    struct journal_append append;
    struct batch *batch;
    struct batch_group *before;
    int count;
    struct round round;         /* of one that erases, before it is gone on with */
    struct errand *errands[BATCH_COMMANDS_MAX];
    struct command commands[BATCH_COMMANDS_MAX];
};

struct batch {
    struct request *request;    /* the POST */
    json_t *json;               /* its body, owned */
    bool ordered;
    bool failed;                /* one has failed: the rest of an ordered batch is not tried */
    bool running;               /* batch_run is on the stack */
    bool flying;                /* `group` is at the journal */
    int count;
    int next;                   /* the first that has not been started */
    int open;                   /* started and not answered */
    struct batch_group *group;  /* that gathers, or is at the journal; NULL: none */
    struct batch_group *groups; /* done, the newest first */
    struct errand *waiting[BATCH_COMMANDS_MAX]; /* until the group is done */
    int waiting_count;
    struct batch_item items[];
};

static void batch_run(struct batch *batch);

/* What has a type that is none. */
static const struct batch_command unknown = {.type = ""};

/* -- results ------------------------------------------------------------------------------ */

static void batch_free(struct batch *batch)
{
    for (struct batch_group *group = batch->groups, *before; group; group = before) {
        before = group->before;
        journal_append_fini(&group->append);
        free(group);
    }
    for (int i = 0; i < batch->count; i++) {
        json_decref(batch->items[i].json);
        buf_fini(&batch->items[i].result);
    }
    json_decref(batch->json);
    free(batch);
}

static void write_problem(struct batch *batch, struct json_writer *writer, int err)
{
    struct answer answer;
    problem_format(batch->request, err, NULL, &answer);
    json_writer_add_span(writer, answer.body);
}

/* Of an ordered batch nothing counts after the first that failed. */
static void batch_answer(struct batch *batch)
{
    struct request *request = batch->request;
    struct json_writer writer;
    bool stopped = false;
    json_writer_init(&writer, ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{\"results\":[");
    for (int i = 0; i < batch->count; i++) {
        json_writer_item(&writer);
        const struct batch_item *item = &batch->items[i];
        if (stopped || !item->answered)
            write_problem(batch, &writer, ERR_AGAIN);
        else if (item->result.len > 0)
            json_writer_add_span(&writer, buf_span(&item->result));
        else
            write_problem(batch, &writer, ERR_MEMORY);
        stopped |= batch->ordered && item->failed;
    }
    json_writer_add(&writer, "]}");
    int err = writer.err;
    struct answer answer = {
        .status = 200, .content_type = "application/json", .body = json_writer_text(&writer)};
    batch_free(batch);
    if (err)
        problem_answer(request, err == ERR_FULL ? ERR_INTERNAL : err, NULL);
    else
        request_answer(request, &answer);
    json_writer_fini(&writer);
}

/* The answer's members after its status; a problem has the status itself. Empty without memory. */
static void keep_result(struct batch_item *item, const struct answer *answer)
{
    struct span body = answer->body;
    int err;
    buf_init(&item->result, body.len + 32);
    if (answer->status >= 400)
        err = buf_add_span(&item->result, body);
    else if (body.len > 2)
        err = buf_format(&item->result, "{\"status\":%d,%.*s", answer->status,
                         SPAN_ARGS(span_of(body.data + 1, body.len - 1)));
    else
        err = buf_format(&item->result, "{\"status\":%d}", answer->status);
    if (err)
        buf_fini(&item->result);
}

static void on_answered(struct request *request, const struct answer *answer)
{
    struct batch_item *item = container_of(request, struct batch_item, request);
    struct batch *batch = item->batch;
    assert(!item->answered);
    item->answered = true;
    item->failed = answer->status >= 400;
    keep_result(item, answer);
    batch->failed |= item->failed;
    batch->open--;
    arena_fini(&request->arena);
    batch_run(batch);
}

/* -- the journal -------------------------------------------------------------------------- */

/* What the journal left for another append waits, before all that came after it. */
static void keep_rest(struct batch *batch, struct batch_group *group)
{
    const struct journal_append *append = &group->append;
    int rest = append->request.err ? 0 : group->count - append->done;
    assert(rest >= 0 && batch->waiting_count + rest <= BATCH_COMMANDS_MAX);
    group->count -= rest;
    memmove(batch->waiting + rest, batch->waiting,
            (size_t)batch->waiting_count * sizeof(*batch->waiting));
    memcpy(batch->waiting, group->errands + group->count, (size_t)rest * sizeof(*batch->waiting));
    batch->waiting_count += rest;
}

static void group_conclude(struct batch_group *group)
{
    struct batch *batch = group->batch;
    batch->group = NULL;
    batch->flying = false;
    group->before = batch->groups;
    batch->groups = group;
    batch->running = true;
    keep_rest(batch, group);
    for (int i = 0; i < group->count; i++) {
        struct errand *errand = group->errands[i];
        errand->command.outcome = group->commands[i].outcome;
        errand->common.err = group->append.request.err;
        errand_conclude(errand);
    }
    int waiting_count = batch->waiting_count;
    batch->waiting_count = 0;
    for (int i = 0; i < waiting_count; i++) {
        /* Nobody may see anything of what is answered as not tried. */
        if (batch->ordered && batch->failed)
            errand_refuse(batch->waiting[i], ERR_AGAIN, NULL);
        else
            batch_take(batch, batch->waiting[i]);
    }
    batch->running = false;
    batch_run(batch);
}

static void on_round(struct round *round)
{
    group_conclude(container_of(round, struct batch_group, round));
}

/* See on_read of errand.c. */
static void on_group(struct letter *letter)
{
    struct batch_group *group = container_of(letter, struct batch_group, append.request.letter);
    struct request *request = group->batch->request;
    bool erases = false;
    for (int i = 0; i < group->count; i++)
        erases |= command_erases(&group->commands[i]);
    if (erases)
        round_start(&group->round, request_app(request), request->worker, on_round);
    else
        group_conclude(group);
}

static void flush(struct batch *batch)
{
    struct batch_group *group = batch->group;
    assert(group && group->count > 0 && !batch->flying);
    batch->flying = true;
    for (int i = 0; i < group->count; i++)
        group->commands[i] = group->errands[i]->command;
    group->append.commands = group->commands;
    group->append.count = group->count;
    group->append.ordered = batch->ordered;
    group->append.request.letter.on_read = on_group;
    group->append.request.home = worker_mailbox(batch->request->worker);
    journal_start_append(request_app(batch->request)->journal, &group->append);
}

static bool gather(struct batch *batch, struct errand *errand)
{
    if (!batch->group) {
        batch->group = calloc(1, sizeof(*batch->group));
        if (!batch->group)
            return false;
        batch->group->batch = batch;
    }
    batch->group->errands[batch->group->count++] = errand;
    return true;
}

void batch_take(struct batch *batch, struct errand *errand)
{
    if (!batch->flying && errand->kind == ERRAND_APPEND && gather(batch, errand))
        return;
    if (!batch->group) {
        errand_resume(errand);
        return;
    }
    assert(batch->waiting_count < BATCH_COMMANDS_MAX);
    batch->waiting[batch->waiting_count++] = errand;
    if (!batch->flying)
        flush(batch);
}

/* -- the commands ------------------------------------------------------------------------- */

static void refuse(struct batch_item *item, int err, const char *field)
{
    problem_answer(&item->request, err, &(struct problem_detail){.field = field});
}

/* What stands in braces in the pattern, out of the command's members. */
static int take_parameters(struct batch_item *item, const char **ret_field)
{
    int count = 0;
    for (struct span rest = span_text(item->command->pattern); rest.data;) {
        struct span segment = span_cut(&rest, '/');
        if (segment.len == 0 || segment.data[0] != '{')
            continue;
        *ret_field = route_field(segment);
        const json_t *value = json_object_get(item->json, *ret_field);
        if (!json_is_string(value))
            return ERR_INVALID_FIELD;
        struct span text = span_of(json_string_value(value), json_string_length(value));
        if (!route_takes(segment, text))
            return ERR_INVALID_IDENTIFIER;
        item->exchange.parameters[count++] = text;
    }
    return 0;
}

/* A type that says more than which command it is. */
static int complete(struct batch_item *item)
{
    const struct batch_command *command = item->command;
    const json_t *event_type = json_object_get(item->json, "eventType");
    int err = 0;
    if (command->member)
        err = json_object_set_new(item->json, command->member, json_boolean(command->value));
    else if (event_type)
        err = json_object_set(item->json, "type", (json_t *)event_type);
    return err ? ERR_MEMORY : 0;
}

static void answer_ping(struct batch_item *item)
{
    json_answer(&item->request, 200, json_pack("{s:I}", "timestamp", (json_int_t)clock_wall_ms()));
}

static void start(struct batch_item *item)
{
    const struct route *route = item->exchange.route;
    const char *field = NULL;
    item->batch->open++;
    if (item->command == &unknown) {
        refuse(item, ERR_INVALID_FIELD, "type");
        return;
    }
    if (!route) {
        answer_ping(item);
        return;
    }
    int err = identity_check_access(item->exchange.identity, route->access);
    if (!err)
        err = take_parameters(item, &field);
    if (!err)
        err = complete(item);
    if (err)
        refuse(item, err, field);
    else
        route->handle(&item->request);
}

/* Whether what is gathered goes to the journal before anything else is started. */
static bool group_is_full(const struct batch *batch)
{
    const struct batch_item *last = &batch->items[batch->next - 1];
    const struct batch_item *next = &batch->items[batch->next];
    return batch->next == batch->count || (batch->ordered && batch->failed) ||
           last->command->order == BATCH_ENDS || next->command->order == BATCH_ALONE;
}

/* Goes on until something has to be waited for. */
static void batch_run(struct batch *batch)
{
    if (batch->running)
        return;
    batch->running = true;
    while (!batch->flying) {
        int gathered = batch->group ? batch->group->count : 0;
        if (batch->open > gathered)
            break;
        if (gathered > 0 && group_is_full(batch)) {
            flush(batch);
        } else if (batch->next == batch->count || (batch->ordered && batch->failed)) {
            batch_answer(batch);
            return;
        } else {
            start(&batch->items[batch->next++]);
        }
    }
    batch->running = false;
}

/* -- the request -------------------------------------------------------------------------- */

static void prepare(struct batch *batch, struct batch_item *item, const json_t *value)
{
    const struct request *outer = batch->request;
    const json_t *type = json_object_get(value, "type");
    item->batch = batch;
    item->json = json_is_object(value) ? json_copy((json_t *)value) : json_object();
    item->command = json_is_string(type) ? batch_command_find(span_of(
                                               json_string_value(type), json_string_length(type)))
                                         : NULL;
    if (!item->command)
        item->command = &unknown;
    if (item->command->pattern)
        item->exchange.route = routes_find(item->command->method, item->command->pattern);
    item->exchange.identity = request_identity(outer);
    item->exchange.by_cookie = request_exchange(outer)->by_cookie;
    item->exchange.batch = batch;
    item->exchange.item = item->json;
    item->request.worker = outer->worker;
    item->request.method = item->command->method;
    item->request.headers[HEADER_TIDINGS_SESSION] = outer->headers[HEADER_TIDINGS_SESSION];
    item->request.peer = outer->peer;
    item->request.secure = outer->secure;
    item->request.started_us = outer->started_us;
    item->request.app = &item->exchange;
    item->request.on_answered = on_answered;
    memcpy(item->request.id, outer->id, sizeof(item->request.id));
    arena_init(&item->request.arena, outer->arena.bytes_max);
}

/* Commands that are none are counted as requests. */
static bool admit(struct batch *batch)
{
    int counts[RATE_COUNT] = {0};
    for (int i = 0; i < batch->count; i++) {
        const struct route *route = batch->items[i].exchange.route;
        counts[route ? route->rate : RATE_REQUESTS]++;
    }
    return rates_take_for_batch(batch->request, counts);
}

static void begin(struct request *request, json_t *json, const json_t *events, bool ordered)
{
    size_t count = json_array_size(events);
    struct batch *batch = calloc(1, sizeof(*batch) + count * sizeof(batch->items[0]));
    if (!batch) {
        json_decref(json);
        problem_answer(request, ERR_MEMORY, NULL);
        return;
    }
    batch->request = request;
    batch->json = json;
    batch->ordered = ordered;
    batch->count = (int)count;
    for (size_t i = 0; i < count; i++)
        prepare(batch, &batch->items[i], json_array_get(events, i));
    if (admit(batch))
        batch_run(batch);
    else
        batch_free(batch);
}

void batch_post(struct request *request)
{
    struct problem_detail detail = {0};
    json_t *json = NULL;
    int err = json_body_parse(request->body, &json, &detail.detail);
    struct json_reader reader = {.object = json};
    const json_t *events = NULL;
    bool ordered = false;
    if (!err) {
        events = json_read_array(&reader, "events", BATCH_COMMANDS_MAX);
        ordered = json_read_bool(&reader, "ordered", false);
        err = reader.err;
        detail.field = reader.field;
    }
    if (!err && json_array_size(events) == 0) {
        err = ERR_INVALID_FIELD;
        detail.field = "events";
    }
    if (!err) {
        begin(request, json, events, ordered);
        return;
    }
    json_decref(json);
    problem_answer(request, err, &detail);
}
