/* Two ways lead to a page. Near the head the entries of the whole realm are walked and tried
 * against the view: a reader of 5,000 rooms who was away for a minute costs what happened in
 * that minute. Further back the sources are merged, which costs a seek for each. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/merge.h"
#include "store/reading_parts.h"

/* Entries that cost as much to walk as one source to seek. */
#define WALK_ENTRIES_PER_SOURCE 8
#define WALK_ENTRIES_MIN 512
/* Of a frame for what is not its body. */
#define FRAME_SPARE_BYTES 1024

int reading_frame(const struct ledger_event *event, struct span realm, struct span user,
                  struct frame **ret)
{
    bool own = event->own_body.data && event->user_id.data && span_equal(event->user_id, user);
    struct frame_spec spec = ledger_frame_spec(event, realm);
    spec.room = event->room_id;
    spec.spared_user = event->spared.data ? event->sender_id : (struct span){0};
    if (own)
        spec.body = event->own_body;
    return frame_new(&spec, ret);
}

static int note_first(void *context, struct event_id id, place_number place, enum event_type type)
{
    *(struct event_id *)context = id;
    return 0;
}

int reading_first(struct ledger *ledger, place_number place, struct event_id after,
                  struct event_id *ret)
{
    const struct ledger_range range = {
        .place = place, .after = after, .before = EVENT_ID_LAST, .limit = 1};
    *ret = EVENT_ID_LAST;
    return ledger->ops->ids(ledger, &range, note_first, ret);
}

static bool is_told(const struct journal_gap *gap, const struct journal_gap *told, int count)
{
    for (int i = 0; i < count; i++) {
        if (span_equal(told[i].room, gap->room) &&
            event_id_compare(told[i].before, gap->before) >= 0)
            return true;
    }
    return false;
}

/* Sets `*ret_lost` when the source has lost something that the view shows above `after`; of the
 * user's own place the gap names no room. */
static int expired_gap(struct ledger *ledger, const struct ledger_realm *realm,
                       const struct view *view, const struct source *source, struct event_id after,
                       struct arena *scratch, struct journal_gap *gap, bool *ret_lost)
{
    struct ledger_room room = {.gone = view->own_gone};
    int err = source->is_own ? 0 : ledger->ops->room_at(ledger, source->place, scratch, &room);
    if (err)
        return err;
    *ret_lost = view_overlaps(view, source, after, room.gone);
    if (!*ret_lost)
        return 0;
    *gap = (struct journal_gap){.room = room.info.id, .after = after, .reason = GAP_EXPIRED};
    err = reading_first(ledger, source->place, room.gone, &gap->before);
    if (event_id_compare(gap->before, realm->head) > 0)
        gap->before = realm->head;
    return err;
}

static int collect_expired(struct ledger *ledger, const struct ledger_realm *realm,
                           const struct view *view, struct event_id after, struct arena *arena,
                           struct journal_gap *gaps, int *count, const struct journal_gap *told,
                           int told_count)
{
    int err = 0, missed = 0;
    for (int i = 0; i < view->count && !err; i++) {
        struct journal_gap gap;
        struct arena scratch;
        bool lost = false;
        if (!view->sources[i].is_room && !view->sources[i].is_own)
            continue;
        arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
        err = ledger_put_off(
            expired_gap(ledger, realm, view, &view->sources[i], after, &scratch, &gap, &lost),
            &missed);
        if (!err && !missed && lost && !is_told(&gap, told, told_count)) {
            err = reading_keep(arena, &gap.room);
            gaps[(*count)++] = gap;
        }
        arena_fini(&scratch);
    }
    return err ? err : missed;
}

int reading_expired(struct ledger *ledger, const struct ledger_realm *realm,
                    const struct view *view, struct event_id after, const struct journal_gap *told,
                    int told_count, struct arena *arena, struct journal_gap **ret, int *ret_count)
{
    int count = 0;
    if (view->count == 0 || event_id_compare(realm->gone, after) <= 0)
        return 0;
    struct journal_gap *gaps = arena_alloc(arena, (size_t)view->count * sizeof(*gaps));
    if (!gaps)
        return ERR_MEMORY;
    int err = collect_expired(ledger, realm, view, after, arena, gaps, &count, told, told_count);
    *ret = gaps;
    *ret_count = count;
    return err;
}

/* The ids of a page. */
struct selection {
    const struct view *view;
    struct event_id head; /* nothing above it is taken */
    struct event_id *ids;
    int count, max;
    bool complete; /* nothing visible stands between the last of them and the head */
};

#define WALK_ENDED 1 /* positive: no error */

