#include "api/problem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/json.h"
#include "base/buf.h"
#include "base/err.h"

/* A 503 without a time of its own: back after one to three times this. */
#define RETRY_MS 2000
#define PAGE_BYTES_MAX 32768

/* By status, then by code. Several errors may share a code; clients tell apart codes alone. */
static const struct problem problems[] = {
    {ERR_INVALID_FIELD, 400, "invalid_field", "A member of the body is not valid"},
    {ERR_INVALID_IDENTIFIER, 400, "invalid_identifier", "An identifier is not valid"},
    {ERR_INVALID_JSON, 400, "invalid_json", "The body is no valid JSON object"},
    {ERR_INVALID_PARAMETER, 400, "invalid_parameter", "A query parameter is not valid"},
    {ERR_INVALID_REQUEST, 400, "invalid_request", "The request is malformed"},
    {ERR_INVALID_TEXT, 400, "invalid_text", "A text is empty, too long or not valid UTF-8"},
    {ERR_TOKEN_EXPIRED, 401, "token_expired", "The token has expired"},
    {ERR_TOKEN_INVALID, 401, "token_invalid", "The token is not valid"},
    {ERR_TOKEN_MISSING, 401, "token_missing", "A token is needed"},
    {ERR_TOKEN_REVOKED, 401, "token_revoked", "The token was revoked"},
    {ERR_BANNED, 403, "banned", "The user is banned from this room"},
    {ERR_BLOCKED, 403, "blocked", "The user is blocked by the other"},
    {ERR_MUTED, 403, "muted", "The user is muted in this room"},
    {ERR_NOT_A_MEMBER, 403, "not_a_member", "The user is not in this room"},
    {ERR_NOT_ALLOWED, 403, "not_allowed", "The user may not do this"},
    {ERR_ORIGIN_NOT_ALLOWED, 403, "origin_not_allowed", "The page's origin is not allowed"},
    {ERR_NOT_FOUND, 404, "not_found", "There is no such thing, or not for this user"},
    {ERR_METHOD_NOT_ALLOWED, 405, "method_not_allowed", "The path does not know this method"},
    {ERR_LAST_OWNER, 409, "last_owner", "The last owner stays while others are there"},
    {ERR_FULL, 409, "limit_reached", "There are as many as there may be"},
    {ERR_MESSAGE_DELETED, 409, "message_deleted", "The message has been deleted"},
    {ERR_MESSAGE_ID_REUSED, 409, "message_id_reused", "The messageId names something else"},
    {ERR_TOO_MANY_EDITS, 409, "too_many_edits",
     "The message has been edited as often as it may be"},
    {ERR_LENGTH_REQUIRED, 411, "length_required", "The length of the body is missing"},
    {ERR_VERSION_MISMATCH, 412, "version_mismatch", "The room has changed since"},
    {ERR_BODY_TOO_LARGE, 413, "body_too_large", "The body is too large"},
    {ERR_URI_TOO_LONG, 414, "uri_too_long", "The address is too long"},
    {ERR_MEDIA_TYPE, 415, "unsupported_media_type",
     "The type or encoding of the body is not supported"},
    {ERR_CURSOR_AHEAD, 422, "cursor_ahead", "The cursor is ahead of the journal"},
    {ERR_AGAIN, 424, "not_tried", "A command before this one failed"},
    {ERR_RATE_LIMITED, 429, "rate_limited", "Too many requests"},
    {ERR_HEAD_TOO_LARGE, 431, "head_too_large", "The headers are too large"},
    {ERR_INTERNAL, 500, "internal", "A fault of the server"},
    {ERR_BUSY, 503, "busy", "The server is too busy"},
    {ERR_MEMORY, 503, "busy", "The server is too busy"},
    {ERR_DRAINING, 503, "draining", "The server is about to stop"},
    {ERR_UNAVAILABLE, 503, "journal_unavailable", "The journal cannot be reached"},
    {ERR_IO, 503, "journal_unavailable", "The journal cannot be reached"},
    {ERR_CORRUPT, 503, "journal_unavailable", "The journal cannot be reached"},
    {ERR_NOT_REPLICATED, 503, "not_replicated", "Stored, but not yet on enough replicas: repeat"},
};

const struct problem *problem_table(int *ret_count)
{
    *ret_count = (int)array_count(problems);
    return problems;
}

