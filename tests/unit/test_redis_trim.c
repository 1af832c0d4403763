/* What trim.lua takes away: what is left is what the ledger in memory keeps, nothing else of it is
 * left, several at once do no harm, and age counts only by both clocks. */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_world.h"
#include "store/act.h"

#define STEPS 400
#define KEPT 25
#define DAY_MS INT64_C(86400000)

static struct redis_server server;

static int64_t trim_room(struct redis_sync *sync, place_number room, int64_t kept)
{
    int64_t went = 0;
    bool more = true;
    while (more)
        went += redis_sync_trim(sync, "room", (int64_t)room, kept, 64, &more);
    return went;
}

/* Everything of a realm that is too old by the clock of the node, and how many that is. */
static int64_t trim_age(struct redis_sync *sync, int64_t node_ms, int64_t kept_ms)
{
    int64_t went = 0;
    bool more = true;
    for (int i = 0; more; i++) {
        went += redis_sync_trim(sync, "age", node_ms, kept_ms, 64, &more);
        assert_true(i < 1000);
    }
    return went;
}

/* -- what goes ------------------------------------------------------------------------------ */

static long long number(const char *format, place_number place)
{
    char command[100];
    snprintf(command, sizeof(command), format, WORLD_SHARD, (int)place);
    return redis_server_number(&server, command);
}

/* The keys of a place that are there, apart from those that are not of events. */
static int left_of(place_number place)
{
    static const char *const stay[] = {"/state", "/markers", "/moved", "/once/0", "/once/1"};
    redisReply *reply =
        redis_server_ask(&server, "KEYS tidings:{s%d}/p/%d/*", WORLD_SHARD, (int)place);
    int left = (int)reply->elements;
    for (size_t i = 0; i < reply->elements; i++) {
        bool stays = false;
        for (size_t j = 0; j < array_count(stay); j++) {
            size_t len = strlen(stay[j]);
            stays |= reply->element[i]->len > len &&
                     strcmp(reply->element[i]->str + reply->element[i]->len - len, stay[j]) == 0;
        }
        if (!stays)
            print_message("%s\n", reply->element[i]->str);
        left -= stays;
    }
    freeReplyObject(reply);
    return left;
}

static void assert_state(struct world *world, int room)
{
    const struct memory_room *memory = memory_room_at(&world->memory, world->rooms[room]);
    const struct memory_realm *realm = memory_realm_at(&world->memory, world->realm);
    char gone[EVENT_ID_TEXT_MAX], realm_gone[EVENT_ID_TEXT_MAX];
    event_id_format(memory->place.gone, gone);
    event_id_format(realm->place.gone, realm_gone);
    redisReply *reply = redis_server_ask(&server, "HMGET tidings:{s%d}/p/%d/state g t", WORLD_SHARD,
                                         (int)world->rooms[room]);
    assert_string_equal(reply->element[0]->str, gone);
    assert_int_equal(atoll(reply->element[1]->str), memory->trimmed_ordinal);
    freeReplyObject(reply);
    reply = redis_server_ask(&server, "HGET tidings:{s%d}/r/%d/state g", WORLD_SHARD,
                             (int)world->realm);
    assert_string_equal(reply->str, realm_gone);
    freeReplyObject(reply);
    long long events = number("XLEN tidings:{s%d}/p/%d/messages", world->rooms[room]) +
                       number("XLEN tidings:{s%d}/p/%d/events", world->rooms[room]);
    assert_int_equal(events, KEPT);
    assert_int_equal(number("HLEN tidings:{s%d}/p/%d/bodies", world->rooms[room]), KEPT);
    assert_int_equal(number("HLEN tidings:{s%d}/p/%d/ids", world->rooms[room]),
                     number("XLEN tidings:{s%d}/p/%d/messages", world->rooms[room]));
}

