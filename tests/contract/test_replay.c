/* What a reader is shown: the membership at each event's position decides. */
#include "play.h"

#define assert_seen(play, follow, after, text)                                                     \
    do {                                                                                           \
        assert_string_equal(play_seen((play), (follow), (after), 256), (text));                    \
        assert_string_equal(play_seen((play), (follow), (after), 1), (text));                      \
        assert_string_equal(play_seen((play), (follow), (after), 3), (text));                      \
    } while (0)

static void a_member_sees_from_joining_to_leaving(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    play_say(play, "ann", "tea", "m1");
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    play_say(play, "ann", "tea", "m2");
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    play_say(play, "ann", "tea", "m3");
    assert_seen(play, play_all("bob"), EVENT_ID_NONE,
                "user_joined:bob new_message:m2 user_left:bob");
    assert_seen(play, play_all("ann"), EVENT_ID_NONE,
                "room_created:tea user_joined:ann new_message:m1 user_joined:bob new_message:m2 "
                "user_left:bob new_message:m3");
    assert_seen(play, play_all("eve"), EVENT_ID_NONE, "");
    play_free(play);
}

static void one_who_comes_and_goes_sees_the_times_inside(void **state)
{
    struct play *play = play_new();
    char expected[2000] = "", name[16];
    assert_err(play_put_room(play, "ann", "den", ROOM_PRIVATE), ERR_OK);
    struct event_id middle = EVENT_ID_NONE;
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "out%d", i);
        play_say(play, "ann", "den", name);
        assert_err(play_add(play, "ann", "den", "bob"), ERR_OK);
        snprintf(name, sizeof(name), "in%d", i);
        struct event_id id = play_say(play, "ann", "den", name);
        assert_err(play_remove(play, "ann", "den", "bob"), ERR_OK);
        if (i == 2)
            middle = id;
        sprintf(expected + strlen(expected), "%suser_joined:bob new_message:in%d user_left:bob",
                i ? " " : "", i);
    }
    assert_seen(play, play_all("bob"), EVENT_ID_NONE, expected);
    const char *rest = strstr(expected, "in2") + 4;
    assert_seen(play, play_all("bob"), middle, rest);
    play_free(play);
}

static void rooms_are_merged_by_id(void **state)
{
    struct play *play = play_new();
    char expected[4000] = "";
    for (int i = 0; i < 8; i++) {
        char room[16];
        snprintf(room, sizeof(room), "r%d", i);
        assert_err(play_put_room(play, "ann", room, ROOM_PRIVATE), ERR_OK);
    }
    assert_err(play_put_room(play, "eve", "other", ROOM_PRIVATE), ERR_OK);
    struct event_id head = play_head(play);
    for (int i = 0; i < 60; i++) {
        char room[8], name[16];
        snprintf(room, sizeof(room), "r%d", i * 7 % 8);
        snprintf(name, sizeof(name), "m%d", i);
        play_say(play, "ann", room, name);
        play_say(play, "eve", "other", name);
        sprintf(expected + strlen(expected), "%snew_message:%s", i ? " " : "", name);
    }
    assert_seen(play, play_all("ann"), head, expected);
    play_free(play);
}

