/* GET /v1/poll, the side of the request: on the worker that accepted it. */
#include "api/ticket.h"

#include <assert.h>

#include "api/problem.h"
#include "api/routes.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"

/* An answer holds what a queue does, and a little. */
#define ANSWER_BYTES_MAX (64 * 1024 * 1024)

static void ticket_unref(struct ticket *ticket)
{
    if (atomic_fetch_sub(&ticket->refs, 1) != 1)
        return;
    for (int i = 0; i < ticket->frame_count; i++)
        frame_unref(ticket->frames[i]);
    free(ticket->frames);
    identity_unref(ticket->identity);
    arena_fini(&ticket->arena);
    free(ticket);
}

static void post(struct ticket *ticket, struct desk *to, struct letter *letter,
                 void (*on_read)(struct letter *letter))
{
    letter->on_read = on_read;
    worker_post(to->worker, letter);
}

/* -- the answer --------------------------------------------------------------------------- */

static int format_answer(const struct ticket *ticket, struct buf *body)
{
    char cursor[EVENT_ID_TEXT_MAX];
    event_id_format(ticket->cursor, cursor);
    int err = buf_add_text(body, "{\"events\":[");
    for (int i = 0; !err && i < ticket->frame_count; i++) {
        if (i > 0)
            err = buf_add_text(body, ",");
        if (!err)
            err = buf_add_span(body, frame_json(ticket->frames[i]));
    }
    if (!err)
        err = buf_format(body, "],\"cursor\":\"%s\",\"session\":\"%s\"}", cursor, ticket->name);
    return err;
}

static void answer_request(struct ticket *ticket, struct request *request)
{
    if (ticket->err) {
        struct problem_detail detail = {.field = ticket->field[0] ? ticket->field : NULL};
        problem_answer(request, ticket->err, &detail);
        return;
    }
    struct buf body;
    buf_init(&body, ANSWER_BYTES_MAX);
    if (format_answer(ticket, &body) != 0) {
        problem_answer(request, ERR_BUSY, NULL);
    } else {
        struct answer answer = {
            .status = 200,
            .content_type = "application/json",
            .body = buf_span(&body),
        };
        request_answer(request, &answer);
    }
    buf_fini(&body);
}

static void read_answer(struct letter *letter)
{
    struct ticket *ticket = container_of(letter, struct ticket, letter);
    struct request *request = ticket->request;
    ticket->request = NULL;
    if (request) {
        metric_add(METRIC_POLLS, ticket->waits ? -1 : 0);
        answer_request(ticket, request);
        ticket_unref(ticket); /* home's */
    }
    ticket_unref(ticket); /* the letter's, once the owner's */
}

void ticket_answer(struct ticket *ticket)
{
    post(ticket, ticket->home, &ticket->letter, read_answer);
}

/* -- waiting ------------------------------------------------------------------------------ */

static void read_gone(struct letter *letter)
{
    struct ticket *ticket = container_of(letter, struct ticket, gone);
    poll_forget(ticket);
    ticket_unref(ticket);
}

static void on_gone(struct request *request)
{
    struct ticket *ticket = request_exchange(request)->ticket;
    metric_add(METRIC_POLLS, -1);
    ticket->request = NULL;
    /* Home's reference goes with the letter. */
    post(ticket, ticket->owner, &ticket->gone, read_gone);
}

static void read_waiting(struct letter *letter)
{
    struct ticket *ticket = container_of(letter, struct ticket, waiting);
    if (ticket->request) {
        ticket->request->on_gone = on_gone;
        request_park(ticket->request);
        ticket->waits = true;
        metric_add(METRIC_POLLS, 1);
    }
    ticket_unref(ticket);
}

void ticket_wait(struct ticket *ticket)
{
    atomic_fetch_add(&ticket->refs, 1);
    post(ticket, ticket->home, &ticket->waiting, read_waiting);
}

/* -- setting out -------------------------------------------------------------------------- */

static void read_arrival(struct letter *letter)
{
    struct ticket *ticket = container_of(letter, struct ticket, letter);
    poll_arrive(ticket->owner, ticket);
}

static void key_make(struct ticket *ticket, struct span session)
{
    const struct span parts[] = {ticket->identity->realm, ticket->identity->user, session};
    const char **names[] = {&ticket->realm, &ticket->user, &ticket->name};
    char *at = ticket->key;
    for (size_t i = 0; i < array_count(parts); i++) {
        assert(parts[i].len <= IDENT_BYTES_MAX);
        *names[i] = at;
        memcpy(at, parts[i].data, parts[i].len);
        at += parts[i].len;
        *at++ = 0;
    }
    ticket->key_len = (size_t)(at - ticket->key) - 1;
}

static int owner_index(const struct ticket *ticket)
{
    int count = server_worker_count(ticket->home->app->server);
    return (int)(map_hash(ticket->key, ticket->key_len) % (uint64_t)count);
}

/* A name that this worker owns, so that the chain stays where it began. */
static void name_make(struct ticket *ticket)
{
    int here = worker_index(ticket->home->worker);
    do {
        char name[SESSION_NAME_BYTES];
        key_make(ticket, session_name_make(name));
    } while (owner_index(ticket) != here);
    ticket->given = true;
}

/* The parameters point into the request, which may go before the ticket does. */
static int copy_params(struct ticket *ticket, const struct reader_params *params)
{
    arena_init(&ticket->arena, SIZE_MAX);
    ticket->params = *params;
    ticket->params.session = (struct span){NULL, 0};
    ticket->params.device = arena_copy(&ticket->arena, params->device);
    size_t size = (size_t)params->room_count * sizeof(*params->rooms) + 1;
    ticket->params.rooms = arena_alloc(&ticket->arena, size);
    if (!ticket->params.rooms || (params->device.data && !ticket->params.device.data))
        return ERR_MEMORY;
    for (int i = 0; i < params->room_count; i++) {
        ticket->params.rooms[i] = params->rooms[i];
        ticket->params.rooms[i].room = arena_copy(&ticket->arena, params->rooms[i].room);
        if (!ticket->params.rooms[i].room.data)
            return ERR_MEMORY;
    }
    return 0;
}

void poll_get(struct request *request)
{
    struct reader_params params;
    const char *field = NULL;
    int err = request_may_stay(request) ? 0 : ERR_BUSY;
    if (!err)
        err = reader_params_parse(request, true, &params, &field);
    if (err) {
        problem_answer(request, err, &(struct problem_detail){.field = field});
        return;
    }
    struct ticket *ticket = calloc(1, sizeof(*ticket));
    if (!ticket) {
        problem_answer(request, ERR_BUSY, NULL);
        return;
    }
    atomic_init(&ticket->refs, 1);
    ticket->home = request_desk(request);
    ticket->identity = identity_ref(request_identity(request));
    if (copy_params(ticket, &params) != 0) {
        ticket_unref(ticket);
        problem_answer(request, ERR_BUSY, NULL);
        return;
    }
    if (params.session.data)
        key_make(ticket, params.session);
    else
        name_make(ticket);
    ticket->owner = ticket->home->app->desks[owner_index(ticket)];
    ticket->request = request;
    request_exchange(request)->ticket = ticket;
    atomic_fetch_add(&ticket->refs, 1);
    post(ticket, ticket->owner, &ticket->letter, read_arrival);
}
