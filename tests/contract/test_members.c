/* Mutings, what members want to be woken for, and who may change what of whom. In `tea` ann is
 * owner, mod moderator, bob and cid members. */
#include "play.h"

static struct play *play_tea(void)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_set_role(play, "ann", "tea", "mod", ROLE_MODERATOR), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_err(play_join(play, "cid", "tea"), ERR_OK);
    return play;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int mute(struct play *play, const char *user, const char *target, int64_t until_ms)
{
    struct command command = play_command(COMMAND_PUT_MEMBER, user, "tea");
    command.target = span_text(target);
    command.member.has_muted = true;
    command.member.muted_until_ms = until_ms;
    return play_do(play, &command).err;
}

static int set_notify(struct play *play, const char *user, const char *target, enum notify notify)
{
    struct command command = play_command(COMMAND_PUT_MEMBER, user, "tea");
    command.target = span_text(target);
    command.member.has_notify = true;
    command.member.notify = notify;
    return play_do(play, &command).err;
}

static int64_t muted_until(struct play *play, const char *user, const char *target)
{
    struct journal_read read = {.what = READ_MEMBERS,
                                .realm = span_text("main"),
                                .room = span_text("tea"),
                                .actor.user = span_text(user),
                                .limit = 100};
    int64_t found = -1;
    play_read(play, &read);
    for (int i = 0; i < read.member_count; i++) {
        if (span_is(read.members[i].user, target))
            found = read.members[i].muted_until_ms;
    }
    journal_read_fini(&read);
    return found;
}

static void the_muted_are_silent_until_their_time(void **state)
{
    struct play *play = play_tea();
    int64_t until_ms = now_ms() + 3600000;
    struct event_id before = play_head(play);
    assert_err(mute(play, "mod", "bob", until_ms), ERR_OK);
    assert_true(muted_until(play, "cid", "bob") == until_ms);
    assert_err(play_post(play, "bob", "tea", "m1", "hm").err, ERR_MUTED);
    struct command custom = play_custom("bob", "tea", NULL, "x");
    assert_err(play_do(play, &custom).err, ERR_MUTED);
    assert_err(mute(play, "mod", "bob", until_ms), ERR_OK); /* tells nothing new */
    assert_err(mute(play, "mod", "bob", 0), ERR_OK);
    assert_string_equal(play_seen(play, play_all("cid"), before, 10),
                        "member_updated:bob member_updated:bob");
    play_say(play, "bob", "tea", "m1");
    assert_err(mute(play, "mod", "bob", now_ms() - 1000), ERR_OK);
    assert_true(muted_until(play, "bob", "bob") == 0);
    assert_err(mute(play, "mod", "bob", now_ms() + 150), ERR_OK);
    int err;
    int posts = 0;
    char name[16];
    do {
        snprintf(name, sizeof(name), "p%d", posts++);
        err = play_post(play, "bob", "tea", name, "now?").err;
    } while (err == ERR_MUTED);
    assert_err(err, ERR_OK);
    assert_true(posts > 1);
    play_free(play);
}

static void a_repeat_is_answered_though_muted_meanwhile(void **state)
{
    struct play *play = play_tea();
    struct event_id id = play_say(play, "bob", "tea", "m1");
    assert_err(mute(play, "mod", "bob", now_ms() + 3600000), ERR_OK);
    struct outcome again = play_post(play, "bob", "tea", "m1", "m1");
    assert_err(again.err, ERR_OK);
    assert_true(again.repeated);
    assert_id_equal(again.id, id);
    play_free(play);
}

static void those_below_are_muted(void **state)
{
    struct play *play = play_tea();
    int64_t until_ms = now_ms() + 3600000;
    assert_err(mute(play, "bob", "cid", until_ms), ERR_NOT_ALLOWED);
    assert_err(mute(play, "bob", "bob", until_ms), ERR_NOT_ALLOWED);
    assert_err(mute(play, "mod", "mod", until_ms), ERR_NOT_ALLOWED);
    assert_err(mute(play, "mod", "ann", until_ms), ERR_NOT_ALLOWED);
    assert_err(mute(play, "ann", "mod", until_ms), ERR_OK);
    assert_err(mute(play, "mod", "mod", 0), ERR_NOT_ALLOWED);
    assert_err(mute(play, "eve", "bob", until_ms), ERR_NOT_ALLOWED);
    assert_err(mute(play, "mod", "new", until_ms), ERR_OK);
    assert_true(muted_until(play, "ann", "new") == until_ms);
    assert_err(play_set_role(play, "ann", "tea", "bob", ROLE_MODERATOR), ERR_OK);
    assert_true(muted_until(play, "ann", "mod") == until_ms);
    play_free(play);
}

