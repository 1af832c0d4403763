#include "api/assets.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/problem.h"
#include "api/routes.h"
#include "base/err.h"

#define TAG_BYTES_MAX 24

static const struct embedded errors_page = {"errors.html", 0, NULL};

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const struct embedded *assets_find(struct span path)
{
    if (path.len == 0 || path.data[0] != '/')
        return NULL;
    struct span name =
        path.len == 1 ? span_text("index.html") : span_of(path.data + 1, path.len - 1);
    if (span_is(name, "errors"))
        return &errors_page;
    for (const struct embedded *page = embedded_www; page->name; page++) {
        if (span_is(name, page->name))
            return page;
    }
    return NULL;
}

const char *assets_content_type(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".webmanifest", "application/manifest+json"},
        {".md", "text/markdown; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < array_count(types); i++) {
        if (strcmp(ending, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

/* FNV-1a: not keyed, so that nodes agree; nobody but us chooses the bytes. Weak, since the same
 * page may be sent gzipped. */
static void format_tag(const struct embedded *page, char out[TAG_BYTES_MAX])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < page->size; i++)
        hash = (hash ^ (unsigned char)page->data[i]) * UINT64_C(0x100000001b3);
    snprintf(out, TAG_BYTES_MAX, "W/\"%016" PRIx64 "\"", hash);
}

/* If-None-Match: `*` or a list of tags, compared weakly. */
static bool tag_matches(struct span header, const char *tag)
{
    struct span wanted = span_text(tag + strlen("W/"));
    while (header.data) {
        struct span given = span_trim(span_cut(&header, ','));
        if (span_starts_with(given, span_text("W/")))
            given = span_of(given.data + 2, given.len - 2);
        if (span_equal(given, wanted) || span_is(given, "*"))
            return true;
    }
    return false;
}

void assets_get(struct request *request)
{
    const struct embedded *page = assets_find(request->path);
    char tag[TAG_BYTES_MAX];
    struct answer_header headers[] = {
        {"Cache-Control", "no-cache"},
        {"Content-Security-Policy", page_policy},
        {"ETag", tag},
    };
    if (!page) {
        problem_answer(request, ERR_NOT_FOUND, NULL);
        return;
    }
    struct answer answer = {
        .status = 200,
        .content_type = assets_content_type(page->name),
        .body = page->data ? span_of(page->data, page->size) : problem_page(&request->arena),
        .body_static = page->data != NULL,
        .headers = headers,
        .header_count = page->data ? 3 : 2,
    };
    if (!answer.body.data) {
        problem_answer(request, ERR_MEMORY, NULL);
        return;
    }
    if (page->data)
        format_tag(page, tag);
    if (page->data && tag_matches(request->headers[HEADER_IF_NONE_MATCH], tag)) {
        answer.status = 304;
        answer.content_type = NULL;
        answer.body = span_of("", 0);
        answer.body_static = true;
    }
    request_answer(request, &answer);
}
