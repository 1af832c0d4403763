#include "api/limiter.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/map.h"
#include "core/rate.h"

#define STRIPES 64
#define SETS (LIMITER_BUCKETS / LIMITER_SET)
/* Kind, realm, user and address, each with its length before it. */
#define NAME_BYTES_MAX (2 * IDENT_BYTES_MAX + LIMITER_ADDRESS_MAX + 4)

struct bucket {
    uint64_t key; /* hash of kind and name; 0: never used */
    struct rate rate;
};

struct stripe {
    _Alignas(64) pthread_mutex_t lock;
};

struct limiter {
    const struct settings *settings;
    struct stripe stripes[STRIPES]; /* set i belongs to stripe i % STRIPES */
    struct bucket *buckets;         /* owned */
};

struct limiter *limiter_new(const struct settings *settings)
{
    struct limiter *limiter = aligned_alloc(64, sizeof(*limiter));
    if (!limiter)
        return NULL;
    limiter->settings = settings;
    limiter->buckets = calloc(LIMITER_BUCKETS, sizeof(*limiter->buckets));
    if (!limiter->buckets) {
        free(limiter);
        return NULL;
    }
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_init(&limiter->stripes[i].lock, NULL);
    return limiter;
}

struct limiter *limiter_free(struct limiter *limiter)
{
    if (!limiter)
        return NULL;
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&limiter->stripes[i].lock);
    free(limiter->buckets);
    free(limiter);
    return NULL;
}

/* Names */

size_t limiter_address(struct span text, unsigned char out[LIMITER_ADDRESS_MAX])
{
    char host[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    if (text.len < sizeof(host)) {
        if (text.len)
            memcpy(host, text.data, text.len);
        host[text.len] = '\0';
        if (inet_pton(AF_INET, host, out) == 1)
            return 4;
        if (inet_pton(AF_INET6, host, &v6) == 1) {
            bool v4 = IN6_IS_ADDR_V4MAPPED(&v6);
            memcpy(out, v6.s6_addr + (v4 ? 12 : 0), v4 ? 4 : 8);
            return v4 ? 4 : 8;
        }
    }
    size_t len = text.len < LIMITER_ADDRESS_MAX ? text.len : LIMITER_ADDRESS_MAX;
    if (len)
        memcpy(out, text.data, len);
    return len;
}

static size_t add_part(unsigned char *name, size_t at, const void *data, size_t len)
{
    assert(len < 256);
    assert(at + 1 + len <= NAME_BYTES_MAX);
    name[at] = (unsigned char)len;
    if (len)
        memcpy(name + at + 1, data, len);
    return at + 1 + len;
}

static uint64_t key_of(enum limit limit, const struct limit_subject *subject)
{
    unsigned char name[NAME_BYTES_MAX], address[LIMITER_ADDRESS_MAX];
    size_t len = 0;
    name[len++] = (unsigned char)limit;
    len = add_part(name, len, subject->realm.data, subject->realm.len);
    len = add_part(name, len, subject->user.data, subject->user.len);
    len = add_part(name, len, address,
                   subject->address.data ? limiter_address(subject->address, address) : 0);
    uint64_t key = map_hash(name, len);
    return key ? key : 1;
}

/* Buckets */

struct bounds {
    int64_t rate_per_s, burst;
};

static struct bounds bounds_of(const struct settings *settings, enum limit limit)
{
    struct bounds bounds = {0, 0};
    switch (limit) {
    case LIMIT_REQUESTS:
        bounds.rate_per_s = settings->limits_requests;
        break;
    case LIMIT_MESSAGES:
        bounds = (struct bounds){settings->limits_messages, settings->limits_messages_burst};
        break;
    case LIMIT_TYPING:
        bounds.rate_per_s = settings->limits_typing;
        break;
    case LIMIT_SERVICE:
        bounds.rate_per_s = settings->limits_service;
        break;
    case LIMIT_STREAMS:
        bounds =
            (struct bounds){settings->limits_streams_per_address, settings->limits_streams_burst};
        break;
    case LIMIT_FANOUT:
        bounds.rate_per_s = settings->limits_fanout_bytes;
        break;
    case LIMIT_COUNT:
        assert(!"a limit that is none");
    }
    if (bounds.burst == 0)
        bounds.burst = bounds.rate_per_s;
    return bounds;
}

/* The bucket of `key`, taken from the one of its set that was used longest ago if need be.
 * The set's stripe is locked. */
static struct bucket *find_bucket(struct bucket *set, uint64_t key)
{
    struct bucket *oldest = &set[0];
    for (int i = 0; i < LIMITER_SET; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].rate.at_ms < oldest->rate.at_ms)
            oldest = &set[i];
    }
    *oldest = (struct bucket){.key = key};
    return oldest;
}

