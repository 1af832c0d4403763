/* Reactions to messages and the counts of their replies. */
#include "base/err.h"
#include "store/sqlite_ledger.h"

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

static sqlite3_stmt *get_for(struct sqlite_ledger *ledger, enum sql_statement which,
                             struct event_id message, struct span key)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_id(statement, 1, message);
    sqlite_bind_text(statement, 2, key);
    return statement;
}

static int reaction_find(struct ledger *base, place_number room, struct event_id message,
                         struct span key, place_number user)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = get_for(ledger, SQL_reaction_find, message, key);

    sqlite_bind_place(statement, 3, user);
    return sqlite_finish(statement, sqlite_next(ledger, statement));
}

static int reaction_add(struct ledger *base, place_number room, struct event_id message,
                        struct span key, place_number user, struct event_id added)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = get_for(ledger, SQL_reaction_add, message, key);

    sqlite_bind_id(statement, 3, added);
    sqlite_bind_place(statement, 4, user);
    int err = sqlite_execute(ledger, statement);
    if (err)
        return err;
    statement = get_for(ledger, SQL_reaction_key_raise, message, key);
    sqlite_bind_id(statement, 3, added);
    return sqlite_execute(ledger, statement);
}

static int reaction_remove(struct ledger *base, place_number room, struct event_id message,
                           struct span key, place_number user)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = get_for(ledger, SQL_reaction_remove, message, key);

    sqlite_bind_place(statement, 3, user);
    int err = sqlite_execute(ledger, statement);
    if (!err)
        err = sqlite_execute(ledger, get_for(ledger, SQL_reaction_key_lower, message, key));
    if (!err)
        err = sqlite_execute(ledger, get_for(ledger, SQL_reaction_key_drop, message, key));
    return err;
}

static int reactions_clear(struct ledger *base, place_number room, struct event_id message)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_reaction_clear);

    sqlite_bind_id(statement, 1, message);
    int err = sqlite_execute(ledger, statement);
    if (err)
        return err;
    statement = sqlite_get(ledger, SQL_reaction_key_clear);
    sqlite_bind_id(statement, 1, message);
    return sqlite_execute(ledger, statement);
}

static int reaction_keys(struct ledger *base, place_number room, struct event_id message,
                         struct span key, int *ret_count, bool *ret_has)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = get_for(ledger, SQL_reaction_key_count, message, key);
    int err = sqlite_next(ledger, statement);

    if (!err) {
        *ret_count = sqlite3_column_int(statement, 0);
        *ret_has = sqlite3_column_int(statement, 1);
    }
    return sqlite_finish(statement, err);
}

static int find_users(struct sqlite_ledger *ledger, struct event_id message, struct arena *arena,
                      struct ledger_reaction *reaction)
{
    sqlite3_stmt *statement = get_for(ledger, SQL_reaction_users, message, reaction->key);
    int err;

    sqlite_bind_number(statement, 3, REACTION_USERS_SHOWN);
    while (!(err = sqlite_next(ledger, statement))) {
        struct span user = arena_copy(arena, sqlite_column_span(statement, 0));

        if (!user.data)
            return sqlite_finish(statement, ERR_MEMORY);
        reaction->users[reaction->user_count++] = user;
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int find_mine(struct ledger *base, struct event_id message, place_number user,
                     struct ledger_reaction *reaction)
{
    int err = user ? reaction_find(base, 0, message, reaction->key, user) : ERR_NOT_FOUND;

    reaction->mine = !err;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int reactions(struct ledger *base, place_number room, struct event_id message,
                     place_number user, struct arena *arena, ledger_reaction_visitor visit,
                     void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_reaction_keys);
    int err;

    sqlite_bind_id(statement, 1, message);
    while (!(err = sqlite_next(ledger, statement))) {
        struct ledger_reaction reaction = {
            .key = sqlite_column_span(statement, 0),
            .count = sqlite3_column_int64(statement, 1),
        };

        err = find_users(ledger, message, arena, &reaction);
        if (!err)
            err = find_mine(base, message, user, &reaction);
        if (!err)
            err = visit(context, &reaction);
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int replies_waiting(struct ledger *base, place_number room, struct span message_id,
                           int64_t *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_thread_waiting);

    sqlite_bind_number(statement, 1, (int64_t)room);
    sqlite_bind_text(statement, 2, message_id);
    sqlite_bind_number(statement, 3, SQLITE_FLAG_DELETED);
    int err = sqlite_next(ledger, statement);
    *ret = err ? 0 : sqlite3_column_int64(statement, 0);
    return sqlite_finish(statement, err);
}

static int replies_add(struct ledger *base, place_number room, struct event_id message,
                       int64_t change)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_thread_count);

    sqlite_bind_id(statement, 1, message);
    sqlite_bind_number(statement, 2, change);
    return sqlite_execute(ledger, statement);
}

static int replies(struct ledger *base, place_number room, struct event_id message, int64_t *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_thread_replies);

    sqlite_bind_id(statement, 1, message);
    int err = sqlite_next(ledger, statement);
    *ret = err ? 0 : sqlite3_column_int64(statement, 0);
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

void sqlite_ledger_add_reactions(struct ledger_ops *ops)
{
    ops->reaction_find = reaction_find;
    ops->reaction_add = reaction_add;
    ops->reaction_remove = reaction_remove;
    ops->reactions_clear = reactions_clear;
    ops->reaction_keys = reaction_keys;
    ops->reactions = reactions;
    ops->replies_waiting = replies_waiting;
    ops->replies_add = replies_add;
    ops->replies = replies;
}
