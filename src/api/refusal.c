#include "api/refusal.h"

#include "api/blocks.h"
#include "api/routes.h"
#include "base/err.h"
#include "base/metric.h"

#define REFUSAL_PAUSE_MS 1000
#define BUSY_MIN_MS 1000
#define BUSY_MAX_MS 10000

struct pause {
    struct worker_timer timer;
    struct request *request;
    int err;
    struct problem_detail detail;
};

static void on_pause_over(struct worker_timer *timer)
{
    struct pause *pause = container_of(timer, struct pause, timer);
    problem_answer(pause->request, pause->err, &pause->detail);
}

/* The text with NUL, in the request's arena; NULL for NULL or without memory. */
static const char *keep(struct request *request, const char *text)
{
    return arena_copy(&request->arena, span_text(text)).data;
}

static void answer_later(struct request *request, int err, const struct problem_detail *detail)
{
    struct pause *pause = arena_alloc(&request->arena, sizeof(*pause));
    if (!pause) {
        problem_answer(request, err, detail);
        return;
    }
    pause->request = request;
    pause->err = err;
    if (detail)
        pause->detail = (struct problem_detail){
            .detail = keep(request, detail->detail),
            .field = keep(request, detail->field),
            .retry_after_ms = detail->retry_after_ms,
        };
    pause->timer.on_due = on_pause_over;
    worker_timer_set(request->worker, &pause->timer, REFUSAL_PAUSE_MS);
    /* Whether the peer stays or leaves meanwhile, the timer answers. */
    request_park(request);
}

/* The text without its `event:` line, for `events=unnamed`; the JSON says the type too. */
static struct span leave_out_type(struct request *request, struct span text)
{
    static const char line[] = "event: busy\n";
    const size_t len = sizeof(line) - 1;
    struct span copy = arena_copy(&request->arena, text);
    char *at = copy.data ? memmem(copy.data, copy.len, line, len) : NULL;
    if (!at)
        return text;
    memmove(at, at + len, copy.len - (size_t)(at - copy.data) - len);
    return span_of(copy.data, copy.len - len);
}

static struct span busy_text(struct request *request, const char *code, int64_t after_ms)
{
    struct span text = block_busy_text(&request->arena, code, after_ms);
    if (!text.data)
        return span_text("retry: 10000\n\n");
    if (span_is(request_query(request, "events", NULL), "unnamed"))
        return leave_out_type(request, text);
    return text;
}

static void answer_busy(struct request *request, const char *code, int64_t at_least_ms)
{
    static const struct answer_header headers[] = {
        {"Cache-Control", "no-store, no-transform"},
        {"X-Accel-Buffering", "no"},
    };
    int64_t from_ms = at_least_ms > BUSY_MIN_MS ? at_least_ms : BUSY_MIN_MS;
    struct answer answer = {
        .status = 200,
        .content_type = "text/event-stream",
        .body = busy_text(request, code, random_between(from_ms, from_ms + BUSY_MAX_MS)),
        .close = true,
        .headers = headers,
        .header_count = array_count(headers),
    };
    metric_add(METRIC_BUSY, 1);
    request_answer(request, &answer);
}

void refusal_answer(struct request *request, int err, const struct problem_detail *detail)
{
    const struct problem *problem = problem_find(err);
    if (problem->status == 429 || problem->status >= 500)
        answer_busy(request, problem->code, detail ? detail->retry_after_ms : 0);
    else if (problem->status == 401 || problem->status == 403)
        answer_later(request, err, detail);
    else
        problem_answer(request, err, detail);
}
