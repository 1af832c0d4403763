/* Reading from a ledger that is far away: everything is asked for once before it is there. What is
 * found is what a near one tells, nothing is leaked on the way, and few runs are needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/param.h>

#include "base/err.h"
#include "core/grant.h"
#include "store/apply.h"
#include "store/memory_ledger.h"
#include "store/reading.h"

#define ROOMS 12
#define FACTS_MAX 20000
#define NOW_MS 1700000000000

struct far {
    struct ledger ledger;
    struct ledger_ops ops;
    struct settings settings;
    struct memory_ledger memory;
    struct apply apply;
    uint64_t facts[FACTS_MAX]; /* that are at hand, or were asked for; by hash */
    int at_hand, asked;
    int portion; /* that comes at once; 0: all that was asked for */
    struct arena texts;
    struct event_id head, middle;
    struct event_id ids[ROOMS]; /* a message of each room */
};

static struct far far;

/* A fact by the name of its primitive and what that is asked with. */
static int fetch(const char *what, const void *asked, size_t size, struct span text)
{
    uint64_t parts[] = {map_hash(what, strlen(what)), map_hash(asked, size),
                        map_hash(text.data ? text.data : "-", text.data ? text.len : 1)};
    uint64_t fact = map_hash(parts, sizeof(parts));
    for (int i = 0; i < far.asked; i++) {
        if (far.facts[i] == fact)
            return i < far.at_hand ? 0 : ERR_NOT_FETCHED;
    }
    assert_true(far.asked < FACTS_MAX);
    far.facts[far.asked++] = fact;
    return ERR_NOT_FETCHED;
}

static struct span none(void)
{
    return (struct span){NULL, 0};
}

/* One primitive: its parameters but the ledger, its arguments, the numbers it is asked with, and
 * the text. */
