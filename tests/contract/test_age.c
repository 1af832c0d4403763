/* What is left of markers, mentions and counts when messages are trimmed for their age. The wall
 * clock of this program is set ahead for that (see tests/meson.build). */
#include <stdatomic.h>
#include <unistd.h>

#include "base/deadline.h"
#include "play.h"

#define DAY_MS INT64_C(86400000)

static _Atomic int64_t ahead_ms;

int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void);

int64_t __wrap_clock_wall_ms(void)
{
    return __real_clock_wall_ms() + atomic_load(&ahead_ms);
}

static struct outcome mention(struct play *play, const char *message_id)
{
    const struct span bob = span_text("bob");
    struct command command = play_message("ann", "tea", message_id, message_id);
    command.mentions = &bob;
    command.mention_count = 1;
    struct outcome outcome = play_do(play, &command);
    assert_err(outcome.err, ERR_OK);
    return outcome;
}

static struct outcome about(struct play *play, enum command_kind kind, const char *user,
                            const char *message_id)
{
    struct command command = play_command(kind, user, "tea");
    command.message_id = span_text(message_id);
    command.key = span_text("+");
    return play_do(play, &command);
}

static void assert_marker(struct play *play, const char *user, int unread, int mentions)
{
    struct journal_read read = {
        .what = READ_ROOM,
        .realm = span_text("main"),
        .room = span_text("tea"),
        .actor.user = span_text(user),
    };
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    assert_int_equal(read.rooms[0].marker.unread, unread);
    assert_int_equal(read.rooms[0].marker.mentions, mentions);
    journal_read_fini(&read);
    read = (struct journal_read){
        .what = READ_UNREAD, .realm = span_text("main"), .actor.user = span_text(user)};
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    assert_int_equal(read.unread_count, unread > 0);
    if (unread > 0) {
        assert_int_equal(read.unread[0].unread, unread);
        assert_int_equal(read.unread[0].mentions, mentions);
    }
    journal_read_fini(&read);
}

/* For whoever keeps the journal too: what is under way there does not outlive that. */
static void set_ahead(struct play *play, int64_t ms)
{
    atomic_store(&ahead_ms, ms);
    play_set_ahead(ms);
    if (play && play_outlives_closing())
        play_reopen(play);
}

static void pass(struct play *play, int64_t ms)
{
    set_ahead(play, atomic_load(&ahead_ms) + ms);
}

/* Days pass, until the message is gone. Trimming may lag: what is posted elsewhere drives it. */
static void wait_until_gone(struct play *play, int64_t later_ms, const char *message_id)
{
    static int posted;
    pass(play, later_ms);
    for (int i = 0; i < 2000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w%d", posted++);
        play_say(play, "eve", "noise", name);
        struct journal_history history = play_history_spec("ann", "tea", 1);
        history.message_id = span_text(message_id);
        play_history_read(play, &history);
        int err = history.request.err;
        journal_history_fini(&history);
        if (err == ERR_NOT_FOUND)
            return;
        assert_err(err, ERR_OK);
        usleep(2000);
    }
    fail_msg("nothing was trimmed");
}

static struct play *tea(void)
{
    set_ahead(NULL, 0);
    struct play *play = play_new();
    play->settings.journal_retention_days = 2;
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "eve", "noise", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_err(play_join(play, "cid", "tea"), ERR_OK);
    return play;
}

static void what_is_too_old_is_neither_unread_nor_mentioned(void **state)
{
    struct play *play = tea();
    mention(play, "m1");
    play_say(play, "ann", "tea", "m2");
    play_say(play, "ann", "tea", "m3");
    assert_err(about(play, COMMAND_DELETE_MESSAGE, "ann", "m3").err, ERR_OK);
    pass(play, DAY_MS);
    mention(play, "m4");
    play_say(play, "ann", "tea", "m5");
    play_say(play, "ann", "tea", "m6");
    assert_err(about(play, COMMAND_DELETE_MESSAGE, "ann", "m6").err, ERR_OK);
    assert_marker(play, "bob", 4, 2);
    assert_marker(play, "cid", 4, 0);
    wait_until_gone(play, DAY_MS + DAY_MS / 2, "m2");
    assert_marker(play, "bob", 2, 1);
    assert_marker(play, "cid", 2, 0);
    assert_err(about(play, COMMAND_READ, "bob", "m1").err, ERR_NOT_FOUND);
    assert_err(about(play, COMMAND_ADD_REACTION, "bob", "m1").err, ERR_NOT_FOUND);
    assert_err(about(play, COMMAND_EDIT_MESSAGE, "ann", "m1").err, ERR_NOT_FOUND);
    assert_marker(play, "bob", 2, 1);
    wait_until_gone(play, DAY_MS, "m5");
    assert_marker(play, "bob", 0, 0);
    assert_marker(play, "cid", 0, 0);
    mention(play, "m7");
    assert_marker(play, "bob", 1, 1);
    assert_marker(play, "cid", 1, 0);
    play_free(play);
}

/* A marker stays where it is, also below what is kept, and never moves back. */
static void markers_outlive_what_they_stand_at(void **state)
{
    struct play *play = tea();
    mention(play, "m1");
    struct outcome read = about(play, COMMAND_READ, "bob", "m1");
    assert_err(read.err, ERR_OK);
    play_say(play, "ann", "tea", "m2");
    pass(play, DAY_MS);
    struct outcome kept = mention(play, "m3");
    wait_until_gone(play, DAY_MS + DAY_MS / 2, "m2");
    assert_marker(play, "bob", 1, 1);
    struct command back = play_command(COMMAND_READ, "bob", "tea");
    back.cursor = (struct event_id){read.marker.upto.ms - 1, 0};
    struct outcome again = play_do(play, &back);
    assert_err(again.err, ERR_OK);
    assert_false(again.marker_moved);
    assert_id_equal(again.marker.upto, read.marker.upto);
    read = about(play, COMMAND_READ, "bob", "m3");
    assert_err(read.err, ERR_OK);
    assert_id_equal(read.marker.upto, kept.id);
    assert_marker(play, "bob", 0, 0);
    assert_err(about(play, COMMAND_DELETE_MESSAGE, "ann", "m3").err, ERR_OK);
    assert_marker(play, "bob", 0, 0);
    assert_marker(play, "cid", 0, 0);
    play_free(play);
}

int run_age_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_too_old_is_neither_unread_nor_mentioned),
        cmocka_unit_test(markers_outlive_what_they_stand_at),
    };
    int failed = cmocka_run_group_tests_name("age", tests, NULL, NULL);
    set_ahead(NULL, 0);
    return failed;
}
