/* Presence as far as it is kept: choices, last seen, subscriptions. */
#include "base/err.h"
#include "store/sqlite_ledger.h"

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

static int presence_get(struct ledger *base, place_number user, struct arena *arena,
                        struct ledger_presence *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_presence_get);

    *ret = (struct ledger_presence){0};
    sqlite_bind_place(statement, 1, user);
    int err = sqlite_next(ledger, statement);
    if (!err) {
        struct span activity = sqlite_column_span(statement, 1);

        ret->choice = (enum presence_status)sqlite3_column_int(statement, 0);
        ret->activity = arena_copy(arena, activity);
        ret->seen_ms = sqlite3_column_int64(statement, 2);
        if (activity.data && !ret->activity.data)
            err = ERR_MEMORY;
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int presence_put(struct ledger *base, place_number user, const struct ledger_presence *value)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_presence_set);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_number(statement, 2, value->choice);
    sqlite_bind_text(statement, 3, value->activity);
    sqlite_bind_number(statement, 4, value->seen_ms);
    return sqlite_execute(ledger, statement);
}

static sqlite3_stmt *about_two(struct sqlite_ledger *ledger, enum sql_statement which,
                               place_number user, place_number other)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_place(statement, 2, other);
    return statement;
}

static int subscription_put(struct ledger *base, place_number user, place_number target)
{
    struct sqlite_ledger *ledger = self(base);

    return sqlite_execute(ledger, about_two(ledger, SQL_subscription_add, user, target));
}

static int subscription_remove(struct ledger *base, place_number user, place_number target)
{
    struct sqlite_ledger *ledger = self(base);

    return sqlite_execute(ledger, about_two(ledger, SQL_subscription_remove, user, target));
}

static int subscription_find(struct ledger *base, place_number user, place_number target)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = about_two(ledger, SQL_subscription_find, user, target);

    return sqlite_finish(statement, sqlite_next(ledger, statement));
}

static int subscription_count(struct ledger *base, place_number user, int64_t *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_subscription_count);

    sqlite_bind_place(statement, 1, user);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = sqlite3_column_int64(statement, 0);
    return sqlite_finish(statement, err);
}

static int subscriptions(struct ledger *base, place_number user, ledger_name_visitor visit,
                         void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_subscriptions);
    int err;

    sqlite_bind_place(statement, 1, user);
    while (!(err = sqlite_next(ledger, statement))) {
        err = visit(context, sqlite_column_span(statement, 0));
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int acquainted(struct ledger *base, place_number user, place_number other, bool *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = about_two(ledger, SQL_acquainted, user, other);
    int err = sqlite_finish(statement, sqlite_next(ledger, statement));

    if (err && err != ERR_NOT_FOUND)
        return err;
    *ret = err == 0;
    return 0;
}

void sqlite_ledger_add_presence(struct ledger_ops *ops)
{
    ops->presence_get = presence_get;
    ops->presence_put = presence_put;
    ops->subscription_put = subscription_put;
    ops->subscription_remove = subscription_remove;
    ops->subscription_find = subscription_find;
    ops->subscription_count = subscription_count;
    ops->subscriptions = subscriptions;
    ops->acquainted = acquainted;
}
