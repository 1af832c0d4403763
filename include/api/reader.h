/* A reader: a session that receives events, by a stream or by long-polls.
 *
 * WHY    streams and polls follow the same rules to the letter, so what they share is here:
 *        parameters, the opening in the journal, pages, sessions, the end.
 * MODEL
 *          reader_new -> reader_open -> (journal) -> on_opened: entered the hall, blocks queued
 *                                                 \-> on_opened(err): reader_close
 *          ... subscriber's life (core/subscriber.h) ...
 *          reader_close -> left the hall; freed when no letter and no page is on its way
 *
 * BOUNDS those of the subscriber; a page at a time; an id for each message of history that is
 *        still to come, HISTORY_MESSAGES_MAX at most.
 * Floor: api. On its worker's thread. */
#ifndef TIDINGS_API_READER_H
#define TIDINGS_API_READER_H

#include "api/app.h"
#include "api/hub.h"
#include "api/told.h"
#include "core/hall.h"

/* What a client asks of its reader. In the request's arena, or where it was copied. */
struct reader_params {
    enum cursor_state cursor_state;
    struct event_id cursor;
    bool all;                     /* no `rooms` was given */
    struct follow_room *rooms;    /* `rooms` and `watch`, without repeats */
    int room_count;
    struct span session;          /* data NULL: none was named */
    struct span device;           /* data NULL: none */
    int history;
    bool quiet, unnamed;
    enum session_shows shows;
    int64_t heartbeat_ms;
    int64_t wait_ms;              /* polls */
    int limit;                    /* polls: events of an answer */
};

struct reader;

struct reader_ops {
    struct subscriber_ops subscriber;
    struct session_ops session;
    /* The journal has answered: entered and queued what comes before the replay, or `err` and
     * nothing of it. `denied_room` (may be NULL) is at fault. */
    void (*on_opened)(struct reader *reader, int err, const char *denied_room);
    /* Nobody points at it any more; frees what the owner embeds it in. */
    void (*on_free)(struct reader *reader);
    /* All receipts were told again: see reader_go_on_with_receipts. */
    void (*on_receipts_told)(struct reader *reader);
};

/* What it named; one allocation. Constant, since pages under way read it on other threads; they
 * hold references, all on the reader's own thread. */
struct reader_rooms {
    int refs;
    int count;
    struct follow_room rooms[];
};

struct reader_history;

struct reader {
    struct subscriber subscriber;
    struct desk *desk;
    struct identity *identity;    /* ref: the newest; NULL: it is open, and is granted nothing */
    int64_t expires_at_s;         /* of its token */
    struct session session;
    struct reader_rooms *named;   /* ref; NULL: none */
    struct told *told;            /* gaps, while it is fed from the journal; owned, NULL: none */
    struct reader_history *history; /* owned: what is left of it; NULL: none */
    struct reader_receipts *receipts; /* owned: those that are to be told again; NULL: none */
    struct worker_timer timer;    /* the owner's */
    struct reader *previous, *next; /* all of the desk */
    uint32_t told_again;          /* frames at the front of the queue that only repeat */
    uint32_t heartbeat_ms;
    uint8_t journal_requests;     /* under way */
    uint8_t generation;           /* raised by reader_reopen: older pages are not for it */
    bool is_poll;
    bool in_hub;
    bool hub_closing;             /* waits for on_closed */
    bool closed;                  /* reader_close was called */
    bool resuming;                /* opened with a cursor that holds */
    bool history_sent;            /* it was opened with history */
    bool ending;                  /* the owner's: the last block is queued */
};

/* ERR_INVALID_PARAMETER, ERR_INVALID_IDENTIFIER with *ret_field. The token's grants are looked
 * up for each room. */
MUST_CHECK int reader_params_parse(struct request *request, bool is_poll,
                                   struct reader_params *ret, const char **ret_field);

/* Initialises the zeroed reader that the caller embeds. A name is made when it has none; of
 * `params` only what the session is counts here. ERR_MEMORY. */
MUST_CHECK int reader_init(struct reader *reader, const struct reader_ops *ops, struct desk *desk,
                           struct identity *identity, const struct reader_params *params,
                           struct span name);
/* Asks the journal; ops->on_opened follows, never inside. `params` is copied. ERR_MEMORY. */
MUST_CHECK int reader_open(struct reader *reader, struct identity *identity,
                           const struct reader_params *params);
/* Makes it known to the hub, which may end others for it. */
void reader_register(struct reader *reader);
/* Somebody has come with the name that was given to it. */
void reader_use(struct reader *reader);
/* A newer token of its user; what it grants counts from here on. */
void reader_renew(struct reader *reader, struct identity *identity);
/* Leaves the hall to be opened again at another cursor; queued frames are dropped. */
void reader_reopen(struct reader *reader);
/* Leaves everything; ops->on_free follows, maybe inside. Repeats are fine. */
void reader_close(struct reader *reader);

/* The parts of ops->subscriber that are the same for both. */
void reader_on_page_needed(struct subscriber *subscriber);
void reader_on_denied(struct subscriber *subscriber, const char *room, int err);
/* Live, and whenever its queue was taken from: goes on with the receipts that are told again after
 * a resume. False when there were none; else ops->on_receipts_told follows after the last, maybe
 * inside. */
bool reader_go_on_with_receipts(struct reader *reader);
/* The journal is asked for them now. */
bool reader_asks_receipts(const struct reader *reader);
/* ops->session.on_closed and on_told. */
void reader_on_session_closed(struct session *session);
void reader_on_told(struct session *session, struct frame *frame);
/* Has the hub tell who is there, when it is both registered and live. From on_live, for the
 * first time. */
void reader_watch(struct reader *reader);

/* Queues a frame and drops the caller's reference; NULL is fine and queues nothing. */
void reader_push(struct reader *reader, struct frame *frame);
/* When the token has run out, by the wheel's clock: milliseconds from now, at least 0. */
int64_t reader_expires_in_ms(const struct reader *reader);

static inline struct reader *reader_of(struct subscriber *subscriber)
{
    return container_of(subscriber, struct reader, subscriber);
}

static inline const struct reader_ops *reader_ops_of(const struct reader *reader)
{
    return container_of(reader->subscriber.ops, const struct reader_ops, subscriber);
}

#endif
