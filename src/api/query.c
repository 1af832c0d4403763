#include "api/query.h"

#include <assert.h>

#include "base/err.h"
#include "core/event_id.h"
#include "core/ident.h"

static void fail(struct query_reader *reader, const char *name)
{
    if (reader->err)
        return;
    reader->err = ERR_INVALID_PARAMETER;
    reader->field = name;
}

struct span query_read_text(struct query_reader *reader, const char *name)
{
    int count = 0;
    struct span value = request_query(reader->request, name, &count);
    if (count > 1)
        fail(reader, name);
    if (count > 0 && !value.data)
        return span_text("");
    return value;
}

static struct span read_checked(struct query_reader *reader, const char *name,
                                bool (*is_valid)(struct span text))
{
    struct span value = query_read_text(reader, name);
    if (value.data && !is_valid(value))
        fail(reader, name);
    return value;
}

struct span query_read_ident(struct query_reader *reader, const char *name)
{
    return read_checked(reader, name, ident_is_valid);
}

struct span query_read_user(struct query_reader *reader, const char *name)
{
    return read_checked(reader, name, ident_is_user);
}

struct span query_read_message(struct query_reader *reader, const char *name)
{
    return read_checked(reader, name, ident_is_message);
}

static bool is_position(struct span text)
{
    struct event_id id;
    return event_id_parse(text, &id) == 0 || ident_is_message(text);
}

struct span query_read_position(struct query_reader *reader, const char *name)
{
    return read_checked(reader, name, is_position);
}

int64_t query_read_number(struct query_reader *reader, const char *name, int64_t min, int64_t max,
                          int64_t otherwise)
{
    assert(min >= 0);
    assert(min <= max);
    struct span text = query_read_text(reader, name);
    if (!text.data)
        return otherwise;
    uint64_t number;
    if (span_to_number(text, (uint64_t)max, &number) || number < (uint64_t)min) {
        fail(reader, name);
        return otherwise;
    }
    return (int64_t)number;
}