#define FAR(name, parameters, arguments, text, ...)                                                \
    static int name parameters                                                                     \
    {                                                                                              \
        const uint64_t asked[] = {__VA_ARGS__};                                                    \
        int err = fetch(#name, asked, sizeof(asked), text);                                        \
        ledger = &far.memory.ledger;                                                               \
        return err ? err : ledger->ops->name arguments;                                            \
    }

FAR(realm_find, (struct ledger * ledger, struct span name, struct ledger_realm *ret),
    (ledger, name, ret), name, 0)
FAR(room_find,
    (struct ledger * ledger, place_number realm, struct span id, struct arena *arena,
     struct ledger_room *ret),
    (ledger, realm, id, arena, ret), id, realm)
FAR(room_at,
    (struct ledger * ledger, place_number place, struct arena *arena, struct ledger_room *ret),
    (ledger, place, arena, ret), none(), place)
FAR(user_find,
    (struct ledger * ledger, place_number realm, struct span id, struct arena *arena,
     struct ledger_user *ret),
    (ledger, realm, id, arena, ret), id, realm)
FAR(member_find,
    (struct ledger * ledger, place_number room, place_number user, struct ledger_member *ret),
    (ledger, room, user, ret), none(), room, user)
FAR(members,
    (struct ledger * ledger, place_number room, struct span from, int limit,
     ledger_member_visitor visit, void *context),
    (ledger, room, from, limit, visit, context), from, room, (uint64_t)limit)
FAR(rooms_of_user,
    (struct ledger * ledger, place_number user, struct span from, int limit,
     ledger_room_visitor visit, void *context),
    (ledger, user, from, limit, visit, context), from, user, (uint64_t)limit)
FAR(room_count_of_user, (struct ledger * ledger, place_number user, int64_t *ret),
    (ledger, user, ret), none(), user)
FAR(erased_count, (struct ledger * ledger, place_number room, uint64_t node, uint64_t *ret),
    (ledger, room, node, ret), none(), room, node)
FAR(ban_find,
    (struct ledger * ledger, place_number room, place_number user, struct ledger_ban *ret),
    (ledger, room, user, ret), none(), room, user)
FAR(direct_partner,
    (struct ledger * ledger, place_number room, place_number user, place_number *ret),
    (ledger, room, user, ret), none(), room, user)
FAR(block_find,
    (struct ledger * ledger, place_number blocker, place_number user, struct ledger_block *ret),
    (ledger, blocker, user, ret), none(), blocker, user)
FAR(tenures,
    (struct ledger * ledger, place_number user, place_number room, struct event_id after,
     ledger_tenure_visitor visit, void *context),
    (ledger, user, room, after, visit, context), none(), user, room, after.ms, after.seq)
FAR(event_find,
    (struct ledger * ledger, place_number realm, struct event_id id, struct arena *arena,
     struct ledger_event *ret),
    (ledger, realm, id, arena, ret), none(), realm, id.ms, id.seq)
FAR(reactions,
    (struct ledger * ledger, place_number room, struct event_id message, place_number user,
     struct arena *arena, ledger_reaction_visitor visit, void *context),
    (ledger, room, message, user, arena, visit, context), none(), room, message.ms, message.seq,
    user)
FAR(replies, (struct ledger * ledger, place_number room, struct event_id message, int64_t *ret),
    (ledger, room, message, ret), none(), room, message.ms, message.seq)
FAR(event_at_or_below,
    (struct ledger * ledger, place_number realm, struct event_id id, struct event_id *ret_id,
     uint64_t *ret_number),
    (ledger, realm, id, ret_id, ret_number), none(), realm, id.ms, id.seq)
FAR(message_at_or_below,
    (struct ledger * ledger, place_number room, struct event_id id, struct event_id *ret_id,
     uint64_t *ret_ordinal),
    (ledger, room, id, ret_id, ret_ordinal), none(), room, id.ms, id.seq)
FAR(events,
    (struct ledger * ledger, const struct ledger_range *range, ledger_event_visitor visit,
     void *context),
    (ledger, range, visit, context), range->thread, range->place, range->after.ms, range->after.seq,
    range->before.ms, range->before.seq, (uint64_t)range->limit, range->newest_first,
    range->messages_only)
FAR(ids,
    (struct ledger * ledger, const struct ledger_range *range, ledger_id_visitor visit,
     void *context),
    (ledger, range, visit, context), range->thread, range->place, range->after.ms, range->after.seq,
    range->before.ms, range->before.seq, (uint64_t)range->limit, range->newest_first,
    range->messages_only)
FAR(realm_ids,
    (struct ledger * ledger, place_number realm, struct event_id after, int limit,
     ledger_id_visitor visit, void *context),
    (ledger, realm, after, limit, visit, context), none(), realm, after.ms, after.seq,
    (uint64_t)limit)
FAR(message_find,
    (struct ledger * ledger, place_number room, struct span id, struct arena *arena,
     struct ledger_event *ret),
    (ledger, room, id, arena, ret), id, room)
FAR(lost,
    (struct ledger * ledger, place_number realm, struct event_id cursor, ledger_lost_visitor visit,
     void *context),
    (ledger, realm, cursor, visit, context), none(), realm, cursor.ms, cursor.seq)
FAR(device_find,
    (struct ledger * ledger, place_number user, struct span device, struct ledger_device *ret),
    (ledger, user, device, ret), device, user)
FAR(presence_get,
    (struct ledger * ledger, place_number user, struct arena *arena, struct ledger_presence *ret),
    (ledger, user, arena, ret), none(), user)
FAR(acquainted, (struct ledger * ledger, place_number user, place_number other, bool *ret),
    (ledger, user, other, ret), none(), user, other)

/* -- what is there ----------------------------------------------------------------------------- */

static struct command command_of(enum command_kind kind, const char *user, const char *room)
{
    return (struct command){.kind = kind,
                            .realm = span_text("main"),
                            .room = span_text(room),
                            .actor = {.user = span_text(user), .issued_at_s = 1}};
}

static struct outcome act(struct command command)
{
    assert_int_equal(apply_command(&far.apply, &command, NOW_MS, &far.texts), 0);
    assert_int_equal(command.outcome.err, 0);
    apply_forget(&far.apply);
    far.head = command.outcome.head;
    return command.outcome;
}

static struct event_id say(const char *user, const char *room, const char *message_id)
{
    char body[200];
    struct command command = command_of(COMMAND_SEND_MESSAGE, user, room);
    const struct span mentions[] = {span_text("ann")};
    snprintf(body, sizeof(body),
             "{\"roomId\":\"%s\",\"messageId\":\"%s\",\"text\":\"x\",\"mentions\":[\"ann\"]}", room,
             message_id);
    command.body = span_text(body);
    command.message_id = span_text(message_id);
    command.mentions = mentions;
    command.mention_count = 1;
    return act(command).id;
}

/* Rooms r0 to r11 of bob, who writes; ann is in all but the last, which she may watch. */
static void fill_room(int number)
{
    char room[16], name[16];
    snprintf(room, sizeof(room), "r%d", number);
    struct command put = command_of(COMMAND_PUT_ROOM, "bob", room);
    put.create_allowed = put.change.has_kind = put.change.has_history_from = true;
    put.change.kind = number % 2 ? ROOM_PUBLIC : ROOM_PRIVATE;
    put.change.history_from = HISTORY_FROM_JOINING;
    act(put);
    struct command add = command_of(COMMAND_ADD_MEMBERS, "bob", room);
    const struct span ann[] = {span_text("ann")};
    add.users = ann;
    add.user_count = 1;
    if (number < ROOMS - 1)
        act(add);
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "m%d-%d", number, i);
        far.ids[number] = say("bob", room, name);
        struct command react = command_of(COMMAND_ADD_REACTION, "bob", room);
        react.message_id = span_text(name);
        react.key = span_text("+1");
        act(react);
    }
    struct command erase = command_of(COMMAND_DELETE_MESSAGE, "bob", room);
    erase.message_id = span_text(name);
    act(erase);
}

