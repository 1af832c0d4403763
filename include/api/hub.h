/* The hub: the sessions of the whole process, on a thread of its own.
 *
 * WHY    a session is one, on whatever worker its connection is: a newer one of the same name
 *        takes its place, a user has a bounded number, and a request on any worker can end it or
 *        renew its token.
 * MODEL  a session is embedded in its reader. Worker and hub talk by letters only:
 *
 *            worker                      hub
 *            hub_open  ---------------->  in the tables; may end older ones
 *            on_end    <----------------  replaced, too_many_sessions, logged_out
 *            hub_close ---------------->  out of the tables
 *            on_closed <----------------  nobody points at it any more: free it
 *
 *        Letters from the hub to a worker stay in order, so on_end and on_renew never come after
 *        on_closed.
 * BOUNDS limits.sessions of one user (the oldest is ended); guests share a name and are not
 *        counted: their streams are bounded as connections, their polls by api/poll.h, as are
 *        sessions whose given name is not used.
 * Floor: api. hub_* are called on a worker's thread, callbacks run on the session's worker. */
#ifndef TIDINGS_API_HUB_H
#define TIDINGS_API_HUB_H

#include "api/token.h"
#include "base/table.h"
#include "core/presence.h"
#include "net/worker.h"

struct frame;
struct hub;
struct hub_user;
struct journal;
struct receipt;
struct session;
struct settings;
struct signals;
struct watchers;

struct session_ops {
    /* End it with `ended {code}`; once at most. */
    void (*on_end)(struct session *session, const char *code);
    /* A new token; the identity is borrowed for the call. */
    void (*on_renew)(struct session *session, struct identity *identity);
    void (*on_closed)(struct session *session);
    /* An ephemeral frame for it alone, borrowed for the call; comes in order with the others. */
    void (*on_told)(struct session *session, struct frame *frame);
};

/* Whose presence a session is told. */
enum session_shows {
    SESSION_SHOWS_ROOMS,      /* people in a common room, and who was subscribed to */
    SESSION_SHOWS_SUBSCRIBED, /* only who was subscribed to */
    SESSION_SHOWS_NONE,
};

/* Where a session lives: one for each worker. */
struct session_home {
    struct worker *worker;
    struct hub *hub;
};

/* Why it ends. */
enum session_end {
    SESSION_GOES_ON,
    SESSION_REPLACED,
    SESSION_TOO_MANY,
    SESSION_LOGGED_OUT,
    SESSION_WITHOUT_MEMORY,
};

struct session {
    const struct session_ops *ops;
    const struct session_home *home; /* borrowed */
    uint16_t realm_len;
    uint16_t user_len;     /* of realm NUL user */
    bool counted;          /* no guest, and not `unused` */
    bool unused;           /* nobody has come with its name yet: it can be found, no more */
    bool quiet;            /* does not make its user online. Set before it is opened */
    uint8_t shows;         /* enum session_shows; likewise */
    /* the hub's */
    bool snapshot_wanted;  /* when its user is loaded */
    uint8_t end;           /* enum session_end */
    struct presence_session presence;
    uint64_t watches;      /* moment of its snapshot, from which on it is told what changes; 0: it
                              has had none */
    struct table_link by_key;  /* realm NUL user NUL name; owned, ended by NUL */
    struct table_link by_name; /* several users may have one of the same name */
    struct hub_user *of;   /* NULL while it is not in the tables */
    struct session *previous, *next; /* of the same user, oldest first */
    struct letter opening, closing; /* come back as on_end and on_closed */
};

static inline const char *session_realm(const struct session *session)
{
    return session->by_key.key;
}
static inline const char *session_user(const struct session *session)
{
    return session->by_key.key + session->realm_len + 1;
}
static inline const char *session_name(const struct session *session)
{
    return session->by_name.key;
}

/* Both are borrowed for life. ERR_MEMORY, ERR_IO. */
MUST_CHECK int hub_new(const struct settings *settings, struct signals *signals,
                       struct hub **ret);
/* Before the workers start. Borrowed until hub_forget_journal. */
void hub_use_journal(struct hub *hub, struct journal *journal);
/* Likewise; borrowed for life. */
void hub_use_watchers(struct hub *hub, struct watchers *watchers);
/* After the workers have stopped, before the journal is closed: writes what has to be kept of those
 * who are here, and waits until the hub asks the journal for nothing any more. What it was asked
 * for is still to be finished. NULL is fine. */
void hub_forget_journal(struct hub *hub);
/* After the workers have stopped and the journal was closed: the thread ends, and what is still
 * asked of the hub is done by hub_settle on the caller's. NULL and repeats are fine. */
void hub_stop(struct hub *hub);
/* Reads the letters that have come since; without any, answers those who wait for what the journal
 * cannot tell any more. True if there was something. */
bool hub_settle(struct hub *hub);
/* When nobody is left who posts to it. Sessions still inside are closed. */
struct hub *hub_free(struct hub *hub);

/* What was committed, from the journal's follower: hands on what the hub wants of it. The frames
 * are borrowed for the call; none at all: some were lost. */
void hub_news(struct hub *hub, struct frame *const *frames, int count);

#define SESSION_NAME_BYTES 33

/* A name for a session whose client has chosen none: 32 hexadecimal digits and NUL in `out`. */
struct span session_name_make(char out[SESSION_NAME_BYTES]);
/* Fills a zeroed session; ERR_MEMORY. */
MUST_CHECK int session_init(struct session *session, const struct session_ops *ops,
                            const struct session_home *home, const struct identity *identity,
                            struct span name);
/* Before it is opened: its name was given, and nobody has come with it yet. */
static inline void session_set_unused(struct session *session)
{
    session->unused = session->counted;
    session->counted = false;
}
/* Only what session_init made; for one that was never opened, or after on_closed. */
void session_fini(struct session *session);
void hub_open(struct session *session);
void hub_close(struct session *session);
/* Somebody has come with the name of a session that is open: it counts from here on. False: out of
 * memory. */
MUST_CHECK bool hub_use(struct session *session);
/* Tells an open session what is shown of its user and of those of its people who are not offline,
 * and whatever changes from then on. False: out of memory. */
MUST_CHECK bool hub_watch(struct session *session);

enum session_action { SESSION_END, SESSION_RENEW };

/* A request about a session that may be anywhere. Embedded; the caller keeps it until on_done. */
struct session_call {
    enum session_action action;
    struct worker *home;
    struct identity *identity; /* of the caller. Borrowed */
    struct span name;
    /* ERR_OK; ERR_NOT_ALLOWED: a session of that name is another's; ERR_NOT_FOUND. */
    void (*on_done)(struct session_call *call, int err);
    /* the hub's */
    struct hub *hub;
    struct session *session;
    int err;
    struct letter letter;
};
void hub_call(struct hub *hub, struct session_call *call);

/* Markers that moved, linked by `next`; taken over. Each is told within receipts.coalesce_ms. */
void hub_note_receipts(struct hub *hub, struct receipt *receipts);

/* Somebody who waits until what was noted is told. Embedded; the caller keeps it until on_done,
 * which runs on the worker `home` behind what is told. */
struct hub_flush {
    struct worker *home;
    void (*on_done)(struct hub_flush *flush);
    /* the hub's */
    struct hub *hub;
    struct hub_flush *next;
    struct letter letter;
};
/* The process is about to end: markers are told at once from here on. */
void hub_flush_receipts(struct hub *hub, struct hub_flush *flush);

#endif
