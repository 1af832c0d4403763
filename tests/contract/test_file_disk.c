/* One process a file, full disks, and the WAL under an old snapshot. */
#include "file.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

/* One process */

static void a_second_journal_is_kept_out(void **state)
{
    struct play *play = play_new();
    struct journal *other;
    struct journal_status status;
    char why[256] = "";

    int err = journal_new(&play->settings, NULL, NULL, why, sizeof(why), &other);
    assert_err(err, ERR_LOCKED);
    assert_non_null(strstr(why, "another process"));
    play->journal->ops->status(play->journal, &status);
    assert_string_equal(status.backend, "sqlite");
    assert_string_equal(status.state, "ok");
    assert_int_equal(status.queued, 0);
    play_free(play);
}

static void a_clean_end_leaves_no_wal(void **state)
{
    struct play *play = file_play();

    play_say(play, "ann", "hall", "m1");
    assert_true(file_wal_bytes(play) > 0);
    play_close(play);
    assert_int_equal(file_wal_bytes(play), 0);
    assert_int_equal(file_ask(play, "SELECT clean FROM state"), 1);
    play_reopen(play);
    assert_int_equal(file_ask(play, "SELECT clean FROM state"), 0);
    assert_true(play_post(play, "ann", "hall", "m1", "m1").repeated);
    play_free(play);
}

/* Full disks */

static void post_until_full(struct play *play, const char *prefix)
{
    for (int i = 0; i < 1000; i++) {
        char name[32];

        snprintf(name, sizeof(name), "%s%d", prefix, i);
        int err = file_post_many(play, name, MANY_AT_ONCE);
        if (err) {
            assert_err(err, ERR_UNAVAILABLE);
            return;
        }
    }
    fail_msg("the disk was never full");
}

static void wait_for_state(struct play *play, const char *wanted)
{
    struct journal_status status;

    for (int i = 0; i < 100; i++) {
        play->journal->ops->status(play->journal, &status);
        if (strcmp(status.state, wanted) == 0)
            return;
        usleep(100000);
    }
    fail_msg("the state is %s, not %s", status.state, wanted);
}

static void check_full_and_recovered(struct play *play, void (*make_room)(struct play *play))
{
    struct journal_status status;

    post_until_full(play, "a");
    play->journal->ops->status(play->journal, &status);
    assert_string_equal(status.state, "down");
    /* Reading goes on, and what failed was told to nobody. */
    struct event_id head = play_head(play);
    assert_id_equal(play->followed[play->followed_count - 1].id, head);
    make_room(play);
    wait_for_state(play, "ok");
    assert_int_equal(file_post_many(play, "b", 2 * MANY_AT_ONCE), 0);
    assert_int_equal(play->followed[play->followed_count - 1].number, play->followed_count);
    assert_int_equal(file_ask(play, "SELECT count(*) FROM event"), play->followed_count);
    play_reopen(play);
    file_assert_whole(play);
    assert_int_equal(file_ask(play, "SELECT count(*) = max(number) FROM event"), 1);
}

static void lift_file_limit(struct play *play)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_file_that_may_not_grow_recovers(void **state)
{
    struct play *play = file_play();
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_full_and_recovered(play, lift_file_limit);
    play_free(play);
}

static void remove_ballast(struct play *play)
{
    char name[300];

    snprintf(name, sizeof(name), "%s/ballast", play->folder);
    assert_int_equal(unlink(name), 0);
}

static void a_full_disk_recovers(void **state)
{
    struct play *play = play_new();
    char name[300], kilobyte[1024] = {1};

    play_close(play);
    if (mount("tidings-test", play->folder, "tmpfs", 0, "size=4m")) {
        play_reopen(play);
        play_free(play);
        skip();
    }
    snprintf(name, sizeof(name), "%s/ballast", play->folder);
    FILE *ballast = fopen(name, "w");
    assert_non_null(ballast);
    for (int i = 0; i < 2048; i++)
        fwrite(kilobyte, sizeof(kilobyte), 1, ballast);
    assert_int_equal(fclose(ballast), 0);
    play_reopen(play);
    assert_int_equal(play_put_room(play, "ann", "hall", ROOM_PUBLIC), 0);
    check_full_and_recovered(play, remove_ballast);
    play_close(play);
    assert_int_equal(umount(play->folder), 0);
    play_reopen(play);
    play_free(play);
}

/* Snapshots */

static void an_old_snapshot_delays_the_wal_and_nothing_else(void **state)
{
    const int64_t bound = 16384 * 4120 * 2;
    struct play *play = file_play();
    sqlite3 *old;

    assert_int_equal(file_post_many(play, "a", 100), 0);
    assert_int_equal(sqlite3_open_v2(file_path(play), &old, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(file_post_many(play, "b", 10000), 0);
    int64_t grown = file_wal_bytes(play);
    assert_true(grown > 2048 * 4096);
    assert_int_equal(sqlite3_exec(old, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(old);
    assert_int_equal(file_post_many(play, "c", 10000), 0);
    assert_true(file_wal_bytes(play) < grown + 4096 * 4096 && file_wal_bytes(play) < bound);
    play_reopen(play);
    file_assert_whole(play);
    assert_int_equal(file_ask(play, "SELECT count(*) FROM event WHERE kind = 1"), 20100);
    play_free(play);
}

int run_disk_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_journal_is_kept_out),
        cmocka_unit_test(a_clean_end_leaves_no_wal),
        cmocka_unit_test(a_file_that_may_not_grow_recovers),
        cmocka_unit_test(a_full_disk_recovers),
        cmocka_unit_test(an_old_snapshot_delays_the_wal_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
