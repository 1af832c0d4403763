/* Rooms with many members, and members of many rooms, over Redis: read in few fetches, and deleted
 * bit by bit. */
#include <hiredis/hiredis.h>
#include <stdio.h>

#include "redis_town.h"

static struct redis_server server;

#define MANY 50
#define CROWD (REDIS_MEMBERS_PARTED_MAX + 20)
#define SEEN 7 /* who is looked at */

/* Many members of one room, or one of many rooms. */
struct crowd {
    int users, rooms;
    place_number made, seen, other; /* other: who came last */
    int found, stays, members;      /* by SEEN, or of it */
    int64_t counted;
    bool gone, acquainted;
    struct ledger_tenure first;
};

static const char *name_of(const char *kind, int number)
{
    static char name[16];
    snprintf(name, sizeof(name), "%s%04d", kind, number);
    return name;
}

static int user_of(struct ledger *ledger, place_number realm, int number, place_number *ret)
{
    struct ledger_user user;
    struct span id = span_text(name_of("u", number));
    int err = ledger->ops->user_find(ledger, realm, id, NULL, &user);
    *ret = user.place;
    return err == ERR_NOT_FOUND ? ledger->ops->user_add(ledger, realm, id, ret) : err;
}

/* SEEN comes into all of them; the others into the last one only. */
static int gather_crowd(void *context, struct ledger *ledger)
{
    struct crowd *crowd = context;
    struct ledger_realm realm;
    place_number user;
    int err = ledger->ops->realm_find(ledger, span_text("main"), &realm), missed = 0;
    if (err == ERR_NOT_FOUND)
        err = ledger->ops->realm_add(ledger, span_text("main"), &realm);
    for (int i = 0; i < crowd->rooms && !err; i++) {
        const struct room_info info = {
            .id = span_text(name_of("r", i)), .name = span_text(""), .data = span_text("{}")};
        err = ledger->ops->room_add(ledger, realm.place, &info, &crowd->made);
        for (int j = 0; j < crowd->users && !err; j++) {
            if (i < crowd->rooms - 1 && j != SEEN)
                continue;
            err = ledger_put_off(user_of(ledger, realm.place, j, &user), &missed);
            if (err || missed)
                continue;
            if (j == SEEN)
                crowd->seen = user;
            crowd->other = user;
            const struct ledger_member member = {.user = user, .role = ROLE_MEMBER};
            const struct event_id from = {1000, (uint64_t)j};
            err = ledger->ops->member_put(ledger, crowd->made, &member);
            if (!err)
                err = ledger->ops->tenure_open(ledger, user, crowd->made, from);
        }
    }
    return err ? err : missed;
}

static int count_room(void *context, const struct ledger_room *room,
                      const struct ledger_member *member)
{
    ((struct crowd *)context)->found++;
    assert_false(room->deleted);
    return 0;
}

static int count_stay(void *context, const struct ledger_tenure *tenure)
{
    struct crowd *crowd = context;
    if (crowd->stays++ == 0)
        crowd->first = *tenure;
    return 0;
}

static int count_member(void *context, const struct ledger_member *member)
{
    ((struct crowd *)context)->members++;
    return 0;
}

/* What SEEN is told, and what there is of the room that was made last. */
static int look(void *context, struct ledger *ledger)
{
    struct crowd *crowd = context;
    const struct ledger_ops *ops = ledger->ops;
    struct ledger_room room = {.deleted = false};
    int missed = 0;
    crowd->found = crowd->stays = crowd->members = 0;
    int err = ledger_put_off(
        ops->rooms_of_user(ledger, crowd->seen, span_of(NULL, 0), MANY, count_room, crowd),
        &missed);
    if (!err)
        err =
            ledger_put_off(ops->room_count_of_user(ledger, crowd->seen, &crowd->counted), &missed);
    if (!err)
        err = ledger_put_off(ops->tenures(ledger, crowd->seen, 0, EVENT_ID_NONE, count_stay, crowd),
                             &missed);
    if (!err)
        err = ledger_put_off(
            ops->members(ledger, crowd->made, span_of(NULL, 0), CROWD, count_member, crowd),
            &missed);
    if (!err)
        err = ledger_put_off(ops->acquainted(ledger, crowd->seen, crowd->other, &crowd->acquainted),
                             &missed);
    if (!err)
        err = ledger_put_off(ops->room_at(ledger, crowd->made, NULL, &room), &missed);
    crowd->gone = room.deleted;
    return err ? err : missed;
}

