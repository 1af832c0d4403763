/* Pages that are scrubbed: no copy of a row stays in free space, and the file is as sound as one
 * that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_scrub.h"
#include "store/sqlite_wal.h"

#define PAGE_BYTES 4096

static char folder[64], path[128];

static int set_up(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/tidings-scrub-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/test.db", folder);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static void run_with(sqlite3 *db, const char *format, unsigned first, unsigned second)
{
    char sql[200];
    snprintf(sql, sizeof(sql), format, first, second);
    run(db, sql);
}

/* Rows that are added, grow and go, so that others move between pages. */
static void write_rows(const char *vfs)
{
    sqlite3 *db;
    unsigned chance = 1;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
                     SQLITE_OK);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON;"
            "CREATE TABLE event (id INTEGER PRIMARY KEY, body TEXT)");
    for (unsigned i = 1; i <= 1500; i++) {
        chance = chance * 1664525 + 1013904223;
        run_with(db, "INSERT INTO event VALUES (%u, printf('%%.*c', %u, 'x'))", i,
                 20 + (chance >> 8) % 1500);
        if (chance >> 31)
            run_with(db, "UPDATE event SET body = printf('%%.*c', %u, 'y') WHERE id = %u",
                     (chance >> 8) % 3000, i - (chance >> 20) % i % 60);
        if (i % 3 == 0)
            run_with(db, "DELETE FROM event WHERE id = %u", i - (chance >> 12) % i % 80, 0);
        if (i % 300 == 0)
            run(db, "PRAGMA wal_checkpoint(PASSIVE)");
    }
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Pages of the file that scrubbing would change. */
static int count_dirty(void)
{
    static unsigned char page[PAGE_BYTES], scrubbed[PAGE_BYTES];
    FILE *file = fopen(path, "rb");
    int count = 0;
    assert_non_null(file);
    for (int i = 0; fread(page, sizeof(page), 1, file) == 1; i++) {
        memcpy(scrubbed, page, sizeof(page));
        sqlite_scrub_page(scrubbed, sizeof(scrubbed), i == 0);
        count += memcmp(page, scrubbed, sizeof(page)) != 0;
    }
    fclose(file);
    return count;
}

static void check_sound(void)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void nothing_stays_in_free_space(void **state)
{
    write_rows(sqlite_wal_vfs());
    assert_int_equal(count_dirty(), 0);
    check_sound();
}

/* Without this the test above would say nothing. */
static void the_default_leaves_copies(void **state)
{
    write_rows(NULL);
    assert_true(count_dirty() > 0);
}

static void a_page_that_is_no_leaf_stays(void **state)
{
    unsigned char page[PAGE_BYTES], before[PAGE_BYTES];
    for (int first = 0; first < 2; first++) {
        for (int type = 0; type < 256; type++) {
            memset(page, type, sizeof(page)); /* of a leaf: numbers that cannot be */
            memcpy(before, page, sizeof(page));
            sqlite_scrub_page(page, sizeof(page), first);
            if (type != 13 && memcmp(page, before, sizeof(page)) != 0)
                fail_msg("a page of %d was changed", type);
        }
    }
}

static void a_damaged_leaf_stays_within_its_page(void **state)
{
    static const unsigned char headers[][8] = {
        {13, 0, 0, 0xff, 0xff, 0x10, 0, 0}, /* more rows than fit */
        {13, 0, 0, 0, 1, 0xff, 0xff, 0},    /* rows beyond the page */
        {13, 0, 0, 0, 0, 0, 0, 0},          /* 0 means 65,536 */
        {13, 0, 0, 0, 9, 0, 1, 0},          /* rows within the pointers */
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        unsigned char *page = malloc(PAGE_BYTES), before[PAGE_BYTES];
        assert_non_null(page);
        memset(page, 7, PAGE_BYTES);
        memcpy(page, headers[i], sizeof(headers[i]));
        memcpy(before, page, sizeof(before));
        sqlite_scrub_page(page, PAGE_BYTES, 0);
        assert_memory_equal(page, before, sizeof(before));
        free(page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_stays_in_free_space, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_default_leaves_copies, set_up, tear_down),
        cmocka_unit_test(a_page_that_is_no_leaf_stays),
        cmocka_unit_test(a_damaged_leaf_stays_within_its_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
