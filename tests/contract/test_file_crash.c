/* Crashes of the process and ends of the machine: what was told to anybody is there, once, and
 * what may be missing is told. */
#include "file.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"

#define CRASH_THREADS 8
#define CRASH_ROUNDS 5

/* Crashes */

/* What the dying process has told somebody. */
struct told {
    int thread; /* -1: the follower */
    int number;
    struct event_id id;
};

static int to_parent;

static void tell_parent(int thread, int number, struct event_id id)
{
    struct told told = {thread, number, id};

    if (write(to_parent, &told, sizeof(told)) != sizeof(told))
        _exit(2);
}

static void tell_followed(void *context, struct frame *const *frames, int count)
{
    for (int i = 0; i < count; i++)
        tell_parent(-1, 0, frames[i]->id);
}

static void name_message(char out[64], int thread, int number)
{
    snprintf(out, 64, "t%d.%d", thread, number);
}

struct poster {
    struct play *play;
    int thread, first;
};

static struct command message_of(struct play *play, int thread, int number, char id[64])
{
    name_message(id, thread, number);
    pthread_mutex_lock(&play->lock);
    struct command command = play_message("ann", "hall", id, "text");
    pthread_mutex_unlock(&play->lock);
    return command;
}

/* One message after the other until the process is killed. */
static void *post_for_ever(void *context)
{
    struct poster *poster = context;
    struct mailbox home;
    char id[64];

    if (mailbox_init(&home))
        _exit(3);
    for (int number = poster->first;; number++) {
        struct command command = message_of(poster->play, poster->thread, number, id);

        if (file_append_all(poster->play, &home, &command, 1) || command.outcome.err)
            _exit(4);
        tell_parent(poster->thread, number, command.outcome.id);
    }
    return NULL;
}

static void live_until_killed(struct play *play, const int *first)
{
    struct poster posters[CRASH_THREADS];
    pthread_t threads[CRASH_THREADS];
    char why[256] = "";

    if (journal_new(&play->settings, tell_followed, NULL, why, sizeof(why), &play->journal))
        _exit(5);
    for (int i = 0; i < CRASH_THREADS; i++) {
        posters[i] = (struct poster){play, i, first[i]};
        if (pthread_create(&threads[i], NULL, post_for_ever, &posters[i]))
            _exit(6);
    }
    for (;;)
        pause();
}

/* Kills a child after `ms`; what it told goes to `told`. */
static int let_crash(struct play *play, const int *first, int ms, struct told *told, int told_max)
{
    int ends[2], status, count = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        to_parent = ends[1];
        live_until_killed(play, first);
    }
    close(ends[1]);
    int64_t until_ms = 0;
    while (read(ends[0], &told[count], sizeof(*told)) == sizeof(*told)) {
        assert_true(++count < told_max);
        /* The clock runs from the first answer. */
        if (!until_ms)
            until_ms = clock_now_ms() + ms;
        if (until_ms > 0 && clock_now_ms() >= until_ms) {
            kill(pid, SIGKILL);
            until_ms = -1;
        }
    }
    assert_int_equal(until_ms, -1);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return count;
}

