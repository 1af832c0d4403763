#include "core/command.h"

#include <assert.h>

#include "base/err.h"
#include "core/grant.h"

/* Above every role. */
#define RANK_SERVICE (ROLE_OWNER + 1)

/* What stands behind a decision, worked out once. */
struct standing {
    const struct command *command;
    const struct facts *facts;
    int rank;        /* a role's, RANK_SERVICE for the app's backend */
    unsigned grants; /* none for one who is banned */
    bool visible;    /* the room may be known to exist */
};

static struct standing standing_of(const struct command *command, const struct facts *facts)
{
    struct standing standing = {command, facts, facts->role, command->actor.grants, false};
    if (facts->banned)
        standing.grants = 0;
    if ((standing.grants & GRANT_MANAGE) && standing.rank < ROLE_MODERATOR)
        standing.rank = ROLE_MODERATOR;
    if (command->actor.service)
        standing.rank = RANK_SERVICE;
    standing.visible =
        facts->room_exists && (standing.rank != ROLE_NONE || command->actor.grants != 0 ||
                               facts->room.kind == ROOM_PUBLIC);
    return standing;
}

/* The room is there, may be known, and the actor is not banned. */
static int check_visible(const struct standing *standing)
{
    if (!standing->visible)
        return ERR_NOT_FOUND;
    if (standing->facts->banned && !standing->command->actor.service)
        return ERR_BANNED;
    return 0;
}

static int check_rank(const struct standing *standing, int rank)
{
    int err = check_visible(standing);
    if (err)
        return err;
    return standing->rank >= rank ? 0 : ERR_NOT_ALLOWED;
}

static int decide_change(const struct standing *standing)
{
    const struct room_change *change = &standing->command->change;
    const struct facts *facts = standing->facts;
    if (facts->banned && !standing->command->actor.service)
        return standing->visible ? ERR_BANNED : ERR_NOT_ALLOWED;
    if (standing->rank < ROLE_MODERATOR)
        return ERR_NOT_ALLOWED;
    if (change->has_kind && (change->kind == ROOM_DIRECT) != (facts->room.kind == ROOM_DIRECT))
        return ERR_INVALID_FIELD;
    if (change->if_version && change->if_version != facts->room.version)
        return ERR_VERSION_MISMATCH;
    return 0;
}

static int decide_put_room(const struct standing *standing)
{
    const struct command *command = standing->command;
    if (standing->facts->room_exists)
        return decide_change(standing);
    if (!command->create_allowed && !command->actor.service)
        return ERR_NOT_ALLOWED;
    if (command->change.has_kind && command->change.kind == ROOM_DIRECT)
        return ERR_INVALID_FIELD;
    return command->change.if_version ? ERR_VERSION_MISMATCH : 0;
}

static int decide_join(const struct standing *standing)
{
    const struct facts *facts = standing->facts;
    if (!facts->room_exists)
        return standing->command->auto_create ? 0 : ERR_NOT_FOUND;
    int err = check_visible(standing);
    if (err || facts->role != ROLE_NONE || facts->room.kind == ROOM_PUBLIC)
        return err;
    return standing->rank >= ROLE_MODERATOR && facts->room.kind != ROOM_DIRECT ? 0
                                                                               : ERR_NOT_ALLOWED;
}

static bool would_orphan(const struct facts *facts, enum role leaver)
{
    return leaver == ROLE_OWNER && facts->owner_count == 1 && facts->room.member_count > 1;
}

static int decide_leave(const struct standing *standing)
{
    int err = check_visible(standing);
    if (err)
        return err;
    if (standing->facts->room.kind == ROOM_DIRECT)
        return ERR_NOT_ALLOWED;
    return would_orphan(standing->facts, standing->facts->role) ? ERR_LAST_OWNER : 0;
}

/* Only those below oneself, owners also one another. */
static bool outranks(const struct standing *standing)
{
    int target = standing->facts->target_role;
    return target < standing->rank || (target == ROLE_OWNER && standing->rank == ROLE_OWNER);
}

static bool is_about_self(const struct command *command)
{
    return span_equal(command->target, command->actor.user);
}

/* Who is banned comes back when the ban is lifted; the app's backend lifts it by the adding. */
static bool is_kept_out(const struct standing *standing)
{
    return standing->facts->target_banned && standing->facts->target_role == ROLE_NONE &&
           standing->rank < RANK_SERVICE;
}