/* When all events of the rooms have gone, so has all that hung on them. */
static void assert_nothing_is_left(struct world *world)
{
    struct step last = {.what = REALM, .text = "{}", .now_ms = world->now_ms};
    struct redis_play batch = world_batch(world, &last, 1);
    redis_play_do(&batch);
    for (int i = 0; i < ROOMS; i++) {
        assert_int_equal(trim_room(&world->sync, world->rooms[i], 0), KEPT);
        assert_int_equal(left_of(world->rooms[i]), 0);
    }
    for (int i = 0; i < USERS; i++)
        assert_int_equal(number("EXISTS tidings:{s%d}/u/%d/wrote", world->users[i]), 0);
    long long left = number("XLEN tidings:{s%d}/p/%d/events", world->realm);
    for (int i = 0; i < USERS; i++)
        left += number("XLEN tidings:{s%d}/p/%d/events", world->users[i]);
    assert_int_equal(number("XLEN tidings:{s%d}/r/%d/events", world->realm), left);
}

static void play(unsigned seed, bool with_cache)
{
    struct world *world = world_new(&server, seed, with_cache, KEPT);
    print_message("seed %u%s\n", seed, with_cache ? ", with a cache" : "");
    for (int done = 0; done < STEPS; done++) {
        struct step step = world_step(world);
        struct redis_play batch = world_batch(world, &step, 1);
        redis_play_do(&batch);
        for (int i = 0; i < ROOMS; i++)
            trim_room(&world->sync, world->rooms[i], KEPT);
        if (world_any(world, 8) == 0)
            world_compare(world);
    }
    world_compare(world);
    for (int i = 0; i < ROOMS; i++)
        assert_state(world, i);
    assert_nothing_is_left(world);
    world_free(world);
}

static void what_is_kept_is_what_memory_keeps(void **state)
{
    for (unsigned seed = 31; seed <= 33; seed++)
        play(seed, false);
}

static void and_so_with_what_was_guessed(void **state)
{
    for (unsigned seed = 41; seed <= 43; seed++)
        play(seed, true);
}

/* -- by age --------------------------------------------------------------------------------- */

/* A realm with two rooms, made as a command makes it. */
struct realm {
    struct redis_sync sync;
    struct settings settings;
    place_number realm, rooms[2], users[2], added_to;
    struct event_id added;
    const char *message;
};

static int add_realm(void *context, struct ledger *ledger)
{
    struct realm *realm = context;
    struct ledger_realm found;
    int err = ledger->ops->realm_add(ledger, span_text("main"), &found);
    realm->realm = found.place;
    for (int i = 0; i < 2 && !err; i++) {
        const struct room_info info = {.id = span_text(step_rooms[i]),
                                       .name = span_text(""),
                                       .topic = span_text(""),
                                       .data = span_text("{}")};
        err = ledger->ops->room_add(ledger, found.place, &info, &realm->rooms[i]);
        if (!err)
            err = ledger->ops->user_add(ledger, found.place, span_text(step_users[i]),
                                        &realm->users[i]);
    }
    return err;
}

static int add_message(void *context, struct ledger *ledger)
{
    struct realm *realm = context;
    struct ledger_realm found;
    struct ledger_event event = {
        .type = realm->message ? EVENT_NEW_MESSAGE : EVENT_ROOM_UPDATED,
        .place = realm->added_to,
        .sender = realm->users[0],
        .sender_id = span_text(step_users[0]),
        .message_id = span_text(realm->message),
        .body = span_text("{}"),
    };
    bool is_user = realm->added_to == realm->users[0] || realm->added_to == realm->users[1];
    event.audience = is_user ? AUDIENCE_USER : AUDIENCE_ROOM;
    event.user = is_user ? realm->added_to : 0;
    int err = ledger->ops->realm_find(ledger, span_text("main"), &found);
    if (!err)
        err = ledger->ops->id_next(ledger, realm->realm, 0, &event.id);
    return err ? err : ledger->ops->event_add(ledger, realm->realm, &event);
}

/* `message` NULL: one that is none. Each has a time of its own. */
static struct event_id add(struct realm *realm, place_number place, const char *message)
{
    realm->added_to = place;
    realm->message = message;
    assert_int_equal(redis_sync_ledger_write(&realm->sync, &realm->settings, add_message, realm),
                     0);
    struct event_id added = realm->sync.results[0].head;
    do {
        redisReply *reply = redis_server_ask(&server, "TIME");
        realm->sync.now_ms =
            atoll(reply->element[0]->str) * 1000 + atoll(reply->element[1]->str) / 1000;
        freeReplyObject(reply);
    } while (realm->sync.now_ms <= (int64_t)added.ms);
    return added;
}

