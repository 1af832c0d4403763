#include "base/err.h"
#include "store/merge.h"
#include "store/opening.h"

/* Sets replay_from above what is too much, and `*ret_first` to the oldest event that is sent. */
static int limit_replay(struct opening *opening, const struct view *view,
                        struct event_id *ret_first)
{
    struct journal_open *open = opening->open;
    struct merge merge;
    const struct merge_spec spec = {
        .after = open->start,
        .before = EVENT_ID_LAST,
        .newest_first = true,
        .wanted = (int)open->replay_max + 1,
        .quota = -1,
    };
    int err = merge_init(&merge, opening->ledger, view, &spec);
    if (err)
        return err;
    struct event_id id = open->head;
    for (int64_t count = 0; count <= open->replay_max; count++) {
        struct event_id previous = id;
        err = merge_next(&merge, &id);
        if (err)
            break;
        if (count == open->replay_max) {
            open->replay_from = id;
            *ret_first = previous;
        }
    }
    merge_fini(&merge);
    return err == ERR_NOT_FOUND ? 0 : err;
}

struct skip_search {
    const struct view *view;
    bool found;
};

static int note_skipped(void *context, struct event_id id, place_number place, enum event_type type)
{
    struct skip_search *search = context;
    search->found = view_shows(search->view, place, id, type);
    return search->found; /* ends the walk */
}

/* Does the source have something visible between start and replay_from? */
static int has_skipped(struct opening *opening, const struct view *view,
                       const struct source *source, bool *ret)
{
    struct skip_search search = {view, false};
    struct ledger_range range = {
        .place = source->place,
        .after = opening->open->start,
        .before = event_id_next(opening->open->replay_from),
        .limit = INT32_MAX,
    };
    const struct stretch *first = &view->stretches[source->first];
    *ret = false;
    if (source->count == 0)
        return 0;
    if (event_id_compare(event_id_previous(first->from), range.after) > 0)
        range.after = event_id_previous(first->from);
    if (event_id_compare(range.after, range.before) >= 0)
        return 0;
    int err = opening->ledger->ops->ids(opening->ledger, &range, note_skipped, &search);
    *ret = search.found;
    return err < 0 ? err : 0;
}

static struct journal_gap *gap_of(struct journal_open *open, struct span room)
{
    for (int i = 0; i < open->gap_count; i++) {
        if (span_equal(open->gaps[i].room, room) && room.data)
            return &open->gaps[i];
    }
    return NULL;
}

/* One gap a room: one that is there already takes the wider bound. */
static int add_limit_gap(struct opening *opening, const struct source *source,
                         struct event_id before)
{
    struct journal_open *open = opening->open;
    struct ledger_room room = {0};
    int err = 0;
    if (source->is_room)
        err =
            opening->ledger->ops->room_at(opening->ledger, source->place, &opening->scratch, &room);
    if (err)
        return err;
    struct journal_gap *gap = gap_of(open, room.info.id);
    if (!gap) {
        gap = &open->gaps[open->gap_count++];
        *gap = (struct journal_gap){.room = room.info.id, .after = open->start};
        err = reading_keep(&open->request.arena, &gap->room);
    }
    gap->reason = GAP_LIMIT;
    if (event_id_compare(before, gap->before) > 0)
        gap->before = before;
    return err;
}

static int add_limit_gaps(struct opening *opening, const struct view *view, struct event_id before)
{
    struct journal_open *open = opening->open;
    struct journal_gap *gaps =
        arena_alloc(&open->request.arena, (size_t)(open->gap_count + view->count) * sizeof(*gaps));
    if (!gaps)
        return ERR_MEMORY;
    if (open->gap_count)
        memcpy(gaps, open->gaps, (size_t)open->gap_count * sizeof(*gaps));
    open->gaps = gaps;
    int err = 0, missed = 0;
    for (int i = 0; i < view->count && !err; i++) {
        bool skipped;
        err = ledger_put_off(has_skipped(opening, view, &view->sources[i], &skipped), &missed);
        if (!err && skipped)
            err = ledger_put_off(add_limit_gap(opening, &view->sources[i], before), &missed);
    }
    return err ? err : missed;
}

static int add_expired_gaps(struct opening *opening, const struct view *view)
{
    struct journal_open *open = opening->open;
    struct journal_gap *expired = NULL;
    int count = 0;
    int err = reading_expired(opening->ledger, &opening->realm, view, open->start, NULL, 0,
                              &open->request.arena, &expired, &count);
    if (err || count == 0)
        return err;
    struct journal_gap *gaps =
        arena_alloc(&open->request.arena, (size_t)(open->gap_count + count) * sizeof(*gaps));
    if (!gaps)
        return ERR_MEMORY;
    if (open->gap_count)
        memcpy(gaps, open->gaps, (size_t)open->gap_count * sizeof(*gaps));
    memcpy(gaps + open->gap_count, expired, (size_t)count * sizeof(*gaps));
    open->gaps = gaps;
    open->gap_count += count;
    return 0;
}

int opening_resume(struct opening *opening)
{
    struct journal_open *open = opening->open;
    struct view view;
    struct event_id first = EVENT_ID_NONE, id;
    uint64_t number = 0;
    int missed = 0;
    open->start = open->replay_from = opening->cursor;
    if (!opening->realm.place)
        return 0;
    view_init(&view);
    int err = ledger_put_off(view_load(&view, opening->ledger, opening->realm.place,
                                       &opening->user, &open->follow, open->start,
                                       opening->now_ms),
                             &missed);
    if (!err && !missed)
        err = ledger_put_off(add_expired_gaps(opening, &view), &missed);
    if (!err) {
        err = ledger_put_off(opening->ledger->ops->event_at_or_below(opening->ledger,
                                                                     opening->realm.place,
                                                                     open->start, &id, &number),
                             &missed);
        err = err == ERR_NOT_FOUND ? 0 : err;
    }
    err = err ? err : missed;
    if (!err && open->replay_max > 0 &&
        opening->realm.head_number - number > (uint64_t)open->replay_max)
        err = limit_replay(opening, &view, &first);
    if (!err && !event_id_is_none(first))
        err = add_limit_gaps(opening, &view, first);
    view_fini(&view);
    return err;
}
