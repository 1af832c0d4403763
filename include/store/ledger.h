/* The ledger: the records behind a journal, as synchronous primitives.
 *
 * WHY    what commands do and what readers may see is written once (apply, reading) and is the
 *        same whichever backend keeps the records.
 * MODEL  realms hold rooms and users; a user in a room is a member. Every realm, room and user
 *        has a *place*: a number above 0, unique over all three and never used again, under
 *        which its events stand. A room that is deleted gives its name back, not its place.
 *        A *tenure* is one stay of a user in a room: the events with from <= id <= until are
 *        visible to that user; an open one has until = EVENT_ID_LAST.
 *        Within a realm event ids and dense numbers rise strictly with every event_add. The
 *        ledger gives the ids (id_next): only it knows which can have been seen; the number is
 *        the head's plus one.
 *        `gone` is the highest id that was trimmed, 0-0 if none: of a room (its own events) and
 *        of a realm (any of its events). Trimming never takes a realm's last entry.
 *        The *ordinal* of a message is how many top-level messages its room had up to and with
 *        it, those that are gone too; a reply in a thread raises none. store/unread.h counts by
 *        them. Messages of files from before there were ordinals have 0.
 * BOUNDS by the limits of the ranges asked for.
 * Floor: store. One thread at a time, within one transaction (or snapshot) that the backend
 * began; the backend also ends it. After any error but ERR_NOT_FOUND it is rolled back.
 *
 * Texts given in are borrowed for the call. Texts given out live in the `arena` passed in, or in
 * the ledger until that record changes or the transaction ends; those handed to a visitor live
 * for that call. A visitor may not call the ledger; what it returns other than 0 ends the walk
 * and is passed on.
 * All return 0, ERR_NOT_FOUND where something is looked up by name, or an error of the store
 * (ERR_IO, ERR_CORRUPT, ERR_FULL, ERR_MEMORY).
 *
 * A ledger whose records are far away returns ERR_NOT_FETCHED for what is not at hand yet, and
 * asks for it. The whole run is repeated when all that it asked for is there; what a run that
 * missed something found or wrote counts for nothing. So that few runs are needed, look-ups that
 * do not depend on each other are all made before it is passed on: see ledger_put_off. Such a
 * ledger may also give ids that stand for later ones: they are above every real one, and rise.
 * ERR_AGAIN: this cannot be told within the transaction, but in a later one. */
#ifndef TIDINGS_STORE_LEDGER_H
#define TIDINGS_STORE_LEDGER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "core/command.h"
#include "core/frame.h"

#define EVENT_ID_LAST ((struct event_id){UINT64_MAX, UINT64_MAX})

typedef uint64_t place_number; /* 0: none */

/* What a look-up returned, but 0 for ERR_NOT_FETCHED, which goes into `*missed` instead: the
 * caller goes on with other look-ups, and returns it after them. */
MUST_CHECK static inline int ledger_put_off(int err, int *missed)
{
    if (err != ERR_NOT_FETCHED)
        return err;
    *missed = err;
    return 0;
}

struct ledger_realm {
    place_number place;
    struct event_id head; /* last entry, 0-0 if none; stays when events are trimmed */
    uint64_t head_number; /* its dense number, 0 if none */
    struct event_id gone;
};

struct ledger_room {
    place_number place;
    struct room_info info; /* info.member_count is kept by the ledger */
    bool deleted;
    struct event_id gone;
    uint64_t ordinal;         /* of its last message, also when that is gone */
    uint64_t trimmed_ordinal; /* of the last message that was trimmed */
    bool has_erased;          /* erased_add was called for it */
};

struct ledger_user {
    place_number place;
    struct span id;
    struct span name, data; /* data NULL: none */
    struct event_id gone;
    struct event_id acked; /* the furthest cursor acknowledged */
};

