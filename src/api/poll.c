/* GET /v1/poll, the side of the session: on the worker that owns it. */
#include "api/poll.h"

#include <assert.h>
#include <stdio.h>

#include "api/blocks.h"
#include "api/desk.h"
#include "api/ticket.h"
#include "api/typing_snapshot.h"
#include "base/err.h"
#include "base/list.h"
#include "base/metric.h"

/* How long a poll waits for a page of the journal before it is answered with what is there. */
#define PAGE_WAIT_MS 10000

struct poll_session {
    UT_hash_handle hh;         /* by the session's key */
    struct reader reader;
    struct ticket *ticket;     /* ref: the poll that waits; NULL: none */
    struct event_id answered;  /* cursor of the last answer */
    struct worker_timer wait;  /* until the waiting poll is answered empty */
    struct letter due;         /* something was queued: look after this turn's dispatch */
    struct link loose;         /* in the table's list of those that no user's limit holds */
    bool due_posted;
    bool opened;               /* the journal has answered */
    bool waiting;              /* the ticket was told to wait */
    bool fresh;                /* opened without a cursor: answered at once */
    bool ended;                /* out of the table */
};

struct poll_table {
    struct poll_session *sessions;
    struct list loose; /* the one longest without a poll first */
    int loose_count;
};

struct poll_table *poll_table_new(void)
{
    struct poll_table *table = calloc(1, sizeof(*table));
    if (table)
        list_init(&table->loose);
    return table;
}

struct poll_table *poll_table_free(struct poll_table *table)
{
    assert(!table || !table->sessions);
    free(table);
    return NULL;
}

static struct poll_session *of_reader(struct reader *reader)
{
    return container_of(reader, struct poll_session, reader);
}

static struct worker *worker_of(const struct poll_session *session)
{
    return session->reader.desk->worker;
}

/* -- answers ------------------------------------------------------------------------------ */

/* How many of the queued frames an answer would tell now: up to `limit`, not counting those made
 * for this session. Each new session is told them again, so that they would leave no room for
 * what moves the cursor. Only a cursor that moves confirms, and a gap has none: it is told
 * together with what moves the cursor, be it beyond `limit`, and waits while that is not there.
 * `*ret_full`: no more would go with them. */
static uint32_t count_ready(const struct poll_session *session, const struct ticket *ticket,
                            bool *ret_full)
{
    const struct subscriber *subscriber = &session->reader.subscriber;
    uint32_t count = 0, limit = (uint32_t)ticket->params.limit;
    bool has_gap = false, moves = false;
    for (; count < subscriber->queue_count && (count < limit || (has_gap && !moves)); count++) {
        const struct frame *frame = queued_get(subscriber_peek(subscriber, count));
        has_gap |= frame->type == EVENT_GAP;
        limit += frame->audience == AUDIENCE_SESSION;
        moves |= event_id_compare(frame->id, session->answered) > 0;
    }
    *ret_full = count >= limit;
    if (has_gap && !moves && count == subscriber->queue_count)
        moves = event_id_compare(subscriber_reached(subscriber), session->answered) > 0;
    return has_gap && !moves ? 0 : count;
}

/* False while nothing was given of the history that comes first. */
static bool has_cursor(const struct poll_session *session)
{
    return session->opened &&
           !(session->reader.history_sent && event_id_is_none(session->answered));
}