static void realm_begin(struct realm *realm)
{
    *realm = (struct realm){.settings.journal_dedup_window_ms = DAY_MS};
    freeReplyObject(redis_server_ask(&server, "FLUSHALL"));
    redis_sync_open(&realm->sync, &server, WORLD_SHARD);
    assert_int_equal(redis_sync_ledger_write(&realm->sync, &realm->settings, add_realm, realm), 0);
}

static void assert_gone(const char *kind, place_number place, struct event_id id)
{
    char expected[EVENT_ID_TEXT_MAX] = "";
    if (!event_id_is_none(id))
        event_id_format(id, expected);
    redisReply *reply = redis_server_ask(&server, "HGET tidings:{s%d}/%s/%d/state g", WORLD_SHARD,
                                         kind, (int)place);
    assert_string_equal(reply->str ? reply->str : "", expected);
    freeReplyObject(reply);
}

static void what_is_too_old_goes_by_the_clock_that_is_behind(void **state)
{
    struct realm realm;
    realm_begin(&realm);
    struct event_id ids[6] = {add(&realm, realm.rooms[0], "m1"), add(&realm, realm.users[1], NULL),
                              add(&realm, realm.rooms[1], "m1"), add(&realm, realm.rooms[0], NULL),
                              add(&realm, realm.rooms[0], "m2"), add(&realm, realm.rooms[1], "m2")};
    /* The clock of the node is days ahead, that of Redis is not. */
    assert_int_equal(trim_age(&realm.sync, realm.sync.now_ms + 30 * DAY_MS, DAY_MS), 0);
    /* The clock of Redis says that all is too old, that of the node does not. */
    assert_int_equal(trim_age(&realm.sync, (int64_t)ids[0].ms, 0), 0);
    assert_int_equal(trim_age(&realm.sync, (int64_t)ids[0].ms + 1, 0), 1);
    assert_gone("p", realm.rooms[0], ids[0]);
    assert_gone("p", realm.rooms[1], EVENT_ID_NONE);
    assert_gone("r", realm.realm, ids[0]);
    assert_int_equal(trim_age(&realm.sync, (int64_t)ids[4].ms, 0), 3);
    assert_gone("p", realm.rooms[0], ids[3]);
    assert_gone("p", realm.rooms[1], ids[2]);
    assert_gone("u", realm.users[1], ids[1]);
    assert_gone("r", realm.realm, ids[3]);
    assert_int_equal(number("XLEN tidings:{s%d}/p/%d/messages", realm.rooms[0]), 1);
    assert_int_equal(number("HLEN tidings:{s%d}/p/%d/bodies", realm.rooms[0]), 1);
    assert_int_equal(left_of(realm.users[1]), 0);
    redis_sync_close(&realm.sync);
}

/* It goes when it is the last no more. */
static void the_last_entry_of_a_realm_stays(void **state)
{
    struct realm realm;
    realm_begin(&realm);
    struct event_id first = add(&realm, realm.rooms[0], "m1"),
                    last = add(&realm, realm.rooms[0], "m2");
    assert_int_equal(trim_age(&realm.sync, realm.sync.now_ms, 0), 1);
    assert_gone("r", realm.realm, first);
    assert_int_equal(number("XLEN tidings:{s%d}/r/%d/events", realm.realm), 1);
    assert_int_equal(trim_room(&realm.sync, realm.rooms[0], 0), 0);
    /* It is not looked at again for a while. */
    bool more;
    assert_int_equal(redis_sync_trim(&realm.sync, "age", realm.sync.now_ms, 0, 64, &more), 0);
    assert_false(more);
    add(&realm, realm.rooms[1], "m3");
    assert_int_equal(trim_room(&realm.sync, realm.rooms[0], 0), 1);
    assert_gone("r", realm.realm, last);
    assert_int_equal(left_of(realm.rooms[0]), 0);
    redis_sync_close(&realm.sync);
}

/* -- several at once ------------------------------------------------------------------------ */

struct trimmer {
    pthread_t thread;
    place_number room;
    bool stop;
    int64_t went;
};

