/* GET /v1/sync: what an app that comes to the foreground has missed, in one answer: the events
 * after its cursor, as a stream would replay them, and the rooms that have changed.
 *
 * The journal is asked in steps, each an errand of the same request:
 *
 *          open -> page -> page ... -> rooms -> presence -> answer
 *
 * The rooms are read last, so that they contain every event that is given. */
#include "api/blocks.h"
#include "api/presence.h"
#include "api/query.h"
#include "api/shapes.h"
#include "base/err.h"

#define SYNC_LIMIT_MAX 500
#define SYNC_BYTES_MAX (4u << 20) /* of events; beyond it the rest is for the next one */

/* What the steps before have found; the newest step first. */
struct found {
    const struct journal_open *open;
    const struct journal_page *last; /* NULL: no page was read */
    int event_count;
    size_t bytes;
    int gap_count; /* of the pages */
};

static struct found look_back(const struct errand *errand)
{
    struct found found = {NULL, NULL, 0, 0, 0};
    for (; errand; errand = errand->before) {
        if (errand->kind == ERRAND_OPEN)
            found.open = &errand->open;
        if (errand->kind != ERRAND_PAGE)
            continue;
        if (!found.last)
            found.last = &errand->page;
        found.event_count += errand->page.frame_count;
        found.gap_count += errand->page.gap_count;
        for (int i = 0; i < errand->page.frame_count; i++)
            found.bytes += errand->page.frames[i]->size;
    }
    return found;
}

/* The request was found well-formed when it came. */
static int limit_of(const struct errand *errand)
{
    struct query_reader reader = {.request = errand->request};
    return (int)query_read_number(&reader, "limit", 1, SYNC_LIMIT_MAX, SYNC_LIMIT_MAX);
}

static struct event_id cursor_of(const struct found *found)
{
    return found->last ? found->last->upto : found->open->head;
}

static bool has_more(const struct found *found)
{
    return found->last && event_id_compare(found->last->upto, found->last->head) < 0;
}

/* -- the answer --------------------------------------------------------------------------- */

static void write_frame(struct json_writer *writer, struct frame *frame)
{
    json_writer_item(writer);
    if (frame)
        json_writer_add_span(writer, frame_json(frame));
    else if (!writer->err)
        writer->err = ERR_MEMORY;
    frame_unref(frame);
}

static void write_gaps(struct json_writer *writer, const struct journal_gap *gaps, int count)
{
    for (int i = 0; i < count; i++)
        write_frame(writer, block_gap(&gaps[i]));
}

/* The oldest step first. */
static void write_pages(struct json_writer *writer, const struct errand *errand)
{
    if (errand->before)
        write_pages(writer, errand->before);
    if (errand->kind != ERRAND_PAGE)
        return;
    write_gaps(writer, errand->page.gaps, errand->page.gap_count);
    for (int i = 0; i < errand->page.frame_count; i++)
        write_frame(writer, frame_ref(errand->page.frames[i]));
}

static void write_events(struct json_writer *writer, const struct errand *errand,
                         const struct journal_open *open)
{
    bool is_ahead = open->verdict == OPEN_RESET_AHEAD;
    json_writer_member(writer, "events");
    json_writer_add(writer, "[");
    if (is_ahead || open->verdict == OPEN_RESET_FOREIGN)
        write_frame(writer, block_reset(is_ahead, open->head));
    write_gaps(writer, open->gaps, open->gap_count);
    write_pages(writer, errand);
    json_writer_add(writer, "]");
}

static void answer(struct errand *errand)
{
    const struct journal_read *read = presence_asked_of(errand);
    struct found found = look_back(errand);
    struct json_writer writer;
    json_writer_init(&writer, ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{");
    shapes_write_rooms(errand, &writer, read);
    presence_write_list(errand, &writer);
    write_events(&writer, errand, found.open);
    json_writer_member_id(&writer, "cursor", cursor_of(&found));
    json_writer_member_number(&writer, "unread", read->unread_sum);
    json_writer_member_number(&writer, "mentions", read->mention_sum);
    if (has_more(&found))
        json_writer_add(&writer, ",\"more\":true");
    json_writer_member_id(&writer, "asOf", read->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

static void on_rooms(struct errand *errand)
{
    presence_ask_of_pairs(errand, answer);
}

/* -- the steps ---------------------------------------------------------------------------- */

static void read_rooms(struct errand *before)
{
    struct found found = look_back(before);
    struct errand *errand = errand_after(before, on_rooms);
    if (!errand)
        return;
    if (found.open->verdict == OPEN_RESUMED)
        errand->read.after = found.open->start;
    errand->read.limit = ROOMS_PAGE_MAX;
    errand_read(errand, READ_ROOMS_CHANGED);
}

/* The gaps that were told already, so that no page tells them again. */
static bool add_told(struct errand *errand, const struct found *found)
{
    int count = found->open->gap_count + found->gap_count;
    struct journal_gap *told =
        arena_alloc(&errand->request->arena, (size_t)count * sizeof(*told) + 1);
    if (!told)
        return false;
    int at = 0;
    for (const struct errand *step = errand->before; step; step = step->before) {
        const struct journal_gap *gaps =
            step->kind == ERRAND_PAGE ? step->page.gaps : step->open.gaps;
        int step_count = step->kind == ERRAND_PAGE ? step->page.gap_count : step->open.gap_count;
        if (step_count)
            memcpy(told + at, gaps, (size_t)step_count * sizeof(*told));
        at += step_count;
    }
    errand->page.told = told;
    errand->page.told_count = count;
    return true;
}

static void on_page(struct errand *errand);

static void read_page(struct errand *before, struct event_id after)
{
    struct found found = look_back(before);
    struct errand *errand = errand_after(before, on_page);
    if (!errand)
        return;
    if (!add_told(errand, &found)) {
        errand_refuse(errand, ERR_MEMORY, NULL);
        return;
    }
    errand->page.after = after;
    errand->page.events_max = limit_of(before) - found.event_count;
    errand->page.bytes_max = SYNC_BYTES_MAX - found.bytes;
    errand_page(errand);
}

static void on_page(struct errand *errand)
{
    struct found found = look_back(errand);
    if (has_more(&found) && found.event_count < limit_of(errand) && found.bytes < SYNC_BYTES_MAX)
        read_page(errand, found.last->upto);
    else
        read_rooms(errand);
}

static void on_open(struct errand *errand)
{
    if (errand->open.verdict == OPEN_RESUMED)
        read_page(errand, errand->open.replay_from);
    else
        read_rooms(errand);
}

void sync_get(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_open);
    if (!errand)
        return;
    struct query_reader reader = {.request = request};
    struct span since = query_read_text(&reader, "since");
    query_read_number(&reader, "limit", 1, SYNC_LIMIT_MAX, SYNC_LIMIT_MAX);
    if (reader.err) {
        errand_refuse(errand, reader.err, reader.field);
        return;
    }
    errand->open.cursor_state = CURSOR_ABSENT;
    if (since.len > 0)
        errand->open.cursor_state =
            event_id_parse(since, &errand->open.cursor) ? CURSOR_MALFORMED : CURSOR_GIVEN;
    errand->open.replay_max = request_app(request)->settings->replay_max_events;
    errand_open(errand);
}