static int set_up(void **state)
{
    far = (struct far){.settings = {.rooms_quiet_limit = 200, .journal_dedup_window_ms = 86400000}};
    memory_ledger_init(&far.memory, &far.settings);
    apply_init(&far.apply, &far.memory.ledger, &far.settings);
    arena_init(&far.texts, 64u << 20);
    for (int i = 0; i < ROOMS; i++) {
        fill_room(i);
        if (i == ROOMS / 2)
            far.middle = far.head;
    }
    far.ops = (struct ledger_ops){
        .realm_find = realm_find,
        .room_find = room_find,
        .room_at = room_at,
        .user_find = user_find,
        .member_find = member_find,
        .members = members,
        .rooms_of_user = rooms_of_user,
        .room_count_of_user = room_count_of_user,
        .erased_count = erased_count,
        .ban_find = ban_find,
        .direct_partner = direct_partner,
        .block_find = block_find,
        .tenures = tenures,
        .event_find = event_find,
        .reactions = reactions,
        .replies = replies,
        .event_at_or_below = event_at_or_below,
        .message_at_or_below = message_at_or_below,
        .events = events,
        .ids = ids,
        .realm_ids = realm_ids,
        .message_find = message_find,
        .lost = lost,
        .device_find = device_find,
        .presence_get = presence_get,
        .acquainted = acquainted,
    };
    far.ledger.ops = &far.ops;
    return 0;
}

static int tear_down(void **state)
{
    apply_fini(&far.apply);
    memory_ledger_fini(&far.memory);
    arena_fini(&far.texts);
    return 0;
}

/* -- reading ----------------------------------------------------------------------------------- */

/* Runs it until nothing is missing; how often. */
#define RUNS(call)                                                                                 \
    ({                                                                                             \
        int runs = 0, err;                                                                         \
        far.at_hand = far.asked = 0;                                                               \
        do {                                                                                       \
            far.at_hand = far.portion ? MIN(far.asked, far.at_hand + far.portion) : far.asked;     \
            err = (call);                                                                          \
            runs++;                                                                                \
            assert_true(err == 0 || err == ERR_NOT_FETCHED);                                       \
            assert_true(err == 0 || far.asked > far.at_hand);                                      \
        } while (err);                                                                             \
        runs;                                                                                      \
    })