static int note_walked(void *context, struct event_id id, place_number place, enum event_type type)
{
    struct selection *selection = context;
    if (event_id_compare(id, selection->head) > 0) {
        selection->complete = true;
        return WALK_ENDED;
    }
    if (!view_shows(selection->view, place, id, type))
        return 0;
    if (selection->count == selection->max)
        return WALK_ENDED;
    selection->ids[selection->count++] = id;
    return 0;
}

static int select_walking(struct ledger *ledger, const struct ledger_realm *realm,
                          struct event_id after, int entries, struct selection *selection)
{
    int err = ledger->ops->realm_ids(ledger, realm->place, after, entries, note_walked, selection);
    selection->complete |= err == 0;
    return err == WALK_ENDED ? 0 : err;
}

static int select_merging(struct ledger *ledger, struct event_id after, struct selection *selection)
{
    struct merge merge;
    const struct merge_spec spec = {.after = after,
                                    .before = event_id_next(selection->head),
                                    .wanted = selection->max + 1,
                                    .quota = -1};
    int err = merge_init(&merge, ledger, selection->view, &spec);
    if (err)
        return err;
    while (!err && !selection->complete) {
        struct event_id id;
        err = merge_next(&merge, &id);
        if (err == ERR_NOT_FOUND) {
            err = 0;
            selection->complete = true;
        } else if (!err && selection->count == selection->max) {
            break;
        } else if (!err) {
            selection->ids[selection->count++] = id;
        }
    }
    merge_fini(&merge);
    return err;
}

static int select_ids(struct ledger *ledger, const struct ledger_realm *realm,
                      struct event_id after, struct selection *selection)
{
    struct event_id id;
    uint64_t number = 0;
    int err = ledger->ops->event_at_or_below(ledger, realm->place, after, &id, &number);
    if (err && err != ERR_NOT_FOUND)
        return err;
    assert(number <= realm->head_number);
    uint64_t entries = realm->head_number - number;
    uint64_t cheap = (uint64_t)selection->view->count * WALK_ENTRIES_PER_SOURCE;
    if (entries == 0)
        selection->complete = true;
    else if (entries <= cheap || entries <= WALK_ENTRIES_MIN)
        return select_walking(ledger, realm, after, (int)entries, selection);
    else
        return select_merging(ledger, after, selection);
    return 0;
}

static bool is_spared(const struct journal_page *page, const struct ledger_event *event)
{
    return page->spared_session.data && event->spared.data &&
           span_equal(event->spared, page->spared_session) &&
           span_equal(event->sender_id, page->follow.user);
}

/* A page being filled. */
struct filling {
    struct ledger *ledger;
    const struct ledger_realm *realm;
    struct journal_page *page;
    const struct view *view; /* NULL: what is listed, which is history */
    place_number reader;     /* of history: who asks; 0: not known */
    size_t bytes;
    int missed; /* ERR_NOT_FETCHED; 0: nothing has missed */
};

/* As history shows it, where a frame can take that. */
static int adorn(const struct filling *filling, struct ledger_event *event, struct arena *scratch)
{
    struct span body = event->body;
    int err =
        reading_adorn(filling->ledger, event->place, event->id, filling->reader, scratch, &body);
    if (!err && body.len < EVENT_BYTES_MAX - FRAME_SPARE_BYTES)
        event->body = body;
    return err;
}

/* Reads the event and adds its frame; `*ret_full` when the page can take no more. Once something
 * has missed, nothing of the page counts: then what is left of it is only asked for. */
static int add_event(struct filling *filling, struct event_id id, bool *ret_full)
{
    struct journal_page *page = filling->page;
    const struct view *view = filling->view;
    struct arena scratch;
    struct ledger_event event;
    struct frame *frame = NULL;
    arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
    int err = filling->ledger->ops->event_find(filling->ledger, filling->realm->place, id, &scratch,
                                               &event);
    bool follows = !err && (!view || !event.room || view_follows(view, event.room));
    if (!err && !view)
        err = adorn(filling, &event, &scratch);
    if (!err && !filling->missed && follows && !is_spared(page, &event))
        err = reading_frame(&event, page->follow.realm, page->follow.user, &frame);
    arena_fini(&scratch);
    if (err || !frame)
        return err;
    if (page->frame_count > 0 && filling->bytes + frame->size > page->bytes_max) {
        *ret_full = true;
        frame_unref(frame);
        return 0;
    }
    filling->bytes += frame->size;
    page->frames[page->frame_count++] = frame;
    return 0;
}

