/* Direct rooms and blocks. */
#include "play.h"

static struct outcome open_direct(struct play *play, const char *user, const char *target,
                                  const char *name)
{
    struct command command = play_command(COMMAND_OPEN_DIRECT, user, name);
    command.target = span_text(target);
    return play_do(play, &command);
}

static int block(struct play *play, enum command_kind kind, const char *user, const char *target)
{
    struct command command = play_command(kind, user, "");
    command.room = (struct span){NULL, 0};
    command.target = span_text(target);
    return play_do(play, &command).err;
}

static void each_pair_has_one_room(void **state)
{
    struct play *play = play_new();
    struct outcome first = open_direct(play, "ann", "bob", "d1");
    assert_err(first.err, ERR_OK);
    assert_true(first.created);
    assert_int_equal(first.role, ROLE_MEMBER);
    assert_int_equal(first.room.kind, ROOM_DIRECT);
    struct outcome again = open_direct(play, "bob", "ann", "d2");
    assert_err(again.err, ERR_OK);
    assert_false(again.created);
    assert_true(event_id_is_none(again.id));
    assert_false(open_direct(play, "ann", "bob", "d3").created);
    assert_true(open_direct(play, "ann", "cid", "d4").created);
    assert_true(open_direct(play, "bob", "cid", "d5").created);
    assert_string_equal(play_rooms_of(play, "ann", NULL, 10), "d1,d4");
    assert_string_equal(play_rooms_of(play, "bob", NULL, 10), "d1,d5");
    assert_err(open_direct(play, "ann", "ann", "d6").err, ERR_INVALID_IDENTIFIER);
    if (play_outlives_closing()) {
        play_reopen(play);
        assert_false(open_direct(play, "cid", "bob", "d7").created);
    }
    play_free(play);
}

static void two_who_ask_at_once_get_the_same(void **state)
{
    struct play *play = play_new();
    struct command commands[] = {play_command(COMMAND_OPEN_DIRECT, "ann", "d1"),
                                 play_command(COMMAND_OPEN_DIRECT, "bob", "d2")};
    commands[0].target = span_text("bob");
    commands[1].target = span_text("ann");
    struct journal_append append = {.commands = commands, .count = 2};
    play_append(play, &append);
    assert_true(commands[0].outcome.created);
    assert_false(commands[1].outcome.created);
    assert_true(span_is(commands[1].outcome.room.id, "d1"));
    journal_append_fini(&append);
    play_free(play);
}

static void both_are_told(void **state)
{
    struct play *play = play_new();
    open_direct(play, "ann", "bob", "d1");
    play_say(play, "bob", "d1", "m1");
    assert_string_equal(play_seen(play, play_all("ann"), EVENT_ID_NONE, 10),
                        "room_created:ann user_joined:ann user_joined:bob new_message:m1");
    assert_string_equal(play_seen(play, play_all("bob"), EVENT_ID_NONE, 10),
                        "user_joined:bob new_message:m1");
    assert_string_equal(play_seen(play, play_all("eve"), EVENT_ID_NONE, 10), "");
    struct follow_room named = {.room = span_text("d1")};
    struct journal_open open = play_open_spec(play_rooms("eve", &named, 1));
    play_open(play, &open);
    assert_int_equal(open.denied_count, 1);
    assert_err(open.denied[0].err, ERR_NOT_FOUND);
    journal_open_fini(&open);
    play_free(play);
}

static const char *pair_of(const struct room_person *pair)
{
    static char text[200];
    text[0] = 0;
    for (int i = 0; pair && i < 2; i++)
        sprintf(text + strlen(text), "%s%.*s=%.*s", i ? " " : "", SPAN_ARGS(pair[i].user),
                SPAN_ARGS(pair[i].name));
    return text;
}