static void look_at(struct town *town, struct crowd *crowd, int rooms, int stays, int members)
{
    int fetches = town->sync.fetches;
    assert_int_equal(redis_sync_ledger_read(&town->sync, &town->settings, look, crowd), 0);
    /* The lists, and what stands on them. */
    assert_int_equal(town->sync.fetches - fetches, 2);
    assert_int_equal(crowd->found, rooms);
    assert_int_equal(crowd->counted, rooms);
    assert_int_equal(crowd->stays, stays);
    assert_int_equal(crowd->members, members);
}

static void many_are_read_at_once(void **state)
{
    struct town *town = town_new(&server, 1);
    struct crowd crowd = {.users = 2 * MANY, .rooms = MANY};
    assert_int_equal(redis_sync_ledger_write(&town->sync, &town->settings, gather_crowd, &crowd),
                     0);
    look_at(town, &crowd, MANY, MANY, 2 * MANY);
    assert_true(crowd.acquainted && !crowd.gone);
    town_free(town);
}

static int remove_room(void *context, struct ledger *ledger)
{
    struct crowd *crowd = context;
    return ledger->ops->room_remove(ledger, crowd->made, (struct event_id){5000, 0});
}

static int sweep_step(void *context, struct redis_ledger *ledger, void *step,
                      struct event_id *ret_made)
{
    return redis_doomed_sweep(ledger, step);
}

static void note_swept(void *context, void *step, struct event_id id)
{
}

/* Two at once: one of them is done. */
static void sweep_twice(struct town *town)
{
    static const struct redis_play_ops ops = {sweep_step, note_swept};
    bool more[2];
    struct redis_play batches[2];
    for (int i = 0; i < 2; i++) {
        batches[i] = town_batch(town, NULL, 0);
        batches[i].ops = &ops;
        batches[i].steps[batches[i].count++] = &more[i];
        redis_play_settle(&batches[i]);
        assert_true(more[i]);
    }
    for (int i = 0; i < 2; i++) {
        redis_play_commit(&batches[i]);
        assert_int_equal(batches[i].count, i);
    }
}

/* The page ends between two of one name. */
static int look_at_page(void *context, struct ledger *ledger)
{
    struct crowd *crowd = context;
    crowd->found = 0;
    return ledger->ops->rooms_of_user(ledger, crowd->seen, span_of(NULL, 0), 1, count_room, crowd);
}

static void look_at_doomed(struct town *town, const struct crowd *big, struct crowd *again)
{
    struct crowd old = *big;
    look_at(town, &old, 1, 2, 0);
    assert_true(old.gone);
    assert_int_equal(old.first.room, big->made);
    assert_int_equal(old.first.until.ms, 5000);
    look_at(town, again, 1, 2, SEEN + 2);
    assert_true(again->acquainted && !again->gone);
    assert_int_equal(redis_sync_ledger_read(&town->sync, &town->settings, look_at_page, again), 0);
    assert_int_equal(again->found, 1);
}

static void a_large_room_is_doomed_and_swept(void **state)
{
    struct town *town = town_new(&server, 1);
    struct crowd crowd = {.users = CROWD, .rooms = 1};
    struct crowd again = {.users = SEEN + 2, .rooms = 1};
    assert_int_equal(redis_sync_ledger_write(&town->sync, &town->settings, gather_crowd, &crowd),
                     0);
    look_at(town, &crowd, 1, 1, CROWD);
    assert_int_equal(redis_sync_ledger_write(&town->sync, &town->settings, remove_room, &crowd), 0);
    look_at(town, &crowd, 0, 1, 0);
    assert_true(crowd.gone && !crowd.acquainted);
    assert_int_equal(crowd.first.until.ms, 5000);
    /* Another of that name. */
    assert_int_equal(redis_sync_ledger_write(&town->sync, &town->settings, gather_crowd, &again),
                     0);
    look_at_doomed(town, &crowd, &again);
    sweep_twice(town);
    look_at_doomed(town, &crowd, &again);
    for (int i = 1; i < CROWD / REDIS_MEMBERS_SWEPT_MAX; i++)
        assert_true(town_sweep(town));
    assert_int_equal(town_count(town, "HLEN", "tidings:{s3}/doomed"), 1);
    assert_false(town_sweep(town));
    assert_int_equal(town_count(town, "HLEN", "tidings:{s3}/doomed"), 0);
    look_at_doomed(town, &crowd, &again);
    assert_false(town_sweep(town));
    town_free(town);
}

static int start(void **state)
{
    redis_server_start(&server, NULL);
    return 0;
}

static int stop(void **state)
{
    redis_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_are_read_at_once),
        cmocka_unit_test(a_large_room_is_doomed_and_swept),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
