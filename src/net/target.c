#include <assert.h>

#include "base/err.h"
#include "base/limits.h"
#include "net/connection.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

int http_unescape(struct arena *arena, struct span text, struct span *ret)
{
    char *data = arena_alloc(arena, text.len + 1);
    if (!data)
        return ERR_MEMORY;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex(text.data[i + 2]) : -1;
            if (low < 0)
                return ERR_INVALID_PARAMETER;
            c = (unsigned char)(high * 16 + low);
            i += 2;
        }
        if (is_control(c))
            return ERR_INVALID_PARAMETER;
        data[len++] = (char)c;
    }
    if (!span_is_utf8(span_of(data, len)))
        return ERR_INVALID_PARAMETER;
    *ret = span_of(data, len);
    return 0;
}

static int parameters_count(struct span query)
{
    int count = 0;
    while (query.data)
        if (span_cut(&query, '&').len > 0)
            count++;
    return count;
}

/* What cannot be decoded stays as it was sent, or becomes a bare `%` if it is no text at all: a `%`
 * is part of nothing that is valid, and what nobody asks for does no harm. */
static int text_read(struct arena *arena, struct span text, struct span *ret)
{
    int err = http_unescape(arena, text, ret);
    if (err == ERR_INVALID_PARAMETER) {
        *ret = span_is_utf8(text) ? text : span_text("%");
        err = 0;
    }
    return err;
}

static int query_read(struct request *request, struct span query)
{
    int count = parameters_count(query);
    if (count > QUERY_PARAMETERS_MAX)
        return ERR_INVALID_PARAMETER;
    if (count == 0)
        return 0;
    request->query = arena_alloc(&request->arena, (size_t)count * sizeof(*request->query));
    if (!request->query)
        return ERR_MEMORY;
    while (query.data) {
        struct span value = span_cut(&query, '&');
        if (value.len == 0)
            continue;
        struct query_parameter *parameter = &request->query[request->query_count++];
        struct span name = span_cut(&value, '=');
        int err = text_read(&request->arena, name, &parameter->name);
        if (!err && value.data)
            err = text_read(&request->arena, value, &parameter->value);
        if (err)
            return err;
    }
    assert(request->query_count == count);
    return 0;
}

/* "http://host/path" is allowed too, its host does not matter to us. */
static struct span without_origin(struct span target)
{
    struct span rest = target;
    if (span_starts_with(target, span_text("http://")))
        rest = span_of(target.data + 7, target.len - 7);
    else if (span_starts_with(target, span_text("https://")))
        rest = span_of(target.data + 8, target.len - 8);
    else
        return target;
    const char *slash = memchr(rest.data, '/', rest.len);
    return slash ? span_of(slash, (size_t)(rest.data + rest.len - slash)) : span_text("/");
}

int target_read(struct request *request, struct span target)
{
    if (target.len > REQUEST_TARGET_BYTES_MAX)
        return ERR_URI_TOO_LONG;
    for (size_t i = 0; i < target.len; i++)
        if (is_control((unsigned char)target.data[i]) || target.data[i] == ' ')
            return ERR_INVALID_REQUEST;
    struct span rest = without_origin(target);
    request->path = span_cut(&rest, '?');
    bool is_path = request->path.len > 0 && request->path.data[0] == '/';
    if (!is_path && !(request->method == METHOD_OPTIONS && span_is(request->path, "*")))
        return ERR_INVALID_REQUEST;
    return rest.data ? query_read(request, rest) : 0;
}

struct span request_query(const struct request *request, const char *name, int *ret_count)
{
    struct span value = {NULL, 0};
    int count = 0;
    for (int i = 0; i < request->query_count; i++) {
        if (!span_is(request->query[i].name, name))
            continue;
        if (count++ == 0)
            value = request->query[i].value.data ? request->query[i].value : span_text("");
    }
    if (ret_count)
        *ret_count = count;
    return value;
}