static struct follow_spec all_of_ann(const struct follow_room *rooms, int count)
{
    return (struct follow_spec){.realm = span_text("main"),
                                .user = span_text("ann"),
                                .all = true,
                                .rooms = rooms,
                                .room_count = count};
}

static const struct follow_room watched[] = {{.room = {"r11", 3}}, {.room = {"none", 4}}};

static void assert_same_pages(const struct journal_page *a, const struct journal_page *b)
{
    assert_int_equal(a->frame_count, b->frame_count);
    assert_int_equal(event_id_compare(a->upto, b->upto), 0);
    for (int i = 0; i < a->frame_count; i++) {
        assert_int_equal(a->frames[i]->size, b->frames[i]->size);
        assert_memory_equal(a->frames[i]->wire, b->frames[i]->wire, a->frames[i]->size);
    }
}

static void read_pages(struct journal_page asked, int runs_max)
{
    struct journal_page near_page = asked, far_page = asked;
    arena_init(&near_page.request.arena, 64u << 20);
    arena_init(&far_page.request.arena, 64u << 20);
    assert_int_equal(reading_page(&far.memory.ledger, &near_page, NOW_MS), 0);
    assert_in_range(RUNS(reading_page(&far.ledger, &far_page, NOW_MS)), 2, runs_max);
    assert_true(near_page.frame_count > 5);
    assert_same_pages(&near_page, &far_page);
    journal_page_fini(&near_page);
    journal_page_fini(&far_page);
}

/* Realm; user and head; stays, rooms and the realm's order; bans; events; what hangs on them. */
static void pages(void **state)
{
    const struct journal_page all = {.follow = all_of_ann(watched, 2),
                                     .after = far.middle,
                                     .events_max = 100,
                                     .bytes_max = 1 << 20};
    struct journal_page small = all, listed = all;
    read_pages(all, 6);
    small.bytes_max = 3000;
    read_pages(small, 6);
    listed.ids = far.ids;
    listed.id_count = ROOMS;
    read_pages(listed, 4);
}

/* What was made before something missed is given back. */
static void pages_in_portions(void **state)
{
    const struct journal_page page = {.follow = all_of_ann(watched, 2),
                                      .after = far.middle,
                                      .events_max = 100,
                                      .bytes_max = 1 << 20};
    far.portion = 7;
    read_pages(page, 40);
    far.portion = 0;
}

/* Far back the places are merged. */
static void merged_pages(void **state)
{
    char name[16];
    const struct follow_room rooms[] = {{.room = {"r1", 2}}, {.room = {"r3", 2}}};
    struct journal_page page = {.follow = all_of_ann(rooms, 2),
                                .after = far.middle,
                                .events_max = 50,
                                .bytes_max = 1 << 20};
    page.follow.all = false;
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof(name), "more-%d", i);
        say("bob", i % 8 ? "r2" : "r1", name);
    }
    read_pages(page, 8);
}

static void assert_same_opens(const struct journal_open *a, const struct journal_open *b)
{
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->room_count, b->room_count);
    assert_int_equal(a->denied_count, b->denied_count);
    assert_int_equal(a->unread, b->unread);
    assert_int_equal(a->mentions, b->mentions);
    assert_int_equal(event_id_compare(a->replay_from, b->replay_from), 0);
    assert_int_equal(a->history_count, b->history_count);
    for (int i = 0; i < a->history_count; i++)
        assert_int_equal(event_id_compare(a->history_ids[i], b->history_ids[i]), 0);
}

