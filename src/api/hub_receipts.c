/* Receipts: who is told of markers that moved.
 *
 * When a receipt is due the journal is asked where the marker stands by then, so that the newest
 * is told, with the unread of that moment, and only where it still may be. */
#include <stdlib.h>

#include "api/hub_parts.h"
#include "api/receipt_frame.h"
#include "base/metric.h"
#include "store/journal.h"

/* Markers that are asked for at once; the others wait. */
#define READS_MAX 64

struct lookup {
    struct journal_read read;
    struct hub *hub;
    struct receipt *receipt; /* owned */
};

static void go_on(struct hub *hub);

/* Without memory it is not told: the marker is told again after a resume. */
static void tell(const struct lookup *lookup, const struct read_receipt *receipt, bool own_only)
{
    struct frame *frame;
    if (receipt_frame_new(lookup->receipt->realm, receipt, lookup->read.head, own_only, &frame) !=
        0)
        return;
    signals_publish(lookup->hub->signals, frame);
    frame_unref(frame);
}

static void tell_read(const struct lookup *lookup)
{
    const struct read_room *room = lookup->read.rooms;
    if (lookup->read.room_count == 0 || room->role == ROLE_NONE)
        return;
    const struct read_receipt told = {.type = EVENT_MESSAGE_READ,
                                      .room = lookup->receipt->room,
                                      .user = lookup->receipt->user,
                                      .marker = room->marker};
    bool quiet = settings_is_quiet(lookup->hub->settings, room->info.member_count);
    tell(lookup, &told, quiet || !lookup->receipt->for_others);
}

static void tell_delivered(const struct lookup *lookup)
{
    for (int i = 0; i < lookup->read.receipt_count; i++)
        tell(lookup, &lookup->read.receipts[i], false);
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
    go_on(hub);
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

static bool is_heard(struct hub *hub, const struct receipt *receipt)
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

static void read_flushed(struct letter *letter)
{
    struct hub_flush *flush = container_of(letter, struct hub_flush, letter);
    flush->on_done(flush);
}

/* Without the journal nothing is told any more. */
static void go_on(struct hub *hub)
{
    tell_due(hub);
    if (hub->journal && (hub->receipts_read > 0 || hub->receipts.oldest))
        return;
    while (hub->flushes) {
        struct hub_flush *flush = hub->flushes;
        hub->flushes = flush->next;
        flush->letter.on_read = read_flushed;
        worker_post(flush->home, &flush->letter);
    }
}

static void on_due(struct hub *hub, struct hub_timer *timer)
{
    go_on(hub);
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
    go_on(hub);
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

static void read_flush(struct letter *letter)
{
    struct hub_flush *flush = container_of(letter, struct hub_flush, letter);
    struct hub *hub = flush->hub;
    flush->next = hub->flushes;
    hub->flushes = flush;
    receipts_hurry(&hub->receipts, hub->now_ms);
    go_on(hub);
}

void hub_flush_receipts(struct hub *hub, struct hub_flush *flush)
{
    flush->letter.on_read = read_flush;
    flush->hub = hub;
    hub_post(hub, &flush->letter);
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
