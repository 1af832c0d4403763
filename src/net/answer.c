/* Answers, made once and written either by libmicrohttpd or by a stream of ours. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/metric.h"
#include "net/connection.h"

#define GZIP_BYTES_MIN 1024   /* JSON below this is not worth it */
#define HEADER_TEXT_BYTES 8192 /* values that request_add_header copies */

struct answer_draft {
    struct answer_header headers[ANSWER_HEADERS_MAX];
    int count;
    bool close;
    struct span body;
    struct buf packed; /* the body, gzipped; empty: it is not */
    size_t texts_len;
    char texts[HEADER_TEXT_BYTES];
    int err;           /* ERR_FULL when something did not fit */
};

static void draft_add(struct answer_draft *draft, const char *name, const char *value)
{
    if (draft->count == ANSWER_HEADERS_MAX) {
        draft->err = ERR_FULL;
        return;
    }
    draft->headers[draft->count++] = (struct answer_header){name, value};
}

static char *draft_text(struct answer_draft *draft, size_t len)
{
    if (len > sizeof(draft->texts) - draft->texts_len) {
        draft->err = ERR_FULL;
        return NULL;
    }
    char *text = draft->texts + draft->texts_len;
    draft->texts_len += len;
    return text;
}

/* `Vary` is said once, whoever has a part in it. */
static bool draft_join_vary(struct answer_draft *draft, const char *more)
{
    for (int i = 0; i < draft->count; i++) {
        struct answer_header *header = &draft->headers[i];
        if (strcmp(header->name, "Vary") != 0)
            continue;
        size_t len = strlen(header->value) + strlen(more) + 3;
        char *text = draft_text(draft, len);
        if (text)
            snprintf(text, len, "%s, %s", header->value, more);
        header->value = text ? text : header->value;
        return true;
    }
    return false;
}

void request_add_header(struct request *request, const char *name, const char *value)
{
    struct answer_draft *draft = request_call(request)->draft;
    assert(draft);
    if (strcmp(name, "Vary") == 0 && draft_join_vary(draft, value))
        return;
    size_t len = strlen(value) + 1;
    char *copy = draft_text(draft, len);
    if (!copy)
        return;
    memcpy(copy, value, len);
    draft_add(draft, name, copy);
}

static bool is_json(const char *content_type)
{
    return content_type && strncmp(content_type, "application/", 12) == 0 &&
           strstr(content_type + 12, "json");
}

static void draft_pack(struct answer_draft *draft, struct call *call, const struct answer *answer)
{
    if (answer->body.len < GZIP_BYTES_MIN || !is_json(answer->content_type))
        return;
    draft_add(draft, "Vary", "Accept-Encoding");
    if (!encoding_accepts_gzip(call->request.headers[HEADER_ACCEPT_ENCODING]))
        return;
    buf_init(&draft->packed, answer->body.len);
    if (encoding_gzip(call->request.worker, answer->body, &draft->packed)) {
        buf_fini(&draft->packed);
        return;
    }
    draft->body = buf_span(&draft->packed);
    draft_add(draft, "Content-Encoding", "gzip");
}

static void count_answer(int status)
{
    metric_add(METRIC_REQUESTS, 1);
    if (status >= 500)
        metric_add(METRIC_REQUESTS_FAILED, 1);
    else if (status == 429)
        metric_add(METRIC_REQUESTS_LIMITED, 1);
}

/* Everything but what depends on who writes it. */
static int draft_make(struct answer_draft *draft, struct call *call, const struct answer *answer,
                      bool is_stream)
{
    struct request *request = &call->request;
    draft->count = 0;
    draft->err = 0;
    draft->texts_len = 0;
    draft->packed = (struct buf){0};
    draft->body = answer->body;
    draft->close = answer->close || call->unread || call->parked || is_stream ||
                   server_state(request->worker->server) >= SERVER_ENDING;
    if (answer->content_type)
        draft_add(draft, "Content-Type", answer->content_type);
    for (int i = 0; i < answer->header_count; i++)
        draft_add(draft, answer->headers[i].name, answer->headers[i].value);
    draft_add(draft, "X-Request-Id", request->id);
    if (!is_stream)
        draft_pack(draft, call, answer);
    call->draft = draft;
    if (request->worker->http_app->on_answer)
        request->worker->http_app->on_answer(request, answer->status);
    call->draft = NULL;
    if (draft->close)
        draft_add(draft, "Connection", "close");
    count_answer(answer->status);
    return draft->err ? ERR_MEMORY : 0;
}

static struct MHD_Response *response_new(const struct answer_draft *draft, bool is_static)
{
    bool lives = draft->packed.data == NULL && is_static;
    struct MHD_Response *response;
    if (draft->packed.data)
        response = MHD_create_response_from_buffer(draft->body.len, (void *)draft->body.data,
                                                   MHD_RESPMEM_MUST_FREE);
    else
        response = MHD_create_response_from_buffer(
            draft->body.len, (void *)draft->body.data,
            lives || draft->body.len == 0 ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
    return response;
}

int answer_make(struct call *call, const struct answer *answer)
{
    struct answer_draft draft;
    int err = draft_make(&draft, call, answer, false);
    struct MHD_Response *response = err ? NULL : response_new(&draft, answer->body_static);
    if (!response) {
        buf_fini(&draft.packed);
        return ERR_MEMORY;
    }
    for (int i = 0; i < draft.count && !err; i++)
        if (MHD_add_response_header(response, draft.headers[i].name, draft.headers[i].value) !=
            MHD_YES)
            err = ERR_MEMORY;
    if (err) {
        MHD_destroy_response(response);
        return err;
    }
    call->response = response;
    call->status = answer->status;
    call->answer_bytes = draft.body.len;
    return 0;
}

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static bool is_header_text(const char *text)
{
    return !strpbrk(text, "\r\n");
}

int answer_format(struct call *call, const struct answer *answer, bool is_stream, struct buf *text)
{
    struct answer_draft draft;
    int err = draft_make(&draft, call, answer, is_stream);
    if (!err)
        err = buf_format(text, "HTTP/1.1 %d %s\r\nDate: %s\r\n", answer->status,
                         MHD_get_reason_phrase_for((unsigned)answer->status),
                         worker_date(call->request.worker));
    for (int i = 0; i < draft.count && !err; i++) {
        assert(is_header_text(draft.headers[i].name));
        err = is_header_text(draft.headers[i].value)
                  ? buf_format(text, "%s: %s\r\n", draft.headers[i].name, draft.headers[i].value)
                  : ERR_INTERNAL;
    }
    if (!err && !is_stream && !has_no_body(answer->status))
        err = buf_format(text, "Content-Length: %zu\r\n", draft.body.len);
    if (!err)
        err = buf_add_text(text, "\r\n");
    bool bodiless = is_stream || has_no_body(answer->status) ||
                    call->request.method == METHOD_HEAD;
    if (!err && !bodiless)
        err = buf_add_span(text, draft.body);
    buf_fini(&draft.packed);
    return err;
}
