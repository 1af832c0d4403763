/* The table of errors, and the answers made from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "api/problem.h"
#include "base/err.h"

/* In net's place: problem_answer is tried without a connection. */
static int answered_status;
void request_answer(struct request *request, const struct answer *answer)
{
    answered_status = answer->status;
}

static void the_table_is_in_order(void **state)
{
    int count;
    const struct problem *table = problem_table(&count);
    for (int i = 0; i < count; i++) {
        assert_true(table[i].status >= 400 && table[i].status < 600);
        assert_true(table[i].err < 0 && table[i].err > -ERR_COUNT);
        assert_ptr_equal(problem_find(table[i].err), &table[i]);
        assert_true(i == 0 || table[i - 1].status <= table[i].status);
        for (int other = 0; other < i; other++) {
            assert_int_not_equal(table[other].err, table[i].err);
            if (strcmp(table[other].code, table[i].code) == 0) {
                assert_int_equal(table[other].status, table[i].status);
                assert_string_equal(table[other].title, table[i].title);
            }
        }
    }
}

static void each_error_has_its_status(void **state)
{
    static const struct {
        int err, status;
        const char *code;
    } rows[] = {
        {ERR_INVALID_REQUEST, 400, "invalid_request"},
        {ERR_INVALID_PARAMETER, 400, "invalid_parameter"},
        {ERR_INVALID_IDENTIFIER, 400, "invalid_identifier"},
        {ERR_INVALID_JSON, 400, "invalid_json"},
        {ERR_INVALID_FIELD, 400, "invalid_field"},
        {ERR_INVALID_TEXT, 400, "invalid_text"},
        {ERR_TOKEN_MISSING, 401, "token_missing"},
        {ERR_TOKEN_INVALID, 401, "token_invalid"},
        {ERR_TOKEN_EXPIRED, 401, "token_expired"},
        {ERR_TOKEN_REVOKED, 401, "token_revoked"},
        {ERR_NOT_A_MEMBER, 403, "not_a_member"},
        {ERR_NOT_ALLOWED, 403, "not_allowed"},
        {ERR_BANNED, 403, "banned"},
        {ERR_MUTED, 403, "muted"},
        {ERR_BLOCKED, 403, "blocked"},
        {ERR_ORIGIN_NOT_ALLOWED, 403, "origin_not_allowed"},
        {ERR_NOT_FOUND, 404, "not_found"},
        {ERR_METHOD_NOT_ALLOWED, 405, "method_not_allowed"},
        {ERR_MESSAGE_ID_REUSED, 409, "message_id_reused"},
        {ERR_LAST_OWNER, 409, "last_owner"},
        {ERR_LENGTH_REQUIRED, 411, "length_required"},
        {ERR_VERSION_MISMATCH, 412, "version_mismatch"},
        {ERR_BODY_TOO_LARGE, 413, "body_too_large"},
        {ERR_URI_TOO_LONG, 414, "uri_too_long"},
        {ERR_MEDIA_TYPE, 415, "unsupported_media_type"},
        {ERR_CURSOR_AHEAD, 422, "cursor_ahead"},
        {ERR_RATE_LIMITED, 429, "rate_limited"},
        {ERR_HEAD_TOO_LARGE, 431, "head_too_large"},
        {ERR_INTERNAL, 500, "internal"},
        {ERR_BUSY, 503, "busy"},
        {ERR_MEMORY, 503, "busy"},
        {ERR_DRAINING, 503, "draining"},
        {ERR_UNAVAILABLE, 503, "journal_unavailable"},
        {ERR_IO, 503, "journal_unavailable"},
        {ERR_NOT_REPLICATED, 503, "not_replicated"},
        {ERR_CONFIG, 500, "internal"},
        {ERR_OK, 500, "internal"},
        {-1000, 500, "internal"},
        {7, 500, "internal"},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        assert_int_equal(problem_find(rows[i].err)->status, rows[i].status);
        assert_string_equal(problem_find(rows[i].err)->code, rows[i].code);
    }
}

static const char *header(const struct answer *answer, const char *name)
{
    for (int i = 0; i < answer->header_count; i++) {
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    }
    return NULL;
}

static struct request make_request(size_t bytes_max)
{
    struct request request = {0};
    arena_init(&request.arena, bytes_max);
    strcpy(request.id, "0123");
    return request;
}

