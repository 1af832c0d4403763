#include "base/err.h"
#include "base/limits.h"
#include "store/merge.h"
#include "store/opening.h"

static int history_view(struct opening *opening, struct view *view)
{
    struct journal_open *open = opening->open;
    int err = 0, missed = 0;
    for (int i = 0; i < open->room_count && !err; i++) {
        const struct open_room *room = &open->rooms[i];
        const struct ledger_room *ledger_room = &opening->ledger_rooms[i];
        struct event_id floor = room->watch_since;
        bool privileged =
            reading_is_privileged(&open->actor, grants_for(open->granted, room->room));
        if (room->member)
            err = ledger_put_off(reading_floor(opening->ledger, ledger_room,
                                               opening->user.place, privileged, &floor),
                                 &missed);
        if (!err)
            err = view_add(view, ledger_room->place, true, floor, !room->member);
    }
    view_sort(view);
    return err ? err : missed;
}

static void reverse_history(struct journal_open *open)
{
    struct event_id *ids = open->history_ids;
    for (int i = 0; i < open->history_count / 2; i++) {
        struct event_id swapped = ids[i];
        ids[i] = ids[open->history_count - 1 - i];
        ids[open->history_count - 1 - i] = swapped;
    }
}

static int take_history(struct opening *opening, struct merge *merge, int max)
{
    struct journal_open *open = opening->open;
    int err = 0;
    open->history_ids =
        arena_alloc(&open->request.arena, (size_t)max * sizeof(*open->history_ids));
    if (!open->history_ids)
        return ERR_MEMORY;
    while (!err && open->history_count < max) {
        err = merge_next(merge, &open->history_ids[open->history_count]);
        open->history_count += !err;
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
    if (max > HISTORY_MESSAGES_MAX)
        max = HISTORY_MESSAGES_MAX;
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
