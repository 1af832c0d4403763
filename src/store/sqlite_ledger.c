#include "store/sqlite_ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Packed ids */

int64_t sqlite_id_pack(struct event_id id)
{
    const uint64_t ms_max = (UINT64_C(1) << (63 - SQLITE_SEQ_BITS)) - 1;
    const uint64_t seq_beyond = SQLITE_SEQ_MAX + 1;

    /* Still below the last: as a lower bound it lets what is open for ever through. */
    if (id.ms > ms_max)
        return event_id_compare(id, EVENT_ID_LAST) == 0 ? SQLITE_ID_LAST : SQLITE_ID_LAST - 1;
    return (int64_t)(id.ms << SQLITE_SEQ_BITS | (id.seq > seq_beyond ? seq_beyond : id.seq));
}

struct event_id sqlite_id_unpack(int64_t packed)
{
    assert(packed >= 0);
    if (packed == SQLITE_ID_LAST)
        return EVENT_ID_LAST;
    return (struct event_id){(uint64_t)packed >> SQLITE_SEQ_BITS,
                             (uint64_t)packed & (SQLITE_SEQ_MAX + 1)};
}

bool sqlite_id_is_exact(struct event_id id)
{
    return event_id_compare(sqlite_id_unpack(sqlite_id_pack(id)), id) == 0;
}

/* Statements */

sqlite3_stmt *sqlite_get(struct sqlite_ledger *ledger, enum sql_statement which)
{
    assert(ledger->connection->statements[which]);
    return ledger->connection->statements[which];
}

void sqlite_bind_number(sqlite3_stmt *statement, int at, int64_t value)
{
    int code = sqlite3_bind_int64(statement, at, value);
    assert(code == SQLITE_OK);
}

void sqlite_bind_place(sqlite3_stmt *statement, int at, place_number value)
{
    assert(value <= INT64_MAX);
    int code = value ? sqlite3_bind_int64(statement, at, (int64_t)value)
                     : sqlite3_bind_null(statement, at);
    assert(code == SQLITE_OK);
}

void sqlite_bind_id(sqlite3_stmt *statement, int at, struct event_id id)
{
    sqlite_bind_number(statement, at, sqlite_id_pack(id));
}

void sqlite_bind_text(sqlite3_stmt *statement, int at, struct span text)
{
    assert(text.len <= INT32_MAX);
    int code = sqlite3_bind_text(statement, at, text.data, (int)text.len, SQLITE_STATIC);
    assert(code == SQLITE_OK);
}

void sqlite_bind_digest(sqlite3_stmt *statement, int at, const unsigned char *digest)
{
    int code = sqlite3_bind_blob(statement, at, digest, COMMAND_DIGEST_BYTES, SQLITE_STATIC);
    assert(code == SQLITE_OK);
}

int sqlite_next(struct sqlite_ledger *ledger, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW)
        return 0;
    if (code == SQLITE_DONE)
        return ERR_NOT_FOUND;
    assert((code & 0xff) != SQLITE_MISUSE);
    if (!ledger->code)
        ledger->code = code;
    return sqlite_err(code);
}

int sqlite_finish(sqlite3_stmt *statement, int err)
{
    sqlite3_reset(statement);
    return err;
}

