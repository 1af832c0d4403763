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
        .body = block_busy_text(&request->arena, code,
                                random_between(from_ms, from_ms + BUSY_MAX_MS)),
        .close = true,
        .headers = headers,
        .header_count = array_count(headers),
    };
    metric_add(METRIC_BUSY, 1);
    request_answer(request, &answer);
}

void stream_refuse(struct request *request, int err, const struct problem_detail *detail)
{
    const struct problem *problem = problem_find(err);
    if (problem->status == 429 || problem->status >= 500)
        answer_busy(request, problem->code, detail ? detail->retry_after_ms : 0);
    else if (problem->status == 401 || problem->status == 403)
        answer_later(request, err, detail);
    else
        problem_answer(request, err, detail);
}