static int decide_put_member(const struct standing *standing)
{
    const struct facts *facts = standing->facts;
    const struct member_change *change = &standing->command->member;
    enum role role = standing->command->role;
    bool self = is_about_self(standing->command) && facts->target_role != ROLE_NONE;
    bool only_notify = change->has_notify && !change->has_muted && role == ROLE_NONE;
    int err = check_rank(standing, self ? ROLE_MEMBER : ROLE_MODERATOR);
    if (err)
        return err;
    if ((change->has_notify && !self) || (change->has_muted && self))
        return ERR_NOT_ALLOWED;
    if (facts->room.kind == ROOM_DIRECT)
        return only_notify ? 0 : ERR_NOT_ALLOWED;
    if (is_kept_out(standing))
        return ERR_BANNED;
    if ((int)role > standing->rank || (!self && !outranks(standing)))
        return ERR_NOT_ALLOWED;
    bool lowered = role != ROLE_NONE && role < ROLE_OWNER && facts->target_role == ROLE_OWNER;
    return lowered && facts->owner_count == 1 ? ERR_LAST_OWNER : 0;
}

static int decide_remove_member(const struct standing *standing)
{
    if (is_about_self(standing->command))
        return decide_leave(standing);
    int err = check_rank(standing, ROLE_MODERATOR);
    if (err)
        return err;
    if (standing->facts->room.kind == ROOM_DIRECT || !outranks(standing))
        return ERR_NOT_ALLOWED;
    return would_orphan(standing->facts, standing->facts->target_role) ? ERR_LAST_OWNER : 0;
}

static int decide_ban(const struct standing *standing)
{
    const struct facts *facts = standing->facts;
    int err = check_rank(standing, ROLE_MODERATOR);
    if (err)
        return err;
    if (facts->room.kind == ROOM_DIRECT || is_about_self(standing->command) ||
        (int)facts->target_role >= standing->rank)
        return ERR_NOT_ALLOWED;
    return would_orphan(facts, facts->target_role) ? ERR_LAST_OWNER : 0;
}

static int decide_lift_ban(const struct standing *standing)
{
    int err = check_rank(standing, ROLE_MODERATOR);
    if (err)
        return err;
    return standing->facts->room.kind == ROOM_DIRECT ? ERR_NOT_ALLOWED : 0;
}

static int64_t slow_mode_wait(const struct standing *standing)
{
    const struct facts *facts = standing->facts;
    int64_t pause_ms = (int64_t)facts->room.slow_mode_s * 1000;
    if (standing->command->kind != COMMAND_SEND_MESSAGE || pause_ms == 0 ||
        facts->last_message_ms == 0 || standing->rank >= ROLE_MODERATOR)
        return 0;
    int64_t passed_ms = facts->now_ms - facts->last_message_ms;
    if (passed_ms < 0)
        passed_ms = 0; /* the clock was set back */
    return passed_ms < pause_ms ? pause_ms - passed_ms : 0;
}

/* A member, or one who is granted it, who is not muted. */
static int check_voice(const struct standing *standing)
{
    const struct facts *facts = standing->facts;
    int err = check_visible(standing);
    if (err || standing->rank == RANK_SERVICE)
        return err;
    if (facts->role == ROLE_NONE && !(standing->grants & GRANT_POST))
        return ERR_NOT_A_MEMBER;
    if (facts->blocked)
        return ERR_BLOCKED;
    return facts->muted ? ERR_MUTED : 0;
}

static int check_announce(const struct standing *standing)
{
    bool high = standing->rank >= ROLE_MODERATOR || (standing->grants & GRANT_POST);
    return standing->facts->room.announce && !high ? ERR_NOT_ALLOWED : 0;
}

static int decide_post(const struct standing *standing, int64_t *ret_retry_after_ms)
{
    int err = check_voice(standing);
    if (!err)
        err = check_announce(standing);
    if (err)
        return err;
    int64_t wait_ms = slow_mode_wait(standing);
    if (wait_ms == 0)
        return 0;
    if (ret_retry_after_ms)
        *ret_retry_after_ms = wait_ms;
    return ERR_RATE_LIMITED;
}

/* What is of the room's members alone, whatever is granted. */
static int decide_as_member(const struct standing *standing)
{
    int err = check_visible(standing);
    if (err)
        return err;
    return standing->facts->role == ROLE_NONE ? ERR_NOT_A_MEMBER : 0;
}

static int decide_subscribe(const struct command *command, const struct facts *facts)
{
    bool allowed = command->actor.service || command->all_visible || facts->acquainted ||
                   is_about_self(command);
    return allowed ? 0 : ERR_NOT_ALLOWED;
}

