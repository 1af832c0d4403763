/* The state of rooms, members and devices. */
#include "play.h"

static void a_room_is_read_as_it_is(void **state)
{
    struct play *play = play_new();
    struct command put = play_command(COMMAND_PUT_ROOM, "ann", "tea");
    put.change = (struct room_change){
        .has_name = true,
        .has_topic = true,
        .has_announce = true,
        .has_data = true,
        .name = span_text("T\xc3\xa9"),
        .topic = span_text("leaves"),
        .announce = true,
        .data = span_text("{\"colour\":[1,2]}"),
    };
    assert_err(play_do(play, &put).err, ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    struct journal_read read = {
        .what = READ_ROOM,
        .realm = span_text("main"),
        .room = span_text("tea"),
        .actor.user = span_text("bob"),
    };
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    assert_int_equal(read.room_count, 1);
    const struct room_info *info = &read.rooms[0].info;
    assert_true(span_is(info->id, "tea"));
    assert_true(span_is(info->name, "T\xc3\xa9"));
    assert_true(span_is(info->topic, "leaves"));
    assert_true(span_is(info->data, "{\"colour\":[1,2]}"));
    assert_true(info->announce);
    assert_int_equal(info->kind, ROOM_PUBLIC);
    assert_int_equal(info->member_count, 2);
    assert_int_equal(info->version, 1);
    assert_true(info->created_at_ms > 0);
    assert_int_equal(read.rooms[0].role, ROLE_MEMBER);
    assert_id_equal(read.head, play->followed[play->followed_count - 1].id);
    journal_read_fini(&read);
    play_free(play);
}

static void members_are_listed_in_order_of_their_names(void **state)
{
    struct play *play = play_new();
    const struct span users[] = {span_text("zoe"), span_text("bob"), span_text("b"),
                                 span_text("bob"), span_text("ann"), span_text("bo")};
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct command add = play_command(COMMAND_ADD_MEMBERS, "ann", "tea");
    add.users = users;
    add.user_count = (int)array_count(users);
    struct outcome outcome = play_do(play, &add);
    assert_err(outcome.err, ERR_OK);
    assert_int_equal(outcome.members_added, 4);
    assert_int_equal(play->followed_count, 6);
    assert_id_equal(outcome.id, play->followed[2].id);
    assert_string_equal(play_members(play, "ann", "tea", NULL, 10), "ann,b,bo,bob,zoe");
    assert_string_equal(play_members(play, "ann", "tea", NULL, 2), "ann,b+");
    assert_string_equal(play_members(play, "ann", "tea", "b", 2), "bo,bob+");
    assert_string_equal(play_members(play, "ann", "tea", "bob", 2), "zoe");
    assert_string_equal(play_members(play, "ann", "tea", "bz", 1), "zoe");
    assert_string_equal(play_members(play, "ann", "tea", "zoe", 2), "");
    play_free(play);
}

static void names_are_those_last_seen(void **state)
{
    struct play *play = play_new();
    struct command put = play_command(COMMAND_PUT_ROOM, "ann", "tea");
    put.actor.name = span_text("Ann");
    assert_err(play_do(play, &put).err, ERR_OK);
    struct journal_open open = play_open_spec(play_all("ann"));
    open.actor.name = span_text("Ann");
    play_open(play, &open);
    assert_false(open.profile_changed);
    journal_open_fini(&open);
    open = play_open_spec(play_all("ann"));
    open.actor.name = span_text("Anna");
    play_open(play, &open);
    assert_true(open.profile_changed);
    journal_open_fini(&open);
    struct command profile = play_command(COMMAND_PROFILE, "ann", NULL);
    profile.actor.name = span_text("Anna");
    profile.actor.data = span_text("{\"x\":1}");
    assert_err(play_do(play, &profile).err, ERR_OK);
    struct journal_read read = {
        .what = READ_MEMBERS,
        .realm = span_text("main"),
        .room = span_text("tea"),
        .actor.user = span_text("ann"),
        .limit = 1,
    };
    play_read(play, &read);
    assert_int_equal(read.member_count, 1);
    assert_true(span_is(read.members[0].name, "Anna"));
    assert_true(span_is(read.members[0].data, "{\"x\":1}"));
    assert_int_equal(read.members[0].role, ROLE_OWNER);
    assert_true(read.members[0].joined_at_ms > 0);
    journal_read_fini(&read);
    play_free(play);
}

static void rooms_of_a_user_come_with_their_last_message(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "c", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "ann", "a", ROOM_PRIVATE), ERR_OK);
    assert_err(play_put_room(play, "ann", "b", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "eve", "d", ROOM_PUBLIC), ERR_OK);
    play_say(play, "ann", "b", "m1");
    struct outcome last = play_post(play, "ann", "b", "m2", "hi");
    struct command move = play_custom("ann", "b", NULL, "x");
    assert_err(play_do(play, &move).err, ERR_OK);
    assert_string_equal(play_rooms_of(play, "ann", NULL, 10), "a,b,c");
    assert_string_equal(play_rooms_of(play, "ann", NULL, 2), "a,b+");
    assert_string_equal(play_rooms_of(play, "ann", "b", 2), "c");
    assert_string_equal(play_rooms_of(play, "nobody", NULL, 2), "");
    struct journal_read read = {
        .what = READ_ROOMS_OF_USER,
        .realm = span_text("main"),
        .actor.user = span_text("ann"),
        .limit = 10,
    };
    play_read(play, &read);
    assert_int_equal(read.room_count, 3);
    assert_null(read.rooms[0].last_message.data);
    assert_non_null(read.rooms[1].last_message.data);
    assert_non_null(memmem(read.rooms[1].last_message.data, read.rooms[1].last_message.len,
                           "\"messageId\":\"m2\"", 16));
    assert_int_equal(read.rooms[1].last_message_ms, last.timestamp_ms);
    assert_int_equal(read.rooms[2].role, ROLE_OWNER);
    journal_read_fini(&read);
    play_free(play);
}