/* Moves what is ready into the ticket. */
static void collect(struct poll_session *session, struct ticket *ticket)
{
    struct subscriber *subscriber = &session->reader.subscriber;
    struct event_id cursor = session->answered;
    bool full;
    uint32_t count = count_ready(session, ticket, &full);
    if (count == 0 && subscriber->history_left > 0 && !has_cursor(session)) {
        ticket->err = ERR_UNAVAILABLE;
        return;
    }
    ticket->frames = count ? calloc(count, sizeof(*ticket->frames)) : NULL;
    if (count && !ticket->frames) {
        ticket->err = ERR_MEMORY;
        return;
    }
    while ((uint32_t)ticket->frame_count < count) {
        struct frame *frame = subscriber_take(subscriber);
        ticket->frames[ticket->frame_count++] = frame;
        if (event_id_compare(frame->id, cursor) > 0)
            cursor = frame->id;
    }
    metric_add(METRIC_DELIVERED, ticket->frame_count);
    session->reader.told_again -=
        count < session->reader.told_again ? count : session->reader.told_again;
    if (subscriber->queue_count == 0 && subscriber->history_left == 0 && session->opened) {
        cursor = subscriber_reached(subscriber);
        hall_release(subscriber);
    }
    ticket->cursor = session->answered = cursor;
}

/* Takes the waiting ticket off, to be answered; NULL: none waits. */
static struct ticket *take_ticket(struct poll_session *session)
{
    struct ticket *ticket = session->ticket;
    if (!ticket)
        return NULL;
    session->ticket = NULL;
    ticket->session = NULL;
    worker_timer_remove(&session->wait);
    return ticket;
}

/* The session ends when no poll comes for so long. */
static void start_idling(struct poll_session *session)
{
    worker_timer_set(worker_of(session), &session->reader.timer,
                     session->reader.desk->app->settings->poll_session_ttl_ms);
}

/* The waiting ticket, if any, is answered with what is there. */
static void answer_ticket(struct poll_session *session, int err)
{
    struct ticket *ticket = take_ticket(session);
    if (!ticket)
        return;
    ticket->err = err;
    if (!err)
        collect(session, ticket);
    ticket_answer(ticket);
    if (!session->ended) {
        reader_go_on_with_receipts(&session->reader);
        start_idling(session);
    }
}

/* The waiting ticket, if any, is answered with nothing, not even what is there: with the cursor it
 * came with, so that nothing is confirmed by it. */
static void answer_empty(struct poll_session *session)
{
    struct ticket *ticket = take_ticket(session);
    if (!ticket)
        return;
    if (ticket->params.cursor_state == CURSOR_GIVEN)
        ticket->cursor = ticket->params.cursor;
    else if (has_cursor(session))
        ticket->cursor = session->answered;
    else
        ticket->err = ERR_BUSY; /* where it would have begun is not known yet */
    ticket_answer(ticket);
}

/* No poll waits on a node that is about to go. */
static bool is_draining(const struct poll_session *session)
{
    return server_state(session->reader.desk->app->server) >= SERVER_ENDING;
}

/* Nothing is there but what only repeats, and that is all of it. */
static bool is_quiet(const struct poll_session *session, uint32_t ready)
{
    const struct reader *reader = &session->reader;
    return ready == 0 ||
           (!reader->receipts && reader->subscriber.queue_count == reader->told_again);
}

/* Answers if something is there or nothing has to be waited for. */
static void answer_if_ready(struct poll_session *session)
{
    struct subscriber *subscriber = &session->reader.subscriber;
    if (!session->ticket || !session->opened)
        return;
    if (subscriber->state == SUBSCRIBER_REPLAY)
        hall_replay(subscriber);
    bool full;
    uint32_t ready = count_ready(session, session->ticket, &full);
    bool asked = subscriber->page_pending || reader_asks_receipts(&session->reader);
    if (asked && !full) {
        /* What stands before the replay is told together with its first page. */
        if (!worker_timer_is_set(&session->wait))
            worker_timer_set(worker_of(session), &session->wait, PAGE_WAIT_MS);
        return;
    }
    bool may_wait =
        !session->fresh && session->ticket->params.wait_ms > 0 && !is_draining(session);
    if (is_quiet(session, ready) && may_wait) {
        if (!session->waiting) {
            session->waiting = true;
            worker_timer_set(worker_of(session), &session->wait,
                             session->ticket->params.wait_ms);
            ticket_wait(session->ticket);
        }
        return;
    }
    session->fresh = false;
    answer_ticket(session, 0);
}

