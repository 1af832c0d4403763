/* Ranges of the events of a place.
 *
 * The messages of a room have a stream of their own, so that they can be read without the rest;
 * both are read as one where everything is asked for. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/redis_ledger.h"
#include "store/view.h"

/* Events that follow one another in a place are read as one range, and so many more than are
 * wanted, for those between them that nobody is shown. */
#define RANGE_SPARE 16

static int compare_wheres(const void *a, const void *b)
{
    const struct redis_where *left = *(const struct redis_where *const *)a;
    const struct redis_where *right = *(const struct redis_where *const *)b;
    int left_messages = left->type == EVENT_NEW_MESSAGE;
    int right_messages = right->type == EVENT_NEW_MESSAGE;
    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    if (left_messages != right_messages)
        return left_messages - right_messages;
    return event_id_compare(left->id, right->id);
}

static bool are_together(const struct redis_where *a, const struct redis_where *b)
{
    return a->place == b->place && (a->type == EVENT_NEW_MESSAGE) == (b->type == EVENT_NEW_MESSAGE);
}

/* The events of one stream, in order, with all that stands between them. */
static int expect_range(struct redis_ledger *ledger, struct redis_where **wheres, int count)
{
    const struct redis_where *first = wheres[0], *last = wheres[count - 1];
    struct redis_key *with[] = {redis_room_key(ledger, first->place, "bodies")};
    const struct redis_range range = {
        .after = event_id_previous(first->id),
        .before = event_id_next(last->id),
        .limit = count + RANGE_SPARE,
        .with = with,
        .with_count = array_count(with),
    };
    const struct redis_entry *entries;
    int entry_count;
    int err = redis_view_entries(ledger->view, redis_events_key(ledger, first->place, first->type),
                                 &range, true, &entries, &entry_count);
    for (int i = 0, at = 0; i < entry_count && !err && at < count; i++) {
        while (at < count && event_id_compare(wheres[at]->id, entries[i].id) < 0)
            at++;
        if (at < count && event_id_compare(wheres[at]->id, entries[i].id) == 0)
            err = redis_where_note(ledger, entries[i].id, first->place, first->type, &entries[i]);
    }
    return err;
}

static int expect_walked(struct redis_ledger *ledger, struct redis_where **wheres, int count)
{
    int err = 0, missed = 0;
    qsort(wheres, (size_t)count, sizeof(*wheres), compare_wheres);
    for (int i = 0, together; i < count && !err; i += together) {
        for (together = 1; i + together < count; together++) {
            if (!are_together(wheres[i], wheres[i + together]))
                break;
        }
        err = ledger_put_off(expect_range(ledger, wheres + i, together), &missed);
    }
    return err ? err : missed;
}

/* Where they stand; of those that were walked over in the realm's order also what stands there. */
static int events_expect(struct ledger *base, place_number realm, const struct event_id *ids,
                         int count)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_where **wheres = malloc((size_t)count * sizeof(struct redis_where *) + 1);
    int err = wheres ? 0 : ERR_MEMORY, missed = 0, walked = 0;
    for (int i = 0; i < count && !err; i++) {
        struct redis_where *where = NULL;
        err = ledger_put_off(redis_where_find(ledger, realm, ids[i], &where), &missed);
        err = err == ERR_NOT_FOUND ? 0 : err;
        if (where && where->is_walked && !where->has_entry)
            wheres[walked++] = where;
    }
    if (!err)
        err = expect_walked(ledger, wheres, walked);
    free(wheres);
    return err ? err : missed;
}

/* Events of one stream of a place, or of two that are read as one. */
struct strand {
    const struct redis_entry *entries;
    int count, at;
    bool is_thread;
};

struct braid {
    struct strand strands[2];
    int count;
    bool newest_first;
};

static int strand_load(struct redis_ledger *ledger, const struct ledger_range *range,
                       struct redis_key *stream, bool with_texts, struct strand *strand)
{
    struct redis_key *with[] = {
        redis_room_key(ledger, range->place, "bodies"),
        redis_room_key(ledger, range->place, "replies"),
        redis_room_key(ledger, range->place, "reactions"),
    };
    const struct redis_range asked = {
        .after = range->after,
        .before = range->before,
        .limit = range->limit,
        .newest_first = range->newest_first,
        .with = with,
        .with_count = !with_texts            ? 0
                      : range->messages_only ? 3
                                             : 1,
    };
    return redis_view_entries(ledger->view, stream, &asked, true, &strand->entries, &strand->count);
}

