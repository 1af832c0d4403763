#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

#define BUF_FIRST_BYTES 256

void buf_init(struct buf *buf, size_t bytes_max)
{
    assert(bytes_max > 0);
    *buf = (struct buf){.bytes_max = bytes_max};
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = buf->size = 0;
}

int buf_reserve(struct buf *buf, size_t len)
{
    assert(buf->bytes_max > 0);
    if (len > buf->bytes_max || buf->len > buf->bytes_max - len)
        return ERR_FULL;
    size_t needed = buf->len + len;
    if (needed <= buf->size)
        return 0;
    size_t size = buf->size ? buf->size : BUF_FIRST_BYTES;
    while (size < needed)
        size *= 2;
    char *data = realloc(buf->data, size);
    if (!data)
        return ERR_MEMORY;
    buf->data = data;
    buf->size = size;
    return 0;
}

int buf_add(struct buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return 0;
    int err = buf_reserve(buf, len);
    if (err)
        return err;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return 0;
}

int buf_add_span(struct buf *buf, struct span text)
{
    return buf_add(buf, text.data, text.len);
}

int buf_add_text(struct buf *buf, const char *text)
{
    return buf_add(buf, text, strlen(text));
}

int buf_format(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);
    int err = buf_reserve(buf, (size_t)len + 1);
    if (!err) {
        vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    return err;
}
