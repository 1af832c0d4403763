#include "store/scene.h"

#include "base/err.h"
#include "core/body.h"
#include "store/reading_parts.h"

/* What is looked up may be missing. */
static int allow_missing(int err)
{
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int gather_user(struct ledger *ledger, const struct scene *scene, struct span id,
                       struct arena *arena, struct ledger_user *user, struct ledger_member *member)
{
    int err = ledger->ops->user_find(ledger, scene->realm.place, id, arena, user);
    if (!err && scene->room.place)
        err = ledger->ops->member_find(ledger, scene->room.place, user->place, member);
    return allow_missing(err);
}

int scene_is_banned(struct ledger *ledger, place_number room, place_number user, int64_t now_ms,
                    bool *ret)
{
    struct ledger_ban ban;
    int err = user ? ledger->ops->ban_find(ledger, room, user, &ban) : ERR_NOT_FOUND;
    *ret = !err && ledger_ban_holds(&ban, now_ms);
    return allow_missing(err);
}

int scene_is_blocked(struct ledger *ledger, place_number blocker, place_number user, bool *ret)
{
    struct ledger_block block;
    int err =
        blocker && user ? ledger->ops->block_find(ledger, blocker, user, &block) : ERR_NOT_FOUND;
    *ret = !err;
    return allow_missing(err);
}

/* Does the other of a direct room take what the actor says? Reading asks nobody. */
static int gather_partner(struct ledger *ledger, const struct command *command, struct scene *scene)
{
    place_number partner;
    if (scene->room.info.kind != ROOM_DIRECT || scene->member.role == ROLE_NONE ||
        command->kind == COMMAND_PROFILE || command->kind == COMMAND_READ)
        return 0;
    int err = ledger->ops->direct_partner(ledger, scene->room.place, scene->actor.place, &partner);
    return err ? err : scene_is_blocked(ledger, partner, scene->actor.place, &scene->facts.blocked);
}

static int gather_direct(struct ledger *ledger, struct scene *scene)
{
    place_number actor = scene->actor.place, target = scene->target.place;
    int missed = 0;
    if (!actor || !target || actor == target)
        return 0;
    int err = ledger_put_off(
        allow_missing(ledger->ops->direct_find(ledger, actor, target, &scene->direct)), &missed);
    scene->facts.direct_exists = scene->direct != 0;
    if (!err)
        err = scene_is_blocked(ledger, target, actor, &scene->facts.blocked);
    return err ? err : missed;
}

/* A member never is banned, so that what members do costs no look-up. */
static int gather_bans(struct ledger *ledger, struct scene *scene)
{
    struct facts *facts = &scene->facts;
    int err = 0, missed = 0;
    if (facts->role == ROLE_NONE)
        err = ledger_put_off(scene_is_banned(ledger, scene->room.place, scene->actor.place,
                                             facts->now_ms, &facts->banned),
                             &missed);
    if (!err && facts->target_role == ROLE_NONE)
        err = ledger_put_off(scene_is_banned(ledger, scene->room.place, scene->target.place,
                                             facts->now_ms, &facts->target_banned),
                             &missed);
    return err ? err : missed;
}

static bool may_take_an_owner(const struct command *command)
{
    return command->kind == COMMAND_LEAVE || command->kind == COMMAND_PUT_MEMBER ||
           command->kind == COMMAND_REMOVE_MEMBER || command->kind == COMMAND_BAN;
}

static int mentioned_blocks(struct ledger *ledger, const struct scene *scene, struct span id,
                            struct arena *arena, bool *ret)
{
    struct ledger_user user;
    int err = ledger->ops->user_find(ledger, scene->realm.place, id, arena, &user);
    *ret = false;
    return err ? allow_missing(err) : scene_is_blocked(ledger, user.place, scene->actor.place, ret);
}

int scene_heed_blocks(struct ledger *ledger, const struct scene *scene,
                      const struct command *command, struct arena *arena, struct said *ret)
{
    int count = 0, all = command->mention_count, missed = 0;
    *ret = (struct said){command->body, command->mentions, all};
    if (all == 0 || !scene->actor.place)
        return 0;
    struct span *kept = arena_alloc(arena, (size_t)all * sizeof(*kept));
    if (!kept)
        return ERR_MEMORY;
    for (int i = 0; i < all; i++) {
        bool blocked;
        int err = ledger_put_off(
            mentioned_blocks(ledger, scene, command->mentions[i], arena, &blocked), &missed);
        if (err)
            return err;
        if (!blocked)
            kept[count++] = command->mentions[i];
    }
    if (missed || count == all)
        return missed;
    ret->mentions = kept;
    ret->mention_count = count;
    return body_with_mentions(arena, command->body, kept, count, &ret->body);
}

static bool is_reaction(const struct command *command)
{
    return command->kind == COMMAND_ADD_REACTION || command->kind == COMMAND_REMOVE_REACTION;
}

static bool is_about_message(const struct command *command)
{
    return command->kind == COMMAND_EDIT_MESSAGE || command->kind == COMMAND_DELETE_MESSAGE ||
           is_reaction(command);
}

int scene_check_shown(struct ledger *ledger, const struct scene *scene, const struct actor *actor,
                      struct event_id message)
{
    struct event_id floor;
    int err = reading_floor(ledger, &scene->room, scene->actor.place,
                            reading_is_privileged(actor, actor->grants), &floor);
    if (err)
        return err;
    return event_id_compare(message, floor) <= 0 ? ERR_NOT_FOUND : 0;
}

static int gather_message(struct ledger *ledger, const struct command *command, struct arena *arena,
                          struct scene *scene)
{
    struct ledger_event *message = &scene->message;
    struct facts *facts = &scene->facts;
    int missed = 0;
    int err = ledger_put_off(ledger->ops->message_find(ledger, scene->room.place,
                                                       command->message_id, arena, message),
                             &missed);
    if (!err && is_reaction(command))
        err = scene_check_shown(ledger, scene, &command->actor, message->id);
    if (err || missed)
        return missed ? missed : allow_missing(err);
    facts->message_exists = true;
    facts->message_own = message->sender == scene->actor.place;
    facts->message_deleted = message->deleted;
    return 0;
}

/* Of slow mode alone. */
static int gather_last_message(struct ledger *ledger, const struct command *command,
                               struct scene *scene)
{
    struct facts *facts = &scene->facts;
    struct event_id id;
    if (facts->room.slow_mode_s <= 0 || command->kind != COMMAND_SEND_MESSAGE ||
        !scene->actor.place)
        return 0;
    return allow_missing(ledger->ops->last_message_of_sender(
        ledger, scene->actor.place, scene->room.place, &id, &facts->last_message_ms));
}

static int gather_facts(struct ledger *ledger, const struct command *command, int64_t now_ms,
                        struct scene *scene)
{
    struct facts *facts = &scene->facts;
    int missed = 0;
    facts->now_ms = now_ms;
    if (command->kind == COMMAND_SUBSCRIBE_PRESENCE && scene->actor.place && scene->target.place)
        return ledger->ops->acquainted(ledger, scene->actor.place, scene->target.place,
                                       &facts->acquainted);
    if (command->kind == COMMAND_OPEN_DIRECT)
        return gather_direct(ledger, scene);
    facts->room_exists = scene->room.place != 0;
    if (!facts->room_exists)
        return 0;
    facts->room = scene->room.info;
    facts->role = scene->member.role;
    facts->target_role = scene->target_member.role;
    facts->muted = scene->member.muted_until_ms > now_ms;
    int err = ledger_put_off(gather_bans(ledger, scene), &missed);
    if (!err)
        err = ledger_put_off(gather_partner(ledger, command, scene), &missed);
    if (!err && may_take_an_owner(command))
        err = ledger_put_off(
            ledger->ops->owner_count(ledger, scene->room.place, &facts->owner_count), &missed);
    if (!err)
        err = gather_last_message(ledger, command, scene);
    return err ? err : missed;
}

int scene_gather(struct ledger *ledger, const struct command *command, int64_t now_ms,
                 struct arena *arena, struct scene *ret)
{
    struct scene scene = {.facts = {.now_ms = now_ms}};
    int missed = 0;
    int err = ledger->ops->realm_find(ledger, command->realm, &scene.realm);
    if (!err && command->room.data)
        err = ledger_put_off(allow_missing(ledger->ops->room_find(
                                 ledger, scene.realm.place, command->room, arena, &scene.room)),
                             &missed);
    if (!err)
        err = ledger_put_off(gather_user(ledger, &scene, command->actor.user, arena, &scene.actor,
                                         &scene.member),
                             &missed);
    if (!err && command->target.data)
        err = ledger_put_off(gather_user(ledger, &scene, command->target, arena, &scene.target,
                                         &scene.target_member),
                             &missed);
    if (!err)
        err = ledger_put_off(gather_facts(ledger, command, now_ms, &scene), &missed);
    if (!err && scene.room.place && is_about_message(command))
        err = ledger_put_off(gather_message(ledger, command, arena, &scene), &missed);
    err = allow_missing(err ? err : missed);
    if (!err)
        *ret = scene;
    return err;
}