static void what_is_told_of_it_names_the_two(void **state)
{
    struct play *play = play_new();
    struct command profile = play_command(COMMAND_PROFILE, "bob", "");
    profile.room = (struct span){NULL, 0};
    profile.actor.name = span_text("Bob");
    assert_err(play_do(play, &profile).err, ERR_OK);
    open_direct(play, "bob", "ann", "d1");
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct event_id before = play_head(play);
    struct command commands[] = {play_command(COMMAND_PUT_ROOM, "app", "d1"),
                                 play_command(COMMAND_PUT_ROOM, "app", "d1"),
                                 play_command(COMMAND_PUT_ROOM, "ann", "tea"),
                                 play_command(COMMAND_DELETE_ROOM, "app", "d1")};
    for (int i = 0; i < 3; i++)
        commands[i].change = (struct room_change){.has_name = true, .name = span_text("us")};
    for (size_t i = 0; i < array_count(commands); i++)
        commands[i].actor.service = true;
    struct journal_append append = {.commands = commands, .count = array_count(commands)};
    play_append(play, &append);
    static const char *const expected[] = {"ann= bob=", "ann= bob=", "", ""};
    for (size_t i = 0; i < array_count(commands); i++) {
        assert_err(commands[i].outcome.err, ERR_OK);
        assert_string_equal(pair_of(commands[i].outcome.pair), expected[i]);
    }
    journal_append_fini(&append);
    struct journal_page page = {
        .follow = play_all("ann"), .after = before, .events_max = 10, .bytes_max = 10000};
    play_page(play, &page);
    assert_int_equal(page.frame_count, 3);
    for (int i = 0; i < 3; i++) {
        struct span json = frame_json(page.frames[i]);
        const char *found = memmem(json.data, json.len, "\"members\":[", 11);
        assert_int_equal(found != NULL, i != 1);
        static const char two[] = "\"members\":[{\"userId\":\"ann\"},{\"userId\":\"bob\"";
        assert_true(i == 1 || strncmp(found, two, strlen(two)) == 0);
    }
    journal_page_fini(&page);
    play_free(play);
}

static void it_stays_of_the_two(void **state)
{
    struct play *play = play_new();
    open_direct(play, "ann", "bob", "d1");
    assert_err(play_leave(play, "ann", "d1"), ERR_NOT_ALLOWED);
    assert_err(play_remove(play, "ann", "d1", "ann"), ERR_NOT_ALLOWED);
    assert_err(play_remove(play, "ann", "d1", "bob"), ERR_NOT_ALLOWED);
    assert_err(play_add(play, "ann", "d1", "cid"), ERR_NOT_ALLOWED);
    assert_err(play_join(play, "cid", "d1"), ERR_NOT_FOUND);
    assert_err(play_set_role(play, "ann", "d1", "bob", ROLE_MODERATOR), ERR_NOT_ALLOWED);
    assert_err(play_delete_room(play, "ann", "d1"), ERR_NOT_ALLOWED);
    assert_err(play_post(play, "cid", "d1", "m1", "hi").err, ERR_NOT_FOUND);
    struct command ban = play_command(COMMAND_BAN, "ann", "d1");
    ban.target = span_text("bob");
    assert_err(play_do(play, &ban).err, ERR_NOT_ALLOWED);
    ban.actor.service = true;
    assert_err(play_do(play, &ban).err, ERR_NOT_ALLOWED);
    struct command notify = play_command(COMMAND_PUT_MEMBER, "ann", "d1");
    notify.target = span_text("ann");
    notify.member = (struct member_change){.has_notify = true, .notify = NOTIFY_NONE};
    assert_err(play_do(play, &notify).err, ERR_OK);
    assert_string_equal(play_members(play, "bob", "d1", NULL, 10), "ann,bob");
    struct command erase = play_command(COMMAND_DELETE_ROOM, "app", "d1");
    erase.actor.service = true;
    assert_err(play_do(play, &erase).err, ERR_OK);
    assert_true(open_direct(play, "bob", "ann", "d2").created);
    play_free(play);
}

