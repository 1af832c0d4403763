/* A frame: an event, encoded once, shared by everyone who receives it.
 *
 * WHY    one encoding and no copy for each reader; what is written to a socket is this memory.
 * MODEL  `wire` is one SSE block, in this order:
 *            id: <id>\n              (only with an id)
 *            retry: <ms>\n           (only `connected` and ends)
 *            event: <type>\n
 *            data: {"type":…}\n\n
 *        so that leaving out the id or the type is leaving out a slice, and the JSON of `data`
 *        alone is what a long-poll answers. Beside it stands whom it is for.
 *        `own` is a second encoding for the sessions of `user` alone (a joiner is given the
 *        room as well); it has the same id.
 * BOUNDS EVENT_BYTES_MAX.
 * Floor: core. Immutable once made; ref and unref from any thread. */
#ifndef TIDINGS_CORE_FRAME_H
#define TIDINGS_CORE_FRAME_H

#include <stdatomic.h>

#include "core/event.h"
#include "core/event_id.h"

/* Who a frame is for. */
enum audience {
    AUDIENCE_ROOM,    /* members of `room`, and its watchers if the type is for them */
    AUDIENCE_USER,    /* all sessions of `user`; with a room: those that follow it, or all */
    AUDIENCE_REALM,   /* everyone of `realm` */
    AUDIENCE_SESSION, /* made for one session: never dispatched */
};

struct frame {
    atomic_uint refs;
    uint32_t size;        /* bytes of wire */
    uint32_t event_at;    /* where `event:` starts; 0 without an id */
    uint32_t data_at;     /* where `data:` starts */
    uint8_t type;         /* enum event_type */
    uint8_t audience;     /* enum audience */
    struct event_id id;   /* 0-0: ephemeral */
    uint64_t number;      /* dense number within the realm's journal; 0: ephemeral */
    int64_t members;      /* of the room after a durable event of it (of a deleted one: before),
                             as it is told to the follower; 0: not known */
    struct event_id target; /* the message that was edited or deleted; 0-0: none */
    bool target_edited;   /* EVENT_MESSAGE_DELETED: the message had been edited before */
    int64_t committed_us; /* clock_now_us() when it became visible; 0: replayed or made here */
    const char *realm;    /* never NULL but for AUDIENCE_SESSION */
    const char *room;     /* NULL if none */
    const char *user;     /* who joined, left, or is addressed; NULL if none */
    const char *spared;   /* session of `spared_user` that does not get it; NULL: none, or all */
    const char *spared_user; /* NULL if none */
    const char *session;  /* of `user`, of which here_update tells; else NULL */
    const char *sender;   /* of a message that is told as it is committed; else NULL */
    struct frame *own;    /* ref; NULL: the same for `user` as for all */
    bool ends_watching;   /* the room may from here on not be watched without a grant */
    bool opens_watching;  /* the room may be watched, by who is not banned, from behind this on */
    bool bars_user;       /* `user` was banned: may from here on not see the room at all */
    bool silences_user;   /* `user` was muted, as it is told to the follower */
    char *wire;           /* within this allocation, not ended by NUL */
};

/* What a frame is made of. Everything borrowed for the call. */
struct frame_spec {
    enum event_type type;
    enum audience audience;
    struct span type_name; /* only EVENT_CUSTOM: the whole type */
    struct event_id id;
    uint64_t number;
    int64_t members;
    struct event_id target;
    bool target_edited;
    int64_t timestamp_ms;  /* 0: none in the JSON */
    struct span realm, room, user, spared, spared_user; /* data NULL: none */
    struct span session;   /* data NULL: none */
    struct span sender;    /* data NULL: none */
    struct span body;      /* a JSON object: the members after type, id and timestamp */
    struct span own_body;  /* a JSON object for `own`; data NULL: none */
    int64_t retry_ms;      /* > 0: a `retry:` line inside the block */
    bool ends_watching, opens_watching, bars_user, silences_user;
    bool with_id;          /* an id line though the id is 0-0: the head of an empty journal */
};

/* One reference. ERR_MEMORY, ERR_FULL above EVENT_BYTES_MAX. Asserts that no byte below 0x20
 * stands in any of the texts. */
MUST_CHECK int frame_new(const struct frame_spec *spec, struct frame **ret);
/* What a message or an edit of it is told as once the message is deleted: the same frame with the
 * body that the journal has from then on. ERR_MEMORY. */
MUST_CHECK int frame_new_erased(const struct frame *frame, struct frame **ret);
struct frame *frame_ref(struct frame *frame);
/* Frees with the last reference; NULL is fine. Returns NULL. */
struct frame *frame_unref(struct frame *frame);

/* The JSON object of the `data:` line. */
struct span frame_json(const struct frame *frame);

#endif
