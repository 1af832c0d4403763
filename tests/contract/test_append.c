/* What an append stores: ids, numbers, repeats, batches. */
#include "play.h"

static void ids_and_numbers_rise_by_one_journal(void **state)
{
    struct play *play = play_new();
    assert_true(event_id_is_none(play_head(play)));
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        play_say(play, i % 2 ? "ann" : "bob", "tea", name);
    }
    assert_int_equal(play->followed_count, 53);
    assert_string_equal(play->followed[2].sender, "");
    assert_string_equal(play->followed[3].sender, "bob");
    for (int i = 0; i < play->followed_count; i++) {
        assert_int_equal(play->followed[i].number, i + 1);
        if (i > 0)
            assert_true(event_id_compare(play->followed[i].id, play->followed[i - 1].id) > 0);
    }
    assert_id_equal(play_head(play), play->followed[52].id);
    play_free(play);
}

static void a_new_room_is_told_before_its_creator_joins(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PRIVATE), ERR_OK);
    assert_int_equal(play->followed_count, 2);
    assert_int_equal(play->followed[0].type, EVENT_ROOM_CREATED);
    assert_int_equal(play->followed[1].type, EVENT_USER_JOINED);
    assert_string_equal(play->followed[0].user, "ann");
    assert_string_equal(play->followed[1].user, "ann");
    assert_string_equal(play->followed[1].room, "tea");
    play_free(play);
}

static void realms_do_not_meet(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct command command = play_command(COMMAND_JOIN, "ann", "tea");
    command.realm = span_text("other");
    assert_err(play_do(play, &command).err, ERR_NOT_FOUND);
    command = play_command(COMMAND_PUT_ROOM, "bob", "tea");
    command.realm = span_text("other");
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_int_equal(play->followed[2].number, 1);
    assert_string_equal(play_members(play, "ann", "tea", NULL, 10), "ann");
    play_free(play);
}

static void a_repeat_gets_the_first_answer(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct outcome first = play_post(play, "ann", "tea", "m1", "hello");
    play_say(play, "ann", "tea", "m2");
    struct outcome again = play_post(play, "ann", "tea", "m1", "hello");
    assert_err(again.err, ERR_OK);
    assert_true(again.repeated);
    assert_id_equal(again.id, first.id);
    assert_int_equal(again.timestamp_ms, first.timestamp_ms);
    assert_int_equal(play->followed_count, 4);
    assert_err(play_post(play, "ann", "tea", "m1", "other").err, ERR_MESSAGE_ID_REUSED);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_err(play_post(play, "bob", "tea", "m1", "hello").err, ERR_MESSAGE_ID_REUSED);
    assert_err(play_put_room(play, "ann", "coffee", ROOM_PUBLIC), ERR_OK);
    assert_false(play_post(play, "ann", "coffee", "m1", "other").repeated);
    play_free(play);
}

static void a_repeat_is_known_before_permission(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "den", ROOM_PRIVATE), ERR_OK);
    assert_err(play_add(play, "ann", "den", "bob"), ERR_OK);
    struct event_id first = play_say(play, "bob", "den", "m1");
    assert_err(play_remove(play, "ann", "den", "bob"), ERR_OK);
    struct outcome again = play_post(play, "bob", "den", "m1", "m1");
    assert_err(again.err, ERR_OK);
    assert_true(again.repeated);
    assert_id_equal(again.id, first);
    /* What others sent under a name is not told to one who may not post. */
    assert_err(play_post(play, "eve", "den", "m1", "m1").err, ERR_NOT_FOUND);
    assert_err(play_post(play, "bob", "den", "m1", "changed").err, ERR_NOT_FOUND);
    play_free(play);
}

