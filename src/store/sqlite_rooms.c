/* Rooms, users, members and tenures. */
#include <assert.h>

#include "base/err.h"
#include "store/sqlite_ledger.h"

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

/* Rooms */

/* Columns in the order of room_find; texts are the statement's. */
static struct ledger_room room_of_row(sqlite3_stmt *row)
{
    return (struct ledger_room){
        .place = (place_number)sqlite3_column_int64(row, 0),
        .deleted = sqlite3_column_int(row, 2),
        .gone = sqlite_column_id(row, 14),
        .trimmed_ordinal = (uint64_t)sqlite3_column_int64(row, 15),
        .has_erased = sqlite3_column_int(row, 16),
        .ordinal = (uint64_t)sqlite3_column_int64(row, 17),
        .info = {.id = sqlite_column_span(row, 1),
                 .kind = (enum room_kind)sqlite3_column_int(row, 3),
                 .name = sqlite_column_span(row, 4),
                 .topic = sqlite_column_span(row, 5),
                 .announce = sqlite3_column_int(row, 6),
                 .slow_mode_s = sqlite3_column_int(row, 7),
                 .history_from = (enum history_from)sqlite3_column_int(row, 8),
                 .data = sqlite_column_span(row, 9),
                 .member_count = sqlite3_column_int64(row, 10),
                 .version = (uint64_t)sqlite3_column_int64(row, 11),
                 .created_at_ms = sqlite3_column_int64(row, 12),
                 .public_since = sqlite_column_id(row, 13)}};
}

static int keep_text(struct arena *arena, struct span *text)
{
    struct span copy = arena_copy(arena, *text);

    if (text->data && !copy.data)
        return ERR_MEMORY;
    *text = copy;
    return 0;
}

static int keep_room_texts(struct arena *arena, struct room_info *info)
{
    struct span *texts[] = {&info->id, &info->name, &info->topic, &info->data};

    for (size_t i = 0; i < array_count(texts); i++)
        if (keep_text(arena, texts[i]))
            return ERR_MEMORY;
    return 0;
}

static int take_room(struct sqlite_ledger *ledger, sqlite3_stmt *statement, struct arena *arena,
                     struct ledger_room *ret)
{
    int err = sqlite_next(ledger, statement);

    if (!err) {
        struct ledger_room room = room_of_row(statement);

        err = keep_room_texts(arena, &room.info);
        if (!err)
            *ret = room;
    }
    return sqlite_finish(statement, err);
}

static int room_find(struct ledger *base, place_number realm, struct span id, struct arena *arena,
                     struct ledger_room *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_room_find);

    sqlite_bind_place(statement, 1, realm);
    sqlite_bind_text(statement, 2, id);
    return take_room(ledger, statement, arena, ret);
}

static int room_at(struct ledger *base, place_number place, struct arena *arena,
                   struct ledger_room *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_room_at);

    sqlite_bind_place(statement, 1, place);
    return take_room(ledger, statement, arena, ret);
}

/* Texts that are not set are kept as empty ones. */
static struct span set_text(struct span text)
{
    return text.data ? text : span_text("");
}

/* From the parameter 4 on, the same in room_add and room_set. */
static void bind_room(sqlite3_stmt *statement, const struct room_info *info)
{
    sqlite_bind_number(statement, 4, info->kind);
    sqlite_bind_text(statement, 5, set_text(info->name));
    sqlite_bind_text(statement, 6, set_text(info->topic));
    sqlite_bind_number(statement, 7, info->announce);
    sqlite_bind_number(statement, 8, info->slow_mode_s);
    sqlite_bind_number(statement, 9, info->history_from);
    sqlite_bind_text(statement, 10, info->data.data ? info->data : span_text("{}"));
    sqlite_bind_number(statement, 11, (int64_t)info->version);
    sqlite_bind_id(statement, 12, info->public_since);
}

static int room_add(struct ledger *base, place_number realm, const struct room_info *info,
                    place_number *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_room_add);
    place_number place = sqlite_place_next(ledger);

    sqlite_bind_place(statement, 1, place);
    sqlite_bind_place(statement, 2, realm);
    sqlite_bind_text(statement, 3, info->id);
    bind_room(statement, info);
    sqlite_bind_number(statement, 13, info->created_at_ms);
    int err = sqlite_execute(ledger, statement);
    if (!err)
        *ret = place;
    return err;
}

