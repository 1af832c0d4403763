/* Who becomes known to whom: people of a room are introduced to each other when one comes in, and
 * all of them, step by step, when its hush ends.
 *
 * They are told what they do not know yet, and no more. What two of them know is either everything,
 * where both are introduced; or what was noted by the newest hush of a room where both were, since
 * nothing has been told after it; or nothing. Where that is not certain any more (they were told
 * by another room meanwhile, or by a subscription, and that has ended) they are told again. */
#include "api/hub_parts.h"

#include "core/frame.h"

/* Links compared and sessions told in one turn: a few milliseconds at most. */
#define TURN_STEPS_MAX 100000

static bool is_large(const struct hub *hub, const struct hub_room *room)
{
    return settings_is_quiet(hub->settings, room->members);
}

/* -- two people ---------------------------------------------------------------------------- */

/* What two users, or rather their older sessions, know of each other. */
struct bond {
    bool told;                     /* everything */
    const struct hub_room *room;   /* else: as its hush has noted; NULL: nothing */
    const struct hub_known *a, *b; /* its notes, with `room` */
};

static void note_room(struct bond *bond, const struct hub_room *room, const struct hub_user *a,
                      const struct hub_user *b)
{
    bond->told = people_is_introduced(room, a) && people_is_introduced(room, b);
    if (bond->told || (bond->room && bond->room->hushed > room->hushed))
        return;
    const struct hub_known *of_a = people_find_known(room, a);
    const struct hub_known *of_b = people_find_known(room, b);
    if (!of_a || !of_b)
        return;
    if (of_a->doubted || of_b->doubted || (of_a->status && of_b->status))
        *bond = (struct bond){.room = room, .a = of_a, .b = of_b};
}

static struct bond bond_of(const struct hub *hub, const struct hub_user *a,
                           const struct hub_user *b)
{
    struct bond bond = {.told = false};
    uint32_t i = 0, k = 0;
    while (i < a->link_count && k < b->link_count && !bond.told) {
        uint32_t of_a = a->links[i], of_b = b->links[k];
        if (of_a == of_b)
            note_room(&bond, people_room(&hub->people, of_a), a, b);
        i += of_a <= of_b;
        k += of_b <= of_a;
    }
    return bond;
}

/* May anybody have to be told of it? */
static bool is_known(const struct hub_user *user)
{
    return hub_user_is_shown(user) || user->known_in > 0;
}

static bool is_news(const struct bond *bond, const struct hub_user *of,
                    const struct hub_known *known, const struct session *to)
{
    if (!bond->room)
        return hub_user_is_shown(of);
    if (to->watches > bond->room->hushed && to->watches > bond->a->doubted &&
        to->watches > bond->b->doubted)
        return hub_user_is_shown(of);
    return bond->a->doubted || bond->b->doubted || hub_user_status(of) != known->status ||
           presence_told_activity(&of->presence) != known->activity;
}

static int64_t tell_one(struct hub *hub, struct session *session, struct hub_user *of)
{
    struct frame *frame = hub_presence_frame(hub, of);
    if (frame)
        hub_tell(hub, session, frame);
    return 1;
}

static int64_t tell(struct hub *hub, struct hub_user *to, struct hub_user *of,
                    const struct bond *bond, const struct hub_known *known)
{
    int64_t count = 0;
    for (struct session *at = to->oldest; at; at = at->next) {
        if (hub_presence_hears(at) && at->shows == SESSION_SHOWS_ROOMS &&
            is_news(bond, of, known, at))
            count += tell_one(hub, at, of);
    }
    return count;
}

/* Subscribers are told by their subscription all along. */
static int64_t tell_unless_tied(struct hub *hub, struct hub_user *to, struct hub_user *of,
                                const struct bond *bond, const struct hub_known *known)
{
    return people_is_tied(&hub->people, to, of) ? 0 : tell(hub, to, of, bond, known);
}

/* Returns what it cost. */
static int64_t introduce(struct hub *hub, struct hub_user *a, struct hub_user *b)
{
    if (!is_known(a) && !is_known(b))
        return 1;
    int64_t cost = 1 + (int64_t)a->link_count + b->link_count;
    struct bond bond = bond_of(hub, a, b);
    if (!bond.told)
        cost +=
            tell_unless_tied(hub, a, b, &bond, bond.b) + tell_unless_tied(hub, b, a, &bond, bond.a);
    return cost;
}

/* -- subscriptions ------------------------------------------------------------------------- */

void hub_hush_tie(struct hub *hub, struct hub_user *user, struct hub_user *target)
{
    struct bond bond = bond_of(hub, user, target);
    if (!bond.told)
        tell(hub, user, target, &bond, bond.b);
    for (struct session *at = user->oldest; at; at = at->next) {
        if (hub_presence_hears(at) && at->shows == SESSION_SHOWS_SUBSCRIBED &&
            hub_user_is_shown(target))
            tell_one(hub, at, target);
    }
}

/* By the room that one of them is about to enter a subscription begins to hold. */
static void meet(struct hub *hub, struct hub_user *user, struct hub_user *target,
                 const struct hub_user *who_enters, const struct hub_room *room)
{
    const struct hub_user *other = who_enters == user ? target : user;
    if (people_is_linked(other, room) && !people_share_room(user, target))
        hub_hush_tie(hub, user, target);
}

