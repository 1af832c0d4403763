/* Without memory for it nothing is in a table, and nothing else is the worse for it: whatever is
 * kept in tables is tried with each of its allocations failing, one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "api/watchers.h"
#include "base/err.h"
#include "core/hall.h"
#include "core/here.h"
#include "core/receipt.h"
#include "core/room_stats.h"
#include "core/typing.h"
#include "store/memory_ledger.h"

/* Of the linker (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static long countdown; /* allocations until one fails; 0: none will */
static bool failed;

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

/* As often as it has allocations; the last time none fails. */
static void try_each(void (*scenario)(void))
{
    long at = 0;
    do {
        failed = false;
        countdown = ++at;
        scenario();
        countdown = 0;
        assert_true(at < 20000);
    } while (failed);
    assert_true(at > 2);
}

/* What could not be done for want of memory can be done afterwards. */
#define DO(call)                                                                                   \
    do {                                                                                           \
        int err_of_call = (call);                                                                  \
        if (err_of_call) {                                                                         \
            assert_int_equal(err_of_call, ERR_MEMORY);                                             \
            assert_true(failed);                                                                   \
            assert_int_equal((call), 0);                                                           \
        }                                                                                          \
    } while (0)

/* So many that the tables grow. */
enum { MANY = 400 };

static struct span name_of(int i, char out[16])
{
    return span_of(out, (size_t)snprintf(out, 16, "n%d", i));
}

/* -- a table ------------------------------------------------------------------------------ */

struct entry {
    UT_hash_handle hh;
    int key;
};

static void fill_table(void)
{
    static struct entry entries[MANY];
    struct entry *table = NULL, *found;
    int count = 0;
    memset(entries, 0, sizeof(entries));
    for (int i = 0; i < MANY; i++) {
        entries[i].key = i;
        HASH_ADD_INT(table, key, &entries[i]);
        count += map_added(&entries[i].hh);
        assert_int_equal(HASH_COUNT(table), count);
    }
    assert_int_equal(count, MANY - failed);
    for (int i = 0; i < MANY; i++) {
        HASH_FIND_INT(table, &i, found);
        assert_ptr_equal(found, map_added(&entries[i].hh) ? &entries[i] : NULL);
    }
    HASH_CLEAR(hh, table);
}

static void test_a_table(void **state)
{
    try_each(fill_table);
}

/* -- the hall ----------------------------------------------------------------------------- */

static void on_queued(struct subscriber *queued)
{
}

static void on_page_needed(struct subscriber *asking)
{
}

static void on_live(struct subscriber *live, bool first)
{
}

static bool broken;

static void on_broken(struct subscriber *subscriber)
{
    broken = true;
}

static const struct subscriber_ops ops = {.on_queued = on_queued,
                                          .on_page_needed = on_page_needed,
                                          .on_live = on_live,
                                          .on_broken = on_broken};

static struct frame *join_made(void)
{
    const struct frame_spec spec = {
        .type = EVENT_USER_JOINED,
        .audience = AUDIENCE_ROOM,
        .id = {1000, 101},
        .realm = span_text("main"),
        .room = span_text("new"),
        .user = span_text("alice"),
        .body = span_text("{}"),
    };
    struct frame *frame;
    long armed = countdown;
    countdown = 0;
    assert_int_equal(frame_new(&spec, &frame), 0);
    countdown = armed;
    return frame;
}

static void fill_hall(void)
{
    static char names[MANY][16];
    static struct hall_follow follows[MANY];
    const struct hall_limits limits = {1 << 16, 1 << 20, 60000};
    struct hall hall;
    for (int i = 0; i < MANY; i++)
        follows[i] = (struct hall_follow){.room = name_of(i, names[i]), .member = true};
    const struct hall_entry entry = {
        .user = "alice",
        .follows_all = true,
        .follows = follows,
        .follow_count = MANY,
        .head = {1000, 100},
        .position = {1000, 100},
    };
    hall_init(&hall, &limits);
    struct hall_realm *realm = hall_open(&hall, span_text("main"), 0);
    if (!realm)
        realm = hall_open(&hall, span_text("main"), 0);
    assert_non_null(realm);
    struct subscriber subscriber = {.ops = &ops, .session = "s"};
    DO(hall_enter(realm, &subscriber, &entry));
    hall_replay(&subscriber);
    assert_int_equal(subscriber.follow_count, MANY);
    bool had_failed = failed;
    struct frame *frame = join_made();
    broken = false;
    hall_dispatch(&hall, frame, 0);
    frame_unref(frame);
    bool seated = subscriber.follow_count == MANY + 1;
    assert_true(seated || broken);
    assert_true(!broken || (failed && !had_failed));
    hall_leave(&subscriber, 0);
    subscriber_fini(&subscriber);
    assert_null(realm->rooms);
    hall_fini(&hall);
}