/* Long enough that a reader from the beginning is served by merging its rooms. */
static void a_long_way_back_is_the_same(void **state)
{
    struct play *play = play_new();
    static char expected[60000];
    expected[0] = 0;
    assert_err(play_put_room(play, "ann", "tea", ROOM_PRIVATE), ERR_OK);
    assert_err(play_put_room(play, "ann", "den", ROOM_PRIVATE), ERR_OK);
    assert_err(play_put_room(play, "eve", "noise", ROOM_PUBLIC), ERR_OK);
    assert_err(play_add(play, "ann", "tea", "bob"), ERR_OK);
    struct event_id start = play_head(play);
    for (int i = 0; i < 1500; i++) {
        char name[16];
        const char *room = i % 3 == 0 ? "tea" : i % 3 == 1 ? "noise" : "den";
        snprintf(name, sizeof(name), "m%d", i);
        play_say(play, i % 3 == 1 ? "eve" : "ann", room, name);
        if (i == 600)
            assert_err(play_remove(play, "ann", "tea", "bob"), ERR_OK);
        if (i == 900)
            assert_err(play_add(play, "ann", "tea", "bob"), ERR_OK);
        if (i % 3 == 0 && (i <= 600 || i > 900))
            sprintf(expected + strlen(expected), "%snew_message:%s", i ? " " : "", name);
        if (i == 600)
            strcat(expected, " user_left:bob");
        if (i == 900)
            strcat(expected, " user_joined:bob");
    }
    assert_string_equal(play_seen(play, play_all("bob"), start, 256), expected);
    assert_string_equal(play_seen(play, play_all("bob"), start, 7), expected);
    play_free(play);
}

static void a_watcher_sees_what_is_for_watchers(void **state)
{
    struct play *play = play_new();
    struct follow_room rooms[] = {{.room = span_text("tea")}};
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    play_say(play, "ann", "tea", "m1");
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    struct command move = play_custom("bob", "tea", "c1", "e2e4");
    assert_err(play_do(play, &move).err, ERR_OK);
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    play_say(play, "ann", "tea", "m2");
    assert_seen(play, play_rooms("eve", rooms, 1), EVENT_ID_NONE,
                "new_message:m1 custom.move:c1 new_message:m2");
    /* As a member he saw the joining too; watching fills the rest. */
    assert_seen(play, play_rooms("bob", rooms, 1), EVENT_ID_NONE,
                "new_message:m1 user_joined:bob custom.move:c1 user_left:bob new_message:m2");
    assert_seen(play, play_all("eve"), EVENT_ID_NONE, "");
    play_free(play);
}

static void watching_reaches_back_to_when_the_room_became_public(void **state)
{
    struct play *play = play_new();
    struct follow_room rooms[] = {{.room = span_text("tea")}};
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    play_say(play, "ann", "tea", "m1");
    assert_true(play->followed[0].opens_watching); /* room_created */
    assert_false(play->followed[play->followed_count - 1].opens_watching);
    assert_err(play_put_room(play, "ann", "tea", ROOM_PRIVATE), ERR_OK);
    assert_true(play->followed[play->followed_count - 1].ends_watching);
    assert_false(play->followed[play->followed_count - 1].opens_watching);
    play_say(play, "ann", "tea", "m2");
    assert_seen(play, play_rooms("eve", rooms, 1), EVENT_ID_NONE, "");
    rooms[0].grants = GRANT_READ;
    assert_seen(play, play_rooms("eve", rooms, 1), EVENT_ID_NONE,
                "room_created:tea new_message:m1 room_updated:tea new_message:m2");
    rooms[0].grants = 0;
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    const struct followed *told = &play->followed[play->followed_count - 1];
    assert_true(told->opens_watching && !told->ends_watching);
    play_say(play, "ann", "tea", "m3");
    assert_seen(play, play_rooms("eve", rooms, 1), EVENT_ID_NONE, "new_message:m3");
    play_free(play);
}

