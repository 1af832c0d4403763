/* The SQLite file, its ledger's ids and what is trimmed of it. What the ledger means is held by
 * the contract suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "store/sqlite_trim.h"

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

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
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

static void a_newer_file_is_refused(void **state)
{
    struct sqlite_connection writer;

    make_file();
    run_plain("PRAGMA user_version = 99");
    assert_int_equal(open_writer(&writer), ERR_VERSION);
    assert_non_null(strstr(why, "newer version"));
    run_plain("PRAGMA user_version = 1");
    assert_int_equal(open_writer(&writer), 0);
    sqlite_close(&writer);
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
              "INSERT INTO user SELECT i, 1, 'user-' || i, NULL, NULL, 0 FROM n;"
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

/* No statement may walk a whole table, or sort what can be many. */
static void every_statement_goes_by_an_index(void **state)
{
    static const enum sql_statement sorting[] = {SQL_rooms_of_user, SQL_device_limit,
                                                 SQL_trim_age_rooms, SQL_trim_age_users,
                                                 SQL_trim_age_realms};
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
                    strcmp(step, "SCAN trimmed") != 0 && !strstr(step, "(subquery-"))
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

/* Ids */

static void ids_are_packed_in_order(void **state)
{
    static const struct event_id rising[] = {
        {0, 0}, {0, 1}, {1, 0}, {1, SQLITE_SEQ_MAX}, {2, 0}, {1700000000000, 0},
        {1700000000000, 1}, {(UINT64_C(1) << 43) - 1, 5}};

    for (size_t i = 0; i < array_count(rising); i++) {
        assert_true(sqlite_id_is_exact(rising[i]));
        if (i > 0)
            assert_true(sqlite_id_pack(rising[i]) > sqlite_id_pack(rising[i - 1]));
    }
}

static void ids_out_of_range_are_bounds(void **state)
{
    int64_t last_of_1 = sqlite_id_pack((struct event_id){1, SQLITE_SEQ_MAX});

    assert_int_equal(sqlite_id_pack(EVENT_ID_LAST), SQLITE_ID_LAST);
    assert_int_equal(event_id_compare(sqlite_id_unpack(SQLITE_ID_LAST), EVENT_ID_LAST), 0);
    assert_true(sqlite_id_pack((struct event_id){1, UINT64_MAX}) > last_of_1);
    assert_true(sqlite_id_pack((struct event_id){1, UINT64_MAX}) <
                sqlite_id_pack((struct event_id){2, 0}));
    assert_false(sqlite_id_is_exact((struct event_id){1, UINT64_MAX}));
    assert_true(sqlite_id_pack((struct event_id){UINT64_MAX, UINT64_MAX - 1}) < SQLITE_ID_LAST);
    assert_true(sqlite_id_pack((struct event_id){UINT64_MAX, 0}) >
                sqlite_id_pack((struct event_id){UINT64_C(1) << 42, 0}));
}

/* A ledger to write events of any age into. */

struct scene {
    struct sqlite_connection connection;
    struct sqlite_ledger sqlite;
    struct ledger *ledger;
    struct ledger_realm realm;
    place_number user;
    struct settings settings;
    struct sqlite_trim trim;
    struct arena arena;
};

static void scene_begin(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    arena_init(&scene->arena, 1 << 20);
    assert_int_equal(open_writer(&scene->connection), 0);
    sqlite_ledger_init(&scene->sqlite, &scene->connection, true);
    scene->ledger = &scene->sqlite.ledger;
    assert_int_equal(sqlite_ledger_begin(&scene->sqlite), 0);
    assert_int_equal(
        scene->ledger->ops->realm_add(scene->ledger, span_text("main"), &scene->realm), 0);
    assert_int_equal(scene->ledger->ops->user_add(scene->ledger, scene->realm.place,
                                                  span_text("ann"), &scene->user), 0);
}

static void scene_end(struct scene *scene)
{
    sqlite_ledger_roll_back(&scene->sqlite);
    sqlite_trim_fini(&scene->trim);
    sqlite_ledger_fini(&scene->sqlite);
    sqlite_close(&scene->connection);
    arena_fini(&scene->arena);
}

static place_number add_room(struct scene *scene, const char *id)
{
    struct room_info info = {.id = span_text(id), .version = 1};
    place_number room;

    assert_int_equal(
        scene->ledger->ops->room_add(scene->ledger, scene->realm.place, &info, &room), 0);
    return room;
}

