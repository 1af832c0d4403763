/* The journal: where everything durable is decided, ordered and kept.
 *
 * WHY    every durable event has one place in one order per realm; what a client may see at each
 *        position is answered from the same data that put it there.
 * MODEL  asynchronous requests. The caller fills a request and starts it; the journal finishes
 *        each exactly once by pushing its letter into `home`, so that letter.on_read runs on the
 *        thread that asked, never inside the call. Until then the request and all it borrows
 *        stay in place. Results live in the request's arena.
 *        What was committed is told to the follower, in journal order, one call at a time.
 *
 *          append   commands -> outcomes, events, news for the follower
 *          open     where does this reader start, what may it see, what has it lost
 *          page     the next events after a position that this reader may see
 *          history  a page of a room's messages
 *          read     the state of rooms and members
 *
 * BOUNDS a page by events and bytes; a request's arena by ARENA_BYTES_MAX of journal.c; requests
 *        under way by `JOURNAL_QUEUE_MAX`, beyond it they finish with ERR_BUSY.
 * Floor: store. Requests are started from any thread. */
#ifndef TIDINGS_STORE_JOURNAL_H
#define TIDINGS_STORE_JOURNAL_H

#include "base/arena.h"
#include "base/mailbox.h"
#include "base/settings.h"
#include "core/command.h"
#include "core/frame.h"
#include "core/grant.h"

#define JOURNAL_QUEUE_MAX 65536

struct journal;

/* Common to all requests. `letter.on_read` and `home` are set by the caller. */
struct journal_request {
    struct letter letter;
    struct mailbox *home;
    int kind;           /* the backend's own, while it is under way */
    int err;            /* of the request as a whole: ERR_UNAVAILABLE, ERR_BUSY, ERR_IO, … */
    struct arena arena; /* results; empty before */
};

/* Commands are carried out in order, each with its own outcome; one that fails does not stop
 * the rest unless `ordered`, then the rest have ERR_AGAIN (not tried). Answered once all that
 * was done is durable.
 * So that others are not kept waiting, none is begun after APPEND_EVENTS_MAX events were made or
 * rewritten: those from `done` on are for another append. */
struct journal_append {
    struct journal_request request;
    struct command *commands; /* borrowed; outcomes are written into them */
    int count;
    int done;                 /* of them, without an error of the request: at least one */
    bool ordered;
    int64_t started_us;       /* set by the journal */
};

/* What a reader follows. */
struct follow_room {
    struct span room;
    unsigned grants; /* GRANT_* of the token for it */
};

struct follow_spec {
    struct span realm, user;
    bool all;                        /* every room the user is a member of */
    const struct follow_room *rooms; /* named: as a member, else as a watcher if it may be read */
    int room_count;
};

enum cursor_state { CURSOR_ABSENT, CURSOR_GIVEN, CURSOR_MALFORMED };

enum open_verdict {
    OPEN_FRESH,         /* no cursor: live from the head */
    OPEN_RESUMED,       /* from the cursor */
    OPEN_RESET_FOREIGN, /* the cursor is none of this journal's, or no cursor at all */
    OPEN_RESET_AHEAD,   /* the cursor is above the head */
};

enum gap_reason { GAP_EXPIRED, GAP_LOST, GAP_LIMIT };

/* Events with after < id < before are missing in this room. */
struct journal_gap {
    struct span room; /* data NULL: any room */
    struct event_id after, before;
    enum gap_reason reason;
};

struct open_room {
    struct span room;
    bool member;
    bool named;                /* stands in follow.rooms */
    bool readable;             /* also without membership: public or granted, and not banned */
    struct event_id watch_since; /* a watcher is shown nothing at or below it */
    int64_t member_count;
};

struct open_denied {
    struct span room;
    int err;     /* ERR_NOT_FOUND, ERR_NOT_A_MEMBER, ERR_BANNED */
    bool banned; /* also where `err` keeps that there is such a room */
};

/* All of it is true at `head`, in one snapshot. */
struct journal_open {
    struct journal_request request;
    /* asked */
    struct follow_spec follow;
    struct actor actor;       /* the user's name and data as the token has them */
    const struct grants *granted; /* to the user, in whatever room; NULL: none */
    enum cursor_state cursor_state;
    struct event_id cursor;
    struct span device;       /* data NULL: none. Without a cursor its acknowledged one is taken;
                                 a device that is new is given the head, durably */
    int history;              /* with no cursor: newest messages of each room, 0 to 100 */
    int64_t replay_max;       /* events */
    /* found */
    enum open_verdict verdict;
    struct event_id head;     /* last entry of the realm, 0-0 if none */
    uint64_t head_number;     /* its dense number */
    int64_t unread, mentions; /* of the user, in all rooms together */
    struct event_id start;    /* the cursor in force: given, the device's, or the head */
    struct event_id replay_from; /* read pages from here: start, or above it (gap "limit") */
    struct open_room *rooms;
    int room_count;
    struct open_denied *denied;
    int denied_count;
    struct journal_gap *gaps;
    int gap_count;
    struct event_id *history_ids; /* of the messages to begin with, oldest first; see `ids` of a
                                     page */
    int history_count;            /* at most HISTORY_MESSAGES_MAX: the newest */
    bool profile_changed;     /* the actor's name or data differ from what is kept */
};

