/* The stays of users in rooms. */
#include <stdlib.h>

#include "base/err.h"
#include "store/redis_ledger.h"

/* Closed ones that are looked at in one read. */
#define CLOSED_MAX 100000
/* Closed ones that are looked at when another is opened, those that ended last first. */
#define GONE_AT_ONCE 256

static struct redis_key *open_of(struct redis_ledger *ledger, place_number user)
{
    return redis_key_of(ledger->view, 'u', user, "open");
}

static struct redis_key *closed_of(struct redis_ledger *ledger, place_number user)
{
    return redis_key_of(ledger->view, 'u', user, "closed");
}

/* -- records -------------------------------------------------------------------------------- */

/* Named by the end, so that those that end above an id are found. */
static int closed_name(struct redis_ledger *ledger, const struct ledger_tenure *tenure,
                       struct span *ret)
{
    struct buf *name = redis_scratch(ledger);
    int err = redis_put_name_of_id(name, tenure->until);
    if (!err)
        err = buf_format(name, "%llu/", (unsigned long long)tenure->room);
    if (!err)
        err = redis_put_name_of_id(name, tenure->from);
    *ret = buf_span(name);
    return err;
}

static int closed_cut(struct span name, struct ledger_tenure *ret)
{
    int err = redis_cut_name_of_id(&name, &ret->until);
    if (err)
        return err;
    ret->room = redis_place_parse(span_cut(&name, '/'));
    return ret->room ? redis_cut_name_of_id(&name, &ret->from) : ERR_CORRUPT;
}

/* Above the names of all that ended at or below `id`, and below those of all others. */
static int closed_bound(struct redis_ledger *ledger, struct event_id id, struct span *ret)
{
    struct buf *bound = redis_scratch(ledger);
    int err = redis_put_name_of_id(bound, id);
    if (!err)
        err = buf_add_text(bound, "~");
    *ret = buf_span(bound);
    return err;
}

int redis_tenure_find(struct redis_ledger *ledger, place_number user, place_number room,
                      struct event_id *ret)
{
    struct span value;
    int err = redis_view_get(ledger->view, open_of(ledger, user), redis_text_of(room), &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    return redis_parse_id(value, ret);
}

/* -- opening and closing -------------------------------------------------------------------- */

/* Stays in the room whose every event is gone show nothing any more. Once closed they never
 * change, so that nothing of it is checked. */
static int drop_gone(struct redis_ledger *ledger, place_number user, place_number room)
{
    const struct span *names = NULL;
    struct ledger_tenure tenure;
    struct event_id gone;
    struct span before;
    int count = 0;
    int err = redis_room_gone(ledger, room, &gone);
    if (err || event_id_is_none(gone))
        return err;
    err = closed_bound(ledger, gone, &before);
    if (!err)
        err = redis_view_names(ledger->view, closed_of(ledger, user), (struct span){NULL, 0},
                               before, GONE_AT_ONCE, true, true, &names, &count);
    for (int i = 0; i < count && !err; i++) {
        err = closed_cut(names[i], &tenure);
        if (!err && tenure.room == room)
            err = redis_view_name_remove(ledger->view, closed_of(ledger, user), names[i]);
    }
    return err;
}

static int tenure_open(struct ledger *base, place_number user, place_number room,
                       struct event_id from)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    int err = drop_gone(ledger, user, room);
    struct buf *value = redis_scratch(ledger);
    if (!err)
        err = redis_put_id(value, from);
    return err ? err
               : redis_view_set(ledger->view, open_of(ledger, user), redis_text_of(room),
                                buf_span(value));
}

static int tenure_close(struct ledger *base, place_number user, place_number room,
                        struct event_id until)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct ledger_tenure tenure = {.room = room, .until = until};
    struct span name;
    int err = redis_tenure_find(ledger, user, room, &tenure.from);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    err = redis_view_unset(ledger->view, open_of(ledger, user), redis_text_of(room));
    if (!err)
        err = closed_name(ledger, &tenure, &name);
    return err ? err : redis_view_name_add(ledger->view, closed_of(ledger, user), name);
}

/* -- lists ---------------------------------------------------------------------------------- */

