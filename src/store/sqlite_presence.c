/* Presence as far as it is kept: choices, last seen, subscriptions. */
#include "base/err.h"
#include "store/sqlite_ledger.h"

#define ROOM_STEPS 8 /* cost about as much as one look-up */

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

/* The rooms of one user, by place. */
struct rooms {
    sqlite3_stmt *statement;
    place_number room; /* at which it stands; 0: at none yet */
};

static struct rooms rooms_of(struct sqlite_ledger *ledger, enum sql_statement which,
                             place_number user)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_number(statement, 2, 0);
    return (struct rooms){.statement = statement};
}

static int rooms_next(struct sqlite_ledger *ledger, struct rooms *rooms)
{
    int err = sqlite_next(ledger, rooms->statement);

    if (!err)
        rooms->room = (place_number)sqlite3_column_int64(rooms->statement, 0);
    return err;
}

/* On to the first at or above `room`, which is above 0: by a few steps, or else by a look-up. */
static int rooms_reach(struct sqlite_ledger *ledger, struct rooms *rooms, place_number room)
{
    int err = 0;

    for (int i = 0; i < ROOM_STEPS && rooms->room < room && !err; i++)
        err = rooms_next(ledger, rooms);
    if (err || rooms->room >= room)
        return err;
    sqlite3_reset(rooms->statement);
    sqlite_bind_place(rooms->statement, 2, room);
    return rooms_next(ledger, rooms);
}

/* Both lists at once, each leaping to where the other stands: as many look-ups as the shorter one
 * has rooms, and fewer where those of one lie close together. */
static int acquainted(struct ledger *base, place_number user, place_number other, bool *ret)
{
    struct sqlite_ledger *ledger = self(base);
    struct rooms mine = rooms_of(ledger, SQL_places_of_one, user);
    struct rooms theirs = rooms_of(ledger, SQL_places_of_other, other);
    int err = rooms_next(ledger, &mine);

    while (!err && mine.room != theirs.room) {
        err = rooms_reach(ledger, &theirs, mine.room);
        if (!err)
            err = rooms_reach(ledger, &mine, theirs.room);
    }
    sqlite3_reset(theirs.statement);
    err = sqlite_finish(mine.statement, err);
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
