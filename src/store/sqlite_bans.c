/* Bans. */
#include <assert.h>

#include "base/err.h"
#include "store/sqlite_ledger.h"

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

static int ban_find(struct ledger *base, place_number room, place_number user,
                    struct ledger_ban *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_ban_find);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_place(statement, 2, room);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = (struct ledger_ban){
            .user = user,
            .until_ms = sqlite3_column_int64(statement, 0),
            .banned_at_ms = sqlite3_column_int64(statement, 1),
            .by = (place_number)sqlite3_column_int64(statement, 2),
        };
    return sqlite_finish(statement, err);
}

static int forget_passed(struct sqlite_ledger *ledger, place_number room, int64_t now_ms)
{
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_ban_forget_passed);

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_number(statement, 2, now_ms);
    return sqlite_execute(ledger, statement);
}

static int ban_put(struct ledger *base, place_number room, const struct ledger_ban *ban,
                   int64_t now_ms)
{
    struct sqlite_ledger *ledger = self(base);
    int err = forget_passed(ledger, room, now_ms);

    if (err)
        return err;
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_ban_put);
    sqlite_bind_place(statement, 1, ban->user);
    sqlite_bind_place(statement, 2, room);
    sqlite_bind_number(statement, 3, ban->until_ms);
    sqlite_bind_number(statement, 4, ban->banned_at_ms);
    sqlite_bind_place(statement, 5, ban->by);
    sqlite_bind_text(statement, 6, ban->reason);
    err = sqlite_execute(ledger, statement);
    assert(err || sqlite3_changes(ledger->connection->db) == 1);
    return err;
}

static int ban_remove(struct ledger *base, place_number room, place_number user)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_ban_remove);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_place(statement, 2, room);
    return sqlite_execute(ledger, statement);
}

static struct ledger_ban ban_of_row(sqlite3_stmt *row)
{
    return (struct ledger_ban){
        .user = (place_number)sqlite3_column_int64(row, 0),
        .user_id = sqlite_column_span(row, 1),
        .name = sqlite_column_span(row, 2),
        .data = sqlite_column_span(row, 3),
        .until_ms = sqlite3_column_int64(row, 4),
        .banned_at_ms = sqlite3_column_int64(row, 5),
        .by = (place_number)sqlite3_column_int64(row, 6),
        .by_id = sqlite_column_span(row, 7),
        .reason = sqlite_column_span(row, 8),
    };
}

static int bans(struct ledger *base, place_number room, struct span from, int64_t now_ms, int limit,
                ledger_ban_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_bans);
    int err;

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_text(statement, 2, from.data ? from : span_text(""));
    sqlite_bind_number(statement, 3, limit);
    sqlite_bind_number(statement, 4, now_ms);
    while (!(err = sqlite_next(ledger, statement))) {
        struct ledger_ban ban = ban_of_row(statement);

        err = visit(context, &ban);
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int ban_count(struct ledger *base, place_number room, int64_t now_ms, int64_t *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_ban_count);

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_number(statement, 2, now_ms);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = sqlite3_column_int64(statement, 0);
    return sqlite_finish(statement, err);
}

void sqlite_ledger_add_bans(struct ledger_ops *ops)
{
    ops->ban_find = ban_find;
    ops->ban_put = ban_put;
    ops->ban_remove = ban_remove;
    ops->bans = bans;
    ops->ban_count = ban_count;
}
