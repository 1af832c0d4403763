/* The types of commands in a batch. Several names for one command are for those who come from
 * other protocols. */
#include "api/batch.h"

#define ROOM "/v1/rooms/{room}"
#define MESSAGE ROOM "/messages/{message}"

static const struct batch_command commands[] = {
    {"send_message", METHOD_POST, ROOM "/messages"},
    {"chat_message", METHOD_POST, ROOM "/messages"},
    {"edit_message", METHOD_PATCH, MESSAGE},
    {"delete_message", METHOD_DELETE, MESSAGE},
    {"add_reaction", METHOD_PUT, MESSAGE "/reactions/{key}"},
    {"remove_reaction", METHOD_DELETE, MESSAGE "/reactions/{key}"},
    {"custom_event", METHOD_POST, ROOM "/events"},
    {"create_room", METHOD_POST, "/v1/rooms"},
    {"put_room", METHOD_PUT, ROOM},
    {"delete_room", METHOD_DELETE, ROOM},
    {"join_room", METHOD_POST, ROOM "/join", BATCH_ENDS},
    {"leave_room", METHOD_POST, ROOM "/leave"},
    {"add_members", METHOD_POST, ROOM "/members"},
    {"add_member", METHOD_PUT, ROOM "/members/{user}"},
    {"put_member", METHOD_PUT, ROOM "/members/{user}"},
    {"remove_member", METHOD_DELETE, ROOM "/members/{user}"},
    {"ban_member", METHOD_PUT, ROOM "/bans/{user}", BATCH_ENDS},
    {"lift_ban", METHOD_DELETE, ROOM "/bans/{user}"},
    {"open_direct", METHOD_POST, "/v1/direct/{user}", BATCH_ENDS},
    {"block_user", METHOD_PUT, "/v1/blocks/{user}"},
    {"unblock_user", METHOD_DELETE, "/v1/blocks/{user}"},
    {"start_typing", METHOD_POST, ROOM "/typing", BATCH_ALONE, "typing", true},
    {"stop_typing", METHOD_POST, ROOM "/typing", BATCH_ALONE, "typing", false},
    {"put_here", METHOD_PUT, ROOM "/here", BATCH_ALONE},
    {"delete_here", METHOD_DELETE, ROOM "/here", BATCH_ALONE},
    {"read", METHOD_POST, ROOM "/read"},
    {"status_change", METHOD_PUT, "/v1/presence", BATCH_ENDS, "choice", true},
    {"presence_update", METHOD_PUT, "/v1/presence", BATCH_ALONE, "choice", false},
    {"subscribe_presence", METHOD_PUT, "/v1/presence/subscriptions/{user}", BATCH_ENDS},
    {"unsubscribe_presence", METHOD_DELETE, "/v1/presence/subscriptions/{user}", BATCH_ENDS},
    {"ack", METHOD_POST, "/v1/acks"},
    {.type = "ping", .order = BATCH_ALONE},
    {.type = NULL},
};

const struct batch_command *batch_commands(void)
{
    return commands;
}

const struct batch_command *batch_command_find(struct span type)
{
    bool custom = span_starts_with(type, span_text("custom."));
    struct span name = custom ? span_text("custom_event") : type;
    for (const struct batch_command *command = commands; command->type; command++) {
        if (span_is(name, command->type))
            return command;
    }
    return NULL;
}
