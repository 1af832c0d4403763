/* What is kept of presence: choices, when somebody was seen last, subscriptions, acquaintance. */
#include "play.h"

/* What is kept of ann, read anew. */
static struct journal_read kept_of(struct play *play, const char *user)
{
    struct journal_read read = {
        .what = READ_PRESENCE, .realm = span_text("main"), .actor.user = span_text(user)};
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    return read;
}

static void assert_kept(struct play *play, const char *user, enum presence_status choice,
                        const char *activity, int64_t seen_ms)
{
    struct journal_read read = kept_of(play, user);
    assert_int_equal(read.presence.choice, choice);
    assert_int_equal(!read.presence.activity.data, !activity);
    assert_true(span_equal(read.presence.activity, span_text(activity)));
    assert_int_equal(read.presence.seen_ms, seen_ms);
    journal_read_fini(&read);
}

static void choose(struct play *play, enum presence_status choice, const char *activity)
{
    struct command command = play_command(COMMAND_CHOOSE_PRESENCE, "ann", NULL);
    command.presence = choice;
    command.activity = span_text(activity);
    assert_err(play_do(play, &command).err, ERR_OK);
}

static void note_seen(struct play *play, int64_t seen_ms)
{
    struct command command = play_command(COMMAND_NOTE_SEEN, "ann", NULL);
    command.actor.service = true;
    command.seen_ms = seen_ms;
    assert_err(play_do(play, &command).err, ERR_OK);
}

static void a_choice_is_kept_until_it_is_cleared(void **state)
{
    struct play *play = play_new();
    assert_kept(play, "ann", PRESENCE_NONE, NULL, 0);
    choose(play, PRESENCE_BUSY, "writing");
    assert_kept(play, "ann", PRESENCE_BUSY, "writing", 0);
    note_seen(play, 1000);
    note_seen(play, 900);
    assert_kept(play, "ann", PRESENCE_BUSY, "writing", 1000);
    choose(play, PRESENCE_OFFLINE, NULL);
    if (play_outlives_closing())
        play_reopen(play);
    assert_kept(play, "ann", PRESENCE_OFFLINE, NULL, 1000);
    choose(play, PRESENCE_NONE, NULL);
    assert_kept(play, "ann", PRESENCE_NONE, NULL, 1000);
    assert_kept(play, "bob", PRESENCE_NONE, NULL, 0);
    assert_int_equal(play->followed_count, 0);
    play_free(play);
}

/* Noting it for somebody takes nothing away from what they are called. */
static void a_name_outlives_being_seen(void **state)
{
    struct play *play = play_new();
    struct command profile = play_command(COMMAND_PROFILE, "ann", NULL);
    profile.actor.name = span_text("Ann");
    assert_err(play_do(play, &profile).err, ERR_OK);
    note_seen(play, 1000);
    struct journal_open open = play_open_spec(play_all("ann"));
    open.actor.name = span_text("Ann");
    play_open(play, &open);
    assert_false(open.profile_changed);
    journal_open_fini(&open);
    play_free(play);
}

static void the_rooms_come_with_it_if_wanted(void **state)
{
    struct play *play = play_new();
    char room[16];
    for (int i = 0; i < 600; i++) {
        snprintf(room, sizeof(room), "r%03d", i);
        assert_err(play_put_room(play, "ann", room, ROOM_PUBLIC), ERR_OK);
    }
    assert_err(play_join(play, "bob", "r300"), ERR_OK);
    struct journal_read read = kept_of(play, "ann");
    assert_int_equal(read.presence.room_count, 600);
    for (int i = 0; i < 600; i++) {
        snprintf(room, sizeof(room), "r%03d", i);
        assert_true(span_is(read.presence.rooms[i].room, room));
        assert_int_equal(read.presence.rooms[i].members, i == 300 ? 2 : 1);
    }
    assert_id_equal(read.head, play_head(play));
    journal_read_fini(&read);
    choose(play, PRESENCE_BUSY, "writing");
    read = (struct journal_read){
        .what = READ_CHOICES, .realm = span_text("main"), .actor.user = span_text("ann")};
    play_read(play, &read);
    assert_int_equal(read.presence.room_count, 0);
    assert_int_equal(read.presence.choice, PRESENCE_BUSY);
    journal_read_fini(&read);
    play_free(play);
}