static void test_the_hall(void **state)
{
    try_each(fill_hall);
}

/* -- states ------------------------------------------------------------------------------- */

static void on_typing(void *context, const struct typing_news *news)
{
}

static void count_typing(void *context, const struct typing_news *news)
{
    (*(int *)context)++;
}

/* One that could not be noted is not shown; the next refresh shows it. */
static void fill_typing(void)
{
    struct typing typing = {.throttle_ms = 1, .timeout_ms = 1000, .tell = on_typing};
    const struct span realm = span_text("main"), room = span_text("room");
    char user[16];
    int count = 0;
    typing_init(&typing);
    for (int i = 0; i < MANY; i++) {
        typing_start(&typing, realm, room, name_of(i, user), 1);
        typing_start(&typing, realm, name_of(i, user), span_text("alice"), 1);
    }
    for (int i = 0; i < MANY; i++)
        typing_start(&typing, realm, room, name_of(i, user), 5);
    typing_visit(&typing, realm, room, 5, count_typing, &count);
    assert_int_equal(count, MANY);
    typing_stop_all(&typing, 6);
    typing_fini(&typing);
}

static void on_here(void *context, const struct here_news *news)
{
}

static void fill_here(void)
{
    struct here here = {.grace_ms = 1, .tell = on_here};
    char name[16], key[64];
    here_init(&here);
    for (int i = 0; i < MANY; i++) {
        int len = snprintf(key, sizeof(key), "main%calice%cs%d", 0, 0, i);
        const struct here_name session = {key, (uint32_t)len, 10};
        DO(here_put(&here, &session, name_of(i, name), 1, span_text("{}")));
        assert_true(here_knows(&here, &session));
    }
    here_end_all(&here);
    assert_true(!here.rooms && !here.sessions);
    here_fini(&here);
}

static bool read_stats(void *context, struct span realm, struct span room, int64_t members,
                       struct room_numbers *ret)
{
    *ret = (struct room_numbers){members, 0, 0};
    return true;
}

static void tell_stats(void *context, struct span realm, struct span room,
                       const struct room_numbers *numbers)
{
    (*(int *)context)++;
}

static void fill_stats(void)
{
    static const struct room_stats_ops stats_ops = {read_stats, tell_stats};
    int told = 0;
    struct room_stats stats = {.ops = &stats_ops, .context = &told, .interval_ms = 10};
    char name[16];
    room_stats_init(&stats);
    for (int i = 0; i < MANY; i++)
        room_stats_note(&stats, span_text("main"), name_of(i, name), 5, 1);
    room_stats_tick(&stats, 100);
    assert_true(told >= MANY - failed && told <= MANY);
    room_stats_fini(&stats);
}

static void fill_receipts(void)
{
    struct receipts receipts;
    struct receipt *receipt;
    char name[16];
    int count = 0;
    receipts_init(&receipts, 10);
    for (int i = 0; i < MANY; i++)
        receipts_add(&receipts,
                     receipt_new(span_text("main"), name_of(i, name), span_text("room"), true,
                                 EVENT_ID_NONE),
                     1);
    for (; (receipt = receipts_take(&receipts, 100)); count++)
        free(receipt);
    assert_int_equal(count, MANY - failed);
    receipts_fini(&receipts);
}

/* One that was not counted when it came is not when it goes. */
static void fill_watchers(void)
{
    struct watchers *watchers = watchers_new();
    char name[16];
    if (!watchers)
        return;
    for (int change = 1; change >= -1; change -= 2) {
        for (int i = 0; i < MANY; i++) {
            struct span room = name_of(i, name);
            watchers_add(watchers, "main", name, change);
            int64_t count = watchers_count(watchers, span_text("main"), room);
            assert_true(count == (change > 0) || (change > 0 && failed && count == 0));
        }
    }
    watchers_free(watchers);
}

static void test_states(void **state)
{
    try_each(fill_typing);
    try_each(fill_here);
    try_each(fill_stats);
    try_each(fill_receipts);
    try_each(fill_watchers);
}

