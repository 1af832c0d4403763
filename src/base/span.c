#include "base/span.h"

#include "base/err.h"

struct span span_cut(struct span *rest, char separator)
{
    const char *at = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    if (!at) {
        struct span whole = *rest;
        *rest = (struct span){NULL, 0};
        return whole;
    }
    struct span piece = span_of(rest->data, (size_t)(at - rest->data));
    *rest = span_of(at + 1, rest->len - piece.len - 1);
    return piece;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span text)
{
    while (text.len && is_blank(text.data[0]))
        text = span_of(text.data + 1, text.len - 1);
    while (text.len && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

int span_to_number(struct span text, uint64_t max, uint64_t *ret)
{
    if (text.len == 0 || (text.len > 1 && text.data[0] == '0'))
        return ERR_INVALID_FIELD;
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_INVALID_FIELD;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[i] - '0'), &number))
            return ERR_INVALID_FIELD;
    }
    if (number > max)
        return ERR_INVALID_FIELD;
    *ret = number;
    return 0;
}

/* Length of the well-formed sequence at `at`, 0 if it is none (RFC 3629, table of section 4). */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return at[0] != 0;
    unsigned char low = 0x80, high = 0xBF;
    size_t len;
    if (at[0] >= 0xC2 && at[0] <= 0xDF) {
        len = 2;
    } else if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        len = 3;
        low = at[0] == 0xE0 ? 0xA0 : 0x80;
        high = at[0] == 0xED ? 0x9F : 0xBF;
    } else if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        len = 4;
        low = at[0] == 0xF0 ? 0x90 : 0x80;
        high = at[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (left < len || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

bool span_is_utf8(struct span text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_sequence(at + i, text.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}