static struct command subscribe(const char *user, const char *target)
{
    struct command command = play_command(COMMAND_SUBSCRIBE_PRESENCE, user, NULL);
    command.target = span_text(target);
    return command;
}

/* How many; `target` is among them unless there are none. */
static int subscriptions_of(struct play *play, const char *user, const char *target)
{
    struct journal_read read = kept_of(play, user);
    int count = read.presence.subscription_count;
    bool found = false;
    for (int i = 0; i < count; i++)
        found |= span_is(read.presence.subscriptions[i], target);
    journal_read_fini(&read);
    assert_int_equal(found, count > 0);
    return count;
}

static void one_subscribes_to_whom_one_may_know(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "eve", "other", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    struct command command = subscribe("bob", "eve");
    assert_err(play_do(play, &command).err, ERR_NOT_ALLOWED);
    command = subscribe("bob", "nobody");
    assert_err(play_do(play, &command).err, ERR_NOT_ALLOWED);
    assert_int_equal(subscriptions_of(play, "bob", "ann"), 0);
    command = subscribe("bob", "ann");
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_int_equal(subscriptions_of(play, "bob", "ann"), 1);
    command = subscribe("bob", "nobody");
    command.all_visible = true;
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_int_equal(subscriptions_of(play, "bob", "nobody"), 2);
    /* It holds until it is removed, also without a room in common. */
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    if (play_outlives_closing())
        play_reopen(play);
    assert_int_equal(subscriptions_of(play, "bob", "ann"), 2);
    command.kind = COMMAND_UNSUBSCRIBE_PRESENCE;
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_int_equal(subscriptions_of(play, "bob", "ann"), 1);
    play_free(play);
}

/* `count` rooms, room-1 and so on, whose owners are the users in turn. */
static void make_rooms(struct play *play, int *made, const char *const *users, int user_count,
                       int count)
{
    enum { AT_ONCE = 200 };
    static char names[AT_ONCE][20];
    struct command commands[AT_ONCE];
    while (count > 0) {
        int some = count < AT_ONCE ? count : AT_ONCE;
        for (int i = 0; i < some; i++) {
            snprintf(names[i], sizeof(names[i]), "room-%d", ++*made);
            commands[i] = play_command(COMMAND_PUT_ROOM, users[*made % user_count], names[i]);
            commands[i].create_allowed = true;
        }
        struct journal_append append = {.commands = commands, .count = some};
        play_append(play, &append);
        assert_int_equal(append.done, some);
        assert_err(commands[some - 1].outcome.err, ERR_OK);
        journal_append_fini(&append);
        count -= some;
    }
}

static bool knows(struct play *play, const char *user, const char *target)
{
    struct command command = subscribe(user, target);
    int err = play_do(play, &command).err;
    assert_true(err == ERR_OK || err == ERR_NOT_ALLOWED);
    return err == ERR_OK;
}

