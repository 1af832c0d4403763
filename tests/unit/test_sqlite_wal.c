/* The WAL that is gathered: whatever was committed is seen by others at once, whatever was rolled
 * back never, in transactions of every size, and it takes few calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite_wal.h"

#define ROUNDS 120

static char folder[64], path[128];

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static int64_t write_calls(void)
{
    FILE *file = fopen("/proc/self/io", "r");
    char line[128];
    long long calls = -1;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        sscanf(line, "syscw: %lld", &calls);
    fclose(file);
    assert_true(calls >= 0);
    return calls;
}

static sqlite3 *open_gathered(const char *synchronous)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     sqlite_wal_vfs()), SQLITE_OK);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    run(db, synchronous);
    return db;
}

static int set_up(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/tidings-wal-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/file.db", folder);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* `rows` of up to 2 KB, some of them changing what is there. */
static void write_rows(sqlite3 *db, int rows)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             "INSERT INTO thing SELECT NULL, randomblob(abs(random() %% 2000)) FROM n", rows);
    run(db, sql);
    run(db, "UPDATE thing SET content = randomblob(50) WHERE rowid % 97 = 1");
}

static void check_rounds(const char *synchronous, const char *cache)
{
    sqlite3 *writer = open_gathered(synchronous), *reader;
    int64_t expected = 0;

    srandom(20260);
    run(writer, "CREATE TABLE thing (number INTEGER PRIMARY KEY, content BLOB)");
    run(writer, cache);
    assert_int_equal(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (int round = 0; round < ROUNDS; round++) {
        int rows = round % 50 == 7 ? 800 : 1 + (int)(random() % 20);
        bool keep = random() % 4 != 0;

        run(writer, "BEGIN IMMEDIATE");
        write_rows(writer, rows);
        assert_int_equal(number(reader, "SELECT count(*) FROM thing"), expected);
        run(writer, keep ? "COMMIT" : "ROLLBACK");
        expected += keep ? rows : 0;
        assert_int_equal(number(reader, "SELECT count(*) FROM thing"), expected);
        if (round % 40 == 39)
            run(writer, "PRAGMA wal_checkpoint(PASSIVE)");
    }
    sqlite3_close(reader);
    sqlite3_close(writer);
    assert_int_equal(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(number(reader, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
                     1);
    assert_int_equal(number(reader, "SELECT count(*) FROM thing"), expected);
    sqlite3_close(reader);
}

static void commits_are_seen_when_synced(void **state)
{
    check_rounds("PRAGMA synchronous = FULL", "PRAGMA cache_size = 1000");
}

static void commits_are_seen_when_not_synced(void **state)
{
    check_rounds("PRAGMA synchronous = NORMAL", "PRAGMA cache_size = 1000");
}

/* Pages that do not fit are written before the commit, and read back. */
static void a_cache_that_spills_reads_its_own(void **state)
{
    check_rounds("PRAGMA synchronous = NORMAL", "PRAGMA cache_size = 10");
}

static void a_commit_takes_few_calls(void **state)
{
    sqlite3 *writer = open_gathered("PRAGMA synchronous = NORMAL");

    run(writer, "CREATE TABLE thing (number INTEGER PRIMARY KEY, content BLOB)");
    int64_t before = write_calls();
    run(writer, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
                "INSERT INTO thing SELECT NULL, randomblob(3500) FROM n");
    int64_t calls = write_calls() - before;
    /* 100 pages and more, by two calls each otherwise. */
    if (calls > 10)
        fail_msg("%d calls", (int)calls);
    sqlite3_close(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commits_are_seen_when_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commits_are_seen_when_not_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cache_that_spills_reads_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_takes_few_calls, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