static int load_thread(struct redis_ledger *ledger, const struct ledger_range *range,
                       bool with_texts, struct braid *braid)
{
    struct ledger_range kept = *range;
    struct event_id gone = EVENT_ID_NONE;
    struct redis_key *stream =
        redis_key_named(ledger->view, 'p', range->place, "thread", range->thread);
    int missed = 0;
    int err = ledger_put_off(redis_room_gone(ledger, range->place, &gone), &missed);
    if (!err && event_id_compare(gone, kept.after) > 0)
        kept.after = gone;
    braid->count = 1;
    braid->strands[0].is_thread = true;
    if (!err && event_id_compare(kept.after, kept.before) < 0)
        err = strand_load(ledger, &kept, stream, with_texts, &braid->strands[0]);
    return err ? err : missed;
}

static int load(struct redis_ledger *ledger, const struct ledger_range *range, bool with_texts,
                struct braid *ret)
{
    struct redis_key *messages = redis_room_key(ledger, range->place, "messages");
    struct redis_key *others = redis_room_key(ledger, range->place, "events");
    int missed = 0;
    assert(range->limit >= 1);
    *ret = (struct braid){.newest_first = range->newest_first};
    if (range->messages_only && range->thread.data)
        return load_thread(ledger, range, with_texts, ret);
    int err =
        ledger_put_off(strand_load(ledger, range, messages, with_texts, &ret->strands[0]), &missed);
    ret->count = 1;
    if (!err && !range->messages_only)
        err = strand_load(ledger, range, others, with_texts, &ret->strands[ret->count++]);
    return err ? err : missed;
}

/* The strand that has the next one; NULL: none has. */
static struct strand *next_of(struct braid *braid)
{
    struct strand *next = NULL;
    for (int i = 0; i < braid->count; i++) {
        struct strand *strand = &braid->strands[i];
        if (strand->at == strand->count)
            continue;
        int order =
            next ? event_id_compare(strand->entries[strand->at].id, next->entries[next->at].id) : 0;
        if (!next || (braid->newest_first ? order > 0 : order < 0))
            next = strand;
    }
    return next;
}

/* An entry as the stream of its place has it. */
static int take(struct strand *strand, struct redis_entry *ret)
{
    struct redis_entry entry = strand->entries[strand->at++];
    if (strand->is_thread) {
        struct redis_fields fields = redis_fields_of(entry.value);
        entry.ordinal = redis_take_ordinal(&fields);
        entry.value = fields.rest;
        if (fields.broken)
            return ERR_CORRUPT;
    }
    *ret = entry;
    return 0;
}

/* Notes where the next one stands. ERR_NOT_FOUND: there is none. */
static int step(struct redis_ledger *ledger, place_number place, struct braid *braid,
                struct redis_where **ret)
{
    struct strand *strand = next_of(braid);
    struct redis_entry entry;
    struct ledger_event event = {.place = place};
    if (!strand)
        return ERR_NOT_FOUND;
    int err = take(strand, &entry);
    if (!err)
        err = redis_event_unpack(entry.value, span_of(NULL, 0), &event);
    if (!err)
        err = redis_where_note(ledger, entry.id, place, event.type, &entry);
    if (!err)
        *ret = redis_where_of(ledger, entry.id);
    return err;
}

static int events(struct ledger *base, const struct ledger_range *range, ledger_event_visitor visit,
                  void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_where *where;
    struct braid braid;
    int missed = 0;
    int err = load(ledger, range, true, &braid);
    for (int i = 0; i < range->limit && !err; i++) {
        struct ledger_event event;
        err = step(ledger, range->place, &braid, &where);
        if (err)
            break;
        err = redis_event_at(ledger, where, &event);
        err = err ? ledger_put_off(err, &missed) : visit(context, &event);
    }
    err = err == ERR_NOT_FOUND ? 0 : err;
    return err ? err : missed;
}

static int ids(struct ledger *base, const struct ledger_range *range, ledger_id_visitor visit,
               void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_where *where;
    struct braid braid;
    int err = load(ledger, range, false, &braid);
    for (int i = 0; i < range->limit && !err; i++) {
        err = step(ledger, range->place, &braid, &where);
        if (err == ERR_NOT_FOUND)
            return 0;
        if (!err)
            err = visit(context, where->id, where->place, where->type);
    }
    return err;
}

void redis_ledger_add_ranges(struct ledger_ops *ops)
{
    ops->events_expect = events_expect;
    ops->events = events;
    ops->ids = ids;
}
