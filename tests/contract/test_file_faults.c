/* A disk that fails now and then, at any call: nothing that was answered is lost, nothing that
 * failed is told, and a repeat is stored once. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FAULT_ROUNDS 1500

/* One call in so many fails; 0: none. */
static _Atomic unsigned fail_one_in;
static _Atomic unsigned failed_calls;

static bool is_to_fail(void)
{
    static _Atomic unsigned state = 20260;
    unsigned one_in = fail_one_in, now = state = state * 1664525u + 1013904223u;

    if (!one_in || (now >> 8) % one_in)
        return false;
    failed_calls++;
    errno = EIO;
    return true;
}

/* These take the place of the C library's, for SQLite as well. */
int fdatasync(int fd)
{
    return is_to_fail() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    if (is_to_fail()) {
        /* Half of it is there. */
        syscall(SYS_pwrite64, fd, data, len / 2, at);
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
    return is_to_fail() ? -1 : syscall(SYS_pread64, fd, data, len, at);
}

/* Repeats until it is answered. */
static struct event_id post_stubbornly(struct play *play, int number, bool *ret_failed)
{
    char id[32];

    snprintf(id, sizeof(id), "m%d", number);
    *ret_failed = false;
    for (int i = 0; i < 10000; i++) {
        struct command command = play_message("ann", "hall", id, id);
        int err = file_append_all(play, &play->home, &command, 1);

        if (!err) {
            assert_err(command.outcome.err, ERR_OK);
            return command.outcome.id;
        }
        assert_err(err, ERR_UNAVAILABLE);
        *ret_failed = true;
    }
    fail_msg("%s is never stored", id);
    return EVENT_ID_NONE;
}

static void fail_now_and_then(enum durability durability)
{
    static struct event_id ids[FAULT_ROUNDS];
    struct play *play = file_play();
    int failed = 0;

    play->settings.journal_durability = durability;
    play_reopen(play);
    failed_calls = 0;
    fail_one_in = 40;
    for (int i = 0; i < FAULT_ROUNDS; i++) {
        bool has_failed;

        ids[i] = post_stubbornly(play, i, &has_failed);
        failed += has_failed;
    }
    fail_one_in = 0;
    assert_true(failed > 10 && failed_calls > 10);
    /* The follower was told of each once, in order, with no number left out. */
    assert_int_equal(play->followed[play->followed_count - 1].number, play->followed_count);
    play_reopen(play);
    file_assert_whole(play);
    assert_int_equal(file_ask(play, "SELECT count(*) FROM event WHERE kind = 1"), FAULT_ROUNDS);
    assert_int_equal(file_ask(play, "SELECT count(*) = max(number) FROM event"), 1);
    for (int i = 0; i < FAULT_ROUNDS; i++) {
        bool has_failed;

        assert_id_equal(post_stubbornly(play, i, &has_failed), ids[i]);
        assert_false(has_failed);
    }
    play_free(play);
}

static void a_disk_that_fails_loses_nothing_when_synced(void **state)
{
    fail_now_and_then(DURABILITY_DISK);
}

static void a_disk_that_fails_loses_nothing_when_not_synced(void **state)
{
    fail_now_and_then(DURABILITY_RELAXED);
}

int run_fault_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_that_fails_loses_nothing_when_synced),
        cmocka_unit_test(a_disk_that_fails_loses_nothing_when_not_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
