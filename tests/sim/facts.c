#include "facts.h"

#include <assert.h>
#include <stdio.h>

struct fact facts[EVENTS_MAX];
int fact_count;
bool members[ROOMS][USERS];
unsigned bans[ROOMS][USERS];
unsigned turns[ROOMS];
struct event_id public_since[ROOMS];
int64_t now_ms;
static uint64_t random_state;

void facts_begin(uint64_t seed)
{
    random_state = seed;
    fact_count = 0;
    now_ms = 1000;
    memset(members, 0, sizeof(members));
    memset(bans, 0, sizeof(bans));
    memset(turns, 0, sizeof(turns));
    memset(public_since, 0, sizeof(public_since));
}

void facts_end(void)
{
    for (int i = 0; i < fact_count; i++) {
        frame_unref(facts[i].frame);
        frame_unref(facts[i].kept);
    }
}

uint32_t rnd(uint32_t below)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(random_state >> 33) % below;
}

int position_of(struct event_id id)
{
    int low = 0, high = fact_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (event_id_compare(facts[middle].frame->id, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct event_id head_id(void)
{
    return fact_count ? facts[fact_count - 1].frame->id : EVENT_ID_NONE;
}

static int member_count(int room)
{
    int count = 0;
    for (int user = 0; user < USERS; user++)
        count += members[room][user];
    return count;
}

/* As the journal has it from here on. */
static void take_content(struct fact *fact)
{
    char body[64];
    const struct frame *old = fact->frame;
    snprintf(body, sizeof(body), "{\"roomId\":\"%s\",\"deleted\":true}", old->room);
    const struct frame_spec spec = {
        .type = fact->type,
        .audience = AUDIENCE_ROOM,
        .id = old->id,
        .number = old->number,
        .target = old->target,
        .realm = span_text("main"),
        .room = span_text(old->room),
        .body = span_text(body),
    };
    struct frame *taken;
    assert(frame_new(&spec, &taken) == 0);
    frame_unref(fact->kept);
    fact->kept = taken;
    fact->deletion = fact_count;
}

/* The message and its edits; whether there were any. */
static bool erase(int message)
{
    bool edited = false;
    for (int i = message; i < fact_count; i++) {
        bool edit = facts[i].type == EVENT_MESSAGE_EDITED && facts[i].target == message;
        if (i == message || edit)
            take_content(&facts[i]);
        edited = edited || edit;
    }
    return edited;
}

static void append_fact(enum event_type type, int room, int user, int target, bool bars)
{
    char room_name[16], user_name[16], body[256];
    struct fact *fact = &facts[fact_count];
    snprintf(room_name, sizeof(room_name), "r%d", room);
    snprintf(user_name, sizeof(user_name), "u%d", user < 0 ? 0 : user);
    snprintf(body, sizeof(body), "{\"roomId\":\"%s\",\"filler\":\"%.*s\"}", room_name,
             (int)rnd(150), "....................................................................."
             "..................................................................................");
    bool same_ms = fact_count && rnd(3) == 0;
    if (type == EVENT_USER_JOINED)
        members[room][user] = true;
    if (bars || (type == EVENT_USER_JOINED && is_banned(room, user)))
        bans[room][user]++;
    fact->quiet = user >= 0 && member_count(room) > QUIET_LIMIT;
    struct event_id last = head_id();
    struct frame_spec spec = {
        .type = type,
        .audience = type == EVENT_NONE ? AUDIENCE_SESSION
                    : fact->quiet      ? AUDIENCE_USER
                                       : AUDIENCE_ROOM,
        .bars_user = bars,
        .ends_watching = type == EVENT_ROOM_UPDATED && is_public(room),
        .opens_watching = type == EVENT_ROOM_UPDATED && !is_public(room),
        .id = same_ms ? event_id_next(last)
                      : (struct event_id){(uint64_t)now_ms > last.ms ? (uint64_t)now_ms
                                                                     : last.ms + 1, 0},
        .number = (uint64_t)fact_count + 1,
        .realm = span_text("main"),
        .room = span_text(room_name),
        .user = user < 0 ? (struct span){NULL, 0} : span_text(user_name),
        .body = span_text(body),
    };
    if (target >= 0)
        spec.target = facts[target].frame->id;
    if (type == EVENT_MESSAGE_DELETED)
        spec.target_edited = erase(target);
    assert(frame_new(&spec, &fact->frame) == 0);
    fact->kept = frame_ref(fact->frame);
    fact->target = target;
    fact->deletion = -1;
    fact->type = type;
    fact->room = room;
    fact->user = user;
    fact->turns = turns[room];
    memcpy(fact->bans, bans[room], sizeof(fact->bans));
    memcpy(fact->member, members[room], sizeof(fact->member));
    if (type == EVENT_USER_LEFT)
        members[room][user] = false;
    fact_count++;
}

void append(enum event_type type, int room, int user, int target)
{
    append_fact(type, room, user, target, false);
}

void append_ban(int room, int user)
{
    assert(!is_banned(room, user));
    append_fact(members[room][user] ? EVENT_USER_LEFT : EVENT_NONE, room, user, -1, true);
}

void append_turn(int room)
{
    assert(room < PUBLIC_ROOMS);
    append(EVENT_ROOM_UPDATED, room, -1, -1);
    turns[room]++;
    if (is_public(room))
        public_since[room] = head_id();
}

void append_about(enum event_type type)
{
    bool changes = type == EVENT_MESSAGE_EDITED || type == EVENT_MESSAGE_DELETED;
    for (int tries = 0; tries < 8 && fact_count > 0; tries++) {
        int index = fact_count - 1 - (int)rnd(fact_count < 200 ? (uint32_t)fact_count : 200);
        if (facts[index].type != EVENT_NEW_MESSAGE || facts[index].deletion >= 0)
            continue;
        append(type, facts[index].room, -1, changes ? index : -1);
        return;
    }
}

static bool is_for(const struct sight *sight, const struct fact *fact)
{
    return fact->type != EVENT_NONE && (!fact->quiet || fact->user == sight->user);
}

bool sees_as_member(const struct sight *sight, const struct fact *fact)
{
    bool named = sight->named & (1u << fact->room);
    return is_for(sight, fact) && fact->member[sight->user] && (sight->all || named);
}

static bool sees_watching(const struct sight *sight, const struct fact *fact)
{
    bool named = sight->named & (1u << fact->room);
    return is_for(sight, fact) && named && fact->room < PUBLIC_ROOMS && fact->turns % 2 == 0 &&
           event_type_is_for_watchers(fact->type);
}

bool is_shown(const struct sight *sight, const struct fact *fact)
{
    return sees_as_member(sight, fact) ||
           (sees_watching(sight, fact) && fact->turns == turns[fact->room] &&
            !is_banned(fact->room, sight->user));
}

bool must_see(const struct sight *sight, const struct fact *fact)
{
    return sees_as_member(sight, fact) ||
           (sees_watching(sight, fact) && fact->turns == turns[fact->room] &&
            bans[fact->room][sight->user] == 0);
}

bool may_see(const struct sight *sight, const struct fact *fact)
{
    unsigned ban = fact->bans[sight->user];
    return sees_as_member(sight, fact) ||
           (sees_watching(sight, fact) &&
            !(ban % 2 == 1 && ban == bans[fact->room][sight->user]));
}
