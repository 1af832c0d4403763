#include "net/gate.h"

#include <assert.h>
#include <strings.h>

#include "base/err.h"
#include "base/limits.h"

enum once { ONCE_CONTENT_LENGTH, ONCE_TRANSFER_ENCODING, ONCE_HOST };

/* Headers that two readers could take from different places when they come twice. */
static const char *const once_names[] = {
    [ONCE_CONTENT_LENGTH] = "Content-Length",
    [ONCE_TRANSFER_ENCODING] = "Transfer-Encoding",
    [ONCE_HOST] = "Host",
    "Authorization",
    "Last-Event-ID",
    "Content-Type",
    "Content-Encoding",
    "Origin",
    "X-Tidings-Session",
};
static_assert(array_count(once_names) <= 32, "bits of gate.seen");

static bool is_token_char(unsigned char c)
{
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return true;
    return c > ' ' && c < 0x7f && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_token_char((unsigned char)name.data[i]))
            return false;
    return name.len > 0;
}

static bool is_value(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_equal(struct span text, const char *other)
{
    return text.len == strlen(other) && strncasecmp(text.data, other, text.len) == 0;
}

static int once_find(struct span name)
{
    for (size_t i = 0; i < array_count(once_names); i++)
        if (is_equal(name, once_names[i]))
            return (int)i;
    return -1;
}

/* 1*DIGIT; leading zeros are allowed there. */
static bool length_read(struct gate *gate, struct span value)
{
    uint64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c < '0' || c > '9')
            return false;
        if (__builtin_mul_overflow(length, 10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(c - '0'), &length))
            return false;
    }
    gate->length = length;
    return value.len > 0;
}

void gate_init(struct gate *gate)
{
    *gate = (struct gate){0};
}

static void fault(struct gate *gate, int err)
{
    if (!gate->err)
        gate->err = err;
}

void gate_header(struct gate *gate, struct span name, struct span value)
{
    if (++gate->count > HEADERS_MAX)
        fault(gate, ERR_HEAD_TOO_LARGE);
    if (!is_name(name) || !is_value(value))
        fault(gate, ERR_INVALID_REQUEST);
    int once = once_find(name);
    if (once < 0)
        return;
    if (gate->seen & (1u << once))
        fault(gate, ERR_INVALID_REQUEST);
    gate->seen |= 1u << once;
    value = span_trim(value);
    if (once == ONCE_CONTENT_LENGTH) {
        gate->has_length = true;
        if (!length_read(gate, value))
            fault(gate, ERR_INVALID_REQUEST);
    } else if (once == ONCE_TRANSFER_ENCODING) {
        gate->has_encoding = true;
        gate->encoding_unknown = !is_equal(value, "chunked");
    }
}

int gate_verdict(const struct gate *gate, bool http_1_0)
{
    if (gate->err)
        return gate->err;
    if (gate->has_encoding && (gate->has_length || gate->encoding_unknown || http_1_0))
        return ERR_INVALID_REQUEST;
    if (!http_1_0 && !(gate->seen & (1u << ONCE_HOST)))
        return ERR_INVALID_REQUEST;
    return ERR_OK;
}
