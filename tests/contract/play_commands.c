/* Commands as tests give them, and what is done with one in a line. */
#include <assert.h>

#include "play.h"

struct command play_command(enum command_kind kind, const char *user, const char *room)
{
    return (struct command){
        .kind = kind,
        .actor.user = span_text(user),
        .realm = span_text("main"),
        .room = span_text(room),
        .create_allowed = true,
    };
}

int play_put_room(struct play *play, const char *user, const char *room, enum room_kind kind)
{
    struct command command = play_command(COMMAND_PUT_ROOM, user, room);
    command.change.has_kind = true;
    command.change.kind = kind;
    return play_do(play, &command).err;
}

int play_delete_room(struct play *play, const char *user, const char *room)
{
    struct command command = play_command(COMMAND_DELETE_ROOM, user, room);
    return play_do(play, &command).err;
}

int play_join(struct play *play, const char *user, const char *room)
{
    struct command command = play_command(COMMAND_JOIN, user, room);
    return play_do(play, &command).err;
}

int play_leave(struct play *play, const char *user, const char *room)
{
    struct command command = play_command(COMMAND_LEAVE, user, room);
    return play_do(play, &command).err;
}

int play_add(struct play *play, const char *user, const char *room, const char *target)
{
    const struct span users[] = {span_text(target)};
    struct command command = play_command(COMMAND_ADD_MEMBERS, user, room);
    command.users = users;
    command.user_count = 1;
    return play_do(play, &command).err;
}

int play_remove(struct play *play, const char *user, const char *room, const char *target)
{
    struct command command = play_command(COMMAND_REMOVE_MEMBER, user, room);
    command.target = span_text(target);
    return play_do(play, &command).err;
}

int play_set_role(struct play *play, const char *user, const char *room, const char *target,
                  enum role role)
{
    struct command command = play_command(COMMAND_PUT_MEMBER, user, room);
    command.target = span_text(target);
    command.role = role;
    return play_do(play, &command).err;
}

/* Bodies of commands live in a ring of texts long enough for any one test line. */
static struct span body_of(const char *format, const char *a, const char *b)
{
    static char bodies[64][512];
    static unsigned next;
    char *body = bodies[next++ % 64];
    int len = snprintf(body, sizeof(bodies[0]), format, a, b);
    assert(len > 0 && (size_t)len < sizeof(bodies[0]));
    return span_of(body, (size_t)len);
}

static void set_digest(struct command *command, const char *content)
{
    memset(command->digest, 0, sizeof(command->digest));
    for (size_t i = 0; content[i]; i++)
        command->digest[i % COMMAND_DIGEST_BYTES] ^= (unsigned char)(content[i] + i);
}

struct command play_message(const char *user, const char *room, const char *message_id,
                            const char *text)
{
    struct command command = play_command(COMMAND_SEND_MESSAGE, user, room);
    command.message_id = span_text(message_id);
    command.body = body_of("{\"messageId\":\"%s\",\"text\":\"%s\"}", message_id, text);
    set_digest(&command, text);
    return command;
}

struct command play_custom(const char *user, const char *room, const char *message_id,
                           const char *data)
{
    struct command command = play_command(COMMAND_CUSTOM_EVENT, user, room);
    command.message_id = span_text(message_id);
    command.type_name = span_text("custom.move");
    command.body = message_id ? body_of("{\"messageId\":\"%s\",\"data\":\"%s\"}", message_id, data)
                              : body_of("{\"data\":\"%s\"}%s", data, "");
    set_digest(&command, data);
    return command;
}

struct outcome play_post(struct play *play, const char *user, const char *room,
                         const char *message_id, const char *text)
{
    struct command command = play_message(user, room, message_id, text);
    return play_do(play, &command);
}

struct event_id play_say(struct play *play, const char *user, const char *room,
                         const char *message_id)
{
    struct outcome outcome = play_post(play, user, room, message_id, message_id);
    assert_err(outcome.err, ERR_OK);
    assert_false(outcome.repeated);
    assert_id_equal(outcome.id, outcome.head);
    return outcome.id;
}
