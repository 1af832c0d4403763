/* What the journal knows of a user, for the hub: read when its first session comes, and again when
 * it has changed. */
#include "api/hub_parts.h"

#include <assert.h>

#include "base/err.h"
#include "core/frame.h"
#include "store/journal.h"

#define RETRY_MS 1000

struct hub_load {
    struct journal_read read;
    struct hub *hub;
    struct hub_user *user;
    struct hub_timer retry;
    struct presence_call *waiting; /* newest first */
    bool rooms;                    /* it has the rooms, too */
    bool again;                    /* what is being read may have changed meanwhile */
    uint64_t deleted_count;        /* the hub's when it was asked */
};

static void on_read(struct letter *letter);

static void ask(struct hub_load *load)
{
    const struct hub_user *user = load->user;
    load->again = false;
    load->deleted_count = load->hub->deleted_count;
    load->read = (struct journal_read){
        .request = {.letter.on_read = on_read, .home = &load->hub->mailbox},
        .what = load->rooms ? READ_PRESENCE : READ_CHOICES,
        .realm = span_of(user->key, user->realm_len),
        .actor.user = span_text(hub_user_name(user)),
    };
    load->hub->requests++;
    journal_start_read(load->hub->journal, &load->read);
}

static void on_retry(struct hub *hub, struct hub_timer *timer)
{
    if (!hub->forgetting)
        ask(container_of(timer, struct hub_load, retry));
}

static void start(struct hub *hub, struct hub_user *user, bool rooms)
{
    if (hub->forgetting)
        return;
    struct hub_load *load = calloc(1, sizeof(*load));
    /* Without memory its next session tries again. */
    if (!load)
        return;
    load->hub = hub;
    load->user = user;
    load->rooms = rooms;
    load->retry.on_due = on_retry;
    user->load = load;
    ask(load);
}

void hub_load_all(struct hub *hub, struct hub_user *user)
{
    if (!user->load) {
        start(hub, user, true);
        return;
    }
    user->load->rooms = true;
    user->load->again = true;
}

void hub_load_choices(struct hub *hub, struct hub_user *user)
{
    if (user->load)
        user->load->again = true;
    else
        start(hub, user, !user->loaded);
}

void hub_load_on_moved(struct hub_user *user)
{
    if (user->load && user->load->rooms)
        user->load->again = true;
}

void hub_load_on_deleted(struct hub *hub, struct frame *frame)
{
    struct frame **place = &hub->deleted[hub->deleted_count++ % HUB_DELETED_MAX];
    frame_unref(*place);
    *place = frame_ref(frame);
}

void hub_loads_fini(struct hub *hub)
{
    for (int i = 0; i < HUB_DELETED_MAX; i++)
        hub->deleted[i] = frame_unref(hub->deleted[i]);
}

void hub_load_wait(struct hub_user *user, struct presence_call *call)
{
    call->next = user->load->waiting;
    user->load->waiting = call;
}

void hub_load_free(struct hub *hub, struct hub_user *user)
{
    if (!user->load)
        return;
    struct presence_call *waiting = user->load->waiting;
    hub_timer_remove(hub, &user->load->retry);
    journal_read_fini(&user->load->read);
    free(user->load);
    user->load = NULL;
    while (waiting) {
        struct presence_call *call = waiting;
        waiting = call->next;
        hub_presence_answer(call, ERR_CLOSED);
    }
}

bool hub_loads_end(struct hub *hub)
{
    struct hub_user *next = people_first_user(&hub->people);
    bool any = false;
    while (next) {
        struct hub_user *user = next;
        next = people_next_user(&hub->people, user);
        any |= user->load != NULL;
        hub_load_free(hub, user);
        hub_user_release(hub, user);
    }
    return any;
}

/* -- what was read ------------------------------------------------------------------------- */

static int link_one(struct hub *hub, struct hub_user *user, const struct read_membership *one,
                    struct event_id head)
{
    struct hub_room *room = hub_room_get(hub, user->key, one->room, one->members, head);
    if (!room)
        return ERR_MEMORY;
    room->stamp = hub->people.stamp;
    int err = hub_room_enter(hub, user, room);
    people_drop_room(&hub->people, room);
    return err;
}

static int set_links(struct hub *hub, struct hub_user *user, const struct journal_read *read)
{
    uint32_t stamp = ++hub->people.stamp;
    int err = 0;
    for (int i = 0; i < read->presence.room_count && !err; i++) {
        err = link_one(hub, user, &read->presence.rooms[i], read->head);
        assert(hub->people.stamp == stamp);
    }
    for (uint32_t i = user->link_count; i-- > 0 && !err;) {
        struct hub_room *room = people_room(&hub->people, user->links[i]);
        if (room->stamp != stamp)
            hub_room_leave(hub, user, room);
    }
    return err;
}

