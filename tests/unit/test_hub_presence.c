/* The hub's people from inside: frames that are kept, rooms that go, a journal that is about to be
 * closed. Without its thread: the test is the hub's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "hub_inside.h"
#include "store/journal.h"

static const struct settings settings = {.rooms_quiet_limit = 200};

/* As often as there may be frames kept, and once round again. */
static void one_who_changes_all_the_time_is_told_each_time(void **state)
{
    struct hub *hub = hub_made(&settings);
    struct hub_user *alice = user_made(hub, "alice"), *bob = user_made(hub, "bob");
    for (int i = 0; i < 5000; i++) {
        struct hub_user *user = i % 3 ? alice : bob;
        user->frame = frame_unref(user->frame);
        assert_non_null(hub_presence_frame(hub, user));
        assert_ptr_equal(hub_presence_frame(hub, user), user->frame);
    }
    hub_gone(hub);
}

static struct hub_room *room_made(struct hub *hub, const char *name, int64_t members)
{
    struct hub_room *room = people_get_room(&hub->people, "main", span_text(name), members,
                                            (struct event_id){1, 0}, settings.rooms_quiet_limit);
    assert_non_null(room);
    return room;
}

static void link_all(struct hub *hub, struct hub_user *const *users, struct hub_room *room)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(people_link(&hub->people, users[i], room), 0);
}

/* However often rooms are made and deleted, of those that are gone nothing is left. */
static void a_deleted_room_leaves_nothing_with_those_who_were_in_it(void **state)
{
    static const int64_t sizes[] = {3, 5000}; /* with seats and without */
    struct hub *hub = hub_made(&settings);
    struct hub_user *users[] = {user_made(hub, "alice"), user_made(hub, "bob"),
                                user_made(hub, "carol")};
    struct hub_room *kept = room_made(hub, "kept", 3);
    link_all(hub, users, kept);
    for (size_t i = 0; i < 10; i++) {
        struct hub_room *room = room_made(hub, "room", sizes[i % 2]);
        assert_int_equal(room->seated, i % 2 == 0);
        link_all(hub, users, room);
        people_delete_room(&hub->people, room);
        assert_null(people_find_room(&hub->people, "main", span_text("room")));
        for (int k = 0; k < 3; k++) {
            assert_int_equal(users[k]->link_count, 1);
            assert_true(people_is_linked(users[k], kept));
        }
    }
    assert_int_equal(hub->people.rooms.end, 2);
    assert_int_equal(kept->seat_count, 3);
    people_unlink(&hub->people, users[1], kept);
    assert_false(people_share_room(users[0], users[1]));
    assert_true(people_share_room(users[0], users[2]));
    hub_gone(hub);
}

static int answered;

static void on_done(struct presence_call *call, int err)
{
    answered = err;
}

/* What waits for a user whom the journal cannot tell of is answered when the hub ends, and the
 * journal, which is closed by then, is not asked again. */
static void nobody_waits_for_ever_for_who_cannot_be_loaded(void **state)
{
    static struct worker worker;
    struct hub *hub = hub_made(&settings);
    struct presence_state about = {.user = span_text("alice")};
    struct presence_call call = {
        .action = PRESENCE_RELOAD,
        .home = &worker,
        .realm = span_text("main"),
        .user = span_text("alice"),
        .states = &about,
        .state_count = 1,
        .on_done = on_done,
    };
    assert_int_equal(mailbox_init(&worker.mailbox), 0);
    hub->journal = journal_closed();
    struct hub_user *alice = user_made(hub, "alice");
    hub_presence_call(hub, &call);
    assert_int_equal(mailbox_read(&hub->mailbox), 1);
    assert_int_equal(mailbox_read(&hub->mailbox), 1);
    assert_non_null(alice->load);
    hub->forgetting = (struct hub_forgetting *)hub;
    hub->journal = NULL;
    struct deadline *retry = deadline_take(&hub->wheel, 60000);
    assert_non_null(retry);
    struct hub_timer *timer = container_of(retry, struct hub_timer, deadline);
    timer->on_due(hub, timer);
    assert_int_equal(mailbox_read(&worker.mailbox), 0);
    assert_true(hub_loads_end(hub));
    assert_false(hub_loads_end(hub));
    assert_int_equal(mailbox_read(&worker.mailbox), 1);
    assert_int_equal(answered, ERR_CLOSED);
    hub_gone(hub);
    mailbox_fini(&worker.mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_who_changes_all_the_time_is_told_each_time),
        cmocka_unit_test(a_deleted_room_leaves_nothing_with_those_who_were_in_it),
        cmocka_unit_test(nobody_waits_for_ever_for_who_cannot_be_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