/* How far a member has read. */
struct ledger_marker {
    struct event_id read; /* an id, not always an entry of the room */
    uint64_t ordinal;     /* of the last message of the room at or below it */
    int64_t mentions;     /* of the member above it; kept by the ledger; below 0: not counted, see
                             mention_count */
    int64_t moved_ms;     /* when it last moved so that others are told; 0: never */
};

struct ledger_member {
    place_number user;
    struct span user_id, name, data; /* given out only */
    enum role role;
    int64_t joined_at_ms;
    int64_t muted_until_ms; /* 0: not muted */
    struct ledger_marker marker;
    struct event_id acked; /* given out by `members` only: of the user */
    int64_t acked_at_ms;   /* likewise: when that last moved, 0: never */
    enum notify notify;
};

/* A user from whom another wants no direct messages and no mentions. */
struct ledger_block {
    place_number user;
    struct span user_id, name, data; /* given out only */
    int64_t blocked_at_ms;
};

/* A user who may not see a room, nor come into it. */
struct ledger_ban {
    place_number user;
    struct span user_id, name, data; /* given out by `bans` only */
    int64_t until_ms;                /* 0: for good */
    int64_t banned_at_ms;
    place_number by;
    struct span by_id;  /* given out by `bans` only */
    struct span reason; /* likewise; data NULL: none */
};

static inline bool ledger_ban_holds(const struct ledger_ban *ban, int64_t now_ms)
{
    return ban->until_ms == 0 || ban->until_ms > now_ms;
}

struct ledger_tenure {
    place_number room;
    struct event_id from, until; /* both included */
};

struct ledger_event {
    struct event_id id;
    uint64_t number;    /* dense, within the realm; of one given out 0 when not at hand */
    place_number place; /* under which it stands: of the room, user or realm */
    enum event_type type;
    enum audience audience;
    int64_t timestamp_ms;
    bool ends_watching, opens_watching, bars_user;
    bool silences_user;     /* given in only; not kept */
    place_number sender;    /* whose command it was; 0: none */
    place_number user;      /* the frame's `user`: who joined, left, is addressed; 0: none */
    place_number room;      /* of one that stands under a user: the room it is about; 0: none */
    struct span room_id;    /* of `room`, or of the place that is one; data NULL: none */
    struct span sender_id;  /* data NULL: none */
    struct span user_id;    /* data NULL: none */
    struct span type_name;  /* EVENT_CUSTOM */
    struct span spared;     /* session of the sender; data NULL: none */
    struct span message_id; /* EVENT_NEW_MESSAGE; data NULL: none */
    struct span thread_id;  /* EVENT_NEW_MESSAGE: messageId of the thread; data NULL: none */
    uint64_t ordinal;       /* EVENT_NEW_MESSAGE */
    struct event_id target; /* MESSAGE_EDITED, MESSAGE_DELETED: id of the message; else 0-0 */
    bool target_edited;     /* MESSAGE_DELETED: there are edits of it; need not be kept */
    int64_t members;        /* given in only: of the room afterwards, as the frame tells it */
    bool deleted;           /* a message and its edits: the content was taken out of the body */
    struct span body;       /* JSON object: the members after type, id and timestamp */
    struct span own_body;   /* data NULL: the same for `user` */
    unsigned char digest[COMMAND_DIGEST_BYTES]; /* EVENT_NEW_MESSAGE */
};

/* What of an event's frame stands in the record; the caller adds room, spared_user, and which
 * encodings it needs beside `body`. */
static inline struct frame_spec ledger_frame_spec(const struct ledger_event *event,
                                                  struct span realm)
{
    return (struct frame_spec){
        .type = event->type,
        .audience = event->audience,
        .type_name = event->type_name,
        .id = event->id,
        .number = event->number,
        .target = event->target,
        .target_edited = event->target_edited,
        .timestamp_ms = event->timestamp_ms,
        .realm = realm,
        .user = event->user_id,
        .spared = event->spared,
        .body = event->body,
        .ends_watching = event->ends_watching,
        .opens_watching = event->opens_watching,
        .bars_user = event->bars_user,
        .silences_user = event->silences_user,
    };
}

