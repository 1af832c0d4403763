#include "api/errand.h"
#include "api/markers.h"
#include "base/err.h"

#define ACK_BYTES_MAX 512

static void on_noted(struct errand *errand)
{
    const struct command *command = &errand->command;
    struct json_writer writer;
    markers_note(request_desk(errand->request), command);
    json_writer_init(&writer, ACK_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_id(&writer, "cursor", command->outcome.cursor);
    json_writer_member_string(&writer, "device", command->device);
    json_writer_member_id(&writer, "asOf", command->outcome.head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void acks_post(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_noted);
    if (!errand || !errand_body(errand))
        return;
    struct json_reader *reader = &errand->reader;
    struct command *command = &errand->command;
    command->kind = COMMAND_ACK;
    command->device = json_read_ident(reader, "device");
    struct span cursor = json_read_text(reader, "cursor", EVENT_ID_TEXT_MAX);
    if (!reader->err && (!cursor.data || event_id_parse(cursor, &command->cursor))) {
        reader->err = ERR_INVALID_FIELD;
        reader->field = "cursor";
    }
    if (reader->err) {
        errand_refuse(errand, reader->err, reader->field);
        return;
    }
    errand_append(errand);
}
