/* What is known of earlier lives of the file, and what it means for ids.
 *
 * With `durability = disk` nothing is told before it is synced, so whatever was told is in the
 * file. In relaxed mode the machine may end with the last seconds unsynced, ids already seen by
 * clients among them. So ids are only given out below `state.reserved`, which is synced before it
 * is used; the next life, if it finds that the machine has ended (another boot id) and the file
 * was not closed, goes on at `reserved`. Each realm gets an entry there, of no type and under no
 * place, so that its head is above any cursor a client can have, and the interval below it is
 * written down as lost. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/err.h"
#include "store/sqlite_writer.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_BYTES 64

struct state {
    int64_t reserved;
    bool relaxed, clean;
    char boot_id[BOOT_ID_BYTES];
};

/* Empty when it cannot be read: then every unclean end counts as one of the machine. */
static void read_boot_id(char boot_id[BOOT_ID_BYTES])
{
    int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, boot_id, BOOT_ID_BYTES - 1);

    if (fd >= 0)
        close(fd);
    boot_id[got > 0 ? got : 0] = 0;
    boot_id[strcspn(boot_id, "\n")] = 0;
}

static int read_state(struct sqlite_ledger *ledger, struct state *ret)
{
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_state_get);
    int err = sqlite_next(ledger, statement);

    if (!err) {
        ledger->place_last = ledger->place_committed = sqlite3_column_int64(statement, 0);
        ret->reserved = sqlite3_column_int64(statement, 1);
        ret->relaxed = sqlite3_column_int(statement, 2);
        ret->clean = sqlite3_column_int(statement, 3);
        struct span boot_id = sqlite_column_span(statement, 4);
        snprintf(ret->boot_id, sizeof(ret->boot_id), "%.*s", SPAN_ARGS(boot_id));
        int64_t id_last = sqlite3_column_int64(statement, 5);
        if (ledger->id_last < id_last)
            ledger->id_last = ledger->id_committed = id_last;
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? ERR_CORRUPT : err);
}

static int write_state(struct sqlite_ledger *ledger, const struct state *state)
{
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_state_set);

    sqlite_bind_number(statement, 1, state->reserved);
    sqlite_bind_number(statement, 2, state->relaxed);
    sqlite_bind_number(statement, 3, state->clean);
    sqlite_bind_text(statement, 4, span_text(state->boot_id));
    return sqlite_execute(ledger, statement);
}

/* The realm after `after`, in order of places. */
static int next_realm(struct sqlite_ledger *ledger, place_number after, struct ledger_realm *ret)
{
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_realm_next);

    sqlite_bind_number(statement, 1, (int64_t)after);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = (struct ledger_realm){
            .place = (place_number)sqlite3_column_int64(statement, 0),
            .head = sqlite_column_id(statement, 1),
            .head_number = (uint64_t)sqlite3_column_int64(statement, 2),
        };
    return sqlite_finish(statement, err);
}

static int begin_life_of_realm(struct sqlite_ledger *ledger, const struct ledger_realm *realm,
                               int64_t now_ms)
{
    struct ledger_event event = {
        .number = realm->head_number + 1, .type = EVENT_NONE, .timestamp_ms = now_ms};
    const struct ledger_ops *ops = ledger->ledger.ops;
    int err = ops->id_next(&ledger->ledger, realm->place, now_ms, &event.id);

    if (!err)
        err = ops->event_add(&ledger->ledger, realm->place, &event);
    if (err)
        return err;
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_lost_add);
    sqlite_bind_place(statement, 1, realm->place);
    sqlite_bind_id(statement, 2, realm->head);
    sqlite_bind_id(statement, 3, event.id);
    return sqlite_execute(ledger, statement);
}

static int begin_life_of_realms(struct sqlite_ledger *ledger, int64_t reserved, int64_t now_ms)
{
    struct ledger_realm realm = {.place = 0};
    int err;

    if (ledger->id_last < reserved - 1)
        ledger->id_last = reserved - 1;
    while (!(err = next_realm(ledger, realm.place, &realm))) {
        err = begin_life_of_realm(ledger, &realm, now_ms);
        if (err)
            return err;
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int64_t reservation(const struct sqlite_ledger *ledger, int64_t now_ms)
{
    int64_t now = sqlite_id_pack((struct event_id){(uint64_t)now_ms, 0});
    int64_t from = now > ledger->id_last ? now : ledger->id_last;

    return from + ((int64_t)SQLITE_RESERVE_MS << SQLITE_SEQ_BITS);
}

static int set_synchronous(struct sqlite_writer *writer, bool full)
{
    return sqlite_run(&writer->connection,
                      full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
}

/* A transaction that is on the disk when it has returned 0, whatever the mode. */
static int commit_state(struct sqlite_writer *writer, struct state *state, bool lost,
                        int64_t now_ms)
{
    struct sqlite_ledger *ledger = &writer->ledger;
    int err = set_synchronous(writer, true);

    if (!err)
        err = sqlite_ledger_begin(ledger);
    if (!err && lost)
        err = begin_life_of_realms(ledger, state->reserved, now_ms);
    if (!err && writer->relaxed)
        state->reserved = reservation(ledger, now_ms);
    if (!err)
        err = write_state(ledger, state);
    if (!err)
        err = sqlite_ledger_commit(ledger);
    if (err)
        sqlite_ledger_roll_back(ledger);
    int err_back = writer->relaxed ? set_synchronous(writer, false) : 0;
    return err ? err : err_back;
}

int sqlite_life_begin(struct sqlite_writer *writer, int64_t now_ms)
{
    struct sqlite_ledger *ledger = &writer->ledger;
    struct state state;
    char boot_id[BOOT_ID_BYTES];
    int err = read_state(ledger, &state);

    if (err)
        return err;
    read_boot_id(boot_id);
    bool same_boot = boot_id[0] && strcmp(boot_id, state.boot_id) == 0;
    bool lost = state.relaxed && !state.clean && !same_boot;
    state.relaxed = writer->relaxed;
    state.clean = false;
    memcpy(state.boot_id, boot_id, sizeof(boot_id));
    err = commit_state(writer, &state, lost, now_ms);
    if (!err && writer->relaxed)
        ledger->id_reserved = state.reserved;
    return err;
}

int sqlite_life_reserve(struct sqlite_writer *writer, int64_t now_ms)
{
    struct sqlite_ledger *ledger = &writer->ledger;
    int64_t half = ((int64_t)SQLITE_RESERVE_MS / 2) << SQLITE_SEQ_BITS;
    struct state state;

    if (!writer->relaxed || reservation(ledger, now_ms) - half < ledger->id_reserved)
        return 0;
    int err = read_state(ledger, &state);
    if (!err)
        err = commit_state(writer, &state, false, now_ms);
    if (!err)
        ledger->id_reserved = state.reserved;
    return err;
}

int sqlite_life_end(struct sqlite_writer *writer)
{
    struct state state;
    int err = read_state(&writer->ledger, &state);

    state.clean = true;
    return err ? err : commit_state(writer, &state, false, clock_wall_ms());
}
