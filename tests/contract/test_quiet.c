/* Large rooms: who joins and leaves is told to the person concerned alone. */
#include "play.h"

/* Tea has ann, bob and cid: with dan, and without him, it is above the limit. */
static struct play *play_large(void)
{
    struct play *play = play_new();
    play->settings.rooms_quiet_limit = 3;
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_err(play_join(play, "cid", "tea"), ERR_OK);
    return play;
}

#define assert_seen(play, follow, after, text)                                                     \
    do {                                                                                           \
        assert_string_equal(play_seen((play), (follow), (after), 256), (text));                    \
        assert_string_equal(play_seen((play), (follow), (after), 1), (text));                      \
    } while (0)

static void moves_of_a_large_room_are_told_to_their_user(void **state)
{
    struct play *play = play_large();
    struct event_id small = play_head(play);
    assert_err(play_join(play, "dan", "tea"), ERR_OK);
    play_say(play, "ann", "tea", "m1");
    assert_err(play_leave(play, "dan", "tea"), ERR_OK);
    assert_err(play_leave(play, "cid", "tea"), ERR_OK);
    assert_seen(play, play_all("dan"), EVENT_ID_NONE,
                "user_joined:dan new_message:m1 user_left:dan");
    assert_seen(play, play_all("bob"), small, "new_message:m1 user_left:cid");
    assert_seen(play, play_all("eve"), EVENT_ID_NONE, "");
    assert_string_equal(play_members(play, "ann", "tea", NULL, 10), "ann,bob");
    play_free(play);
}

static void the_follower_is_told_the_room_and_its_count(void **state)
{
    struct play *play = play_large();
    assert_err(play_join(play, "dan", "tea"), ERR_OK);
    const struct followed *last = &play->followed[play->followed_count - 1];
    assert_int_equal(last->type, EVENT_USER_JOINED);
    assert_int_equal(last->audience, AUDIENCE_USER);
    assert_string_equal(last->room, "tea");
    assert_string_equal(last->user, "dan");
    assert_int_equal(last->members, 4);
    assert_err(play_remove(play, "ann", "tea", "dan"), ERR_OK);
    last = &play->followed[play->followed_count - 1];
    assert_int_equal(last->type, EVENT_USER_LEFT);
    assert_int_equal(last->audience, AUDIENCE_USER);
    assert_int_equal(last->members, 3);
    assert_err(play_leave(play, "cid", "tea"), ERR_OK);
    last = &play->followed[play->followed_count - 1];
    assert_int_equal(last->audience, AUDIENCE_ROOM);
    assert_int_equal(last->members, 2);
    play_say(play, "ann", "tea", "m1");
    assert_int_equal(play->followed[play->followed_count - 1].members, 2);
    assert_err(play_delete_room(play, "ann", "tea"), ERR_OK);
    assert_int_equal(play->followed[play->followed_count - 1].members, 2);
    play_free(play);
}

/* One who follows some rooms only is told of moves in those. */
static void moves_of_other_rooms_are_left_out(void **state)
{
    struct play *play = play_large();
    assert_err(play_put_room(play, "ann", "den", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "dan", "tea"), ERR_OK);
    assert_err(play_join(play, "dan", "den"), ERR_OK);
    assert_err(play_leave(play, "dan", "tea"), ERR_OK);
    struct follow_room tea = {.room = span_text("tea")}, den = {.room = span_text("den")};
    assert_seen(play, play_rooms("dan", &tea, 1), EVENT_ID_NONE, "user_joined:dan user_left:dan");
    assert_seen(play, play_rooms("dan", &den, 1), EVENT_ID_NONE, "user_joined:dan");
    assert_seen(play, play_all("dan"), EVENT_ID_NONE,
                "user_joined:dan user_joined:dan user_left:dan");
    play_free(play);
}

/* They are merged in by id also far from the head, and counted as what they are. */
static void moves_are_in_order_far_behind(void **state)
{
    struct play *play = play_large();
    char name[16], expected[40000] = "user_joined:dan";
    assert_err(play_join(play, "dan", "tea"), ERR_OK);
    struct event_id joined = play_head(play);
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        play_say(play, "ann", "tea", name);
        sprintf(expected + strlen(expected), " new_message:%s", name);
    }
    assert_err(play_leave(play, "dan", "tea"), ERR_OK);
    strcat(expected, " user_left:dan");
    assert_string_equal(play_seen(play, play_all("dan"), EVENT_ID_NONE, 256), expected);
    struct journal_open open;
    play_resume(play, play_all("dan"), joined, 701, &open);
    assert_int_equal(open.gap_count, 0);
    journal_open_fini(&open);
    play_resume(play, play_all("dan"), joined, 700, &open);
    assert_int_equal(open.gap_count, 1);
    journal_open_fini(&open);
    play_free(play);
}

static void without_a_limit_no_room_is_large(void **state)
{
    struct play *play = play_large();
    play->settings.rooms_quiet_limit = 0;
    struct event_id before = play_head(play);
    assert_err(play_join(play, "dan", "tea"), ERR_OK);
    assert_seen(play, play_all("bob"), before, "user_joined:dan");
    play_free(play);
}

int run_quiet_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_of_a_large_room_are_told_to_their_user),
        cmocka_unit_test(the_follower_is_told_the_room_and_its_count),
        cmocka_unit_test(moves_of_other_rooms_are_left_out),
        cmocka_unit_test(moves_are_in_order_far_behind),
        cmocka_unit_test(without_a_limit_no_room_is_large),
    };
    return cmocka_run_group_tests_name("quiet", tests, NULL, NULL);
}
