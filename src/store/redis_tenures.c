/* The stays of users in rooms. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/redis_ledger.h"

/* Closed ones that are looked at in one read. */
#define CLOSED_MAX 100000
#define ROOM_DIGITS 20

static struct redis_key *open_of(struct redis_ledger *ledger, place_number user)
{
    return redis_key_of(ledger->view, 'u', user, "open");
}

static struct redis_key *closed_of(struct redis_ledger *ledger, place_number user)
{
    return redis_key_of(ledger->view, 'u', user, "closed");
}

/* Named by the end, so that those that end above an id are found. */
static int closed_name(struct redis_ledger *ledger, const struct ledger_tenure *tenure,
                       struct span *ret)
{
    struct buf *buf = &ledger->scratch;
    char room[ROOM_DIGITS + 1];
    snprintf(room, sizeof(room), "%0*llu", ROOM_DIGITS, (unsigned long long)tenure->room);
    buf->len = 0;
    int err = redis_put_name_of_id(buf, tenure->until);
    if (!err)
        err = buf_add_text(buf, room);
    if (!err)
        err = redis_put_name_of_id(buf, tenure->from);
    *ret = buf_span(buf);
    return err;
}

static int closed_cut(struct span name, struct ledger_tenure *ret)
{
    int err = redis_cut_name_of_id(&name, &ret->until);
    if (err || name.len < ROOM_DIGITS)
        return ERR_CORRUPT;
    ret->room = 0;
    for (int i = 0; i < ROOM_DIGITS; i++)
        ret->room = 10 * ret->room + (place_number)(name.data[i] - '0');
    name = span_of(name.data + ROOM_DIGITS, name.len - ROOM_DIGITS);
    return redis_cut_name_of_id(&name, &ret->from);
}

static int get_open(struct redis_ledger *ledger, place_number user, place_number room,
                    struct event_id *ret)
{
    struct span value;
    int err =
        redis_view_get(ledger->view, open_of(ledger, user), redis_text_of(room), &value);
    if (err || !value.data)
        return err ? err : ERR_NOT_FOUND;
    return redis_parse_id(value, ret);
}

static int tenure_open(struct ledger *base, place_number user, place_number room,
                       struct event_id from)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    ledger->scratch.len = 0;
    int err = redis_put_id(&ledger->scratch, from);
    return err ? err
               : redis_view_set(ledger->view, open_of(ledger, user), redis_text_of(room),
                                buf_span(&ledger->scratch));
}

static int tenure_close(struct ledger *base, place_number user, place_number room,
                        struct event_id until)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct ledger_tenure tenure = {.room = room, .until = until};
    struct span name;
    int err = get_open(ledger, user, room, &tenure.from);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    err = redis_view_unset(ledger->view, open_of(ledger, user), redis_text_of(room));
    if (!err)
        err = closed_name(ledger, &tenure, &name);
    return err ? err : redis_view_name_add(ledger->view, closed_of(ledger, user), name);
}

/* -- lists ---------------------------------------------------------------------------------- */

struct list_of {
    struct ledger_tenure *items; /* owned */
    int count, size;
};

static int add(struct list_of *list, const struct ledger_tenure *tenure)
{
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
static int add_open(struct redis_ledger *ledger, place_number realm, place_number room,
                    struct event_id from, struct event_id after, struct list_of *list)
{
    struct ledger_tenure tenure = {.room = room, .from = from, .until = EVENT_ID_LAST};
    struct event_id doomed;
    int err = redis_doomed(ledger, realm, room, &doomed);
    if (err)
        return err;
    if (!event_id_is_none(doomed))
        tenure.until = doomed;
    return event_id_compare(tenure.until, after) > 0 ? add(list, &tenure) : 0;
}

static int collect_open(struct redis_ledger *ledger, place_number realm, place_number user,
                        place_number room, struct event_id after, struct list_of *list)
{
    const struct span *fields = NULL;
    struct event_id from;
    int count = 0, err;
    if (room) {
        err = get_open(ledger, user, room, &from);
        if (err)
            return err == ERR_NOT_FOUND ? 0 : err;
        return add_open(ledger, realm, room, from, after, list);
    }
    err = redis_view_fields(ledger->view, open_of(ledger, user), &fields, &count);
    for (int i = 0; i + 1 < count && !err; i += 2) {
        err = redis_parse_id(fields[i + 1], &from);
        if (!err)
            err = add_open(ledger, realm, redis_place_parse(fields[i]), from, after, list);
    }
    return err;
}

static int collect_closed(struct redis_ledger *ledger, place_number user, place_number room,
                          struct event_id after, struct list_of *list)
{
    const struct span *names = NULL;
    struct ledger_tenure tenure;
    int count = 0;
    ledger->scratch.len = 0;
    /* All names that begin with the id itself are below this. */
    int err = redis_put_name_of_id(&ledger->scratch, after);
    if (!err)
        err = buf_add_text(&ledger->scratch, "g");
    if (!err)
        err = redis_view_names(ledger->view, closed_of(ledger, user), buf_span(&ledger->scratch),
                               (struct span){NULL, 0}, CLOSED_MAX, false, true, &names, &count);
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
    struct list_of list = {NULL, 0, 0};
    place_number realm = 0;
    struct span id;
    int missed = 0;
    int err = redis_user_id(ledger, user, &realm, &id);
    if (!err)
        err = ledger_put_off(collect_open(ledger, realm, user, room, after, &list), &missed);
    if (!err)
        err = ledger_put_off(collect_closed(ledger, user, room, after, &list), &missed);
    if (!err && !missed && list.count > 1)
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
