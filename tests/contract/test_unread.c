/* Users post, reply, mention, edit, delete, read, come and go at random while old messages are
 * trimmed; what is unread is compared with a count of every message. SEED in the environment
 * repeats a run. */
#include <stdlib.h>

#include "play.h"

#define USERS 5
#define ROOMS 3
#define STEPS 1500
#define MESSAGES_MAX 2000
#define ROOM_EVENTS_MAX 60

static const char *const user_names[USERS] = {"ann", "bob", "cat", "dan", "eve"};
static const char *const room_names[ROOMS] = {"r0", "r1", "r2"};

struct model_message {
    struct event_id id;
    char name[16];
    int room, sender;
    bool is_reply, is_deleted;
    bool mentions[USERS]; /* members at that time, but the sender */
};

struct model {
    struct play *play;
    unsigned seed;
    bool in[ROOMS][USERS];
    struct event_id read[ROOMS][USERS];
    struct model_message messages[MESSAGES_MAX];
    int count;
};

static int pick(struct model *model, int below)
{
    model->seed = model->seed * 1103515245u + 12345u;
    return (int)(model->seed >> 16) % below;
}

static struct model_message *pick_message(struct model *model, int room)
{
    for (int tries = 0; tries < 20 && model->count; tries++) {
        int back = pick(model, model->count < 40 ? model->count : 40);
        struct model_message *message = &model->messages[model->count - 1 - back];
        if (message->room == room)
            return message;
    }
    return NULL;
}

static void post(struct model *model, int room, int user)
{
    struct span users[2];
    struct model_message *message = &model->messages[model->count];
    struct model_message *thread = pick(model, 4) ? NULL : pick_message(model, room);
    if (thread && thread->is_reply)
        thread = NULL;
    *message = (struct model_message){.room = room, .sender = user, .is_reply = thread != NULL};
    snprintf(message->name, sizeof(message->name), "m%d", model->count);
    struct command command =
        play_message(user_names[user], room_names[room], message->name, message->name);
    command.mentions = users;
    while (command.mention_count < 2 && !pick(model, 3)) {
        int target = pick(model, USERS);
        users[command.mention_count++] = span_text(user_names[target]);
        message->mentions[target] = model->in[room][target] && target != user && !thread;
    }
    if (thread)
        command.thread_id = span_text(thread->name);
    struct outcome outcome = play_do(model->play, &command);
    assert_int_equal(outcome.err == ERR_OK, model->in[room][user]);
    if (outcome.err)
        return;
    message->id = model->read[room][user] = outcome.id;
    model->count++;
    assert_true(model->count < MESSAGES_MAX);
}

/* What is mentioned anew counts for those who have not read it. */
static void edit(struct model *model, int room)
{
    static char body[100];
    struct span users[1];
    struct model_message *message = pick_message(model, room);
    if (!message)
        return;
    int target = pick(model, USERS);
    struct command command =
        play_command(COMMAND_EDIT_MESSAGE, user_names[message->sender], room_names[room]);
    command.message_id = span_text(message->name);
    snprintf(body, sizeof(body), "{\"messageId\":\"%s\",\"text\":\"%u\",\"mentions\":[\"%s\"]}",
             message->name, model->seed, user_names[target]);
    command.body = span_text(body);
    users[0] = span_text(user_names[target]);
    command.mentions = users;
    command.mention_count = 1;
    if (play_do(model->play, &command).err)
        return; /* deleted or trimmed, or its sender has left */
    memset(message->mentions, 0, sizeof(message->mentions));
    message->mentions[target] =
        model->in[room][target] && target != message->sender && !message->is_reply;
}

static void erase(struct model *model, int room)
{
    struct model_message *message = pick_message(model, room);
    if (!message)
        return;
    struct command command = play_command(COMMAND_DELETE_MESSAGE, user_names[0], room_names[room]);
    command.message_id = span_text(message->name);
    struct outcome outcome = play_do(model->play, &command);
    if (outcome.err)
        return; /* trimmed */
    assert_int_equal(outcome.repeated, message->is_deleted);
    message->is_deleted = true;
}

static void move(struct model *model, int room, int user)
{
    bool in = model->in[room][user];
    int err = in ? play_leave(model->play, user_names[user], room_names[room])
                 : play_join(model->play, user_names[user], room_names[room]);
    if (err)
        return; /* the last owner */
    model->in[room][user] = !in;
    model->read[room][user] = play_head(model->play);
    for (int i = 0; i < model->count && in; i++) {
        if (model->messages[i].room == room)
            model->messages[i].mentions[user] = false;
    }
}

