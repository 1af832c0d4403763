#include "redis_town.h"

#include <stdio.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>

const char *const town_rooms[TOWN_ROOMS] = {"den", "den2", "tea"};
const char *const town_users[TOWN_USERS] = {"ann", "ann-b", "bob", "cyd", "dee"};

/* A step being done over one of the ledgers. */
struct run {
    struct town *town;
    struct ledger *ledger;
    const struct ledger_ops *ops;
    bool is_redis;
    const struct town_step *step;
    struct ledger_realm realm;
    struct ledger_user user, other;
    struct ledger_room room;
    struct ledger_member member, target;
    struct event_id id;
    place_number made;
};

int town_count(struct town *town, const char *command, const char *key)
{
    redisReply *reply = redisCommand(town->sync.redis, "%s %s", command, key);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    int found = (int)reply->integer;
    freeReplyObject(reply);
    return found;
}

int town_any(struct town *town, int count)
{
    return (int)((unsigned)rand_r(&town->seed) % (unsigned)count);
}

/* -- towns ---------------------------------------------------------------------------------- */

struct town *town_new(const struct redis_server *server, unsigned seed)
{
    struct town *town = calloc(1, sizeof(*town));
    assert_non_null(town);
    town->seed = seed;
    town->now_ms = 1700000000000;
    freeReplyObject(redis_server_ask(server, "FLUSHALL"));
    redis_sync_open(&town->sync, server, 3);
    memory_ledger_init(&town->memory, &town->settings);
    return town;
}

void town_free(struct town *town)
{
    redis_sync_close(&town->sync);
    memory_ledger_fini(&town->memory);
    free(town);
}

static int sweep(void *context, struct ledger *ledger)
{
    return redis_doomed_sweep(redis_ledger_of(ledger), context);
}

bool town_sweep(struct town *town)
{
    bool more = false;
    assert_int_equal(redis_sync_ledger_write(&town->sync, &town->settings, sweep, &more), 0);
    return more;
}

/* -- finding -------------------------------------------------------------------------------- */

