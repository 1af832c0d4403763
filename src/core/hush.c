#include "core/hush.h"

#include <assert.h>

#include "base/attr.h"

static struct hush *first(const struct list *list)
{
    struct link *link = list_first(list);
    return link ? container_of(link, struct hush, queued) : NULL;
}

static void move(struct hush *hush, enum hush_state to)
{
    static const bool allowed[][4] = {
        [HUSH_OFF] = {[HUSH_ON] = true},
        [HUSH_ON] = {[HUSH_WAITING] = true},
        [HUSH_WAITING] = {[HUSH_ON] = true, [HUSH_ENDING] = true},
        [HUSH_ENDING] = {[HUSH_ON] = true, [HUSH_OFF] = true},
    };
    assert(allowed[hush->state][to]);
    link_remove(&hush->queued);
    hush->state = (uint8_t)to;
}

void hushes_init(struct hushes *hushes)
{
    assert(hushes->ops);
    list_init(&hushes->waiting);
    list_init(&hushes->ending);
}

void hush_set(struct hushes *hushes, struct hush *hush, bool large, int64_t now_ms)
{
    hush->large = large;
    if (large && hush->state == HUSH_OFF) {
        move(hush, HUSH_ON);
        hushes->ops->on_begin(hushes, hush);
    } else if (large && hush->state == HUSH_WAITING) {
        move(hush, HUSH_ON);
    } else if (!large && hush->state == HUSH_ON) {
        move(hush, HUSH_WAITING);
        hush->due_ms = now_ms + hushes->interval_ms;
        list_append(&hushes->waiting, &hush->queued);
    }
}

void hush_remove(struct hush *hush)
{
    link_remove(&hush->queued);
    hush->state = HUSH_OFF;
}

static void end(struct hushes *hushes, struct hush *hush)
{
    if (hush->large) {
        move(hush, HUSH_ON);
        hushes->ops->on_begin(hushes, hush);
    } else {
        move(hush, HUSH_OFF);
        hushes->ops->on_end(hushes, hush);
    }
}

void hushes_tick(struct hushes *hushes, int64_t now_ms, int64_t budget)
{
    struct hush *hush;
    int64_t cost = 0;
    while ((hush = first(&hushes->waiting)) && hush->due_ms <= now_ms) {
        move(hush, HUSH_ENDING);
        list_append(&hushes->ending, &hush->queued);
    }
    while (cost < budget && (hush = first(&hushes->ending))) {
        if (hushes->ops->on_step(hushes, hush, &cost))
            end(hushes, hush);
    }
}

int64_t hushes_due_in(const struct hushes *hushes, int64_t now_ms)
{
    const struct hush *next = first(&hushes->waiting);
    if (!list_is_empty(&hushes->ending) || (next && next->due_ms <= now_ms))
        return 0;
    return next ? next->due_ms - now_ms : -1;
}
