#include "api/errand.h"
#include "api/query.h"
#include "base/err.h"
#include "base/limits.h"

#define HISTORY_LIMIT_DEFAULT 50

static void on_page(struct errand *errand)
{
    const struct journal_history *history = &errand->history;
    struct json_writer writer;
    json_writer_init(&writer, ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{\"messages\":[");
    for (int i = 0; i < history->message_count; i++) {
        json_writer_item(&writer);
        json_writer_add_span(&writer, history->messages[i]);
    }
    json_writer_add(&writer, "]");
    if (!event_id_is_none(history->next_before))
        json_writer_member_id(&writer, "nextBefore", history->next_before);
    if (!event_id_is_none(history->next_after))
        json_writer_member_id(&writer, "nextAfter", history->next_after);
    if (history->incomplete)
        json_writer_add(&writer, ",\"incomplete\":true");
    json_writer_member_id(&writer, "asOf", history->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void messages_get(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_page);
    if (!errand)
        return;
    struct query_reader reader = {.request = request};
    struct journal_history *history = &errand->history;
    history->before = query_read_position(&reader, "before");
    history->after = query_read_position(&reader, "after");
    history->around = query_read_position(&reader, "around");
    history->thread = query_read_message(&reader, "thread");
    history->limit = (int)query_read_number(&reader, "limit", 1, HISTORY_LIMIT_MAX,
                                            HISTORY_LIMIT_DEFAULT);
    if (!reader.err && history->around.data && (history->before.data || history->after.data)) {
        reader.err = ERR_INVALID_PARAMETER;
        reader.field = "around";
    }
    if (reader.err) {
        errand_refuse(errand, reader.err, reader.field);
        return;
    }
    errand_history(errand);
}

static void on_message(struct errand *errand)
{
    const struct journal_history *history = &errand->history;
    if (history->message_count == 0) {
        errand_refuse(errand, ERR_NOT_FOUND, NULL);
        return;
    }
    struct json_writer writer;
    json_writer_init(&writer, ANSWER_BYTES_MAX);
    json_writer_add_span(&writer, history->messages[0]);
    json_writer_reopen(&writer);
    json_writer_member_id(&writer, "asOf", history->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void message_get(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_message);
    if (!errand)
        return;
    errand->history.message_id = request_parameter(request, 1);
    errand->history.limit = 1;
    errand_history(errand);
}
