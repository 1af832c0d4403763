/* Entries of a stream, with those that the run adds: these stand above all that Redis has. */
#include <assert.h>

#include "store/ledger.h"
#include "store/redis_view_parts.h"

struct entries {
    const struct redis_entry *items;
    int count;
};

static bool is_own(const struct redis_view *view, const struct redis_added *added)
{
    return view->is_open && added->serial == view->serial;
}

static bool is_own_id(const struct redis_view *view, struct event_id id)
{
    return view->command && redis_is_pending(id) && id.seq >= (uint64_t)view->command->first_event;
}

static bool is_in(const struct redis_range *range, struct event_id id)
{
    return event_id_compare(id, range->after) > 0 && event_id_compare(id, range->before) < 0;
}

/* `none` is what Redis takes for `unbounded`. */
static struct span bound(struct redis_view *view, struct event_id id, struct event_id unbounded,
                         const char *none)
{
    struct span text = {0};
    if (event_id_compare(id, unbounded) != 0) {
        text = redis_id_text(view, id);
        if (!text.data)
            return text;
    }
    return redis_bound(view, text, none);
}

/* What Redis has. */
static int base(struct redis_view *view, struct redis_key *stream, const struct redis_range *range,
                struct entries *ret)
{
    const struct redis_asked *asked;
    struct event_id before = redis_is_pending(range->before) ? EVENT_ID_LAST : range->before;
    struct redis_asked wanted = {
        .verb = 'R',
        .key = stream,
        .from = bound(view, range->after, EVENT_ID_NONE, "-"),
        .to = bound(view, before, EVENT_ID_LAST, "+"),
        .limit = range->limit,
        .descending = range->newest_first,
        .with_count = range->with_count,
    };
    *ret = (struct entries){0};
    if (redis_is_pending(range->after) || redis_key_is_dropped(view, stream))
        return 0;
    for (int i = 0; i < range->with_count; i++) {
        wanted.with[i] = range->with[i];
        if (!wanted.with[i])
            return redis_view_failed(view);
    }
    if (!wanted.from.data || !wanted.to.data)
        return redis_view_failed(view);
    int err = redis_ask(view, &wanted, &asked);
    if (!err)
        *ret = (struct entries){asked->entries, asked->count};
    return err;
}

/* Added ones in the range; those of the present command only `with_own`. */
static bool counts(const struct redis_view *view, const struct redis_added *added,
                   const struct redis_range *range, bool with_own)
{
    return (with_own || !is_own(view, added)) && is_in(range, added->entry.id);
}

static const struct redis_added *newest(const struct redis_view *view, const struct redis_key *key)
{
    return key->run == view->run ? key->added : NULL;
}

/* Those of Redis with those that were added, in the range's order, at most its limit. */
static int merge(struct redis_view *view, const struct redis_key *stream,
                 const struct redis_range *range, const struct entries *base, bool with_own,
                 struct entries *ret)
{
    const struct redis_added *first = newest(view, stream);
    int added = 0;
    for (const struct redis_added *at = first; at && !at->is_drop; at = at->older)
        added += counts(view, at, range, with_own);
    *ret = *base;
    if (added == 0)
        return 0;
    struct redis_entry *items =
        redis_run_alloc(view, ((size_t)base->count + (size_t)added) * sizeof(*items));
    if (!items)
        return redis_view_failed(view);
    int at = range->newest_first ? 0 : base->count + added;
    if (base->count)
        memcpy(items + (range->newest_first ? added : 0), base->items,
               (size_t)base->count * sizeof(*items));
    for (const struct redis_added *one = first; one && !one->is_drop; one = one->older) {
        if (counts(view, one, range, with_own))
            items[range->newest_first ? at++ : --at] = one->entry;
    }
    ret->items = items;
    ret->count = base->count + added < range->limit ? base->count + added : range->limit;
    return 0;
}

static int join(struct redis_view *view, const struct entries *entries, struct span *ret)
{
    struct buf buf;
    int err = 0;
    size_t size = (size_t)entries->count * EVENT_ID_TEXT_MAX + 1;
    char *data = redis_run_alloc(view, size);
    if (!data)
        return redis_view_failed(view);
    buf = (struct buf){.data = data, .size = size, .bytes_max = size};
    for (int i = 0; i < entries->count && !err; i++) {
        if (i)
            buf.data[buf.len++] = REDIS_NAMES_SEPARATOR;
        err = redis_put_id(&buf, entries->items[i].id);
    }
    *ret = buf_span(&buf);
    return err ? err : redis_need_marks(view, *ret);
}

/* That the range was the same before the present command. */
static int check(struct redis_view *view, struct redis_key *stream, const struct redis_range *range,
                 const struct entries *before)
{
    struct span was;
    struct event_id end = is_own_id(view, range->before) ? EVENT_ID_LAST : range->before;
    if (!view->command)
        return redis_view_failed(view);
    if (is_own_id(view, range->after) || redis_key_is_own_drop(view, stream))
        return 0;
    struct span from = bound(view, range->after, EVENT_ID_NONE, "-");
    struct span to = bound(view, end, EVENT_ID_LAST, "+");
    if (!from.data || !to.data)
        return redis_view_failed(view);
    int err = redis_need_marks(view, from);
    if (!err)
        err = redis_need_marks(view, to);
    if (!err)
        err = join(view, before, &was);
    struct redis_check *check = err ? NULL : redis_check_add(view, 'R', stream);
    if (!check)
        return err ? err : redis_view_failed(view);
    check->from = from;
    check->to = to;
    check->limit = range->limit;
    check->descending = range->newest_first;
    check->was = was;
    return 0;
}

int redis_view_entries(struct redis_view *view, struct redis_key *stream,
                       const struct redis_range *range, bool loose, const struct redis_entry **ret,
                       int *ret_count)
{
    struct entries found, before;
    assert(range->limit > 0 && range->with_count <= REDIS_WITH_MAX);
    if (!stream)
        return redis_view_failed(view);
    if (event_id_is_none(range->before) || event_id_compare(range->after, EVENT_ID_LAST) == 0) {
        *ret_count = 0; /* no id is there, and Redis refuses such bounds */
        return 0;
    }
    int err = base(view, stream, range, &found);
    if (!err && view->is_open && !loose) {
        err = merge(view, stream, range, &found, false, &before);
        if (!err)
            err = check(view, stream, range, &before);
    }
    if (!err)
        err = merge(view, stream, range, &found, true, &found);
    if (err)
        return err;
    *ret = found.items;
    *ret_count = found.count;
    return 0;
}

int redis_view_entry(struct redis_view *view, struct redis_key *stream, struct event_id id,
                     struct redis_entry *ret, bool *ret_found)
{
    const struct redis_asked *asked;
    struct redis_asked wanted = {.verb = 'R', .key = stream, .limit = 1};
    if (!stream)
        return redis_view_failed(view);
    for (const struct redis_added *at = newest(view, stream); at && !at->is_drop; at = at->older) {
        if (event_id_compare(at->entry.id, id) == 0) {
            *ret = at->entry;
            *ret_found = true;
            /* What is decided on it depends on it. */
            return view->is_open ? redis_need_event(view, id) : 0;
        }
    }
    *ret_found = false;
    if (redis_is_pending(id) || redis_key_is_dropped(view, stream))
        return 0;
    wanted.from = wanted.to = redis_id_text(view, id);
    if (!wanted.from.data)
        return redis_view_failed(view);
    int err = redis_ask(view, &wanted, &asked);
    if (!err && asked->count > 0) {
        *ret = asked->entries[0];
        *ret_found = true;
    }
    return err;
}