static void the_body_tells_all(void **state)
{
    struct request request = make_request(65536);
    struct problem_detail detail = {.detail = "a \"quoted\"\nword", .field = "text"};
    struct answer answer;
    problem_format(&request, ERR_INVALID_TEXT, &detail, &answer);
    assert_int_equal(answer.status, 400);
    assert_string_equal(answer.content_type, "application/problem+json");
    json_t *body = json_loadb(answer.body.data, answer.body.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(body);
    assert_string_equal(json_string_value(json_object_get(body, "type")), "/errors#invalid_text");
    assert_string_equal(json_string_value(json_object_get(body, "code")), "invalid_text");
    assert_int_equal(json_integer_value(json_object_get(body, "status")), 400);
    assert_string_equal(json_string_value(json_object_get(body, "detail")), detail.detail);
    assert_string_equal(json_string_value(json_object_get(body, "field")), "text");
    assert_string_equal(json_string_value(json_object_get(body, "requestId")), "0123");
    assert_non_null(json_object_get(body, "title"));
    json_decref(body);
    assert_null(header(&answer, "Retry-After"));

    problem_format(&request, ERR_NOT_FOUND, NULL, &answer);
    body = json_loadb(answer.body.data, answer.body.len, 0, NULL);
    assert_non_null(json_object_get(body, "detail"));
    assert_null(json_object_get(body, "field"));
    json_decref(body);
    arena_fini(&request.arena);
}

static void headers_come_with_the_status(void **state)
{
    struct request request = make_request(65536);
    struct answer answer;
    problem_format(&request, ERR_TOKEN_MISSING, NULL, &answer);
    assert_string_equal(header(&answer, "WWW-Authenticate"), "Bearer realm=\"tidings\"");
    problem_format(&request, ERR_TOKEN_EXPIRED, NULL, &answer);
    assert_non_null(strstr(header(&answer, "WWW-Authenticate"), "error=\"invalid_token\""));
    problem_format(&request, ERR_NOT_ALLOWED, NULL, &answer);
    assert_null(header(&answer, "WWW-Authenticate"));

    struct answer_header allow = {"Allow", "GET, PUT"};
    struct problem_detail with_allow = {.headers = &allow, .header_count = 1};
    problem_format(&request, ERR_METHOD_NOT_ALLOWED, &with_allow, &answer);
    assert_string_equal(header(&answer, "Allow"), "GET, PUT");

    struct problem_detail later = {.retry_after_ms = 1001};
    problem_format(&request, ERR_RATE_LIMITED, &later, &answer);
    assert_string_equal(header(&answer, "Retry-After"), "2");
    int seen = 0;
    for (int i = 0; i < 64; i++) {
        problem_format(&request, ERR_UNAVAILABLE, NULL, &answer);
        int after_s = atoi(header(&answer, "Retry-After"));
        assert_true(after_s >= 2 && after_s <= 6);
        seen |= 1 << after_s;
    }
    assert_true((seen & (seen - 1)) != 0);
    arena_fini(&request.arena);
}

static void without_memory_there_is_still_an_answer(void **state)
{
    struct request request = make_request(0);
    struct answer answer;
    problem_format(&request, ERR_NOT_FOUND, NULL, &answer);
    assert_int_equal(answer.status, 503);
    assert_true(answer.body_static && answer.body.len > 0);
    assert_int_equal(answer.header_count, 0);
    problem_answer(&request, ERR_NOT_FOUND, NULL);
    assert_int_equal(answered_status, 503);
    arena_fini(&request.arena);
}

static void the_page_has_each_code_once(void **state)
{
    struct arena arena;
    arena_init(&arena, 65536);
    const char *page = problem_page(&arena).data;
    assert_non_null(page);
    int count;
    const struct problem *table = problem_table(&count);
    for (int i = 0; i < count; i++) {
        char anchor[64];
        snprintf(anchor, sizeof(anchor), " id=\"%s\"", table[i].code);
        const char *first = strstr(page, anchor);
        assert_non_null(first);
        assert_null(strstr(first + 1, anchor));
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(each_error_has_its_status),
        cmocka_unit_test(the_body_tells_all),
        cmocka_unit_test(headers_come_with_the_status),
        cmocka_unit_test(without_memory_there_is_still_an_answer),
        cmocka_unit_test(the_page_has_each_code_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