static void the_blocked_are_not_heard(void **state)
{
    struct play *play = play_new();
    open_direct(play, "ann", "bob", "d1");
    play_say(play, "bob", "d1", "m1");
    struct event_id before = play_head(play);
    assert_err(block(play, COMMAND_BLOCK, "ann", "bob"), ERR_OK);
    assert_err(block(play, COMMAND_BLOCK, "ann", "bob"), ERR_OK);
    assert_id_equal(play_head(play), before);
    assert_err(play_post(play, "bob", "d1", "m2", "hey").err, ERR_BLOCKED);
    struct command custom = play_custom("bob", "d1", NULL, "x");
    assert_err(play_do(play, &custom).err, ERR_BLOCKED);
    struct command edit = play_command(COMMAND_EDIT_MESSAGE, "bob", "d1");
    edit.message_id = span_text("m1");
    edit.body = span_text("{\"roomId\":\"d1\",\"messageId\":\"m1\",\"text\":\"hey\"}");
    assert_err(play_do(play, &edit).err, ERR_BLOCKED);
    struct command ephemeral = play_message("bob", "d1", "m3", "psst");
    struct journal_read read = {.what = READ_ACCESS, .command = &ephemeral};
    play_read(play, &read);
    assert_err(ephemeral.outcome.err, ERR_BLOCKED);
    journal_read_fini(&read);
    assert_true(play_post(play, "bob", "d1", "m1", "m1").repeated);
    play_say(play, "ann", "d1", "m4");
    assert_err(open_direct(play, "bob", "ann", "d2").err, ERR_OK);
    if (play_outlives_closing())
        play_reopen(play);
    assert_err(play_post(play, "bob", "d1", "m2", "hey").err, ERR_BLOCKED);
    assert_err(block(play, COMMAND_UNBLOCK, "ann", "bob"), ERR_OK);
    assert_err(block(play, COMMAND_UNBLOCK, "ann", "bob"), ERR_OK);
    play_say(play, "bob", "d1", "m2");
    assert_err(block(play, COMMAND_BLOCK, "ann", "ann"), ERR_INVALID_IDENTIFIER);
    play_free(play);
}

static void the_blocked_open_no_direct_room(void **state)
{
    struct play *play = play_new();
    assert_err(block(play, COMMAND_BLOCK, "ann", "bob"), ERR_OK);
    assert_err(open_direct(play, "bob", "ann", "d1").err, ERR_BLOCKED);
    assert_true(open_direct(play, "ann", "bob", "d2").created);
    assert_err(play_post(play, "bob", "d2", "m1", "hi").err, ERR_BLOCKED);
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    play_say(play, "bob", "tea", "m1");
    play_free(play);
}

/* The body of the last message of tea. */
static const char *last_body(struct play *play)
{
    static char text[1000];
    struct journal_history history = play_history_spec("ann", "tea", 1);
    play_history_read(play, &history);
    assert_int_equal(history.message_count, 1);
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(history.messages[0]));
    journal_history_fini(&history);
    return text;
}

static struct command mentioning(const char *message_id, const struct span *users, int count,
                                 const char *body)
{
    struct command command = play_message("bob", "tea", message_id, "hi");
    command.body = span_text(body);
    command.mentions = users;
    command.mention_count = count;
    return command;
}

/* What an ephemeral one would say. */
static const char *asked_body(struct play *play, struct command *command)
{
    static char text[1000];
    struct journal_read read = {.what = READ_ACCESS, .command = command};
    play_read(play, &read);
    assert_err(command->outcome.err, ERR_OK);
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(command->outcome.body));
    journal_read_fini(&read);
    return text;
}

