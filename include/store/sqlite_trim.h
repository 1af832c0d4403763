/* Forgetting what need not be kept: by age, by the number of events of a room, and what was
 * remembered of commands.
 *
 * MODEL  small steps, each a transaction of its own, between the commits of the writer:
 *          age    from the oldest event on, up to journal.retention_days ago
 *          rooms  a room that got an eighth of journal.room_events_max more since it was looked
 *                 at; and after the start, and after too many rooms to count, each room once
 *          once   older than journal.dedup_window
 *        `gone` of the room, user and realm moves with what is deleted. The last entry of a realm
 *        is never deleted.
 * BOUNDS SQLITE_TRIM_ROWS a step; SQLITE_TRIM_ROOMS_MAX rooms counted.
 * Floor: store. The writer's thread. */
#ifndef TIDINGS_STORE_SQLITE_TRIM_H
#define TIDINGS_STORE_SQLITE_TRIM_H

#include "base/settings.h"
#include "store/sqlite_ledger.h"

#define SQLITE_TRIM_ROWS 256
#define SQLITE_TRIM_ROOMS_MAX 65536
#define SQLITE_TRIM_PAUSE_MS 10      /* between two steps while there is more to do */
#define SQLITE_TRIM_EVERY_MS 60000   /* between two passes over what is too old */

struct sqlite_trim_room; /* a room that is counted */

struct sqlite_trim {
    const struct settings *settings; /* borrowed */
    struct sqlite_trim_room *rooms;  /* owned; by place */
    struct sqlite_trim_room *due, *due_last; /* of these, those to be looked at, in order */
    bool sweeping;                   /* rooms are looked at one by one */
    int64_t sweep_after;             /* place of the last of them */
    bool aging, forgetting;          /* a pass is under way */
    int64_t age_after;               /* packed id: the pass has come so far */
    int64_t pass_at_ms;              /* clock_now_ms() when the next passes begin */
    int64_t step_at_ms;              /* when the next step may be made */
};

void sqlite_trim_init(struct sqlite_trim *trim, const struct settings *settings);
void sqlite_trim_fini(struct sqlite_trim *trim);
/* Counts an event that was committed in a room. */
void sqlite_trim_note(struct sqlite_trim *trim, place_number room);
/* Makes a step if one is due, in a transaction of its own. `now_ms` is clock_now_ms(), `wall_ms`
 * the time that events have. `*ret_wait_ms`: until the next. */
MUST_CHECK int sqlite_trim_step(struct sqlite_trim *trim, struct sqlite_ledger *ledger,
                                int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms);

#endif