/* Reactions of one key to a message. */
struct ledger_reaction {
    struct span key;
    int64_t count;
    bool mine;                               /* of the one who asks */
    struct span users[REACTION_USERS_SHOWN]; /* ids, the first that came and are still there */
    int user_count;
};

/* What remains of a command that leaves no message. */
struct ledger_once {
    place_number sender;
    struct event_id id;
    int64_t timestamp_ms;
    unsigned char digest[COMMAND_DIGEST_BYTES];
};

struct ledger_device {
    struct event_id cursor;
    int64_t used_at_ms;
};

/* What is kept of a user's presence. */
struct ledger_presence {
    enum presence_status choice; /* PRESENCE_NONE: none */
    struct span activity;        /* of the choice; data NULL: none */
    int64_t seen_ms;             /* 0: never */
};

/* Events of a place with after < id < before, at most `limit`. */
struct ledger_range {
    place_number place;
    struct event_id after, before; /* 0-0 and EVENT_ID_LAST: without bound */
    int limit;                     /* at least 1 */
    bool newest_first;
    bool messages_only; /* EVENT_NEW_MESSAGE; by an index, not by a scan */
    struct span thread; /* with messages_only: only of this thread; data NULL: all */
};

typedef int (*ledger_event_visitor)(void *context, const struct ledger_event *event);
typedef int (*ledger_id_visitor)(void *context, struct event_id id, place_number place,
                                 enum event_type type);
typedef int (*ledger_reaction_visitor)(void *context, const struct ledger_reaction *reaction);
typedef int (*ledger_member_visitor)(void *context, const struct ledger_member *member);
typedef int (*ledger_block_visitor)(void *context, const struct ledger_block *block);
typedef int (*ledger_ban_visitor)(void *context, const struct ledger_ban *ban);
typedef int (*ledger_room_visitor)(void *context, const struct ledger_room *room,
                                   const struct ledger_member *member);
typedef int (*ledger_tenure_visitor)(void *context, const struct ledger_tenure *tenure);
typedef int (*ledger_name_visitor)(void *context, struct span name);
typedef int (*ledger_lost_visitor)(void *context, struct event_id after, struct event_id before);

struct ledger;

struct ledger_ops {
    int (*realm_find)(struct ledger *ledger, struct span name, struct ledger_realm *ret);
    /* It is not there yet. */
    int (*realm_add)(struct ledger *ledger, struct span name, struct ledger_realm *ret);

    /* Intervals of a realm in which entries may have been lost, oldest first: those with
     * before > `cursor`. Both bounds are entries. None: 0. */
    int (*lost)(struct ledger *ledger, place_number realm, struct event_id cursor,
                ledger_lost_visitor visit, void *context);

    /* The one that has the name now: never a deleted one. */
    int (*room_find)(struct ledger *ledger, place_number realm, struct span id, struct arena *arena,
                     struct ledger_room *ret);
    /* Deleted ones too. */
    int (*room_at)(struct ledger *ledger, place_number place, struct arena *arena,
                   struct ledger_room *ret);
    /* No room has the name now. */
    int (*room_add)(struct ledger *ledger, place_number realm, const struct room_info *info,
                    place_number *ret);
    /* All of `info` but id, member_count and created_at_ms. */
    int (*room_set)(struct ledger *ledger, place_number place, const struct room_info *info);
    /* Marks it deleted, removes all its members and bans, ends open tenures with `until`. */
    int (*room_remove)(struct ledger *ledger, place_number place, struct event_id until);

    int (*user_find)(struct ledger *ledger, place_number realm, struct span id, struct arena *arena,
                     struct ledger_user *ret);
    /* It is not there yet; without name and data. */
    int (*user_add)(struct ledger *ledger, place_number realm, struct span id, place_number *ret);
    int (*user_set)(struct ledger *ledger, place_number user, struct span name, struct span data);

