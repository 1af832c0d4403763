/* Who may do what, decided in the append: a table of users by commands, and what needs more
 * than one step. In each room ann is owner, mod moderator, bob member; eve is in none. */
#include "play.h"

static const char *const users[] = {"ann", "mod", "bob", "eve"};

enum right_case {
    CASE_POST,
    CASE_CUSTOM,
    CASE_CHANGE_ROOM,
    CASE_DELETE_ROOM,
    CASE_JOIN,
    CASE_ADD_MEMBERS,
    CASE_PUT_MEMBER,
    CASE_READ_MEMBERS,
    CASE_COUNT
};

struct right_row {
    enum right_case what;
    enum room_kind kind;
    bool announce;
    int errs[4]; /* of users */
};

static const struct right_row rows[] = {
    {CASE_POST, ROOM_PUBLIC, false, {0, 0, 0, ERR_NOT_A_MEMBER}},
    {CASE_POST, ROOM_PRIVATE, false, {0, 0, 0, ERR_NOT_FOUND}},
    {CASE_POST, ROOM_PUBLIC, true, {0, 0, ERR_NOT_ALLOWED, ERR_NOT_A_MEMBER}},
    {CASE_CUSTOM, ROOM_PRIVATE, true, {0, 0, ERR_NOT_ALLOWED, ERR_NOT_FOUND}},
    {CASE_CUSTOM, ROOM_PUBLIC, false, {0, 0, 0, ERR_NOT_A_MEMBER}},
    {CASE_CHANGE_ROOM, ROOM_PUBLIC, false, {0, 0, ERR_NOT_ALLOWED, ERR_NOT_ALLOWED}},
    {CASE_CHANGE_ROOM, ROOM_PRIVATE, false, {0, 0, ERR_NOT_ALLOWED, ERR_NOT_ALLOWED}},
    {CASE_DELETE_ROOM, ROOM_PUBLIC, false, {0, ERR_NOT_ALLOWED, ERR_NOT_ALLOWED, ERR_NOT_ALLOWED}},
    {CASE_DELETE_ROOM, ROOM_PRIVATE, false, {0, ERR_NOT_ALLOWED, ERR_NOT_ALLOWED, ERR_NOT_FOUND}},
    {CASE_JOIN, ROOM_PUBLIC, false, {0, 0, 0, 0}},
    {CASE_JOIN, ROOM_PRIVATE, false, {0, 0, 0, ERR_NOT_FOUND}},
    {CASE_ADD_MEMBERS, ROOM_PUBLIC, false, {0, ERR_NOT_ALLOWED, ERR_NOT_ALLOWED, ERR_NOT_ALLOWED}},
    {CASE_ADD_MEMBERS, ROOM_PRIVATE, false, {0, ERR_NOT_ALLOWED, ERR_NOT_ALLOWED, ERR_NOT_FOUND}},
    {CASE_PUT_MEMBER, ROOM_PRIVATE, false, {0, 0, ERR_NOT_ALLOWED, ERR_NOT_FOUND}},
    {CASE_READ_MEMBERS, ROOM_PUBLIC, false, {0, 0, 0, 0}},
    {CASE_READ_MEMBERS, ROOM_PRIVATE, false, {0, 0, 0, ERR_NOT_FOUND}},
};

static void make_room(struct play *play, const char *room, enum room_kind kind, bool announce)
{
    struct command command = play_command(COMMAND_PUT_ROOM, "ann", room);
    command.change.has_kind = command.change.has_announce = true;
    command.change.kind = kind;
    command.change.announce = announce;
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_err(play_add(play, "ann", room, "bob"), ERR_OK);
    assert_err(play_set_role(play, "ann", room, "mod", ROLE_MODERATOR), ERR_OK);
}

static int attempt(struct play *play, enum right_case what, const char *user, const char *room)
{
    struct command command;
    switch (what) {
    case CASE_POST:
        return play_post(play, user, room, user, user).err;
    case CASE_CUSTOM:
        command = play_custom(user, room, NULL, "x");
        return play_do(play, &command).err;
    case CASE_CHANGE_ROOM:
        command = play_command(COMMAND_PUT_ROOM, user, room);
        command.change.has_topic = true;
        command.change.topic = span_text(user);
        return play_do(play, &command).err;
    case CASE_DELETE_ROOM:
        return play_delete_room(play, user, room);
    case CASE_JOIN:
        return play_join(play, user, room);
    case CASE_ADD_MEMBERS:
        return play_add(play, user, room, "new");
    case CASE_PUT_MEMBER:
        return play_set_role(play, user, room, "new", ROLE_MEMBER);
    case CASE_READ_MEMBERS:
        return strcmp(play_members(play, user, room, NULL, 10), "NOT_FOUND") ? 0 : ERR_NOT_FOUND;
    case CASE_COUNT:
        break;
    }
    return ERR_INTERNAL;
}

