/* The hub's part of presence: sessions come and go, changes are told to whom they concern. */
#include "api/hub_parts.h"

#include "base/err.h"
#include "core/frame.h"

#define FOLD_MS 250
/* Frames for single sessions that one flush may make; what is left comes FOLD_MS later. */
#define FLUSH_TELLINGS_MAX 250000
/* While somebody lingers. */
#define LINGER_TICK_MS 100

static struct hub_user *user_of(struct presence_user *presence)
{
    return container_of(presence, struct hub_user, presence);
}

/* -- telling ------------------------------------------------------------------------------- */

bool hub_presence_hears(const struct session *session)
{
    return session->watches > 0 && session->counted && session->shows != SESSION_SHOWS_NONE;
}

/* Those sessions of `to` that hear of somebody for this reason: a room in common, or a
 * subscription. With both, all that want presence. Returns how many. */
static int64_t tell_user(struct hub *hub, struct hub_user *to, struct frame *frame, bool by_room,
                         bool by_tie)
{
    int64_t count = 0;
    if (!frame)
        return 0;
    for (struct session *at = to->oldest; at; at = at->next) {
        if (hub_presence_hears(at) && (by_tie || (by_room && at->shows == SESSION_SHOWS_ROOMS))) {
            hub_tell(hub, at, frame);
            count++;
        }
    }
    return count;
}

static bool may_see(const struct hub *hub, const struct hub_user *a, const struct hub_user *b)
{
    return hub->settings->presence_visible == PRESENCE_VISIBLE_REALM || people_share_room(a, b);
}

/* Everyone in a room of his, once, by his stamp. */
static int64_t tell_rooms(struct hub *hub, struct hub_user *user, struct frame *frame)
{
    uint32_t stamp = hub->people.stamp;
    int64_t count = 0;
    for (uint32_t i = 0; i < user->link_count; i++) {
        const struct hub_room *room = people_room(&hub->people, user->links[i]);
        if (!people_is_introduced(room, user))
            continue;
        for (uint32_t k = 0; k < room->introduced; k++) {
            struct hub_user *to = people_user(&hub->people, room->seats[k]);
            count++;
            if (to->stamp == stamp)
                continue;
            to->stamp = stamp;
            count += tell_user(hub, to, frame, true, false);
        }
    }
    return count;
}

static int64_t tell_subscribers(struct hub *hub, struct hub_user *user, struct frame *frame)
{
    const struct hub_target *target = people_find_target(&hub->people, user);
    uint32_t stamp = hub->people.stamp;
    int64_t count = 0;
    for (uint32_t i = 0; target && i < target->count; i++) {
        struct hub_user *to = people_user(&hub->people, target->subscribers[i]);
        count++;
        if (to == user)
            continue;
        for (struct session *at = to->oldest; at; at = at->next) {
            bool told = at->shows == SESSION_SHOWS_ROOMS && to->stamp == stamp;
            if (!hub_presence_hears(at) || told)
                continue;
            if (to->stamp != stamp && !may_see(hub, to, user))
                break;
            hub_tell(hub, at, frame);
            count++;
        }
    }
    return count;
}

static void count_online(struct hub *hub, struct hub_user *user, bool online)
{
    if (user->counted_online == online)
        return;
    user->counted_online = online;
    for (uint32_t i = 0; i < user->link_count; i++) {
        struct hub_room *room = people_room(&hub->people, user->links[i]);
        room->online += online ? 1 : (uint32_t)-1;
        hub_stats_online(hub, room);
    }
}

static int64_t on_change(struct presence *presence, struct presence_user *changed)
{
    struct hub *hub = container_of(presence, struct hub, presence);
    struct hub_user *user = user_of(changed);
    user->frame = frame_unref(user->frame);
    count_online(hub, user, hub_user_is_shown(user));
    if (!hub_user_is_shown(user) && !presence_user_is_absent(changed))
        hub_seen_note(hub, user);
    struct frame *frame = hub_presence_frame(hub, user);
    user->stamp = ++hub->people.stamp;
    int64_t own = 1 + tell_user(hub, user, frame, true, true);
    if (!frame)
        return own;
    int64_t others = tell_rooms(hub, user, frame) + tell_subscribers(hub, user, frame);
    /* With nobody around there is nobody to come who would be told again. */
    if (others == 0)
        user->frame = frame_unref(user->frame);
    return own + others;
}

static void on_settled(struct presence *presence, struct presence_user *user)
{
    hub_user_release(container_of(presence, struct hub, presence), user_of(user));
}

