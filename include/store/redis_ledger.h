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
 *        done/<period>                     outcomes of commits, for those that repeat one
 *
 *        r/<p>/state      h head, n its number, g gone
 *        r/<p>/events     stream of every event: n number, v (place, kind of place, type)
 *        r/<p>/own        stream of what stands under the realm itself; r/<p>/bodies
 *        r/<p>/users      user id -> place, name, data, gone, acked, acked at
 *        r/<p>/rooms      room id -> place, of those that are not deleted
 *        r/<p>/direct     `a/b` (places, the lower first) -> place of the room
 *        r/<p>/lost       names: before, after of intervals in which entries may have been lost
 *
 *        p/<p>/state      i info (realm, id, kind, … packed), o ordinal, t trimmed ordinal,
 *                         g gone, e has erased, c members, w owners, x id at which it was
 *                         deleted, d the two places of a direct room
 *        p/<p>/messages   stream: o, v meta      p/<p>/events  stream of everything else: o, v
 *        p/<p>/bodies     id -> state (kept, deleted), body, own body
 *        p/<p>/ids        messageId -> id        p/<p>/replies   id -> how many
 *        p/<p>/sent/<u>   stream: messages of a user (v empty)
 *        p/<p>/thread/<messageId>  stream: replies
 *        p/<p>/edits      names: message, edit
 *        p/<p>/members    place of the user -> role, joined, muted until, notify, user id
 *        p/<p>/names      names: user id NUL place
 *        p/<p>/markers    place of the user -> read, ordinal, moved at
 *        p/<p>/mentions   names: place of the user `/` id of the message
 *        p/<p>/mentioned  id of the message -> places of users
 *        p/<p>/erased     node -> count
 *        p/<p>/bans       place of the user -> …     p/<p>/banned  names: user id NUL place
 *        p/<p>/reactions  id of the message -> keys and how many of each, in the order they came
 *        p/<p>/reacted/<id>   key NUL place of the user -> id it was added with
 *        p/<p>/reactors/<id>  names: key NUL added, place, user id
 *        p/<p>/once/<period>  messageId -> sender, id, timestamp, digest
 *
 *        u/<p>/state      i user id, p presence      u/<p>/events, u/<p>/bodies  as of a realm
 *        u/<p>/rooms      names: room id NUL place
 *        u/<p>/open       place of the room -> from  u/<p>/closed  names: until, room, from
 *        u/<p>/devices    device -> cursor, used at
 *        u/<p>/subscriptions  place -> user id
 *        u/<p>/blocks     place -> at, user id       u/<p>/blocked  names: user id NUL place
 *        u/<p>/once/<period>  likewise
 *
 *        A room that is deleted keeps its state and events. Memberships in it end where it says
 *        so (`x`); what is left of them is passed over by readers and swept later.
 * Floor: store. One thread. Borrows the view. */
#ifndef TIDINGS_STORE_REDIS_LEDGER_H
#define TIDINGS_STORE_REDIS_LEDGER_H

#include "base/settings.h"
#include "store/ledger.h"
#include "store/redis_pack.h"
#include "store/redis_view.h"

/* Places that this node may give out in a shard. */
struct redis_places {
    place_number next, end; /* next <= place < end */
};

/* Fields kept of events while a run lasts, by id: where they stand. */
struct redis_where;

struct redis_ledger {
    struct ledger ledger;
    struct redis_view *view;    /* borrowed */
    const struct settings *settings;
    struct redis_places *places; /* borrowed; empty: ERR_NOT_FETCHED, and out_of_places */
    bool out_of_places;
    int64_t now_ms;             /* of Redis: for periods */
    struct redis_where *where;  /* owned */
    struct buf scratch;         /* for names and values being packed */
    struct ledger_ops ops;
};

void redis_ledger_init(struct redis_ledger *ledger, struct redis_view *view,
                       const struct settings *settings, struct redis_places *places);
void redis_ledger_fini(struct redis_ledger *ledger);

/* For the parts. `ops` is filled by: redis_ledger.c (realms), redis_rooms.c, redis_users.c,
 * redis_members.c, redis_bans.c, redis_direct.c, redis_tenures.c, redis_events.c, redis_edits.c,
 * redis_messages.c, redis_markers.c, redis_reactions.c, redis_presence.c. */
void redis_ledger_add_rooms(struct ledger_ops *ops);
void redis_ledger_add_users(struct ledger_ops *ops);
void redis_ledger_add_members(struct ledger_ops *ops);
void redis_ledger_add_bans(struct ledger_ops *ops);
void redis_ledger_add_direct(struct ledger_ops *ops);
void redis_ledger_add_tenures(struct ledger_ops *ops);
void redis_ledger_add_events(struct ledger_ops *ops);
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
/* The place number as text, for fields; lives as long as the view. data NULL: out of memory. */
struct span redis_place_text(struct redis_ledger *ledger, place_number place);

/* The texts and flags of an event, as they stand in streams and hashes; also read by those who
 * tail the journal. */
MUST_CHECK int redis_event_pack(struct buf *meta, struct buf *body,
                                const struct ledger_event *event);
MUST_CHECK int redis_event_unpack(struct span meta, struct span body, struct ledger_event *ret);
/* Where it stands: in the realm's stream. */
MUST_CHECK int redis_where_pack(struct buf *where, place_number place, char kind,
                                enum event_type type);
MUST_CHECK int redis_where_unpack(struct span where, place_number *ret_place, char *ret_kind,
                                  enum event_type *ret_type);

#endif