static void open_both(struct journal_open asked, int runs_max)
{
    struct journal_open near_open = asked, far_open = asked;
    bool note;
    arena_init(&near_open.request.arena, 64u << 20);
    arena_init(&far_open.request.arena, 64u << 20);
    assert_int_equal(reading_open(&far.memory.ledger, &near_open, NOW_MS, &note), 0);
    assert_in_range(RUNS(reading_open(&far.ledger, &far_open, NOW_MS, &note)), 2, runs_max);
    assert_true(near_open.room_count == ROOMS && near_open.denied_count == 1);
    assert_same_opens(&near_open, &far_open);
    journal_open_fini(&near_open);
    journal_open_fini(&far_open);
}

static void opens(void **state)
{
    struct journal_open open = {.follow = all_of_ann(watched, 2),
                                .actor = {.user = span_text("ann")},
                                .device = span_text("phone"),
                                .history = 5,
                                .replay_max = 1000};
    open_both(open, 6);
    open.cursor_state = CURSOR_GIVEN;
    open.cursor = far.middle;
    open_both(open, 5);
    open.replay_max = 20;
    open_both(open, 8);
}

static void read_history(struct journal_history asked, int runs_max)
{
    struct journal_history near_page = asked, far_page = asked;
    arena_init(&near_page.request.arena, 64u << 20);
    arena_init(&far_page.request.arena, 64u << 20);
    assert_int_equal(reading_history(&far.memory.ledger, &near_page, NOW_MS), 0);
    assert_in_range(RUNS(reading_history(&far.ledger, &far_page, NOW_MS)), 2, runs_max);
    assert_int_equal(near_page.message_count, 4);
    assert_int_equal(far_page.message_count, 4);
    for (int i = 0; i < 4; i++)
        assert_true(span_equal(near_page.messages[i], far_page.messages[i]));
    assert_int_equal(event_id_compare(near_page.next_before, far_page.next_before), 0);
    journal_history_fini(&near_page);
    journal_history_fini(&far_page);
}

static void history(void **state)
{
    struct journal_history asked = {.realm = span_text("main"),
                                    .room = span_text("r4"),
                                    .actor = {.user = span_text("ann")},
                                    .limit = 4};
    read_history(asked, 7);
    asked.around = span_text("m4-4");
    read_history(asked, 8);
}

static int read_rooms(struct journal_read *read)
{
    return reading_read(&far.ledger, &far.settings, read, NOW_MS);
}

static void lists(void **state)
{
    static const enum read_what whats[] = {READ_ROOMS_OF_USER, READ_ROOMS_CHANGED, READ_UNREAD,
                                           READ_RECEIPTS,      READ_DELIVERED,     READ_PEOPLE};
    const struct span people[] = {span_text("bob"), span_text("ann"), span_text("none")};
    for (size_t i = 0; i < array_count(whats); i++) {
        struct journal_read asked = {.what = whats[i],
                                     .realm = span_text("main"),
                                     .actor = {.user = span_text("ann")},
                                     .limit = 100,
                                     .since_ms = 1,
                                     .users = people,
                                     .user_count = array_count(people)};
        struct journal_read near_read = asked, far_read = asked;
        arena_init(&near_read.request.arena, 64u << 20);
        arena_init(&far_read.request.arena, 64u << 20);
        assert_int_equal(reading_read(&far.memory.ledger, &far.settings, &near_read, NOW_MS), 0);
        assert_in_range(RUNS(read_rooms(&far_read)), 2, 8);
        assert_int_equal(near_read.room_count, far_read.room_count);
        assert_int_equal(near_read.unread_count, far_read.unread_count);
        assert_int_equal(near_read.unread_sum, far_read.unread_sum);
        assert_int_equal(near_read.mention_sum, far_read.mention_sum);
        assert_int_equal(near_read.receipt_count, far_read.receipt_count);
        assert_int_equal(near_read.person_count, far_read.person_count);
        for (int room = 0; room < near_read.room_count; room++)
            assert_true(
                span_equal(near_read.rooms[room].last_message, far_read.rooms[room].last_message));
        journal_read_fini(&near_read);
        journal_read_fini(&far_read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages), cmocka_unit_test(pages_in_portions),
        cmocka_unit_test(opens), cmocka_unit_test(history),
        cmocka_unit_test(lists), cmocka_unit_test(merged_pages),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
