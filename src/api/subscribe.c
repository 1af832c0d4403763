/* GET /v1/events: a reader on a stream of Server-Sent Events. */
#include "api/subscribe.h"

#include <assert.h>

#include "api/blocks.h"
#include "api/desk.h"
#include "api/refusal.h"
#include "api/routes.h"
#include "api/typing_snapshot.h"
#include "base/err.h"
#include "base/metric.h"

/* A stream that is ended for good by the server is not to come back at once. */
#define ENDED_RETRY_MS 60000
/* When the node drains, clients come back to another within this. */
#define RECONNECT_MS 1000
/* The wheel may be this late: a heartbeat is set so much earlier. */
#define TIMER_SLACK_MS 100

struct subscription {
    struct reader reader;
    struct stream stream;
    struct request *request; /* while the journal is asked; then NULL */
    int64_t drain_at_ms;     /* when it is sent away, by the worker's clock; 0: not yet known */
};

static struct subscription *of_reader(struct reader *reader)
{
    return container_of(reader, struct subscription, reader);
}

static struct subscription *of_stream(struct stream *stream)
{
    return container_of(stream, struct subscription, stream);
}

/* -- the end ------------------------------------------------------------------------------ */

/* Queues the last block behind what is queued, and ends after it. */
static void end_with(struct subscription *subscription, struct frame *last)
{
    if (subscription->reader.ending) {
        frame_unref(last);
        return;
    }
    subscription->reader.ending = true;
    worker_timer_remove(&subscription->reader.timer);
    hall_leave(&subscription->reader.subscriber, worker_now_ms(subscription->reader.desk->worker));
    reader_push(&subscription->reader, last);
    stream_end(&subscription->stream);
}

static int64_t ended_retry_ms(void)
{
    return random_between(ENDED_RETRY_MS, 2 * ENDED_RETRY_MS);
}

static void on_end(struct session *session, const char *code)
{
    struct reader *reader = container_of(session, struct reader, session);
    end_with(of_reader(reader), block_ended(code, ended_retry_ms()));
}

static void on_broken(struct subscriber *subscriber)
{
    struct subscription *subscription = of_reader(reader_of(subscriber));
    subscription->reader.ending = true;
    stream_cut(&subscription->stream);
}

/* -- heartbeat and token ------------------------------------------------------------------ */

static void set_timer(struct subscription *subscription)
{
    struct reader *reader = &subscription->reader;
    int64_t delay_ms = (int64_t)reader->heartbeat_ms - TIMER_SLACK_MS;
    if (delay_ms < TIMER_SLACK_MS)
        delay_ms = TIMER_SLACK_MS;
    int64_t expires_ms = reader_expires_in_ms(reader);
    if (expires_ms < delay_ms)
        delay_ms = expires_ms;
    int64_t drain_ms = subscription->drain_at_ms - worker_now_ms(reader->desk->worker);
    if (subscription->drain_at_ms && drain_ms < delay_ms)
        delay_ms = drain_ms;
    worker_timer_set(reader->desk->worker, &reader->timer, delay_ms);
}

static void on_timer(struct worker_timer *timer)
{
    struct reader *reader = container_of(timer, struct reader, timer);
    struct subscription *subscription = of_reader(reader);
    if (reader_expires_in_ms(reader) == 0) {
        end_with(subscription, block_ended("token_expired", 0));
        return;
    }
    if (subscription->drain_at_ms &&
        worker_now_ms(reader->desk->worker) >= subscription->drain_at_ms) {
        end_with(subscription, block_reconnect(random_between(0, RECONNECT_MS)));
        return;
    }
    hall_replay(&reader->subscriber);
    hall_heartbeat(&reader->subscriber);
    set_timer(subscription);
}

static void on_renew(struct session *session, struct identity *identity)
{
    struct reader *reader = container_of(session, struct reader, session);
    struct subscription *subscription = of_reader(reader);
    if (reader->ending || reader->closed)
        return;
    reader_renew(reader, identity);
    set_timer(subscription);
}

/* -- the stream --------------------------------------------------------------------------- */

static int on_gather(struct stream *stream, struct iovec *pieces, int max)
{
    struct subscriber *subscriber = &of_stream(stream)->reader.subscriber;
    size_t queue_max = (size_t)of_stream(stream)->reader.desk->app->settings->sse_queue_bytes;
    if (subscriber->state == SUBSCRIBER_REPLAY && subscriber->queue_bytes <= queue_max / 2)
        hall_replay(subscriber);
    return subscriber_gather(subscriber, pieces, max);
}

static void on_taken(struct stream *stream, size_t len)
{
    struct subscriber *subscriber = &of_stream(stream)->reader.subscriber;
    int64_t committed_us = queued_get(subscriber_peek(subscriber, 0))->committed_us;
    int finished = subscriber_taken(subscriber, len);
    metric_add(METRIC_DELIVERED, finished);
    if (finished && committed_us)
        metric_observe(METRIC_DELIVERY_US, (uint64_t)(clock_now_us() - committed_us));
    if (subscriber->queue_count == 0)
        hall_release(subscriber);
    reader_go_on_with_receipts(reader_of(subscriber));
    if (subscriber->state == SUBSCRIBER_REPLAY)
        stream_mark_due(stream);
}

