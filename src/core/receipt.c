#include "core/receipt.h"

#include <stdlib.h>
#include <string.h>

static struct span put(char **at, struct span text)
{
    struct span copy = span_of(*at, text.len);
    if (text.len)
        memcpy(*at, text.data, text.len);
    (*at)[text.len] = 0;
    *at += text.len + 1;
    return copy;
}

struct receipt *receipt_new(struct span realm, struct span user, struct span room, bool for_others,
                            struct event_id after)
{
    struct receipt *receipt = malloc(sizeof(*receipt) + realm.len + user.len + room.len + 3);
    if (!receipt)
        return NULL;
    *receipt = (struct receipt){.for_others = for_others, .after = after};
    char *at = receipt->key;
    receipt->realm = put(&at, realm);
    receipt->user = put(&at, user);
    receipt->room = put(&at, room);
    return receipt;
}

static unsigned key_len(const struct receipt *receipt)
{
    return (unsigned)(receipt->realm.len + receipt->user.len + receipt->room.len + 2);
}

void receipts_init(struct receipts *receipts, int64_t delay_ms)
{
    *receipts = (struct receipts){.delay_ms = delay_ms};
}

void receipts_fini(struct receipts *receipts)
{
    struct receipt *receipt;
    while ((receipt = receipts_take(receipts, INT64_MAX)))
        free(receipt);
}

static void join(struct receipt *waiting, const struct receipt *receipt)
{
    waiting->for_others |= receipt->for_others;
    if (event_id_compare(receipt->after, waiting->after) < 0)
        waiting->after = receipt->after;
}

void receipts_add(struct receipts *receipts, struct receipt *receipt, int64_t now_ms)
{
    struct receipt *waiting;
    if (!receipt)
        return;
    HASH_FIND(hh, receipts->by_key, receipt->key, key_len(receipt), waiting);
    if (waiting) {
        join(waiting, receipt);
        free(receipt);
        return;
    }
    HASH_ADD_KEYPTR(hh, receipts->by_key, receipt->key, key_len(receipt), receipt);
    if (!map_added(&receipt->hh)) { /* no memory: it is told again after a resume */
        free(receipt);
        return;
    }
    receipt->due_ms = now_ms + receipts->delay_ms;
    receipt->next = NULL;
    if (receipts->newest)
        receipts->newest->next = receipt;
    else
        receipts->oldest = receipt;
    receipts->newest = receipt;
}

struct receipt *receipts_take(struct receipts *receipts, int64_t now_ms)
{
    struct receipt *receipt = receipts->oldest;
    if (!receipt || receipt->due_ms > now_ms)
        return NULL;
    receipts->oldest = receipt->next;
    if (!receipts->oldest)
        receipts->newest = NULL;
    receipt->next = NULL;
    HASH_DEL(receipts->by_key, receipt);
    return receipt;
}

void receipts_hurry(struct receipts *receipts, int64_t now_ms)
{
    receipts->delay_ms = 0;
    for (struct receipt *receipt = receipts->oldest; receipt; receipt = receipt->next) {
        if (receipt->due_ms > now_ms)
            receipt->due_ms = now_ms;
    }
}

int64_t receipts_wait_ms(const struct receipts *receipts, int64_t now_ms)
{
    if (!receipts->oldest)
        return -1;
    return receipts->oldest->due_ms > now_ms ? receipts->oldest->due_ms - now_ms : 0;
}
