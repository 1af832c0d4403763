/* Receipts: who is told of markers that moved.
 *
 * When a receipt is due the journal is asked where the marker stands by then, so that the newest
 * is told, with the unread of that moment, and only where it still may be. */
#include <stdio.h>
#include <stdlib.h>

#include "api/hub_parts.h"
#include "base/metric.h"
#include "store/journal.h"

/* Markers that are asked for at once; the others wait. */
#define READS_MAX 64

struct lookup {
    struct journal_read read;
    struct hub *hub;
    struct receipt *receipt; /* owned */
};

static void tell_due(struct hub *hub);

static void publish(struct hub *hub, const struct frame_spec *spec)
{
    struct frame *frame;
    /* Without memory it is not told: the marker is told again after a resume. */
    if (frame_new(spec, &frame) != 0)
        return;
    signals_publish(hub->signals, frame);
    frame_unref(frame);
}

/* {roomId, userId, upTo}, and of one's own {…, unread, mentions, asOf}. Names need no escapes. */
#define BODY_BYTES_MAX 512

static struct span write_body(char out[BODY_BYTES_MAX], struct span room, struct span user,
                              const struct read_marker *marker)
{
    char upto[EVENT_ID_TEXT_MAX];
    event_id_format(marker->upto, upto);
    int len =
        snprintf(out, BODY_BYTES_MAX, "{\"roomId\":\"%.*s\",\"userId\":\"%.*s\",\"upTo\":\"%s\"}",
                 SPAN_ARGS(room), SPAN_ARGS(user), upto);
    return span_of(out, (size_t)len);
}

static struct span write_own_body(char out[BODY_BYTES_MAX], struct span body,
                                  const struct read_marker *marker, struct event_id as_of)
{
    char id[EVENT_ID_TEXT_MAX];
    event_id_format(as_of, id);
    int len = snprintf(out, BODY_BYTES_MAX,
                       "%.*s,\"unread\":%lld,\"mentions\":%lld,\"asOf\":\"%s\"}", (int)body.len - 1,
                       body.data, (long long)marker->unread, (long long)marker->mentions, id);
    return span_of(out, (size_t)len);
}

static void tell_read(const struct lookup *lookup)
{
    const struct journal_read *read = &lookup->read;
    const struct receipt *receipt = lookup->receipt;
    const struct read_room *room = read->rooms;
    char body[BODY_BYTES_MAX], own[BODY_BYTES_MAX];
    if (read->room_count == 0 || room->role == ROLE_NONE)
        return;
    struct frame_spec spec = {
        .type = EVENT_MESSAGE_READ,
        .audience = AUDIENCE_ROOM,
        .realm = receipt->realm,
        .room = receipt->room,
        .user = receipt->user,
        .body = write_body(body, receipt->room, receipt->user, &room->marker),
    };
    spec.own_body = write_own_body(own, spec.body, &room->marker, read->head);
    if (!receipt->for_others || settings_is_quiet(lookup->hub->settings, room->info.member_count)) {
        spec.audience = AUDIENCE_USER;
        spec.body = spec.own_body;
        spec.own_body = (struct span){NULL, 0};
    }
    publish(lookup->hub, &spec);
}

static void tell_delivered(const struct lookup *lookup)
{
    const struct journal_read *read = &lookup->read;
    char body[BODY_BYTES_MAX];
    for (int i = 0; i < read->receipt_count; i++) {
        const struct read_receipt *told = &read->receipts[i];
        const struct frame_spec spec = {
            .type = EVENT_MESSAGE_DELIVERED,
            .audience = AUDIENCE_ROOM,
            .realm = lookup->receipt->realm,
            .room = told->room,
            .spared_user = told->user,
            .body = write_body(body, told->room, told->user, &told->marker),
        };
        publish(lookup->hub, &spec);
    }
}

static void on_read(struct letter *letter)
{
    struct lookup *lookup = container_of(letter, struct lookup, read.request.letter);
    struct hub *hub = lookup->hub;
    hub->receipts_read--;
    if (lookup->read.request.err)
        metric_add(METRIC_JOURNAL_ERRORS, 1);
    else if (hub->journal && lookup->receipt->room.len)
        tell_read(lookup);
    else if (hub->journal)
        tell_delivered(lookup);
    journal_read_fini(&lookup->read);
    free(lookup->receipt);
    free(lookup);
    tell_due(hub);
}

/* Takes the receipt over. */
static void look_up(struct hub *hub, struct receipt *receipt)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (!lookup) {
        free(receipt);
        return;
    }
    lookup->hub = hub;
    lookup->receipt = receipt;
    lookup->read = (struct journal_read){
        .what = receipt->room.len ? READ_ROOM : READ_DELIVERED,
        .realm = receipt->realm,
        .room = receipt->room,
        .actor.user = receipt->user,
        .after = receipt->after,
    };
    lookup->read.request.letter.on_read = on_read;
    lookup->read.request.home = &hub->mailbox;
    hub->receipts_read++;
    journal_start_read(hub->journal, &lookup->read);
}

static bool is_heard(const struct hub *hub, const struct receipt *receipt)
{
    return receipt->for_others || hub_sessions_has(hub, receipt->realm, receipt->user);
}

static void tell_due(struct hub *hub)
{
    struct receipt *receipt;
    if (!hub->journal)
        return;
    while (hub->receipts_read < READS_MAX &&
           (receipt = receipts_take(&hub->receipts, hub->now_ms))) {
        if (is_heard(hub, receipt))
            look_up(hub, receipt);
        else
            free(receipt);
    }
    int64_t wait_ms = receipts_wait_ms(&hub->receipts, hub->now_ms);
    /* When READS_MAX are under way the next that comes back goes on. */
    if (wait_ms > 0 && !deadline_is_set(&hub->receipts_timer.deadline))
        hub_timer_set(hub, &hub->receipts_timer, wait_ms);
}

static void on_due(struct hub *hub, struct hub_timer *timer)
{
    tell_due(hub);
}

/* -- from the workers ---------------------------------------------------------------------- */

struct note {
    struct letter letter;
    struct hub *hub;
    struct receipt *receipts;
};

static void free_all(struct receipt *receipt)
{
    while (receipt) {
        struct receipt *next = receipt->next;
        free(receipt);
        receipt = next;
    }
}

static void read_note(struct letter *letter)
{
    struct note *note = container_of(letter, struct note, letter);
    struct hub *hub = note->hub;
    while (note->receipts) {
        struct receipt *receipt = note->receipts;
        note->receipts = receipt->next;
        receipts_add(&hub->receipts, receipt, hub->now_ms);
    }
    free(note);
    tell_due(hub);
}

void hub_note_receipts(struct hub *hub, struct receipt *receipts)
{
    struct note *note = receipts ? malloc(sizeof(*note)) : NULL;
    if (!note) {
        free_all(receipts);
        return;
    }
    note->letter.on_read = read_note;
    note->hub = hub;
    note->receipts = receipts;
    hub_post(hub, &note->letter);
}

void hub_receipts_init(struct hub *hub)
{
    receipts_init(&hub->receipts, hub->settings->receipts_coalesce_ms);
    hub->receipts_timer.on_due = on_due;
}

void hub_receipts_fini(struct hub *hub)
{
    receipts_fini(&hub->receipts);
}