static void tell(const struct rate *rate, struct bounds bounds, int64_t now_ms, int64_t wait_ms,
                 struct limit_verdict *ret)
{
    int64_t left = rate_left(rate, bounds.rate_per_s, bounds.burst, now_ms);
    *ret = (struct limit_verdict){
        .wait_ms = wait_ms,
        .limit = bounds.burst,
        .left = left > 0 ? left : 0,
        .reset_ms = (bounds.burst - left) * 1000 / bounds.rate_per_s,
    };
}

/* How long until a bucket that may fall below zero is above; 0: it is. */
static int64_t debt_ms(const struct rate *rate, struct bounds bounds, int64_t now_ms)
{
    int64_t left = rate_left(rate, bounds.rate_per_s, bounds.burst, now_ms);
    return left >= 0 ? 0 : -left * 1000 / bounds.rate_per_s + 1;
}

bool limiter_take(struct limiter *limiter, enum limit limit, const struct limit_subject *subject,
                  int64_t cost, int64_t now_ms, struct limit_verdict *ret)
{
    struct bounds bounds = bounds_of(limiter->settings, limit);
    if (bounds.rate_per_s == 0) {
        if (ret)
            *ret = (struct limit_verdict){0};
        return true;
    }
    uint64_t key = key_of(limit, subject);
    size_t set = key % SETS;
    struct stripe *stripe = &limiter->stripes[set % STRIPES];
    int64_t wait_ms = 0;
    pthread_mutex_lock(&stripe->lock);
    struct rate *rate = &find_bucket(&limiter->buckets[set * LIMITER_SET], key)->rate;
    if (limit == LIMIT_FANOUT)
        wait_ms = debt_ms(rate, bounds, now_ms);
    else if (!rate_take(rate, bounds.rate_per_s, bounds.burst, cost, now_ms, &wait_ms) &&
             wait_ms == 0)
        wait_ms = 1;
    if (ret)
        tell(rate, bounds, now_ms, wait_ms, ret);
    pthread_mutex_unlock(&stripe->lock);
    return wait_ms == 0;
}

static void charge(struct limiter *limiter, enum limit limit, const struct limit_subject *subject,
                   int64_t cost, int64_t now_ms)
{
    struct bounds bounds = bounds_of(limiter->settings, limit);
    if (bounds.rate_per_s == 0)
        return;
    uint64_t key = key_of(limit, subject);
    size_t set = key % SETS;
    struct stripe *stripe = &limiter->stripes[set % STRIPES];
    pthread_mutex_lock(&stripe->lock);
    struct rate *rate = &find_bucket(&limiter->buckets[set * LIMITER_SET], key)->rate;
    rate_charge(rate, bounds.rate_per_s, bounds.burst, cost, now_ms);
    pthread_mutex_unlock(&stripe->lock);
}

void limiter_charge(struct limiter *limiter, const struct limit_subject *subject, int64_t bytes,
                    int64_t now_ms)
{
    charge(limiter, LIMIT_FANOUT, subject, bytes, now_ms);
}

void limiter_give_back(struct limiter *limiter, enum limit limit,
                       const struct limit_subject *subject, int64_t cost, int64_t now_ms)
{
    charge(limiter, limit, subject, -cost, now_ms);
}