static void read_due(struct letter *letter)
{
    struct poll_session *session = container_of(letter, struct poll_session, due);
    session->due_posted = false;
    if (session->ended) {
        answer_empty(session);
        reader_close(&session->reader);
    } else {
        answer_if_ready(session);
    }
}

/* Looks again outside of the call that is running now. */
static void look_later(struct poll_session *session)
{
    if (session->due_posted)
        return;
    session->due_posted = true;
    session->due.on_read = read_due;
    worker_post(worker_of(session), &session->due);
}

static void on_wait_over(struct worker_timer *timer)
{
    answer_ticket(container_of(timer, struct poll_session, wait), 0);
}

/* -- the end ------------------------------------------------------------------------------ */

static bool is_loose(const struct poll_session *session)
{
    return session->loose.next;
}

static void loose_remove(struct poll_session *session)
{
    session->reader.desk->polls->loose_count -= is_loose(session);
    link_remove(&session->loose);
}

static void leave_table(struct poll_session *session)
{
    if (session->ended)
        return;
    session->ended = true;
    loose_remove(session);
    HASH_DEL(session->reader.desk->polls->sessions, session);
}

/* Out of the table at once; freed when its last letter is read. */
static void session_end(struct poll_session *session)
{
    if (session->ended)
        return;
    leave_table(session);
    worker_timer_remove(&session->reader.timer);
    if (session->opened)
        answer_ticket(session, 0);
    else
        answer_empty(session);
    if (!session->due_posted)
        reader_close(&session->reader);
}

void poll_end(struct reader *reader)
{
    assert(reader->is_poll);
    session_end(of_reader(reader));
}

static void on_idle(struct worker_timer *timer)
{
    struct reader *reader = container_of(timer, struct reader, timer);
    if (!of_reader(reader)->ticket)
        session_end(of_reader(reader));
}

/* -- the reader --------------------------------------------------------------------------- */

static void on_queued(struct subscriber *subscriber)
{
    struct poll_session *session = of_reader(reader_of(subscriber));
    if (session->ticket && session->opened)
        look_later(session);
}

static void on_live(struct subscriber *subscriber, bool first)
{
    reader_go_on_with_receipts(reader_of(subscriber));
    look_later(of_reader(reader_of(subscriber)));
    if (!first)
        return;
    reader_watch(reader_of(subscriber));
    typing_snapshot_ask(reader_of(subscriber));
}

static void on_receipts_told(struct reader *reader)
{
    look_later(of_reader(reader));
}

static void on_broken(struct subscriber *subscriber)
{
    struct poll_session *session = of_reader(reader_of(subscriber));
    /* The next poll opens a new one from its cursor, which no answer moves any more. */
    leave_table(session);
    worker_timer_remove(&session->wait);
    look_later(session);
}

static void on_end(struct session *session, const char *code)
{
    session_end(of_reader(container_of(session, struct reader, session)));
}

static void on_renew(struct session *session, struct identity *identity)
{
    reader_renew(container_of(session, struct reader, session), identity);
}

static void on_opened(struct reader *reader, int err, const char *denied_room)
{
    struct poll_session *session = of_reader(reader);
    if (err) {
        if (session->ticket && denied_room)
            snprintf(session->ticket->field, sizeof(session->ticket->field), "%s", denied_room);
        answer_ticket(session, err);
        session_end(session);
        return;
    }
    /* Broken while it took its seats: read_due ends it. */
    if (session->ended)
        return;
    session->opened = true;
    /* While history is left the cursor is the last of it that was given. */
    session->answered = reader->history_sent ? EVENT_ID_NONE : reader->subscriber.position;
    hall_replay(&reader->subscriber);
    answer_if_ready(session);
}

static void on_free(struct reader *reader)
{
    struct poll_session *session = of_reader(reader);
    worker_timer_remove(&session->wait);
    leave_table(session);
    free(session);
}