static void custom_events_are_repeated_by_their_name(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "game", ROOM_PUBLIC), ERR_OK);
    struct command move = play_custom("ann", "game", "c1", "e2e4");
    struct outcome first = play_do(play, &move);
    assert_err(first.err, ERR_OK);
    struct outcome again = play_do(play, &move);
    assert_true(again.repeated);
    assert_id_equal(again.id, first.id);
    struct command other = play_custom("ann", "game", "c1", "d2d4");
    assert_err(play_do(play, &other).err, ERR_MESSAGE_ID_REUSED);
    struct command nameless = play_custom("ann", "game", NULL, "e7e5");
    assert_false(play_do(play, &nameless).repeated);
    assert_false(play_do(play, &nameless).repeated);
    play_free(play);
}

static void repeats_are_known_after_a_restart(void **state)
{
    if (!play_outlives_closing())
        skip();
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct event_id first = play_say(play, "ann", "tea", "m1");
    struct command move = play_custom("ann", "tea", "c1", "e2e4");
    struct event_id moved = play_do(play, &move).id;
    play_reopen(play);
    assert_id_equal(play_head(play), moved);
    struct outcome again = play_post(play, "ann", "tea", "m1", "m1");
    assert_true(again.repeated);
    assert_id_equal(again.id, first);
    assert_err(play_post(play, "ann", "tea", "m1", "other").err, ERR_MESSAGE_ID_REUSED);
    again = play_do(play, &move);
    assert_true(again.repeated);
    assert_id_equal(again.id, moved);
    assert_true(event_id_compare(play_say(play, "ann", "tea", "m2"), moved) > 0);
    assert_int_equal(play->followed[play->followed_count - 1].number, 5);
    play_free(play);
}

static void fill_batch(struct command *commands)
{
    commands[0] = play_message("ann", "tea", "b1", "one");
    commands[1] = play_message("ann", "nowhere", "b2", "two");
    commands[2] = play_message("ann", "tea", "b3", "three");
}

struct batch {
    struct journal_append append;
    int done;
};

static void on_batch(struct letter *letter)
{
    container_of(letter, struct batch, append.request.letter)->done = 1;
}

static void play_batch(struct play *play, struct command *commands, int count, bool ordered)
{
    struct batch batch = {.append = {.commands = commands, .count = count, .ordered = ordered}};
    batch.append.request.letter.on_read = on_batch;
    batch.append.request.home = &play->home;
    journal_start_append(play->journal, &batch.append);
    play_wait(play, &play->home, &batch.done);
    assert_err(batch.append.request.err, ERR_OK);
    journal_append_fini(&batch.append);
}

static void one_that_fails_stops_only_an_ordered_batch(void **state)
{
    struct play *play = play_new();
    struct command commands[3];
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    fill_batch(commands);
    play_batch(play, commands, 3, true);
    assert_err(commands[0].outcome.err, ERR_OK);
    assert_err(commands[1].outcome.err, ERR_NOT_FOUND);
    assert_err(commands[2].outcome.err, ERR_AGAIN);
    fill_batch(commands);
    play_batch(play, commands, 3, false);
    assert_true(commands[0].outcome.repeated);
    assert_err(commands[1].outcome.err, ERR_NOT_FOUND);
    assert_err(commands[2].outcome.err, ERR_OK);
    assert_false(commands[2].outcome.repeated);
    play_free(play);
}

static void a_refused_command_writes_nothing(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "den", ROOM_PRIVATE), ERR_OK);
    struct event_id head = play_head(play);
    int followed = play->followed_count;
    assert_err(play_join(play, "eve", "den"), ERR_NOT_FOUND);
    assert_err(play_post(play, "eve", "den", "m1", "x").err, ERR_NOT_FOUND);
    assert_err(play_put_room(play, "eve", "den", ROOM_PUBLIC), ERR_NOT_ALLOWED);
    assert_err(play_add(play, "eve", "den", "eve"), ERR_NOT_FOUND);
    assert_err(play_delete_room(play, "eve", "den"), ERR_NOT_FOUND);
    assert_int_equal(play->followed_count, followed);
    assert_id_equal(play_head(play), head);
    assert_string_equal(play_members(play, "ann", "den", NULL, 10), "ann");
    play_free(play);
}

