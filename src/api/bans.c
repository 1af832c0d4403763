#include "api/errand.h"
#include "api/shapes.h"
#include "base/err.h"
#include "base/limits.h"

#define BANS_ANSWER_BYTES_MAX 1048576

/* --- the list ------------------------------------------------------------------------------ */

static void write_ban(struct json_writer *writer, const struct read_ban *ban)
{
    json_writer_item(writer);
    shapes_write_person(writer, ban->user, ban->name, ban->data);
    json_writer_reopen(writer);
    json_writer_member_string(writer, "by", ban->by);
    json_writer_member_number(writer, "bannedAt", ban->banned_at_ms);
    if (ban->until_ms)
        json_writer_member_number(writer, "until", ban->until_ms);
    json_writer_member_string(writer, "reason", ban->reason);
    json_writer_add(writer, "}");
}

static void on_bans(struct errand *errand)
{
    const struct journal_read *read = &errand->read;
    struct json_writer writer;
    json_writer_init(&writer, BANS_ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{\"bans\":[");
    for (int i = 0; i < read->ban_count; i++)
        write_ban(&writer, &read->bans[i]);
    json_writer_add(&writer, "]");
    json_writer_member_string(&writer, "next", read->next);
    json_writer_member_id(&writer, "asOf", read->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void bans_get(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_bans);
    if (errand)
        errand_read_users(errand, READ_BANS, BANS_PAGE_MAX);
}

/* --- changing it --------------------------------------------------------------------------- */

/* The messages of one who wrote much are deleted a bounded number at a time. */
static void on_banned(struct errand *errand)
{
    const struct command *command = &errand->command;
    if (command->outcome.more) {
        errand->command.ban.deleted_upto = command->outcome.deleted_upto;
        errand_append_again(errand);
        return;
    }
    struct json_writer writer;
    json_writer_init(&writer, BANS_ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", command->room);
    json_writer_member_string(&writer, "userId", command->target);
    if (command->ban.until_ms)
        json_writer_member_number(&writer, "until", command->ban.until_ms);
    json_writer_member_string(&writer, "reason", command->ban.reason);
    json_writer_member_id(&writer, "asOf", command->outcome.head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void ban_put(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_banned);
    if (!errand || !errand_body(errand))
        return;
    struct json_reader *reader = &errand->reader;
    errand->command.kind = COMMAND_BAN;
    errand->command.target = request_parameter(request, 1);
    errand->command.ban = (struct ban_spec){
        .until_ms = json_read_number(reader, "until", 1, TIME_MS_MAX, 0),
        .reason = json_read_text(reader, "reason", BAN_REASON_BYTES_MAX),
        .delete_messages = json_read_bool(reader, "deleteMessages", false),
    };
    if (reader->err)
        errand_refuse(errand, reader->err, reader->field);
    else
        errand_append(errand);
}

static void on_lifted(struct errand *errand)
{
    errand_answer_change(errand, errand->command.target);
}

void ban_delete(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_lifted);
    if (!errand)
        return;
    errand->command.kind = COMMAND_LIFT_BAN;
    errand->command.target = request_parameter(request, 1);
    errand_append(errand);
}
