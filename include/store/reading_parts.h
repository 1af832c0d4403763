/* What the files of reading share.
 * Floor: store. */
#ifndef TIDINGS_STORE_READING_PARTS_H
#define TIDINGS_STORE_READING_PARTS_H

#include "core/grant.h"
#include "store/reading.h"
#include "store/scene.h"
#include "store/view.h"

/* Records looked at for one request; beyond it ERR_MEMORY. */
#define READING_SCRATCH_BYTES_MAX (64u << 20)

/* Replaces the text by its copy in the arena. ERR_MEMORY. */
MUST_CHECK int reading_keep(struct arena *arena, struct span *text);

/* READ_BANS. */
MUST_CHECK int reading_bans(struct ledger *ledger, struct journal_read *read, int64_t now_ms,
                            struct arena *scratch);

/* READ_BLOCKS. */
MUST_CHECK int reading_blocks(struct ledger *ledger, struct journal_read *read, int64_t now_ms,
                              struct arena *scratch);
/* The two of a direct room, into the arena. */
MUST_CHECK int reading_pair(struct ledger *ledger, place_number room, struct arena *arena,
                            const struct room_person **ret);

/* The scene of a room that the actor may read, else ERR_NOT_FOUND and what command_decide_read
 * says. */
MUST_CHECK int reading_scene(struct ledger *ledger, struct span realm, struct span room,
                             const struct actor *actor, int64_t now_ms, struct arena *arena,
                             struct scene *ret);

/* READ_PRESENCE, READ_CHOICES and READ_PEOPLE. */
MUST_CHECK int reading_presence(struct ledger *ledger, struct journal_read *read,
                                struct arena *scratch);
MUST_CHECK int reading_people(struct ledger *ledger, const struct settings *settings,
                              struct journal_read *read, struct arena *scratch);

/* Is the actor, with these GRANT_* for a room, not bound by its `historyFrom`? */
static inline bool reading_is_privileged(const struct actor *actor, unsigned grants)
{
    return actor->service || (grants & GRANT_READ);
}
/* The user may read the room's history above `*ret`. `privileged`: reading_is_privileged. */
MUST_CHECK int reading_floor(struct ledger *ledger, const struct ledger_room *room,
                             place_number user, bool privileged, struct event_id *ret);

/* Adds what hangs on a message of the room, `reactions` and `replyCount`, to the JSON object that
 * shows it. `user`: who asks, may be 0. */
MUST_CHECK int reading_adorn(struct ledger *ledger, place_number room, struct event_id message,
                             place_number user, struct arena *arena, struct span *json);

/* The event as `user` sees it. */
MUST_CHECK int reading_frame(const struct ledger_event *event, struct span realm, struct span user,
                             struct frame **ret);

/* Gaps of reason GAP_EXPIRED into the arena: one for each room of the view that lost something
 * visible above `after`, but not those of `told`. `realm` must be as in the ledger. */
MUST_CHECK int reading_expired(struct ledger *ledger, const struct ledger_realm *realm,
                               const struct view *view, struct event_id after,
                               const struct journal_gap *told, int told_count, struct arena *arena,
                               struct journal_gap **ret, int *ret_count);

/* A room of the user; of the texts only its id. */
struct room_of_user {
    struct ledger_room room;
    struct ledger_member member;
};

/* What is done with each; other than 0 ends the walk and is passed on. */
typedef int (*room_visitor)(void *context, const struct room_of_user *of);

/* All after `from`, in order of their ids, read at once. The visitor may ask the ledger. */
MUST_CHECK int reading_each_room(struct ledger *ledger, place_number user, struct span from,
                                 struct arena *arena, room_visitor visit, void *context);

/* How far the member has read the room, and what is unread. */
MUST_CHECK int reading_marker(struct ledger *ledger, const struct ledger_room *room,
                              place_number user, const struct ledger_marker *marker,
                              struct read_marker *ret);
/* Unread and mentioned in all rooms of a user together. */
MUST_CHECK int reading_unread_sums(struct ledger *ledger, place_number user, struct arena *scratch,
                                   int64_t *ret_unread, int64_t *ret_mentions);
/* READ_UNREAD, READ_RECEIPTS, READ_DELIVERED. */
MUST_CHECK int reading_unread(struct ledger *ledger, struct journal_read *read,
                              struct arena *scratch);
MUST_CHECK int reading_receipts(struct ledger *ledger, const struct settings *settings,
                                struct journal_read *read, struct arena *scratch);
MUST_CHECK int reading_delivered(struct ledger *ledger, const struct settings *settings,
                                 struct journal_read *read, struct arena *scratch);

/* READ_ROOMS_CHANGED. */
MUST_CHECK int reading_changed(struct ledger *ledger, struct journal_read *read,
                               struct arena *scratch);

/* The texts of a room into the arena. */
MUST_CHECK int reading_keep_room(struct arena *arena, struct room_info *room);
/* What answers tell of a room beside its record: the newest message that the user may read, and of
 * a direct room both members. */
MUST_CHECK int reading_details(struct ledger *ledger, const struct ledger_room *room,
                               place_number user, bool privileged, struct arena *arena,
                               struct read_room *found);

/* The first entry of a place above `after`; EVENT_ID_LAST if there is none. */
MUST_CHECK int reading_first(struct ledger *ledger, place_number place, struct event_id after,
                             struct event_id *ret);

#endif