static void each_may_do_what_the_table_says(void **state)
{
    struct play *play = play_new();
    for (size_t row = 0; row < array_count(rows); row++) {
        for (size_t user = array_count(users); user-- > 0;) {
            char room[32];
            snprintf(room, sizeof(room), "r%zu-%zu", row, user);
            make_room(play, room, rows[row].kind, rows[row].announce);
            int err = attempt(play, rows[row].what, users[user], room);
            if (err != rows[row].errs[user])
                fail_msg("row %zu, %s: %s instead of %s", row, users[user], err_name(err),
                         err_name(rows[row].errs[user]));
        }
    }
    play_free(play);
}

static void what_is_missing_is_not_found(void **state)
{
    struct play *play = play_new();
    for (enum right_case what = 0; what < CASE_COUNT; what++) {
        int err = attempt(play, what, "ann", "nowhere");
        assert_err(err, what == CASE_CHANGE_ROOM ? ERR_OK : ERR_NOT_FOUND);
        if (what == CASE_CHANGE_ROOM)
            assert_err(play_delete_room(play, "ann", "nowhere"), ERR_OK);
    }
    play_free(play);
}

static void members_are_ranked(void **state)
{
    struct play *play = play_new();
    make_room(play, "tea", ROOM_PRIVATE, false);
    assert_err(play_set_role(play, "mod", "tea", "mod2", ROLE_MODERATOR), ERR_OK);
    assert_err(play_set_role(play, "mod", "tea", "bob", ROLE_OWNER), ERR_NOT_ALLOWED);
    assert_err(play_remove(play, "mod", "tea", "mod2"), ERR_NOT_ALLOWED);
    assert_err(play_remove(play, "mod", "tea", "ann"), ERR_NOT_ALLOWED);
    assert_err(play_remove(play, "bob", "tea", "mod"), ERR_NOT_ALLOWED);
    assert_err(play_set_role(play, "bob", "tea", "bob", ROLE_OWNER), ERR_NOT_ALLOWED);
    assert_err(play_remove(play, "mod", "tea", "bob"), ERR_OK);
    assert_err(play_remove(play, "mod", "tea", "bob"), ERR_OK);
    assert_err(play_set_role(play, "ann", "tea", "mod", ROLE_OWNER), ERR_OK);
    assert_err(play_set_role(play, "mod", "tea", "ann", ROLE_MEMBER), ERR_OK);
    assert_err(play_remove(play, "mod", "tea", "ann"), ERR_OK);
    assert_string_equal(play_members(play, "mod", "tea", NULL, 10), "mod,mod2");
    play_free(play);
}

static void the_last_owner_stays_while_others_are_there(void **state)
{
    struct play *play = play_new();
    make_room(play, "tea", ROOM_PRIVATE, false);
    assert_err(play_leave(play, "ann", "tea"), ERR_LAST_OWNER);
    assert_err(play_remove(play, "ann", "tea", "ann"), ERR_LAST_OWNER);
    assert_err(play_set_role(play, "ann", "tea", "ann", ROLE_MEMBER), ERR_LAST_OWNER);
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    assert_err(play_leave(play, "mod", "tea"), ERR_OK);
    assert_err(play_leave(play, "ann", "tea"), ERR_OK);
    /* The empty room stays, and its name stays taken. */
    assert_err(play_put_room(play, "bob", "tea", ROOM_PUBLIC), ERR_NOT_ALLOWED);
    play_free(play);
}

static void leaving_again_is_no_error_in_public(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    int followed = play->followed_count;
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    assert_err(play_join(play, "ann", "tea"), ERR_OK);
    assert_int_equal(play->followed_count, followed);
    play_free(play);
}

static void grants_give_what_they_say(void **state)
{
    struct play *play = play_new();
    make_room(play, "den", ROOM_PRIVATE, false);
    struct command post = play_message("bot", "den", "m1", "hi");
    post.actor.grants = GRANT_READ;
    assert_err(play_do(play, &post).err, ERR_NOT_A_MEMBER);
    post.actor.grants = GRANT_POST;
    assert_err(play_do(play, &post).err, ERR_OK);
    struct command remove = play_command(COMMAND_REMOVE_MEMBER, "bot", "den");
    remove.target = span_text("bob");
    remove.actor.grants = GRANT_READ | GRANT_POST;
    assert_err(play_do(play, &remove).err, ERR_NOT_ALLOWED);
    remove.actor.grants = GRANT_MANAGE;
    assert_err(play_do(play, &remove).err, ERR_OK);
    remove.target = span_text("mod");
    assert_err(play_do(play, &remove).err, ERR_NOT_ALLOWED);
    struct command delete = play_command(COMMAND_DELETE_ROOM, "bot", "den");
    delete.actor.grants = GRANT_READ | GRANT_POST | GRANT_MANAGE;
    assert_err(play_do(play, &delete).err, ERR_NOT_ALLOWED);
    delete.actor.grants = 0;
    delete.actor.service = true;
    assert_err(play_do(play, &delete).err, ERR_OK);
    play_free(play);
}