static void a_message_too_large_for_a_frame_is_refused(void **state)
{
    struct play *play = play_new();
    static char body[EVENT_BYTES_MAX + 100];
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct event_id head = play_head(play);
    memset(body, 'x', sizeof(body));
    memcpy(body, "{\"text\":\"", 9);
    memcpy(body + sizeof(body) - 2, "\"}", 2);
    struct command command = play_message("ann", "tea", "m1", "x");
    command.body = span_of(body, sizeof(body));
    assert_err(play_do(play, &command).err, ERR_BODY_TOO_LARGE);
    assert_id_equal(play_head(play), head);
    play_free(play);
}

/* Five commands of many events each. */
static void a_long_append_leaves_a_rest(void **state)
{
    enum { COMMANDS = 5, USERS = 400 };
    struct play *play = play_new();
    static char names[COMMANDS * USERS][16];
    static struct span users[COMMANDS * USERS];
    struct command commands[COMMANDS];
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    for (int i = 0; i < COMMANDS * USERS; i++) {
        snprintf(names[i], sizeof(names[i]), "user-%04d", i);
        users[i] = span_text(names[i]);
    }
    for (int i = 0; i < COMMANDS; i++) {
        commands[i] = play_command(COMMAND_ADD_MEMBERS, "ann", "tea");
        commands[i].users = users + i * USERS;
        commands[i].user_count = USERS;
    }
    struct journal_append append = {.commands = commands, .count = COMMANDS};
    play_append(play, &append);
    assert_int_equal(append.done, 3);
    assert_id_equal(play_head(play), commands[2].outcome.head);
    journal_append_fini(&append);
    struct journal_append rest = {.commands = commands + 3, .count = 2};
    play_append(play, &rest);
    assert_int_equal(rest.done, 2);
    for (int i = 0; i < COMMANDS; i++) {
        assert_err(commands[i].outcome.err, ERR_OK);
        assert_int_equal(commands[i].outcome.members_added, USERS);
        if (i > 0)
            assert_true(event_id_compare(commands[i - 1].outcome.head, commands[i].outcome.id) < 0);
    }
    journal_append_fini(&rest);
    play_free(play);
}

/* What was refused makes no events: nothing is left. */
static void refusals_leave_no_rest(void **state)
{
    struct play *play = play_new();
    struct command commands[3];
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    for (int i = 0; i < 3; i++)
        commands[i] = play_command(COMMAND_DELETE_ROOM, i < 2 ? "eve" : "ann", "tea");
    struct journal_append append = {.commands = commands, .count = 3, .ordered = true};
    play_append(play, &append);
    assert_int_equal(append.done, 3);
    assert_err(commands[0].outcome.err, ERR_NOT_ALLOWED);
    assert_err(commands[2].outcome.err, ERR_AGAIN);
    journal_append_fini(&append);
    play_free(play);
}

int run_append_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_numbers_rise_by_one_journal),
        cmocka_unit_test(a_new_room_is_told_before_its_creator_joins),
        cmocka_unit_test(realms_do_not_meet),
        cmocka_unit_test(a_repeat_gets_the_first_answer),
        cmocka_unit_test(a_repeat_is_known_before_permission),
        cmocka_unit_test(custom_events_are_repeated_by_their_name),
        cmocka_unit_test(repeats_are_known_after_a_restart),
        cmocka_unit_test(one_that_fails_stops_only_an_ordered_batch),
        cmocka_unit_test(a_refused_command_writes_nothing),
        cmocka_unit_test(a_message_too_large_for_a_frame_is_refused),
        cmocka_unit_test(a_long_append_leaves_a_rest),
        cmocka_unit_test(refusals_leave_no_rest),
    };
    return cmocka_run_group_tests_name("append", tests, NULL, NULL);
}
