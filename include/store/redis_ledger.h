/* The ledger over Redis: the primitives of store/ledger.h on what a view has.
 *
 * MODEL  a realm lives whole in one shard. Keys are `tidings:{s17}/…`; `<p>` is a place number,
 *        which is given to nodes in blocks and never given twice. Values are packed
 *        (store/redis_pack.h); a *name* is a member of a sorted set whose scores are all 0,
 *        which sorts by bytes.
 *
 *        life, ms, seq, number, places     the shard: fields of `state`; last id, dense number,
 *                                          highest place handed out
 *        journal                           stream that nodes tail, kept `journal.tail_window`
 *        realms                            name -> place
 *        doomed                            place of a large room that was deleted, until it is
 *                                          swept -> id at which it was
 *        ages                              names: time of the oldest entry of a realm, its place;
 *                                          or when it is to be looked at (see redis_trim)
 *        done/<period>                     outcomes of commits, for those that repeat one
 *
 *        Fields of `state` are plain: an id, a decimal number, or as said.
 *
 *        r/<p>/state      h head, n its number, g gone
 *        r/<p>/events     stream of every event: n number, v (place, kind of place, type)
 *        r/<p>/users      user id -> place, acked, acked at, name, data
 *        r/<p>/rooms      room id -> place, of those that are not deleted
 *        r/<p>/direct     `a/b` (places, the lower first) -> place of the room
 *        r/<p>/lost       names: before, after of intervals in which entries may have been lost
 *
 *        p/<p>/state      i info (realm, id, kind, … packed), o ordinal, t trimmed ordinal,
 *                         g gone, e has erased, c members, w owners, x id at which it was
 *                         deleted, d the two places of a direct room
 *        p/<p>/messages   stream: o, v meta      p/<p>/events  stream of everything else: o, v
 *        p/<p>/bodies     id -> whether its content was taken out, and its texts; these three
 *                         also under the place of a user, and of a realm: what stands there
 *        p/<p>/ids        messageId -> id, and whether it is deleted: who changes a message, or
 *                         what hangs on it, checks this, so that bodies need no check
 *        p/<p>/replies    id -> how many
 *        p/<p>/sent/<u>   stream: messages of a user; v timestamp
 *        p/<p>/thread/<messageId>  stream: replies; v ordinal, meta
 *        p/<p>/threads    messageId -> how many replies there are that are not deleted
 *        p/<p>/edits      names: message, edit
 *        p/<p>/members    place of the user -> role, joined, muted until, notify, user id
 *        p/<p>/names      names: user id NUL place
 *        p/<p>/markers    place of the user -> read, ordinal
 *        p/<p>/moved      place of the user -> when the marker last moved so that others are told
 *        p/<p>/mentions   names: place of the user `/` message; those up to the marker count no
 *                         more, and may be left
 *        p/<p>/mentioned  names: message, place of the user; some may be in `mentions` no more
 *        p/<p>/erased     node -> count
 *        p/<p>/bans       place of the user -> until, at, by, its id, user id, reason
 *        p/<p>/banned     names: user id NUL place   p/<p>/ends  names: until (hex), place
 *        p/<p>/reactions  id of the message -> its keys, in the order they came
 *        p/<p>/reacted/<id>   key NUL place of the user -> id it was added with
 *        p/<p>/reactors/<id>  names: key NUL added, place `/` user id
 *        p/<p>/once/<0, 1>  messageId -> sender, id, timestamp, digest; the empty field -> which
 *                         period it is of: even ones are in 0, odd ones in 1
 *        What is kept of the messages up to `g` in sent and thread is passed over.
 *
 *        u/<p>/state      i realm and user id, n rooms, g gone, p presence (choice, seen, activity)
 *        u/<p>/wrote      place of the room -> nothing: where the user has sent messages
 *        u/<p>/rooms      names: room id NUL place
 *        u/<p>/open       place of the room -> from  u/<p>/closed  names: until, room `/` from
 *        u/<p>/devices    device -> cursor, used at
 *        u/<p>/subscriptions  place -> user id
 *        u/<p>/blocks     place -> at, user id       u/<p>/blocked  names: user id NUL place
 *
 *        A room that is deleted keeps its state and events. If it is large it is *doomed*: what
 *        stands of it at its members (rooms, open, n) is passed over by readers, as ended at the
 *        id that says so, and swept bit by bit, by its names, which stay until then.
 * Floor: store. One thread. Borrows the view. */
#ifndef TIDINGS_STORE_REDIS_LEDGER_H
#define TIDINGS_STORE_REDIS_LEDGER_H

#include "base/map.h"
#include "base/settings.h"
#include "store/ledger.h"
#include "store/redis_pack.h"
#include "store/redis_trim.h"
#include "store/redis_view.h"

/* Places that this node may give out in a shard. */
struct redis_places {
    place_number next, end; /* next <= place < end */
};