int sqlite_execute(struct sqlite_ledger *ledger, sqlite3_stmt *statement)
{
    int err = sqlite_next(ledger, statement);

    assert(err);
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

int sqlite_execute_at(struct sqlite_ledger *ledger, enum sql_statement which, place_number user,
                      place_number room, struct event_id id)
{
    sqlite3_stmt *statement = sqlite_get(ledger, which);

    sqlite_bind_place(statement, 1, user);
    sqlite_bind_place(statement, 2, room);
    sqlite_bind_id(statement, 3, id);
    return sqlite_execute(ledger, statement);
}

struct span sqlite_column_span(sqlite3_stmt *statement, int at)
{
    const char *text = (const char *)sqlite3_column_text(statement, at);

    return span_of(text, text ? (size_t)sqlite3_column_bytes(statement, at) : 0);
}

struct event_id sqlite_column_id(sqlite3_stmt *statement, int at)
{
    int64_t packed = sqlite3_column_int64(statement, at);

    return sqlite_id_unpack(packed < 0 ? 0 : packed);
}

/* Realms */

static struct sqlite_ledger *self(struct ledger *ledger)
{
    return container_of(ledger, struct sqlite_ledger, ledger);
}

static struct sqlite_realm *held_by_name(struct sqlite_ledger *ledger, struct span name)
{
    for (struct sqlite_realm *realm = ledger->realms; realm; realm = realm->next)
        if (span_equal(span_of(realm->name, realm->name_len), name))
            return realm;
    return NULL;
}

static struct sqlite_realm *held_by_place(struct sqlite_ledger *ledger, place_number place)
{
    for (struct sqlite_realm *realm = ledger->realms; realm; realm = realm->next)
        if (realm->found.place == place)
            return realm;
    return NULL;
}

static void let_realms_go(struct sqlite_ledger *ledger)
{
    while (ledger->realms) {
        struct sqlite_realm *realm = ledger->realms;

        ledger->realms = realm->next;
        free(realm);
    }
}

/* Only a writer changes heads, so only it holds them. */
static int hold_realm(struct sqlite_ledger *ledger, struct span name,
                      const struct ledger_realm *found, struct sqlite_realm **ret)
{
    struct sqlite_realm *realm = calloc(1, sizeof(*realm) + name.len);

    assert(ledger->writes);
    if (!realm)
        return ERR_MEMORY;
    realm->found = *found;
    realm->name_len = name.len;
    memcpy(realm->name, name.data, name.len);
    realm->next = ledger->realms;
    ledger->realms = realm;
    *ret = realm;
    return 0;
}

static int realm_find(struct ledger *base, struct span name, struct ledger_realm *ret)
{
    struct sqlite_ledger *ledger = self(base);
    struct sqlite_realm *realm = held_by_name(ledger, name);
    struct ledger_realm found;

    if (realm) {
        *ret = realm->found;
        return 0;
    }
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_realm_find);
    sqlite_bind_text(statement, 1, name);
    int err = sqlite_next(ledger, statement);
    if (!err)
        found = (struct ledger_realm){
            .place = (place_number)sqlite3_column_int64(statement, 0),
            .head = sqlite_column_id(statement, 1),
            .head_number = (uint64_t)sqlite3_column_int64(statement, 2),
            .gone = sqlite_column_id(statement, 3),
        };
    sqlite_finish(statement, 0);
    if (!err && ledger->writes)
        err = hold_realm(ledger, name, &found, &realm);
    if (!err)
        *ret = found;
    return err;
}

static int realm_add(struct ledger *base, struct span name, struct ledger_realm *ret)
{
    struct sqlite_ledger *ledger = self(base);
    struct ledger_realm found = {.place = sqlite_place_next(ledger)};
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_realm_add);
    struct sqlite_realm *realm;

    assert(!held_by_name(ledger, name));
    sqlite_bind_place(statement, 1, found.place);
    sqlite_bind_text(statement, 2, name);
    int err = sqlite_execute(ledger, statement);
    if (!err)
        err = hold_realm(ledger, name, &found, &realm);
    if (!err)
        *ret = found;
    return err;
}

int sqlite_realm_at(struct sqlite_ledger *ledger, place_number place, struct sqlite_realm **ret)
{
    struct sqlite_realm *realm = held_by_place(ledger, place);

    if (realm) {
        *ret = realm;
        return 0;
    }
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_realm_at);
    sqlite_bind_place(statement, 1, place);
    int err = sqlite_next(ledger, statement);
    if (!err) {
        struct ledger_realm found = {
            .place = place,
            .head = sqlite_column_id(statement, 1),
            .head_number = (uint64_t)sqlite3_column_int64(statement, 2),
            .gone = sqlite_column_id(statement, 3),
        };
        err = hold_realm(ledger, sqlite_column_span(statement, 0), &found, ret);
    }
    return sqlite_finish(statement, err);
}

