/* Here: the presence of the request's session inside a room.
 *
 * The room's members alone may be here. Membership is checked again once the hub has the spot: who
 * left before is found by that, and of who leaves later the hub hears. */
#include "api/hub_here.h"
#include "api/errand.h"
#include "api/problem.h"
#include "base/err.h"

/* A list of the largest spots. */
#define HERE_ANSWER_BYTES_MAX (HERE_SESSIONS_OF_ROOM_MAX * (HERE_DATA_BYTES_MAX + 512) + 4096)

struct here_errand {
    struct here_call call;
    struct errand *errand;
    struct json_writer list;
    int err; /* what is answered once the spot is taken away again */
};

/* NULL when it has answered already. */
static struct here_errand *here_new(struct errand *errand, enum here_action action,
                                    void (*on_done)(struct here_call *call, int err))
{
    struct here_errand *here = arena_alloc(&errand->request->arena, sizeof(*here));
    if (!here) {
        errand_refuse(errand, ERR_MEMORY, NULL);
        return NULL;
    }
    const struct command *command = &errand->command;
    here->errand = errand;
    here->call = (struct here_call){
        .action = action,
        .home = errand->request->worker,
        .realm = command->realm,
        .room = command->room,
        .user = command->actor.user,
        .session = errand->request->headers[HEADER_TIDINGS_SESSION],
        .on_done = on_done,
    };
    return here;
}

static struct here_errand *of_call(struct here_call *call)
{
    return container_of(call, struct here_errand, call);
}

static void start(struct here_errand *here)
{
    hub_here(request_app(here->errand->request)->hub, &here->call);
}

/* False when it has answered already. */
static bool has_session(struct errand *errand)
{
    if (errand->request->headers[HEADER_TIDINGS_SESSION].data)
        return true;
    errand_refuse(errand, ERR_INVALID_REQUEST, "X-Tidings-Session");
    return false;
}

static void answer(struct errand *errand, struct span data)
{
    struct json_writer writer;
    json_writer_init(&writer, HERE_DATA_BYTES_MAX + 1024);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", errand->command.room);
    json_writer_member_string(&writer, "userId", errand->command.actor.user);
    json_writer_member_string(&writer, "sessionId",
                              errand->request->headers[HEADER_TIDINGS_SESSION]);
    json_writer_member(&writer, "data");
    json_writer_add_span(&writer, data.data ? data : span_text("null"));
    json_writer_member_id(&writer, "asOf", errand->command.outcome.head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

/* --- putting ------------------------------------------------------------------------------- */

static void on_still_allowed(struct errand *errand)
{
    answer(errand, errand->command.body);
}

static void on_taken_away(struct here_call *call, int err)
{
    errand_refuse(of_call(call)->errand, of_call(call)->err, NULL);
}

/* Unless the journal could not say: then the spot stays, as it was allowed before. */
static void on_no_longer_allowed(struct errand *errand, int err)
{
    if (errand->common.err) {
        errand_refuse(errand, err, NULL);
        return;
    }
    struct here_errand *here = here_new(errand, HERE_REMOVE, on_taken_away);
    if (!here)
        return;
    here->err = err;
    start(here);
}

static void on_put(struct here_call *call, int err)
{
    struct errand *errand = of_call(call)->errand;
    if (err) {
        errand_refuse(errand, err, err == ERR_NOT_FOUND ? "X-Tidings-Session" : NULL);
        return;
    }
    struct errand *again = errand_after(errand, on_still_allowed);
    if (!again)
        return;
    again->on_failed = on_no_longer_allowed;
    again->command.kind = COMMAND_HERE;
    again->command.body = errand->command.body;
    errand_read(again, READ_ACCESS);
}

static void on_put_allowed(struct errand *errand)
{
    struct here_errand *here = here_new(errand, HERE_PUT, on_put);
    if (!here)
        return;
    here->call.data = errand->command.body;
    here->call.members = errand->command.outcome.members;
    start(here);
}

/* The canonical text of `data`, so that equal values are equal texts. */
static int read_data(struct errand *errand, struct span *ret)
{
    const json_t *data = json_read_object(&errand->reader, "data");
    if (errand->reader.err)
        return errand->reader.err;
    if (!data) {
        *ret = span_text("{}");
        return 0;
    }
    struct json_writer writer;
    json_writer_init(&writer, HERE_DATA_BYTES_MAX);
    json_writer_canonical(&writer, data);
    int err = writer.err == ERR_FULL ? ERR_INVALID_FIELD : writer.err;
    *ret = errand_keep(errand, &writer);
    return err || ret->data ? err : ERR_MEMORY;
}

void room_here_put(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_put_allowed);
    if (!errand || !errand_body(errand) || !has_session(errand))
        return;
    int err = read_data(errand, &errand->command.body);
    if (err) {
        errand_refuse(errand, err, "data");
        return;
    }
    errand->command.kind = COMMAND_HERE;
    errand_read(errand, READ_ACCESS);
}

/* --- taking away --------------------------------------------------------------------------- */

static void on_removed(struct here_call *call, int err)
{
    struct errand *errand = of_call(call)->errand;
    if (err)
        errand_refuse(errand, err, "X-Tidings-Session");
    else
        answer(errand, (struct span){NULL, 0});
}

static void on_delete_allowed(struct errand *errand)
{
    struct here_errand *here = here_new(errand, HERE_REMOVE, on_removed);
    if (here)
        start(here);
}

void room_here_delete(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_delete_allowed);
    if (!errand || !has_session(errand))
        return;
    errand->command.kind = COMMAND_HERE;
    errand_read(errand, READ_ACCESS);
}

/* --- the list ------------------------------------------------------------------------------ */

static void on_listed(struct here_call *call, int err)
{
    struct errand *errand = of_call(call)->errand;
    struct json_writer writer = of_call(call)->list;
    json_writer_member_id(&writer, "asOf", errand->read.head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

static void on_readable(struct errand *errand)
{
    struct here_errand *here = here_new(errand, HERE_LIST, on_listed);
    if (!here)
        return;
    json_writer_init(&here->list, HERE_ANSWER_BYTES_MAX);
    json_writer_add(&here->list, "{");
    json_writer_member(&here->list, "here");
    here->call.list = &here->list;
    start(here);
}

void room_here_get(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_readable);
    if (errand)
        errand_read(errand, READ_ROOM);
}