/* What is known of events while a run lasts, by id: where they stand, and what stands there. */
struct redis_where;
/* And of users, by place: their realm and id. */
struct redis_known;

/* The head of a realm, as the first run that found it has seen it. */
struct redis_head {
    struct event_id id;
    uint64_t number; /* 0: none has yet */
};

struct redis_ledger {
    struct ledger ledger;
    struct redis_view *view;    /* borrowed */
    const struct settings *settings;
    struct redis_places *places; /* borrowed; empty: ERR_NOT_FETCHED, and out_of_places */
    struct redis_given *given;   /* borrowed: those of this view; NULL: it is run once */
    bool out_of_places;
    int parted_max;             /* members; a larger room that is deleted is doomed */
    struct redis_head *head;     /* borrowed: that stays the realm's head in all runs, so that what
                                    they ask for does not move with it; NULL: the newest is */
    struct redis_trim *trim;     /* borrowed: told of rooms that get events; NULL */
    int shard;                   /* of it, for that */
    int64_t now_ms;             /* of Redis: for periods */
    place_number realm;         /* that was found or added last, and its name, for those who tail */
    struct span realm_name;
    struct redis_where *where;  /* owned */
    struct redis_known *known;  /* owned */
    struct buf scratch;         /* for names and values being packed */
    struct ledger_ops ops;
};

void redis_ledger_init(struct redis_ledger *ledger, struct redis_view *view,
                       const struct settings *settings, struct redis_places *places);
void redis_ledger_fini(struct redis_ledger *ledger);

/* When the view starts over with the same ledger: what was noted of the view is forgotten. */
void redis_ledger_forget(struct redis_ledger *ledger);

/* For the parts. `ops` is filled by: redis_ledger.c (realms), redis_rooms.c, redis_users.c,
 * redis_members.c, redis_bans.c, redis_direct.c, redis_tenures.c, redis_events.c, redis_ranges.c,
 * redis_edits.c, redis_messages.c, redis_markers.c, redis_reactions.c, redis_presence.c. */
void redis_ledger_add_rooms(struct ledger_ops *ops);
void redis_ledger_add_users(struct ledger_ops *ops);
void redis_ledger_add_members(struct ledger_ops *ops);
void redis_ledger_add_bans(struct ledger_ops *ops);
void redis_ledger_add_direct(struct ledger_ops *ops);
void redis_ledger_add_tenures(struct ledger_ops *ops);
void redis_ledger_add_events(struct ledger_ops *ops);
void redis_ledger_add_ranges(struct ledger_ops *ops);
void redis_ledger_add_edits(struct ledger_ops *ops);
void redis_ledger_add_messages(struct ledger_ops *ops);
void redis_ledger_add_markers(struct ledger_ops *ops);
void redis_ledger_add_reactions(struct ledger_ops *ops);
void redis_ledger_add_presence(struct ledger_ops *ops);

static inline struct redis_ledger *redis_ledger_of(struct ledger *ledger)
{
    return container_of(ledger, struct redis_ledger, ledger);
}
/* 0, or ERR_NOT_FETCHED when there is none left. */
MUST_CHECK int redis_place_next(struct redis_ledger *ledger, place_number *ret);
/* What a run has learned of users, forgotten. */
void redis_known_free(struct redis_ledger *ledger);
/* A place number as redis_text_of has it; 0 when it is none. */
place_number redis_place_parse(struct span text);
/* `<id>\0<place>` in the ledger's scratch memory, until that is used again. ERR_MEMORY. */
MUST_CHECK int redis_name_of(struct redis_ledger *ledger, struct span id, place_number place,
                             struct span *ret);
/* Takes it apart. ERR_CORRUPT. */
MUST_CHECK int redis_name_cut(struct span name, struct span *ret_id, place_number *ret_place);
/* The bound above which the names of ids above `id` stand; data NULL when `id` has none. */
MUST_CHECK int redis_name_after(struct redis_ledger *ledger, struct span id, struct span *ret);

/* Users, by id or by place. */
struct redis_user {
    place_number realm;
    struct ledger_user user; /* `gone` is not read */
    int64_t acked_at_ms;
};
MUST_CHECK int redis_user_by_id(struct redis_ledger *ledger, place_number realm, struct span id,
                                struct redis_user *ret);
MUST_CHECK int redis_user_at(struct redis_ledger *ledger, place_number place,
                             struct redis_user *ret);
MUST_CHECK int redis_user_put(struct redis_ledger *ledger, const struct redis_user *user);
/* The realm and the id alone. */
MUST_CHECK int redis_user_id(struct redis_ledger *ledger, place_number place,
                             place_number *ret_realm, struct span *ret_id);

/* The realm and the id of a room. */
MUST_CHECK int redis_room_id(struct redis_ledger *ledger, place_number room,
                             place_number *ret_realm, struct span *ret_id);
