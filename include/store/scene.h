/* What the ledger knows about a command: the records it touches and the facts to decide it by.
 *
 * Floor: store. Texts live as the ledger says. */
#ifndef TIDINGS_STORE_SCENE_H
#define TIDINGS_STORE_SCENE_H

#include "store/ledger.h"

/* Whatever is not there has place (or user) 0. */
struct scene {
    struct ledger_realm realm;
    struct ledger_room room;
    struct ledger_user actor, target;
    struct ledger_member member, target_member;
    struct ledger_event message; /* that the command is about */
    place_number direct;         /* OPEN_DIRECT: the room of actor and target */
    struct facts facts;
};

/* What a command says, and whom it mentions. */
struct said {
    struct span body;
    const struct span *mentions;
    int mention_count;
};

/* Is the user (0: not known) kept out of the room? */
MUST_CHECK int scene_is_banned(struct ledger *ledger, place_number room, place_number user,
                               int64_t now_ms, bool *ret);
/* Does the one want nothing from the other? Either may be 0: not known. */
MUST_CHECK int scene_is_blocked(struct ledger *ledger, place_number blocker, place_number user,
                                bool *ret);
MUST_CHECK int scene_gather(struct ledger *ledger, const struct command *command, int64_t now_ms,
                            struct arena *arena, struct scene *ret);

/* What the command says, without the mentions of who blocks its actor; what is not the command's
 * is in the arena. */
MUST_CHECK int scene_heed_blocks(struct ledger *ledger, const struct scene *scene,
                                 const struct command *command, struct arena *arena,
                                 struct said *ret);

/* ERR_NOT_FOUND when the actor may not see this message of the room in its history. */
MUST_CHECK int scene_check_shown(struct ledger *ledger, const struct scene *scene,
                                 const struct actor *actor, struct event_id message);

#endif