static int room_set(struct ledger *base, place_number place, const struct room_info *info)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_room_set);

    sqlite_bind_place(statement, 1, place);
    bind_room(statement, info);
    return sqlite_execute(ledger, statement);
}

static int room_remove(struct ledger *base, place_number place, struct event_id until)
{
    static const enum sql_statement steps[] = {SQL_room_remove_members, SQL_room_remove_mentions,
                                               SQL_room_remove_erased, SQL_room_remove_bans,
                                               SQL_room_remove_direct,
                                               SQL_room_delete};
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_room_end_tenures);

    sqlite_bind_place(statement, 1, place);
    sqlite_bind_id(statement, 2, until);
    int err = sqlite_execute(ledger, statement);
    for (size_t i = 0; i < array_count(steps) && !err; i++) {
        statement = sqlite_get(ledger, steps[i]);
        sqlite_bind_place(statement, 1, place);
        err = sqlite_execute(ledger, statement);
    }
    return err;
}

static int count_members(struct sqlite_ledger *ledger, place_number room, int64_t amount)
{
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_room_count_members);

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_number(statement, 2, amount);
    return sqlite_execute(ledger, statement);
}

/* Users */

static int user_find(struct ledger *base, place_number realm, struct span id, struct arena *arena,
                     struct ledger_user *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_user_find);

    sqlite_bind_place(statement, 1, realm);
    sqlite_bind_text(statement, 2, id);
    int err = sqlite_next(ledger, statement);
    if (!err) {
        struct ledger_user user = {
            .place = (place_number)sqlite3_column_int64(statement, 0),
            .id = sqlite_column_span(statement, 1),
            .name = sqlite_column_span(statement, 2),
            .data = sqlite_column_span(statement, 3),
            .gone = sqlite_column_id(statement, 4),
            .acked = sqlite_column_id(statement, 5),
        };
        if (keep_text(arena, &user.id) || keep_text(arena, &user.name) ||
            keep_text(arena, &user.data))
            err = ERR_MEMORY;
        else
            *ret = user;
    }
    return sqlite_finish(statement, err);
}

static int user_add(struct ledger *base, place_number realm, struct span id, place_number *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_user_add);
    place_number place = sqlite_place_next(ledger);

    sqlite_bind_place(statement, 1, place);
    sqlite_bind_place(statement, 2, realm);
    sqlite_bind_text(statement, 3, id);
    int err = sqlite_execute(ledger, statement);
    if (!err)
        *ret = place;
    return err;
}

static int user_set(struct ledger *base, place_number user, struct span name, struct span data)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_user_set);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_text(statement, 2, name);
    sqlite_bind_text(statement, 3, data);
    return sqlite_execute(ledger, statement);
}

/* Members */

static struct ledger_member member_of_row(sqlite3_stmt *row, int first)
{
    return (struct ledger_member){
        .user = (place_number)sqlite3_column_int64(row, first),
        .role = (enum role)sqlite3_column_int(row, first + 1),
        .joined_at_ms = sqlite3_column_int64(row, first + 2),
        .muted_until_ms = sqlite3_column_int64(row, first + 3),
        .marker = {.read = sqlite_column_id(row, first + 4),
                   .ordinal = (uint64_t)sqlite3_column_int64(row, first + 5),
                   .mentions = sqlite3_column_int64(row, first + 6),
                   .moved_ms = sqlite3_column_int64(row, first + 7)},
        .notify = (enum notify)sqlite3_column_int(row, first + 8),
    };
}

static int member_find(struct ledger *base, place_number room, place_number user,
                       struct ledger_member *ret)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_member_find);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_place(statement, 2, room);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = member_of_row(statement, 0);
    return sqlite_finish(statement, err);
}

static int write_member(struct sqlite_ledger *ledger, enum sql_statement which, place_number room,
                        const struct ledger_member *member)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_place(statement, 1, member->user);
    sqlite_bind_place(statement, 2, room);
    sqlite_bind_number(statement, 3, member->role);
    sqlite_bind_number(statement, 4, member->joined_at_ms);
    sqlite_bind_number(statement, 5, member->muted_until_ms);
    sqlite_bind_number(statement, 6, member->notify);
    return sqlite_execute(ledger, statement);
}

