#include "store/redis_pack.h"

#include <assert.h>

#include "base/err.h"

size_t redis_put_digits(char *out, uint64_t number)
{
    char digits[REDIS_DIGITS_MAX];
    size_t len = 0;
    do {
        digits[len++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[len - 1 - i];
    return len;
}

static size_t put_mark(char *out, char kind, uint64_t index)
{
    assert(index < REDIS_EVENTS_MAX);
    out[0] = REDIS_MARK;
    out[1] = kind;
    for (int i = 7; i >= 2; i--) {
        out[i] = (char)('0' + index % 10);
        index /= 10;
    }
    out[8] = ';';
    return REDIS_MARK_BYTES;
}

bool redis_find_mark(struct span text, struct redis_mark *ret)
{
    const char *end = text.data + text.len;
    const char *at = text.len ? memchr(text.data, REDIS_MARK, text.len) : NULL;
    if (!at || end - at < REDIS_MARK_BYTES || at[8] != ';')
        return false;
    struct redis_mark mark = {.kind = at[1], .at = (size_t)(at - text.data)};
    for (int i = 2; i < 8; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        mark.index = 10 * mark.index + (at[i] - '0');
    }
    *ret = mark;
    return true;
}

static size_t put_id(char *out, struct event_id id)
{
    if (redis_is_pending(id))
        return put_mark(out, 'i', id.seq);
    size_t len = redis_put_digits(out, id.ms);
    out[len++] = '-';
    return len + redis_put_digits(out + len, id.seq);
}

static size_t put_hex(char *out, uint64_t number)
{
    for (int i = 15; i >= 0; i--) {
        out[i] = "0123456789abcdef"[number & 15];
        number >>= 4;
    }
    return 16;
}

int redis_pack_number(struct buf *buf, uint64_t number)
{
    int err = buf_reserve(buf, REDIS_DIGITS_MAX + 1);
    if (err)
        return err;
    buf->len += redis_put_digits(buf->data + buf->len, number);
    buf->data[buf->len++] = 0;
    return 0;
}

int redis_pack_id(struct buf *buf, struct event_id id)
{
    int err = buf_reserve(buf, EVENT_ID_TEXT_MAX);
    if (err)
        return err;
    buf->len += put_id(buf->data + buf->len, id);
    buf->data[buf->len++] = 0;
    return 0;
}

int redis_pack_ordinal(struct buf *buf, uint64_t ordinal)
{
    if (ordinal < REDIS_PENDING_ORDINAL)
        return redis_pack_number(buf, ordinal);
    int err = buf_reserve(buf, REDIS_MARK_BYTES + 1);
    if (err)
        return err;
    buf->len += put_mark(buf->data + buf->len, 'o', ordinal - REDIS_PENDING_ORDINAL);
    buf->data[buf->len++] = 0;
    return 0;
}

int redis_pack_text(struct buf *buf, struct span text)
{
    int err = buf_reserve(buf, text.len + 2);
    if (err)
        return err;
    buf->data[buf->len++] = text.data ? '=' : '-';
    if (text.data && text.len) {
        memcpy(buf->data + buf->len, text.data, text.len);
        buf->len += text.len;
    }
    buf->data[buf->len++] = 0;
    return 0;
}

static bool is_last(struct event_id id)
{
    return id.ms == UINT64_MAX && id.seq == UINT64_MAX;
}

int redis_put_name_of_id(struct buf *buf, struct event_id id)
{
    int err = buf_reserve(buf, REDIS_NAME_OF_ID_BYTES);
    if (err)
        return err;
    char *out = buf->data + buf->len;
    if (redis_is_pending(id)) {
        buf->len += put_mark(out, 'h', id.seq);
    } else if (is_last(id)) {
        out[0] = REDIS_MARK;
        out[1] = 'z';
        buf->len += 2;
    } else {
        buf->len += put_hex(out, id.ms);
        buf->len += put_hex(out + 16, id.seq);
    }
    return 0;
}

int redis_put_id(struct buf *buf, struct event_id id)
{
    int err = buf_reserve(buf, EVENT_ID_TEXT_MAX);
    if (err)
        return err;
    buf->len += put_id(buf->data + buf->len, id);
    return 0;
}

/* The next field without its NUL; absent when there is none. */
static struct span take(struct redis_fields *fields)
{
    struct span rest = fields->rest;
    const char *end = rest.len ? memchr(rest.data, 0, rest.len) : NULL;
    if (!end) {
        fields->broken = true;
        return (struct span){0};
    }
    size_t len = (size_t)(end - rest.data);
    fields->rest = span_of(end + 1, rest.len - len - 1);
    return span_of(rest.data, len);
}

/* Of a mark at the beginning of `text`. */
static bool read_mark(struct span text, char kind, uint64_t *ret)
{
    struct redis_mark mark;
    if (text.len == 0 || text.data[0] != REDIS_MARK || !redis_find_mark(text, &mark) ||
        mark.kind != kind)
        return false;
    *ret = mark.index;
    return true;
}

uint64_t redis_take_number(struct redis_fields *fields)
{
    struct span text = take(fields);
    uint64_t number = 0;
    if (span_to_number(text, UINT64_MAX, &number))
        fields->broken = true;
    return number;
}

struct event_id redis_take_id(struct redis_fields *fields)
{
    struct span text = take(fields);
    struct event_id id = EVENT_ID_NONE;
    if (redis_parse_id(text, &id))
        fields->broken = true;
    return id;
}

uint64_t redis_take_ordinal(struct redis_fields *fields)
{
    struct span text = take(fields);
    uint64_t ordinal = 0;
    if (text.len == REDIS_MARK_BYTES && read_mark(text, 'o', &ordinal))
        return REDIS_PENDING_ORDINAL + ordinal;
    if (span_to_number(text, REDIS_PENDING_ORDINAL - 1, &ordinal))
        fields->broken = true;
    return ordinal;
}

struct span redis_take_text(struct redis_fields *fields)
{
    struct span text = take(fields);
    if (text.len && text.data[0] == '=')
        return span_of(text.data + 1, text.len - 1);
    if (!span_is(text, "-"))
        fields->broken = true;
    return (struct span){0};
}

int redis_parse_id(struct span text, struct event_id *ret)
{
    uint64_t index;
    if (text.len == REDIS_MARK_BYTES && read_mark(text, 'i', &index)) {
        *ret = redis_pending_id(index);
        return 0;
    }
    return text.data && event_id_parse(text, ret) == 0 ? 0 : ERR_CORRUPT;
}

static bool read_hex(const char *text, uint64_t *ret)
{
    uint64_t number = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            number = number << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = number;
    return true;
}

int redis_cut_name_of_id(struct span *name, struct event_id *ret)
{
    struct event_id id;
    size_t len = REDIS_NAME_OF_ID_BYTES;
    uint64_t index;
    if (read_mark(*name, 'h', &index)) {
        id = redis_pending_id(index);
        len = REDIS_MARK_BYTES;
    } else if (name->len >= 2 && name->data[0] == REDIS_MARK && name->data[1] == 'z') {
        id = (struct event_id){UINT64_MAX, UINT64_MAX};
        len = 2;
    } else if (name->len < len || !read_hex(name->data, &id.ms) ||
               !read_hex(name->data + 16, &id.seq)) {
        return ERR_CORRUPT;
    }
    *name = span_of(name->data + len, name->len - len);
    *ret = id;
    return 0;
}