static const struct reader_ops reader_ops = {
    .subscriber = {
        .on_queued = on_queued,
        .on_page_needed = reader_on_page_needed,
        .on_live = on_live,
        .on_denied = reader_on_denied,
        .on_broken = on_broken,
    },
    .session = {
        .on_end = on_end,
        .on_renew = on_renew,
        .on_closed = reader_on_session_closed,
        .on_told = reader_on_told,
    },
    .on_opened = on_opened,
    .on_free = on_free,
    .on_receipts_told = on_receipts_told,
};

/* -- tickets ------------------------------------------------------------------------------ */

static struct poll_session *session_find(struct desk *desk, const struct ticket *ticket)
{
    struct poll_session *session;
    HASH_FIND(hh, desk->polls->sessions, ticket->key, (unsigned)ticket->key_len, session);
    return session;
}

/* The one longest without a poll is the first to go. */
static void loose_add(struct poll_session *session)
{
    struct poll_table *table = session->reader.desk->polls;
    loose_remove(session);
    if (table->loose_count == POLL_LOOSE_MAX)
        session_end(container_of(list_first(&table->loose), struct poll_session, loose));
    list_append(&table->loose, &session->loose);
    table->loose_count++;
}

static struct poll_session *session_new(struct desk *desk, struct ticket *ticket)
{
    struct poll_session *session = calloc(1, sizeof(*session));
    if (!session || reader_init(&session->reader, &reader_ops, desk, ticket->identity,
                                &ticket->params, span_text(ticket->name)) != 0) {
        free(session);
        return NULL;
    }
    session->reader.is_poll = true;
    session->reader.timer.on_due = on_idle;
    session->wait.on_due = on_wait_over;
    if (ticket->given)
        session_set_unused(&session->reader.session);
    HASH_ADD_KEYPTR(hh, desk->polls->sessions, session->reader.session.by_key.key,
                    session->reader.session.by_key.key_len, session);
    if (map_added(&session->hh))
        return session;
    session->ended = true;
    reader_close(&session->reader);
    return NULL;
}

/* Does the poll go on where the last answer ended? */
static bool goes_on(const struct poll_session *session, const struct ticket *ticket)
{
    return session->opened && ticket->params.cursor_state == CURSOR_GIVEN &&
           event_id_compare(ticket->params.cursor, session->answered) == 0;
}

void poll_arrive(struct desk *desk, struct ticket *ticket)
{
    struct poll_session *session = session_find(desk, ticket);
    bool is_new = !session;
    if (session && !session->opened) {
        /* Its opening is still under way with the older poll: begin anew. */
        session_end(session);
        is_new = true;
    }
    if (is_new)
        session = session_new(desk, ticket);
    if (!session) {
        ticket->err = ERR_BUSY;
        ticket_answer(ticket);
        return;
    }
    reader_register(&session->reader);
    if (ticket->given || ticket->identity->guest) {
        loose_add(session);
    } else if (is_loose(session)) {
        loose_remove(session);
        reader_use(&session->reader);
    }
    /* The newer poll wins. */
    answer_empty(session);
    session->ticket = ticket;
    session->waiting = false;
    ticket->session = session;
    worker_timer_remove(&session->reader.timer);
    reader_renew(&session->reader, ticket->identity);
    if (!is_new && goes_on(session, ticket)) {
        answer_if_ready(session);
        return;
    }
    if (!is_new)
        reader_reopen(&session->reader);
    session->opened = false;
    session->fresh = ticket->params.cursor_state == CURSOR_ABSENT;
    if (reader_open(&session->reader, ticket->identity, &ticket->params) != 0) {
        answer_ticket(session, ERR_BUSY);
        session_end(session);
    }
}

void poll_forget(struct ticket *ticket)
{
    struct poll_session *session = ticket->session;
    if (!session)
        return;
    ticket_answer(take_ticket(session));
    start_idling(session);
}