    /* Without the texts of the user. */
    int (*member_find)(struct ledger *ledger, place_number room, place_number user,
                       struct ledger_member *ret);
    /* Adds or changes; of the member its number, role, joining, muting and notify. */
    int (*member_put)(struct ledger *ledger, place_number room, const struct ledger_member *member);
    /* Its marker and mentions go as well. */
    int (*member_remove)(struct ledger *ledger, place_number room, place_number user);
    /* In order of the user ids' bytes, those after `from` (data NULL: from the first). */
    int (*members)(struct ledger *ledger, place_number room, struct span from, int limit,
                   ledger_member_visitor visit, void *context);
    int (*owner_count)(struct ledger *ledger, place_number room, int64_t *ret);

    /* In order of the room ids' bytes, those after `from` (data NULL: from the first). The
     * member is without the texts of the user. */
    int (*rooms_of_user)(struct ledger *ledger, place_number user, struct span from, int limit,
                         ledger_room_visitor visit, void *context);
    int (*room_count_of_user)(struct ledger *ledger, place_number user, int64_t *ret);

    /* Of a member: all but `mentions`; with moved_ms 0 the time stays as it was. */
    int (*marker_put)(struct ledger *ledger, place_number room, place_number user,
                      const struct ledger_marker *marker);
    /* The user has everything up to `cursor`. */
    int (*user_ack)(struct ledger *ledger, place_number user, struct event_id cursor,
                    int64_t now_ms);
    /* A message of the room mentions a member. */
    int (*mention_add)(struct ledger *ledger, place_number room, place_number user,
                       struct event_id id);
    /* The message mentions nobody any more. */
    int (*mentions_remove)(struct ledger *ledger, place_number room, struct event_id id);
    /* Those of the member above `read`. NULL: every marker that is given out has its count. */
    int (*mention_count)(struct ledger *ledger, place_number room, place_number user,
                         struct event_id read, int64_t *ret);
    /* Those of the member at or below `upto` are forgotten. */
    int (*mentions_read)(struct ledger *ledger, place_number room, place_number user,
                         struct event_id upto);
    /* Counters of a room by number, 0 at first. Those up to its trimmed_ordinal may be gone. */
    int (*erased_add)(struct ledger *ledger, place_number room, uint64_t node);
    int (*erased_count)(struct ledger *ledger, place_number room, uint64_t node, uint64_t *ret);
    /* Without texts; also one that has passed. */
    int (*ban_find)(struct ledger *ledger, place_number room, place_number user,
                    struct ledger_ban *ret);
    /* Adds or changes; bans of the room that have passed by `now_ms` are forgotten. */
    int (*ban_put)(struct ledger *ledger, place_number room, const struct ledger_ban *ban,
                   int64_t now_ms);
    /* Also when there is none. */
    int (*ban_remove)(struct ledger *ledger, place_number room, place_number user);
    /* Those that hold at `now_ms`, in order of the user ids' bytes, those after `from` (data
     * NULL: from the first). */
    int (*bans)(struct ledger *ledger, place_number room, struct span from, int64_t now_ms,
                int limit, ledger_ban_visitor visit, void *context);
    int (*ban_count)(struct ledger *ledger, place_number room, int64_t now_ms, int64_t *ret);

    /* The direct room of two users; a and b in either order. */
    int (*direct_find)(struct ledger *ledger, place_number a, place_number b, place_number *ret);
    /* There is none of the two yet. It is forgotten with the room. */
    int (*direct_add)(struct ledger *ledger, place_number a, place_number b, place_number room);
    /* The other of the two. */
    int (*direct_partner)(struct ledger *ledger, place_number room, place_number user,
                          place_number *ret);

    /* Of what `blocker` has said of others; block_find without texts. */
    int (*block_find)(struct ledger *ledger, place_number blocker, place_number user,
                      struct ledger_block *ret);
    /* It is not there yet. */
    int (*block_add)(struct ledger *ledger, place_number blocker, const struct ledger_block *block);
    /* Also when there is none. */
    int (*block_remove)(struct ledger *ledger, place_number blocker, place_number user);
    /* In order of the user ids' bytes, those after `from` (data NULL: from the first). */
    int (*blocks)(struct ledger *ledger, place_number blocker, struct span from, int limit,
                  ledger_block_visitor visit, void *context);
    int (*block_count)(struct ledger *ledger, place_number blocker, int64_t *ret);