static void meet_tied(struct hub *hub, struct hub_user *user, const struct hub_room *room)
{
    const struct hub_target *own = people_find_target(&hub->people, user);
    if (hub->settings->presence_visible == PRESENCE_VISIBLE_REALM)
        return;
    for (uint32_t i = 0; i < user->tie_count; i++) {
        const struct hub_target *target = user->ties[i].target;
        struct hub_user *found = people_find_user(&hub->people, target->key, target->hh.keylen);
        if (found)
            meet(hub, user, found, user, room);
    }
    for (uint32_t i = 0; own && i < own->count; i++)
        meet(hub, people_user(&hub->people, own->subscribers[i]), user, user, room);
}

/* -- hushes -------------------------------------------------------------------------------- */

static struct hub *hub_of(struct hushes *hushes)
{
    return container_of(hushes, struct hub, hushes);
}

static struct hub_room *room_of(struct hush *hush)
{
    return container_of(hush, struct hub_room, hush);
}

/* The next one to those before it. */
static int64_t introduce_next(struct hub *hub, struct hub_room *room)
{
    struct hub_user *user = people_user(&hub->people, room->seats[room->introduced]);
    int64_t cost = 1;
    for (uint32_t i = 0; i < room->introduced; i++)
        cost += introduce(hub, user, people_user(&hub->people, room->seats[i]));
    room->introduced++;
    return cost;
}

/* With what is noted go those who were kept for it. The room stays. */
static void forget_known(struct hub *hub, struct hub_room *room)
{
    struct hub_user *user;
    room->links++;
    while ((user = people_forget_known(&hub->people, room)))
        hub_user_release(hub, user);
    room->links--;
}

static void on_begin(struct hushes *hushes, struct hush *hush)
{
    struct hub *hub = hub_of(hushes);
    struct hub_room *room = room_of(hush);
    bool again = room->known_count > 0;
    forget_known(hub, room);
    people_hush_room(&hub->people, room);
    if (again)
        people_drop_room(&hub->people, room);
}

static bool on_step(struct hushes *hushes, struct hush *hush, int64_t *cost)
{
    struct hub_room *room = room_of(hush);
    ++*cost;
    if (room->introduced < room->seat_count)
        *cost += introduce_next(hub_of(hushes), room);
    return room->introduced == room->seat_count;
}

static void on_end(struct hushes *hushes, struct hush *hush)
{
    struct hub *hub = hub_of(hushes);
    forget_known(hub, room_of(hush));
    people_drop_room(&hub->people, room_of(hush));
}

void hub_hush_init(struct hub *hub)
{
    static const struct hush_ops ops = {on_begin, on_step, on_end};
    hub->hushes.ops = &ops;
    hub->hushes.interval_ms = hub->settings->rooms_stats_interval_ms;
    hushes_init(&hub->hushes);
}

int64_t hub_hush_turn(struct hub *hub)
{
    hushes_tick(&hub->hushes, hub->now_ms, TURN_STEPS_MAX);
    return hushes_due_in(&hub->hushes, hub->now_ms);
}

/* -- rooms --------------------------------------------------------------------------------- */

static void set_hush(struct hub *hub, struct hub_room *room)
{
    hush_set(&hub->hushes, &room->hush, is_large(hub, room), hub->now_ms);
    int64_t due_ms = hushes_due_in(&hub->hushes, hub->now_ms);
    if (due_ms >= 0)
        hub_presence_wake(hub, due_ms);
}

void hub_room_count(struct hub *hub, struct hub_room *room, int64_t members, struct event_id at)
{
    int64_t limit = hub->settings->rooms_quiet_limit;
    if (event_id_compare(at, room->members_at) <= 0)
        return;
    if (limit > 0 && members > 2 * limit)
        forget_known(hub, room);
    people_count_room(&hub->people, room, members, at, limit);
    set_hush(hub, room);
}

struct hub_room *hub_room_get(struct hub *hub, const char *realm, struct span name, int64_t members,
                              struct event_id at)
{
    struct hub_room *room = people_find_room(&hub->people, realm, name);
    if (room) {
        hub_room_count(hub, room, members, at);
        return room;
    }
    room =
        people_get_room(&hub->people, realm, name, members, at, hub->settings->rooms_quiet_limit);
    if (room)
        set_hush(hub, room);
    return room;
}

int hub_room_enter(struct hub *hub, struct hub_user *user, struct hub_room *room)
{
    if (people_is_linked(user, room))
        return 0;
    if (user->loaded)
        meet_tied(hub, user, room);
    int err = people_link(&hub->people, user, room);
    if (err)
        return err;
    room->online += user->counted_online;
    if (user->counted_online)
        hub_stats_online(hub, room);
    if (room->hush.state != HUSH_OFF || !room->seated)
        return 0;
    /* Of one who is being read the others are told when it is shown. */
    if (user->loaded)
        introduce_next(hub, room);
    else
        room->introduced++;
    return 0;
}

void hub_room_leave(struct hub *hub, struct hub_user *user, struct hub_room *room)
{
    if (people_is_introduced(room, user) || people_find_known(room, user))
        people_doubt(&hub->people, user, room);
    room->online -= user->counted_online;
    if (user->counted_online)
        hub_stats_online(hub, room);
    people_unlink(&hub->people, user, room);
}

void hub_room_delete(struct hub *hub, struct hub_room *room)
{
    for (uint32_t i = 0; i < room->seat_count; i++)
        people_doubt(&hub->people, people_user(&hub->people, room->seats[i]), room);
    forget_known(hub, room);
    people_delete_room(&hub->people, room);
}