/* -- the journal in memory ---------------------------------------------------------------- */

struct places {
    struct ledger_realm realm;
    place_number users[MANY], rooms[2];
    struct event_id message;
};

static void fill_places(struct ledger *ledger, struct places *places)
{
    char name[16];
    DO(ledger->ops->realm_add(ledger, span_text("main"), &places->realm));
    place_number realm = places->realm.place;
    for (int i = 0; i < MANY; i++)
        DO(ledger->ops->user_add(ledger, realm, name_of(i, name), &places->users[i]));
    for (int i = 0; i < 2; i++) {
        const struct room_info info = {.id = name_of(i, name),
                                       .name = span_text(""),
                                       .topic = span_text(""),
                                       .data = span_text("{}")};
        DO(ledger->ops->room_add(ledger, realm, &info, &places->rooms[i]));
    }
    DO(ledger->ops->direct_add(ledger, places->users[0], places->users[1], places->rooms[1]));
    for (int i = 0; i < MANY; i++) {
        const struct ledger_member member = {.user = places->users[i], .role = ROLE_MEMBER};
        DO(ledger->ops->member_put(ledger, places->rooms[0], &member));
    }
}

static void fill_messages(struct ledger *ledger, struct places *places)
{
    place_number room = places->rooms[0];
    struct ledger_event event = {
        .type = EVENT_NEW_MESSAGE,
        .audience = AUDIENCE_ROOM,
        .place = room,
        .thread_id = span_text("thread"),
        .body = span_text("{}"),
    };
    char name[16];
    for (int i = 0; i < 40; i++) {
        struct ledger_once once = {.sender = places->users[i], .id = {1, (uint64_t)i}};
        event.id = (struct event_id){1000, (uint64_t)i};
        event.number = (uint64_t)i + 1;
        event.sender = places->users[i];
        event.message_id = name_of(i, name);
        DO(ledger->ops->event_add(ledger, places->realm.place, &event));
        DO(ledger->ops->once_add(ledger, room, event.message_id, &once));
        once.id.ms = 2;
        DO(ledger->ops->once_add(ledger, room, event.message_id, &once));
        DO(ledger->ops->mention_add(ledger, room, places->users[0], event.id));
        DO(ledger->ops->erased_add(ledger, room, (uint64_t)i));
        DO(ledger->ops->reaction_add(ledger, room, event.id, span_text("k"), event.sender,
                                     event.id));
    }
}

static void expect_all(struct ledger *ledger, const struct places *places)
{
    place_number room = places->rooms[0], found;
    struct arena arena;
    struct ledger_event event;
    struct ledger_once once;
    struct ledger_user user;
    struct ledger_member member;
    uint64_t count;
    char name[16];
    countdown = 0;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(
            ledger->ops->user_find(ledger, places->realm.place, name_of(i, name), &arena, &user),
            0);
        assert_int_equal(user.place, places->users[i]);
        assert_int_equal(ledger->ops->member_find(ledger, room, places->users[i], &member), 0);
    }
    assert_int_equal(ledger->ops->direct_find(ledger, places->users[1], places->users[0], &found),
                     0);
    assert_int_equal(found, places->rooms[1]);
    for (int i = 0; i < 40; i++) {
        struct span id = name_of(i, name);
        assert_int_equal(ledger->ops->message_find(ledger, room, id, &arena, &event), 0);
        assert_int_equal(event.id.seq, i);
        assert_int_equal(ledger->ops->once_find(ledger, room, id, 0, &once), 0);
        assert_int_equal(once.id.ms, 2);
        assert_int_equal(
            ledger->ops->reaction_find(ledger, room, event.id, span_text("k"), places->users[i]),
            0);
        assert_int_equal(ledger->ops->erased_count(ledger, room, (uint64_t)i, &count), 0);
        assert_int_equal(count, 1);
    }
    arena_fini(&arena);
}

static void fill_ledger(void)
{
    static const struct settings settings = {.journal_dedup_window_ms = 1000};
    struct memory_ledger memory;
    struct places places;
    memory_ledger_init(&memory, &settings);
    fill_places(&memory.ledger, &places);
    fill_messages(&memory.ledger, &places);
    expect_all(&memory.ledger, &places);
    memory_ledger_fini(&memory);
}

static void test_the_journal_in_memory(void **state)
{
    try_each(fill_ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table),
        cmocka_unit_test(test_the_hall),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_the_journal_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
