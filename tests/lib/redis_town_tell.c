#include <stdio.h>
#include <stdlib.h>

#include "redis_town.h"
#include "store/view.h"

#define LINES_MAX 64

struct telling {
    struct town *town;
    bool is_redis;
    struct ledger *ledger;
    const struct ledger_ops *ops;
    unsigned seed;
    struct buf text;
    int missed;
    place_number realm;
    place_number users[TOWN_USERS];
    struct span last; /* name of the last one of a page; data NULL: none */
    char last_text[64];
    int count; /* of the page */
};

static void tell(struct telling *telling, const char *format, ...)
{
    char text[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_int_equal(buf_add_text(&telling->text, text), 0);
}

static void tell_id(struct telling *telling, struct event_id id)
{
    char text[EVENT_ID_TEXT_MAX];
    event_id_format(id, text);
    tell(telling, " %s", text);
}

static void tell_text(struct telling *telling, struct span text)
{
    tell(telling, text.data ? " '%.*s'" : " -", SPAN_ARGS(text));
}

static int one_of(struct telling *telling, int count)
{
    return (int)((unsigned)rand_r(&telling->seed) % (unsigned)count);
}

/* Ends a line: what is missing is asked for with all else. */
static int end_line(struct telling *telling, int err)
{
    if (err == ERR_NOT_FOUND) {
        tell(telling, " none");
        err = 0;
    }
    tell(telling, "\n");
    return ledger_put_off(err, &telling->missed);
}

/* Which of the rooms that were made. */
static int room_of(const struct telling *telling, place_number place)
{
    for (int i = 0; i < telling->town->made_count; i++) {
        const struct town_room *room = &telling->town->made[i];
        if (place == (telling->is_redis ? room->redis : room->memory))
            return i;
    }
    fail_msg("a room that nobody made: %d", (int)place);
    return -1;
}

static int user_of(const struct telling *telling, place_number place)
{
    for (int i = 0; i < TOWN_USERS; i++) {
        if (telling->users[i] == place)
            return i;
    }
    return -1;
}

static place_number place_of(const struct telling *telling, int room)
{
    const struct town_room *made = &telling->town->made[room];
    return telling->is_redis ? made->redis : made->memory;
}

/* Notes where a page ended. */
static void note_last(struct telling *telling, struct span id)
{
    snprintf(telling->last_text, sizeof(telling->last_text), "%.*s", SPAN_ARGS(id));
    telling->last = span_text(telling->last_text);
    telling->count++;
}

/* -- rooms ---------------------------------------------------------------------------------- */

static void tell_room(struct telling *telling, const struct ledger_room *room)
{
    const struct room_info *info = &room->info;
    tell(telling, " room %d", room_of(telling, room->place));
    tell_text(telling, info->id);
    tell(telling, " kind %d announce %d slow %d from %d version %d made %lld members %d",
         info->kind, info->announce, info->slow_mode_s, info->history_from, (int)info->version,
         (long long)info->created_at_ms, (int)info->member_count);
    tell_id(telling, info->public_since);
    tell_text(telling, info->name);
    tell_text(telling, info->topic);
    tell_text(telling, info->data);
    tell(telling, " deleted %d ordinal %d", room->deleted, (int)room->ordinal);
    tell_id(telling, room->gone);
}

static void tell_member(struct telling *telling, const struct ledger_member *member)
{
    tell(telling, " user %d role %d since %lld muted %lld notify %d read",
         user_of(telling, member->user), member->role, (long long)member->joined_at_ms,
         (long long)member->muted_until_ms, member->notify);
    tell_id(telling, member->marker.read);
    tell(telling, "/%d", (int)member->marker.ordinal);
}

static int visit_member(void *context, const struct ledger_member *member)
{
    struct telling *telling = context;
    note_last(telling, member->user_id);
    tell_member(telling, member);
    tell_text(telling, member->user_id);
    tell_text(telling, member->name);
    tell_text(telling, member->data);
    tell_id(telling, member->acked);
    tell(telling, " at %lld;", (long long)member->acked_at_ms);
    return 0;
}

static int visit_ban(void *context, const struct ledger_ban *ban)
{
    struct telling *telling = context;
    const struct span texts[] = {ban->user_id, ban->name, ban->data, ban->by_id, ban->reason};
    note_last(telling, ban->user_id);
    tell(telling, " user %d by %d at %lld until %lld", user_of(telling, ban->user),
         user_of(telling, ban->by), (long long)ban->banned_at_ms, (long long)ban->until_ms);
    for (size_t i = 0; i < array_count(texts); i++)
        tell_text(telling, texts[i]);
    tell(telling, ";");
    return 0;
}

/* A list page after page; sometimes from somewhere. */
typedef int (*page_reader)(struct telling *telling, place_number place, struct span from,
                           int limit);

static int tell_pages(struct telling *telling, place_number place, page_reader read)
{
    int limit = 1 + one_of(telling, 3), err;
    telling->last =
        one_of(telling, 3) ? span_of(NULL, 0) : span_text(town_users[one_of(telling, TOWN_USERS)]);
    do {
        telling->count = 0;
        struct span from = telling->last;
        char text[sizeof(telling->last_text)];
        snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(from));
        tell(telling, " |");
        err = read(telling, place, from.data ? span_text(text) : from, limit);
    } while (!err && telling->count == limit);
    return err;
}