/* Whatever the follower was told is there. */
static void check_followed(struct play *play, const struct told *told, int count)
{
    sqlite3 *db;
    sqlite3_stmt *statement;

    assert_int_equal(sqlite3_open_v2(file_path(play), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT 1 FROM event WHERE id = ?1 << 20 | ?2", -1,
                                        &statement, NULL), SQLITE_OK);
    for (int i = 0; i < count; i++) {
        if (told[i].thread >= 0)
            continue;
        sqlite3_bind_int64(statement, 1, (int64_t)told[i].id.ms);
        sqlite3_bind_int64(statement, 2, (int64_t)told[i].id.seq);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

/* Whatever was answered is there, once, under the id that was answered. */
static void check_answered(struct play *play, const struct told *told, int count, int *first)
{
    for (int i = 0; i < count; i++) {
        char id[64];

        if (told[i].thread < 0)
            continue;
        struct command command = message_of(play, told[i].thread, told[i].number, id);
        assert_int_equal(file_append_all(play, &play->home, &command, 1), 0);
        assert_err(command.outcome.err, ERR_OK);
        assert_true(command.outcome.repeated);
        assert_id_equal(command.outcome.id, told[i].id);
        first[told[i].thread] = told[i].number + 1;
    }
}

/* The one that had no answer: stored or not, a repeat stores it once. */
static void repeat_unanswered(struct play *play, int *first)
{
    for (int thread = 0; thread < CRASH_THREADS; thread++) {
        char id[64];
        struct command command = message_of(play, thread, first[thread]++, id);

        assert_int_equal(file_append_all(play, &play->home, &command, 1), 0);
        assert_err(command.outcome.err, ERR_OK);
        struct event_id stored = command.outcome.id;
        assert_int_equal(file_append_all(play, &play->home, &command, 1), 0);
        assert_true(command.outcome.repeated);
        assert_id_equal(command.outcome.id, stored);
    }
}

static void a_crash_loses_nothing_that_was_told(void **state)
{
    enum { TOLD_MAX = 200000 };
    struct play *play = file_play();
    struct told *told = calloc(TOLD_MAX, sizeof(*told));
    int first[CRASH_THREADS] = {0}, expected = 0;

    assert_non_null(told);
    for (int round = 0; round < CRASH_ROUNDS; round++) {
        play->settings.journal_durability = round % 2 ? DURABILITY_RELAXED : DURABILITY_DISK;
        play_close(play);
        int count = let_crash(play, first, 10 + 20 * round, told, TOLD_MAX);
        play_reopen(play);
        file_assert_whole(play);
        check_followed(play, told, count);
        check_answered(play, told, count, first);
        repeat_unanswered(play, first);
        expected = 0;
        for (int i = 0; i < CRASH_THREADS; i++)
            expected += first[i];
        assert_int_equal(file_ask(play, "SELECT count(*) FROM event WHERE kind = 1"), expected);
    }
    assert_true(expected > CRASH_ROUNDS * CRASH_THREADS);
    /* Dense, in order, and nothing lost: the machine lived on. */
    assert_int_equal(file_ask(play, "SELECT count(*) = max(number) FROM event"), 1);
    assert_int_equal(file_ask(play, "SELECT count(*) FROM lost"), 0);
    free(told);
    play_free(play);
}

/* Ends of the machine */

static void tell_nobody(void *context, struct frame *const *frames, int count)
{
}

/* A child that opens the file, posts and ends without closing it. */
static void end_uncleanly(struct play *play, const char *message_id)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        char why[256], id[64];
        struct command command;

        if (journal_new(&play->settings, tell_nobody, NULL, why, sizeof(why), &play->journal))
            _exit(1);
        snprintf(id, sizeof(id), "%s", message_id);
        command = play_message("ann", "hall", id, id);
        _exit(file_append_all(play, &play->home, &command, 1) ? 2 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void what_the_machine_lost_is_told(void **state)
{
    struct play *play = file_play();
    struct journal_open open;

    play_say(play, "ann", "hall", "m1");
    play_close(play);
    end_uncleanly(play, "m2");
    /* As if the machine had ended and come back. */
    file_ask(play, "UPDATE state SET boot_id = 'another'");
    int64_t reserved = file_ask(play, "SELECT reserved FROM state");
    play_reopen(play);

    struct event_id next = play_say(play, "ann", "hall", "m3");
    assert_true((int64_t)(next.ms << 20 | next.seq) > reserved);
    struct event_id m2 = play_post(play, "ann", "hall", "m2", "m2").id;

    /* One who had m2 may have had more. */
    play_resume(play, play_all("ann"), m2, 1000, &open);
    assert_int_equal(open.verdict, OPEN_RESUMED);
    assert_int_equal(open.gap_count, 1);
    assert_int_equal(open.gaps[0].reason, GAP_LOST);
    assert_id_equal(open.gaps[0].after, m2);
    assert_true(event_id_compare(open.gaps[0].before, next) < 0);
    journal_open_fini(&open);
    /* One who was told of what is lost is not turned away as foreign. */
    struct event_id lost = {m2.ms + 1000, 7};
    play_resume(play, play_all("ann"), lost, 1000, &open);
    assert_int_equal(open.verdict, OPEN_RESUMED);
    assert_int_equal(open.gap_count, 1);
    assert_int_equal(open.gaps[0].reason, GAP_LOST);
    journal_open_fini(&open);
    /* One who has what came after it has lost nothing. */
    play_resume(play, play_all("ann"), next, 1000, &open);
    assert_int_equal(open.verdict, OPEN_RESUMED);
    assert_int_equal(open.gap_count, 0);
    journal_open_fini(&open);
    assert_string_equal(play_seen(play, play_all("ann"), m2, 10), "new_message:m3");
    play_free(play);
}

static void nothing_is_lost_without_an_end_of_the_machine(void **state)
{
    struct play *play = file_play();

    play_close(play);
    end_uncleanly(play, "m1");
    play_reopen(play);
    assert_int_equal(file_ask(play, "SELECT count(*) FROM lost"), 0);
    /* Nor with one, when every commit was synced. */
    play->settings.journal_durability = DURABILITY_DISK;
    play_close(play);
    end_uncleanly(play, "m2");
    file_ask(play, "UPDATE state SET boot_id = 'another'");
    play_reopen(play);
    assert_int_equal(file_ask(play, "SELECT count(*) FROM lost"), 0);
    assert_true(play_post(play, "ann", "hall", "m2", "m2").repeated);
    play_free(play);
}

int run_crash_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_loses_nothing_that_was_told),
        cmocka_unit_test(what_the_machine_lost_is_told),
        cmocka_unit_test(nothing_is_lost_without_an_end_of_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