const struct problem *problem_find(int err)
{
    const struct problem *internal = NULL;
    for (size_t i = 0; i < array_count(problems); i++) {
        if (problems[i].err == err)
            return &problems[i];
        if (problems[i].err == ERR_INTERNAL)
            internal = &problems[i];
    }
    assert(internal);
    return internal;
}

static struct span format_body(struct request *request, const struct problem *problem,
                               const struct problem_detail *detail)
{
    json_t *value = json_pack("{s:o, s:s, s:i, s:s, s:s, s:s*, s:s*}", "type",
                              json_sprintf("/errors#%s", problem->code), "title", problem->title,
                              "status", problem->status, "code", problem->code, "detail",
                              detail->detail ? detail->detail : problem->title, "field",
                              detail->field, "requestId", request->id[0] ? request->id : NULL);
    struct span text = value ? json_to_text(&request->arena, value) : span_of(NULL, 0);
    json_decref(value);
    return text;
}

/* Whole seconds as text in the arena; NULL when memory ran out. */
static const char *format_seconds(struct arena *arena, int64_t ms)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)((ms + 999) / 1000));
    return arena_copy(arena, span_text(text)).data;
}

static void add_header(struct answer *answer, struct answer_header *headers, const char *name,
                       const char *value)
{
    assert(answer->header_count < PROBLEM_HEADERS_MAX + 2);
    if (value)
        headers[answer->header_count++] = (struct answer_header){name, value};
}

static void format_headers(struct request *request, const struct problem *problem,
                           const struct problem_detail *detail, struct answer *answer)
{
    assert(detail->header_count <= PROBLEM_HEADERS_MAX);
    struct answer_header *headers =
        arena_alloc(&request->arena, sizeof(*headers) * (PROBLEM_HEADERS_MAX + 2));
    if (!headers)
        return;
    answer->headers = headers;
    for (int i = 0; i < detail->header_count; i++)
        add_header(answer, headers, detail->headers[i].name, detail->headers[i].value);
    if (problem->err == ERR_TOKEN_MISSING)
        add_header(answer, headers, "WWW-Authenticate", "Bearer realm=\"tidings\"");
    else if (problem->status == 401)
        add_header(answer, headers, "WWW-Authenticate",
                   "Bearer realm=\"tidings\", error=\"invalid_token\"");
    int64_t after_ms = detail->retry_after_ms;
    if (after_ms <= 0 && problem->status == 503)
        after_ms = RETRY_MS + (int64_t)arc4random_uniform(2 * RETRY_MS);
    if (after_ms > 0)
        add_header(answer, headers, "Retry-After", format_seconds(&request->arena, after_ms));
}

void problem_format(struct request *request, int err, const struct problem_detail *detail,
                    struct answer *ret)
{
    static const struct problem_detail none;
    static const char no_memory[] =
        "{\"type\":\"/errors#busy\",\"title\":\"The server is too busy\","
        "\"status\":503,\"code\":\"busy\"}";
    const struct problem *problem = problem_find(err);
    *ret = (struct answer){
        .status = problem->status,
        .content_type = "application/problem+json",
    };
    format_headers(request, problem, detail ? detail : &none, ret);
    ret->body = format_body(request, problem, detail ? detail : &none);
    if (ret->body.data)
        return;
    ret->status = 503;
    ret->body = span_text(no_memory);
    ret->body_static = true;
}

void problem_answer(struct request *request, int err, const struct problem_detail *detail)
{
    struct answer answer;
    problem_format(request, err, detail, &answer);
    request_answer(request, &answer);
}

struct span problem_page(struct arena *arena)
{
    struct buf page;
    buf_init(&page, PAGE_BYTES_MAX);
    int err = buf_add_text(&page, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
                                  "<title>Errors - Tidings</title>\n<h1>Errors</h1>\n<table>\n"
                                  "<tr><th>status<th>code<th>meaning\n");
    const char *before = "";
    for (size_t i = 0; err == 0 && i < array_count(problems); i++) {
        const struct problem *row = &problems[i];
        if (strcmp(before, row->code) != 0)
            err = buf_format(&page, "<tr id=\"%s\"><td>%d<td><code>%s</code><td>%s\n", row->code,
                             row->status, row->code, row->title);
        before = row->code;
    }
    if (err == 0)
        err = buf_add_text(&page, "</table>\n");
    struct span text = err == 0 ? arena_copy(arena, buf_span(&page)) : span_of(NULL, 0);
    buf_fini(&page);
    return text;
}
