/* What the hub reads of a user, when it changes while it is being read. The journal is the test's:
 * it answers when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "hub_inside.h"
#include "store/journal.h"
#include "store/request.h"

static const struct settings settings = {.rooms_quiet_limit = 200};

/* -- a journal that takes its time --------------------------------------------------------- */

static struct journal_read *asked; /* not answered yet; NULL: none */

static void take_read(struct journal *journal, struct journal_read *read)
{
    assert_null(asked);
    journal_request_begin(&read->request);
    asked = read;
}

static const struct journal_ops journal_ops = {.read = take_read};
static struct journal journal = {.ops = &journal_ops};

/* The rooms are named in `rooms`, one letter each. */
static void answer(struct hub *hub, const char *rooms, uint64_t head)
{
    struct journal_read *read = asked;
    struct read_membership *found = arena_alloc(&read->request.arena, 64 * sizeof(*found));
    assert_non_null(read);
    asked = NULL;
    read->head = (struct event_id){head, 0};
    if (read->what == READ_PRESENCE) {
        read->presence.rooms = found;
        for (const char *at = rooms; *at; at++)
            found[read->presence.room_count++] = (struct read_membership){span_of(at, 1), 2};
    }
    journal_request_finish(&read->request, 0);
    assert_int_equal(mailbox_read(&hub->mailbox), 1);
}

static struct hub *hub_with_journal(void)
{
    struct hub *hub = hub_made(&settings);
    hub->journal = &journal;
    asked = NULL;
    return hub;
}

/* The rooms that the user is in, in any order. */
static void assert_rooms(struct hub *hub, const struct hub_user *user, const char *rooms)
{
    assert_int_equal(user->link_count, strlen(rooms));
    for (const char *at = rooms; *at; at++) {
        const struct hub_room *room = people_find_room(&hub->people, "main", span_of(at, 1));
        assert_non_null(room);
        assert_true(people_is_linked(user, room));
    }
}

static struct hub_user *loaded(struct hub *hub, const char *rooms)
{
    struct hub_user *alice = user_made(hub, "alice");
    alice->pins++;
    hub_load_all(hub, alice);
    answer(hub, rooms, 10);
    assert_true(alice->loaded);
    assert_rooms(hub, alice, rooms);
    return alice;
}

static void done(struct hub *hub, struct hub_user *alice)
{
    assert_null(asked);
    assert_null(alice->load);
    alice->pins--;
    hub_user_release(hub, alice);
    hub_gone(hub);
}

/* -- tests --------------------------------------------------------------------------------- */

static void a_room_deleted_meanwhile_does_not_come_back(void **state)
{
    struct hub *hub = hub_with_journal();
    struct hub_user *alice = user_made(hub, "alice");
    alice->pins++;
    hub_load_all(hub, alice);
    hub_hears(hub, EVENT_ROOM_DELETED, "b", NULL, 2, 11);
    answer(hub, "abc", 10);
    assert_rooms(hub, alice, "ac");
    assert_null(people_find_room(&hub->people, "main", span_text("b")));
    done(hub, alice);
}

/* One that was made again before the read is another room. */
static void a_room_made_again_stays(void **state)
{
    struct hub *hub = hub_with_journal();
    struct hub_user *alice = user_made(hub, "alice");
    alice->pins++;
    hub_load_all(hub, alice);
    hub_hears(hub, EVENT_ROOM_DELETED, "b", NULL, 2, 11);
    answer(hub, "ab", 13);
    assert_rooms(hub, alice, "ab");
    done(hub, alice);
}

/* So many that they are not all remembered: it is read anew. */
static void many_rooms_deleted_meanwhile_are_read_again(void **state)
{
    struct hub *hub = hub_with_journal();
    struct hub_user *alice = user_made(hub, "alice");
    alice->pins++;
    hub_load_all(hub, alice);
    hub_hears(hub, EVENT_ROOM_DELETED, "b", NULL, 2, 11);
    for (int i = 0; i < HUB_DELETED_MAX; i++)
        hub_hears(hub, EVENT_ROOM_DELETED, "x", NULL, 2, 12 + i);
    answer(hub, "ab", 10);
    assert_false(alice->loaded);
    answer(hub, "a", 100);
    assert_rooms(hub, alice, "a");
    done(hub, alice);
}

static void a_join_meanwhile_is_read(void **state)
{
    struct hub *hub = hub_with_journal();
    struct hub_user *alice = user_made(hub, "alice");
    alice->pins++;
    hub_load_all(hub, alice);
    hub_hears(hub, EVENT_USER_JOINED, "b", "alice", 2, 11);
    answer(hub, "a", 10);
    assert_false(alice->loaded);
    answer(hub, "ab", 11);
    assert_rooms(hub, alice, "ab");
    done(hub, alice);
}

/* Of a change of subscriptions the rooms are no part, whatever happens to them meanwhile. */
static void choices_are_read_without_the_rooms(void **state)
{
    struct hub *hub = hub_with_journal();
    struct hub_user *alice = loaded(hub, "abc");
    hub_load_choices(hub, alice);
    assert_int_equal(asked->what, READ_CHOICES);
    hub_hears(hub, EVENT_USER_LEFT, "a", "alice", 1, 11);
    hub_hears(hub, EVENT_USER_JOINED, "d", "alice", 2, 12);
    hub_hears(hub, EVENT_ROOM_DELETED, "b", NULL, 2, 13);
    answer(hub, "", 10);
    assert_rooms(hub, alice, "cd");
    done(hub, alice);
}

static void they_are_read_with_the_rooms_when_those_are_not_known(void **state)
{
    struct hub *hub = hub_with_journal();
    struct hub_user *alice = user_made(hub, "alice");
    alice->pins++;
    hub_load_choices(hub, alice);
    assert_int_equal(asked->what, READ_PRESENCE);
    /* It has changed again. */
    hub_load_choices(hub, alice);
    answer(hub, "a", 10);
    assert_false(alice->loaded);
    answer(hub, "ab", 11);
    assert_rooms(hub, alice, "ab");
    /* News was lost while only choices are read. */
    hub_load_choices(hub, alice);
    hub->presence_listener.on_lost(hub);
    answer(hub, "", 12);
    assert_int_equal(asked->what, READ_PRESENCE);
    answer(hub, "bc", 13);
    assert_rooms(hub, alice, "bc");
    done(hub, alice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_room_deleted_meanwhile_does_not_come_back),
        cmocka_unit_test(a_room_made_again_stays),
        cmocka_unit_test(many_rooms_deleted_meanwhile_are_read_again),
        cmocka_unit_test(a_join_meanwhile_is_read),
        cmocka_unit_test(choices_are_read_without_the_rooms),
        cmocka_unit_test(they_are_read_with_the_rooms_when_those_are_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