static int member_put(struct ledger *base, place_number room, const struct ledger_member *member)
{
    struct sqlite_ledger *ledger = self(base);
    int err = write_member(ledger, SQL_member_set, room, member);

    if (err || sqlite3_changes(ledger->connection->db) > 0)
        return err;
    err = write_member(ledger, SQL_member_add, room, member);
    if (err)
        return err;
    assert(sqlite3_changes(ledger->connection->db) == 1);
    return count_members(ledger, room, 1);
}

static int member_remove(struct ledger *base, place_number room, place_number user)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_member_remove);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_place(statement, 2, room);
    int err = sqlite_execute(ledger, statement);
    if (!err && sqlite3_changes(ledger->connection->db) > 0)
        err = count_members(ledger, room, -1);
    return err ? err : base->ops->mentions_read(base, room, user, EVENT_ID_LAST);
}

static int members(struct ledger *base, place_number room, struct span from, int limit,
                   ledger_member_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_members);
    int err;

    sqlite_bind_place(statement, 1, room);
    sqlite_bind_text(statement, 2, set_text(from));
    sqlite_bind_number(statement, 3, limit);
    while (!(err = sqlite_next(ledger, statement))) {
        struct ledger_member member = member_of_row(statement, 0);

        member.user_id = sqlite_column_span(statement, 9);
        member.name = sqlite_column_span(statement, 10);
        member.data = sqlite_column_span(statement, 11);
        member.acked = sqlite_column_id(statement, 12);
        member.acked_at_ms = sqlite3_column_int64(statement, 13);
        err = visit(context, &member);
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

/* A statement that counts under one place. */
static int count(struct sqlite_ledger *ledger, enum sql_statement which, place_number place,
                 int64_t *ret)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_place(statement, 1, place);
    int err = sqlite_next(ledger, statement);
    if (!err)
        *ret = sqlite3_column_int64(statement, 0);
    return sqlite_finish(statement, err);
}

static int owner_count(struct ledger *base, place_number room, int64_t *ret)
{
    return count(self(base), SQL_owner_count, room, ret);
}

static int room_count_of_user(struct ledger *base, place_number user, int64_t *ret)
{
    return count(self(base), SQL_room_count_of_user, user, ret);
}

static int rooms_of_user(struct ledger *base, place_number user, struct span from, int limit,
                         ledger_room_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_rooms_of_user);
    int err;

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_text(statement, 2, set_text(from));
    sqlite_bind_number(statement, 3, limit);
    while (!(err = sqlite_next(ledger, statement))) {
        struct ledger_room room = room_of_row(statement);
        struct ledger_member member = member_of_row(statement, 18);

        err = visit(context, &room, &member);
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

/* Tenures */

static int tenure_open(struct ledger *base, place_number user, place_number room,
                       struct event_id from)
{
    return sqlite_execute_at(self(base), SQL_tenure_open, user, room, from);
}

static int tenure_close(struct ledger *base, place_number user, place_number room,
                        struct event_id until)
{
    return sqlite_execute_at(self(base), SQL_tenure_close, user, room, until);
}

static int tenures(struct ledger *base, place_number user, place_number room,
                   struct event_id after, ledger_tenure_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, room ? SQL_tenures_in_room : SQL_tenures_of_user);
    int err;

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_id(statement, 2, after);
    if (room)
        sqlite_bind_place(statement, 3, room);
    while (!(err = sqlite_next(ledger, statement))) {
        struct ledger_tenure tenure = {
            .room = (place_number)sqlite3_column_int64(statement, 0),
            .from = sqlite_column_id(statement, 1),
            .until = sqlite_column_id(statement, 2),
        };
        err = visit(context, &tenure);
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

void sqlite_ledger_add_rooms(struct ledger_ops *ops)
{
    ops->room_find = room_find;
    ops->room_at = room_at;
    ops->room_add = room_add;
    ops->room_set = room_set;
    ops->room_remove = room_remove;
    ops->user_find = user_find;
    ops->user_add = user_add;
    ops->user_set = user_set;
    ops->member_find = member_find;
    ops->member_put = member_put;
    ops->member_remove = member_remove;
    ops->members = members;
    ops->owner_count = owner_count;
    ops->rooms_of_user = rooms_of_user;
    ops->room_count_of_user = room_count_of_user;
    ops->tenure_open = tenure_open;
    ops->tenure_close = tenure_close;
    ops->tenures = tenures;
}
