#include <stdlib.h>
#include <strings.h>

#include <zlib.h>

#include "base/err.h"
#include "net/connection.h"

#define GZIP_WINDOW (15 + 16) /* a gzip header rather than zlib's own */
#define GZIP_LEVEL 3
#define GUNZIP_STEP 65536     /* room made for what comes out, at first */

/* "gzip", "gzip;q=0.5", "*", but not "gzip;q=0". */
static bool is_refused(struct span parameters)
{
    while (parameters.data) {
        struct span parameter = span_trim(span_cut(&parameters, ';'));
        if (parameter.len < 3 || (parameter.data[0] | 0x20) != 'q' || parameter.data[1] != '=')
            continue;
        for (size_t i = 2; i < parameter.len; i++)
            if (parameter.data[i] != '0' && parameter.data[i] != '.')
                return false;
        return true;
    }
    return false;
}

bool encoding_accepts_gzip(struct span accept_encoding)
{
    while (accept_encoding.data) {
        struct span item = span_cut(&accept_encoding, ',');
        struct span name = span_trim(span_cut(&item, ';'));
        if ((name.len == 4 && strncasecmp(name.data, "gzip", 4) == 0) || span_is(name, "*"))
            return !is_refused(item);
    }
    return false;
}

static int deflater_get(struct worker *worker, z_stream **ret)
{
    if (!worker->deflater) {
        z_stream *stream = calloc(1, sizeof(*stream));
        if (!stream || deflateInit2(stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
                                    Z_DEFAULT_STRATEGY) != Z_OK) {
            free(stream);
            return ERR_MEMORY;
        }
        worker->deflater = stream;
    }
    *ret = worker->deflater;
    return deflateReset(*ret) == Z_OK ? 0 : ERR_MEMORY;
}

static int inflater_get(struct worker *worker, z_stream **ret)
{
    if (!worker->inflater) {
        z_stream *stream = calloc(1, sizeof(*stream));
        if (!stream || inflateInit2(stream, GZIP_WINDOW) != Z_OK) {
            free(stream);
            return ERR_MEMORY;
        }
        worker->inflater = stream;
    }
    *ret = worker->inflater;
    return inflateReset(*ret) == Z_OK ? 0 : ERR_MEMORY;
}

int encoding_gzip(struct worker *worker, struct span text, struct buf *ret)
{
    z_stream *stream;
    int err = deflater_get(worker, &stream);
    if (err || (err = buf_reserve(ret, text.len)))
        return err;
    stream->next_in = (Bytef *)text.data;
    stream->avail_in = (uInt)text.len;
    stream->next_out = (Bytef *)ret->data;
    stream->avail_out = (uInt)text.len;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return ERR_FULL;
    ret->len = text.len - stream->avail_out;
    return 0;
}

/* Room for more; never beyond the ceiling of `buf`. */
static int grow(struct buf *buf, z_stream *stream)
{
    size_t left = buf->bytes_max - buf->len;
    size_t step = buf->len > GUNZIP_STEP ? buf->len : GUNZIP_STEP;
    if (left == 0)
        return ERR_BODY_TOO_LARGE;
    if (step > left)
        step = left;
    if (buf_reserve(buf, step))
        return ERR_MEMORY;
    stream->next_out = (Bytef *)buf->data + buf->len;
    stream->avail_out = (uInt)step;
    return 0;
}

/* One byte more than the ceiling tells "exactly full" from "too much". */
static int is_at_end(z_stream *stream)
{
    Bytef beyond;
    stream->next_out = &beyond;
    stream->avail_out = 1;
    int status = inflate(stream, Z_NO_FLUSH);
    return status == Z_STREAM_END && stream->avail_out == 1;
}

int encoding_gunzip(struct worker *worker, struct span text, struct buf *ret)
{
    z_stream *stream;
    int err = inflater_get(worker, &stream);
    if (err)
        return err;
    stream->next_in = (Bytef *)text.data;
    stream->avail_in = (uInt)text.len;
    for (;;) {
        if ((err = grow(ret, stream)))
            return err == ERR_BODY_TOO_LARGE && is_at_end(stream) && stream->avail_in == 0 ? 0
                                                                                           : err;
        size_t room = stream->avail_out;
        int status = inflate(stream, Z_NO_FLUSH);
        ret->len += room - stream->avail_out;
        if (status == Z_STREAM_END && stream->avail_in == 0)
            return 0;
        /* Several members one behind the other are one text. */
        if (status == Z_STREAM_END && inflateReset(stream) == Z_OK)
            continue;
        if (status != Z_OK || (stream->avail_in == 0 && stream->avail_out > 0))
            return ERR_INVALID_REQUEST;
    }
}