    /* There is no open one of the two. */
    int (*tenure_open)(struct ledger *ledger, place_number user, place_number room,
                       struct event_id from);
    int (*tenure_close)(struct ledger *ledger, place_number user, place_number room,
                        struct event_id until);
    /* Of the user in `room`, or in all with room 0: those with until > after, in order of
     * (room, from). Deleted rooms are among them. */
    int (*tenures)(struct ledger *ledger, place_number user, place_number room,
                   struct event_id after, ledger_tenure_visitor visit, void *context);

    /* The id that the realm's next event must have: above its head and above whatever can have
     * been given out, of the time `now_ms` where that allows. It belongs to the event_add that
     * follows; asked again without one it may be the same. */
    int (*id_next)(struct ledger *ledger, place_number realm, int64_t now_ms, struct event_id *ret);
    /* Stores it and makes its id and number the realm's head. */
    int (*event_add)(struct ledger *ledger, place_number realm, const struct ledger_event *event);
    int (*event_find)(struct ledger *ledger, place_number realm, struct event_id id,
                      struct arena *arena, struct ledger_event *ret);
    /* event_find is asked for these next. NULL: there is nothing to prepare. */
    int (*events_expect)(struct ledger *ledger, place_number realm, const struct event_id *ids,
                         int count);
    /* What a message, or an edit of one, says from here on; `deleted` stays once it is set. The
     * old text is overwritten; where the store moves text about it is gone from there too after
     * its next rewrite. The event exists. */
    int (*event_rewrite)(struct ledger *ledger, place_number realm, struct event_id id,
                         struct span body, bool deleted);
    /* The edits of a message that are kept, above `after`, in order, at most `limit`. */
    int (*edits)(struct ledger *ledger, place_number room, struct event_id message,
                 struct event_id after, int limit, ledger_id_visitor visit, void *context);
    /* How many they are; it may stop counting at `limit`. */
    int (*edit_count)(struct ledger *ledger, place_number room, struct event_id message,
                      int64_t limit, int64_t *ret);
    /* Reactions to a message of a room, which is kept. ERR_NOT_FOUND when the user has none. */
    int (*reaction_find)(struct ledger *ledger, place_number room, struct event_id message,
                         struct span key, place_number user);
    /* The user has none of that key yet. Ids rise. */
    int (*reaction_add)(struct ledger *ledger, place_number room, struct event_id message,
                        struct span key, place_number user, struct event_id added);
    /* The user has it. */
    int (*reaction_remove)(struct ledger *ledger, place_number room, struct event_id message,
                           struct span key, place_number user);
    int (*reactions_clear)(struct ledger *ledger, place_number room, struct event_id message);
    /* How many keys there are, and whether `key` is one of them. */
    int (*reaction_keys)(struct ledger *ledger, place_number room, struct event_id message,
                         struct span key, int *ret_count, bool *ret_has);
    /* One for each key, in the order they came. `user`: who asks, may be 0. */
    int (*reactions)(struct ledger *ledger, place_number room, struct event_id message,
                     place_number user, struct arena *arena, ledger_reaction_visitor visit,
                     void *context);
    /* How many messages of the room that are kept and not deleted stand in the thread of that
     * messageId, which may be of none. */
    int (*replies_waiting)(struct ledger *ledger, place_number room, struct span message_id,
                           int64_t *ret);
    /* A counter kept with a message: its replies. Goes with it. */
    int (*replies_add)(struct ledger *ledger, place_number room, struct event_id message,
                       int64_t change);
    int (*replies)(struct ledger *ledger, place_number room, struct event_id message, int64_t *ret);
    /* The last entry that is kept with an id at or below `id`: its id and number.
     * ERR_NOT_FOUND if there is none. */
    int (*event_at_or_below)(struct ledger *ledger, place_number realm, struct event_id id,
                             struct event_id *ret_id, uint64_t *ret_number);
    int (*events)(struct ledger *ledger, const struct ledger_range *range,
                  ledger_event_visitor visit, void *context);
    /* The same without bodies and texts, cheap. */
    int (*ids)(struct ledger *ledger, const struct ledger_range *range, ledger_id_visitor visit,
               void *context);
    /* Of all places of a realm, in order, after < id, at most `limit`. */
    int (*realm_ids)(struct ledger *ledger, place_number realm, struct event_id after, int limit,
                     ledger_id_visitor visit, void *context);