/* By the author alone, as long as he may post. */
static int decide_edit(const struct standing *standing)
{
    const struct facts *facts = standing->facts;
    int err = check_voice(standing);
    if (err)
        return err;
    if (!facts->message_exists)
        return ERR_NOT_FOUND;
    if (!facts->message_own && standing->rank != RANK_SERVICE)
        return ERR_NOT_ALLOWED;
    err = check_announce(standing);
    if (err)
        return err;
    return facts->message_deleted ? ERR_MESSAGE_DELETED : 0;
}

/* Whoever has a voice may, also where only the high ones post. */
static int decide_reaction(const struct standing *standing)
{
    const struct facts *facts = standing->facts;
    bool adds = standing->command->kind == COMMAND_ADD_REACTION;
    int err = check_voice(standing);
    if (err)
        return err;
    if (!facts->message_exists)
        return ERR_NOT_FOUND;
    return adds && facts->message_deleted ? ERR_MESSAGE_DELETED : 0;
}

/* One's own may be taken back also when muted, or after leaving. */
static int decide_delete(const struct standing *standing)
{
    const struct facts *facts = standing->facts;
    int err = check_visible(standing);
    if (err)
        return err;
    if (!facts->message_exists)
        return ERR_NOT_FOUND;
    return facts->message_own || standing->rank >= ROLE_MODERATOR ? 0 : ERR_NOT_ALLOWED;
}

/* A room that is there is told of also to one who is blocked. */
static int decide_open_direct(const struct command *command, const struct facts *facts)
{
    if (is_about_self(command))
        return ERR_INVALID_IDENTIFIER;
    return facts->blocked && !facts->direct_exists && !command->actor.service ? ERR_BLOCKED : 0;
}

int command_decide(const struct command *command, const struct facts *facts,
                   int64_t *ret_retry_after_ms)
{
    struct standing standing = standing_of(command, facts);
    switch (command->kind) {
    case COMMAND_PUT_ROOM:
        return decide_put_room(&standing);
    case COMMAND_DELETE_ROOM:
        return check_rank(&standing, ROLE_OWNER);
    case COMMAND_JOIN:
        return decide_join(&standing);
    case COMMAND_LEAVE:
        return decide_leave(&standing);
    case COMMAND_ADD_MEMBERS:
        if (standing.visible && facts->room.kind == ROOM_DIRECT)
            return ERR_NOT_ALLOWED;
        return check_rank(&standing, ROLE_OWNER);
    case COMMAND_PUT_MEMBER:
        return decide_put_member(&standing);
    case COMMAND_REMOVE_MEMBER:
        return decide_remove_member(&standing);
    case COMMAND_BAN:
        return decide_ban(&standing);
    case COMMAND_LIFT_BAN:
        return decide_lift_ban(&standing);
    case COMMAND_OPEN_DIRECT:
        return decide_open_direct(command, facts);
    case COMMAND_BLOCK:
    case COMMAND_UNBLOCK:
        return is_about_self(command) ? ERR_INVALID_IDENTIFIER : 0;
    case COMMAND_SEND_MESSAGE:
    case COMMAND_CUSTOM_EVENT:
    case COMMAND_TYPING:
        return decide_post(&standing, ret_retry_after_ms);
    case COMMAND_READ:
    case COMMAND_HERE:
        return decide_as_member(&standing);
    case COMMAND_SUBSCRIBE_PRESENCE:
        return decide_subscribe(command, facts);
    case COMMAND_EDIT_MESSAGE:
        return decide_edit(&standing);
    case COMMAND_DELETE_MESSAGE:
        return decide_delete(&standing);
    case COMMAND_ADD_REACTION:
    case COMMAND_REMOVE_REACTION:
        return decide_reaction(&standing);
    case COMMAND_ACK:
    case COMMAND_PROFILE:
    case COMMAND_CHOOSE_PRESENCE:
    case COMMAND_NOTE_SEEN:
    case COMMAND_UNSUBSCRIBE_PRESENCE:
        return 0;
    case COMMAND_KIND_COUNT:
        break;
    }
    assert(!"a command of no kind");
    return ERR_INTERNAL;
}

int command_decide_read(const struct actor *actor, const struct facts *facts)
{
    const struct command command = {.kind = COMMAND_PROFILE, .actor = *actor};
    struct standing standing = standing_of(&command, facts);
    int err = check_visible(&standing);
    if (err || standing.rank != ROLE_NONE || facts->room.kind == ROOM_PUBLIC)
        return err;
    return standing.grants & GRANT_READ ? 0 : ERR_NOT_A_MEMBER;
}