static void on_closed(struct stream *stream, int err)
{
    metric_add(METRIC_STREAMS, -1);
    reader_close(&of_stream(stream)->reader);
}

/* -- the subscriber ----------------------------------------------------------------------- */

static void on_queued(struct subscriber *subscriber)
{
    struct subscription *subscription = of_reader(reader_of(subscriber));
    if (subscription->stream.state == STREAM_OPEN)
        stream_mark_due(&subscription->stream);
}

static void on_caught_up(struct reader *reader)
{
    const struct subscriber *subscriber = &reader->subscriber;
    reader_push(reader, block_caught_up(subscriber_reached(subscriber), subscriber->replayed));
    reader_watch(reader);
    typing_snapshot_ask(reader);
}

static void on_live(struct subscriber *subscriber, bool first)
{
    struct reader *reader = reader_of(subscriber);
    if (!reader_go_on_with_receipts(reader) && first)
        on_caught_up(reader);
}

static void on_free(struct reader *reader)
{
    free(of_reader(reader));
}

/* -- opening ------------------------------------------------------------------------------ */

static void on_stream_opened(struct stream *stream, int err)
{
    struct subscription *subscription = of_stream(stream);
    struct reader *reader = &subscription->reader;
    if (err) {
        reader_close(reader);
        return;
    }
    metric_add(METRIC_STREAMS, 1);
    /* Broken while it took its seats. */
    if (subscription->reader.ending) {
        stream_cut(stream);
        return;
    }
    reader_register(reader);
    set_timer(subscription);
    if (server_state(reader->desk->app->server) >= SERVER_ENDING) {
        end_with(subscription, block_reconnect(random_between(0, RECONNECT_MS)));
        return;
    }
    hall_replay(&reader->subscriber);
    stream_mark_due(stream);
}

static const struct stream_ops stream_ops = {
    .on_opened = on_stream_opened,
    .on_gather = on_gather,
    .on_taken = on_taken,
    .on_closed = on_closed,
};

static void on_opened(struct reader *reader, int err, const char *denied_room)
{
    static const struct answer_header headers[] = {
        {"Cache-Control", "no-store, no-transform"},
        {"X-Accel-Buffering", "no"},
    };
    static const struct answer head = {
        .status = 200,
        .content_type = "text/event-stream",
        .headers = headers,
        .header_count = array_count(headers),
    };
    struct subscription *subscription = of_reader(reader);
    struct request *request = subscription->request;
    subscription->request = NULL;
    if (err) {
        struct problem_detail detail = {.field = denied_room};
        refusal_answer(request, err, denied_room ? &detail : NULL);
        reader_close(reader);
        return;
    }
    subscription->stream.ops = &stream_ops;
    struct span busy =
        block_busy_text(&request->arena, "out_of_descriptors", random_between(1000, 10000));
    request_hand_over(request, &subscription->stream, &head, busy);
}

static const struct reader_ops reader_ops = {
    .subscriber =
        {
            .on_queued = on_queued,
            .on_page_needed = reader_on_page_needed,
            .on_live = on_live,
            .on_denied = reader_on_denied,
            .on_broken = on_broken,
        },
    .session =
        {
            .on_end = on_end,
            .on_renew = on_renew,
            .on_closed = reader_on_session_closed,
            .on_told = reader_on_told,
        },
    .on_opened = on_opened,
    .on_free = on_free,
    .on_receipts_told = on_caught_up,
};

/* Neither a node that drains nor one whose connections are all but used takes streams. */
static int check_capacity(struct request *request)
{
    if (server_state(request_app(request)->server) >= SERVER_ENDING)
        return ERR_DRAINING;
    return request_may_stay(request) ? 0 : ERR_BUSY;
}

void subscribe_get(struct request *request)
{
    struct reader_params params;
    const char *field = NULL;
    int err = check_capacity(request);
    if (!err)
        err = reader_params_parse(request, false, &params, &field);
    if (err) {
        refusal_answer(request, err, &(struct problem_detail){.field = field});
        return;
    }
    struct subscription *subscription = calloc(1, sizeof(*subscription));
    if (!subscription || reader_init(&subscription->reader, &reader_ops, request_desk(request),
                                     request_identity(request), &params, params.session) != 0) {
        free(subscription);
        refusal_answer(request, ERR_BUSY, NULL);
        return;
    }
    subscription->reader.timer.on_due = on_timer;
    subscription->request = request;
    if (reader_open(&subscription->reader, request_identity(request), &params) != 0) {
        refusal_answer(request, ERR_BUSY, NULL);
        reader_close(&subscription->reader);
    }
}

void subscription_drain(struct reader *reader, int64_t after_ms)
{
    struct subscription *subscription = of_reader(reader);
    assert(!reader->is_poll);
    /* One that is not open yet will find the server draining. */
    if (reader->ending || subscription->stream.state != STREAM_OPEN)
        return;
    subscription->drain_at_ms = worker_now_ms(reader->desk->worker) + after_ms;
    set_timer(subscription);
}