static int read_members(struct telling *telling, place_number room, struct span from, int limit)
{
    return telling->ops->members(telling->ledger, room, from, limit, visit_member, telling);
}

static int read_bans(struct telling *telling, place_number room, struct span from, int limit)
{
    return telling->ops->bans(telling->ledger, room, from, telling->town->now_ms, limit, visit_ban,
                              telling);
}

static int tell_counts(struct telling *telling, place_number room)
{
    int64_t owners = 0, bans = 0;
    int missed = 0;
    int err = ledger_put_off(telling->ops->owner_count(telling->ledger, room, &owners), &missed);
    if (!err)
        err = ledger_put_off(
            telling->ops->ban_count(telling->ledger, room, telling->town->now_ms, &bans), &missed);
    tell(telling, "owners %d bans %d", (int)owners, (int)bans);
    return err ? err : missed;
}

static int tell_people(struct telling *telling, place_number room)
{
    struct ledger_member member;
    struct ledger_ban ban;
    place_number partner;
    int err = 0;
    for (int i = 0; i < TOWN_USERS && !err; i++) {
        if (!telling->users[i])
            continue;
        err = telling->ops->member_find(telling->ledger, room, telling->users[i], &member);
        if (!err)
            tell_member(telling, &member);
        err = end_line(telling, err);
        if (!err)
            err = telling->ops->ban_find(telling->ledger, room, telling->users[i], &ban);
        /* One that has passed may be forgotten. */
        if (!err && ledger_ban_holds(&ban, telling->town->now_ms))
            tell(telling, " banned by %d", user_of(telling, ban.by));
        err = ledger_put_off(err == ERR_NOT_FOUND ? 0 : err, &telling->missed);
        if (!err)
            err = telling->ops->direct_partner(telling->ledger, room, telling->users[i], &partner);
        if (!err &&
            telling->ops->member_find(telling->ledger, room, telling->users[i], &member) == 0)
            tell(telling, " partner %d", user_of(telling, partner));
        err = end_line(telling, err);
    }
    return err;
}

static int tell_made(struct telling *telling, int number)
{
    place_number place = place_of(telling, number);
    struct ledger_room room;
    tell(telling, "%d:", number);
    int err = telling->ops->room_at(telling->ledger, place, NULL, &room);
    if (!err)
        tell_room(telling, &room);
    err = end_line(telling, err);
    if (!err)
        err = end_line(telling, tell_counts(telling, place));
    if (!err)
        err = end_line(telling, tell_pages(telling, place, read_members));
    if (!err)
        err = end_line(telling, tell_pages(telling, place, read_bans));
    return err ? err : tell_people(telling, place);
}

/* -- users ---------------------------------------------------------------------------------- */

static int visit_room(void *context, const struct ledger_room *room,
                      const struct ledger_member *member)
{
    struct telling *telling = context;
    note_last(telling, room->info.id);
    tell_room(telling, room);
    tell_member(telling, member);
    return 0;
}

static int read_rooms(struct telling *telling, place_number user, struct span from, int limit)
{
    return telling->ops->rooms_of_user(telling->ledger, user, from, limit, visit_room, telling);
}