struct journal_page {
    struct journal_request request;
    /* asked */
    struct follow_spec follow;
    struct event_id after;
    const struct event_id *ids; /* borrowed. Not NULL: these events, which its open has named,
                                   rather than those above `after`; what is no longer kept is
                                   passed over. Nothing is found but frames and ids_read */
    int id_count;
    struct span spared_session; /* leave out what this session is spared; data NULL: nothing */
    int events_max;             /* at least 1 */
    size_t bytes_max;           /* on the wire; one event is always given */
    const struct journal_gap *told; /* borrowed: gaps told on this way before, by the open or
                                       by earlier pages, the last of each room. Left out when it
                                       reaches no further: what was trimmed is told once */
    int told_count;
    /* found */
    struct frame **frames;      /* refs, in order; owned by the request. The `own` encoding is
                                   resolved: each frame is as this user sees it */
    int frame_count;
    int ids_read;               /* how many of `ids` are done with */
    struct event_id upto;       /* everything visible with after < id <= upto is in frames */
    struct event_id head;       /* last entry when the page was read; complete if upto == head */
    struct journal_gap *gaps;   /* what is no longer kept between after and upto */
    int gap_count;
};

/* A page of history, or one message. Bounds are ids or messageIds. */
struct journal_history {
    struct journal_request request;
    /* asked */
    struct span realm, room;
    struct actor actor;
    struct span before, after, around; /* data NULL: none. `around` stands alone; before and
                                          after together are the bounds of a gap: oldest first,
                                          after < id < before, next_after while there are more */
    struct span thread;                /* only replies of this message; data NULL: all */
    struct span message_id;            /* one message only; data NULL: a page */
    int limit;                         /* 1 to HISTORY_LIMIT_MAX */
    /* found */
    struct span *messages;             /* JSON objects: a new_message's members and more */
    int message_count;
    struct event_id next_before, next_after; /* 0-0: none */
    bool incomplete;                   /* the room has older ones that are no longer kept */
    struct event_id head;              /* for `asOf` */
};

enum read_what {
    READ_ROOM,          /* room -> one entry; not found if it may not be seen */
    READ_ROOMS_OF_USER, /* actor.user, from, limit -> entries */
    READ_ROOMS_CHANGED, /* actor.user, after, from, limit -> entries that have events above `after`,
                           and the sums of what is unread in all */
    READ_MEMBERS,       /* room, from, limit -> members */
    READ_UNREAD,        /* actor.user -> unread: every room that has any */
    READ_RECEIPTS,      /* actor.user, from, since_ms -> receipts, next: what has moved since */
    READ_DELIVERED,     /* actor.user, after -> receipts of the user's own, of all small rooms
                           with messages between that and what the user has acknowledged */
    READ_BANS,          /* room, from, limit -> bans */
    READ_BLOCKS,        /* actor.user, from, limit -> blocks; with user: of that one, or none */
    READ_ACCESS,        /* command -> may it be done (ephemeral sends) */
    READ_PRESENCE,      /* actor.user -> presence: what is kept of it, and its rooms */
    READ_CHOICES,       /* likewise without the rooms */
    READ_PEOPLE,        /* users -> people: those of them that the actor may know about */
};

struct read_room {
    struct room_info info;
    enum role role;       /* of the asker; ROLE_NONE: not in it */
    enum notify notify;   /* likewise */
    const struct room_person *pair; /* ROOM_DIRECT: both; NULL: of another kind */
    struct span last_message; /* JSON object of the newest message that the asker may read; data
                                 NULL: none */
    int64_t last_message_ms;  /* its timestamp, 0: none */
    struct read_marker marker; /* of a member */
};

struct read_unread {
    struct span room;
    int64_t unread, mentions;
};

/* A marker that others, or the user's own sessions, are told of. Of others in rooms of at most
 * rooms.quiet_limit members. */
struct read_receipt {
    enum event_type type;      /* EVENT_MESSAGE_READ, EVENT_MESSAGE_DELIVERED */
    struct span room, user;
    struct read_marker marker; /* counts only of one's own EVENT_MESSAGE_READ */
};

struct read_member {
    struct span user;
    enum role role;
    int64_t joined_at_ms;
    int64_t muted_until_ms; /* 0: not muted */
    struct span name, data; /* data NULL: none */
    bool is_asker;
    enum notify notify;     /* for the asker alone */
};

struct read_block {
    struct span user, name, data; /* name.data, data.data NULL: none */
    int64_t blocked_at_ms;
};

