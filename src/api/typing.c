/* POST /v1/rooms/{room}/typing: checked as a message would be, and handed to the hub. */
#include "api/errand.h"
#include "api/hub_typing.h"
#include "base/err.h"

#define TYPING_ANSWER_BYTES_MAX 1024

static void set(struct errand *errand, bool types)
{
    const struct command *command = &errand->command;
    hub_typing_set(request_app(errand->request)->hub, command->realm, command->room,
                   command->actor.user, types);
}

static void answer(struct errand *errand, bool types)
{
    struct json_writer writer;
    json_writer_init(&writer, TYPING_ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", errand->command.room);
    json_writer_member(&writer, "typing");
    json_writer_bool(&writer, types);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

/* In a large room nobody is told. */
static void on_start_allowed(struct errand *errand)
{
    const struct settings *settings = request_app(errand->request)->settings;
    if (!settings_is_quiet(settings, errand->command.outcome.members))
        set(errand, true);
    answer(errand, true);
}

/* Whoever may know of the room may stop, muted or not. */
static void on_stop_allowed(struct errand *errand)
{
    set(errand, false);
    answer(errand, false);
}

static bool is_bool(const struct json_reader *reader)
{
    return json_is_boolean(json_object_get(reader->object, "typing"));
}

void room_typing_post(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_start_allowed);
    if (!errand || !errand_body(errand))
        return;
    if (!is_bool(&errand->reader)) {
        errand_refuse(errand, ERR_INVALID_FIELD, "typing");
        return;
    }
    if (json_read_bool(&errand->reader, "typing", false)) {
        errand->command.kind = COMMAND_TYPING;
        errand_read(errand, READ_ACCESS);
    } else {
        errand->on_done = on_stop_allowed;
        errand_read(errand, READ_ROOM);
    }
}