static void read_some(struct model *model, int room, int user)
{
    struct command command = play_command(COMMAND_READ, user_names[user], room_names[room]);
    const struct model_message *message = pick_message(model, room);
    if (!message)
        return;
    command.cursor = message->id;
    if (pick(model, 2))
        command.message_id = span_text(message->name);
    struct outcome outcome = play_do(model->play, &command);
    assert_true(outcome.err == ERR_OK || outcome.err == ERR_NOT_A_MEMBER ||
                outcome.err == ERR_NOT_FOUND); /* trimmed */
    if (outcome.err == ERR_OK && event_id_compare(message->id, model->read[room][user]) > 0)
        model->read[room][user] = message->id;
}

/* The oldest message that the room still has. */
static void find_oldest(struct model *model, int room, char *out, size_t size)
{
    struct journal_history history = play_history_spec("ann", room_names[room], 1);
    history.after = span_text("0-0");
    snprintf(out, size, "%s", play_history(model->play, &history));
    journal_history_fini(&history);
}

static struct read_marker count_all(const struct model *model, int room, int user,
                                    const char *oldest)
{
    struct read_marker marker = {.upto = model->read[room][user]};
    bool kept = false;
    for (int i = 0; i < model->count; i++) {
        const struct model_message *message = &model->messages[i];
        kept = kept || strcmp(message->name, oldest) == 0;
        if (!kept || message->room != room || message->is_deleted ||
            event_id_compare(message->id, marker.upto) <= 0)
            continue;
        marker.unread += !message->is_reply;
        marker.mentions += message->mentions[user];
    }
    return marker;
}

static void compare(struct model *model, int room, int user)
{
    char oldest[64], still_oldest[64];
    struct read_marker found;
    do { /* old messages may be trimmed at any moment */
        struct journal_read read = {
            .what = READ_ROOM,
            .realm = span_text("main"),
            .room = span_text(room_names[room]),
            .actor.user = span_text(user_names[user]),
        };
        find_oldest(model, room, oldest, sizeof(oldest));
        play_read(model->play, &read);
        assert_err(read.request.err, ERR_OK);
        found = read.rooms[0].marker;
        journal_read_fini(&read);
        find_oldest(model, room, still_oldest, sizeof(still_oldest));
    } while (strcmp(oldest, still_oldest));
    struct read_marker expected = {.unread = 0};
    if (model->in[room][user])
        expected = count_all(model, room, user, oldest);
    else
        expected.upto = EVENT_ID_NONE;
    if (found.unread != expected.unread || found.mentions != expected.mentions ||
        event_id_compare(found.upto, expected.upto) != 0)
        fail_msg("%s in %s: %d unread, %d mentions instead of %d, %d", user_names[user],
                 room_names[room], (int)found.unread, (int)found.mentions, (int)expected.unread,
                 (int)expected.mentions);
}

static void step(struct model *model)
{
    int room = pick(model, ROOMS), user = pick(model, USERS), what = pick(model, 20);
    if (what < 10)
        post(model, room, user);
    else if (what < 12)
        erase(model, room);
    else if (what < 14)
        edit(model, room);
    else if (what < 17)
        read_some(model, room, user);
    else if (user != 0)
        move(model, room, user);
}

static void play_at_random(int64_t room_events_max)
{
    const char *given = getenv("SEED");
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    model->play = play_new_keeping(room_events_max);
    model->seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("SEED=%u\n", model->seed);
    for (int room = 0; room < ROOMS; room++) {
        assert_err(play_put_room(model->play, user_names[0], room_names[room], ROOM_PUBLIC), 0);
        model->in[room][0] = true;
        model->read[room][0] = play_head(model->play);
    }
    for (int i = 1; i <= STEPS; i++) {
        step(model);
        if (i % 10)
            continue;
        if (play_outlives_closing() && i % 300 == 0)
            play_reopen(model->play);
        for (int k = 0; k < 4; k++)
            compare(model, pick(model, ROOMS), pick(model, USERS));
    }
    for (int room = 0; room < ROOMS; room++)
        for (int user = 0; user < USERS; user++)
            compare(model, room, user);
    assert_true(model->count > STEPS / 5);
    play_free(model->play);
    free(model);
}

static void what_is_unread_is_what_the_model_counts(void **state)
{
    play_at_random(0);
}

static void what_was_trimmed_is_not_unread(void **state)
{
    play_at_random(ROOM_EVENTS_MAX);
}

int run_unread_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_unread_is_what_the_model_counts),
        cmocka_unit_test(what_was_trimmed_is_not_unread),
    };
    return cmocka_run_group_tests_name("unread", tests, NULL, NULL);
}