static struct event_id add_event(struct scene *scene, place_number place, int64_t now_ms)
{
    static unsigned next;
    struct ledger_event event = {
        .place = place, .type = EVENT_NEW_MESSAGE, .timestamp_ms = now_ms,
        .sender = scene->user, .number = scene->realm.head_number + 1,
        .body = span_text("{\"text\":\"hello\"}")};
    char message_id[32];

    snprintf(message_id, sizeof(message_id), "m%u", ++next);
    event.message_id = span_text(message_id);
    assert_int_equal(scene->ledger->ops->id_next(scene->ledger, scene->realm.place, now_ms,
                                                 &event.id), 0);
    assert_int_equal(
        scene->ledger->ops->event_add(scene->ledger, scene->realm.place, &event), 0);
    scene->realm.head = event.id;
    scene->realm.head_number = event.number;
    return event.id;
}

static void a_full_sequence_goes_on_in_the_next_millisecond(void **state)
{
    struct scene scene;
    struct event_id id;

    scene_begin(&scene);
    place_number room = add_room(&scene, "a");
    id = add_event(&scene, room, 5000);
    assert_int_equal(id.ms, 5000);
    assert_int_equal(id.seq, 0);
    /* The clock goes back: ids do not. */
    id = add_event(&scene, room, 4000);
    assert_int_equal(id.ms, 5000);
    assert_int_equal(id.seq, 1);
    scene.sqlite.id_last = sqlite_id_pack((struct event_id){5000, SQLITE_SEQ_MAX});
    id = add_event(&scene, room, 4000);
    assert_int_equal(id.ms, 5001);
    assert_int_equal(id.seq, 0);
    scene_end(&scene);
}

static void heads_are_restored_by_a_roll_back(void **state)
{
    struct scene scene;
    struct ledger_realm realm;

    scene_begin(&scene);
    place_number room = add_room(&scene, "a");
    struct event_id first = add_event(&scene, room, 5000);
    assert_int_equal(sqlite_ledger_commit(&scene.sqlite), 0);
    assert_int_equal(sqlite_ledger_begin(&scene.sqlite), 0);
    add_event(&scene, room, 6000);
    place_number lost_room = add_room(&scene, "b");
    sqlite_ledger_roll_back(&scene.sqlite);
    assert_int_equal(sqlite_ledger_begin(&scene.sqlite), 0);
    assert_int_equal(scene.ledger->ops->realm_find(scene.ledger, span_text("main"), &realm), 0);
    assert_int_equal(event_id_compare(realm.head, first), 0);
    assert_int_equal(realm.head_number, 1);
    scene.realm = realm;
    assert_int_equal(add_room(&scene, "c"), lost_room);
    struct event_id next = add_event(&scene, room, 5000);
    assert_int_equal(next.ms, 5000);
    assert_int_equal(next.seq, 1);
    /* Whose command it was is noted again. */
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM sender"), 1);
    scene_end(&scene);
}

/* Makes steps until nothing is left to do. */
static void trim_all(struct scene *scene, int64_t wall_ms)
{
    int64_t wait_ms = 0, now_ms = 1;

    assert_int_equal(sqlite_ledger_commit(&scene->sqlite), 0);
    for (int i = 0; i < 10000 && wait_ms <= SQLITE_TRIM_PAUSE_MS; i++) {
        assert_int_equal(
            sqlite_trim_step(&scene->trim, &scene->sqlite, now_ms, wall_ms, &wait_ms), 0);
        now_ms += wait_ms;
    }
    assert_true(wait_ms > SQLITE_TRIM_PAUSE_MS);
    assert_int_equal(sqlite_ledger_begin(&scene->sqlite), 0);
}

static struct ledger_room room_at(struct scene *scene, place_number place)
{
    struct ledger_room room;

    assert_int_equal(scene->ledger->ops->room_at(scene->ledger, place, &scene->arena, &room), 0);
    return room;
}

