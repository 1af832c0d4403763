#include "store/sqlite_trim.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/map.h"

#define RETRY_MS 1000
#define DAY_MS INT64_C(86400000)

struct sqlite_trim_room {
    UT_hash_handle hh;
    place_number place;
    int64_t added;      /* events since it was last looked at */
    int64_t cut;        /* packed id: what is below it is to go; 0: not looked at yet */
    bool due;           /* in the list */
    struct sqlite_trim_room *next;
};

/* How many more events make it worth while to look at a room. */
static int64_t room_slack(const struct sqlite_trim *trim)
{
    return trim->settings->journal_room_events_max / 8 + 1;
}

void sqlite_trim_init(struct sqlite_trim *trim, const struct settings *settings)
{
    *trim = (struct sqlite_trim){
        .settings = settings,
        .sweeping = settings->journal_room_events_max > 0,
    };
}

static void forget_rooms(struct sqlite_trim *trim)
{
    struct sqlite_trim_room *room, *next;

    HASH_ITER (hh, trim->rooms, room, next) {
        HASH_DEL(trim->rooms, room);
        free(room);
    }
    trim->due = trim->due_last = NULL;
}

void sqlite_trim_fini(struct sqlite_trim *trim)
{
    forget_rooms(trim);
}

static void make_due(struct sqlite_trim *trim, struct sqlite_trim_room *room)
{
    assert(!room->due);
    room->due = true;
    room->next = NULL;
    if (trim->due_last)
        trim->due_last->next = room;
    else
        trim->due = room;
    trim->due_last = room;
    trim->step_at_ms = 0;
}

static void drop_first_due(struct sqlite_trim *trim)
{
    struct sqlite_trim_room *room = trim->due;

    trim->due = room->next;
    if (!trim->due)
        trim->due_last = NULL;
    HASH_DEL(trim->rooms, room);
    free(room);
}

static struct sqlite_trim_room *room_of(struct sqlite_trim *trim, place_number place)
{
    struct sqlite_trim_room *room;

    HASH_FIND(hh, trim->rooms, &place, sizeof(place), room);
    if (room)
        return room;
    if (HASH_COUNT(trim->rooms) >= SQLITE_TRIM_ROOMS_MAX)
        return NULL;
    room = calloc(1, sizeof(*room));
    if (!room)
        return NULL;
    room->place = place;
    HASH_ADD(hh, trim->rooms, place, sizeof(room->place), room);
    if (!map_added(&room->hh)) {
        free(room);
        return NULL;
    }
    return room;
}

void sqlite_trim_note(struct sqlite_trim *trim, place_number place)
{
    if (trim->settings->journal_room_events_max <= 0)
        return;
    struct sqlite_trim_room *room = room_of(trim, place);
    if (!room) {
        /* Too many to count: look at each instead. */
        forget_rooms(trim);
        trim->sweeping = true;
        trim->sweep_after = 0;
        return;
    }
    room->added++;
    if (!room->due && room->added >= room_slack(trim))
        make_due(trim, room);
}

/* (count, highest) of what a statement selects, which is bound. */
static int ask_upto(struct sqlite_ledger *ledger, sqlite3_stmt *statement, int64_t *ret_count,
                    int64_t *ret_upto)
{
    int err = sqlite_next(ledger, statement);

    if (!err) {
        *ret_count = sqlite3_column_int64(statement, 0);
        *ret_upto = sqlite3_column_int64(statement, 1);
    }
    return sqlite_finish(statement, err);
}

static int run_with(struct sqlite_ledger *ledger, enum sql_statement which, int64_t first,
                    int64_t second)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_number(statement, 1, first);
    sqlite_bind_number(statement, 2, second);
    return sqlite_execute(ledger, statement);
}

/* By age */

static int64_t age_cut(const struct sqlite_trim *trim, int64_t wall_ms)
{
    int64_t since_ms = wall_ms - trim->settings->journal_retention_days * DAY_MS;

    return since_ms <= 0 ? 0 : sqlite_id_pack((struct event_id){(uint64_t)since_ms, 0});
}

static int step_age(struct sqlite_trim *trim, struct sqlite_ledger *ledger, int64_t wall_ms)
{
    static const enum sql_statement steps[] = {SQL_trim_age_rooms, SQL_trim_age_users,
                                               SQL_trim_age_realms, SQL_trim_age_mentions,
                                               SQL_trim_age_erased, SQL_trim_age_delete};
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_trim_age_upto);
    int64_t count = 0, upto = 0;

    sqlite_bind_number(statement, 1, trim->age_after);
    sqlite_bind_number(statement, 2, age_cut(trim, wall_ms));
    sqlite_bind_number(statement, 3, SQLITE_TRIM_ROWS);
    int err = ask_upto(ledger, statement, &count, &upto);
    for (size_t i = 0; i < array_count(steps) && !err && count > 0; i++)
        err = run_with(ledger, steps[i], trim->age_after, upto);
    if (err)
        return err;
    if (count > 0)
        trim->age_after = upto;
    trim->aging = count == SQLITE_TRIM_ROWS;
    return 0;
}

/* By room */

