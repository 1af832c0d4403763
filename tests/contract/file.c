#include "file.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *file_path(const struct play *play)
{
    return play->url + strlen("sqlite:");
}

/* Asks the file itself, as somebody else would. */
int64_t file_ask(const struct play *play, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;

    assert_int_equal(sqlite3_open_v2(file_path(play), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int code = sqlite3_step(statement);
    assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
    int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

void file_assert_whole(const struct play *play)
{
    assert_int_equal(file_ask(play, "SELECT count(*) = 1 AND max(integrity_check) = 'ok' "
                               "FROM pragma_integrity_check"), 1);
}

int64_t file_wal_bytes(const struct play *play)
{
    char name[600];
    struct stat wal;

    snprintf(name, sizeof(name), "%s-wal", file_path(play));
    return stat(name, &wal) ? 0 : wal.st_size;
}

/* An append that many threads may have under way. */
struct waited_append {
    struct journal_append append;
    int done;
};

static void on_appended(struct letter *letter)
{
    container_of(letter, struct waited_append, append.request.letter)->done = 1;
}

/* The request's err. Outcomes are in the commands, without their texts. */
int file_append_all(struct play *play, struct mailbox *home, struct command *commands, int count)
{
    struct waited_append waited = {.append = {
        .request = {.letter = {.on_read = on_appended}, .home = home},
        .commands = commands,
        .count = count,
    }};

    journal_start_append(play->journal, &waited.append);
    play_wait(play, home, &waited.done);
    journal_append_fini(&waited.append);
    return waited.append.request.err;
}

/* Many messages; the err of the first request that had one. */
int file_post_many(struct play *play, const char *prefix, int count)
{
    struct command commands[MANY_AT_ONCE];
    char ids[MANY_AT_ONCE][64];

    for (int done = 0; done < count; done += MANY_AT_ONCE) {
        for (int i = 0; i < MANY_AT_ONCE; i++) {
            snprintf(ids[i], sizeof(ids[i]), "%s.%d", prefix, done + i);
            commands[i] = play_message("ann", "hall", ids[i], "some text");
        }
        int err = file_append_all(play, &play->home, commands, MANY_AT_ONCE);
        if (err)
            return err;
        for (int i = 0; i < MANY_AT_ONCE; i++)
            assert_err(commands[i].outcome.err, ERR_OK);
    }
    return 0;
}

struct play *file_play(void)
{
    struct play *play = play_new();

    assert_int_equal(play_put_room(play, "ann", "hall", ROOM_PUBLIC), 0);
    return play;
}
