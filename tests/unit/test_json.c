/* Bodies: what is refused before, at and after parsing, and how members are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "base/err.h"

static int answered_status;
static char answered_body[256];
void request_answer(struct request *request, const struct answer *answer)
{
    answered_status = answer->status;
    snprintf(answered_body, sizeof(answered_body), "%.*s", SPAN_ARGS(answer->body));
}

static int parse(struct span text, const char **ret_why)
{
    json_t *value = NULL;
    *ret_why = "";
    int err = json_body_parse(text, &value, ret_why);
    assert_true((err == 0) == (value != NULL));
    json_decref(value);
    return err;
}

static void bodies_and_what_is_wrong_with_them(void **state)
{
    static const struct {
        const char *text, *why; /* NULL: nothing */
    } rows[] = {
        {"", NULL},
        {"{}", NULL},
        {" {\"a\" : [1, -2.5e3, true, null, \"x\\\"}\", {}]} \n", NULL},
        {"{\"a\":\"\\u20ac\\ud83d\\ude00\"}", NULL},
        {"{\"a\":1,\"a\":1}", "a member stands there twice"},
        {"{\"a\":{\"b\":1,\"b\":2}}", "a member stands there twice"},
        {"[]", "no object"},
        {"1", "no valid JSON"},
        {"null", "no valid JSON"},
        {"\"a\"", "no valid JSON"},
        {" ", "no valid JSON"},
        {"{", "no valid JSON"},
        {"{\"a\"", "no valid JSON"},
        {"{\"a", "no valid JSON"},
        {"{\"a\\", "no valid JSON"},
        {"{}{}", "no valid JSON"},
        {"{} x", "no valid JSON"},
        {"{'a':1}", "no valid JSON"},
        {"{\"a\":01}", "no valid JSON"},
        {"{\"a\":1,}", "no valid JSON"},
        {"{\"a\":\"\n\"}", "no valid JSON"},
        {"{\"a\":\"\xff\"}", "no valid UTF-8"},
        {"{\"a\":\"\xed\xa0\x80\"}", "no valid UTF-8"},
        {"{\"a\":\"\xc0\x80\"}", "no valid UTF-8"},
        {"{\"a\":\"\\u0000\"}", "U+0000 in a text"},
        {"{\"a\\u0000b\":1}", "U+0000 in a text"},
        {"{\"a\":1e999}", "a number is too large"},
        {"{\"a\":99999999999999999999}", "a number is too large"},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        const char *why;
        int err = parse(span_text(rows[i].text), &why);
        if (err != (rows[i].why ? ERR_INVALID_JSON : 0) ||
            strcmp(why, rows[i].why ? rows[i].why : "") != 0)
            fail_msg("%s gave %s: %s", rows[i].text, err_name(err), why);
    }
    const char *why;
    assert_int_equal(parse(span_of("{}\0", 3), &why), ERR_INVALID_JSON);
    json_t *value;
    assert_int_equal(json_body_parse(span_text("["), &value, NULL), ERR_INVALID_JSON);
}

/* `{"a":` + `open` x count + `inside` + `close` x count + `}` */
static struct span nested(char *out, char open, char close, int count)
{
    char *at = stpcpy(out, "{\"a\":");
    memset(at, open, (size_t)count);
    memset(at + count, close, (size_t)count);
    strcpy(at + 2 * count, "}");
    return span_text(out);
}

static void depth_is_bounded(void **state)
{
    char text[1024];
    const char *why;
    assert_int_equal(parse(nested(text, '[', ']', JSON_DEPTH_MAX - 1), &why), 0);
    assert_int_equal(parse(nested(text, '[', ']', JSON_DEPTH_MAX), &why), ERR_INVALID_JSON);
    assert_string_equal(why, "nested deeper than 32 levels");
    /* brackets in texts do not count */
    char *at = stpcpy(text, "{\"a\":\"");
    memset(at, '[', 500);
    strcpy(at + 500, "\\\"{\"}");
    assert_int_equal(parse(span_text(text), &why), 0);
}

static void width_is_bounded(void **state)
{
    static const struct {
        const char *piece;
        int values; /* of each piece */
    } rows[] = {{"1", 1},
                {"\"x\"", 1},
                {"[]", 1},
                {"{}", 1},
                {"{\"k\":1}", 2},
                {"true", 1},
                {"[\"a\",{\"k\":\":\"}]", 4}};
    char *text = malloc(JSON_VALUES_MAX * 16);
    for (size_t i = 0; i < array_count(rows); i++) {
        int fitting = (JSON_VALUES_MAX - 2) / rows[i].values;
        for (int extra = 0; extra <= 1; extra++) {
            char *at = stpcpy(text, "{\"a\":[");
            for (int count = 0; count < fitting + extra; count++) {
                at = stpcpy(at, rows[i].piece);
                *at++ = ',';
            }
            strcpy(at - 1, "]}");
            const char *why;
            if (parse(span_text(text), &why) != (extra ? ERR_INVALID_JSON : 0))
                fail_msg("row %zu, %d too many: %s", i, extra, why);
            assert_string_equal(why, extra ? "more than 20000 values" : "");
        }
    }
    /* colons after what is no text take nothing off */
    char *at = stpcpy(text, "{\"a\":[");
    for (int count = 0; count < JSON_VALUES_MAX; count++)
        at = stpcpy(at, "1:,");
    const char *why;
    assert_int_equal(parse(span_text(text), &why), ERR_INVALID_JSON);
    assert_string_equal(why, "more than 20000 values");
    free(text);
}

