#include "api/rates.h"

#include <stdio.h>

#include "api/refusal.h"
#include "base/err.h"

static struct limit_subject subject_of(const struct request *request, enum limit limit)
{
    const struct identity *identity = request_identity(request);
    struct limit_subject subject = {.realm = {NULL, 0}};
    if (identity && limit != LIMIT_STREAMS) {
        subject.realm = identity->realm;
        subject.user = identity->user;
    }
    if (!identity || identity->guest || limit == LIMIT_STREAMS)
        subject.address = request->peer;
    return subject;
}

static void refuse(struct request *request, const struct limit_verdict *verdict)
{
    char limit[24], left[24], reset[24];
    snprintf(limit, sizeof(limit), "%lld", (long long)verdict->limit);
    snprintf(left, sizeof(left), "%lld", (long long)verdict->left);
    snprintf(reset, sizeof(reset), "%lld", (long long)(verdict->reset_ms + 999) / 1000);
    struct answer_header headers[] = {
        {"RateLimit-Limit", limit},
        {"RateLimit-Remaining", left},
        {"RateLimit-Reset", reset},
    };
    struct problem_detail detail = {
        .retry_after_ms = verdict->wait_ms,
        .headers = headers,
        .header_count = array_count(headers),
    };
    if (request_exchange(request)->route->is_events)
        refusal_answer(request, ERR_RATE_LIMITED, &detail);
    else
        problem_answer(request, ERR_RATE_LIMITED, &detail);
}

bool rates_take(struct request *request, enum limit limit)
{
    struct limit_subject subject = subject_of(request, limit);
    struct limit_verdict verdict;
    if (limiter_take(request_app(request)->limiter, limit, &subject, worker_now_ms(request->worker),
                     &verdict))
        return true;
    refuse(request, &verdict);
    return false;
}

bool rates_take_for_route(struct request *request)
{
    static const enum limit limits[] = {
        [RATE_REQUESTS] = LIMIT_REQUESTS,
        [RATE_MESSAGES] = LIMIT_MESSAGES,
        [RATE_TYPING] = LIMIT_TYPING,
        [RATE_STREAMS] = LIMIT_STREAMS,
    };
    const struct identity *identity = request_identity(request);
    enum route_rate rate = request_exchange(request)->route->rate;
    if (rate == RATE_NONE)
        return true;
    if (identity && identity->service && rate != RATE_STREAMS)
        return rates_take(request, LIMIT_SERVICE);
    return rates_take(request, limits[rate]);
}

void rates_charge(struct request *request, int64_t bytes)
{
    struct limit_subject subject = subject_of(request, LIMIT_FANOUT);
    limiter_charge(request_app(request)->limiter, &subject, bytes, worker_now_ms(request->worker));
}