static void a_deleted_room_stays_in_its_members_past(void **state)
{
    struct play *play = play_new();
    struct follow_room rooms[] = {{.room = span_text("tea")}};
    assert_err(play_put_room(play, "ann", "tea", ROOM_PRIVATE), ERR_OK);
    play_say(play, "ann", "tea", "m1");
    assert_err(play_add(play, "ann", "tea", "bob"), ERR_OK);
    assert_err(play_delete_room(play, "ann", "tea"), ERR_OK);
    assert_true(play->followed[play->followed_count - 1].ends_watching);
    assert_err(play_post(play, "ann", "tea", "m2", "x").err, ERR_NOT_FOUND);
    assert_string_equal(play_rooms_of(play, "ann", NULL, 10), "");
    assert_err(play_put_room(play, "eve", "tea", ROOM_PRIVATE), ERR_OK);
    play_say(play, "eve", "tea", "m1");
    assert_seen(play, play_all("bob"), EVENT_ID_NONE, "user_joined:bob room_deleted:tea");
    assert_seen(play, play_rooms("bob", rooms, 1), EVENT_ID_NONE,
                "user_joined:bob room_deleted:tea");
    assert_seen(play, play_all("eve"), EVENT_ID_NONE,
                "room_created:tea user_joined:eve new_message:m1");
    assert_string_equal(play_members(play, "eve", "tea", NULL, 10), "eve");
    assert_string_equal(play_members(play, "bob", "tea", NULL, 10), "NOT_FOUND");
    play_free(play);
}

static void a_spared_session_is_left_out(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    struct event_id head = play_head(play);
    struct command command = play_message("ann", "tea", "m1", "x");
    command.spared = span_text("s1");
    assert_err(play_do(play, &command).err, ERR_OK);
    play_say(play, "ann", "tea", "m2");
    static const struct {
        const char *user, *session;
        int frames;
    } rows[] = {{"ann", "s1", 1}, {"ann", "s2", 2}, {"bob", "s1", 2}, {"ann", NULL, 2}};
    for (size_t i = 0; i < array_count(rows); i++) {
        struct journal_page page = {
            .follow = play_all(rows[i].user),
            .after = head,
            .spared_session = span_text(rows[i].session),
            .events_max = 10,
            .bytes_max = 10000,
        };
        play_page(play, &page);
        assert_int_equal(page.frame_count, rows[i].frames);
        assert_id_equal(page.upto, page.head);
        journal_page_fini(&page);
    }
    play_free(play);
}

static bool contains(const struct frame *frame, const char *text)
{
    struct span json = frame_json(frame);
    return memmem(json.data, json.len, text, strlen(text)) != NULL;
}

static void only_the_joiner_is_given_the_room(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct event_id head = play_head(play);
    struct command join = play_command(COMMAND_JOIN, "bob", "tea");
    join.actor.name = span_text("Bob");
    join.actor.data = span_text("{\"age\":7}");
    assert_err(play_do(play, &join).err, ERR_OK);
    for (int own = 0; own < 2; own++) {
        struct journal_page page = {
            .follow = play_all(own ? "bob" : "ann"),
            .after = head,
            .events_max = 10,
            .bytes_max = 10000,
        };
        play_page(play, &page);
        assert_int_equal(page.frame_count, 1);
        assert_int_equal(contains(page.frames[0], "\"room\":{\"roomId\":\"tea\""), own);
        assert_true(
            contains(page.frames[0], "\"userData\":{\"name\":\"Bob\",\"data\":{\"age\":7}}"));
        assert_string_equal(page.frames[0]->user, "bob");
        assert_string_equal(page.frames[0]->room, "tea");
        assert_int_equal(page.frames[0]->number, 3);
        journal_page_fini(&page);
    }
    play_free(play);
}

static void a_page_is_bound_by_bytes(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct event_id head = play_head(play);
    struct event_id first = play_say(play, "ann", "tea", "m1");
    play_say(play, "ann", "tea", "m2");
    struct journal_page page = {
        .follow = play_all("ann"), .after = head, .events_max = 10, .bytes_max = 1};
    play_page(play, &page);
    assert_int_equal(page.frame_count, 1);
    assert_id_equal(page.upto, first);
    assert_true(event_id_compare(page.head, first) > 0);
    journal_page_fini(&page);
    play_free(play);
}