static void on_absent(struct presence *presence, struct presence_user *absent)
{
    struct hub *hub = container_of(presence, struct hub, presence);
    struct hub_user *user = user_of(absent);
    hub_typing_gone(hub, span_text(user->key), span_text(hub_user_name(user)));
    hub_seen_note(hub, user);
    hub_user_release(hub, user);
}

static const struct presence_ops ops = {
    .on_change = on_change, .on_settled = on_settled, .on_absent = on_absent};

/* -- snapshots ----------------------------------------------------------------------------- */

static void tell_shown(struct hub *hub, struct session *session, struct hub_user *user, int *left)
{
    if (user->stamp == hub->people.stamp || !hub_user_is_shown(user) || *left == 0)
        return;
    user->stamp = hub->people.stamp;
    struct frame *frame = hub_presence_frame(hub, user);
    if (frame)
        hub_tell(hub, session, frame);
    --*left;
}

static void tell_all_shown(struct hub *hub, struct session *session)
{
    struct people *people = &hub->people;
    struct hub_user *user = session->of;
    int left = PRESENCE_SNAPSHOT_MAX;
    people->stamp++;
    tell_shown(hub, session, user, &left);
    for (uint32_t i = 0; i < user->tie_count; i++) {
        struct hub_user *target =
            people_find_user(people, user->ties[i].target->key, user->ties[i].target->hh.keylen);
        if (target && may_see(hub, user, target))
            tell_shown(hub, session, target, &left);
    }
    if (session->shows != SESSION_SHOWS_ROOMS)
        return;
    for (uint32_t i = 0; i < user->link_count; i++) {
        const struct hub_room *room = people_room(people, user->links[i]);
        if (!people_is_introduced(room, user))
            continue;
        for (uint32_t k = 0; k < room->introduced && left > 0; k++)
            tell_shown(hub, session, people_user(people, room->seats[k]), &left);
    }
}

static void snapshot(struct hub *hub, struct session *session)
{
    if (!session->of || !session->counted || session->shows == SESSION_SHOWS_NONE)
        return;
    session->snapshot_wanted = !session->of->loaded;
    if (session->snapshot_wanted)
        return;
    tell_all_shown(hub, session);
    session->watches = ++hub->people.moment;
}

struct watch {
    struct letter letter;
    struct session *session;
};

static void read_watch(struct letter *letter)
{
    struct watch *watch = container_of(letter, struct watch, letter);
    struct hub *hub = watch->session->home->hub;
    snapshot(hub, watch->session);
    /* What follows to this session, by other ways, is to come after it. */
    hub_tell_post(hub);
    free(watch);
}

bool hub_watch(struct session *session)
{
    struct watch *watch = malloc(sizeof(*watch));
    if (!watch)
        return false;
    *watch = (struct watch){.letter.on_read = read_watch, .session = session};
    hub_post(session->home->hub, &watch->letter);
    return true;
}

/* -- news ---------------------------------------------------------------------------------- */

static void on_joined(struct hub *hub, struct hub_user *user, const struct frame *frame)
{
    struct hub_room *room =
        hub_room_get(hub, frame->realm, span_text(frame->room), frame->members, frame->id);
    int err = room ? hub_room_enter(hub, user, room) : ERR_MEMORY;
    if (room)
        people_drop_room(&hub->people, room);
    if (err)
        hub_load_all(hub, user);
}

static void on_left(struct hub *hub, struct hub_user *user, const struct frame *frame)
{
    struct hub_room *room = people_find_room(&hub->people, frame->realm, span_text(frame->room));
    if (room && people_is_linked(user, room))
        hub_room_leave(hub, user, room);
}

static void on_deleted(struct hub *hub, struct frame *frame)
{
    struct hub_room *room = people_find_room(&hub->people, frame->realm, span_text(frame->room));
    hub_load_on_deleted(hub, frame);
    if (room)
        hub_room_delete(hub, room);
}

static void count_members(struct hub *hub, const struct frame *frame)
{
    struct hub_room *room = people_find_room(&hub->people, frame->realm, span_text(frame->room));
    if (!room)
        return;
    hub_room_count(hub, room, frame->members, frame->id);
    people_drop_room(&hub->people, room);
}

static void on_moved(struct hub *hub, const struct frame *frame)
{
    struct hub_user *user = NULL;
    if (frame->user)
        user = hub_user_find(hub, span_text(frame->realm), span_text(frame->user));
    if (user) {
        user->pins++;
        hub_load_on_moved(user);
    }
    /* Who leaves is not introduced to those who stay, and who comes is to none but those. */
    if (user && frame->type == EVENT_USER_LEFT)
        on_left(hub, user, frame);
    count_members(hub, frame);
    if (user && user->loaded && frame->type == EVENT_USER_JOINED)
        on_joined(hub, user, frame);
    if (user) {
        user->pins--;
        hub_user_release(hub, user);
    }
}

