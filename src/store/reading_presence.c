/* Reading what presence is made from, and whom one may know about. */
#include "base/err.h"
#include "base/limits.h"
#include "store/reading_parts.h"

#define ROOMS_PAGE 512

static int gather_actor(struct ledger *ledger, struct journal_read *read, struct arena *scratch,
                        struct scene *scene)
{
    const struct command command = {
        .kind = COMMAND_PROFILE, .realm = read->realm, .actor = read->actor};
    int err = scene_gather(ledger, &command, 0, scratch, scene);
    if (!err)
        read->head = scene->realm.head;
    return err;
}

/* -- one user's ---------------------------------------------------------------------------- */

struct walk {
    struct journal_read *read;
    int size; /* of the array that grows */
    int seen; /* on this page */
};

static int note_room(void *context, const struct ledger_room *room,
                     const struct ledger_member *member)
{
    struct walk *walk = context;
    struct read_presence *found = &walk->read->presence;
    walk->seen++;
    if (found->room_count == walk->size)
        return ERR_FULL;
    struct read_membership *added = &found->rooms[found->room_count++];
    *added = (struct read_membership){room->info.id, room->info.member_count};
    return reading_keep(&walk->read->request.arena, &added->room);
}

static int load_rooms(struct ledger *ledger, struct journal_read *read, place_number user)
{
    struct read_presence *found = &read->presence;
    int64_t count;
    int err = ledger->ops->room_count_of_user(ledger, user, &count);
    if (err || count == 0)
        return err;
    found->rooms = arena_alloc(&read->request.arena, (size_t)count * sizeof(*found->rooms));
    if (!found->rooms)
        return ERR_MEMORY;
    struct span from = {NULL, 0};
    for (;;) {
        struct walk walk = {read, (int)count, 0};
        err = ledger->ops->rooms_of_user(ledger, user, from, ROOMS_PAGE, note_room, &walk);
        if (err || walk.seen < ROOMS_PAGE)
            return err;
        from = found->rooms[found->room_count - 1].room;
    }
}

static int note_subscription(void *context, struct span name)
{
    struct walk *walk = context;
    struct read_presence *found = &walk->read->presence;
    if (found->subscription_count == walk->size)
        return ERR_FULL;
    found->subscriptions[found->subscription_count] = name;
    return reading_keep(&walk->read->request.arena,
                        &found->subscriptions[found->subscription_count++]);
}

static int load_subscriptions(struct ledger *ledger, struct journal_read *read, place_number user)
{
    int64_t count;
    int err = ledger->ops->subscription_count(ledger, user, &count);
    if (err || count == 0)
        return err;
    struct walk walk = {read, (int)count, 0};
    read->presence.subscriptions =
        arena_alloc(&read->request.arena, (size_t)count * sizeof(*read->presence.subscriptions));
    if (!read->presence.subscriptions)
        return ERR_MEMORY;
    return ledger->ops->subscriptions(ledger, user, note_subscription, &walk);
}

int reading_presence(struct ledger *ledger, struct journal_read *read, struct arena *scratch)
{
    struct scene scene;
    struct ledger_presence kept = {.seen_ms = 0};
    int missed = 0;
    int err = gather_actor(ledger, read, scratch, &scene);
    if (err || !scene.actor.place)
        return err;
    err = ledger_put_off(ledger->ops->presence_get(ledger, scene.actor.place, scratch, &kept),
                         &missed);
    if (err)
        return err;
    read->presence.choice = kept.choice;
    read->presence.activity = kept.activity;
    read->presence.seen_ms = kept.seen_ms;
    err = reading_keep(&read->request.arena, &read->presence.activity);
    if (!err && read->what == READ_PRESENCE)
        err = ledger_put_off(load_rooms(ledger, read, scene.actor.place), &missed);
    if (!err)
        err = load_subscriptions(ledger, read, scene.actor.place);
    return err ? err : missed;
}

/* -- people -------------------------------------------------------------------------------- */

static int may_know(struct ledger *ledger, const struct settings *settings,
                    const struct journal_read *read, const struct scene *scene, place_number person,
                    bool *ret)
{
    *ret = read->actor.service || settings->presence_visible == PRESENCE_VISIBLE_REALM ||
           person == scene->actor.place;
    if (*ret || !scene->actor.place)
        return 0;
    return ledger->ops->acquainted(ledger, scene->actor.place, person, ret);
}

static int add_person(struct ledger *ledger, const struct settings *settings,
                      struct journal_read *read, const struct scene *scene, struct span id,
                      struct arena *scratch)
{
    struct ledger_user user;
    struct ledger_presence kept;
    bool visible = false;
    int missed = 0;
    int err = ledger->ops->user_find(ledger, scene->realm.place, id, scratch, &user);
    if (!err)
        err = ledger_put_off(may_know(ledger, settings, read, scene, user.place, &visible),
                             &missed);
    if (err || (!visible && !missed))
        return err == ERR_NOT_FOUND ? 0 : err;
    err = ledger->ops->presence_get(ledger, user.place, scratch, &kept);
    if (missed)
        return missed;
    if (!err)
        read->people[read->person_count++] = (struct read_person){id, kept.seen_ms};
    return err;
}

int reading_people(struct ledger *ledger, const struct settings *settings,
                   struct journal_read *read, struct arena *scratch)
{
    struct scene scene;
    int missed = 0;
    int err = gather_actor(ledger, read, scratch, &scene);
    if (err || !scene.realm.place || read->user_count == 0)
        return err;
    read->people =
        arena_alloc(&read->request.arena, (size_t)read->user_count * sizeof(*read->people));
    if (!read->people)
        return ERR_MEMORY;
    for (int i = 0; i < read->user_count && !err; i++)
        err = ledger_put_off(add_person(ledger, settings, read, &scene, read->users[i], scratch),
                             &missed);
    return err ? err : missed;
}