static void slow_mode_holds_members_back(void **state)
{
    struct play *play = play_new();
    make_room(play, "tea", ROOM_PUBLIC, false);
    struct command slow = play_command(COMMAND_PUT_ROOM, "ann", "tea");
    slow.change.has_slow_mode = true;
    slow.change.slow_mode_s = 3600;
    assert_err(play_do(play, &slow).err, ERR_OK);
    play_say(play, "bob", "tea", "b1");
    struct outcome outcome = play_post(play, "bob", "tea", "b2", "again");
    assert_err(outcome.err, ERR_RATE_LIMITED);
    assert_true(outcome.retry_after_ms > 3500000 && outcome.retry_after_ms <= 3600000);
    assert_true(play_post(play, "bob", "tea", "b1", "b1").repeated);
    play_say(play, "mod", "tea", "c1");
    play_say(play, "mod", "tea", "c2");
    play_free(play);
}

static void a_room_is_changed_at_its_version(void **state)
{
    struct play *play = play_new();
    struct command put = play_command(COMMAND_PUT_ROOM, "ann", "tea");
    put.change.has_name = true;
    put.change.name = span_text("Tea");
    struct outcome outcome = play_do(play, &put);
    assert_true(outcome.created);
    assert_int_equal(outcome.room.version, 1);
    assert_int_equal(outcome.role, ROLE_OWNER);
    put.change.name = span_text("Green tea");
    put.change.if_version = 2;
    assert_err(play_do(play, &put).err, ERR_VERSION_MISMATCH);
    put.change.if_version = 1;
    outcome = play_do(play, &put);
    assert_err(outcome.err, ERR_OK);
    assert_false(outcome.created);
    assert_int_equal(outcome.room.version, 2);
    int followed = play->followed_count;
    put.change.if_version = 2;
    assert_int_equal(play_do(play, &put).room.version, 2);
    assert_int_equal(play->followed_count, followed);
    play_free(play);
}

static void rooms_are_made_by_those_who_may(void **state)
{
    struct play *play = play_new();
    struct command put = play_command(COMMAND_PUT_ROOM, "ann", "tea");
    put.create_allowed = false;
    assert_err(play_do(play, &put).err, ERR_NOT_ALLOWED);
    put.actor.service = true;
    assert_err(play_do(play, &put).err, ERR_OK);
    struct command join = play_command(COMMAND_JOIN, "bob", "coffee");
    assert_err(play_do(play, &join).err, ERR_NOT_FOUND);
    join.auto_create = true;
    struct outcome outcome = play_do(play, &join);
    assert_err(outcome.err, ERR_OK);
    assert_true(outcome.created);
    assert_int_equal(outcome.role, ROLE_OWNER);
    assert_int_equal(outcome.room.kind, ROOM_PUBLIC);
    assert_int_equal(outcome.room.member_count, 1);
    play_free(play);
}

static void ephemeral_sends_are_asked_by_a_read(void **state)
{
    struct play *play = play_new();
    make_room(play, "den", ROOM_PRIVATE, false);
    struct command command = play_message("bob", "den", "m1", "psst");
    struct journal_read read = {.what = READ_ACCESS, .command = &command};
    play_read(play, &read);
    assert_err(command.outcome.err, ERR_OK);
    journal_read_fini(&read);
    command = play_message("eve", "den", "m1", "psst");
    play_read(play, &read);
    assert_err(command.outcome.err, ERR_NOT_FOUND);
    journal_read_fini(&read);
    play_free(play);
}

int run_permission_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_may_do_what_the_table_says),
        cmocka_unit_test(what_is_missing_is_not_found),
        cmocka_unit_test(members_are_ranked),
        cmocka_unit_test(the_last_owner_stays_while_others_are_there),
        cmocka_unit_test(leaving_again_is_no_error_in_public),
        cmocka_unit_test(grants_give_what_they_say),
        cmocka_unit_test(slow_mode_holds_members_back),
        cmocka_unit_test(a_room_is_changed_at_its_version),
        cmocka_unit_test(rooms_are_made_by_those_who_may),
        cmocka_unit_test(ephemeral_sends_are_asked_by_a_read),
    };
    return cmocka_run_group_tests_name("permission", tests, NULL, NULL);
}
