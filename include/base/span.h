/* A borrowed piece of memory with its length; text in it is not ended by NUL.
 *
 * Floor: base. Any thread. Owns nothing. */
#ifndef TIDINGS_BASE_SPAN_H
#define TIDINGS_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct span {
    const char *data; /* NULL: absent, which is not the same as empty */
    size_t len;       /* bytes */
};

/* For printf's "%.*s". */
#define SPAN_ARGS(s) (int)(s).len, (s).data

static inline struct span span_of(const char *data, size_t len)
{
    return (struct span){data, len};
}

static inline struct span span_text(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_text(text));
}

static inline bool span_starts_with(struct span a, struct span prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.data, prefix.data, prefix.len) == 0);
}

/* Cuts off and returns what stands before the first `separator` in `*rest`; the whole when
 * there is none, after which `rest->data` is NULL. */
struct span span_cut(struct span *rest, char separator);
/* Without the blanks and tabs at both ends. */
struct span span_trim(struct span text);
/* A decimal number without sign, blanks or leading zeros ("0" itself is fine), at most `max`;
 * ERR_INVALID_FIELD otherwise. */
MUST_CHECK int span_to_number(struct span text, uint64_t max, uint64_t *ret);
/* True when `text` is well-formed UTF-8 (RFC 3629) without U+0000. */
bool span_is_utf8(struct span text);

#endif
