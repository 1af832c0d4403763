/* Reactions and threads: what is counted, and that it goes with the message. */
#include <unistd.h>

#include "play.h"

static struct play *tea(int64_t room_events_max)
{
    struct play *play = play_new_keeping(room_events_max);
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    return play;
}

static struct outcome act(struct play *play, enum command_kind kind, const char *user,
                          const char *message_id, const char *key)
{
    struct command command = play_command(kind, user, "tea");
    command.message_id = span_text(message_id);
    command.key = span_text(key);
    return play_do(play, &command);
}

static struct outcome react(struct play *play, const char *user, const char *message_id,
                            const char *key)
{
    return act(play, COMMAND_ADD_REACTION, user, message_id, key);
}

static struct outcome take_back(struct play *play, const char *user, const char *message_id,
                                const char *key)
{
    return act(play, COMMAND_REMOVE_REACTION, user, message_id, key);
}

static int reply(struct play *play, const char *message_id, const char *thread,
                 const char *reply_to)
{
    struct command command = play_message("ann", "tea", message_id, "x");
    command.thread_id = span_text(thread);
    command.reply_to = span_text(reply_to);
    return play_do(play, &command).err;
}

/* What history shows of one message behind its content; "" when that is nothing. */
static const char *hangs(struct play *play, const char *user, const char *message_id)
{
    static char text[4000];
    struct journal_history history = play_history_spec(user, "tea", 1);
    history.message_id = span_text(message_id);
    play_history_read(play, &history);
    assert_err(history.request.err, ERR_OK);
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(history.messages[0]));
    journal_history_fini(&history);
    char *at = strstr(text, ",\"reactions\":");
    if (!at)
        at = strstr(text, ",\"replyCount\":");
    return at ? at : "";
}

static void reactions_are_counted(void **state)
{
    struct play *play = tea(0);
    play_say(play, "ann", "tea", "m1");
    struct event_id first = react(play, "bob", "m1", "b\"").id;
    assert_err(react(play, "ann", "m1", "b\"").err, ERR_OK);
    assert_err(react(play, "ann", "m1", "a").err, ERR_OK);
    assert_string_equal(hangs(play, "bob", "m1"),
                        ",\"reactions\":{\"b\\\"\":{\"count\":2,\"users\":[\"bob\",\"ann\"],"
                        "\"mine\":true},\"a\":{\"count\":1,\"users\":[\"ann\"],\"mine\":false}}}");
    assert_string_equal(play_seen(play, play_all("bob"), first, 10),
                        "reaction_added:m1 reaction_added:m1");
    assert_err(take_back(play, "bob", "m1", "b\"").err, ERR_OK);
    assert_err(take_back(play, "ann", "m1", "b\"").err, ERR_OK);
    assert_string_equal(hangs(play, "eve", "m1"), ",\"reactions\":{\"a\":{\"count\":1,\"users\":"
                                                  "[\"ann\"],\"mine\":false}}}");
    assert_err(react(play, "bob", "m1", "b\"").err, ERR_OK);
    assert_non_null(strstr(hangs(play, "bob", "m1"), "},\"b\\\"\":{\"count\":1,"));
    play_free(play);
}

static void repeats_do_nothing(void **state)
{
    struct play *play = tea(0);
    play_say(play, "ann", "tea", "m1");
    struct event_id head = react(play, "bob", "m1", "x").id;
    assert_true(react(play, "bob", "m1", "x").repeated);
    assert_true(take_back(play, "ann", "m1", "x").repeated);
    assert_true(take_back(play, "ann", "m1", "y").repeated);
    assert_id_equal(play_head(play), head);
    assert_err(react(play, "bob", "m2", "x").err, ERR_NOT_FOUND);
    assert_err(react(play, "eve", "m1", "x").err, ERR_NOT_A_MEMBER);
    play_free(play);
}

static void keys_have_a_limit(void **state)
{
    struct play *play = tea(0);
    char key[16];
    play_say(play, "ann", "tea", "m1");
    for (int i = 0; i < REACTION_KEYS_MAX; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_err(react(play, "ann", "m1", key).err, ERR_OK);
    }
    struct event_id head = play_head(play);
    assert_err(react(play, "ann", "m1", "more").err, ERR_FULL);
    assert_id_equal(play_head(play), head);
    assert_err(react(play, "bob", "m1", "k1").err, ERR_OK);
    assert_err(take_back(play, "ann", "m1", "k0").err, ERR_OK);
    assert_err(react(play, "ann", "m1", "more").err, ERR_OK);
    play_free(play);
}

static void a_deletion_takes_reactions_and_counts_replies(void **state)
{
    struct play *play = tea(0);
    play_say(play, "ann", "tea", "m1");
    assert_err(react(play, "bob", "m1", "x").err, ERR_OK);
    assert_err(reply(play, "r1", "m1", NULL), ERR_OK);
    assert_err(reply(play, "r2", "m1", "r1"), ERR_OK);
    assert_non_null(strstr(hangs(play, "ann", "m1"), ",\"replyCount\":2}"));
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "r1", NULL).err, ERR_OK);
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "m1", NULL).err, ERR_OK);
    assert_string_equal(hangs(play, "ann", "m1"), ",\"replyCount\":1}");
    assert_err(react(play, "bob", "m1", "x").err, ERR_MESSAGE_DELETED);
    assert_true(take_back(play, "bob", "m1", "x").repeated);
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "r2", NULL).err, ERR_OK);
    assert_string_equal(hangs(play, "ann", "m1"), "");
    play_free(play);
}