static void verdicts_tell_foreign_cursors(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct event_id first = play_say(play, "ann", "tea", "m1");
    struct event_id head = play_say(play, "ann", "tea", "m2");
    struct event_id above = event_id_next(head), between = {first.ms - 1, 77};
    const struct {
        enum cursor_state state;
        struct event_id cursor;
        enum open_verdict verdict;
        struct event_id start;
    } rows[] = {
        {CURSOR_ABSENT, {0, 0}, OPEN_FRESH, head},
        {CURSOR_MALFORMED, {0, 0}, OPEN_RESET_FOREIGN, head},
        {CURSOR_GIVEN, first, OPEN_RESUMED, first},
        {CURSOR_GIVEN, head, OPEN_RESUMED, head},
        {CURSOR_GIVEN, EVENT_ID_NONE, OPEN_RESUMED, EVENT_ID_NONE},
        {CURSOR_GIVEN, above, OPEN_RESET_AHEAD, head},
        {CURSOR_GIVEN, between, OPEN_RESET_FOREIGN, head},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct journal_open open = play_open_spec(play_all("ann"));
        open.cursor_state = rows[i].state;
        open.cursor = rows[i].cursor;
        play_open(play, &open);
        assert_int_equal(open.verdict, rows[i].verdict);
        assert_id_equal(open.start, rows[i].start);
        assert_id_equal(open.replay_from, rows[i].start);
        assert_id_equal(open.head, head);
        assert_int_equal(open.head_number, 4);
        assert_int_equal(open.gap_count, 0);
        journal_open_fini(&open);
    }
    play_free(play);
}

static void an_empty_journal_knows_no_cursor(void **state)
{
    struct play *play = play_new();
    struct journal_open open;
    play_resume(play, play_all("ann"), EVENT_ID_NONE, 10, &open);
    assert_int_equal(open.verdict, OPEN_RESUMED);
    assert_true(event_id_is_none(open.head));
    journal_open_fini(&open);
    play_resume(play, play_all("ann"), (struct event_id){5, 5}, 10, &open);
    assert_int_equal(open.verdict, OPEN_RESET_AHEAD);
    journal_open_fini(&open);
    assert_seen(play, play_all("ann"), EVENT_ID_NONE, "");
    play_free(play);
}

static void what_was_written_is_replayed_after_a_restart(void **state)
{
    if (!play_outlives_closing())
        skip();
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PRIVATE), ERR_OK);
    struct event_id first = play_say(play, "ann", "tea", "m1");
    assert_err(play_add(play, "ann", "tea", "bob"), ERR_OK);
    play_say(play, "ann", "tea", "m2");
    play_reopen(play);
    struct journal_open open;
    play_resume(play, play_all("ann"), first, 10, &open);
    assert_int_equal(open.verdict, OPEN_RESUMED);
    assert_int_equal(open.room_count, 1);
    journal_open_fini(&open);
    assert_seen(play, play_all("ann"), first, "user_joined:bob new_message:m2");
    assert_seen(play, play_all("bob"), EVENT_ID_NONE, "user_joined:bob new_message:m2");
    play_free(play);
}

int run_replay_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_sees_from_joining_to_leaving),
        cmocka_unit_test(one_who_comes_and_goes_sees_the_times_inside),
        cmocka_unit_test(rooms_are_merged_by_id),
        cmocka_unit_test(a_long_way_back_is_the_same),
        cmocka_unit_test(a_watcher_sees_what_is_for_watchers),
        cmocka_unit_test(watching_reaches_back_to_when_the_room_became_public),
        cmocka_unit_test(a_deleted_room_stays_in_its_members_past),
        cmocka_unit_test(a_spared_session_is_left_out),
        cmocka_unit_test(only_the_joiner_is_given_the_room),
        cmocka_unit_test(a_page_is_bound_by_bytes),
        cmocka_unit_test(verdicts_tell_foreign_cursors),
        cmocka_unit_test(an_empty_journal_knows_no_cursor),
        cmocka_unit_test(what_was_written_is_replayed_after_a_restart),
    };
    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