static void *trim_on(void *context)
{
    struct trimmer *trimmer = context;
    struct redis_sync sync;
    redis_sync_open(&sync, &server, WORLD_SHARD);
    while (!__atomic_load_n(&trimmer->stop, __ATOMIC_RELAXED))
        trimmer->went += trim_room(&sync, trimmer->room, KEPT);
    redis_sync_close(&sync);
    return NULL;
}

static void several_at_once_do_no_harm(void **state)
{
    struct trimmer trimmers[4];
    struct realm realm;
    struct event_id ids[300];
    int64_t went = 0;
    realm_begin(&realm);
    for (size_t i = 0; i < array_count(trimmers); i++) {
        trimmers[i] = (struct trimmer){.room = realm.rooms[0]};
        assert_int_equal(pthread_create(&trimmers[i].thread, NULL, trim_on, &trimmers[i]), 0);
    }
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        ids[i] = add(&realm, realm.rooms[0], i % 3 ? name : NULL);
    }
    for (size_t i = 0; i < array_count(trimmers); i++) {
        __atomic_store_n(&trimmers[i].stop, true, __ATOMIC_RELAXED);
        assert_int_equal(pthread_join(trimmers[i].thread, NULL), 0);
        went += trimmers[i].went;
    }
    went += trim_room(&realm.sync, realm.rooms[0], KEPT);
    assert_int_equal(went, 300 - KEPT);
    assert_gone("p", realm.rooms[0], ids[300 - KEPT - 1]);
    assert_gone("r", realm.realm, ids[300 - KEPT - 1]);
    assert_int_equal(number("HLEN tidings:{s%d}/p/%d/bodies", realm.rooms[0]), KEPT);
    assert_int_equal(number("XLEN tidings:{s%d}/r/%d/events", realm.realm), KEPT);
    redis_sync_close(&realm.sync);
}

/* -- the journal ---------------------------------------------------------------------------- */

static void the_journal_is_trimmed_by_the_clock_of_redis(void **state)
{
    struct realm realm;
    bool more;
    realm_begin(&realm);
    for (int i = 0; i < 250; i++)
        add(&realm, realm.rooms[0], NULL);
    assert_int_equal(redis_sync_trim(&realm.sync, "tail", DAY_MS, 0, 0, &more), 0);
    assert_int_equal(number("XLEN tidings:{s%d}/journal", 0), 250);
    redis_sync_trim(&realm.sync, "tail", 0, 0, 0, &more);
    assert_int_equal(number("XLEN tidings:{s%d}/journal", 0), 0);
    /* What is remembered of commits goes by itself. */
    redisReply *reply = redis_server_ask(&server, "KEYS tidings:{s%d}/done/*", WORLD_SHARD);
    assert_true(reply->elements > 0);
    for (size_t i = 0; i < reply->elements; i++)
        assert_in_range(redis_server_number(&server, "TTL %s", reply->element[i]->str), 0, 60);
    freeReplyObject(reply);
    redis_sync_close(&realm.sync);
}

/* Trimming is what makes room. */
static void it_works_when_memory_is_full(void **state)
{
    static const char *const names[] = {"", "m1", "", "m3", "", "m5", "", "m7", "", "m9"};
    struct realm realm;
    realm_begin(&realm);
    for (int i = 0; i < 10; i++)
        add(&realm, realm.rooms[0], i % 2 ? names[i] : NULL);
    freeReplyObject(redis_server_ask(&server, "CONFIG SET maxmemory 1"));
    assert_int_equal(trim_room(&realm.sync, realm.rooms[0], 5), 5);
    assert_int_equal(trim_age(&realm.sync, realm.sync.now_ms, 0), 4);
    freeReplyObject(redis_server_ask(&server, "CONFIG SET maxmemory 0"));
    redis_sync_close(&realm.sync);
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
        cmocka_unit_test(what_is_kept_is_what_memory_keeps),
        cmocka_unit_test(and_so_with_what_was_guessed),
        cmocka_unit_test(what_is_too_old_goes_by_the_clock_that_is_behind),
        cmocka_unit_test(the_last_entry_of_a_realm_stays),
        cmocka_unit_test(several_at_once_do_no_harm),
        cmocka_unit_test(the_journal_is_trimmed_by_the_clock_of_redis),
        cmocka_unit_test(it_works_when_memory_is_full),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