static int visit_block(void *context, const struct ledger_block *block)
{
    struct telling *telling = context;
    note_last(telling, block->user_id);
    tell(telling, " user %d at %lld", user_of(telling, block->user),
         (long long)block->blocked_at_ms);
    tell_text(telling, block->user_id);
    tell_text(telling, block->name);
    tell_text(telling, block->data);
    return 0;
}

static int read_blocks(struct telling *telling, place_number user, struct span from, int limit)
{
    return telling->ops->blocks(telling->ledger, user, from, limit, visit_block, telling);
}

static int visit_tenure(void *context, const struct ledger_tenure *tenure)
{
    struct telling *telling = context;
    tell(telling, " in %d", room_of(telling, tenure->room));
    tell_id(telling, tenure->from);
    tell_id(telling, tenure->until);
    return 0;
}

static struct event_id some_id(struct telling *telling)
{
    const struct town *town = telling->town;
    int which = one_of(telling, 6);
    if (which == 0 || town->id_count == 0)
        return EVENT_ID_NONE;
    if (which == 1)
        return event_id_previous(EVENT_ID_LAST);
    struct event_id id = town->ids[one_of(telling, town->id_count)];
    return which == 2 ? event_id_next(id) : which == 3 ? event_id_previous(id) : id;
}

static int tell_tenures(struct telling *telling, place_number user)
{
    int made = telling->town->made_count;
    struct event_id after = some_id(telling);
    place_number room = made && one_of(telling, 2) ? place_of(telling, one_of(telling, made)) : 0;
    tell(telling, "tenures after");
    tell_id(telling, after);
    return telling->ops->tenures(telling->ledger, user, room, after, visit_tenure, telling);
}

static int tell_user_counts(struct telling *telling, place_number user)
{
    int64_t rooms = 0, blocks = 0, subscriptions = 0;
    int missed = 0;
    int err =
        ledger_put_off(telling->ops->room_count_of_user(telling->ledger, user, &rooms), &missed);
    if (!err)
        err = ledger_put_off(telling->ops->block_count(telling->ledger, user, &blocks), &missed);
    if (!err)
        err = ledger_put_off(
            telling->ops->subscription_count(telling->ledger, user, &subscriptions), &missed);
    tell(telling, "rooms %d blocks %d subscriptions %d", (int)rooms, (int)blocks,
         (int)subscriptions);
    return err ? err : missed;
}

static int tell_devices(struct telling *telling, place_number user)
{
    int err = 0, missed = 0;
    for (int i = 0; i < DEVICES_OF_USER_MAX + 4 && !err; i++) {
        struct ledger_device device;
        char name[8];
        snprintf(name, sizeof(name), "v%d", i);
        err = telling->ops->device_find(telling->ledger, user, span_text(name), &device);
        if (!err) {
            tell(telling, " %s used %lld", name, (long long)device.used_at_ms);
            tell_id(telling, device.cursor);
        }
        err = ledger_put_off(err == ERR_NOT_FOUND ? 0 : err, &missed);
    }
    return err ? err : missed;
}

static int tell_presence(struct telling *telling, place_number user)
{
    struct ledger_presence presence;
    int err = telling->ops->presence_get(telling->ledger, user, NULL, &presence);
    if (err)
        return err;
    tell(telling, "presence %d seen %lld", presence.choice, (long long)presence.seen_ms);
    tell_text(telling, presence.activity);
    return 0;
}

static int note_name(void *context, struct span name)
{
    bool *told = context;
    for (int i = 0; i < TOWN_USERS; i++)
        told[i] |= span_is(name, town_users[i]);
    return 0;
}

static int tell_subscriptions(struct telling *telling, place_number user)
{
    bool told[TOWN_USERS] = {false};
    int err = telling->ops->subscriptions(telling->ledger, user, note_name, told);
    for (int i = 0; i < TOWN_USERS; i++)
        tell(telling, " %d", told[i]);
    return err;
}

