/* One SQLite file: its lock, its connections, its schema and its named statements.
 *
 * WHY    SQLite 3.40 can damage a WAL when two connections write or checkpoint at once. So one
 *        process holds the file, one connection in it writes and checkpoints, and the others
 *        only read.
 * MODEL  sqlite_lock          keeps a second process out, for as long as the descriptor is open
 *        sqlite_open_writer   makes or checks the file, migrates it, prepares the statements
 *        sqlite_open_reader   only after the writer, and closed before it
 *        A statement is a `-- name: x` block of src/store/sql/queries*.sql, prepared once for
 *        each connection and named SQL_x here. Readers prepare those that only read.
 * BOUNDS the page caches by SQLITE_WRITER_CACHE_KB and SQLITE_READER_CACHE_KB.
 * Floor: store. A connection belongs to one thread at a time. */
#ifndef TIDINGS_STORE_SQLITE_FILE_H
#define TIDINGS_STORE_SQLITE_FILE_H

#include <sqlite3.h>

#include "base/settings.h"
#include "base/span.h"
#include "store/sqlite_statements.h"

#define SQLITE_WRITER_CACHE_KB 16384
#define SQLITE_READER_CACHE_KB 4096
#define SQLITE_SCHEMA_VERSION 2

struct sqlite_connection {
    sqlite3 *db;                          /* owned; NULL when closed */
    sqlite3_stmt *statements[SQL_COUNT];  /* owned; NULL: not for this connection */
};

/* A descriptor that holds the lock of the file `path`; close() gives it up. ERR_LOCKED when
 * another process has it, ERR_IO. `why` says so for the operator. */
MUST_CHECK int sqlite_lock(const char *path, char *why, size_t why_size, int *ret_fd);

/* ERR_IO, ERR_VERSION, ERR_CORRUPT, ERR_MEMORY, with `why`. */
MUST_CHECK int sqlite_open_writer(const char *path, enum durability durability, char *why,
                                  size_t why_size, struct sqlite_connection *ret);
MUST_CHECK int sqlite_open_reader(const char *path, char *why, size_t why_size,
                                  struct sqlite_connection *ret);
void sqlite_close(struct sqlite_connection *connection);

/* Runs statements that give no rows. ERR_* as sqlite_err says. */
MUST_CHECK int sqlite_run(struct sqlite_connection *connection, const char *sql);
/* What an SQLITE_* code means here: 0 for SQLITE_OK, _ROW and _DONE; ERR_MEMORY, ERR_FULL for a
 * full disk, ERR_CORRUPT, ERR_BUSY, ERR_IO for the rest. */
int sqlite_err(int code);
/* What somebody is told whose request ended in `err`: that the store cannot be reached, for all
 * that may pass. ERR_CORRUPT as well: SQLite calls a read that fails so. */
int sqlite_told_err(int err);

#endif
