#include "store/sqlite_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/embedded.h"
#include "base/err.h"
#include "store/sqlite_wal.h"

#define LOCK_SUFFIX ".lock"
#define BUSY_TIMEOUT_MS 2000
#define WAL_BYTES_KEPT "67108864"

int sqlite_err(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    default:
        return ERR_IO;
    }
}

int sqlite_told_err(int err)
{
    switch (err) {
    case ERR_IO:
    case ERR_FULL:
    case ERR_BUSY:
    case ERR_CORRUPT:
        return ERR_UNAVAILABLE;
    default:
        return err;
    }
}

static int explain(int err, char *why, size_t why_size, const char *path, const char *what)
{
    assert(why_size > 0);
    snprintf(why, why_size, "%s: %s", path, what);
    return err;
}

static int explain_db(sqlite3 *db, char *why, size_t why_size, const char *path)
{
    int code = sqlite3_extended_errcode(db);
    int err = sqlite_err(code) ? sqlite_err(code) : ERR_IO;

    return explain(err, why, why_size, path, sqlite3_errmsg(db));
}

/* Makes the file if it is missing, for its owner alone; SQLite gives the WAL the same rights. */
static int make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return ERR_IO;
    close(fd);
    return 0;
}

/* The lock's name, beside the file itself, whatever links lead to it. */
static int name_lock(const char *path, char *name, size_t size)
{
    char *real = realpath(path, NULL);
    int len = real ? snprintf(name, size, "%s" LOCK_SUFFIX, real) : -1;

    free(real);
    return len > 0 && (size_t)len < size ? 0 : ERR_IO;
}

static void note_pid(int fd)
{
    char pid[32];
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

    /* Only for people to read: a full disk is no reason to refuse. */
    if (ftruncate(fd, 0) || pwrite(fd, pid, (size_t)len, 0) != len)
        errno = 0;
}

static int explain_locked(int fd, const char *path, char *why, size_t why_size)
{
    char pid[32];
    ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);

    pid[got > 0 ? got : 0] = 0;
    pid[strcspn(pid, "\n")] = 0;
    snprintf(why, why_size, "%s: in use by another process (pid %s)", path, pid);
    return ERR_LOCKED;
}

int sqlite_lock(const char *path, char *why, size_t why_size, int *ret_fd)
{
    char name[4096 + sizeof(LOCK_SUFFIX)];

    if (make_file(path) || name_lock(path, name, sizeof(name)))
        return explain(ERR_IO, why, why_size, path, strerror(errno));
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return explain(ERR_IO, why, why_size, name, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int err = errno == EWOULDBLOCK
                      ? explain_locked(fd, path, why, why_size)
                      : explain(ERR_IO, why, why_size, name, strerror(errno));

        close(fd);
        return err;
    }
    note_pid(fd);
    *ret_fd = fd;
    return 0;
}

int sqlite_run(struct sqlite_connection *connection, const char *sql)
{
    return sqlite_err(sqlite3_exec(connection->db, sql, NULL, NULL, NULL));
}

/* The one integer that a statement gives. */
static int ask_number(struct sqlite_connection *connection, const char *sql, int64_t *ret)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);

    if (code)
        return sqlite_err(code);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? 0 : sqlite_err(code) ? sqlite_err(code) : ERR_CORRUPT;
}

/* Whether the one text that a statement gives is `wanted`. */
static int ask_is(struct sqlite_connection *connection, const char *sql, const char *wanted)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);

    if (code)
        return sqlite_err(code);
    code = sqlite3_step(statement);
    const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    bool same = text && strcmp(text, wanted) == 0;
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW)
        return sqlite_err(code) ? sqlite_err(code) : ERR_CORRUPT;
    return same ? 0 : ERR_CORRUPT;
}

