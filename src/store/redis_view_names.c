/* Names of a sorted set, with what the run did to it.
 *
 * What Redis has of the range up to a limit (*base*) is known from its first name to its last, the
 * *edge*; when it is fewer than the limit, to the end of the range. On that the run's acts are
 * played: those of earlier commands give what the present command must find there, which is
 * checked, its own give what it reads. Too little is left of it: a larger limit is asked for. */
#include <assert.h>
#include <limits.h>

#include "store/redis_view_parts.h"

struct names {
    struct span *items;
    int count;
    bool is_down;              /* newest first */
    struct span after, before; /* of the range; data NULL: none */
    bool is_whole;             /* known to the end of the range */
    struct span edge;          /* else up to and with this one */
};

static int compare(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_way(const struct names *names, struct span a, struct span b)
{
    return names->is_down ? compare(b, a) : compare(a, b);
}

static bool is_known(const struct names *names, struct span name)
{
    if (names->after.data && compare(name, names->after) <= 0)
        return false;
    if (names->before.data && compare(name, names->before) >= 0)
        return false;
    return names->is_whole || compare_way(names, name, names->edge) <= 0;
}

/* Where it is, or would be. */
static int position(const struct names *names, struct span name)
{
    int low = 0, high = names->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (compare_way(names, names->items[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void play(struct names *names, const struct redis_name_op *op)
{
    int at, kept = 0;
    switch (op->act) {
    case REDIS_NAMES_DROP:
        names->count = 0;
        names->is_whole = true;
        return;
    case REDIS_NAMES_REMOVE:
        for (int i = 0; i < names->count; i++) {
            if ((op->name.data && compare(names->items[i], op->name) <= 0) ||
                (op->before.data && compare(names->items[i], op->before) >= 0))
                names->items[kept++] = names->items[i];
        }
        names->count = kept;
        return;
    case REDIS_NAME_ADD:
    case REDIS_NAME_REMOVE:
        if (!is_known(names, op->name))
            return;
        at = position(names, op->name);
        bool is_there = at < names->count && span_equal(names->items[at], op->name);
        struct span *item = &names->items[at];
        size_t behind = (size_t)(names->count - at);
        if (op->act == REDIS_NAME_ADD && !is_there) {
            memmove(item + 1, item, behind * sizeof(*item));
            *item = op->name;
            names->count++;
        } else if (op->act == REDIS_NAME_REMOVE && is_there) {
            memmove(item, item + 1, (behind - 1) * sizeof(*item));
            names->count--;
        }
        return;
    }
}

static bool is_of(const struct redis_view *view, const struct redis_name_op *op, bool own)
{
    return (view->is_open && op->serial == view->serial) == own;
}

/* The acts of earlier commands, or the present one's own, the oldest first. */
static int play_all(struct redis_view *view, struct names *names, const struct redis_key *key,
                    bool own)
{
    size_t count = 0, left;
    if (key->run != view->run)
        return 0;
    for (const struct redis_name_op *op = key->names; op; op = op->older)
        count += is_of(view, op, own);
    if (count == 0)
        return 0;
    const struct redis_name_op **ops = redis_run_alloc(view, count * sizeof(*ops));
    struct span *items = redis_run_alloc(view, ((size_t)names->count + count) * sizeof(*items));
    if (!ops || !items)
        return redis_view_failed(view);
    if (names->count)
        memcpy(items, names->items, (size_t)names->count * sizeof(*items));
    names->items = items;
    left = count;
    for (const struct redis_name_op *op = key->names; op; op = op->older) {
        if (is_of(view, op, own))
            ops[--left] = op;
    }
    for (size_t i = 0; i < count; i++)
        play(names, ops[i]);
    return 0;
}

static int join(struct redis_view *view, const struct names *names, struct span *ret)
{
    size_t len = 0;
    int err = 0;
    for (int i = 0; i < names->count && !err; i++) {
        len += names->items[i].len + 1;
        err = redis_need_marks(view, names->items[i]);
    }
    char *data = err ? NULL : redis_run_alloc(view, len + 1);
    if (!data)
        return err ? err : redis_view_failed(view);
    char *at = data;
    for (int i = 0; i < names->count; i++) {
        if (i)
            *at++ = REDIS_NAMES_SEPARATOR;
        if (names->items[i].len)
            memcpy(at, names->items[i].data, names->items[i].len);
        at += names->items[i].len;
    }
    *ret = span_of(data, (size_t)(at - data));
    return 0;
}

/* That the range begins with what stood there before the present command, or is all of that. */
static int check(struct redis_view *view, struct redis_key *key, const struct names *names)
{
    struct span was;
    struct span from = redis_bound(view, names->after, "-");
    struct span to = redis_bound(view, names->before, "+");
    if (!view->command || !from.data || !to.data)
        return redis_view_failed(view);
    int err = redis_need_marks(view, from);
    if (!err)
        err = redis_need_marks(view, to);
    if (!err)
        err = join(view, names, &was);
    struct redis_check *check = err ? NULL : redis_check_add(view, 'N', key);
    if (!check)
        return err ? err : redis_view_failed(view);
    check->from = from;
    check->to = to;
    check->limit = names->count + names->is_whole;
    check->descending = names->is_down;
    check->was = was;
    return 0;
}

/* What Redis has of it, at most `limit`. */
static int base(struct redis_view *view, struct redis_key *key, int limit, struct names *names)
{
    const struct redis_asked *asked;
    struct redis_asked wanted = {
        .verb = 'N',
        .key = key,
        .from = redis_bound(view, names->after, "-"),
        .to = redis_bound(view, names->before, "+"),
        .limit = limit,
        .descending = names->is_down,
    };
    names->is_whole = true;
    if (redis_key_is_dropped(view, key))
        return 0;
    if (!wanted.from.data || !wanted.to.data)
        return redis_view_failed(view);
    int err = redis_ask_names(view, wanted, &asked);
    if (err)
        return err;
    names->items = asked->names;
    names->count = asked->count;
    names->is_whole = asked->count < limit;
    if (!names->is_whole)
        names->edge = asked->names[asked->count - 1];
    return 0;
}

/* ERR_AGAIN: so many are too few. */
static int look(struct redis_view *view, struct redis_key *key, int asked, int limit, bool loose,
                struct names *names)
{
    int err = base(view, key, asked, names);
    if (!err)
        err = play_all(view, names, key, false);
    if (err)
        return err;
    if (!names->is_whole && names->count == 0)
        return ERR_AGAIN;
    if (!names->is_whole)
        names->edge = names->items[names->count - 1];
    struct names found = *names;
    err = play_all(view, &found, key, true);
    if (err)
        return err;
    if (!found.is_whole && found.count < limit)
        return ERR_AGAIN;
    if (view->is_open && !loose && !redis_key_is_own_drop(view, key))
        err = check(view, key, names);
    *names = found;
    return err;
}

/* With one more for each that the run takes away. */
static int first_limit(const struct redis_view *view, const struct redis_key *key, int limit)
{
    int removed = 0;
    const struct redis_name_op *op = key->run == view->run ? key->names : NULL;
    for (; op; op = op->older)
        removed += op->act == REDIS_NAME_REMOVE;
    return limit < INT_MAX - removed ? limit + removed : INT_MAX;
}

int redis_view_names(struct redis_view *view, struct redis_key *names, struct span after,
                     struct span before, int limit, bool descending, bool loose,
                     const struct span **ret, int *ret_count)
{
    struct names found;
    assert(limit > 0);
    if (!names)
        return redis_view_failed(view);
    int err = ERR_AGAIN, asked = first_limit(view, names, limit);
    for (; err == ERR_AGAIN; asked = asked < INT_MAX / 4 ? 4 * asked : INT_MAX) {
        found = (struct names){.is_down = descending, .after = after, .before = before};
        err = look(view, names, asked, limit, loose, &found);
    }
    if (err)
        return err;
    *ret = found.items;
    *ret_count = found.count < limit ? found.count : limit;
    return 0;
}