static void rooms_keep_their_newest(void **state)
{
    struct scene scene;
    struct event_id ids[1000];

    scene_begin(&scene);
    scene.settings.journal_room_events_max = 10;
    sqlite_trim_init(&scene.trim, &scene.settings);
    scene.sqlite.trim = &scene.trim;
    place_number busy = add_room(&scene, "busy"), calm = add_room(&scene, "calm");
    struct event_id quiet = add_event(&scene, calm, 1000);
    for (int i = 0; i < 1000; i++)
        ids[i] = add_event(&scene, busy, 2000 + i);
    trim_all(&scene, 4000);
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM event"), 11);
    assert_int_equal(event_id_compare(room_at(&scene, busy).gone, ids[989]), 0);
    assert_true(event_id_is_none(room_at(&scene, calm).gone));
    struct ledger_realm realm;
    assert_int_equal(scene.ledger->ops->realm_find(scene.ledger, span_text("main"), &realm), 0);
    assert_int_equal(event_id_compare(realm.gone, ids[989]), 0);
    assert_int_equal(event_id_compare(realm.head, ids[999]), 0);
    assert_true(event_id_compare(quiet, realm.gone) < 0);
    scene_end(&scene);
}

static void age_ends_events_but_no_head(void **state)
{
    const int64_t day_ms = 86400000;
    struct scene scene;

    scene_begin(&scene);
    scene.settings.journal_retention_days = 2;
    sqlite_trim_init(&scene.trim, &scene.settings);
    place_number room = add_room(&scene, "a");
    for (int i = 0; i < 600; i++)
        add_event(&scene, room, 10 * day_ms + i);
    struct event_id last_old = scene.realm.head;
    struct event_id for_user = add_event(&scene, scene.user, 10 * day_ms + 601);
    struct event_id kept = add_event(&scene, room, 12 * day_ms);
    trim_all(&scene, 13 * day_ms);
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM event"), 1);
    assert_int_equal(event_id_compare(room_at(&scene, room).gone, last_old), 0);
    struct ledger_user user;
    assert_int_equal(scene.ledger->ops->user_find(scene.ledger, scene.realm.place,
                                                  span_text("ann"), &scene.arena, &user), 0);
    assert_int_equal(event_id_compare(user.gone, for_user), 0);
    /* Now the head is old as well. */
    scene.trim.pass_at_ms = 0;
    trim_all(&scene, 20 * day_ms);
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM event"), 1);
    struct ledger_realm realm;
    assert_int_equal(scene.ledger->ops->realm_find(scene.ledger, span_text("main"), &realm), 0);
    assert_int_equal(event_id_compare(realm.head, kept), 0);
    assert_int_equal(event_id_compare(realm.gone, for_user), 0);
    scene_end(&scene);
}

static void commands_are_forgotten_after_the_window(void **state)
{
    struct scene scene;
    struct ledger_once once = {.sender = 1}, found;

    scene_begin(&scene);
    scene.settings.journal_dedup_window_ms = 1000;
    sqlite_trim_init(&scene.trim, &scene.settings);
    for (int i = 0; i < 600; i++) {
        char id[16];

        snprintf(id, sizeof(id), "c%d", i);
        once.timestamp_ms = 5000 + i;
        assert_int_equal(scene.ledger->ops->once_add(scene.ledger, 7, span_text(id), &once), 0);
    }
    assert_int_equal(
        scene.ledger->ops->once_find(scene.ledger, 7, span_text("c5"), 5006, &found),
        ERR_NOT_FOUND);
    assert_int_equal(
        scene.ledger->ops->once_find(scene.ledger, 7, span_text("c5"), 5005, &found), 0);
    trim_all(&scene, 6599);
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM once"), 1);
    assert_int_equal(
        scene.ledger->ops->once_find(scene.ledger, 7, span_text("c599"), 0, &found), 0);
    scene_end(&scene);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_new_file_is_made_once),
        WITH_FOLDER(a_newer_file_is_refused),
        WITH_FOLDER(a_file_of_something_else_is_refused),
        WITH_FOLDER(a_damaged_file_is_refused),
        WITH_FOLDER(a_folder_that_is_missing_is_told),
        WITH_FOLDER(a_second_process_is_kept_out),
        WITH_FOLDER(readers_never_write_nor_checkpoint),
        WITH_FOLDER(every_statement_goes_by_an_index),
        cmocka_unit_test(ids_are_packed_in_order),
        cmocka_unit_test(ids_out_of_range_are_bounds),
        WITH_FOLDER(a_full_sequence_goes_on_in_the_next_millisecond),
        WITH_FOLDER(heads_are_restored_by_a_roll_back),
        WITH_FOLDER(rooms_keep_their_newest),
        WITH_FOLDER(age_ends_events_but_no_head),
        WITH_FOLDER(commands_are_forgotten_after_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
