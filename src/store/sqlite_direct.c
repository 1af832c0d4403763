/* Direct rooms and blocks: what stands between two users. */
#include <assert.h>

#include "base/err.h"
#include "store/sqlite_ledger.h"

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

static sqlite3_stmt *about_two(struct sqlite_ledger *ledger, enum sql_statement which,
                               place_number first, place_number second)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_place(statement, 1, first);
    sqlite_bind_place(statement, 2, second);
    return statement;
}

static sqlite3_stmt *about_pair(struct sqlite_ledger *ledger, enum sql_statement which,
                                place_number a, place_number b)
{
    return a < b ? about_two(ledger, which, a, b) : about_two(ledger, which, b, a);
}

static int ask_number(struct sqlite_ledger *ledger, sqlite3_stmt *statement, int64_t *ret)
{
    int err = sqlite_next(ledger, statement);

    if (!err)
        *ret = sqlite3_column_int64(statement, 0);
    return sqlite_finish(statement, err);
}

/* Direct rooms */

static int direct_find(struct ledger *base, place_number a, place_number b, place_number *ret)
{
    struct sqlite_ledger *ledger = self(base);
    int64_t room = 0;
    int err = ask_number(ledger, about_pair(ledger, SQL_direct_find, a, b), &room);

    if (!err)
        *ret = (place_number)room;
    return err;
}

static int direct_add(struct ledger *base, place_number a, place_number b, place_number room)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = about_pair(ledger, SQL_direct_add, a, b);

    sqlite_bind_place(statement, 3, room);
    return sqlite_execute(ledger, statement);
}

static int direct_partner(struct ledger *base, place_number room, place_number user,
                          place_number *ret)
{
    struct sqlite_ledger *ledger = self(base);
    int64_t partner = 0;
    int err = ask_number(ledger, about_two(ledger, SQL_direct_partner, room, user), &partner);

    if (!err)
        *ret = (place_number)partner;
    return err;
}

/* Blocks */

static int block_find(struct ledger *base, place_number blocker, place_number user,
                      struct ledger_block *ret)
{
    struct sqlite_ledger *ledger = self(base);
    int64_t blocked_at_ms = 0;
    int err = ask_number(ledger, about_two(ledger, SQL_block_find, blocker, user), &blocked_at_ms);

    if (!err)
        *ret = (struct ledger_block){.user = user, .blocked_at_ms = blocked_at_ms};
    return err;
}

static int block_add(struct ledger *base, place_number blocker, const struct ledger_block *block)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = about_two(ledger, SQL_block_add, blocker, block->user);

    sqlite_bind_number(statement, 3, block->blocked_at_ms);
    int err = sqlite_execute(ledger, statement);
    assert(err || sqlite3_changes(ledger->connection->db) == 1);
    return err;
}

static int block_remove(struct ledger *base, place_number blocker, place_number user)
{
    struct sqlite_ledger *ledger = self(base);

    return sqlite_execute(ledger, about_two(ledger, SQL_block_remove, blocker, user));
}

static int blocks(struct ledger *base, place_number blocker, struct span from, int limit,
                  ledger_block_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_blocks);
    int err;

    sqlite_bind_place(statement, 1, blocker);
    sqlite_bind_text(statement, 2, from.data ? from : span_text(""));
    sqlite_bind_number(statement, 3, limit);
    while (!(err = sqlite_next(ledger, statement))) {
        struct ledger_block block = {
            .user = (place_number)sqlite3_column_int64(statement, 0),
            .user_id = sqlite_column_span(statement, 1),
            .name = sqlite_column_span(statement, 2),
            .data = sqlite_column_span(statement, 3),
            .blocked_at_ms = sqlite3_column_int64(statement, 4),
        };
        err = visit(context, &block);
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int block_count(struct ledger *base, place_number blocker, int64_t *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_block_count);

    sqlite_bind_place(statement, 1, blocker);
    return ask_number(ledger, statement, ret);
}

void sqlite_ledger_add_direct(struct ledger_ops *ops)
{
    ops->direct_find = direct_find;
    ops->direct_add = direct_add;
    ops->direct_partner = direct_partner;
    ops->block_find = block_find;
    ops->block_add = block_add;
    ops->block_remove = block_remove;
    ops->blocks = blocks;
    ops->block_count = block_count;
}
