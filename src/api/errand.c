#include "api/errand.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "api/batch.h"
#include "api/problem.h"
#include "api/query.h"
#include "api/rates.h"
#include "base/err.h"
#include "base/metric.h"
#include "core/ident.h"

#define CHANGE_BYTES_MAX 1024
#define MADE_ID_CHARACTERS 21 /* of six bits each */

static_assert(offsetof(struct journal_append, request) == 0, "errand.common stands for it");
static_assert(offsetof(struct journal_read, request) == 0, "errand.common stands for it");
static_assert(offsetof(struct journal_history, request) == 0, "errand.common stands for it");
static_assert(offsetof(struct journal_open, request) == 0, "errand.common stands for it");
static_assert(offsetof(struct journal_page, request) == 0, "errand.common stands for it");

static struct errand *errand_make(struct request *request, void (*on_done)(struct errand *errand))
{
    struct errand *errand = arena_alloc(&request->arena, sizeof(*errand));
    if (!errand)
        return NULL;
    errand->request = request;
    errand->on_done = on_done;
    return errand;
}

struct errand *errand_new(struct request *request, struct span room,
                          void (*on_done)(struct errand *errand))
{
    struct span session = request->headers[HEADER_TIDINGS_SESSION];
    if (session.data && !ident_is_valid(session)) {
        struct problem_detail detail = {.field = "X-Tidings-Session"};
        problem_answer(request, ERR_INVALID_IDENTIFIER, &detail);
        return NULL;
    }
    struct errand *errand = errand_make(request, on_done);
    if (!errand) {
        problem_answer(request, ERR_MEMORY, NULL);
        return NULL;
    }
    request_actor(request, room, &errand->command.actor);
    errand->command.realm = request_identity(request)->realm;
    errand->command.room = room;
    errand->command.spared = session;
    return errand;
}

struct errand *errand_after(struct errand *before, void (*on_done)(struct errand *errand))
{
    struct errand *errand = errand_make(before->request, on_done);
    if (!errand) {
        errand_refuse(before, ERR_MEMORY, NULL);
        return NULL;
    }
    errand->before = before;
    errand->command.actor = before->command.actor;
    errand->command.realm = before->command.realm;
    errand->command.room = before->command.room;
    return errand;
}

bool errand_body(struct errand *errand)
{
    assert(!errand->json);
    const char *why = NULL;
    int err = 0;
    if (request_exchange(errand->request)->item)
        errand->json = json_incref((json_t *)request_exchange(errand->request)->item);
    else
        err = json_body_parse(errand->request->body, &errand->json, &why);
    if (!err) {
        errand->reader = (struct json_reader){.object = errand->json};
        return true;
    }
    struct problem_detail detail = {.detail = why};
    problem_answer(errand->request, err, &detail);
    return false;
}

static void errand_fini(struct errand *errand)
{
    switch (errand->kind) {
    case ERRAND_IDLE:
        break;
    case ERRAND_APPEND:
        journal_append_fini(&errand->append);
        break;
    case ERRAND_READ:
        journal_read_fini(&errand->read);
        break;
    case ERRAND_HISTORY:
        journal_history_fini(&errand->history);
        break;
    case ERRAND_OPEN:
        journal_open_fini(&errand->open);
        break;
    case ERRAND_PAGE:
        journal_page_fini(&errand->page);
        break;
    }
    json_decref(errand->json);
    if (errand->before)
        errand_fini(errand->before);
}

void errand_refuse(struct errand *errand, int err, const char *field)
{
    struct request *request = errand->request;
    struct problem_detail detail = {.field = field};
    errand_fini(errand);
    problem_answer(request, err, &detail);
}

/* The room's slow mode: one message, then none for a while. */
static void refuse_slow(struct errand *errand)
{
    struct request *request = errand->request;
    int64_t wait_ms = errand->command.outcome.retry_after_ms;
    struct limit_verdict verdict = {.wait_ms = wait_ms, .limit = 1, .reset_ms = wait_ms};
    errand_fini(errand);
    rates_refuse(request, &verdict);
}

/* What came back from the journal: of the request, else of its one command. */
static int errand_err(const struct errand *errand)
{
    if (errand->common.err)
        return errand->common.err;
    bool commands = errand->kind == ERRAND_APPEND ||
                    (errand->kind == ERRAND_READ && errand->read.what == READ_ACCESS);
    return commands ? errand->command.outcome.err : ERR_OK;
}

static void measure(const struct errand *errand)
{
    if (errand->kind == ERRAND_APPEND && errand->append.started_us && !errand->common.err)
        metric_observe(METRIC_APPEND_US, (uint64_t)(clock_now_us() - errand->append.started_us));
}

void errand_conclude(struct errand *errand)
{
    int err = errand_err(errand);
    measure(errand);
    if (err && errand->on_failed) {
        errand->on_failed(errand, err);
        return;
    }
    if (err == ERR_RATE_LIMITED)
        refuse_slow(errand);
    else if (err)
        errand_refuse(errand, err, NULL);
    else
        errand->on_done(errand);
}

static void on_round(struct round *round)
{
    errand_conclude(container_of(round, struct errand, round));
}

/* Where content was erased no worker gives it out any more by the time of the answer. */
static void on_read(struct letter *letter)
{
    struct errand *errand =
        container_of(container_of(letter, struct journal_request, letter), struct errand, common);
    struct request *request = errand->request;
    if (errand->kind == ERRAND_APPEND && command_erases(&errand->command))
        round_start(&errand->round, request_app(request), request->worker, on_round);
    else
        errand_conclude(errand);
}

