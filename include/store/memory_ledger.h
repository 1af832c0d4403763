/* The ledger in memory: hash tables for what is found by name, sorted arrays for what is read in
 * order.
 *
 * MODEL  records are never freed before the ledger, but for members, events and what stands
 *        under a deleted name; so records given out stay where they are.
 *        Events stand in arrays in the order of their ids, one for the realm, one for each place
 *        and more for messages, threads, senders and the edits of a message. Trimming takes a
 *        room's oldest event out of all but the realm's array, where it waits, marked, for the
 *        next sweep.
 * Floor: store. One thread at a time. Owns everything in it. */
#ifndef TIDINGS_STORE_MEMORY_LEDGER_H
#define TIDINGS_STORE_MEMORY_LEDGER_H

#include "base/map.h"
#include "base/settings.h"
#include "store/ledger.h"

/* One who reacted. */
struct memory_fan {
    place_number user;
    UT_hash_handle hh; /* which keeps the order of adding */
};

/* Reactions of one key to a message. */
struct memory_reaction {
    struct memory_reaction *next;
    struct span key; /* owned */
    struct memory_fan *fans;
};

struct memory_event {
    struct ledger_event event; /* texts within this allocation */
    bool trimmed;
    char *rewritten;             /* owned; the body, once it is another */
    struct memory_events *edits; /* owned; of a message, NULL: none */
    struct memory_reaction *reactions; /* owned list, in order of adding */
    int64_t replies;             /* in its thread, not deleted */
    UT_hash_handle hh;           /* in room.messages_by_id, of a message */
};

/* Events in the order of their ids; taken from the front, added at the back. */
struct memory_events {
    struct memory_event **items;
    size_t first, end, size; /* those from `first` to before `end` count */
};

enum memory_place_kind { MEMORY_REALM, MEMORY_ROOM, MEMORY_USER };

struct memory_place {
    place_number number;
    enum memory_place_kind kind;
    struct memory_realm *realm;
    struct memory_events events;
    struct event_id gone;
    bool is_swept; /* stands in the realm's `swept` */
};

struct memory_realm {
    struct memory_place place;
    struct span name;
    struct event_id head;
    uint64_t head_number;
    struct memory_events all;
    size_t trimmed;             /* of `all` */
    struct memory_room *rooms;  /* by id, not the deleted ones */
    struct memory_user *users;  /* by id */
    struct memory_place **swept; /* rooms and users with events, for the sweep */
    size_t swept_count, swept_size, swept_at;
    UT_hash_handle hh;
};

struct memory_thread {
    struct span id;
    struct memory_events replies;
    UT_hash_handle hh;
};

struct memory_once {
    struct memory_once *newer;
    struct memory_room *room;
    struct span id;
    struct ledger_once once;
    UT_hash_handle hh;
};

/* Whom a message mentions that have not read it. */
struct memory_mention {
    struct event_id id;
    place_number *users;
    size_t count, size;
    UT_hash_handle hh;
};

/* Deleted messages, see store/unread.h. */
struct memory_erased {
    uint64_t node, count;
    UT_hash_handle hh;
};

/* Of a direct room: its two users, the one with the lower place first. */
struct memory_pair {
    place_number low, high;
};

struct memory_block {
    struct memory_user *user;
    int64_t blocked_at_ms;
};

struct memory_room {
    struct memory_place place;
    struct room_info info; /* texts owned */
    bool deleted;
    struct memory_member **members; /* in order of user ids */
    size_t member_size;             /* entries allocated; info.member_count are used */
    int64_t owner_count;
    struct memory_ban *bans; /* in order of user ids */
    size_t ban_count, ban_size;
    struct memory_pair pair; /* ROOM_DIRECT */
    UT_hash_handle by_pair;
    struct memory_events messages;
    struct memory_event *messages_by_id;
    struct memory_thread *threads;
    struct memory_once *onces;
    uint64_t trimmed_ordinal;
    bool has_erased;
    struct memory_mention *mentions; /* by id */
    struct memory_erased *erased;    /* by node */
    UT_hash_handle hh;
};

struct memory_member_key {
    place_number room, user;
};

struct memory_member {
    struct memory_member_key key;
    struct memory_room *room;
    struct memory_user *user;
    enum role role;
    int64_t joined_at_ms, muted_until_ms;
    struct ledger_marker marker;
    struct event_id *mentioned; /* in order; marker.mentions of them */
    size_t mentioned_size;
    enum notify notify;
    UT_hash_handle hh;
};

struct memory_ban {
    struct memory_user *user;
    struct ledger_ban value; /* the reason is owned */
};

/* The stays of a user in one room. */
struct memory_stays {
    place_number room;
    struct ledger_tenure *tenures; /* in order */
    size_t count, size;
};

struct memory_sent {
    place_number room;
    struct memory_events messages;
    UT_hash_handle hh;
};

struct memory_device {
    struct span id;
    struct ledger_device value;
};