static int allow_missing(int err)
{
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int find_user(struct run *run, int number, struct ledger_user *user,
                     struct ledger_member *member)
{
    int err = run->ops->user_find(run->ledger, run->realm.place, span_text(town_users[number]),
                                  NULL, user);
    if (!err && run->room.place)
        err = run->ops->member_find(run->ledger, run->room.place, user->place, member);
    return allow_missing(err);
}

/* What a command looks at first, all that does not depend on other things. */
static int gather(struct run *run)
{
    const struct town_step *step = run->step;
    int missed = 0;
    int err = run->ops->realm_find(run->ledger, span_text("main"), &run->realm);
    if (err == ERR_NOT_FOUND)
        return run->ops->realm_add(run->ledger, span_text("main"), &run->realm);
    if (!err)
        err = ledger_put_off(
            allow_missing(run->ops->room_find(run->ledger, run->realm.place,
                                              span_text(town_rooms[step->room]), NULL, &run->room)),
            &missed);
    if (!err)
        err = ledger_put_off(find_user(run, step->user, &run->user, &run->member), &missed);
    if (!err)
        err = ledger_put_off(find_user(run, step->other, &run->other, &run->target), &missed);
    return err ? err : missed;
}

static int begin_user(struct run *run, int number, struct ledger_user *user)
{
    if (user->place)
        return 0;
    user->id = span_text(town_users[number]);
    return run->ops->user_add(run->ledger, run->realm.place, user->id, &user->place);
}

static int begin(struct run *run)
{
    int err = begin_user(run, run->step->user, &run->user);
    if (!err && run->step->other == run->step->user)
        run->other.place = run->user.place;
    return err ? err : begin_user(run, run->step->other, &run->other);
}

/* -- parts ---------------------------------------------------------------------------------- */

static int emit(struct run *run, place_number room, enum event_type type)
{
    struct ledger_event event = {
        .type = type,
        .place = room,
        .sender = run->user.place,
        .user = run->other.place,
        .user_id = span_text(town_users[run->step->other]),
        .sender_id = span_text(town_users[run->step->user]),
        .timestamp_ms = run->step->now_ms,
        .number = run->realm.head_number + 1,
        .id = run->step->id,
        .body = span_text("{}"),
    };
    char name[32];
    int err = 0;
    if (run->is_redis)
        err = run->ops->id_next(run->ledger, run->realm.place, run->step->now_ms, &event.id);
    if (type == EVENT_NEW_MESSAGE) {
        snprintf(name, sizeof(name), "m%lld", (long long)run->step->now_ms);
        event.message_id = span_text(name);
        event.ordinal = run->room.ordinal + 1;
    }
    run->id = event.id;
    return err ? err : run->ops->event_add(run->ledger, run->realm.place, &event);
}

static int enter(struct run *run, place_number room, place_number user, enum role role)
{
    const struct ledger_member member = {
        .user = user, .role = role, .joined_at_ms = run->step->now_ms};
    const struct ledger_marker marker = {
        .read = run->id, .ordinal = room == run->room.place ? run->room.ordinal : 0};
    int missed = 0;
    int err = ledger_put_off(run->ops->member_put(run->ledger, room, &member), &missed);
    if (!err)
        err = ledger_put_off(run->ops->ban_remove(run->ledger, room, user), &missed);
    if (!err)
        err = ledger_put_off(run->ops->tenure_open(run->ledger, user, room, run->id), &missed);
    if (!err)
        err = ledger_put_off(run->ops->marker_put(run->ledger, room, user, &marker), &missed);
    return err ? err : missed;
}

static int part(struct run *run, place_number user)
{
    int missed = 0;
    int err = ledger_put_off(run->ops->tenure_close(run->ledger, user, run->room.place, run->id),
                             &missed);
    if (!err)
        err = ledger_put_off(run->ops->member_remove(run->ledger, run->room.place, user), &missed);
    return err ? err : missed;
}

static struct room_info info_of(const struct run *run, struct span id)
{
    static const char *const texts[] = {"", "a name", "\xc3\xa4"};
    int number = run->step->number;
    return (struct room_info){
        .id = id,
        .kind = number & 1 ? ROOM_PUBLIC : ROOM_PRIVATE,
        .announce = number & 2,
        .slow_mode_s = number % 5,
        .history_from = number & 4 ? HISTORY_FROM_JOINING : HISTORY_FROM_START,
        .version = (uint64_t)number,
        .created_at_ms = run->step->now_ms,
        .name = span_text(texts[number % 3]),
        .topic = span_text(texts[number / 3 % 3]),
        .data = span_text("{}"),
    };
}

/* -- acts ----------------------------------------------------------------------------------- */

static int make_room(struct run *run, struct room_info info)
{
    if (run->is_redis && run->ops->id_next(run->ledger, run->realm.place, 0, &run->id))
        return ERR_INTERNAL;
    if (!run->is_redis)
        run->id = run->step->id;
    if (info.kind == ROOM_PUBLIC)
        info.public_since = run->id;
    int err = run->ops->room_add(run->ledger, run->realm.place, &info, &run->made);
    return err ? err : emit(run, run->made, EVENT_ROOM_CREATED);
}

static int create(struct run *run)
{
    int err = run->room.place ? 0 : begin(run);
    if (err || run->room.place)
        return err;
    err = make_room(run, info_of(run, span_text(town_rooms[run->step->room])));
    return err ? err : enter(run, run->made, run->user.place, ROLE_OWNER);
}

static int direct(struct run *run)
{
    char name[64];
    place_number room;
    int err = begin(run);
    if (err || run->user.place == run->other.place)
        return err;
    err = run->ops->direct_find(run->ledger, run->user.place, run->other.place, &room);
    if (err != ERR_NOT_FOUND)
        return err;
    snprintf(name, sizeof(name), "d-%lld", (long long)run->step->now_ms);
    struct room_info info = info_of(run, span_text(name));
    info.kind = ROOM_DIRECT;
    err = make_room(run, info);
    if (!err)
        err = run->ops->direct_add(run->ledger, run->user.place, run->other.place, run->made);
    if (!err)
        err = enter(run, run->made, run->user.place, ROLE_MEMBER);
    return err ? err : enter(run, run->made, run->other.place, ROLE_MEMBER);
}

static int change(struct run *run)
{
    struct room_info info = info_of(run, span_text("ignored"));
    if (!run->room.place || !run->user.place)
        return 0;
    int err = emit(run, run->room.place, EVENT_ROOM_UPDATED);
    return err ? err : run->ops->room_set(run->ledger, run->room.place, &info);
}

/* The room, or sometimes the direct one of the two. */
static int delete (struct run *run)
{
    place_number room = run->room.place;
    int err = 0;
    if (!run->user.place)
        return 0;
    if (run->step->number % 4 == 0 && run->other.place && run->other.place != run->user.place) {
        err = run->ops->direct_find(run->ledger, run->user.place, run->other.place, &room);
        if (err)
            return allow_missing(err);
    }
    if (!room)
        return 0;
    err = emit(run, room, EVENT_ROOM_DELETED);
    return err ? err : run->ops->room_remove(run->ledger, room, run->id);
}

static int join(struct run *run)
{
    struct ledger_ban ban;
    if (!run->room.place || run->member.role != ROLE_NONE)
        return 0;
    int err = begin(run);
    if (!err)
        err = run->ops->ban_find(run->ledger, run->room.place, run->user.place, &ban);
    if (!err && ledger_ban_holds(&ban, run->step->now_ms))
        return 0;
    err = allow_missing(err);
    if (!err)
        err = emit(run, run->room.place, EVENT_USER_JOINED);
    return err ? err
               : enter(run, run->room.place, run->user.place,
                       run->step->number % 4 ? ROLE_MEMBER : ROLE_OWNER);
}

/* The last owner stays while there are others. */
static int may_go(struct run *run, enum role role, bool *ret)
{
    int64_t owners = 0;
    int err = run->ops->owner_count(run->ledger, run->room.place, &owners);
    *ret = role != ROLE_OWNER || owners > 1 || run->room.info.member_count == 1;
    return err;
}

static int leave(struct run *run)
{
    bool may;
    if (!run->room.place || run->member.role == ROLE_NONE)
        return 0;
    int err = may_go(run, run->member.role, &may);
    if (err || !may)
        return err;
    err = emit(run, run->room.place, EVENT_USER_LEFT);
    return err ? err : part(run, run->user.place);
}

static int give_role(struct run *run)
{
    bool may;
    struct ledger_member member = run->target;
    if (!run->room.place || run->target.role == ROLE_NONE || !run->user.place)
        return 0;
    member.role = (enum role)(ROLE_MEMBER + run->step->number % 3);
    member.muted_until_ms = run->step->number % 2 ? run->step->now_ms + 5000 : 0;
    member.notify = run->step->number % 5 ? NOTIFY_ALL : NOTIFY_NONE;
    int err = may_go(run, run->target.role, &may);
    if (err || !may)
        return err;
    err = emit(run, run->room.place, EVENT_MEMBER_UPDATED);
    return err ? err : run->ops->member_put(run->ledger, run->room.place, &member);
}

static int ban(struct run *run)
{
    bool may;
    int missed = 0;
    if (!run->room.place)
        return 0;
    int err = begin(run);
    if (!err)
        err = may_go(run, run->target.role, &may);
    if (err || !may)
        return err;
    const struct ledger_ban value = {
        .user = run->other.place,
        .by = run->user.place,
        .banned_at_ms = run->step->now_ms,
        .until_ms = run->step->number % 3 ? run->step->now_ms + 1000 * run->step->number : 0,
        .reason = run->step->number % 2 ? span_text("loud") : span_of(NULL, 0),
    };
    err = emit(run, run->room.place, EVENT_USER_LEFT);
    if (!err && run->target.role != ROLE_NONE)
        err = ledger_put_off(part(run, run->other.place), &missed);
    if (!err)
        err = ledger_put_off(
            run->ops->ban_put(run->ledger, run->room.place, &value, run->step->now_ms), &missed);
    return err ? err : missed;
}

static int lift(struct run *run)
{
    if (!run->room.place || !run->other.place)
        return 0;
    return run->ops->ban_remove(run->ledger, run->room.place, run->other.place);
}

static int post(struct run *run)
{
    if (!run->room.place || run->member.role == ROLE_NONE)
        return 0;
    int err = emit(run, run->room.place, EVENT_NEW_MESSAGE);
    const struct ledger_marker marker = {.read = run->id, .ordinal = run->room.ordinal + 1};
    return err ? err : run->ops->marker_put(run->ledger, run->room.place, run->user.place, &marker);
}

static int block(struct run *run)
{
    struct ledger_block found;
    int err = begin(run);
    if (!err)
        err = run->ops->block_find(run->ledger, run->user.place, run->other.place, &found);
    if (err != ERR_NOT_FOUND)
        return err;
    const struct ledger_block value = {.user = run->other.place,
                                       .blocked_at_ms = run->step->now_ms};
    return run->ops->block_add(run->ledger, run->user.place, &value);
}

static int of_user(struct run *run)
{
    const struct ledger_presence presence = {
        .choice = (enum presence_status)(run->step->number % 4),
        .seen_ms = run->step->now_ms,
        .activity = run->step->number % 3 ? span_text("at lunch") : span_of(NULL, 0)};
    const struct ledger_device device = {.cursor = run->realm.head,
                                         .used_at_ms = run->step->now_ms};
    struct ledger_device found;
    char name[8];
    int err = begin(run), missed = 0;
    place_number user = run->user.place, other = run->other.place;
    if (err)
        return err;
    snprintf(name, sizeof(name), "v%d", run->step->number % (DEVICES_OF_USER_MAX + 4));
    switch (run->step->act) {
    case TOWN_UNBLOCK:
        return run->ops->block_remove(run->ledger, user, other);
    case TOWN_PROFILE:
        return run->ops->user_set(
            run->ledger, user, run->step->number % 4 ? span_text("Name") : span_of(NULL, 0),
            run->step->number % 3 ? span_text("{\"a\":1}") : span_of(NULL, 0));
    case TOWN_ACK:
        return run->ops->user_ack(run->ledger, user, run->realm.head, run->step->now_ms);
    case TOWN_DEVICE:
        err = ledger_put_off(
            allow_missing(run->ops->device_find(run->ledger, user, span_text(name), &found)),
            &missed);
        if (!err)
            err = run->ops->device_put(run->ledger, user, span_text(name), &device);
        return err ? err : missed;
    case TOWN_PRESENCE:
        return run->ops->presence_put(run->ledger, user, &presence);
    case TOWN_SUBSCRIBE:
        return run->ops->subscription_put(run->ledger, user, other);
    default:
        return run->ops->subscription_remove(run->ledger, user, other);
    }
}

int town_do(struct town *town, struct ledger *ledger, const struct town_step *step, bool is_redis,
            struct event_id *ret_id, place_number *ret_room)
{
    static int (*const acts[TOWN_ACTS])(struct run * run) = {
        [TOWN_CREATE] = create,    [TOWN_CHANGE] = change,     [TOWN_DELETE] = delete,
        [TOWN_JOIN] = join,        [TOWN_LEAVE] = leave,       [TOWN_ROLE] = give_role,
        [TOWN_BAN] = ban,          [TOWN_LIFT] = lift,         [TOWN_POST] = post,
        [TOWN_DIRECT] = direct,    [TOWN_BLOCK] = block,       [TOWN_UNBLOCK] = of_user,
        [TOWN_PROFILE] = of_user,  [TOWN_ACK] = of_user,       [TOWN_DEVICE] = of_user,
        [TOWN_PRESENCE] = of_user, [TOWN_SUBSCRIBE] = of_user, [TOWN_UNSUBSCRIBE] = of_user,
    };
    struct run run = {town, ledger, ledger->ops, is_redis, step};
    int err = gather(&run);
    if (!err)
        err = acts[step->act](&run);
    if (err)
        return err;
    *ret_id = run.id;
    *ret_room = run.made;
    return 0;
}

/* -- over both ------------------------------------------------------------------------------ */

static int do_over_redis(void *context, struct redis_ledger *ledger, void *step,
                         struct event_id *ret_made)
{
    struct town *town = context;
    struct town_step *doing = step;
    if (town->parted_max)
        ledger->parted_max = town->parted_max;
    return town_do(town, &ledger->ledger, doing, true, ret_made, &doing->made);
}

static void do_over_memory(void *context, void *step, struct event_id id)
{
    struct town *town = context;
    struct town_step *done = step;
    struct event_id made = EVENT_ID_NONE;
    place_number room = 0;
    done->id = id;
    assert_int_equal(town_do(town, &town->memory.ledger, done, false, &made, &room), 0);
    assert_int_equal(event_id_compare(made, id), 0);
    assert_int_equal(room != 0, done->made != 0);
    if (room)
        town->made[town->made_count++] = (struct town_room){done->made, room};
    if (!event_id_is_none(id))
        town->ids[town->id_count++] = id;
    assert_true(town->made_count < TOWN_MADE_MAX && town->id_count < TOWN_IDS_MAX);
}

struct redis_play town_batch(struct town *town, struct town_step *steps, int count)
{
    static const struct redis_play_ops ops = {do_over_redis, do_over_memory};
    struct redis_play batch = {.ops = &ops,
                               .context = town,
                               .sync = &town->sync,
                               .settings = &town->settings,
                               .now_ms = town->now_ms,
                               .count = count};
    for (int i = 0; i < count; i++)
        batch.steps[i] = &steps[i];
    return batch;
}