void errand_resume(struct errand *errand)
{
    struct journal *journal = request_app(errand->request)->journal;
    switch (errand->kind) {
    case ERRAND_IDLE:
        assert(!"an errand that was not started");
        break;
    case ERRAND_APPEND:
        journal_start_append(journal, &errand->append);
        break;
    case ERRAND_READ:
        journal_start_read(journal, &errand->read);
        break;
    case ERRAND_HISTORY:
        journal_start_history(journal, &errand->history);
        break;
    case ERRAND_OPEN:
        journal_start_open(journal, &errand->open);
        break;
    case ERRAND_PAGE:
        journal_start_page(journal, &errand->page);
        break;
    }
}

static void errand_start(struct errand *errand, enum errand_kind kind)
{
    struct batch *batch = request_exchange(errand->request)->batch;
    assert(errand->kind == ERRAND_IDLE);
    assert(errand->on_done);
    errand->kind = kind;
    errand->common.letter.on_read = on_read;
    errand->common.home = worker_mailbox(errand->request->worker);
    if (batch)
        batch_take(batch, errand);
    else
        errand_resume(errand);
}

void errand_append(struct errand *errand)
{
    errand->append.commands = &errand->command;
    errand->append.count = 1;
    errand_start(errand, ERRAND_APPEND);
}

void errand_append_again(struct errand *errand)
{
    assert(errand->kind == ERRAND_APPEND);
    journal_append_fini(&errand->append);
    errand->append = (struct journal_append){.count = 0};
    errand->kind = ERRAND_IDLE;
    errand_append(errand);
}

void errand_read(struct errand *errand, enum read_what what)
{
    errand->read.what = what;
    errand->read.realm = errand->command.realm;
    errand->read.room = errand->command.room;
    errand->read.actor = errand->command.actor;
    errand->read.granted = request_identity(errand->request)->grants;
    if (what == READ_ACCESS)
        errand->read.command = &errand->command;
    errand_start(errand, ERRAND_READ);
}

void errand_read_users(struct errand *errand, enum read_what what, int limit_max)
{
    struct query_reader reader = {.request = errand->request};
    errand->read.from = query_read_user(&reader, "from");
    errand->read.limit = (int)query_read_number(&reader, "limit", 1, limit_max, limit_max);
    if (reader.err)
        errand_refuse(errand, reader.err, reader.field);
    else
        errand_read(errand, what);
}

void errand_history(struct errand *errand)
{
    errand->history.realm = errand->command.realm;
    errand->history.room = errand->command.room;
    errand->history.actor = errand->command.actor;
    errand_start(errand, ERRAND_HISTORY);
}

static struct follow_spec follow_all(const struct errand *errand)
{
    return (struct follow_spec){
        .realm = errand->command.realm, .user = errand->command.actor.user, .all = true};
}

void errand_open(struct errand *errand)
{
    errand->open.follow = follow_all(errand);
    errand->open.actor = errand->command.actor;
    errand_start(errand, ERRAND_OPEN);
}

void errand_page(struct errand *errand)
{
    errand->page.follow = follow_all(errand);
    errand_start(errand, ERRAND_PAGE);
}

void errand_answer(struct errand *errand, int status, struct json_writer *writer,
                   const char *location)
{
    if (writer->err) {
        int err = writer->err == ERR_FULL ? ERR_INTERNAL : writer->err;
        json_writer_fini(writer);
        errand_refuse(errand, err, NULL);
        return;
    }
    struct answer_header header = {"Location", location};
    struct answer answer = {
        .status = status,
        .content_type = "application/json",
        .body = json_writer_text(writer),
        .headers = &header,
        .header_count = location ? 1 : 0,
    };
    struct request *request = errand->request;
    errand_fini(errand);
    request_answer(request, &answer);
    json_writer_fini(writer);
}

void errand_answer_change(struct errand *errand, struct span user)
{
    const struct command *command = &errand->command;
    struct json_writer writer;
    json_writer_init(&writer, CHANGE_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", command->room);
    json_writer_member_string(&writer, "userId", user);
    if (command->role != ROLE_NONE)
        json_writer_member_string(&writer, "role", span_text(role_name(command->role)));
    json_writer_member_id(&writer, "asOf", command->outcome.head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

bool errand_may_create(const struct errand *errand)
{
    return errand->command.actor.service ||
           request_app(errand->request)->settings->rooms_create == ROOMS_CREATE_ANYONE;
}

struct span errand_make_id(struct errand *errand, char prefix)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    static_assert(sizeof(alphabet) == 64 + 1, "six bits each");
    unsigned char random[MADE_ID_CHARACTERS];
    char *text = arena_alloc(&errand->request->arena, MADE_ID_CHARACTERS + 2);
    if (!text || gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random)) < 0)
        return (struct span){NULL, 0};
    text[0] = prefix;
    for (int i = 0; i < MADE_ID_CHARACTERS; i++)
        text[i + 1] = alphabet[random[i] & 63];
    return span_of(text, MADE_ID_CHARACTERS + 1);
}

struct span errand_keep(struct errand *errand, struct json_writer *writer)
{
    struct span text = {NULL, 0};
    if (!writer->err)
        text = arena_copy(&errand->request->arena, json_writer_text(writer));
    json_writer_fini(writer);
    return text;
}
