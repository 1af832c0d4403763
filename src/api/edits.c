/* What is done to a message after it was sent: editing it, deleting it, reacting to it. */
#include "api/content.h"
#include "api/errand.h"
#include "api/rates.h"
#include "base/err.h"
#include "base/limits.h"

#define DONE_BYTES_MAX 1024

/* {id?, roomId, messageId, …}: `id` is that of the event, if one was made. */
static void begin_answer(const struct errand *errand, struct json_writer *writer)
{
    const struct command *command = &errand->command;
    json_writer_init(writer, DONE_BYTES_MAX);
    json_writer_add(writer, "{");
    if (!event_id_is_none(command->outcome.id))
        json_writer_member_id(writer, "id", command->outcome.id);
    json_writer_member_string(writer, "roomId", command->room);
    json_writer_member_string(writer, "messageId", command->message_id);
}

static void end_answer(struct errand *errand, struct json_writer *writer)
{
    json_writer_member_id(writer, "asOf", errand->command.outcome.head);
    json_writer_add(writer, "}");
    errand_answer(errand, 200, writer, NULL);
}

static void on_edited(struct errand *errand)
{
    const struct outcome *outcome = &errand->command.outcome;
    struct json_writer writer;
    if (!outcome->repeated)
        rates_charge(errand->request, (int64_t)errand->command.body.len * outcome->members);
    begin_answer(errand, &writer);
    if (outcome->timestamp_ms)
        json_writer_member_number(&writer, "editedAt", outcome->timestamp_ms);
    end_answer(errand, &writer);
}

static struct errand *errand_about(struct request *request, enum command_kind kind,
                                   void (*on_done)(struct errand *errand))
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_done);
    if (!errand)
        return NULL;
    errand->command.kind = kind;
    errand->command.message_id = request_parameter(request, 1);
    return errand;
}

void message_patch(struct request *request)
{
    struct content content;
    struct json_writer writer;
    if (!rates_take(request, LIMIT_FANOUT))
        return;
    struct errand *errand = errand_about(request, COMMAND_EDIT_MESSAGE, on_edited);
    if (!errand || !errand_body(errand))
        return;
    struct command *command = &errand->command;
    content_read_edit(&errand->reader, &content);
    if (errand->reader.err) {
        errand_refuse(errand, errand->reader.err, errand->reader.field);
        return;
    }
    content.message_id = command->message_id;
    json_writer_init(&writer, EVENT_BYTES_MAX);
    int err = content_write(&content, command->room, NULL, &writer);
    command->body = errand_keep(errand, &writer);
    if (!err && !command->body.data)
        err = ERR_MEMORY;
    if (!err)
        err = content_mentioned(&content, &request->arena, command);
    if (err)
        errand_refuse(errand, err, err == ERR_INVALID_FIELD ? content_large_field(&content) : NULL);
    else
        errand_append(errand);
}

static void on_deleted(struct errand *errand)
{
    struct json_writer writer;
    begin_answer(errand, &writer);
    json_writer_add(&writer, ",\"deleted\":true");
    end_answer(errand, &writer);
}

void message_delete(struct request *request)
{
    struct errand *errand = errand_about(request, COMMAND_DELETE_MESSAGE, on_deleted);
    if (errand)
        errand_append(errand);
}

static void on_reaction(struct errand *errand)
{
    struct json_writer writer;
    begin_answer(errand, &writer);
    json_writer_member_string(&writer, "key", errand->command.key);
    end_answer(errand, &writer);
}

static void react(struct request *request, enum command_kind kind)
{
    struct errand *errand = errand_about(request, kind, on_reaction);
    if (!errand)
        return;
    errand->command.key = request_parameter(request, 2);
    errand_append(errand);
}

void reaction_put(struct request *request)
{
    react(request, COMMAND_ADD_REACTION);
}

void reaction_delete(struct request *request)
{
    react(request, COMMAND_REMOVE_REACTION);
}