static void an_open_finds_the_rooms_followed(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "den", ROOM_PRIVATE), ERR_OK);
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "bob", "own", ROOM_PRIVATE), ERR_OK);
    struct follow_room rooms[] = {
        {.room = span_text("tea")},
        {.room = span_text("den")},
        {.room = span_text("own")},
        {.room = span_text("none")},
    };
    struct follow_spec follow = play_rooms("bob", rooms, 4);
    follow.all = true;
    struct journal_open open = play_open_spec(follow);
    play_open(play, &open);
    assert_int_equal(open.room_count, 2);
    assert_true(span_is(open.rooms[0].room, "own"));
    assert_true(open.rooms[0].member && open.rooms[0].named && !open.rooms[0].readable);
    assert_int_equal(open.rooms[0].member_count, 1);
    assert_true(span_is(open.rooms[1].room, "tea"));
    assert_true(!open.rooms[1].member && open.rooms[1].named && open.rooms[1].readable);
    assert_int_equal(open.denied_count, 2);
    assert_true(span_is(open.denied[0].room, "den"));
    assert_err(open.denied[0].err, ERR_NOT_FOUND);
    assert_true(span_is(open.denied[1].room, "none"));
    journal_open_fini(&open);
    rooms[1].grants = GRANT_READ;
    play_open(play, &open);
    assert_int_equal(open.room_count, 3);
    assert_int_equal(open.denied_count, 1);
    journal_open_fini(&open);
    play_free(play);
}

static struct outcome acknowledge(struct play *play, const char *device, struct event_id cursor)
{
    struct command ack = play_command(COMMAND_ACK, "ann", NULL);
    ack.device = span_text(device);
    ack.cursor = cursor;
    return play_do(play, &ack);
}

/* Opens with the device and no cursor; checks where that starts. */
static void assert_device_at(struct play *play, const char *device, enum open_verdict verdict,
                             struct event_id start)
{
    struct journal_open open = play_open_spec(play_all("ann"));
    open.device = span_text(device);
    play_open(play, &open);
    assert_int_equal(open.verdict, verdict);
    assert_id_equal(open.start, start);
    journal_open_fini(&open);
}

static void a_device_resumes_from_what_it_acknowledged(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct event_id first = play_say(play, "ann", "tea", "m1");
    assert_device_at(play, "phone", OPEN_FRESH, first);
    struct event_id second = play_say(play, "ann", "tea", "m2");
    struct event_id third = play_say(play, "ann", "tea", "m3");
    assert_device_at(play, "phone", OPEN_RESUMED, first);
    assert_err(acknowledge(play, "phone", second).err, ERR_OK);
    assert_err(acknowledge(play, "phone", first).err, ERR_OK);
    assert_err(acknowledge(play, "phone", event_id_next(third)).err, ERR_CURSOR_AHEAD);
    assert_err(acknowledge(play, NULL, third).err, ERR_OK);
    if (play_outlives_closing())
        play_reopen(play);
    assert_device_at(play, "phone", OPEN_RESUMED, second);
    play_free(play);
}

static void the_device_longest_unused_goes(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct event_id first = play_say(play, "ann", "tea", "m1");
    for (int i = 0; i <= DEVICES_OF_USER_MAX; i++) {
        char device[16];
        snprintf(device, sizeof(device), "d%d", i);
        assert_err(acknowledge(play, device, first).err, ERR_OK);
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
    }
    struct event_id second = play_say(play, "ann", "tea", "m2");
    assert_device_at(play, "d1", OPEN_RESUMED, first);
    assert_device_at(play, "d20", OPEN_RESUMED, first);
    assert_device_at(play, "d0", OPEN_FRESH, second);
    play_free(play);
}

int run_state_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_room_is_read_as_it_is),
        cmocka_unit_test(members_are_listed_in_order_of_their_names),
        cmocka_unit_test(names_are_those_last_seen),
        cmocka_unit_test(rooms_of_a_user_come_with_their_last_message),
        cmocka_unit_test(an_open_finds_the_rooms_followed),
        cmocka_unit_test(a_device_resumes_from_what_it_acknowledged),
        cmocka_unit_test(the_device_longest_unused_goes),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