static void members_are_read(void **state)
{
    json_t *object = json_loads("{\"text\":\"abc\",\"none\":null,\"empty\":\"\",\"user\":\"a|b\","
                                "\"yes\":true,\"no\":false,\"n\":5,\"real\":5.0,\"big\":"
                                "9223372036854775807,\"o\":{\"x\":1},\"list\":[1,2]}",
                                0, NULL);
    struct json_reader reader = {.object = object};
    assert_true(span_is(json_read_text(&reader, "text", 3), "abc"));
    assert_null(json_read_text(&reader, "none", 3).data);
    assert_null(json_read_text(&reader, "absent", 3).data);
    struct span empty = json_read_text(&reader, "empty", 3);
    assert_true(empty.data && empty.len == 0);
    assert_true(span_is(json_read_user(&reader, "user"), "a|b"));
    assert_true(span_is(json_read_ident(&reader, "text"), "abc"));
    assert_null(json_read_ident(&reader, "none").data);
    assert_true(json_read_bool(&reader, "yes", false));
    assert_false(json_read_bool(&reader, "no", true));
    assert_true(json_read_bool(&reader, "none", true));
    assert_int_equal(json_read_number(&reader, "n", 5, 5, 7), 5);
    assert_int_equal(json_read_number(&reader, "none", 0, 5, 7), 7);
    assert_true(json_read_number(&reader, "big", 0, INT64_MAX, 7) == INT64_MAX);
    assert_ptr_equal(json_read_object(&reader, "o"), json_object_get(object, "o"));
    assert_null(json_read_object(&reader, "none"));
    assert_int_equal(json_array_size(json_read_array(&reader, "list", 2)), 2);
    assert_int_equal(reader.err, 0);
    json_decref(object);
}

static void read_as(struct json_reader *reader, char kind, const char *name)
{
    switch (kind) {
    case 't':
        json_read_text(reader, name, 3);
        break;
    case 'u':
        json_read_user(reader, name);
        break;
    case 'i':
        json_read_ident(reader, name);
        break;
    case 'b':
        json_read_bool(reader, name, true);
        break;
    case 'n':
        json_read_number(reader, name, 1, 10, 1);
        break;
    case 'o':
        json_read_object(reader, name);
        break;
    default:
        json_read_array(reader, name, 2);
    }
}

static void the_first_fault_is_kept(void **state)
{
    static const struct {
        char kind;
        const char *value;
        int err;
    } rows[] = {
        {'t', "1", ERR_INVALID_FIELD},
        {'t', "[]", ERR_INVALID_FIELD},
        {'t', "\"abcd\"", ERR_INVALID_TEXT},
        {'t', "\"abc\"", 0},
        {'u', "\"a b\"", ERR_INVALID_IDENTIFIER},
        {'u', "\"\"", ERR_INVALID_IDENTIFIER},
        {'u', "5", ERR_INVALID_FIELD},
        {'i', "\"a|b\"", ERR_INVALID_IDENTIFIER},
        {'i', "\"..\"", ERR_INVALID_IDENTIFIER},
        {'i', "true", ERR_INVALID_FIELD},
        {'b', "1", ERR_INVALID_FIELD},
        {'b', "\"yes\"", ERR_INVALID_FIELD},
        {'n', "11", ERR_INVALID_FIELD},
        {'n', "0", ERR_INVALID_FIELD},
        {'n', "5.0", ERR_INVALID_FIELD},
        {'n', "\"5\"", ERR_INVALID_FIELD},
        {'o', "[]", ERR_INVALID_FIELD},
        {'o', "\"\"", ERR_INVALID_FIELD},
        {'a', "{}", ERR_INVALID_FIELD},
        {'a', "[1,2,3]", ERR_INVALID_FIELD},
        {'a', "[]", 0},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        char text[64];
        snprintf(text, sizeof(text), "{\"m\":%s,\"other\":{}}", rows[i].value);
        json_t *object = json_loads(text, 0, NULL);
        struct json_reader reader = {.object = object};
        read_as(&reader, rows[i].kind, "m");
        if (reader.err != rows[i].err)
            fail_msg("%c %s gave %s", rows[i].kind, rows[i].value, err_name(reader.err));
        if (reader.err != 0) {
            assert_string_equal(reader.field, "m");
            read_as(&reader, 'b', "other");
            assert_int_equal(reader.err, rows[i].err);
            assert_string_equal(reader.field, "m");
        }
        json_decref(object);
    }
}

static void answers_are_compact(void **state)
{
    struct request request = {0};
    arena_init(&request.arena, 4096);
    json_answer(&request, 201, json_pack("{s:s, s:[i,i]}", "b", "\n", "a", 1, 2));
    assert_int_equal(answered_status, 201);
    assert_string_equal(answered_body, "{\"b\":\"\\n\",\"a\":[1,2]}");
    json_answer(&request, 200, NULL);
    assert_int_equal(answered_status, 503);
    json_t *number = json_integer(5);
    assert_true(span_is(json_to_text(&request.arena, number), "5"));
    json_decref(number);
    arena_fini(&request.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_and_what_is_wrong_with_them),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(width_is_bounded),
        cmocka_unit_test(members_are_read),
        cmocka_unit_test(the_first_fault_is_kept),
        cmocka_unit_test(answers_are_compact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