static void the_blocked_mention_nobody_who_blocks_them(void **state)
{
    struct play *play = play_new();
    const struct span users[] = {span_text("ann"), span_text("cid"), span_text("unknown")};
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_err(play_join(play, "cid", "tea"), ERR_OK);
    assert_err(block(play, COMMAND_BLOCK, "ann", "bob"), ERR_OK);
    struct command command = mentioning(
        "m1", users, 3,
        "{\"messageId\":\"m1\",\"text\":\"hi\",\"mentions\":[\"ann\",\"cid\",\"unknown\"],"
        "\"sender\":{\"userId\":\"bob\"}}");
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_non_null(strstr(last_body(play), "\"text\":\"hi\",\"mentions\":[\"cid\",\"unknown\"],"
                                            "\"sender\":{\"userId\":\"bob\"}"));
    assert_true(play_do(play, &command).repeated);
    assert_string_equal(asked_body(play, &command),
                        "{\"messageId\":\"m1\",\"text\":\"hi\",\"mentions\":[\"cid\",\"unknown\"],"
                        "\"sender\":{\"userId\":\"bob\"}}");
    command =
        mentioning("m2", users, 1, "{\"messageId\":\"m2\",\"text\":\"hi\",\"mentions\":[\"ann\"]}");
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_null(strstr(last_body(play), "mentions"));
    assert_string_equal(asked_body(play, &command), "{\"messageId\":\"m2\",\"text\":\"hi\"}");
    assert_non_null(strstr(last_body(play), "\"text\":\"hi\"}"));
    assert_err(block(play, COMMAND_UNBLOCK, "ann", "bob"), ERR_OK);
    command =
        mentioning("m3", users, 1, "{\"messageId\":\"m3\",\"text\":\"hi\",\"mentions\":[\"ann\"]}");
    assert_err(play_do(play, &command).err, ERR_OK);
    assert_non_null(strstr(last_body(play), "\"mentions\":[\"ann\"]"));
    play_free(play);
}

static const char *blocks_of(struct play *play, const char *user, const char *from, int limit,
                             const char *one)
{
    static char list[4000];
    struct journal_read read = {.what = READ_BLOCKS,
                                .realm = span_text("main"),
                                .actor.user = span_text(user),
                                .from = from ? span_text(from) : span_of(NULL, 0),
                                .user = one ? span_text(one) : span_of(NULL, 0),
                                .limit = limit};
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    list[0] = 0;
    for (int i = 0; i < read.block_count; i++) {
        assert_true(read.blocks[i].blocked_at_ms > 0);
        sprintf(list + strlen(list), "%s%.*s", i ? " " : "", SPAN_ARGS(read.blocks[i].user));
    }
    if (read.next.data)
        strcat(list, "+");
    journal_read_fini(&read);
    return list;
}

static void blocks_are_listed_and_limited(void **state)
{
    struct play *play = play_new();
    char name[16];
    assert_string_equal(blocks_of(play, "ann", NULL, 10, NULL), "");
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        assert_err(block(play, COMMAND_BLOCK, "ann", name), ERR_OK);
    }
    assert_string_equal(blocks_of(play, "ann", NULL, 10, NULL), "u0 u1 u2");
    assert_string_equal(blocks_of(play, "ann", NULL, 2, NULL), "u0 u1+");
    assert_string_equal(blocks_of(play, "ann", "u1", 2, NULL), "u2");
    assert_string_equal(blocks_of(play, "ann", NULL, 1, "u1"), "u1");
    assert_string_equal(blocks_of(play, "ann", NULL, 1, "u7"), "");
    assert_string_equal(blocks_of(play, "u1", NULL, 10, NULL), "");
    for (int i = 3; i < BLOCKS_OF_USER_MAX; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        assert_err(block(play, COMMAND_BLOCK, "ann", name), ERR_OK);
    }
    assert_err(block(play, COMMAND_BLOCK, "ann", "more"), ERR_FULL);
    assert_err(block(play, COMMAND_BLOCK, "ann", "u7"), ERR_OK);
    assert_err(block(play, COMMAND_UNBLOCK, "ann", "u7"), ERR_OK);
    assert_err(block(play, COMMAND_BLOCK, "ann", "more"), ERR_OK);
    play_free(play);
}

int run_direct_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_has_one_room),
        cmocka_unit_test(two_who_ask_at_once_get_the_same),
        cmocka_unit_test(both_are_told),
        cmocka_unit_test(what_is_told_of_it_names_the_two),
        cmocka_unit_test(it_stays_of_the_two),
        cmocka_unit_test(the_blocked_are_not_heard),
        cmocka_unit_test(the_blocked_open_no_direct_room),
        cmocka_unit_test(the_blocked_mention_nobody_who_blocks_them),
        cmocka_unit_test(blocks_are_listed_and_limited),
    };
    return cmocka_run_group_tests_name("direct", tests, NULL, NULL);
}
