/* Markers, mentions, and the counts of deleted messages. */
#include "base/err.h"
#include "store/sqlite_ledger.h"

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

static int marker_put(struct ledger *base, place_number room, place_number user,
                      const struct ledger_marker *marker)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_marker_put);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_place(statement, 2, room);
    sqlite_bind_id(statement, 3, marker->read);
    sqlite_bind_number(statement, 4, (int64_t)marker->ordinal);
    sqlite_bind_number(statement, 5, marker->moved_ms);
    return sqlite_execute(ledger, statement);
}

static int user_ack(struct ledger *base, place_number user, struct event_id cursor, int64_t now_ms)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_user_ack);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_id(statement, 2, cursor);
    sqlite_bind_number(statement, 3, now_ms);
    return sqlite_execute(ledger, statement);
}

/* The member's count follows by triggers. */
static int mention_add(struct ledger *base, place_number room, place_number user,
                       struct event_id id)
{
    return sqlite_execute_at(self(base), SQL_mention_add, user, room, id);
}

static int mentions_remove(struct ledger *base, place_number room, struct event_id id)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_mentions_remove);

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_id(statement, 2, id);
    return sqlite_execute(ledger, statement);
}

static int mentions_read(struct ledger *base, place_number room, place_number user,
                         struct event_id upto)
{
    return sqlite_execute_at(self(base), SQL_mentions_read, user, room, upto);
}

static int erased_add(struct ledger *base, place_number room, uint64_t node)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_erased_add);

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_number(statement, 2, (int64_t)node);
    int err = sqlite_execute(ledger, statement);
    if (err)
        return err;
    statement = sqlite_get(ledger, SQL_erased_note);
    sqlite_bind_place(statement, 1, room);
    return sqlite_execute(ledger, statement);
}

static int erased_count(struct ledger *base, place_number room, uint64_t node, uint64_t *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_erased_count);

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_number(statement, 2, (int64_t)node);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = (uint64_t)sqlite3_column_int64(statement, 0);
    else if (err == ERR_NOT_FOUND)
        *ret = 0;
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

static int message_at_or_below(struct ledger *base, place_number room, struct event_id id,
                               struct event_id *ret_id, uint64_t *ret_ordinal)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_message_at_or_below);

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_id(statement, 2, id);
    int err = sqlite_next(ledger, statement);
    if (!err) {
        *ret_id = sqlite_column_id(statement, 0);
        *ret_ordinal = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    return sqlite_finish(statement, err);
}

void sqlite_ledger_add_markers(struct ledger_ops *ops)
{
    ops->marker_put = marker_put;
    ops->user_ack = user_ack;
    ops->mention_add = mention_add;
    ops->mentions_remove = mentions_remove;
    ops->mentions_read = mentions_read;
    ops->erased_add = erased_add;
    ops->erased_count = erased_count;
    ops->message_at_or_below = message_at_or_below;
}