struct read_ban {
    struct span user, name, data; /* name.data, data.data NULL: none */
    struct span by, reason;       /* reason.data NULL: none */
    int64_t until_ms;             /* 0: for good */
    int64_t banned_at_ms;
};

/* What the presence of a user is made from, beside sessions. */
struct read_presence {
    enum presence_status choice;
    struct span activity;      /* of the choice; data NULL: none */
    int64_t seen_ms;           /* 0: never */
    struct read_membership {
        struct span room;
        int64_t members;
    } *rooms;                  /* all of them; READ_CHOICES: none */
    int room_count;
    struct span *subscriptions; /* user ids */
    int subscription_count;
};

struct read_person {
    struct span user;
    int64_t seen_ms; /* 0: never */
};

struct journal_read {
    struct journal_request request;
    /* asked */
    enum read_what what;
    struct span realm, room;
    struct actor actor;
    struct span from;          /* continue after this room or user; data NULL: from the first */
    int limit;
    struct command *command;   /* READ_ACCESS: its outcome is written */
    const struct grants *granted; /* READ_ROOMS_*: to the actor, in whatever room; NULL: none */
    struct span user;          /* READ_BLOCKS: this one; data NULL: a page of all */
    int64_t since_ms;          /* READ_RECEIPTS, at least 1 */
    struct event_id after;     /* READ_DELIVERED, READ_ROOMS_CHANGED */
    const struct span *users;  /* READ_PEOPLE: ids */
    int user_count;
    /* found */
    struct read_room *rooms;
    int room_count;
    struct read_member *members;
    int member_count;
    int64_t room_members;      /* READ_MEMBERS: of the room, all of them */
    struct read_unread *unread;
    int unread_count;
    int64_t unread_sum, mention_sum; /* READ_ROOMS_CHANGED */
    struct span *partners;     /* READ_ROOMS_CHANGED: of direct rooms, the first
                                  PRESENCE_SNAPSHOT_MAX */
    int partner_count;
    struct read_receipt *receipts;
    int receipt_count;
    struct read_presence presence;
    struct read_person *people; /* in the order of `users`, without those that stay hidden */
    int person_count;
    struct read_ban *bans;
    int ban_count;
    struct read_block *blocks;
    int block_count;
    struct span next;          /* data NULL: that was all */
    struct event_id head;      /* for `asOf` */
};

/* Told of everything that was committed, in journal order, never two calls at once; on a thread
 * of the journal's. Frames are borrowed for the call. Must not block, may not call back.
 * No frames at all (`count` 0) say that some were lost, between what was told before and what is
 * told next: whoever follows has to read the journal from where it stood. */
typedef void (*journal_follower)(void *context, struct frame *const *frames, int count);

struct journal_status {
    const char *state;      /* "ok", "down" */
    const char *backend;    /* "memory", "sqlite" */
    int64_t queued;         /* requests that wait */
};

struct journal_ops {
    void (*append)(struct journal *journal, struct journal_append *append);
    void (*open)(struct journal *journal, struct journal_open *open);
    void (*page)(struct journal *journal, struct journal_page *page);
    void (*history)(struct journal *journal, struct journal_history *history);
    void (*read)(struct journal *journal, struct journal_read *read);
    void (*status)(struct journal *journal, struct journal_status *ret);
    /* Finishes what is under way, then frees. */
    void (*close)(struct journal *journal);
};

/* Backends embed this. */
struct journal {
    const struct journal_ops *ops;
};

/* Opens the backend that settings->journal_url names. `settings` is borrowed for life. On
 * failure `why` (at least 256 bytes) says so for the operator.
 * ERR_CONFIG, ERR_IO, ERR_LOCKED, ERR_VERSION, ERR_CORRUPT, ERR_MEMORY. */
MUST_CHECK int journal_new(const struct settings *settings, journal_follower follower,
                           void *context, char *why, size_t why_size, struct journal **ret);
/* Finishes what is under way, then frees. */
struct journal *journal_free(struct journal *journal);
/* One that is no more, constant: everything is finished with ERR_UNAVAILABLE. */
struct journal *journal_closed(void);

static inline void journal_start_append(struct journal *journal, struct journal_append *append)
{
    journal->ops->append(journal, append);
}
static inline void journal_start_open(struct journal *journal, struct journal_open *open)
{
    journal->ops->open(journal, open);
}
static inline void journal_start_page(struct journal *journal, struct journal_page *page)
{
    journal->ops->page(journal, page);
}
static inline void journal_start_history(struct journal *journal, struct journal_history *history)
{
    journal->ops->history(journal, history);
}
static inline void journal_start_read(struct journal *journal, struct journal_read *read)
{
    journal->ops->read(journal, read);
}

/* Give back what a finished request found; the request itself is the caller's. */
void journal_append_fini(struct journal_append *append);
void journal_open_fini(struct journal_open *open);
void journal_page_fini(struct journal_page *page);
void journal_history_fini(struct journal_history *history);
void journal_read_fini(struct journal_read *read);

#endif
