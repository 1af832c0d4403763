/* One command being carried out: what the parts of apply share.
 *
 * MODEL  a part either refuses (act_refuse: the outcome says why, nothing was written) or writes
 *        records and emits events; both return 0. Any other return is a failure of the store.
 * Floor: store. */
#ifndef TIDINGS_STORE_ACT_H
#define TIDINGS_STORE_ACT_H

#include <jansson.h>

#include "store/apply.h"
#include "store/scene.h"

struct act {
    struct apply *apply;
    struct ledger *ledger;
    struct command *command;
    struct scene scene;
    struct arena bodies;            /* of the event that is being made */
    struct room_info room;          /* as it is by now; texts in the results */
    const struct room_person *pair; /* its two, if it is a direct one that is told of; else NULL */
    struct said said;               /* by the command, but to who blocks its actor */
};

static inline int act_refuse(struct act *act, int err)
{
    act->command->outcome.err = err;
    return 0;
}

/* Makes sure that realm and actor are kept, with the name and data the command has. */
MUST_CHECK int act_begin(struct act *act);
/* The user with that id, added if not there. */
MUST_CHECK int act_user(struct act *act, struct span id, struct ledger_user *ret);

/* The frame of an event of the room: `event` has type, place, audience, bodies and what its type
 * needs, with room_id, user_id as texts; gets id, number, timestamp and sender. ERR_FULL: too
 * large. */
MUST_CHECK int act_frame(struct act *act, struct ledger_event *event, struct frame **ret);
/* Stores the event and takes over its frame. */
MUST_CHECK int act_store(struct act *act, const struct ledger_event *event, struct frame *frame);
/* Both. The JSON values are taken over; `own` may be NULL. */
MUST_CHECK int act_emit(struct act *act, struct ledger_event *event, json_t *body, json_t *own);

/* The texts of the act's room into the results, where they outlive the records. */
MUST_CHECK int act_keep_room(struct act *act);
/* Fills the act's `room` with what a new one of the command's name has. */
void act_init_room(struct act *act, enum room_kind kind);
/* Fills the act's `room` from the scene. */
MUST_CHECK int act_load_room(struct act *act);
/* May the user (0: a new one) get one more membership, and the act's room `count` more members?
 * If not, `*ret_full`. */
MUST_CHECK int act_check_space(struct act *act, place_number user, int64_t count, bool *ret_full);

/* Parts, by kind of command. All are called after command_decide allowed them. */
MUST_CHECK int act_put_room(struct act *act);
MUST_CHECK int act_delete_room(struct act *act);
MUST_CHECK int act_join(struct act *act);
MUST_CHECK int act_leave(struct act *act);
MUST_CHECK int act_add_members(struct act *act);
MUST_CHECK int act_put_member(struct act *act);
MUST_CHECK int act_remove_member(struct act *act);
MUST_CHECK int act_read(struct act *act);
MUST_CHECK int act_ack(struct act *act);
MUST_CHECK int act_choose_presence(struct act *act);
MUST_CHECK int act_note_seen(struct act *act);
MUST_CHECK int act_subscribe_presence(struct act *act);
MUST_CHECK int act_unsubscribe_presence(struct act *act);
MUST_CHECK int act_edit_message(struct act *act);
MUST_CHECK int act_delete_message(struct act *act);
MUST_CHECK int act_add_reaction(struct act *act);
MUST_CHECK int act_remove_reaction(struct act *act);

/* The actor's message was stored: counts it as a reply of its thread, and as its own the replies
 * that were there before it. A root that is not kept, or not there yet, is no reason to refuse a
 * reply. */
MUST_CHECK int act_count_replies(struct act *act, const struct ledger_event *message);
/* The message was deleted; once for each. */
MUST_CHECK int act_uncount_reply(struct act *act, const struct ledger_event *message);

/* Takes the content of a message of the act's room that is not deleted out of it and its edits,
 * and tells so; everything that hangs on it goes with it. act_begin was called. `message` is as the
 * ledger gave it, and not to be used afterwards. */
MUST_CHECK int act_erase_message(struct act *act, const struct ledger_event *message);
MUST_CHECK int act_ban(struct act *act);
MUST_CHECK int act_lift_ban(struct act *act);
MUST_CHECK int act_open_direct(struct act *act);
MUST_CHECK int act_block(struct act *act);
MUST_CHECK int act_unblock(struct act *act);

/* Tells of the act's room; of one that is new it opens the creator's tenure. `was_public`: anyone
 * could watch it before. */
MUST_CHECK int act_emit_room(struct act *act, enum event_type type, bool was_public);
/* The act's room, and its two, as its member is given it; ROLE_NONE: as everyone is. NULL: out of
 * memory. */
json_t *act_shape_room(const struct act *act, enum role role);

/* A user enters: record, event, and from that event on a tenure unless one was opened before. */
MUST_CHECK int act_enter(struct act *act, const struct ledger_user *user, enum role role,
                         bool open_tenure);
/* A member leaves, and is told so as the last of the room; after act_load_room and act_begin. */
MUST_CHECK int act_part(struct act *act, const struct ledger_user *user, const char *reason,
                        bool banned);

/* Markers. One that enters has read everything up to `joined`. */
MUST_CHECK int act_start_marker(struct act *act, place_number user, struct event_id joined);
/* The ordinal of the message that comes next. */
uint64_t act_next_ordinal(const struct act *act);
/* The actor's message was stored: moves its marker and counts whom the command mentions. */
MUST_CHECK int act_count_message(struct act *act, const struct ledger_event *message);
/* The message was deleted; once for each. */
MUST_CHECK int act_uncount_message(struct act *act, const struct ledger_event *message);
/* The message, not a deleted one, mentions these now. */
MUST_CHECK int act_recount_mentions(struct act *act, const struct ledger_event *message,
                                    const struct span *users, int count);

#endif
