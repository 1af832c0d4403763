/* The content of messages: its form, its encoding, and what counts as the same content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/content.h"
#include "base/err.h"
#include "base/limits.h"

/* Nothing here answers. */
void request_answer(struct request *request, const struct answer *answer)
{
    fail_msg("an answer of %d", answer->status);
}

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    if (!value)
        fail_msg("%s: %s", text, error.text);
    return value;
}

/* --- the writer ---------------------------------------------------------------------------- */

static void assert_written(const char *text, const char *plain, const char *canonical)
{
    json_t *value = parse(text);
    struct json_writer writer;
    json_writer_init(&writer, 65536);
    json_writer_value(&writer, value);
    json_writer_add(&writer, " ");
    json_writer_canonical(&writer, value);
    json_writer_add(&writer, "");
    assert_int_equal(writer.err, ERR_OK);
    char expected[4096];
    snprintf(expected, sizeof(expected), "%s %s", plain, canonical);
    struct span written = json_writer_text(&writer);
    assert_int_equal(written.len, strlen(expected));
    assert_memory_equal(written.data, expected, written.len);
    json_writer_fini(&writer);
    json_decref(value);
}

static void test_writer_values(void **state)
{
    static const struct {
        const char *text, *plain, *canonical;
    } rows[] = {
        {"{}", "{}", "{}"},
        {"[]", "[]", "[]"},
        {"{\"b\": 1, \"a\": [true, false, null]}", "{\"b\":1,\"a\":[true,false,null]}",
         "{\"a\":[true,false,null],\"b\":1}"},
        {"{\"z\":{\"y\":1,\"x\":{}},\"a\":\"\"}", "{\"z\":{\"y\":1,\"x\":{}},\"a\":\"\"}",
         "{\"a\":\"\",\"z\":{\"x\":{},\"y\":1}}"},
        {"[0.1, 1.0, -0.0, 1e20, 1.5e-7]", "[0.1,1.0,-0.0,1e+20,1.5e-07]",
         "[0.1,1,0,1e+20,1.5e-07]"},
        {"[0.30000000000000004, 9007199254740993]", "[0.30000000000000004,9007199254740993]",
         "[0.30000000000000004,9007199254740993]"},
        {"[9223372036854775807, -9223372036854775808]",
         "[9223372036854775807,-9223372036854775808]",
         "[9223372036854775807,-9223372036854775808]"},
        {"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\"]",
         "[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"]",
         "[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"]"},
        {"[\"\\u00e9\\ud83d\\ude00\"]", "[\"\xc3\xa9\xf0\x9f\x98\x80\"]",
         "[\"\xc3\xa9\xf0\x9f\x98\x80\"]"},
        {"{\"a\\\"b\":1}", "{\"a\\\"b\":1}", "{\"a\\\"b\":1}"},
    };
    for (size_t i = 0; i < array_count(rows); i++)
        assert_written(rows[i].text, rows[i].plain, rows[i].canonical);
}

static void test_writer_ceiling(void **state)
{
    struct json_writer writer;
    json_writer_init(&writer, 8);
    json_writer_add(&writer, "[");
    json_writer_string(&writer, span_text("more than eight"));
    json_writer_item(&writer);
    json_writer_add(&writer, "]");
    assert_int_equal(writer.err, ERR_FULL);
    json_writer_fini(&writer);
}

static void test_writer_members(void **state)
{
    struct json_writer writer;
    json_writer_init(&writer, 4096);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "none", (struct span){NULL, 0});
    json_writer_member_string(&writer, "a", span_text("x\ny"));
    json_writer_member_number(&writer, "b", -7);
    json_writer_member_id(&writer, "c", (struct event_id){12, 3});
    json_writer_add(&writer, "}");
    struct span text = json_writer_text(&writer);
    assert_true(span_is(text, "{\"a\":\"x\\ny\",\"b\":-7,\"c\":\"12-3\"}"));
    json_writer_fini(&writer);
}

/* --- the digest ---------------------------------------------------------------------------- */

static void digest_of(const char *text, bool custom, unsigned char ret[COMMAND_DIGEST_BYTES])
{
    json_t *body = parse(text);
    struct json_reader reader = {.object = body};
    struct content content;
    if (custom)
        content_read_custom(&reader, &content);
    else
        content_read_message(&reader, &content);
    if (reader.err)
        fail_msg("%s: %s at %s", text, err_text(reader.err), reader.field);
    assert_int_equal(content_digest(&content, ret), ERR_OK);
    json_decref(body);
}