static int fill(struct filling *filling, const struct selection *selection)
{
    struct journal_page *page = filling->page;
    page->frames =
        arena_alloc(&page->request.arena, (size_t)selection->count * sizeof(*page->frames) + 1);
    if (!page->frames)
        return ERR_MEMORY;
    int err = ledger_put_off(
        ledger_expect(filling->ledger, filling->realm->place, selection->ids, selection->count),
        &filling->missed);
    bool full = false;
    for (int i = 0; i < selection->count && !err && !full; i++) {
        err = ledger_put_off(add_event(filling, selection->ids[i], &full), &filling->missed);
        /* Trimmed where it stood, but not from the realm's order yet. */
        err = err == ERR_NOT_FOUND ? 0 : err;
        if (!err && !full)
            page->upto = selection->ids[i];
    }
    if (!full && selection->complete)
        page->upto = filling->realm->head;
    return err ? err : filling->missed;
}

static int find_reader(struct filling *filling)
{
    struct arena scratch;
    struct ledger_user user = {0};
    arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
    int err = filling->ledger->ops->user_find(filling->ledger, filling->realm->place,
                                              filling->page->follow.user, &scratch, &user);
    arena_fini(&scratch);
    filling->reader = user.place;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int fill_listed(struct ledger *ledger, const struct ledger_realm *realm,
                       struct journal_page *page)
{
    struct filling filling = {.ledger = ledger, .realm = realm, .page = page};
    int count = page->id_count < page->events_max ? page->id_count : page->events_max;
    int err = ledger_put_off(find_reader(&filling), &filling.missed);
    if (err)
        return err;
    page->frames = arena_alloc(&page->request.arena, (size_t)count * sizeof(*page->frames) + 1);
    if (!page->frames)
        return ERR_MEMORY;
    err = ledger_put_off(ledger_expect(ledger, realm->place, page->ids, count), &filling.missed);
    for (bool full = false; page->ids_read < count && !err; page->ids_read++) {
        err =
            ledger_put_off(add_event(&filling, page->ids[page->ids_read], &full), &filling.missed);
        if (full)
            break;
        err = err == ERR_NOT_FOUND ? 0 : err;
    }
    return err ? err : filling.missed;
}

static int read_page(struct ledger *ledger, const struct ledger_realm *realm,
                     struct journal_page *page, int64_t now_ms, struct view *view)
{
    struct ledger_user user = {0};
    struct arena scratch;
    int missed = 0;
    arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
    int err = ledger_put_off(
        ledger->ops->user_find(ledger, realm->place, page->follow.user, &scratch, &user), &missed);
    arena_fini(&scratch);
    if (err && err != ERR_NOT_FOUND)
        return err;
    err = missed ? 0
                 : ledger_put_off(view_load(view, ledger, realm->place, &user, &page->follow,
                                            page->after, now_ms),
                                  &missed);
    if (!err && !missed)
        err = ledger_put_off(reading_expired(ledger, realm, view, page->after, page->told,
                                             page->told_count, &page->request.arena, &page->gaps,
                                             &page->gap_count),
                             &missed);
    if (err)
        return err;
    struct selection selection = {.view = view, .head = realm->head, .max = page->events_max};
    selection.ids = malloc((size_t)selection.max * sizeof(*selection.ids));
    if (!selection.ids)
        return ERR_MEMORY;
    err = ledger_put_off(select_ids(ledger, realm, page->after, &selection), &missed);
    if (!err && !missed)
        err = fill(&(struct filling){.ledger = ledger, .realm = realm, .page = page, .view = view},
                   &selection);
    free(selection.ids);
    return err ? err : missed;
}

static int read_frames(struct ledger *ledger, struct journal_page *page, int64_t now_ms)
{
    struct ledger_realm realm;
    struct view view;
    assert(page->events_max >= 1);
    page->frames = NULL;
    page->gaps = NULL;
    page->frame_count = page->gap_count = page->ids_read = 0;
    page->upto = page->head = page->after;
    int err = ledger->ops->realm_find(ledger, page->follow.realm, &realm);
    if (err)
        return err == ERR_NOT_FOUND ? 0 : err;
    page->head = realm.head;
    if (page->ids)
        return fill_listed(ledger, &realm, page);
    if (event_id_compare(page->after, realm.head) >= 0)
        return 0;
    view_init(&view);
    err = read_page(ledger, &realm, page, now_ms, &view);
    view_fini(&view);
    return err;
}

int reading_page(struct ledger *ledger, struct journal_page *page, int64_t now_ms)
{
    int err = read_frames(ledger, page, now_ms);
    /* The next run makes them anew. */
    while (err == ERR_NOT_FETCHED && page->frame_count > 0)
        frame_unref(page->frames[--page->frame_count]);
    return err;
}
