/* Bans: who is put out, what they may not do, and what their readers are still shown. In `tea`,
 * public, and `den`, private, ann is owner, mod moderator, bob member. */
#include "play.h"

static int ban_user(struct play *play, const char *user, const char *room, const char *target)
{
    struct command command = play_command(COMMAND_BAN, user, room);
    command.target = span_text(target);
    return play_do(play, &command).err;
}

static int lift_ban(struct play *play, const char *user, const char *room, const char *target)
{
    struct command command = play_command(COMMAND_LIFT_BAN, user, room);
    command.target = span_text(target);
    return play_do(play, &command).err;
}

static void make_room(struct play *play, const char *room, enum room_kind kind)
{
    assert_err(play_put_room(play, "ann", room, kind), ERR_OK);
    assert_err(play_set_role(play, "ann", room, "mod", ROLE_MODERATOR), ERR_OK);
    assert_err(play_add(play, "ann", room, "bob"), ERR_OK);
}

static struct play *play_rooms_of_four(void)
{
    struct play *play = play_new();
    make_room(play, "tea", ROOM_PUBLIC);
    make_room(play, "den", ROOM_PRIVATE);
    return play;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "user:reason …" of the bans of tea. */
static const char *bans_of(struct play *play, const char *user, const char *from, int limit)
{
    static char list[4000];
    struct journal_read read = {.what = READ_BANS,
                                .realm = span_text("main"),
                                .room = span_text("tea"),
                                .actor.user = span_text(user),
                                .from = from ? span_text(from) : span_of(NULL, 0),
                                .limit = limit};
    play_read(play, &read);
    list[0] = 0;
    if (read.request.err)
        return err_name(read.request.err);
    for (int i = 0; i < read.ban_count; i++) {
        const struct read_ban *ban = &read.bans[i];
        sprintf(list + strlen(list), "%s%.*s:%.*s:%.*s", i ? " " : "", SPAN_ARGS(ban->user),
                SPAN_ARGS(ban->by), SPAN_ARGS(ban->reason));
    }
    if (read.next.data)
        strcat(list, "+");
    journal_read_fini(&read);
    return list;
}

static void the_banned_may_nothing_until_it_is_lifted(void **state)
{
    struct play *play = play_rooms_of_four();
    assert_err(ban_user(play, "mod", "tea", "bob"), ERR_OK);
    assert_string_equal(play_members(play, "ann", "tea", NULL, 10), "ann,mod");
    assert_err(play_post(play, "bob", "tea", "m1", "hm").err, ERR_BANNED);
    assert_err(play_join(play, "bob", "tea"), ERR_BANNED);
    assert_err(play_leave(play, "bob", "tea"), ERR_BANNED);
    assert_string_equal(play_members(play, "bob", "tea", NULL, 10), "BANNED");
    struct journal_history history = play_history_spec("bob", "tea", 10);
    play_history(play, &history);
    assert_err(history.request.err, ERR_BANNED);
    journal_history_fini(&history);
    assert_err(play_add(play, "ann", "tea", "bob"), ERR_BANNED);
    assert_err(play_set_role(play, "ann", "tea", "bob", ROLE_MEMBER), ERR_BANNED);
    assert_err(lift_ban(play, "bob", "tea", "bob"), ERR_BANNED);
    if (play_outlives_closing())
        play_reopen(play);
    assert_err(play_join(play, "bob", "tea"), ERR_BANNED);
    assert_err(lift_ban(play, "mod", "tea", "bob"), ERR_OK);
    assert_err(lift_ban(play, "mod", "tea", "bob"), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    play_say(play, "bob", "tea", "m1");
    play_free(play);
}

static void of_a_private_room_the_banned_know_nothing(void **state)
{
    struct play *play = play_rooms_of_four();
    assert_err(ban_user(play, "mod", "den", "bob"), ERR_OK);
    assert_err(play_post(play, "bob", "den", "m1", "hm").err, ERR_NOT_FOUND);
    struct command granted = play_message("bob", "den", "m1", "hm");
    granted.actor.grants = GRANT_READ | GRANT_POST;
    assert_err(play_do(play, &granted).err, ERR_BANNED);
    granted.actor.service = true;
    assert_err(play_do(play, &granted).err, ERR_OK);
    play_free(play);
}

static void those_below_are_banned(void **state)
{
    struct play *play = play_rooms_of_four();
    assert_err(ban_user(play, "bob", "tea", "eve"), ERR_NOT_ALLOWED);
    assert_err(ban_user(play, "eve", "tea", "bob"), ERR_NOT_ALLOWED);
    assert_err(ban_user(play, "eve", "den", "bob"), ERR_NOT_FOUND);
    assert_err(ban_user(play, "mod", "tea", "ann"), ERR_NOT_ALLOWED);
    assert_err(ban_user(play, "mod", "tea", "mod"), ERR_NOT_ALLOWED);
    assert_err(ban_user(play, "ann", "tea", "ann"), ERR_NOT_ALLOWED);
    assert_err(play_set_role(play, "ann", "tea", "second", ROLE_OWNER), ERR_OK);
    assert_err(ban_user(play, "ann", "tea", "second"), ERR_NOT_ALLOWED);
    assert_err(ban_user(play, "ann", "tea", "mod"), ERR_OK);
    assert_err(ban_user(play, "ann", "tea", "stranger"), ERR_OK);
    assert_err(lift_ban(play, "bob", "tea", "mod"), ERR_NOT_ALLOWED);
    assert_string_equal(bans_of(play, "bob", NULL, 10), "NOT_ALLOWED");
    play_free(play);
}

static void a_ban_ends_by_itself(void **state)
{
    struct play *play = play_rooms_of_four();
    struct command ban = play_command(COMMAND_BAN, "mod", "tea");
    ban.target = span_text("bob");
    ban.ban.until_ms = now_ms() + 150;
    assert_err(play_do(play, &ban).err, ERR_OK);
    int err, attempts = 0;
    do {
        err = play_join(play, "bob", "tea");
        attempts++;
    } while (err == ERR_BANNED);
    assert_err(err, ERR_OK);
    assert_true(attempts > 1);
    assert_string_equal(bans_of(play, "mod", NULL, 10), "");
    play_free(play);
}

static void bans_are_listed_in_pages(void **state)
{
    struct play *play = play_rooms_of_four();
    struct command ban = play_command(COMMAND_BAN, "mod", "tea");
    ban.target = span_text("bob");
    ban.ban.reason = span_text("spam");
    assert_err(play_do(play, &ban).err, ERR_OK);
    assert_err(ban_user(play, "ann", "tea", "cid"), ERR_OK);
    ban.target = span_text("dan");
    ban.ban.until_ms = now_ms() - 1;
    assert_err(play_do(play, &ban).err, ERR_OK);
    ban.target = span_text("eve");
    ban.ban.until_ms = now_ms() + 3600000;
    assert_err(play_do(play, &ban).err, ERR_OK);
    assert_string_equal(bans_of(play, "mod", NULL, 10), "bob:mod:spam cid:ann: eve:mod:spam");
    assert_string_equal(bans_of(play, "mod", NULL, 2), "bob:mod:spam cid:ann:+");
    assert_string_equal(bans_of(play, "mod", "cid", 2), "eve:mod:spam");
    ban.target = span_text("bob");
    ban.ban = (struct ban_spec){.reason = span_text("more spam")};
    struct event_id head = play_head(play);
    assert_err(play_do(play, &ban).err, ERR_OK);
    assert_id_equal(play_head(play), head);
    assert_string_equal(bans_of(play, "mod", NULL, 1), "bob:mod:more spam+");
    assert_err(play_delete_room(play, "ann", "tea"), ERR_OK);
    make_room(play, "tea", ROOM_PUBLIC);
    assert_string_equal(bans_of(play, "mod", NULL, 10), "");
    play_free(play);
}

static void the_backend_lets_the_banned_in_again(void **state)
{
    struct play *play = play_rooms_of_four();
    assert_err(ban_user(play, "mod", "tea", "bob"), ERR_OK);
    const struct span users[] = {span_text("bob")};
    struct command add = play_command(COMMAND_ADD_MEMBERS, "app", "tea");
    add.actor.service = true;
    add.users = users;
    add.user_count = 1;
    assert_err(play_do(play, &add).err, ERR_OK);
    assert_string_equal(bans_of(play, "mod", NULL, 10), "");
    play_say(play, "bob", "tea", "m1");
    play_free(play);
}

static void readers_are_shown_the_times_inside(void **state)
{
    struct play *play = play_rooms_of_four();
    struct follow_room den = {.room = span_text("den")};
    struct event_id before = play_head(play);
    play_say(play, "ann", "den", "in1");
    assert_err(ban_user(play, "mod", "den", "bob"), ERR_OK);
    struct event_id at_ban = play_head(play);
    play_say(play, "ann", "den", "out");
    const struct follow_spec follows[] = {play_all("bob"), play_rooms("bob", &den, 1)};
    for (size_t i = 0; i < array_count(follows); i++) {
        assert_string_equal(play_seen(play, follows[i], before, 1),
                            "new_message:in1 user_left:bob");
        assert_string_equal(play_seen(play, follows[i], at_ban, 1), "");
    }
    assert_string_equal(play_seen(play, play_all("ann"), before, 10),
                        "new_message:in1 user_left:bob new_message:out");
    assert_err(lift_ban(play, "mod", "den", "bob"), ERR_OK);
    play_say(play, "ann", "den", "out2");
    assert_err(play_add(play, "ann", "den", "bob"), ERR_OK);
    play_say(play, "ann", "den", "in2");
    for (size_t i = 0; i < array_count(follows); i++)
        assert_string_equal(play_seen(play, follows[i], before, 2),
                            "new_message:in1 user_left:bob user_joined:bob new_message:in2");
    play_free(play);
}

static int sent_by(struct play *play, const char *user, bool deleted)
{
    char needle[64], before[EVENT_ID_TEXT_MAX];
    int count = 0;
    struct journal_history history = play_history_spec("ann", "tea", 100);
    snprintf(needle, sizeof(needle), "\"messageId\":\"%s-", user);
    for (;;) {
        play_history_read(play, &history);
        assert_err(history.request.err, ERR_OK);
        for (int i = 0; i < history.message_count; i++) {
            char text[1000];
            snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(history.messages[i]));
            count += strstr(text, needle) && !!strstr(text, "\"deleted\":true") == deleted;
        }
        bool more = !event_id_is_none(history.next_before);
        size_t len = event_id_format(history.next_before, before);
        journal_history_fini(&history);
        if (!more)
            return count;
        history = play_history_spec("ann", "tea", 100);
        history.before = span_of(before, len);
    }
}

static void what_the_banned_wrote_is_deleted_a_part_at_a_time(void **state)
{
    struct play *play = play_rooms_of_four();
    char name[16];
    for (int i = 0; i < 250; i++) {
        snprintf(name, sizeof(name), "bob-%d", i);
        play_say(play, "bob", "tea", name);
        if (i % 10)
            continue;
        snprintf(name, sizeof(name), "ann-%d", i);
        play_say(play, "ann", "tea", name);
    }
    play_say(play, "bob", "den", "elsewhere");
    struct command ban = play_command(COMMAND_BAN, "mod", "tea");
    ban.target = span_text("bob");
    ban.ban.delete_messages = true;
    int rounds = 0;
    struct outcome outcome;
    do {
        outcome = play_do(play, &ban);
        assert_err(outcome.err, ERR_OK);
        ban.ban.deleted_upto = outcome.deleted_upto;
        rounds++;
    } while (outcome.more);
    assert_int_equal(rounds, 3);
    assert_int_equal(sent_by(play, "bob", true), 250);
    assert_int_equal(sent_by(play, "bob", false), 0);
    assert_int_equal(sent_by(play, "ann", false), 25);
    struct event_id head = play_head(play);
    ban.ban.deleted_upto = EVENT_ID_NONE;
    assert_err(play_do(play, &ban).err, ERR_OK);
    assert_id_equal(play_head(play), head); /* nothing is deleted twice */
    struct journal_history history = play_history_spec("ann", "den", 10);
    assert_string_equal(play_history(play, &history), "elsewhere");
    journal_history_fini(&history);
    play_free(play);
}

/* `room` as an opening finds it for eve, who watches: "readable" or why it is denied. */
static const char *opened(struct play *play, const char *room, unsigned grants, bool *ret_banned)
{
    struct follow_room named = {.room = span_text(room), .grants = grants};
    struct journal_open open = play_open_spec(play_rooms("eve", &named, 1));
    play_open(play, &open);
    assert_int_equal(open.room_count + open.denied_count, 1);
    *ret_banned = open.denied_count && open.denied[0].banned;
    const char *found = open.denied_count        ? err_name(open.denied[0].err)
                        : open.rooms[0].readable ? "readable"
                                                 : "";
    journal_open_fini(&open);
    return found;
}

static void a_ban_ends_watching(void **state)
{
    struct play *play = play_rooms_of_four();
    struct follow_room tea = {.room = span_text("tea")};
    struct follow_room den = {.room = span_text("den"), .grants = GRANT_READ};
    struct event_id before = play_head(play);
    bool banned;
    play_say(play, "ann", "tea", "m1");
    play_say(play, "ann", "den", "m2");
    assert_string_equal(opened(play, "tea", 0, &banned), "readable");
    assert_string_equal(opened(play, "den", GRANT_READ, &banned), "readable");
    assert_string_equal(play_seen(play, play_rooms("eve", &tea, 1), before, 10), "new_message:m1");
    assert_string_equal(play_seen(play, play_rooms("eve", &den, 1), before, 10), "new_message:m2");
    assert_err(ban_user(play, "mod", "tea", "eve"), ERR_OK);
    const struct followed *told = &play->followed[play->followed_count - 1];
    assert_true(told->bars_user);
    assert_int_equal(told->audience, AUDIENCE_SESSION);
    assert_string_equal(told->room, "tea");
    assert_string_equal(told->user, "eve");
    assert_err(ban_user(play, "mod", "den", "eve"), ERR_OK);
    assert_string_equal(opened(play, "tea", 0, &banned), "BANNED");
    assert_string_equal(opened(play, "den", GRANT_READ, &banned), "BANNED");
    assert_true(banned);
    assert_string_equal(opened(play, "den", 0, &banned), "NOT_FOUND");
    assert_true(banned);
    assert_string_equal(play_seen(play, play_rooms("eve", &tea, 1), before, 10), "");
    assert_string_equal(play_seen(play, play_rooms("eve", &den, 1), before, 10), "");
    assert_string_equal(play_seen(play, play_all("ann"), before, 1),
                        "new_message:m1 new_message:m2");
    assert_err(lift_ban(play, "mod", "den", "eve"), ERR_OK);
    assert_string_equal(opened(play, "den", 0, &banned), "NOT_FOUND");
    assert_false(banned);
    assert_err(lift_ban(play, "mod", "tea", "eve"), ERR_OK);
    assert_string_equal(opened(play, "tea", 0, &banned), "readable");
    assert_string_equal(play_seen(play, play_rooms("eve", &tea, 1), before, 10), "new_message:m1");
    play_free(play);
}

/* Their edits count: 1,000 events a command, and one message more. */
static void much_edited_messages_are_deleted_in_smaller_parts(void **state)
{
    enum { EDITS = 600 };
    static char bodies[EDITS][64];
    static struct command edits[EDITS];
    struct play *play = play_new();
    make_room(play, "tea", ROOM_PUBLIC);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "bob-%d", i);
        play_say(play, "bob", "tea", name);
        for (int j = 0; j < EDITS; j++) {
            snprintf(bodies[j], sizeof(bodies[j]), "{\"messageId\":\"%s\",\"text\":\"%d\"}", name,
                     j);
            edits[j] = play_command(COMMAND_EDIT_MESSAGE, "bob", "tea");
            edits[j].message_id = span_text(name);
            edits[j].body = span_text(bodies[j]);
        }
        struct journal_append append = {.commands = edits, .count = EDITS};
        play_append(play, &append);
        assert_int_equal(append.done, EDITS);
        assert_err(edits[EDITS - 1].outcome.err, ERR_OK);
        journal_append_fini(&append);
    }
    struct command ban = play_command(COMMAND_BAN, "mod", "tea");
    ban.target = span_text("bob");
    ban.ban.delete_messages = true;
    struct outcome outcome = play_do(play, &ban);
    assert_err(outcome.err, ERR_OK);
    assert_true(outcome.more);
    assert_int_equal(sent_by(play, "bob", false), 1);
    ban.ban.deleted_upto = outcome.deleted_upto;
    outcome = play_do(play, &ban);
    assert_err(outcome.err, ERR_OK);
    assert_false(outcome.more);
    assert_int_equal(sent_by(play, "bob", false), 0);
    play_free(play);
}

int run_ban_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_banned_may_nothing_until_it_is_lifted),
        cmocka_unit_test(of_a_private_room_the_banned_know_nothing),
        cmocka_unit_test(those_below_are_banned),
        cmocka_unit_test(a_ban_ends_by_itself),
        cmocka_unit_test(bans_are_listed_in_pages),
        cmocka_unit_test(the_backend_lets_the_banned_in_again),
        cmocka_unit_test(readers_are_shown_the_times_inside),
        cmocka_unit_test(a_ban_ends_watching),
        cmocka_unit_test(what_the_banned_wrote_is_deleted_a_part_at_a_time),
        cmocka_unit_test(much_edited_messages_are_deleted_in_smaller_parts),
    };
    return cmocka_run_group_tests_name("bans", tests, NULL, NULL);
}