static void assert_digests(const char *a, const char *b, bool custom, bool equal)
{
    unsigned char one[COMMAND_DIGEST_BYTES], other[COMMAND_DIGEST_BYTES];
    digest_of(a, custom, one);
    digest_of(b, custom, other);
    if ((memcmp(one, other, sizeof(one)) == 0) != equal)
        fail_msg("%s and %s should %s", a, b, equal ? "be equal" : "differ");
}

static void test_digest_of_messages(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"{\"text\":\"hi\"}", "{\"text\" : \"h\\u0069\", \"messageId\":\"m\"}", true},
        {"{\"text\":\"hi\",\"x\":1}", "{\"text\":\"hi\",\"ephemeral\":false}", true},
        {"{\"text\":\"hi\"}", "{\"text\":\"hi\",\"message\":null}", true},
        {"{\"text\":\"hi\"}", "{\"text\":\"hi\",\"mentions\":[]}", true},
        {"{\"message\":{\"a\":1,\"b\":[1,2]}}", "{\"message\":{\"b\":[1.0,2e0],\"a\":1.0}}", true},
        {"{\"message\":{\"a\":0}}", "{\"message\":{\"a\":-0.0}}", true},
        {"{\"text\":\"hi\"}", "{\"text\":\"hi \"}", false},
        {"{\"text\":\"hi\"}", "{\"text\":\"hi\",\"message\":{}}", false},
        {"{\"text\":\"hi\",\"replyTo\":\"a\"}", "{\"text\":\"hi\",\"threadId\":\"a\"}", false},
        {"{\"message\":{\"a\":1}}", "{\"message\":{\"a\":\"1\"}}", false},
        {"{\"message\":{\"a\":1}}", "{\"message\":{\"a\":1.5}}", false},
        {"{\"message\":{\"a\":null}}", "{\"message\":{}}", false},
        {"{\"message\":{\"a\":[1,2]}}", "{\"message\":{\"a\":[2,1]}}", false},
        {"{\"text\":\"hi\",\"mentions\":[\"u\"]}", "{\"text\":\"hi\",\"mentions\":[\"v\"]}", false},
        {"{\"text\":\"a\\\",\\\"threadId\\\":\\\"b\"}",
         "{\"text\":\"a\",\"threadId\":\"b\"}", false},
    };
    for (size_t i = 0; i < array_count(rows); i++)
        assert_digests(rows[i].a, rows[i].b, false, rows[i].equal);
}

static void test_digest_of_custom_events(void **state)
{
    assert_digests("{\"type\":\"custom.a\",\"data\":{\"x\":1,\"y\":2}}",
                   "{\"data\":{\"y\":2,\"x\":1.0},\"type\":\"custom.a\",\"messageId\":\"m\"}", true,
                   true);
    assert_digests("{\"type\":\"custom.a\",\"data\":1}", "{\"type\":\"custom.b\",\"data\":1}", true,
                   false);
    assert_digests("{\"type\":\"custom.a\",\"data\":1}",
                   "{\"type\":\"custom.a\",\"data\":[1]}", true, false);
}

/* --- the form ------------------------------------------------------------------------------ */

static void assert_fault(const char *text, bool custom, int err, const char *field)
{
    json_t *body = parse(text);
    struct json_reader reader = {.object = body};
    struct content content;
    if (custom)
        content_read_custom(&reader, &content);
    else
        content_read_message(&reader, &content);
    if (reader.err != err || (field && strcmp(reader.field, field) != 0))
        fail_msg("%s: %s at %s", text, err_name(reader.err), reader.field);
    json_decref(body);
}

