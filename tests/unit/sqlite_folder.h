/* A folder of its own for each test of a SQLite file. */
#ifndef TIDINGS_TESTS_SQLITE_FOLDER_H
#define TIDINGS_TESTS_SQLITE_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "store/sqlite_file.h"

static char folder[64], path[128], why[256];

static int set_up(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/tidings-sqlite-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/journal.db", folder);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static int open_writer(struct sqlite_connection *connection)
{
    why[0] = 0;
    return sqlite_open_writer(path, DURABILITY_DISK, why, sizeof(why), connection);
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

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