static void on_frame(struct hub *hub, struct frame *frame)
{
    if (frame->type == EVENT_ROOM_DELETED)
        on_deleted(hub, frame);
    else if (frame->type == EVENT_USER_JOINED || frame->type == EVENT_USER_LEFT)
        on_moved(hub, frame);
}

static void on_lost(struct hub *hub)
{
    struct hub_user *user = people_first_user(&hub->people);
    for (; user; user = people_next_user(&hub->people, user)) {
        if (user->load || user->loaded)
            hub_load_all(hub, user);
    }
}

/* -- sessions ------------------------------------------------------------------------------ */

static void enter(struct hub *hub, struct session *session)
{
    if (session->counted && !session->quiet && session->presence.reported == PRESENCE_NONE)
        presence_enter(&hub->presence, &session->of->presence, &session->presence);
}

void hub_presence_open(struct hub *hub, struct session *session)
{
    if (!session->counted)
        return;
    if (session->of->loaded)
        enter(hub, session);
    else if (!session->of->load)
        hub_load_all(hub, session->of);
}

void hub_presence_loaded(struct hub *hub, struct hub_user *user)
{
    for (struct session *at = user->oldest; at; at = at->next) {
        enter(hub, at);
        if (at->snapshot_wanted)
            snapshot(hub, at);
    }
}

void hub_presence_replace(struct session *older, struct session *newer)
{
    if (older->presence.reported != PRESENCE_NONE && newer->counted && !newer->quiet)
        presence_replace(&older->of->presence, &older->presence, &newer->presence);
}

void hub_presence_close(struct hub *hub, struct session *session, bool logged_out)
{
    if (session->presence.reported != PRESENCE_NONE)
        presence_leave(&hub->presence, &session->of->presence, &session->presence, logged_out,
                       hub->now_ms, clock_wall_ms());
}

void hub_presence_introduce(struct hub *hub, struct hub_user *user, struct hub_user *target)
{
    if (may_see(hub, user, target))
        hub_hush_tie(hub, user, target);
}

/* -- life ---------------------------------------------------------------------------------- */

void hub_presence_turn(struct hub *hub)
{
    struct presence *presence = &hub->presence;
    presence_tick(presence, hub->now_ms);
    int64_t due_ms = presence_flush_in(presence, hub->now_ms);
    if (due_ms == 0) {
        presence_flush(presence, hub->now_ms, clock_wall_ms(), FLUSH_TELLINGS_MAX);
        due_ms = presence_flush_in(presence, hub->now_ms);
    }
    int64_t hush_due_ms = hub_hush_turn(hub);
    hub_tell_post(hub);
    hub_seen_turn(hub);
    if (due_ms >= 0)
        hub_presence_wake(hub, due_ms);
    if (hush_due_ms >= 0)
        hub_presence_wake(hub, hush_due_ms);
    if (presence->lingering > 0)
        hub_presence_wake(hub, LINGER_TICK_MS);
}

void hub_presence_wake(struct hub *hub, int64_t delay_ms)
{
    const struct deadline *set = &hub->presence_timer.deadline;
    if (!deadline_is_set(set) || set->at_ms > hub->now_ms + delay_ms)
        hub_timer_set(hub, &hub->presence_timer, delay_ms);
}

/* The turn that it makes is all. */
static void on_due(struct hub *hub, struct hub_timer *timer)
{
}

void hub_presence_init(struct hub *hub)
{
    presence_init(&hub->presence, &ops, hub->settings->presence_grace_ms, FOLD_MS, hub->now_ms);
    hub_hush_init(hub);
    hub->presence_listener = (struct hub_listener){.on_frame = on_frame, .on_lost = on_lost};
    hub_listen(hub, &hub->presence_listener);
    hub->presence_timer.on_due = on_due;
    hub->frames_timer.on_due = hub_presence_frames_drop;
}

void hub_presence_fini(struct hub *hub)
{
    struct hub_user *next = people_first_user(&hub->people);
    hub_presence_frames_drop(hub, NULL);
    hub_loads_fini(hub);
    hub_seen_fini(hub);
    while (next) {
        struct hub_user *user = next;
        next = people_next_user(&hub->people, user);
        hub_user_free(hub, user);
    }
    people_fini(&hub->people);
}
