/* Commands: what clients ask the journal to do, and what became of it.
 *
 * WHY    permission, duplicates and the change itself are decided in one place and in one
 *        transaction; everything that decision needs is in the command.
 * MODEL  a command is checked for form by the API, then carried out by the journal: all of it
 *        or nothing. Its outcome is an error or the id of the (first) event it made.
 * Floor: core. Pure. Everything a command points to is borrowed from whoever made it, until the
 * journal has finished it. */
#ifndef TIDINGS_CORE_COMMAND_H
#define TIDINGS_CORE_COMMAND_H

#include "core/event.h"
#include "core/event_id.h"
#include "core/presence.h"
#include "core/room_info.h"

enum command_kind {
    COMMAND_PUT_ROOM,      /* room, change */
    COMMAND_DELETE_ROOM,   /* room */
    COMMAND_JOIN,          /* room; auto_create */
    COMMAND_LEAVE,         /* room */
    COMMAND_ADD_MEMBERS,   /* room, users */
    COMMAND_PUT_MEMBER,    /* room, target, role, member */
    COMMAND_REMOVE_MEMBER, /* room, target */
    COMMAND_BAN,           /* room, target, ban */
    COMMAND_OPEN_DIRECT,   /* target; room: the name it gets when it is made */
    COMMAND_BLOCK,         /* target */
    COMMAND_UNBLOCK,       /* target */
    COMMAND_LIFT_BAN,      /* room, target; without one: may bans be listed? */
    COMMAND_SEND_MESSAGE,  /* room, message_id, body, digest, mentions */
    COMMAND_CUSTOM_EVENT,  /* room, message_id (may be absent), type_name, body, digest */
    COMMAND_EDIT_MESSAGE,  /* room, message_id, body: the new content, without the sender;
                              mentions */
    COMMAND_DELETE_MESSAGE, /* room, message_id */
    COMMAND_ADD_REACTION,   /* room, message_id, key */
    COMMAND_REMOVE_REACTION, /* room, message_id, key */
    COMMAND_TYPING,        /* room; only asked about, never appended */
    COMMAND_HERE,          /* room; likewise */
    COMMAND_READ,          /* room; message_id or else cursor: the marker moves there */
    COMMAND_ACK,           /* device (may be absent), cursor */
    COMMAND_PROFILE,       /* only notes the actor's name and data */
    COMMAND_CHOOSE_PRESENCE, /* presence, activity */
    COMMAND_NOTE_SEEN,     /* seen_ms */
    COMMAND_SUBSCRIBE_PRESENCE,   /* target; all_visible */
    COMMAND_UNSUBSCRIBE_PRESENCE, /* target */
    COMMAND_KIND_COUNT
};

/* On whose behalf. */
struct actor {
    struct span user;    /* user id */
    struct span name;    /* data NULL: none */
    struct span data;    /* JSON object as text; data NULL: none */
    int64_t issued_at_s; /* the token's iat, 0 without */
    unsigned grants;     /* GRANT_* for the command's room */
    bool service;        /* the app's backend: allowed everything that exists */
};

/* Members of PUT /v1/rooms/{room} that were given. */
struct room_change {
    bool has_kind, has_name, has_topic, has_announce, has_slow_mode, has_history_from, has_data;
    enum room_kind kind;
    struct span name, topic; /* text */
    bool announce;
    int slow_mode_s;
    enum history_from history_from;
    struct span data;        /* JSON object as text */
    uint64_t if_version;     /* If-Match; 0: not asked */
};

/* How far a member has read a room. */
struct read_marker {
    struct event_id upto;
    int64_t unread, mentions; /* above it */
};

/* Members of PUT /v1/rooms/{room}/members/{user} that were given, beside the role. */
struct member_change {
    bool has_muted, has_notify;
    int64_t muted_until_ms; /* in the past: not muted */
    enum notify notify;
};

/* Of PUT /v1/rooms/{room}/bans/{user}. */
struct ban_spec {
    int64_t until_ms;     /* 0: for good */
    struct span reason;   /* data NULL: none */
    bool delete_messages; /* the target's messages in the room go too, a bounded number of them */
    struct event_id deleted_upto; /* with it: those up to here are gone already */
};

