#include "api/json.h"

#include <assert.h>

#include "api/problem.h"
#include "base/err.h"
#include "core/ident.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

/* A look at the bytes before anything is built of them. Up to the first fault of syntax, where
 * the parser stops, the counts are exact; behind it they do not matter. */
struct scan {
    int depth, depth_max;
    int values; /* members' names not counted */
    bool after_string;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Index behind the string that starts at `at`. */
static size_t skip_string(struct span text, size_t at)
{
    assert(text.data[at] == '"');
    for (at++; at < text.len && text.data[at] != '"'; at++) {
        if (text.data[at] == '\\')
            at++;
    }
    return at + 1;
}

/* Index behind the number or word at `at`. */
static size_t skip_word(struct span text, size_t at)
{
    for (at++; at < text.len && !is_blank(text.data[at]); at++) {
        if (memchr(",:[]{}\"", text.data[at], 7))
            break;
    }
    return at;
}

static size_t scan_value(struct scan *scan, struct span text, size_t at)
{
    char c = text.data[at];
    scan->values++;
    if (c == '"') {
        scan->after_string = true;
        return skip_string(text, at);
    }
    if (c != '{' && c != '[')
        return skip_word(text, at);
    scan->depth++;
    if (scan->depth > scan->depth_max)
        scan->depth_max = scan->depth;
    return at + 1;
}

static const char *scan_fault(struct span text)
{
    struct scan scan = {0};
    for (size_t at = 0; at < text.len;) {
        char c = text.data[at];
        if (is_blank(c)) {
            at++;
            continue;
        }
        bool after_string = scan.after_string;
        scan.after_string = false;
        if (c == ':' || c == ',' || c == '}' || c == ']') {
            scan.values -= c == ':' && after_string;
            scan.depth -= c == '}' || c == ']';
            at++;
        } else {
            at = scan_value(&scan, text, at);
        }
        if (scan.depth > JSON_DEPTH_MAX)
            return "nested deeper than " TEXT(JSON_DEPTH_MAX) " levels";
        if (scan.values > JSON_VALUES_MAX)
            return "more than " TEXT(JSON_VALUES_MAX) " values";
    }
    return NULL;
}

static const char *parser_fault(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "a member stands there twice";
    case json_error_invalid_utf8:
        return "no valid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "U+0000 in a text";
    case json_error_numeric_overflow:
        return "a number is too large";
    default:
        return "no valid JSON";
    }
}

static int refuse(const char *why, const char **ret_why)
{
    if (ret_why)
        *ret_why = why;
    return ERR_INVALID_JSON;
}

int json_body_parse(struct span text, json_t **ret, const char **ret_why)
{
    if (text.len == 0) {
        json_t *empty = json_object();
        if (!empty)
            return ERR_MEMORY;
        *ret = empty;
        return 0;
    }
    const char *fault = scan_fault(text);
    if (fault)
        return refuse(fault, ret_why);
    json_error_t error;
    json_t *value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!value && json_error_code(&error) == json_error_out_of_memory)
        return ERR_MEMORY;
    if (!value)
        return refuse(parser_fault(&error), ret_why);
    if (!json_is_object(value)) {
        json_decref(value);
        return refuse("no object", ret_why);
    }
    *ret = value;
    return 0;
}

/* Members */

static void fault(struct json_reader *reader, const char *name, int err)
{
    if (reader->err != 0)
        return;
    reader->err = err;
    reader->field = name;
}

/* NULL when absent, null, or after a fault. */
static const json_t *find(const struct json_reader *reader, const char *name)
{
    const json_t *value = reader->err == 0 ? json_object_get(reader->object, name) : NULL;
    return json_is_null(value) ? NULL : value;
}

struct span json_read_text(struct json_reader *reader, const char *name, size_t bytes_max)
{
    const json_t *value = find(reader, name);
    if (!value)
        return span_of(NULL, 0);
    if (!json_is_string(value)) {
        fault(reader, name, ERR_INVALID_FIELD);
        return span_of(NULL, 0);
    }
    struct span text = span_of(json_string_value(value), json_string_length(value));
    if (text.len > bytes_max) {
        fault(reader, name, ERR_INVALID_TEXT);
        return span_of(NULL, 0);
    }
    return text;
}

static struct span read_name(struct json_reader *reader, const char *name,
                             bool (*is_valid)(struct span text))
{
    struct span text = json_read_text(reader, name, SIZE_MAX);
    if (!text.data || is_valid(text))
        return text;
    fault(reader, name, ERR_INVALID_IDENTIFIER);
    return span_of(NULL, 0);
}

struct span json_read_user(struct json_reader *reader, const char *name)
{
    return read_name(reader, name, ident_is_user);
}

struct span json_read_ident(struct json_reader *reader, const char *name)
{
    return read_name(reader, name, ident_is_valid);
}

bool json_read_bool(struct json_reader *reader, const char *name, bool otherwise)
{
    const json_t *value = find(reader, name);
    if (!value)
        return otherwise;
    if (!json_is_boolean(value)) {
        fault(reader, name, ERR_INVALID_FIELD);
        return otherwise;
    }
    return json_is_true(value);
}

int64_t json_read_number(struct json_reader *reader, const char *name, int64_t min, int64_t max,
                         int64_t otherwise)
{
    const json_t *value = find(reader, name);
    if (!value)
        return otherwise;
    int64_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    if (!json_is_integer(value) || number < min || number > max) {
        fault(reader, name, ERR_INVALID_FIELD);
        return otherwise;
    }
    return number;
}

const json_t *json_read_object(struct json_reader *reader, const char *name)
{
    const json_t *value = find(reader, name);
    if (!value || json_is_object(value))
        return value;
    fault(reader, name, ERR_INVALID_FIELD);
    return NULL;
}

const json_t *json_read_array(struct json_reader *reader, const char *name, size_t count_max)
{
    const json_t *value = find(reader, name);
    if (!value || (json_is_array(value) && json_array_size(value) <= count_max))
        return value;
    fault(reader, name, ERR_INVALID_FIELD);
    return NULL;
}

/* Texts and answers */

struct span json_to_text(struct arena *arena, const json_t *value)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t len = json_dumpb(value, NULL, 0, flags);
    char *text = len ? arena_alloc(arena, len + 1) : NULL;
    if (!text)
        return span_of(NULL, 0);
    if (json_dumpb(value, text, len, flags) != len)
        return span_of(NULL, 0);
    return span_of(text, len);
}

void json_answer(struct request *request, int status, json_t *value)
{
    struct span text = value ? json_to_text(&request->arena, value) : span_of(NULL, 0);
    json_decref(value);
    if (!text.data) {
        problem_answer(request, ERR_MEMORY, NULL);
        return;
    }
    struct answer answer = {
        .status = status,
        .content_type = "application/json",
        .body = text,
    };
    request_answer(request, &answer);
}
