#include "base/map.h"
#include "store/redis_view_parts.h"

struct span redis_bound(struct redis_view *view, struct span text, const char *none)
{
    if (!text.data)
        return span_text(none);
    char *data = redis_run_alloc(view, text.len + 2);
    if (!data)
        return (struct span){0};
    data[0] = '(';
    if (text.len)
        memcpy(data + 1, text.data, text.len);
    return span_of(data, text.len + 1);
}

struct span redis_unbound(struct span bound)
{
    if (bound.len == 0 || bound.data[0] != '(')
        return (struct span){0};
    return span_of(bound.data + 1, bound.len - 1);
}

struct span redis_id_text(struct redis_view *view, struct event_id id)
{
    char text[EVENT_ID_TEXT_MAX];
    struct buf buf = {.data = text, .size = sizeof(text), .bytes_max = sizeof(text)};
    if (redis_put_id(&buf, id))
        return (struct span){0};
    return redis_run_copy(view, buf_span(&buf));
}

static bool is_same(const struct redis_asked *a, const struct redis_asked *b)
{
    return a->verb == b->verb && a->key == b->key && a->other == b->other && a->limit == b->limit &&
           a->descending == b->descending && a->with_count == b->with_count &&
           memcmp(a->with, b->with, sizeof(a->with)) == 0 && span_equal(a->from, b->from) &&
           span_equal(a->to, b->to);
}

static uint64_t hash_of(const struct redis_asked *asked)
{
    uint64_t numbers[] = {asked->key->slot.hash,
                          asked->other ? asked->other->slot.hash : 0,
                          (uint64_t)asked->limit,
                          (uint64_t)asked->verb,
                          asked->descending,
                          map_hash(asked->from.data, asked->from.len),
                          map_hash(asked->to.data, asked->to.len)};
    return map_hash(numbers, sizeof(numbers));
}

static struct redis_asked *add(struct redis_view *view, const struct redis_asked *wanted,
                               uint64_t hash)
{
    struct redis_asked *asked = redis_facts_alloc(view, sizeof(*asked));
    if (!asked)
        return NULL;
    *asked = *wanted;
    asked->slot.hash = hash;
    asked->from = redis_facts_copy(view, wanted->from);
    asked->to = redis_facts_copy(view, wanted->to);
    if ((wanted->from.data && !asked->from.data) || (wanted->to.data && !asked->to.data))
        return NULL;
    if (redis_ask_add(view, asked->verb, asked->key, NULL, asked))
        return NULL;
    return redis_slots_add(&view->asked, &asked->slot) ? asked : NULL;
}

int redis_ask(struct redis_view *view, const struct redis_asked *wanted,
              const struct redis_asked **ret)
{
    uint64_t hash = hash_of(wanted);
    struct redis_asked *asked = NULL;
    struct redis_slot *slot = redis_slots_first(&view->asked, hash);
    for (; slot && !asked; slot = slot->next) {
        struct redis_asked *other = container_of(slot, struct redis_asked, slot);
        if (slot->hash == hash && is_same(other, wanted))
            asked = other;
    }
    if (!asked && !(asked = add(view, wanted, hash)))
        return redis_view_failed(view);
    if (!view->fetch || asked->fetched != view->fetch)
        return ERR_NOT_FETCHED;
    *ret = asked;
    return 0;
}

/* Up to the first mark, and with a byte above all others for that: indices of events change from
 * run to run, and in Redis all that is like it is below it. */
static struct span without_marks(struct redis_view *view, struct span bound)
{
    struct redis_mark mark;
    if (!redis_find_mark(bound, &mark))
        return bound;
    struct span copy = redis_run_copy(view, span_of(bound.data, mark.at + 1));
    return copy;
}

int redis_ask_names(struct redis_view *view, struct redis_asked wanted,
                    const struct redis_asked **ret)
{
    wanted.from = without_marks(view, wanted.from);
    wanted.to = without_marks(view, wanted.to);
    if (!wanted.from.data || !wanted.to.data)
        return redis_view_failed(view);
    return redis_ask(view, &wanted, ret);
}

int redis_view_count_names(struct redis_view *view, struct redis_key *names, struct span after,
                           struct span before, uint64_t *ret)
{
    const struct redis_asked *asked;
    struct redis_asked wanted = {.verb = 'C',
                                 .key = names,
                                 .from = redis_bound(view, after, "-"),
                                 .to = redis_bound(view, before, "+")};
    if (!names || !wanted.from.data || !wanted.to.data)
        return redis_view_failed(view);
    int err = redis_ask_names(view, wanted, &asked);
    if (!err)
        *ret = asked->number;
    return err;
}

int redis_view_count_shared(struct redis_view *view, struct redis_key *a, struct redis_key *b,
                            uint64_t *ret)
{
    const struct redis_asked *asked;
    struct redis_asked wanted = {.verb = 'J', .key = a, .other = b};
    if (!a || !b)
        return redis_view_failed(view);
    int err = redis_ask(view, &wanted, &asked);
    if (!err)
        *ret = asked->number;
    return err;
}
