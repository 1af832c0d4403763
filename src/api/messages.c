/* Sending: messages and custom events, durable ones through the journal's append, ephemeral ones
 * after the same check straight to whoever is connected. */
#include "api/content.h"
#include "api/errand.h"
#include "api/hub_typing.h"
#include "api/markers.h"
#include "api/rates.h"
#include "base/err.h"
#include "base/limits.h"

#define SENT_BYTES_MAX 1024

static void answer_sent(struct errand *errand, int status, struct event_id id,
                        int64_t timestamp_ms)
{
    struct json_writer writer;
    json_writer_init(&writer, SENT_BYTES_MAX);
    json_writer_add(&writer, "{");
    if (!event_id_is_none(id))
        json_writer_member_id(&writer, "id", id);
    json_writer_member_string(&writer, "messageId", errand->command.message_id);
    json_writer_member_string(&writer, "roomId", errand->command.room);
    json_writer_member_number(&writer, "timestamp", timestamp_ms);
    json_writer_add(&writer, "}");
    errand_answer(errand, status, &writer, NULL);
}

/* What it cost is known only now; the next message pays when it was too much. */
static void charge(struct errand *errand)
{
    const struct command *command = &errand->command;
    rates_charge(errand->request, (int64_t)command->body.len * command->outcome.members);
}

static void on_stored(struct errand *errand)
{
    const struct outcome *outcome = &errand->command.outcome;
    if (!outcome->repeated)
        charge(errand);
    markers_note(request_desk(errand->request), &errand->command);
    answer_sent(errand, outcome->repeated ? 200 : 201, outcome->id, outcome->timestamp_ms);
}

/* The sender may send: the frame goes out without an id. */
static void on_allowed(struct errand *errand)
{
    const struct command *command = &errand->command;
    int64_t now_ms = clock_wall_ms();
    struct frame_spec spec = {
        .type = command->type_name.data ? EVENT_CUSTOM : EVENT_NEW_MESSAGE,
        .audience = AUDIENCE_ROOM,
        .type_name = command->type_name,
        .timestamp_ms = now_ms,
        .realm = command->realm,
        .room = command->room,
        .spared = command->spared,
        .spared_user = command->spared.data ? command->actor.user : command->spared,
        .body = command->type_name.data ? command->body : command->outcome.body,
    };
    struct frame *frame;
    int err = frame_new(&spec, &frame);
    if (err) {
        errand_refuse(errand, err == ERR_FULL ? ERR_BODY_TOO_LARGE : err, NULL);
        return;
    }
    signals_publish(&request_app(errand->request)->signals, frame);
    if (spec.type == EVENT_NEW_MESSAGE)
        hub_typing_set(request_app(errand->request)->hub, command->realm, command->room,
                       command->actor.user, false);
    frame_unref(frame);
    charge(errand);
    answer_sent(errand, 201, EVENT_ID_NONE, now_ms);
}

static void send_content(struct errand *errand, const struct content *content)
{
    struct command *command = &errand->command;
    struct json_writer writer;
    json_writer_init(&writer, EVENT_BYTES_MAX);
    int err = content_write(content, command->room, &command->actor, &writer);
    if (!err && !content->ephemeral)
        err = content_digest(content, command->digest);
    command->message_id = content->message_id;
    command->thread_id = content->thread_id;
    command->reply_to = content->reply_to;
    command->type_name = content->type_name;
    command->body = errand_keep(errand, &writer);
    if (!err && !command->body.data)
        err = ERR_MEMORY;
    if (!err)
        err = content_mentioned(content, &errand->request->arena, command);
    if (err) {
        errand_refuse(errand, err,
                      err == ERR_INVALID_FIELD ? content_large_field(content) : NULL);
        return;
    }
    if (content->ephemeral) {
        errand->on_done = on_allowed;
        errand_read(errand, READ_ACCESS);
        return;
    }
    errand_append(errand);
}

static void post(struct request *request, enum command_kind kind,
                 void (*read)(struct json_reader *reader, struct content *ret))
{
    if (!rates_take(request, LIMIT_FANOUT))
        return;
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_stored);
    if (!errand || !errand_body(errand))
        return;
    errand->command.kind = kind;
    struct content content;
    read(&errand->reader, &content);
    if (errand->reader.err) {
        errand_refuse(errand, errand->reader.err, errand->reader.field);
        return;
    }
    if (kind == COMMAND_SEND_MESSAGE && !content.message_id.data) {
        content.message_id = errand_make_id(errand, 'm');
        if (!content.message_id.data) {
            errand_refuse(errand, ERR_MEMORY, NULL);
            return;
        }
    }
    send_content(errand, &content);
}

void messages_post(struct request *request)
{
    post(request, COMMAND_SEND_MESSAGE, content_read_message);
}

void events_post(struct request *request)
{
    post(request, COMMAND_CUSTOM_EVENT, content_read_custom);
}
