/* The ledger in memory: its indexes, and that trimming takes an event out of all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/err.h"
#include "store/memory_ledger.h"
#include "store/reading.h"

#define DAY_MS INT64_C(86400000)

struct trial {
    struct settings settings;
    struct memory_ledger memory;
    const struct ledger_ops *ops;
    struct ledger *ledger;
    struct ledger_realm realm;
    place_number rooms[2], users[2];
    uint64_t number;
    int64_t now_ms;
};

static void trial_begin(struct trial *trial, int64_t room_events_max, int64_t retention_days)
{
    static const char *const names[] = {"a", "b"};
    *trial = (struct trial){.now_ms = 100 * DAY_MS};
    trial->settings.journal_room_events_max = room_events_max;
    trial->settings.journal_retention_days = retention_days;
    memory_ledger_init(&trial->memory, &trial->settings);
    trial->ledger = &trial->memory.ledger;
    trial->ops = trial->ledger->ops;
    assert_int_equal(trial->ops->realm_add(trial->ledger, span_text("main"), &trial->realm), 0);
    for (int i = 0; i < 2; i++) {
        const struct room_info info = {.id = span_text(names[i]),
                                       .name = span_text(""),
                                       .topic = span_text(""),
                                       .data = span_text("{}")};
        assert_int_equal(
            trial->ops->room_add(trial->ledger, trial->realm.place, &info, &trial->rooms[i]), 0);
        assert_int_equal(trial->ops->user_add(trial->ledger, trial->realm.place,
                                              span_text(names[i]), &trial->users[i]),
                         0);
    }
}

static struct event_id add(struct trial *trial, int room, int sender, const char *message_id,
                           const char *thread)
{
    struct ledger_event event = {
        .type = EVENT_NEW_MESSAGE,
        .audience = AUDIENCE_ROOM,
        .place = trial->rooms[room],
        .sender = trial->users[sender],
        .timestamp_ms = trial->now_ms,
        .number = ++trial->number,
        .message_id = span_text(message_id),
        .thread_id = span_text(thread),
        .body = span_text("{}"),
    };
    assert_int_equal(
        trial->ops->id_next(trial->ledger, trial->realm.place, trial->now_ms, &event.id), 0);
    assert_int_equal(trial->ops->event_add(trial->ledger, trial->realm.place, &event), 0);
    return event.id;
}

static int count_id(void *context, struct event_id id, place_number place, enum event_type type)
{
    (*(int *)context)++;
    return 0;
}

static int count_sent(struct trial *trial, int sender, place_number room, int limit)
{
    int count = 0;
    assert_int_equal(trial->ops->messages_of_sender(trial->ledger, trial->users[sender], room,
                                                    EVENT_ID_NONE, limit, count_id, &count),
                     0);
    return count;
}

static int count_range(struct trial *trial, int room, struct event_id after, struct event_id before,
                       const char *thread)
{
    int count = 0;
    const struct ledger_range range = {
        .place = trial->rooms[room],
        .after = after,
        .before = before,
        .limit = 1000,
        .messages_only = true,
        .thread = span_text(thread),
    };
    assert_int_equal(trial->ops->ids(trial->ledger, &range, count_id, &count), 0);
    return count;
}

static void messages_are_found_by_sender(void **state)
{
    struct trial trial;
    struct event_id id = EVENT_ID_NONE;
    int64_t timestamp_ms;
    trial_begin(&trial, 0, 0);
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        struct event_id added = add(&trial, i % 2, i % 3 == 0, name, NULL);
        if (i == 28)
            id = added;
    }
    assert_int_equal(count_sent(&trial, 0, 0, 100), 20);
    assert_int_equal(count_sent(&trial, 1, 0, 100), 10);
    assert_int_equal(count_sent(&trial, 1, trial.rooms[0], 100), 5);
    assert_int_equal(count_sent(&trial, 0, 0, 7), 7);
    struct event_id last;
    assert_int_equal(trial.ops->last_message_of_sender(trial.ledger, trial.users[0], trial.rooms[0],
                                                       &last, &timestamp_ms),
                     0);
    assert_int_equal(event_id_compare(last, id), 0);
    assert_int_equal(timestamp_ms, trial.now_ms);
    memory_ledger_fini(&trial.memory);
}

static void bounds_of_ranges_are_not_included(void **state)
{
    struct trial trial;
    struct event_id ids[5];
    trial_begin(&trial, 0, 0);
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        ids[i] = add(&trial, 0, 0, name, i % 2 ? "m0" : NULL);
    }
    assert_int_equal(count_range(&trial, 0, EVENT_ID_NONE, EVENT_ID_LAST, NULL), 5);
    assert_int_equal(count_range(&trial, 0, ids[0], ids[4], NULL), 3);
    assert_int_equal(count_range(&trial, 0, ids[3], EVENT_ID_LAST, NULL), 1);
    assert_int_equal(count_range(&trial, 0, ids[2], ids[2], NULL), 0);
    assert_int_equal(count_range(&trial, 0, EVENT_ID_NONE, EVENT_ID_LAST, "m0"), 2);
    assert_int_equal(count_range(&trial, 1, EVENT_ID_NONE, EVENT_ID_LAST, NULL), 0);
    memory_ledger_fini(&trial.memory);
}

static void what_is_trimmed_is_gone_from_every_index(void **state)
{
    struct trial trial;
    struct event_id ids[2000];
    struct ledger_event event;
    struct ledger_room room;
    trial_begin(&trial, 10, 0);
    for (int i = 0; i < 2000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        ids[i] = add(&trial, 0, 0, name, "m0");
    }
    assert_int_equal(count_range(&trial, 0, EVENT_ID_NONE, EVENT_ID_LAST, NULL), 10);
    assert_int_equal(count_range(&trial, 0, EVENT_ID_NONE, EVENT_ID_LAST, "m0"), 10);
    assert_int_equal(count_sent(&trial, 0, 0, 5000), 10);
    assert_int_equal(
        trial.ops->message_find(trial.ledger, trial.rooms[0], span_text("m1989"), NULL, &event),
        ERR_NOT_FOUND);
    assert_int_equal(
        trial.ops->message_find(trial.ledger, trial.rooms[0], span_text("m1990"), NULL, &event), 0);
    assert_int_equal(
        trial.ops->event_find(trial.ledger, trial.realm.place, ids[1989], NULL, &event),
        ERR_NOT_FOUND);
    assert_int_equal(trial.ops->room_at(trial.ledger, trial.rooms[0], NULL, &room), 0);
    assert_int_equal(event_id_compare(room.gone, ids[1989]), 0);
    assert_int_equal(trial.ops->realm_find(trial.ledger, span_text("main"), &trial.realm), 0);
    assert_int_equal(event_id_compare(trial.realm.gone, ids[1989]), 0);
    assert_true(trial.memory.realms->all.end - trial.memory.realms->all.first < 1000);
    memory_ledger_fini(&trial.memory);
}

static void the_old_goes_but_never_the_last(void **state)
{
    struct trial trial;
    trial_begin(&trial, 0, 7);
    add(&trial, 0, 0, "m0", NULL);
    add(&trial, 0, 0, "m1", NULL);
    struct event_id last = add(&trial, 1, 0, "m2", NULL);
    trial.now_ms += 30 * DAY_MS;
    struct event_id found;
    uint64_t number;
    assert_int_equal(trial.ops->event_at_or_below(trial.ledger, trial.realm.place, EVENT_ID_LAST,
                                                  &found, &number),
                     0);
    assert_int_equal(event_id_compare(found, last), 0);
    last = add(&trial, 1, 0, "m3", NULL);
    add(&trial, 1, 0, "m4", NULL);
    assert_int_equal(count_range(&trial, 0, EVENT_ID_NONE, EVENT_ID_LAST, NULL), 0);
    assert_int_equal(count_range(&trial, 1, EVENT_ID_NONE, EVENT_ID_LAST, NULL), 2);
    assert_int_equal(
        trial.ops->event_at_or_below(trial.ledger, trial.realm.place, last, &found, &number), 0);
    assert_int_equal(event_id_compare(found, last), 0);
    assert_int_equal(number, 4);
    memory_ledger_fini(&trial.memory);
}

/* What stood under the user alone ages too, and is told as missing without a room. */
static void what_was_told_to_one_user_ages(void **state)
{
    struct trial trial;
    char name[32];
    trial_begin(&trial, 1, 7);
    struct event_id first = add(&trial, 0, 1, "m0", NULL);
    for (int i = 0; i < 3; i++) {
        struct ledger_event event = {
            .type = EVENT_USER_JOINED,
            .audience = AUDIENCE_USER,
            .place = trial.users[0],
            .room = trial.rooms[0],
            .user = trial.users[0],
            .sender = trial.users[0],
            .timestamp_ms = trial.now_ms,
            .number = ++trial.number,
            .body = span_text("{}"),
        };
        assert_int_equal(
            trial.ops->id_next(trial.ledger, trial.realm.place, trial.now_ms, &event.id), 0);
        assert_int_equal(trial.ops->event_add(trial.ledger, trial.realm.place, &event), 0);
    }
    for (int days = 0; days < 2; days++) {
        struct journal_page page = {
            .follow = {.realm = span_text("main"), .user = span_text("a"), .all = true},
            .after = first,
            .events_max = 10,
            .bytes_max = 10000,
        };
        arena_init(&page.request.arena, 1 << 20);
        assert_int_equal(reading_page(trial.ledger, &page, trial.now_ms), 0);
        assert_int_equal(page.frame_count, days ? 0 : 3);
        assert_int_equal(page.gap_count, days);
        if (days)
            assert_null(page.gaps[0].room.data);
        journal_page_fini(&page);
        trial.now_ms += 30 * DAY_MS;
        for (int i = 0; i < 4; i++) {
            snprintf(name, sizeof(name), "later-%d-%d", days, i);
            add(&trial, 1, 1, name, NULL);
        }
    }
    memory_ledger_fini(&trial.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_found_by_sender),
        cmocka_unit_test(bounds_of_ranges_are_not_included),
        cmocka_unit_test(what_is_trimmed_is_gone_from_every_index),
        cmocka_unit_test(the_old_goes_but_never_the_last),
        cmocka_unit_test(what_was_told_to_one_user_ages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