static void test_form_of_messages(void **state)
{
    static const struct {
        const char *text;
        int err;
        const char *field;
    } rows[] = {
        {"{\"text\":\"x\"}", ERR_OK, NULL},
        {"{\"message\":{}}", ERR_OK, NULL},
        {"{\"text\":\"x\",\"messageId\":\"a-1\",\"replyTo\":\"b\",\"threadId\":\"c\","
         "\"mentions\":[\"a|b\"]}", ERR_OK, NULL},
        {"{}", ERR_INVALID_TEXT, "text"},
        {"{\"text\":\"\"}", ERR_INVALID_TEXT, "text"},
        {"{\"text\":7}", ERR_INVALID_FIELD, "text"},
        {"{\"message\":[]}", ERR_INVALID_FIELD, "message"},
        {"{\"message\":\"x\"}", ERR_INVALID_FIELD, "message"},
        {"{\"text\":\"x\",\"messageId\":\"1-2\"}", ERR_INVALID_IDENTIFIER, "messageId"},
        {"{\"text\":\"x\",\"messageId\":\"\"}", ERR_INVALID_IDENTIFIER, "messageId"},
        {"{\"text\":\"x\",\"messageId\":\"a/b\"}", ERR_INVALID_IDENTIFIER, "messageId"},
        {"{\"text\":\"x\",\"messageId\":5}", ERR_INVALID_FIELD, "messageId"},
        {"{\"text\":\"x\",\"replyTo\":\"1-2\"}", ERR_INVALID_IDENTIFIER, "replyTo"},
        {"{\"text\":\"x\",\"messageId\":\"a\",\"replyTo\":\"a\"}", ERR_INVALID_FIELD, "replyTo"},
        {"{\"text\":\"x\",\"messageId\":\"a\",\"threadId\":\"a\"}", ERR_INVALID_FIELD, "threadId"},
        {"{\"text\":\"x\",\"threadId\":\"..\"}", ERR_INVALID_IDENTIFIER, "threadId"},
        {"{\"text\":\"x\",\"mentions\":\"u\"}", ERR_INVALID_FIELD, "mentions"},
        {"{\"text\":\"x\",\"mentions\":[1]}", ERR_INVALID_FIELD, "mentions"},
        {"{\"text\":\"x\",\"mentions\":[\"a b\"]}", ERR_INVALID_IDENTIFIER, "mentions"},
        {"{\"text\":\"x\",\"ephemeral\":1}", ERR_INVALID_FIELD, "ephemeral"},
    };
    for (size_t i = 0; i < array_count(rows); i++)
        assert_fault(rows[i].text, false, rows[i].err, rows[i].field);
}

static void test_form_of_custom_events(void **state)
{
    static const struct {
        const char *text;
        int err;
        const char *field;
    } rows[] = {
        {"{\"type\":\"custom.x\",\"data\":null}", ERR_OK, NULL},
        {"{\"type\":\"custom.x.y\",\"data\":[1]}", ERR_OK, NULL},
        {"{\"type\":\"custom.x\"}", ERR_INVALID_FIELD, "data"},
        {"{\"data\":1}", ERR_INVALID_FIELD, "type"},
        {"{\"type\":\"custom.\",\"data\":1}", ERR_INVALID_FIELD, "type"},
        {"{\"type\":\"custom\",\"data\":1}", ERR_INVALID_FIELD, "type"},
        {"{\"type\":\"new_message\",\"data\":1}", ERR_INVALID_FIELD, "type"},
        {"{\"type\":\"custom.a b\",\"data\":1}", ERR_INVALID_IDENTIFIER, "type"},
        {"{\"type\":\"custom.a\",\"data\":1,\"messageId\":\"1-1\"}", ERR_INVALID_IDENTIFIER,
         "messageId"},
    };
    for (size_t i = 0; i < array_count(rows); i++)
        assert_fault(rows[i].text, true, rows[i].err, rows[i].field);
}

/* --- the encoding -------------------------------------------------------------------------- */

static int encode(const json_t *body, bool custom, const struct actor *sender,
                  struct json_writer *writer, const char **ret_field)
{
    struct json_reader reader = {.object = body};
    struct content content;
    if (custom)
        content_read_custom(&reader, &content);
    else
        content_read_message(&reader, &content);
    assert_int_equal(reader.err, ERR_OK);
    json_writer_init(writer, EVENT_BYTES_MAX);
    int err = content_write(&content, span_text("room"), sender, writer);
    *ret_field = content_large_field(&content);
    return err;
}

static void assert_encoded(const char *text, bool custom, const char *expected)
{
    struct actor sender = {.user = span_text("u"), .name = span_text("U \"q\""),
                           .data = span_text("{\"k\":1}")};
    json_t *body = parse(text);
    struct json_writer writer;
    const char *field;
    assert_int_equal(encode(body, custom, &sender, &writer, &field), ERR_OK);
    struct span written = json_writer_text(&writer);
    assert_int_equal(written.len, strlen(expected));
    assert_memory_equal(written.data, expected, written.len);
    json_writer_fini(&writer);
    json_decref(body);
}

