/* The SQLite file: which are refused, its lock, and the rules of its connections. */
#include "base/embedded.h"
#include "sqlite_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void make_file(void)
{
    struct sqlite_connection writer;

    assert_int_equal(open_writer(&writer), 0);
    assert_int_equal(sqlite_run(&writer, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    sqlite_close(&writer);
}

static void run_plain(const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The file */

static void a_new_file_is_made_once(void **state)
{
    struct sqlite_connection writer;

    make_file();
    assert_int_equal(open_writer(&writer), 0);
    assert_int_equal(number(writer.db, "PRAGMA user_version"), SQLITE_SCHEMA_VERSION);
    assert_int_equal(number(writer.db, "SELECT count(*) FROM state"), 1);
    assert_int_equal(number(writer.db, "PRAGMA synchronous"), 2);
    assert_int_equal(number(writer.db, "PRAGMA secure_delete"), 1);
    sqlite_close(&writer);
}

/* A file as version 1 made it, with one message and one member. */
static void make_first_version(void)
{
    for (const struct embedded *file = embedded_sql; file->name; file++) {
        if (strncmp(file->name, "0001-", 5) == 0)
            run_plain(file->data);
    }
    run_plain("PRAGMA user_version = 1;"
              "INSERT INTO event (id, realm, place, number, kind, flags, timestamp_ms, body)"
              "VALUES (5, 1, 2, 1, 1, 0, 7, '{\"text\":\"x\"}');"
              "INSERT INTO member VALUES (3, 2, 'ann', 1, 4, 0), (3, 9, 'ann', 1, 4, 0)");
}

static void an_older_file_is_brought_up(void **state)
{
    struct sqlite_connection writer;

    make_first_version();
    assert_int_equal(open_writer(&writer), 0);
    assert_int_equal(number(writer.db, "PRAGMA user_version"), SQLITE_SCHEMA_VERSION);
    assert_int_equal(number(writer.db, "SELECT count(*) FROM event_told WHERE id = 5"
                                       " AND ordinal = 0 AND target IS NULL"
                                       " AND body = '{\"text\":\"x\"}'"),
                     1);
    assert_int_equal(number(writer.db, "SELECT read_id FROM member WHERE room = 2"), 5);
    assert_int_equal(number(writer.db, "SELECT read_id FROM member WHERE room = 9"), 0);
    assert_int_equal(number(writer.db, "SELECT count(*) FROM presence"), 0);
    assert_int_equal(number(writer.db, "SELECT count(*) FROM member WHERE notify = 0"), 2);
    assert_int_equal(number(writer.db, "SELECT count(*) FROM ban"), 0);
    sqlite_close(&writer);
}

static void a_newer_file_is_refused(void **state)
{
    struct sqlite_connection writer;

    make_file();
    run_plain("PRAGMA user_version = 99");
    assert_int_equal(open_writer(&writer), ERR_VERSION);
    assert_non_null(strstr(why, "newer version"));
    run_plain("PRAGMA user_version = -1");
    assert_int_equal(open_writer(&writer), ERR_CORRUPT);
}

static void a_file_of_something_else_is_refused(void **state)
{
    struct sqlite_connection writer;

    run_plain("CREATE TABLE recipe (name TEXT)");
    assert_int_equal(open_writer(&writer), ERR_CORRUPT);
    assert_non_null(strstr(why, "something else"));

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("not a database at all\n", file);
    fclose(file);
    assert_int_equal(open_writer(&writer), ERR_CORRUPT);
}

static void a_damaged_file_is_refused(void **state)
{
    struct sqlite_connection writer;
    char rubbish[512];

    make_file();
    run_plain("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
              "INSERT INTO user (place, realm, id, gone)"
              "SELECT i, 1, 'user-' || i, 0 FROM n;"
              "PRAGMA wal_checkpoint(TRUNCATE)");
    int fd = open(path, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(size > 20 * 4096);
    memset(rubbish, 0xa5, sizeof(rubbish));
    for (off_t at = 4096 * 15; at + 512 < size; at += 4096)
        assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), at), sizeof(rubbish));
    close(fd);
    assert_int_equal(open_writer(&writer), ERR_CORRUPT);
}

static void a_folder_that_is_missing_is_told(void **state)
{
    int fd;

    assert_int_equal(sqlite_lock("/nowhere/at/all.db", why, sizeof(why), &fd), ERR_IO);
    assert_non_null(strstr(why, "/nowhere/at/all.db"));
}

static void a_second_process_is_kept_out(void **state)
{
    int fd, status;

    assert_int_equal(sqlite_lock(path, why, sizeof(why), &fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char pid_text[32];
        int other, err = sqlite_lock(path, why, sizeof(why), &other);

        snprintf(pid_text, sizeof(pid_text), "%ld", (long)getppid());
        _exit(err == ERR_LOCKED && strstr(why, "another process") && strstr(why, pid_text) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fd);
    assert_int_equal(sqlite_lock(path, why, sizeof(why), &fd), 0);
    close(fd);
}

static void a_link_is_no_way_round_the_lock(void **state)
{
    char by_link[160];
    struct stat file;
    int fd, other;

    assert_int_equal(sqlite_lock(path, why, sizeof(why), &fd), 0);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    snprintf(by_link, sizeof(by_link), "%s/link.db", folder);
    assert_int_equal(symlink(path, by_link), 0);
    assert_int_equal(sqlite_lock(by_link, why, sizeof(why), &other), ERR_LOCKED);
    close(fd);
    assert_int_equal(sqlite_lock(by_link, why, sizeof(why), &other), 0);
    close(other);
}

/* The rules that keep two connections from writing or checkpointing at once. */
static void readers_never_write_nor_checkpoint(void **state)
{
    struct sqlite_connection writer, reader;
    int no_checkpoint = 0;

    assert_int_equal(open_writer(&writer), 0);
    assert_int_equal(sqlite_open_reader(path, why, sizeof(why), &reader), 0);
    assert_int_equal(number(reader.db, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(number(writer.db, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(number(reader.db, "PRAGMA query_only"), 1);
    assert_int_equal(sqlite3_db_readonly(reader.db, "main"), 1);
    sqlite3_db_config(reader.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &no_checkpoint);
    assert_int_equal(no_checkpoint, 1);
    assert_int_not_equal(sqlite3_wal_checkpoint(reader.db, NULL), SQLITE_OK);
    assert_null(reader.statements[SQL_event_add]);
    assert_non_null(reader.statements[SQL_events_up]);
    assert_non_null(writer.statements[SQL_event_add]);
    sqlite_close(&reader);
    sqlite_close(&writer);
}

/* No statement may walk a whole table, or sort what can be many. What a LIMIT bounds is a page. */
static void every_statement_goes_by_an_index(void **state)
{
    static const enum sql_statement sorting[] = {SQL_rooms_of_user,  SQL_device_limit,
                                                 SQL_reaction_keys,  SQL_trim_age_rooms,
                                                 SQL_trim_age_users, SQL_trim_age_realms};
    struct sqlite_connection writer;

    assert_int_equal(open_writer(&writer), 0);
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_stmt *plan;
        char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sqlite3_sql(writer.statements[i]));
        bool may_sort = false;

        for (size_t j = 0; j < array_count(sorting); j++)
            may_sort |= sorting[j] == (enum sql_statement)i;
        if (sqlite3_prepare_v2(writer.db, sql, -1, &plan, NULL) == SQLITE_OK) {
            while (sqlite3_step(plan) == SQLITE_ROW) {
                const char *step = (const char *)sqlite3_column_text(plan, 3);

                if (strncmp(step, "SCAN ", 5) == 0 && strcmp(step, "SCAN state") != 0 &&
                    strcmp(step, "SCAN trimmed") != 0 && strcmp(step, "SCAN page") != 0 &&
                    !strstr(step, "(subquery-"))
                    fail_msg("%s\n%s", sql, step);
                if (strstr(step, "TEMP B-TREE") && !may_sort)
                    fail_msg("%s\n%s", sql, step);
            }
        }
        sqlite3_finalize(plan);
        sqlite3_free(sql);
    }
    sqlite_close(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_new_file_is_made_once),
        WITH_FOLDER(an_older_file_is_brought_up),
        WITH_FOLDER(a_newer_file_is_refused),
        WITH_FOLDER(a_file_of_something_else_is_refused),
        WITH_FOLDER(a_damaged_file_is_refused),
        WITH_FOLDER(a_folder_that_is_missing_is_told),
        WITH_FOLDER(a_second_process_is_kept_out),
        WITH_FOLDER(a_link_is_no_way_round_the_lock),
        WITH_FOLDER(readers_never_write_nor_checkpoint),
        WITH_FOLDER(every_statement_goes_by_an_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
