/* What is said of a message after it was sent. */
#include "base/err.h"
#include "store/sqlite_ledger.h"

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

static int event_rewrite(struct ledger *base, place_number realm, struct event_id id,
                         struct span body, bool deleted)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_event_rewrite);

    sqlite_bind_id(statement, 1, id);
    sqlite_bind_text(statement, 2, body);
    sqlite_bind_number(statement, 3, deleted ? SQLITE_FLAG_DELETED : 0);
    ledger->erased |= deleted;
    return sqlite_execute(ledger, statement);
}

static int edits(struct ledger *base, place_number room, struct event_id message,
                 struct event_id after, int limit, ledger_id_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_edits);

    sqlite_bind_id(statement, 1, message);
    sqlite_bind_id(statement, 2, after);
    sqlite_bind_number(statement, 3, limit);
    return sqlite_visit_ids(ledger, statement, visit, context);
}

static int edit_count(struct ledger *base, place_number room, struct event_id message,
                      int64_t limit, int64_t *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_edit_count);

    sqlite_bind_id(statement, 1, message);
    sqlite_bind_number(statement, 2, limit);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = sqlite3_column_int64(statement, 0);
    return sqlite_finish(statement, err);
}

void sqlite_ledger_add_edits(struct ledger_ops *ops)
{
    ops->event_rewrite = event_rewrite;
    ops->edits = edits;
    ops->edit_count = edit_count;
}
