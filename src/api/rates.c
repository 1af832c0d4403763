#include "api/rates.h"

#include <assert.h>
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

void rates_refuse(struct request *request, const struct limit_verdict *verdict)
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

static bool take(const struct request *request, enum limit limit, int64_t cost,
                 struct limit_verdict *ret)
{
    struct limit_subject subject = subject_of(request, limit);
    return limiter_take(request_app(request)->limiter, limit, &subject, cost,
                        worker_now_ms(request->worker), ret);
}

/* The commands of a batch were counted when it began. */
bool rates_take(struct request *request, enum limit limit)
{
    struct limit_verdict verdict;
    if (request_exchange(request)->batch || take(request, limit, 1, &verdict))
        return true;
    rates_refuse(request, &verdict);
    return false;
}

static enum limit limit_of(const struct request *request, enum route_rate rate)
{
    static const enum limit limits[] = {
        [RATE_REQUESTS] = LIMIT_REQUESTS,
        [RATE_MESSAGES] = LIMIT_MESSAGES,
        [RATE_TYPING] = LIMIT_TYPING,
        [RATE_STREAMS] = LIMIT_STREAMS,
    };
    const struct identity *identity = request_identity(request);
    assert(rate != RATE_NONE);
    return identity && identity->service && rate != RATE_STREAMS ? LIMIT_SERVICE : limits[rate];
}

bool rates_take_for_route(struct request *request)
{
    enum route_rate rate = request_exchange(request)->route->rate;
    return rate == RATE_NONE || rates_take(request, limit_of(request, rate));
}

static void give_back(const struct request *request, enum limit limit, int64_t cost)
{
    struct limit_subject subject = subject_of(request, limit);
    if (cost > 0)
        limiter_give_back(request_app(request)->limiter, limit, &subject, cost,
                          worker_now_ms(request->worker));
}

bool rates_take_for_batch(struct request *request, const int counts[RATE_COUNT])
{
    int64_t costs[LIMIT_COUNT] = {0};
    struct limit_verdict verdict;
    for (int rate = RATE_REQUESTS; rate < RATE_COUNT; rate++)
        costs[limit_of(request, (enum route_rate)rate)] += counts[rate];
    bool taken = take(request, LIMIT_FANOUT, 0, &verdict);
    for (int limit = 0; limit < LIMIT_COUNT && taken; limit++) {
        taken = costs[limit] == 0 || take(request, (enum limit)limit, costs[limit], &verdict);
        for (int before = limit - 1; before >= 0 && !taken; before--)
            give_back(request, (enum limit)before, costs[before]);
    }
    if (!taken)
        rates_refuse(request, &verdict);
    return taken;
}

void rates_charge(struct request *request, int64_t bytes)
{
    struct limit_subject subject = subject_of(request, LIMIT_FANOUT);
    limiter_charge(request_app(request)->limiter, &subject, bytes, worker_now_ms(request->worker));
}