struct memory_user {
    struct memory_place place;
    struct span id, name, data;   /* owned */
    struct memory_member **rooms; /* in order of room ids */
    size_t room_count, room_size;
    struct memory_stays *stays; /* in order of rooms */
    size_t stay_count, stay_size;
    struct memory_sent *sent; /* by room */
    struct memory_device devices[DEVICES_OF_USER_MAX];
    int device_count;
    struct event_id acked;
    int64_t acked_at_ms;
    struct memory_block *blocks; /* in order of user ids */
    size_t block_count, block_size;
    struct ledger_presence presence; /* its text is owned */
    place_number *subscriptions;     /* in order */
    size_t subscription_count, subscription_size;
    UT_hash_handle hh;
};

struct memory_ledger {
    struct ledger ledger;
    const struct settings *settings;
    struct memory_realm *realms;
    struct memory_member *members;
    struct memory_room *direct; /* by pair, not the deleted ones */
    struct memory_place **places; /* by number - 1 */
    size_t place_count, place_size;
    struct memory_once *once_oldest, *once_newest;
};

void memory_ledger_init(struct memory_ledger *ledger, const struct settings *settings);
void memory_ledger_fini(struct memory_ledger *ledger);

static inline struct memory_ledger *memory_of(struct ledger *ledger)
{
    return (struct memory_ledger *)ledger;
}

/* The record of a place that exists. */
struct memory_room *memory_room_at(struct memory_ledger *ledger, place_number number);
struct memory_user *memory_user_at(struct memory_ledger *ledger, place_number number);
struct memory_realm *memory_realm_at(struct memory_ledger *ledger, place_number number);
struct memory_place *memory_place_at(struct memory_ledger *ledger, place_number number);
/* NULL if the user is no member. */
struct memory_member *memory_member_find(struct memory_ledger *ledger, place_number room,
                                         place_number user);
void memory_member_free(struct memory_member *member);

/* Gives the place its number. ERR_MEMORY. */
MUST_CHECK int memory_place_add(struct memory_ledger *ledger, struct memory_place *place,
                                enum memory_place_kind kind, struct memory_realm *realm);
/* Has the place swept from here on; repeats are fine. ERR_MEMORY. */
MUST_CHECK int memory_sweep(struct memory_place *place);
/* A copy of `text` in `*owned`, which is freed. An absent text stays absent. */
MUST_CHECK int memory_text_set(struct span *owned, struct span text);
/* Room for one more of `items`. ERR_MEMORY. */
MUST_CHECK int memory_grow(void *items, size_t *size, size_t count, size_t item_bytes);
/* As memcmp, a shorter text before one it starts. */
int memory_text_compare(struct span a, struct span b);

void memory_events_fini(struct memory_events *events);
/* Adds the event at the back. ERR_MEMORY. */
MUST_CHECK int memory_events_add(struct memory_events *events, struct memory_event *event);
/* Those that are kept of the thread of that messageId; without any an empty list. */
const struct memory_events *memory_replies(const struct memory_room *room, struct span thread);
/* The index of the first event above `id`, `end` if there is none. */
size_t memory_events_above(const struct memory_events *events, struct event_id id);
/* NULL when it is not kept. */
struct memory_event *memory_event_at(struct memory_ledger *ledger, place_number realm,
                                     struct event_id id);
void memory_event_free(struct memory_event *event);
/* With the texts that stand in other records. */
struct ledger_event memory_event_given(struct memory_ledger *ledger,
                                       const struct memory_event *event);
void memory_room_free(struct memory_room *room);
/* A room's oldest message goes: nothing at or below it is counted any more. */
void memory_markers_trim(struct memory_ledger *ledger, struct memory_room *room,
                         const struct ledger_event *message);
void memory_markers_free(struct memory_room *room);
void memory_reactions_free(struct memory_event *message);
/* Notes that an event is about an earlier one. ERR_MEMORY. */
MUST_CHECK int memory_edit_note(struct memory_ledger *ledger, place_number realm,
                                struct memory_event *event);
void memory_bans_fini(struct memory_room *room);
/* The room is no direct one from here on. */
void memory_direct_remove(struct memory_ledger *ledger, struct memory_room *room);
/* Forgets commands older than the window. */
void memory_once_prune(struct memory_ledger *ledger, int64_t before_ms);

/* Parts of the table of operations. */
void memory_room_ops(struct ledger_ops *ops);
void memory_member_ops(struct ledger_ops *ops);
void memory_ban_ops(struct ledger_ops *ops);
void memory_direct_ops(struct ledger_ops *ops);
void memory_event_ops(struct ledger_ops *ops);
void memory_message_ops(struct ledger_ops *ops);
void memory_marker_ops(struct ledger_ops *ops);
void memory_presence_ops(struct ledger_ops *ops);
void memory_edit_ops(struct ledger_ops *ops);
void memory_reaction_ops(struct ledger_ops *ops);

#endif