/* The id below which a room has too much; 0: it has not. */
static int find_cut(struct sqlite_trim *trim, struct sqlite_ledger *ledger, place_number place,
                    int64_t *ret)
{
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_trim_room_cut);

    sqlite_bind_place(statement, 1, place);
    sqlite_bind_number(statement, 2, trim->settings->journal_room_events_max - 1);
    int err = sqlite_next(ledger, statement);
    *ret = err ? 0 : sqlite3_column_int64(statement, 0);
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int delete_below(struct sqlite_ledger *ledger, place_number place, int64_t cut,
                        bool *ret_more)
{
    static const enum sql_statement steps[] = {SQL_trim_room_gone, SQL_trim_room_realm,
                                               SQL_trim_room_mentions, SQL_trim_room_erased,
                                               SQL_trim_room_delete};
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_trim_room_upto);
    int64_t count = 0, upto = 0;

    sqlite_bind_place(statement, 1, place);
    sqlite_bind_number(statement, 2, cut);
    sqlite_bind_number(statement, 3, SQLITE_TRIM_ROWS);
    int err = ask_upto(ledger, statement, &count, &upto);
    for (size_t i = 0; i < array_count(steps) && !err && count > 0; i++)
        err = run_with(ledger, steps[i], (int64_t)place, upto);
    *ret_more = !err && count == SQLITE_TRIM_ROWS;
    return err;
}

static int step_room(struct sqlite_trim *trim, struct sqlite_ledger *ledger)
{
    struct sqlite_trim_room *room = trim->due;
    bool more = false;
    int err = 0;

    if (!room->cut)
        err = find_cut(trim, ledger, room->place, &room->cut);
    if (!err && room->cut)
        err = delete_below(ledger, room->place, room->cut, &more);
    if (!err && !more)
        drop_first_due(trim);
    return err;
}

/* Makes the next room of the sweep due. */
static int step_sweep(struct sqlite_trim *trim, struct sqlite_ledger *ledger)
{
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_trim_room_next);

    sqlite_bind_number(statement, 1, trim->sweep_after);
    int err = sqlite_next(ledger, statement);
    int64_t place = err ? 0 : sqlite3_column_int64(statement, 0);
    sqlite_finish(statement, 0);
    if (err) {
        trim->sweeping = false;
        return err == ERR_NOT_FOUND ? 0 : err;
    }
    struct sqlite_trim_room *room = room_of(trim, (place_number)place);
    if (!room) {
        forget_rooms(trim);
        return 0;
    }
    trim->sweep_after = place;
    if (!room->due)
        make_due(trim, room);
    return 0;
}

/* What was remembered of commands */

static int step_once(struct sqlite_trim *trim, struct sqlite_ledger *ledger, int64_t wall_ms)
{
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_trim_once_upto);
    int64_t count = 0, upto = 0;

    sqlite_bind_number(statement, 1, wall_ms - trim->settings->journal_dedup_window_ms);
    sqlite_bind_number(statement, 2, SQLITE_TRIM_ROWS);
    int err = ask_upto(ledger, statement, &count, &upto);
    if (!err && count > 0) {
        statement = sqlite_get(ledger, SQL_trim_once_delete);
        sqlite_bind_number(statement, 1, upto);
        err = sqlite_execute(ledger, statement);
    }
    if (!err)
        trim->forgetting = count == SQLITE_TRIM_ROWS;
    return err;
}

/* Steps */

static bool has_work(const struct sqlite_trim *trim)
{
    return trim->due || trim->sweeping || trim->aging || trim->forgetting;
}

static int step(struct sqlite_trim *trim, struct sqlite_ledger *ledger, int64_t wall_ms)
{
    if (trim->due)
        return step_room(trim, ledger);
    if (trim->sweeping)
        return step_sweep(trim, ledger);
    if (trim->aging)
        return step_age(trim, ledger, wall_ms);
    return step_once(trim, ledger, wall_ms);
}

static void begin_passes(struct sqlite_trim *trim, int64_t now_ms)
{
    if (now_ms < trim->pass_at_ms)
        return;
    trim->pass_at_ms = now_ms + SQLITE_TRIM_EVERY_MS;
    trim->aging = trim->settings->journal_retention_days > 0;
    trim->age_after = 0;
    trim->forgetting = true;
}

int sqlite_trim_step(struct sqlite_trim *trim, struct sqlite_ledger *ledger, int64_t now_ms,
                     int64_t wall_ms, int64_t *ret_wait_ms)
{
    int err = 0;

    begin_passes(trim, now_ms);
    if (has_work(trim) && now_ms >= trim->step_at_ms) {
        err = sqlite_ledger_begin(ledger);
        if (!err)
            err = step(trim, ledger, wall_ms);
        if (!err)
            err = sqlite_ledger_commit(ledger);
        if (err)
            sqlite_ledger_roll_back(ledger);
        trim->step_at_ms = now_ms + (err ? RETRY_MS : SQLITE_TRIM_PAUSE_MS);
    }
    int64_t next_ms = has_work(trim) ? trim->step_at_ms : trim->pass_at_ms;
    *ret_wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    return err;
}
