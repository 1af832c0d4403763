#include "api/json_writer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

/* A real of at least this is no whole number that an int64_t holds. */
#define WHOLE_LIMIT 9.2e18

void json_writer_init(struct json_writer *writer, size_t bytes_max)
{
    buf_init(&writer->buf, bytes_max);
    writer->err = ERR_OK;
}

void json_writer_fini(struct json_writer *writer)
{
    buf_fini(&writer->buf);
}

struct span json_writer_text(const struct json_writer *writer)
{
    return buf_span(&writer->buf);
}

static void put(struct json_writer *writer, const char *data, size_t len)
{
    if (!writer->err)
        writer->err = buf_add(&writer->buf, data, len);
}

void json_writer_add(struct json_writer *writer, const char *json)
{
    put(writer, json, strlen(json));
}

void json_writer_add_span(struct json_writer *writer, struct span json)
{
    put(writer, json.data, json.len);
}

void json_writer_reopen(struct json_writer *writer)
{
    if (writer->err)
        return;
    assert(writer->buf.len > 0);
    assert(writer->buf.data[writer->buf.len - 1] == '}');
    writer->buf.len--;
}

void json_writer_item(struct json_writer *writer)
{
    if (writer->err)
        return;
    assert(writer->buf.len > 0);
    char last = writer->buf.data[writer->buf.len - 1];
    if (last != '{' && last != '[')
        put(writer, ",", 1);
}

void json_writer_member(struct json_writer *writer, const char *name)
{
    json_writer_item(writer);
    put(writer, "\"", 1);
    json_writer_add(writer, name);
    put(writer, "\":", 2);
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static void put_escape(struct json_writer *writer, unsigned char c)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char text[8] = {'\\', (char)c};
    size_t len = 2;
    if (c < 0x20 && letters[c])
        text[1] = letters[c];
    else if (c < 0x20)
        len = (size_t)snprintf(text, sizeof(text), "\\u%04x", c);
    put(writer, text, len);
}

void json_writer_string(struct json_writer *writer, struct span text)
{
    put(writer, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (!needs_escape(c))
            continue;
        put(writer, text.data + from, i - from);
        put_escape(writer, c);
        from = i + 1;
    }
    if (from < text.len)
        put(writer, text.data + from, text.len - from);
    put(writer, "\"", 1);
}

void json_writer_number(struct json_writer *writer, int64_t number)
{
    char text[24];
    put(writer, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)number));
}

void json_writer_id(struct json_writer *writer, struct event_id id)
{
    char text[EVENT_ID_TEXT_MAX];
    size_t len = event_id_format(id, text);
    put(writer, "\"", 1);
    put(writer, text, len);
    put(writer, "\"", 1);
}

void json_writer_bool(struct json_writer *writer, bool value)
{
    json_writer_add(writer, value ? "true" : "false");
}

static bool is_whole(double value)
{
    return value > -WHOLE_LIMIT && value < WHOLE_LIMIT && (double)(int64_t)value == value;
}

/* The shortest of the usual forms that is read back as the same number. */
static void put_real(struct json_writer *writer, double value, bool canonical)
{
    assert(isfinite(value));
    if (canonical && is_whole(value)) {
        json_writer_number(writer, (int64_t)value);
        return;
    }
    char text[40];
    int len = 0;
    for (int precision = 15; precision <= 17; precision++) {
        len = snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put(writer, text, (size_t)len);
    if (!strpbrk(text, ".e"))
        put(writer, ".0", 2);
}

static void put_value(struct json_writer *writer, const json_t *value, bool canonical);

static void put_named(struct json_writer *writer, const char *name, const json_t *value,
                      bool canonical)
{
    json_writer_item(writer);
    json_writer_string(writer, span_text(name));
    put(writer, ":", 1);
    put_value(writer, value, canonical);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_sorted(struct json_writer *writer, json_t *object)
{
    size_t count = json_object_size(object), at = 0;
    if (count == 0)
        return;
    const char **names = calloc(count, sizeof(*names));
    if (!names) {
        writer->err = ERR_MEMORY;
        return;
    }
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
        names[at++] = name;
    assert(at == count);
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count; i++)
        put_named(writer, names[i], json_object_get(object, names[i]), true);
    free(names);
}

static void put_object(struct json_writer *writer, json_t *object, bool canonical)
{
    put(writer, "{", 1);
    if (canonical) {
        put_sorted(writer, object);
    } else {
        const char *name;
        json_t *value;
        json_object_foreach(object, name, value)
            put_named(writer, name, value, false);
    }
    put(writer, "}", 1);
}

static void put_array(struct json_writer *writer, const json_t *array, bool canonical)
{
    size_t index;
    json_t *item;
    put(writer, "[", 1);
    json_array_foreach(array, index, item) {
        json_writer_item(writer);
        put_value(writer, item, canonical);
    }
    put(writer, "]", 1);
}

static void put_value(struct json_writer *writer, const json_t *value, bool canonical)
{
    if (writer->err)
        return;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        /* Jansson's iterators take no const, and change nothing. */
        put_object(writer, (json_t *)(uintptr_t)value, canonical);
        return;
    case JSON_ARRAY:
        put_array(writer, value, canonical);
        return;
    case JSON_STRING:
        json_writer_string(writer, span_of(json_string_value(value), json_string_length(value)));
        return;
    case JSON_INTEGER:
        json_writer_number(writer, json_integer_value(value));
        return;
    case JSON_REAL:
        put_real(writer, json_real_value(value), canonical);
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        json_writer_bool(writer, json_is_true(value));
        return;
    case JSON_NULL:
        json_writer_add(writer, "null");
        return;
    }
    assert(!"a JSON value has one of these types");
}

void json_writer_value(struct json_writer *writer, const json_t *value)
{
    put_value(writer, value, false);
}

void json_writer_canonical(struct json_writer *writer, const json_t *value)
{
    put_value(writer, value, true);
}

void json_writer_member_string(struct json_writer *writer, const char *name, struct span text)
{
    if (!text.data)
        return;
    json_writer_member(writer, name);
    json_writer_string(writer, text);
}

void json_writer_member_number(struct json_writer *writer, const char *name, int64_t number)
{
    json_writer_member(writer, name);
    json_writer_number(writer, number);
}

void json_writer_member_id(struct json_writer *writer, const char *name, struct event_id id)
{
    json_writer_member(writer, name);
    json_writer_id(writer, id);
}