static struct hub_user *target_of(struct hub *hub, const struct hub_user *user, uint32_t tie)
{
    const struct hub_target *target = user->ties[tie].target;
    return people_find_user(&hub->people, target->key, target->hh.keylen);
}

/* Are all ties in what was found? Both come in the journal's order. */
static bool keeps_ties(const struct hub_user *user, const struct read_presence *found)
{
    int at = 0;
    for (uint32_t i = 0; i < user->tie_count; i++) {
        const struct hub_target *target = user->ties[i].target;
        uint32_t name_at = user->realm_len + 1u;
        struct span name = span_of(target->key + name_at, target->hh.keylen - name_at);
        while (at < found->subscription_count && !span_equal(found->subscriptions[at], name))
            at++;
        if (at == found->subscription_count)
            return false;
    }
    return true;
}

/* Those whose presence is told from now on are told as they are. */
static int set_ties(struct hub *hub, struct hub_user *user, const struct read_presence *found)
{
    uint32_t stamp = ++hub->people.stamp;
    struct hub_user *target;
    for (uint32_t i = 0; i < user->tie_count; i++) {
        if ((target = target_of(hub, user, i)))
            target->stamp = stamp;
    }
    if (!keeps_ties(user, found))
        people_doubt(&hub->people, user, NULL);
    int err = people_tie(&hub->people, user, found->subscriptions, found->subscription_count);
    for (uint32_t i = 0; i < user->tie_count && user->loaded; i++) {
        target = target_of(hub, user, i);
        if (target && target->stamp != stamp)
            hub_presence_introduce(hub, user, target);
    }
    return err;
}

/* Rooms that were deleted after they were read, of which the news was told already. False: there
 * were too many. */
static bool leave_out_deleted(const struct hub_load *load, struct journal_read *read)
{
    const struct hub *hub = load->hub;
    if (hub->deleted_count - load->deleted_count > HUB_DELETED_MAX)
        return false;
    for (uint64_t i = load->deleted_count; i < hub->deleted_count; i++) {
        const struct frame *frame = hub->deleted[i % HUB_DELETED_MAX];
        struct read_presence *found = &read->presence;
        if (!span_is(read->realm, frame->realm) || event_id_compare(frame->id, read->head) <= 0)
            continue;
        for (int k = found->room_count; k-- > 0;) {
            if (span_is(found->rooms[k].room, frame->room))
                found->rooms[k] = found->rooms[--found->room_count];
        }
    }
    return true;
}

static int take_over(struct hub *hub, struct hub_user *user, const struct journal_read *read)
{
    const struct read_presence *found = &read->presence;
    bool hides = found->choice == PRESENCE_OFFLINE && user->presence.choice != PRESENCE_OFFLINE;
    int err = user->load->rooms ? set_links(hub, user, read) : 0;
    if (!err)
        err = set_ties(hub, user, found);
    if (!err)
        err = presence_choose(&hub->presence, &user->presence, found->choice, found->activity);
    if (!err && user->presence.seen_ms < found->seen_ms)
        user->presence.seen_ms = found->seen_ms;
    if (!err && hides)
        hub_typing_gone(hub, span_text(user->key), span_text(hub_user_name(user)));
    return err;
}

static void finish(struct hub_load *load)
{
    struct hub *hub = load->hub;
    struct hub_user *user = load->user;
    struct presence_call *waiting = load->waiting;
    load->waiting = NULL;
    user->loaded = true;
    user->pins++;
    hub_load_free(hub, user);
    hub_presence_loaded(hub, user);
    while (waiting) {
        struct presence_call *call = waiting;
        waiting = call->next;
        hub_presence_serve(hub, call);
    }
    user->pins--;
    hub_user_release(hub, user);
}

static void on_read(struct letter *letter)
{
    struct hub_load *load = container_of(letter, struct hub_load, read.request.letter);
    struct hub *hub = load->hub;
    hub->requests--;
    int err = load->read.request.err;
    if (!err && !leave_out_deleted(load, &load->read))
        load->again = true;
    if (!err && !load->again)
        err = take_over(hub, load->user, &load->read);
    if (!err && !load->again) {
        finish(load);
        return;
    }
    journal_read_fini(&load->read);
    if (hub->forgetting)
        return;
    if (err)
        hub_timer_set(hub, &load->retry, RETRY_MS);
    else
        ask(load);
}
