#include "base/err.h"
#include "store/merge.h"
#include "store/opening.h"

/* Of all rooms together: the newest are sent. */
#define HISTORY_FRAMES_MAX 10000
#define HISTORY_BYTES_MAX (4u << 20)

static int history_view(struct opening *opening, struct view *view)
{
    struct journal_open *open = opening->open;
    int err = 0;
    for (int i = 0; i < open->room_count && !err; i++) {
        const struct open_room *room = &open->rooms[i];
        const struct ledger_room *ledger_room = &opening->ledger_rooms[i];
        struct event_id floor = room->watch_since;
        if (room->member)
            err = reading_floor(opening->ledger, ledger_room, opening->user.place, false, &floor);
        if (!err)
            err = view_add(view, ledger_room->place, true, floor, !room->member);
    }
    view_sort(view);
    return err;
}

static int add_history_frame(struct opening *opening, struct event_id id, size_t *bytes)
{
    struct journal_open *open = opening->open;
    struct arena scratch;
    struct ledger_event event;
    struct frame *frame;
    arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
    int err = opening->ledger->ops->event_find(opening->ledger, opening->realm.place, id, &scratch,
                                               &event);
    if (!err)
        err = reading_frame(&event, open->follow.realm, open->follow.user, &frame);
    arena_fini(&scratch);
    if (err)
        return err;
    *bytes += frame->size;
    open->history_frames[open->history_count++] = frame;
    return 0;
}

static void reverse_history(struct journal_open *open)
{
    for (int i = 0; i < open->history_count / 2; i++) {
        struct frame *swapped = open->history_frames[i];
        open->history_frames[i] = open->history_frames[open->history_count - 1 - i];
        open->history_frames[open->history_count - 1 - i] = swapped;
    }
}

static int take_history(struct opening *opening, struct merge *merge, int max)
{
    struct journal_open *open = opening->open;
    size_t bytes = 0;
    int err = 0;
    open->history_frames =
        arena_alloc(&open->request.arena, (size_t)max * sizeof(*open->history_frames));
    if (!open->history_frames)
        return ERR_MEMORY;
    while (!err && open->history_count < max && bytes < HISTORY_BYTES_MAX) {
        struct event_id id;
        err = merge_next(merge, &id);
        if (!err)
            err = add_history_frame(opening, id, &bytes);
        else if (err == ERR_NOT_FOUND)
            break;
    }
    reverse_history(open);
    return err == ERR_NOT_FOUND ? 0 : err;
}

int opening_load_history(struct opening *opening)
{
    struct journal_open *open = opening->open;
    struct view view;
    struct merge merge;
    view_init(&view);
    int64_t max = (int64_t)open->history * open->room_count;
    if (max > HISTORY_FRAMES_MAX)
        max = HISTORY_FRAMES_MAX;
    const struct merge_spec spec = {
        .before = EVENT_ID_LAST,
        .newest_first = true,
        .messages_only = true,
        .wanted = (int)max,
        .quota = open->history,
    };
    int err = history_view(opening, &view);
    if (!err)
        err = merge_init(&merge, opening->ledger, &view, &spec);
    if (!err) {
        err = take_history(opening, &merge, (int)max);
        merge_fini(&merge);
    }
    view_fini(&view);
    return err;
}