/* What is answered may have been trimmed, or come later. */
/* Not even a user who was never heard of, where history begins with joining. */
static void strangers_do_not_react(void **state)
{
    struct play *play = play_new();
    struct command put = play_command(COMMAND_PUT_ROOM, "ann", "tea");
    put.create_allowed = true;
    put.change.has_kind = put.change.has_history_from = true;
    put.change.kind = ROOM_PRIVATE;
    put.change.history_from = HISTORY_FROM_JOINING;
    assert_err(play_do(play, &put).err, ERR_OK);
    play_say(play, "ann", "tea", "m1");
    assert_err(react(play, "stranger", "m1", "+1").err, ERR_NOT_FOUND);
    assert_string_equal(hangs(play, "ann", "m1"), "");
    play_free(play);
}

static void references_may_lead_nowhere(void **state)
{
    struct play *play = tea(0);
    play_say(play, "ann", "tea", "m1");
    assert_err(reply(play, "r1", "m1", NULL), ERR_OK);
    assert_err(reply(play, "r2", "none", NULL), ERR_OK);
    assert_err(reply(play, "r3", "r1", NULL), ERR_OK);
    assert_err(reply(play, "r4", "m1", "none"), ERR_OK);
    assert_string_equal(hangs(play, "ann", "m1"), ",\"replyCount\":2}");
    assert_string_equal(hangs(play, "ann", "r1"), ",\"replyCount\":1}");
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "r2", NULL).err, ERR_OK);
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "r3", NULL).err, ERR_OK);
    assert_string_equal(hangs(play, "ann", "r1"), "");
    play_free(play);
}

static void replies_that_come_first_are_counted(void **state)
{
    struct play *play = tea(0);
    for (int i = 1; i <= 4; i++) {
        char name[8];
        snprintf(name, sizeof(name), "r%d", i);
        assert_err(reply(play, name, i < 4 ? "m1" : "m2", "m1"), ERR_OK);
    }
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "r1", NULL).err, ERR_OK);
    if (play_outlives_closing())
        play_reopen(play);
    play_say(play, "ann", "tea", "m1");
    assert_true(play_post(play, "ann", "tea", "m1", "m1").repeated);
    assert_string_equal(hangs(play, "ann", "m1"), ",\"replyCount\":2}");
    assert_err(reply(play, "r5", "m1", NULL), ERR_OK);
    assert_string_equal(hangs(play, "ann", "m1"), ",\"replyCount\":3}");
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "r2", NULL).err, ERR_OK);
    assert_string_equal(hangs(play, "ann", "m1"), ",\"replyCount\":2}");
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "r5", NULL).err, ERR_OK);
    assert_err(act(play, COMMAND_DELETE_MESSAGE, "ann", "r3", NULL).err, ERR_OK);
    assert_string_equal(hangs(play, "ann", "m1"), "");
    /* A reply may be a root itself. */
    assert_err(reply(play, "m2", "m1", NULL), ERR_OK);
    assert_string_equal(hangs(play, "ann", "m2"), ",\"replyCount\":1}");
    assert_string_equal(hangs(play, "ann", "m1"), ",\"replyCount\":1}");
    play_free(play);
}

static void what_hangs_on_a_message_is_trimmed_with_it(void **state)
{
    struct play *play = tea(16);
    char name[16];
    int refused = 0;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        play_say(play, "ann", "tea", name);
        assert_err(react(play, "bob", name, "x").err, ERR_OK);
        snprintf(name, sizeof(name), "r%d", i);
        refused += reply(play, name, i < 30 ? "m0" : "m30", NULL) != ERR_OK;
    }
    /* Replies go on as long as one of their thread is kept. */
    assert_int_equal(refused, 0);
    /* Trimming may lag. */
    int err = ERR_OK;
    for (int i = 0; i < 5000 && err == ERR_OK; i++) {
        err = react(play, "bob", "m0", "y").err;
        usleep(1000);
    }
    assert_err(err, ERR_NOT_FOUND);
    play_free(play);
}

int run_reaction_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reactions_are_counted),
        cmocka_unit_test(repeats_do_nothing),
        cmocka_unit_test(keys_have_a_limit),
        cmocka_unit_test(a_deletion_takes_reactions_and_counts_replies),
        cmocka_unit_test(references_may_lead_nowhere),
        cmocka_unit_test(strangers_do_not_react),
        cmocka_unit_test(replies_that_come_first_are_counted),
        cmocka_unit_test(what_hangs_on_a_message_is_trimmed_with_it),
    };
    return cmocka_run_group_tests_name("reactions", tests, NULL, NULL);
}