static int lost(struct ledger *base, place_number realm, struct event_id cursor,
                ledger_lost_visitor visit, void *context)
{
    struct sqlite_ledger *ledger = self(base);
    sqlite3_stmt *statement = sqlite_get(ledger, SQL_lost);
    int err;

    sqlite_bind_place(statement, 1, realm);
    sqlite_bind_id(statement, 2, cursor);
    while (!(err = sqlite_next(ledger, statement))) {
        err = visit(context, sqlite_column_id(statement, 0), sqlite_column_id(statement, 1));
        if (err)
            return sqlite_finish(statement, err);
    }
    return sqlite_finish(statement, err == ERR_NOT_FOUND ? 0 : err);
}

/* Transactions */

int sqlite_ledger_begin(struct sqlite_ledger *ledger)
{
    assert(!ledger->begun && !ledger->realms);
    ledger->code = 0;
    int err = sqlite_execute(
        ledger, sqlite_get(ledger, ledger->writes ? SQL_begin_write : SQL_begin_read));
    ledger->begun = !err;
    return err;
}

static int write_heads(struct sqlite_ledger *ledger)
{
    int err = 0;

    for (struct sqlite_realm *realm = ledger->realms; realm && !err; realm = realm->next) {
        if (!realm->changed)
            continue;
        sqlite3_stmt *statement = sqlite_get(ledger, SQL_realm_set);
        sqlite_bind_place(statement, 1, realm->found.place);
        sqlite_bind_id(statement, 2, realm->found.head);
        sqlite_bind_number(statement, 3, (int64_t)realm->found.head_number);
        err = sqlite_execute(ledger, statement);
    }
    if (!err && ledger->place_last != ledger->place_committed) {
        sqlite3_stmt *statement = sqlite_get(ledger, SQL_state_set_places);
        sqlite_bind_number(statement, 1, ledger->place_last);
        err = sqlite_execute(ledger, statement);
    }
    return err;
}

int sqlite_ledger_commit(struct sqlite_ledger *ledger)
{
    assert(ledger->begun && ledger->writes);
    int err = write_heads(ledger);
    if (!err)
        err = sqlite_execute(ledger, sqlite_get(ledger, SQL_commit));
    if (err)
        return err;
    ledger->begun = false;
    ledger->id_committed = ledger->id_last;
    ledger->place_committed = ledger->place_last;
    let_realms_go(ledger);
    return 0;
}

void sqlite_ledger_roll_back(struct sqlite_ledger *ledger)
{
    /* After some failures SQLite has rolled back by itself. */
    if (ledger->begun && !sqlite3_get_autocommit(ledger->connection->db)) {
        sqlite3_step(sqlite_get(ledger, SQL_rollback));
        sqlite3_reset(sqlite_get(ledger, SQL_rollback));
    }
    assert(sqlite3_get_autocommit(ledger->connection->db));
    ledger->begun = false;
    ledger->id_last = ledger->id_committed;
    ledger->place_last = ledger->place_committed;
    if (ledger->writes)
        memset(ledger->noted, 0, sizeof(ledger->noted));
    let_realms_go(ledger);
}

void sqlite_ledger_init(struct sqlite_ledger *ledger, struct sqlite_connection *connection,
                        bool writes)
{
    *ledger = (struct sqlite_ledger){
        .connection = connection,
        .writes = writes,
        .id_reserved = SQLITE_ID_LAST,
        .ops = {.realm_find = realm_find, .realm_add = realm_add, .lost = lost},
    };
    ledger->ledger.ops = &ledger->ops;
    sqlite_ledger_add_rooms(&ledger->ops);
    sqlite_ledger_add_presence(&ledger->ops);
    sqlite_ledger_add_bans(&ledger->ops);
    sqlite_ledger_add_direct(&ledger->ops);
    sqlite_ledger_add_events(&ledger->ops);
    sqlite_ledger_add_markers(&ledger->ops);
    sqlite_ledger_add_edits(&ledger->ops);
    sqlite_ledger_add_reactions(&ledger->ops);
}

void sqlite_ledger_fini(struct sqlite_ledger *ledger)
{
    assert(!ledger->begun);
    let_realms_go(ledger);
}