/* Rooms of both in turn, of one after the other's, and many against one. */
static void a_room_in_common_is_found_among_many(void **state)
{
    struct play *play = play_new();
    static const char *const both[] = {"ann", "bob"}, *const ann[] = {"ann"},
                             *const cid[] = {"cid"};
    int made = 0;
    assert_err(play_put_room(play, "ann", "first", ROOM_PUBLIC), ERR_OK);
    make_rooms(play, &made, both, 2, 200);
    make_rooms(play, &made, ann, 1, 200);
    make_rooms(play, &made, cid, 1, 30);
    make_rooms(play, &made, both, 2, 21);
    assert_err(play_put_room(play, "bob", "last", ROOM_PUBLIC), ERR_OK);
    assert_false(knows(play, "ann", "bob"));
    assert_false(knows(play, "bob", "ann"));
    assert_false(knows(play, "cid", "ann"));
    assert_false(knows(play, "ann", "cid"));
    assert_false(knows(play, "eve", "ann"));
    assert_err(play_join(play, "bob", "first"), ERR_OK);
    assert_true(knows(play, "ann", "bob"));
    assert_true(knows(play, "bob", "ann"));
    assert_err(play_leave(play, "bob", "first"), ERR_OK);
    assert_false(knows(play, "ann", "bob"));
    assert_err(play_join(play, "ann", "last"), ERR_OK);
    assert_true(knows(play, "bob", "ann"));
    assert_err(play_join(play, "eve", "room-150"), ERR_OK);
    assert_true(knows(play, "eve", "ann"));
    assert_false(knows(play, "eve", "bob"));
    assert_err(play_join(play, "cid", "last"), ERR_OK);
    assert_true(knows(play, "cid", "bob") && knows(play, "cid", "ann"));
    play_free(play);
}

static void subscriptions_have_a_limit(void **state)
{
    struct play *play = play_new();
    char name[16];
    struct command command = subscribe("bob", name);
    command.all_visible = true;
    for (int i = 0; i < SUBSCRIPTIONS_OF_USER_MAX; i++) {
        snprintf(name, sizeof(name), "u%03d", i);
        command.target = span_text(name);
        assert_err(play_do(play, &command).err, ERR_OK);
    }
    assert_err(play_do(play, &command).err, ERR_OK);
    command.target = span_text("more");
    assert_err(play_do(play, &command).err, ERR_FULL);
    command.kind = COMMAND_UNSUBSCRIBE_PRESENCE;
    command.target = span_text("u007");
    assert_err(play_do(play, &command).err, ERR_OK);
    command = subscribe("bob", "more");
    command.all_visible = true;
    assert_err(play_do(play, &command).err, ERR_OK);
    play_free(play);
}

/* "name:seen …" of those asked about that may be known. */
static const char *people(struct play *play, const char *user, bool service)
{
    static char text[256];
    const struct span asked[] = {span_text("eve"), span_text("ann"), span_text("nobody"),
                                 span_text("bob")};
    struct journal_read read = {
        .what = READ_PEOPLE,
        .realm = span_text("main"),
        .actor = {.user = span_text(user), .service = service},
        .users = asked,
        .user_count = 4,
    };
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    size_t len = 0;
    text[0] = 0;
    for (int i = 0; i < read.person_count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s:%d ",
                                SPAN_ARGS(read.people[i].user), (int)read.people[i].seen_ms);
    journal_read_fini(&read);
    return text;
}

static void others_are_left_out_of_what_is_asked(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "eve", "other", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    note_seen(play, 77);
    assert_string_equal(people(play, "bob", false), "ann:77 bob:0 ");
    assert_string_equal(people(play, "eve", false), "eve:0 ");
    assert_string_equal(people(play, "stranger", false), "");
    assert_string_equal(people(play, "backend", true), "eve:0 ann:77 bob:0 ");
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    assert_string_equal(people(play, "bob", false), "bob:0 ");
    play->settings.presence_visible = PRESENCE_VISIBLE_REALM;
    assert_string_equal(people(play, "stranger", false), "eve:0 ann:77 bob:0 ");
    play_free(play);
}

int run_presence_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_choice_is_kept_until_it_is_cleared),
        cmocka_unit_test(a_name_outlives_being_seen),
        cmocka_unit_test(the_rooms_come_with_it_if_wanted),
        cmocka_unit_test(one_subscribes_to_whom_one_may_know),
        cmocka_unit_test(a_room_in_common_is_found_among_many),
        cmocka_unit_test(subscriptions_have_a_limit),
        cmocka_unit_test(others_are_left_out_of_what_is_asked),
    };
    return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