struct outcome {
    int err;                 /* ERR_OK or why nothing was done */
    bool repeated;           /* the command had been carried out before: the first answer; of
                                EDIT_MESSAGE, DELETE_MESSAGE and reactions: nothing
                                was left to do */
    bool created;            /* PUT_ROOM, JOIN, OPEN_DIRECT: the room is new */
    struct event_id id;      /* first event made; of a repeat the first one's; 0-0 if none */
    int64_t timestamp_ms;    /* of that event */
    struct event_id head;    /* the realm's last id after the command, for `asOf` and `cursor` */
    struct room_info room;   /* PUT_ROOM, JOIN, OPEN_DIRECT; texts in the append's arena */
    const struct room_person *pair; /* PUT_ROOM of a direct room: both, likewise; else NULL */
    enum role role;          /* the actor's role afterwards (PUT_ROOM, JOIN) */
    enum notify notify;      /* likewise (PUT_ROOM) */
    int64_t retry_after_ms;  /* ERR_RATE_LIMITED: slow mode */
    struct span body;        /* SEND_MESSAGE that is only asked about: without the mentions of who
                                blocks the actor; likewise */
    int64_t members_added;   /* ADD_MEMBERS: those who were new */
    bool more;               /* BAN: messages may be left to be deleted above deleted_upto */
    struct event_id deleted_upto;
    int64_t members;         /* of the room when it was decided; 0: there was none */
    struct read_marker marker; /* READ: as it is now */
    bool marker_moved;       /* READ, SEND_MESSAGE: the actor's marker in the room */
    bool acked;              /* ACK: the user has not acknowledged so much before */
    struct event_id acked_from; /* and how much it was */
    struct event_id cursor;  /* ACK: the furthest noted of the device, without one of the user */
};

#define COMMAND_DIGEST_BYTES 16

struct command {
    enum command_kind kind;
    struct actor actor;
    struct span realm, room;
    struct span spared;      /* the sender's session that is not told; data NULL: none */
    struct span message_id;  /* data NULL: none was given */
    struct span body;        /* JSON object: the event's members after type, id, timestamp */
    struct span thread_id;   /* SEND_MESSAGE: `threadId`, also in body; data NULL: none */
    struct span reply_to;    /* SEND_MESSAGE: `replyTo`, likewise */
    struct span key;         /* of a reaction */
    struct span type_name;   /* CUSTOM_EVENT: `custom.…` */
    const struct span *mentions; /* SEND_MESSAGE, EDIT_MESSAGE: user ids, also in body */
    int mention_count;
    unsigned char digest[COMMAND_DIGEST_BYTES]; /* of the content, to tell a repeat */
    struct room_change change;
    bool auto_create;        /* JOIN: make a public room that is missing */
    bool create_allowed;     /* PUT_ROOM: the actor may make rooms (`rooms.create`) */
    struct span target;      /* the user it is about; data NULL: none */
    enum role role;          /* PUT_MEMBER; ROLE_NONE: unchanged */
    struct member_change member; /* PUT_MEMBER */
    struct ban_spec ban;     /* BAN */
    const struct span *users; /* ADD_MEMBERS: user ids */
    int user_count;
    struct span device;      /* ACK; data NULL: none */
    struct event_id cursor;  /* READ, ACK */
    enum presence_status presence; /* CHOOSE_PRESENCE; PRESENCE_NONE clears */
    struct span activity;    /* CHOOSE_PRESENCE; data NULL: none */
    int64_t seen_ms;         /* NOTE_SEEN: when the actor was there, since 1970 UTC */
    bool all_visible;        /* SUBSCRIBE_PRESENCE: also without a room in common */

    struct outcome outcome;  /* set by the journal */
};

/* Does it take what was said out of the journal, if it is carried out? */
static inline bool command_erases(const struct command *command)
{
    return command->kind == COMMAND_DELETE_MESSAGE ||
           (command->kind == COMMAND_BAN && command->ban.delete_messages);
}

/* What is true of a room and a user when a command is decided. */
struct facts {
    bool room_exists;
    struct room_info room;  /* only when it exists */
    enum role role;         /* of the actor in the room */
    enum role target_role;  /* of the target */
    int64_t owner_count;
    bool banned;            /* the actor, now; a member never is */
    bool target_banned;     /* likewise */
    bool muted;             /* the actor, now */
    bool blocked;           /* the actor, by the other of the direct room or the target */
    bool direct_exists;     /* OPEN_DIRECT: the room of the two is there */
    int64_t last_message_ms; /* the actor's last message in the room; 0: none */
    bool message_exists;    /* the message that the command is about; none: all three false */
    bool message_own;       /* the actor sent it */
    bool message_deleted;
    int64_t now_ms;         /* the journal's clock */
    bool acquainted;        /* SUBSCRIBE_PRESENCE: actor and target are in a room together */
};

/* May it be done? Pure: ERR_OK or the error to answer. The one place where the rules of
 * permission stand; backends gather `facts` within the transaction that carries it out. */
MUST_CHECK int command_decide(const struct command *command, const struct facts *facts,
                              int64_t *ret_retry_after_ms);
/* May the actor read the room: its history, state and members, and follow it? Pure. */
MUST_CHECK int command_decide_read(const struct actor *actor, const struct facts *facts);

#endif