static void test_encoding(void **state)
{
    assert_encoded("{\"mentions\":[\"v\"],\"threadId\":\"t\",\"replyTo\":\"r\","
                   "\"message\":{\"b\":1,\"a\":0.1},\"text\":\"hi\\n\",\"messageId\":\"m\","
                   "\"more\":1}", false,
                   "{\"roomId\":\"room\",\"messageId\":\"m\",\"text\":\"hi\\n\","
                   "\"message\":{\"b\":1,\"a\":0.1},\"sender\":{\"userId\":\"u\","
                   "\"name\":\"U \\\"q\\\"\",\"data\":{\"k\":1}},\"replyTo\":\"r\","
                   "\"threadId\":\"t\",\"mentions\":[\"v\"]}");
    assert_encoded("{\"type\":\"custom.x\",\"data\":[1, 2],\"ephemeral\":true}", true,
                   "{\"roomId\":\"room\",\"data\":[1,2],\"sender\":{\"userId\":\"u\",\"name\":"
                   "\"U \\\"q\\\"\",\"data\":{\"k\":1}},\"ephemeral\":true}");
}

/* A message whose `message` takes `size` bytes, {"k":"…"}, beside a text of `text_size`. */
static json_t *sized(size_t text_size, size_t size, const char *fill)
{
    const size_t frame = strlen("{\"k\":\"\"}");
    assert_true(size >= frame);
    char *text = malloc(text_size + 1), *value = malloc(size - frame + 1);
    memset(text, fill[0], text_size);
    memset(value, 'v', size - frame);
    json_t *body = json_pack("{s:{s:s#}}", "message", "k", value, (int)(size - frame));
    if (text_size)
        json_object_set_new(body, "text", json_stringn(text, text_size));
    free(text);
    free(value);
    return body;
}

static void assert_size(size_t text_size, size_t size, const char *fill, int err)
{
    struct actor sender = {.user = span_text("u")};
    json_t *body = sized(text_size, size, fill);
    struct json_writer writer;
    const char *field;
    assert_int_equal(encode(body, false, &sender, &writer, &field), err);
    assert_string_equal(field, "message");
    json_writer_fini(&writer);
    json_decref(body);
}

static void test_sizes(void **state)
{
    assert_size(0, MESSAGE_BYTES_MAX, "t", ERR_OK);
    assert_size(0, MESSAGE_BYTES_MAX + 1, "t", ERR_INVALID_FIELD);
    assert_size(MESSAGE_TEXT_BYTES_MAX, MESSAGE_BYTES_MAX - MESSAGE_TEXT_BYTES_MAX, "t", ERR_OK);
    assert_size(MESSAGE_TEXT_BYTES_MAX, MESSAGE_BYTES_MAX - MESSAGE_TEXT_BYTES_MAX + 1, "t",
                ERR_INVALID_FIELD);
    /* Each byte of the text needs six on the wire; it still is one event. */
    assert_size(MESSAGE_TEXT_BYTES_MAX, MESSAGE_BYTES_MAX - MESSAGE_TEXT_BYTES_MAX, "\x01", ERR_OK);
    assert_size(0, 4 * MESSAGE_BYTES_MAX, "t", ERR_INVALID_FIELD);
}

static void test_text_size(void **state)
{
    for (size_t more = 0; more < 2; more++) {
        size_t len = MESSAGE_TEXT_BYTES_MAX + more;
        char *text = malloc(len);
        memset(text, 't', len);
        json_t *body = json_pack("{s:s#}", "text", text, (int)len);
        struct json_reader reader = {.object = body};
        struct content content;
        content_read_message(&reader, &content);
        assert_int_equal(reader.err, more ? ERR_INVALID_TEXT : ERR_OK);
        json_decref(body);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_values),
        cmocka_unit_test(test_writer_ceiling),
        cmocka_unit_test(test_writer_members),
        cmocka_unit_test(test_digest_of_messages),
        cmocka_unit_test(test_digest_of_custom_events),
        cmocka_unit_test(test_form_of_messages),
        cmocka_unit_test(test_form_of_custom_events),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_text_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
