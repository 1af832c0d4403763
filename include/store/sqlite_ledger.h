/* The ledger over one SQLite connection.
 *
 * MODEL  one transaction at a time: begin, the primitives of store/ledger.h, then commit or
 *        roll back; a reading ledger begins and ends snapshots.
 *        Event ids are packed into one number, ms << 20 | seq. They are unique over all realms
 *        and rise, so that events are appended at the end of their table. A sequence that is
 *        full goes on in the next millisecond.
 *        Heads of the realms that a transaction touches are held here and written at its commit.
 * BOUNDS heads held: at most one for each command of a transaction.
 * Floor: store. One thread. Borrows the connection. */
#ifndef TIDINGS_STORE_SQLITE_LEDGER_H
#define TIDINGS_STORE_SQLITE_LEDGER_H

#include "store/ledger.h"
#include "store/sqlite_file.h"

#define SQLITE_ID_LAST INT64_MAX
#define SQLITE_SEQ_BITS 20
/* The all-ones sequence is never given out: it stands for "or beyond" in bounds. */
#define SQLITE_SEQ_MAX ((INT64_C(1) << SQLITE_SEQ_BITS) - 2)

#define SQLITE_NOTED_SLOTS 4096

/* Of event.flags, above the audience. */
#define SQLITE_FLAG_ENDS_WATCHING 16
#define SQLITE_FLAG_DELETED 32
#define SQLITE_FLAG_BARS_USER 64
#define SQLITE_FLAG_OPENS_WATCHING 128

/* A realm that the transaction touched. There are seldom more than a few: a list. */
struct sqlite_realm {
    struct sqlite_realm *next;
    struct ledger_realm found;
    bool changed;    /* head and number are to be written */
    size_t name_len; /* bytes */
    char name[];
};

/* That the table `sender` has this row. */
struct sqlite_noted {
    place_number sender, place;
    int64_t hour;
};

struct sqlite_trim;

struct sqlite_ledger {
    struct ledger ledger;
    struct sqlite_trim *trim; /* told of the events of rooms; NULL: nobody */
    struct sqlite_connection *connection;
    bool writes;
    bool begun;             /* a transaction is open */
    bool erased;            /* content was deleted since the owner cleared this */
    int code;               /* first SQLITE_* failure of the transaction, 0: none */
    int64_t id_last;        /* packed; highest that was given out */
    int64_t id_reserved;    /* no id at or above it may be given out */
    int64_t place_last;     /* highest place given */
    int64_t id_committed, place_committed; /* the same at the last commit */
    struct sqlite_realm *realms; /* owned */
    struct sqlite_noted noted[SQLITE_NOTED_SLOTS]; /* by a hash; what was noted last */
    struct ledger_ops ops;
};

void sqlite_ledger_init(struct sqlite_ledger *ledger, struct sqlite_connection *connection,
                        bool writes);
void sqlite_ledger_fini(struct sqlite_ledger *ledger);

MUST_CHECK int sqlite_ledger_begin(struct sqlite_ledger *ledger);
/* After an error it is still to be rolled back. */
MUST_CHECK int sqlite_ledger_commit(struct sqlite_ledger *ledger);
/* Also ends a snapshot. Never fails: what cannot be rolled back was not begun. */
void sqlite_ledger_roll_back(struct sqlite_ledger *ledger);

/* Ids beyond what can be packed become the bound next to them; SQLITE_ID_LAST is EVENT_ID_LAST. */
int64_t sqlite_id_pack(struct event_id id);
struct event_id sqlite_id_unpack(int64_t packed);
/* True when the packed form means the id itself. */
bool sqlite_id_is_exact(struct event_id id);

/* Statements: get, bind from 1, sqlite_next for each row, sqlite_finish. What is bound is
 * borrowed until then; a span with data NULL is bound as NULL, and the number of
 * sqlite_bind_place as NULL when it is 0. */
sqlite3_stmt *sqlite_get(struct sqlite_ledger *ledger, enum sql_statement which);
void sqlite_bind_number(sqlite3_stmt *statement, int at, int64_t value);
void sqlite_bind_place(sqlite3_stmt *statement, int at, place_number value);
void sqlite_bind_id(sqlite3_stmt *statement, int at, struct event_id id);
void sqlite_bind_text(sqlite3_stmt *statement, int at, struct span text);
void sqlite_bind_digest(sqlite3_stmt *statement, int at, const unsigned char *digest);
/* 0 when a row is there, ERR_NOT_FOUND when there is none, or an error, which is remembered. */
MUST_CHECK int sqlite_next(struct sqlite_ledger *ledger, sqlite3_stmt *statement);
/* Resets the statement; `err` is passed on. */
int sqlite_finish(sqlite3_stmt *statement, int err);
/* For a statement without rows: runs and resets it. */
MUST_CHECK int sqlite_execute(struct sqlite_ledger *ledger, sqlite3_stmt *statement);
/* One whose parameters are a user, a room and an event id. */
MUST_CHECK int sqlite_execute_at(struct sqlite_ledger *ledger, enum sql_statement which,
                                 place_number user, place_number room, struct event_id id);
/* Columns from 0. Texts live until the next step; data NULL for NULL. */
struct span sqlite_column_span(sqlite3_stmt *statement, int at);
struct event_id sqlite_column_id(sqlite3_stmt *statement, int at);

/* Runs a bound statement whose rows are (id, place, kind), and resets it. */
MUST_CHECK int sqlite_visit_ids(struct sqlite_ledger *ledger, sqlite3_stmt *statement,
                                ledger_id_visitor visit, void *context);

/* The primitives, by file: sqlite_ledger.c (realms), sqlite_rooms.c, sqlite_bans.c,
 * sqlite_direct.c, sqlite_events.c, sqlite_edits.c, sqlite_reactions.c, sqlite_presence.c,
 * sqlite_markers.c. */
void sqlite_ledger_add_rooms(struct ledger_ops *ops);
void sqlite_ledger_add_presence(struct ledger_ops *ops);
void sqlite_ledger_add_events(struct ledger_ops *ops);
void sqlite_ledger_add_edits(struct ledger_ops *ops);
void sqlite_ledger_add_reactions(struct ledger_ops *ops);
void sqlite_ledger_add_markers(struct ledger_ops *ops);
void sqlite_ledger_add_bans(struct ledger_ops *ops);
void sqlite_ledger_add_direct(struct ledger_ops *ops);
/* Realm that this transaction has touched or touches now. */
MUST_CHECK int sqlite_realm_at(struct sqlite_ledger *ledger, place_number place,
                               struct sqlite_realm **ret);
static inline place_number sqlite_place_next(struct sqlite_ledger *ledger)
{
    return (place_number)++ledger->place_last;
}

#endif