/* The notify of each member of `tea` as `user` is told it, "-" where it is not. */
static const char *notifies(struct play *play, const char *user)
{
    static char list[200];
    struct journal_read read = {.what = READ_MEMBERS,
                                .realm = span_text("main"),
                                .room = span_text("tea"),
                                .actor.user = span_text(user),
                                .limit = 100};
    play_read(play, &read);
    list[0] = 0;
    for (int i = 0; i < read.member_count; i++) {
        const struct read_member *member = &read.members[i];
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%.*s:%s", i ? " " : "",
                 (int)member->user.len, member->user.data,
                 member->is_asker ? notify_name(member->notify) : "-");
    }
    journal_read_fini(&read);
    return list;
}

static void notify_is_the_members_own(void **state)
{
    struct play *play = play_tea();
    assert_err(set_notify(play, "ann", "bob", NOTIFY_NONE), ERR_NOT_ALLOWED);
    assert_err(set_notify(play, "eve", "eve", NOTIFY_NONE), ERR_NOT_ALLOWED);
    struct event_id before = play_head(play);
    assert_err(set_notify(play, "bob", "bob", NOTIFY_MENTIONS), ERR_OK);
    assert_string_equal(play_seen(play, play_all("ann"), before, 10), "");
    assert_string_equal(play_seen(play, play_all("bob"), before, 10), "member_updated:bob");
    assert_string_equal(notifies(play, "bob"), "ann:- bob:mentions cid:- mod:-");
    assert_string_equal(notifies(play, "ann"), "ann:all bob:- cid:- mod:-");
    assert_err(play_set_role(play, "ann", "tea", "bob", ROLE_MODERATOR), ERR_OK);
    assert_string_equal(notifies(play, "bob"), "ann:- bob:mentions cid:- mod:-");
    if (play_outlives_closing()) {
        play_reopen(play);
        assert_string_equal(notifies(play, "bob"), "ann:- bob:mentions cid:- mod:-");
    }
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_string_equal(notifies(play, "bob"), "ann:- bob:all cid:- mod:-");
    play_free(play);
}

static void what_is_told_to_the_member_alone_is_told_where_its_room_is_followed(void **state)
{
    struct play *play = play_tea();
    assert_err(play_put_room(play, "ann", "den", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "den"), ERR_OK);
    struct event_id before = play_head(play);
    assert_err(set_notify(play, "bob", "bob", NOTIFY_NONE), ERR_OK);
    struct follow_room tea = {.room = span_text("tea")}, den = {.room = span_text("den")};
    assert_string_equal(play_seen(play, play_rooms("bob", &tea, 1), before, 10),
                        "member_updated:bob");
    assert_string_equal(play_seen(play, play_rooms("bob", &den, 1), before, 10), "");
    play_free(play);
}

#define HALL 700

static int fill_hall(struct play *play)
{
    static char names[HALL][8];
    static struct span users[HALL];
    struct command command = play_command(COMMAND_ADD_MEMBERS, "ann", "hall");
    for (int i = 0; i < HALL; i++) {
        snprintf(names[i], sizeof(names[i]), "u%d", i);
        users[i] = span_text(names[i]);
    }
    command.users = users;
    command.user_count = HALL;
    return play_do(play, &command).err;
}

static void a_room_with_many_members_is_deleted_for_all(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "hall", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "u7", "den", ROOM_PUBLIC), ERR_OK);
    assert_err(fill_hall(play), ERR_OK);
    assert_string_equal(play_rooms_of(play, "u7", NULL, 10), "den,hall");
    struct event_id before = play_head(play);
    assert_err(play_delete_room(play, "ann", "hall"), ERR_OK);
    assert_string_equal(play_rooms_of(play, "u7", NULL, 10), "den");
    assert_string_equal(play_seen(play, play_all("u7"), before, 10), "room_deleted:hall");
    assert_err(play_put_room(play, "u8", "hall", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "u7", "hall"), ERR_OK);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(play_rooms_of(play, "u7", NULL, 10), "den,hall");
        assert_string_equal(play_rooms_of(play, "u9", NULL, 10), "");
        assert_string_equal(play_members(play, "u7", "hall", NULL, 10), "u7,u8");
        assert_string_equal(play_seen(play, play_all("u9"), before, 10), "room_deleted:hall");
        play_wait_swept(play);
    }
    play_free(play);
}

int run_member_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_muted_are_silent_until_their_time),
        cmocka_unit_test(a_repeat_is_answered_though_muted_meanwhile),
        cmocka_unit_test(those_below_are_muted),
        cmocka_unit_test(notify_is_the_members_own),
        cmocka_unit_test(what_is_told_to_the_member_alone_is_told_where_its_room_is_followed),
        cmocka_unit_test(a_room_with_many_members_is_deleted_for_all),
    };
    return cmocka_run_group_tests_name("members", tests, NULL, NULL);
}