/* What there is between two. */
static int tell_pair(struct telling *telling, place_number user, place_number other)
{
    struct ledger_block block;
    place_number room;
    bool acquainted = false;
    int err = telling->ops->block_find(telling->ledger, user, other, &block);
    if (!err)
        tell(telling, " blocked at %lld", (long long)block.blocked_at_ms);
    err = end_line(telling, err);
    if (!err)
        err = end_line(telling, telling->ops->subscription_find(telling->ledger, user, other));
    if (!err)
        err = telling->ops->direct_find(telling->ledger, user, other, &room);
    if (!err)
        tell(telling, " direct %d", room_of(telling, room));
    err = end_line(telling, err);
    if (!err)
        err = telling->ops->acquainted(telling->ledger, user, other, &acquainted);
    if (!err)
        tell(telling, " acquainted %d", acquainted);
    return end_line(telling, err);
}

static int tell_user(struct telling *telling, int number)
{
    static int (*const parts[])(struct telling *,
                                place_number) = {tell_user_counts,   tell_devices, tell_presence,
                                                 tell_subscriptions, tell_tenures, tell_tenures};
    place_number user = telling->users[number];
    int err = 0;
    if (!user)
        return 0;
    for (size_t i = 0; i < array_count(parts) && !err; i++) {
        tell(telling, "user %d: ", number);
        err = end_line(telling, parts[i](telling, user));
    }
    if (!err)
        err = end_line(telling, tell_pages(telling, user, read_rooms));
    if (!err)
        err = end_line(telling, tell_pages(telling, user, read_blocks));
    for (int i = 0; i < TOWN_USERS && !err; i++) {
        if (i != number && telling->users[i])
            err = tell_pair(telling, user, telling->users[i]);
    }
    return err;
}

/* -- all ------------------------------------------------------------------------------------ */

static int tell_names(struct telling *telling)
{
    int err = 0;
    for (int i = 0; i < TOWN_USERS && !err; i++) {
        struct ledger_user user;
        telling->users[i] = 0;
        err = telling->ops->user_find(telling->ledger, telling->realm, span_text(town_users[i]),
                                      NULL, &user);
        if (!err) {
            telling->users[i] = user.place;
            tell_text(telling, user.id);
            tell_text(telling, user.name);
            tell_text(telling, user.data);
            tell_id(telling, user.acked);
        }
        err = end_line(telling, err);
    }
    for (int i = 0; i < TOWN_ROOMS && !err; i++) {
        struct ledger_room room;
        err = telling->ops->room_find(telling->ledger, telling->realm, span_text(town_rooms[i]),
                                      NULL, &room);
        if (!err)
            tell_room(telling, &room);
        err = end_line(telling, err);
    }
    return err;
}

static int tell_all(struct telling *telling, struct ledger *ledger)
{
    struct ledger_realm realm;
    unsigned seed = telling->seed;
    telling->ledger = ledger;
    telling->ops = ledger->ops;
    telling->text.len = 0;
    telling->missed = 0;
    int err = telling->ops->realm_find(ledger, span_text("main"), &realm);
    if (err)
        return err == ERR_NOT_FOUND ? 0 : err;
    telling->realm = realm.place;
    tell(telling, "head %d", (int)realm.head_number);
    tell_id(telling, realm.head);
    err = end_line(telling, tell_names(telling));
    for (int i = 0; i < telling->town->made_count && !err; i++) {
        telling->seed = seed + (unsigned)i;
        err = tell_made(telling, i);
    }
    for (int i = 0; i < TOWN_USERS && !err; i++) {
        telling->seed = seed - (unsigned)i;
        err = tell_user(telling, i);
    }
    telling->seed = seed;
    return err ? err : telling->missed;
}

static int tell_over_redis(void *context, struct ledger *ledger)
{
    return tell_all(context, ledger);
}

void town_compare(struct town *town, int fetches_max)
{
    struct telling redis = {.town = town, .seed = (unsigned)town_any(town, 1000000)};
    struct telling memory = redis;
    int fetches = town->sync.fetches;
    redis.is_redis = true;
    buf_init(&redis.text, 16u << 20);
    buf_init(&memory.text, 16u << 20);
    assert_int_equal(redis_sync_ledger_read(&town->sync, &town->settings, tell_over_redis, &redis),
                     0);
    assert_in_range(town->sync.fetches - fetches, 0, fetches_max);
    assert_int_equal(tell_all(&memory, &town->memory.ledger), 0);
    redis_assert_same(&redis.text, &memory.text);
    buf_fini(&redis.text);
    buf_fini(&memory.text);
}
