/* Receipts: markers that moved, gathered so that of many moves one is told.
 *
 * WHY    a client may move its marker with every message it shows; others are told now and then.
 * MODEL  the first move of a marker starts its wait, those that follow join it, and at the end of
 *        the wait it is taken out and told as it then is:
 *
 *            receipts_add ... receipts_add --- delay_ms after the first ---> receipts_take
 *
 *        A receipt says whose marker of which room may have moved, not where it stands.
 * BOUNDS one for each marker that moved within the delay.
 * Floor: core. Pure: time is an argument. One thread at a time. */
#ifndef TIDINGS_CORE_RECEIPT_H
#define TIDINGS_CORE_RECEIPT_H

#include "base/map.h"
#include "base/span.h"
#include "core/event_id.h"

struct receipt {
    UT_hash_handle hh;
    struct receipt *next;
    int64_t due_ms;
    struct span realm, user;
    struct span room;      /* empty: what the user acknowledged, in all rooms */
    bool for_others;       /* not only for one's own sessions */
    struct event_id after; /* of what was acknowledged: where it stood before */
    char key[];            /* realm NUL user NUL room */
};

struct receipts {
    struct receipt *by_key;
    struct receipt *oldest, *newest; /* by next; due in this order */
    int64_t delay_ms;
};

/* NULL when memory ran out. Freed with free(), or taken over by receipts_add. */
struct receipt *receipt_new(struct span realm, struct span user, struct span room, bool for_others,
                            struct event_id after);

void receipts_init(struct receipts *receipts, int64_t delay_ms);
void receipts_fini(struct receipts *receipts);
/* Takes the receipt over; NULL is fine. */
void receipts_add(struct receipts *receipts, struct receipt *receipt, int64_t now_ms);
/* One whose wait is over, the caller's from then on; NULL if there is none. */
struct receipt *receipts_take(struct receipts *receipts, int64_t now_ms);
/* Those that wait are due, and none waits from here on. */
void receipts_hurry(struct receipts *receipts, int64_t now_ms);
/* How long until the next is due, at least 0; -1 if none waits. */
int64_t receipts_wait_ms(const struct receipts *receipts, int64_t now_ms);

#endif