    /* The last message of a room that is kept with an id at or below `id`: its id and ordinal.
     * ERR_NOT_FOUND if there is none. */
    int (*message_at_or_below)(struct ledger *ledger, place_number room, struct event_id id,
                               struct event_id *ret_id, uint64_t *ret_ordinal);
    int (*message_find)(struct ledger *ledger, place_number room, struct span message_id,
                        struct arena *arena, struct ledger_event *ret);
    /* The same, where there hardly ever is one. */
    int (*message_find_repeat)(struct ledger *ledger, place_number room, struct span message_id,
                               struct arena *arena, struct ledger_event *ret);
    /* Messages that are kept of one sender, by an index, at most `limit`: in `room` those above
     * `after` in order, or with room 0 in all rooms, in no promised order. */
    int (*messages_of_sender)(struct ledger *ledger, place_number sender, place_number room,
                              struct event_id after, int limit, ledger_id_visitor visit,
                              void *context);
    /* The newest of those in one room. */
    int (*last_message_of_sender)(struct ledger *ledger, place_number sender, place_number room,
                                  struct event_id *ret_id, int64_t *ret_timestamp_ms);

    /* What is older than `since_ms` is not found, and may be forgotten by the ledger at any
     * time once it is older than journal_dedup_window_ms. */
    int (*once_find)(struct ledger *ledger, place_number place, struct span message_id,
                     int64_t since_ms, struct ledger_once *ret);
    /* Takes the place of an older one. */
    int (*once_add)(struct ledger *ledger, place_number place, struct span message_id,
                    const struct ledger_once *once);

    int (*device_find)(struct ledger *ledger, place_number user, struct span device,
                       struct ledger_device *ret);
    /* Adds or changes. Of more than DEVICES_OF_USER_MAX the one longest unused goes, never the
     * one just put. */
    int (*device_put)(struct ledger *ledger, place_number user, struct span device,
                      const struct ledger_device *value);

    /* Of a user of whom nothing is kept: zeroes. */
    int (*presence_get)(struct ledger *ledger, place_number user, struct arena *arena,
                        struct ledger_presence *ret);
    int (*presence_put)(struct ledger *ledger, place_number user,
                        const struct ledger_presence *value);
    /* Whose presence `user` is told; repeats are fine. */
    int (*subscription_put)(struct ledger *ledger, place_number user, place_number target);
    int (*subscription_remove)(struct ledger *ledger, place_number user, place_number target);
    int (*subscription_find)(struct ledger *ledger, place_number user, place_number target);
    int (*subscription_count)(struct ledger *ledger, place_number user, int64_t *ret);
    /* The targets' ids, in no promised order. */
    int (*subscriptions)(struct ledger *ledger, place_number user, ledger_name_visitor visit,
                         void *context);
    /* Are both members of one room? */
    int (*acquainted)(struct ledger *ledger, place_number user, place_number other, bool *ret);
};

/* Backends embed this. */
struct ledger {
    const struct ledger_ops *ops;
};

/* Before a loop of event_find; best effort but for errors of the store. */
MUST_CHECK static inline int ledger_expect(struct ledger *ledger, place_number realm,
                                           const struct event_id *ids, int count)
{
    return ledger->ops->events_expect ? ledger->ops->events_expect(ledger, realm, ids, count) : 0;
}

#endif
