/* The limiter: how often users and addresses may do what.
 *
 * WHY    limits hold for a node, not for each worker, and nothing a client sends may make them
 *        cost memory.
 * MODEL  one token bucket (core/rate.h) for each kind and name, found by a keyed hash of both in
 *        a table of fixed size, in sets of LIMITER_SET. A set that is full gives up the bucket
 *        that was used longest ago, which by then is full again or nearly so; there is no timer
 *        and no sweep. Two names with the same 64 bits of hash would share a bucket.
 *        Guests count by user and address, since one guest token may serve a crowd. IPv6
 *        addresses count by /64.
 *        The budget of fan-out is charged after a message was stored, when its cost is known,
 *        and may fall below zero: then the sender waits until it is above.
 * BOUNDS LIMITER_BUCKETS of 24 bytes.
 * Floor: api. Any thread: a short lock for each stripe of sets. */
#ifndef TIDINGS_API_LIMITER_H
#define TIDINGS_API_LIMITER_H

#include "base/attr.h"
#include "base/settings.h"
#include "base/span.h"

#define LIMITER_BUCKETS 131072
#define LIMITER_SET 8

enum limit {
    LIMIT_REQUESTS, /* limits.requests, by user */
    LIMIT_MESSAGES, /* limits.messages and _burst, by user */
    LIMIT_TYPING,   /* limits.typing, by user */
    LIMIT_SERVICE,  /* limits.service, by service user */
    LIMIT_STREAMS,  /* limits.streams_per_address and streams_burst, by address */
    LIMIT_FANOUT,   /* limits.fanout_bytes, by user */
    LIMIT_COUNT
};

/* Whom it counts for. Absent spans are left out of the name. */
struct limit_subject {
    struct span realm, user;
    struct span address; /* as text */
};

/* What a client is told. */
struct limit_verdict {
    int64_t wait_ms;  /* 0: allowed */
    int64_t limit;    /* the bucket's size; 0: no limit */
    int64_t left;     /* what is in it, at least 0 */
    int64_t reset_ms; /* until it is full */
};

struct limiter;

/* `settings` is borrowed for life. NULL when memory ran out. */
MUST_CHECK struct limiter *limiter_new(const struct settings *settings);
struct limiter *limiter_free(struct limiter *limiter);

/* Takes `cost` from the bucket of `limit`; false, and nothing taken, when it holds less.
 * LIMIT_FANOUT: takes nothing, false while it is below zero. `ret` may be NULL. `now_ms`:
 * clock_now_ms(). */
bool limiter_take(struct limiter *limiter, enum limit limit, const struct limit_subject *subject,
                  int64_t cost, int64_t now_ms, struct limit_verdict *ret);
/* Puts back what was taken and not used. */
void limiter_give_back(struct limiter *limiter, enum limit limit,
                       const struct limit_subject *subject, int64_t cost, int64_t now_ms);
/* Charges `bytes` times readers to the budget of fan-out. */
void limiter_charge(struct limiter *limiter, const struct limit_subject *subject, int64_t bytes,
                    int64_t now_ms);

/* The part of an address that counts: all of an IPv4 (also as ::ffff:…), the /64 of an IPv6,
 * the text itself of anything else. Writes at most LIMITER_ADDRESS_MAX bytes, returns how many. */
#define LIMITER_ADDRESS_MAX 64
size_t limiter_address(struct span text, unsigned char out[LIMITER_ADDRESS_MAX]);

#endif
