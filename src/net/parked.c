/* Requests that wait for long: their connection is a stream that has nothing to say until the
 * answer comes, and ends with it. */
#include <assert.h>

#include "base/err.h"
#include "base/metric.h"
#include "net/connection.h"

static struct call *stream_call(struct stream *stream)
{
    return container_of(stream, struct call, stream);
}

static int on_gather(struct stream *stream, struct iovec *pieces, int max)
{
    struct call *call = stream_call(stream);
    if (call->text_at == call->text.len)
        return 0;
    pieces[0] = (struct iovec){call->text.data + call->text_at, call->text.len - call->text_at};
    return 1;
}

static void on_taken(struct stream *stream, size_t len)
{
    struct call *call = stream_call(stream);
    call->text_at += len;
    assert(call->text_at <= call->text.len);
}

static void on_closed(struct stream *stream, int err)
{
    struct call *call = stream_call(stream);
    struct request *request = &call->request;
    if (!call->done && request->on_gone) {
        request->on_gone(request);
        assert(!call->done);
        call_finish(call);
    } else if (!call->done && stream->worker->stopping) {
        call_abandon(call);
    }
    call->stream_open = false;
    call_try_free(call);
}

static const struct stream_ops parked_ops = {
    .on_gather = on_gather, .on_taken = on_taken, .on_closed = on_closed};

void parked_try(struct call *call)
{
    int fd;
    if (call_move(call, &call->stream, &fd))
        return;
    call->stream.ops = &parked_ops;
    call->parked = call->stream_open = true;
    stream_open(&call->stream, call->request.worker, fd, NULL);
}

void parked_answer(struct call *call, const struct answer *answer)
{
    assert(call->parked);
    buf_init(&call->text, ANSWER_HEAD_BYTES_MAX + answer->body.len);
    int err = answer_format(call, answer, false, &call->text);
    if (!call->stream_open)
        return;
    if (err)
        stream_cut(&call->stream);
    else
        stream_end(&call->stream);
}