struct list_of {
    struct event_id after;       /* those that end above it are wanted */
    struct ledger_tenure *items; /* owned */
    int count, size;
};

static int add(struct list_of *list, const struct ledger_tenure *tenure)
{
    if (event_id_compare(tenure->until, list->after) <= 0)
        return 0;
    if (list->count == list->size) {
        int size = list->size ? 2 * list->size : 32;
        struct ledger_tenure *grown = realloc(list->items, (size_t)size * sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        list->items = grown;
        list->size = size;
    }
    list->items[list->count++] = *tenure;
    return 0;
}

/* One that is open in a doomed room ended with it. */
static int add_open(struct redis_ledger *ledger, struct list_of *list, place_number room,
                    struct event_id from)
{
    struct ledger_tenure tenure = {.room = room, .from = from, .until = EVENT_ID_LAST};
    struct event_id doomed;
    int err = room ? redis_doomed(ledger, room, &doomed) : ERR_CORRUPT;
    if (err)
        return err;
    if (!event_id_is_none(doomed))
        tenure.until = doomed;
    return add(list, &tenure);
}

static int add_open_in(struct redis_ledger *ledger, struct list_of *list, place_number user,
                       place_number room)
{
    struct event_id from;
    int err = redis_tenure_find(ledger, user, room, &from);
    if (err)
        return err == ERR_NOT_FOUND ? 0 : err;
    return add_open(ledger, list, room, from);
}

static int add_all_open(struct redis_ledger *ledger, struct list_of *list, place_number user)
{
    const struct span *fields = NULL;
    struct event_id from;
    int count = 0, missed = 0;
    int err = redis_view_fields(ledger->view, open_of(ledger, user), &fields, &count);
    for (int i = 0; i + 1 < count && !err; i += 2) {
        err = redis_parse_id(fields[i + 1], &from);
        if (!err)
            err =
                ledger_put_off(add_open(ledger, list, redis_place_parse(fields[i]), from), &missed);
    }
    return err ? err : missed;
}

static int add_closed(struct redis_ledger *ledger, struct list_of *list, place_number user,
                      place_number room)
{
    const struct span *names = NULL;
    struct ledger_tenure tenure;
    struct span after;
    int count = 0;
    /* Only open ones end as late as that. */
    if (list->after.ms == UINT64_MAX)
        return 0;
    int err = closed_bound(ledger, list->after, &after);
    if (!err)
        err = redis_view_names(ledger->view, closed_of(ledger, user), after, (struct span){NULL, 0},
                               CLOSED_MAX, false, true, &names, &count);
    for (int i = 0; i < count && !err; i++) {
        err = closed_cut(names[i], &tenure);
        if (!err && (!room || tenure.room == room))
            err = add(list, &tenure);
    }
    return err;
}

static int compare(const void *a, const void *b)
{
    const struct ledger_tenure *left = a, *right = b;
    if (left->room != right->room)
        return left->room < right->room ? -1 : 1;
    return event_id_compare(left->from, right->from);
}

static int tenures(struct ledger *base, place_number user, place_number room, struct event_id after,
                   ledger_tenure_visitor visit, void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct list_of list = {.after = after};
    struct event_id doomed;
    int missed = 0;
    /* Asked for with the rest, since all that are open need it. */
    int err = ledger_put_off(redis_doomed(ledger, room, &doomed), &missed);
    if (!err)
        err = ledger_put_off(room ? add_open_in(ledger, &list, user, room)
                                  : add_all_open(ledger, &list, user),
                             &missed);
    if (!err)
        err = ledger_put_off(add_closed(ledger, &list, user, room), &missed);
    if (!err && list.count > 1)
        qsort(list.items, (size_t)list.count, sizeof(*list.items), compare);
    for (int i = 0; i < list.count && !err && !missed; i++)
        err = visit(context, &list.items[i]);
    free(list.items);
    return err ? err : missed;
}

void redis_ledger_add_tenures(struct ledger_ops *ops)
{
    ops->tenure_open = tenure_open;
    ops->tenure_close = tenure_close;
    ops->tenures = tenures;
}