static void set_up_library(void)
{
    /* Its statistics are one lock around every allocation of every thread. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    assert(sqlite3_threadsafe());
}

static int open_db(const char *path, int flags, const char *vfs, char *why, size_t why_size,
                   struct sqlite_connection *connection)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up_library);
    memset(connection, 0, sizeof(*connection));
    if (sqlite3_open_v2(path, &connection->db, flags | SQLITE_OPEN_NOMUTEX, vfs)) {
        int err = connection->db ? explain_db(connection->db, why, why_size, path) : ERR_MEMORY;

        sqlite_close(connection);
        return err == ERR_FULL ? ERR_IO : err;
    }
    sqlite3_extended_result_codes(connection->db, 1);
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_busy_timeout(connection->db, BUSY_TIMEOUT_MS);
    return 0;
}

static const struct embedded *find_migration(int version)
{
    char prefix[16];

    snprintf(prefix, sizeof(prefix), "%04d-", version);
    for (const struct embedded *file = embedded_sql; file->name; file++)
        if (strncmp(file->name, prefix, strlen(prefix)) == 0)
            return file;
    return NULL;
}

/* One version up, in a transaction of its own that also sets user_version. */
static int migrate_to(struct sqlite_connection *connection, int version)
{
    const struct embedded *file = find_migration(version);
    char set_version[64];
    int err;

    assert(file);
    snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", version);
    err = sqlite_run(connection, "BEGIN IMMEDIATE");
    if (!err)
        err = sqlite_run(connection, file->data);
    if (!err)
        err = sqlite_run(connection, set_version);
    if (!err)
        err = sqlite_run(connection, "COMMIT");
    return err;
}

static int migrate(struct sqlite_connection *connection, const char *path, char *why,
                   size_t why_size)
{
    int64_t version = 0, tables = 0;
    int err = ask_number(connection, "PRAGMA user_version", &version);

    if (!err)
        err = ask_number(connection, "SELECT count(*) FROM sqlite_schema", &tables);
    if (err)
        return explain_db(connection->db, why, why_size, path);
    if (version > SQLITE_SCHEMA_VERSION)
        return explain(ERR_VERSION, why, why_size, path, "was written by a newer version");
    if (version < 0 || (version == 0 && tables > 0))
        return explain(ERR_CORRUPT, why, why_size, path, "is a database of something else");
    for (int next = (int)version + 1; next <= SQLITE_SCHEMA_VERSION; next++) {
        err = migrate_to(connection, next);
        if (err) {
            explain_db(connection->db, why, why_size, path);
            return err == ERR_FULL ? ERR_IO : err;
        }
    }
    return 0;
}

static int set_writer_up(struct sqlite_connection *connection, enum durability durability)
{
    char cache[64];
    int err;

    snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", SQLITE_WRITER_CACHE_KB);
    err = sqlite_run(connection, "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                                 "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
                                 "PRAGMA secure_delete = ON; PRAGMA locking_mode = NORMAL;"
                                 "PRAGMA journal_size_limit = " WAL_BYTES_KEPT);
    if (!err)
        err = sqlite_run(connection, cache);
    if (!err)
        err = sqlite_run(connection, durability == DURABILITY_RELAXED
                                         ? "PRAGMA synchronous = NORMAL"
                                         : "PRAGMA synchronous = FULL");
    return err;
}

static int refuse(struct sqlite_connection *connection, int err)
{
    sqlite_close(connection);
    return err == ERR_FULL || err == ERR_BUSY ? ERR_IO : err;
}

/* The settings stand before the first statement that reads, so that a file that is none of
 * SQLite's is told by the check and not by a half-made WAL. */
int sqlite_open_writer(const char *path, enum durability durability, char *why, size_t why_size,
                       struct sqlite_connection *ret)
{
    int err = open_db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                      sqlite_wal_vfs(), why, why_size, ret);

    if (err)
        return err;
    err = set_writer_up(ret, durability);
    if (err) {
        explain_db(ret->db, why, why_size, path);
        return refuse(ret, err);
    }
    if (ask_is(ret, "PRAGMA journal_mode", "wal"))
        return refuse(ret, explain(ERR_IO, why, why_size, path, "cannot have a write-ahead log"));
    if (ask_is(ret, "PRAGMA quick_check(1)", "ok"))
        return refuse(ret, explain(ERR_CORRUPT, why, why_size, path, "failed its check"));
    err = migrate(ret, path, why, why_size);
    if (err)
        return refuse(ret, err);
    err = sqlite_statements_prepare(ret->db, false, why, why_size, ret->statements);
    return err ? refuse(ret, err) : 0;
}

int sqlite_open_reader(const char *path, char *why, size_t why_size, struct sqlite_connection *ret)
{
    char cache[64];
    int err = open_db(path, SQLITE_OPEN_READONLY, NULL, why, why_size,
                      ret);

    if (err)
        return err;
    snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", SQLITE_READER_CACHE_KB);
    err = sqlite_run(ret, "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                          "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0");
    if (!err)
        err = sqlite_run(ret, cache);
    if (err) {
        explain_db(ret->db, why, why_size, path);
        return refuse(ret, err);
    }
    err = sqlite_statements_prepare(ret->db, true, why, why_size, ret->statements);
    return err ? refuse(ret, err) : 0;
}

void sqlite_close(struct sqlite_connection *connection)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(connection->statements[i]);
        connection->statements[i] = NULL;
    }
    int code = sqlite3_close(connection->db);
    assert(code == SQLITE_OK);
    connection->db = NULL;
}
