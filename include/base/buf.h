/* A growing byte buffer with a ceiling that is named when it is made.
 *
 * WHY    nothing whose size a client decides may grow without a limit.
 * BOUNDS `bytes_max`; what would pass it is refused whole with ERR_FULL, the contents stay.
 * Floor: base. One thread at a time. Owns its memory. */
#ifndef TIDINGS_BASE_BUF_H
#define TIDINGS_BASE_BUF_H

#include "base/attr.h"
#include "base/span.h"

struct buf {
    char *data;       /* NULL while empty */
    size_t len;       /* bytes in use */
    size_t size;      /* bytes allocated */
    size_t bytes_max; /* ceiling of len */
};

void buf_init(struct buf *buf, size_t bytes_max);
void buf_fini(struct buf *buf);
/* ERR_FULL beyond the ceiling, ERR_MEMORY. */
MUST_CHECK int buf_add(struct buf *buf, const void *data, size_t len);
MUST_CHECK int buf_add_span(struct buf *buf, struct span text);
MUST_CHECK int buf_add_text(struct buf *buf, const char *text);
MUST_CHECK int buf_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for `len` more bytes at buf->data + buf->len; the caller adds to buf->len itself. */
MUST_CHECK int buf_reserve(struct buf *buf, size_t len);
static inline struct span buf_span(const struct buf *buf)
{
    return span_of(buf->data ? buf->data : "", buf->len);
}

#endif