/* A room that is deleted is no direct one any more. */
MUST_CHECK int redis_direct_remove(struct redis_ledger *ledger, place_number realm,
                                   place_number room);
/* `parted_max` at first: up to so many members a room that is deleted takes leave of each. */
#define REDIS_MEMBERS_PARTED_MAX 500
/* Memberships of a doomed room that end in one sweep. */
#define REDIS_MEMBERS_SWEPT_MAX 100
/* Is the room doomed, and since which id? 0-0: it is not, or has been swept. */
MUST_CHECK int redis_doomed(struct redis_ledger *ledger, place_number room, struct event_id *ret);
/* In how many doomed rooms that are not swept yet was the user, and `other` too unless it is 0? */
MUST_CHECK int redis_doomed_count(struct redis_ledger *ledger, place_number user,
                                  place_number other, int64_t *ret);
/* Ends some of the memberships of a doomed room, as a command of its own; `*ret_more`: there are
 * others. */
MUST_CHECK int redis_doomed_sweep(struct redis_ledger *ledger, bool *ret_more);
/* What stands of a membership at the user, but for the tenure, goes. */
MUST_CHECK int redis_member_part(struct redis_ledger *ledger, place_number room,
                                 struct span room_id, place_number user);
/* Since when the user is in the room. ERR_NOT_FOUND. */
MUST_CHECK int redis_tenure_find(struct redis_ledger *ledger, place_number user,
                                 place_number room, struct event_id *ret);

/* Keys of a place. */
struct redis_key *redis_room_key(struct redis_ledger *ledger, place_number room, const char *what);
/* `ledger->scratch`, empty. */
struct buf *redis_scratch(struct redis_ledger *ledger);

/* The marker of a member, loose; its mentions are not counted (see ledger_ops.mention_count). */
MUST_CHECK int redis_marker_get(struct redis_ledger *ledger, place_number room, place_number user,
                                struct ledger_marker *ret);
/* One is no member any more: its marker and mentions go. */
MUST_CHECK int redis_marker_remove(struct redis_ledger *ledger, place_number room,
                                   place_number user);
/* A room is deleted: all of its markers and mentions go, and what was counted. */
MUST_CHECK int redis_markers_drop(struct redis_ledger *ledger, place_number room);

/* The texts and flags of an event, as they stand in streams and hashes; also read by those who
 * tail the journal. Of what is taken apart, id, number, place and ordinal stay as they are; with
 * `body` data NULL so do the texts. */
MUST_CHECK int redis_event_pack(struct buf *meta, struct buf *body,
                                const struct ledger_event *event);
MUST_CHECK int redis_event_unpack(struct span meta, struct span body, struct ledger_event *ret);
/* What `ids` has of a message. */
MUST_CHECK int redis_named_pack(struct buf *buf, struct event_id id, bool deleted);
MUST_CHECK int redis_named_unpack(struct span value, struct event_id *ret_id, bool *ret_deleted);
/* A field; of COMMAND_DIGEST_BYTES. What is absent stays as it is. */
MUST_CHECK int redis_pack_digest(struct buf *buf, const unsigned char *digest);
void redis_take_digest(struct redis_fields *fields, unsigned char *ret);
/* Where it stands: in the realm's stream. */
MUST_CHECK int redis_where_pack(struct buf *where, place_number place, char kind,
                                enum event_type type);
MUST_CHECK int redis_where_unpack(struct span where, place_number *ret_place, char *ret_kind,
                                  enum event_type *ret_type);

/* What is known of an event. */
struct redis_where {
    struct event_id id;
    place_number place;
    enum event_type type;
    bool is_walked;           /* in the realm's order, where its place's next ones follow */
    bool has_entry;
    struct redis_entry entry; /* in the stream of its place */
    UT_hash_handle hh;
};
/* Notes an event, or more of one; `entry` NULL: where it stands is all that is known. */
MUST_CHECK int redis_where_note(struct redis_ledger *ledger, struct event_id id, place_number place,
                                enum event_type type, const struct redis_entry *entry);
/* NULL: not known in this run. */
struct redis_where *redis_where_of(struct redis_ledger *ledger, struct event_id id);
/* Looks it up in the realm's order. ERR_NOT_FOUND. */
MUST_CHECK int redis_where_find(struct redis_ledger *ledger, place_number realm,
                                struct event_id id, struct redis_where **ret);
/* The event in the place where it is known to stand. ERR_NOT_FOUND: it was trimmed there. */
MUST_CHECK int redis_event_at(struct redis_ledger *ledger, struct redis_where *where,
                              struct ledger_event *ret);
/* The stream in which events of the type stand under a place. */
struct redis_key *redis_events_key(struct redis_ledger *ledger, place_number place,
                                   enum event_type type);
/* The highest id trimmed of a room, loose; 0-0: none. */
MUST_CHECK int redis_room_gone(struct redis_ledger *ledger, place_number room,
                               struct event_id *ret);

#endif
