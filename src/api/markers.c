/* Reading: POST /v1/rooms/{room}/read, GET /v1/unread, and who hears of markers that moved. */
#include "api/markers.h"

#include "api/errand.h"
#include "api/hub.h"
#include "base/err.h"
#include "base/limits.h"
#include "core/ident.h"

#define READ_BYTES_MAX 512

/* -- to the hub ----------------------------------------------------------------------------- */

void markers_hand_over(struct desk *desk)
{
    struct receipt *all = NULL, *receipt;
    while ((receipt = receipts_take(&desk->sent, INT64_MAX))) {
        receipt->next = all;
        all = receipt;
    }
    hub_note_receipts(desk->app->hub, all);
}

static void on_gathered(struct worker_timer *timer)
{
    markers_hand_over(container_of(timer, struct desk, sent_timer));
}

void markers_init(struct desk *desk)
{
    receipts_init(&desk->sent, SENT_GATHER_MS);
    desk->sent_timer.on_due = on_gathered;
}

void markers_fini(struct desk *desk)
{
    worker_timer_remove(&desk->sent_timer);
    receipts_fini(&desk->sent);
}

static void gather(struct desk *desk, const struct command *command)
{
    receipts_add(
        &desk->sent,
        receipt_new(command->realm, command->actor.user, command->room, false, EVENT_ID_NONE),
        worker_now_ms(desk->worker));
    if (!worker_timer_is_set(&desk->sent_timer))
        worker_timer_set(desk->worker, &desk->sent_timer, SENT_GATHER_MS);
}

void markers_note(struct desk *desk, const struct command *command)
{
    const struct outcome *outcome = &command->outcome;
    if (command->kind == COMMAND_SEND_MESSAGE && outcome->marker_moved)
        gather(desk, command);
    else if (outcome->marker_moved || outcome->acked)
        hub_note_receipts(desk->app->hub, receipt_new(command->realm, command->actor.user,
                                                      command->room, true, outcome->acked_from));
}

/* -- POST /v1/rooms/{room}/read -------------------------------------------------------------- */

static void on_moved(struct errand *errand)
{
    const struct outcome *outcome = &errand->command.outcome;
    struct json_writer writer;
    markers_note(request_desk(errand->request), &errand->command);
    json_writer_init(&writer, READ_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", errand->command.room);
    json_writer_member_id(&writer, "upTo", outcome->marker.upto);
    json_writer_member_number(&writer, "unread", outcome->marker.unread);
    json_writer_member_number(&writer, "mentions", outcome->marker.mentions);
    json_writer_member_id(&writer, "asOf", outcome->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void room_read(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_moved);
    if (!errand || !errand_body(errand))
        return;
    struct json_reader *reader = &errand->reader;
    struct command *command = &errand->command;
    command->kind = COMMAND_READ;
    struct span upto = json_read_text(reader, "upTo", IDENT_BYTES_MAX);
    if (!reader->err && (!upto.data || event_id_parse(upto, &command->cursor))) {
        command->message_id = upto;
        if (!upto.data || !ident_is_message(upto)) {
            reader->err = upto.data ? ERR_INVALID_IDENTIFIER : ERR_INVALID_FIELD;
            reader->field = "upTo";
        }
    }
    if (reader->err)
        errand_refuse(errand, reader->err, reader->field);
    else
        errand_append(errand);
}

/* -- GET /v1/unread -------------------------------------------------------------------------- */

static void on_unread(struct errand *errand)
{
    const struct journal_read *read = &errand->read;
    int64_t unread = 0, mentions = 0;
    struct json_writer writer;
    json_writer_init(&writer, ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{\"rooms\":[");
    for (int i = 0; i < read->unread_count; i++) {
        const struct read_unread *room = &read->unread[i];
        unread += room->unread;
        mentions += room->mentions;
        json_writer_item(&writer);
        json_writer_add(&writer, "{");
        json_writer_member_string(&writer, "roomId", room->room);
        json_writer_member_number(&writer, "unread", room->unread);
        json_writer_member_number(&writer, "mentions", room->mentions);
        json_writer_add(&writer, "}");
    }
    json_writer_add(&writer, "]");
    json_writer_member_number(&writer, "unread", unread);
    json_writer_member_number(&writer, "mentions", mentions);
    json_writer_member_id(&writer, "asOf", read->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void unread_get(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_unread);
    if (errand)
        errand_read(errand, READ_UNREAD);
}
