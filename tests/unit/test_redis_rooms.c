/* Rooms, users, members, bans, direct rooms, tenures and presence over Redis: what is done at
 * random there and in the ledger in memory is told by both alike; and what two do at once is done
 * by one of them. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_town.h"

#define STEPS 200
#define BATCH_MAX 4
#define FETCHES_MAX 40 /* of a comparison, which reads page after page */

static struct redis_server server;

/* -- the town ------------------------------------------------------------------------------- */

static struct town_step some_step(struct town *town)
{
    static const enum town_act often[] = {
        TOWN_CREATE, TOWN_CREATE, TOWN_CHANGE,   TOWN_DELETE,    TOWN_JOIN,       TOWN_JOIN,
        TOWN_JOIN,   TOWN_JOIN,   TOWN_LEAVE,    TOWN_LEAVE,     TOWN_ROLE,       TOWN_BAN,
        TOWN_LIFT,   TOWN_POST,   TOWN_DIRECT,   TOWN_BLOCK,     TOWN_UNBLOCK,    TOWN_PROFILE,
        TOWN_ACK,    TOWN_DEVICE, TOWN_PRESENCE, TOWN_SUBSCRIBE, TOWN_UNSUBSCRIBE};
    town->now_ms += 1000;
    return (struct town_step){
        .act = often[town_any(town, array_count(often))],
        .room = town_any(town, TOWN_ROOMS),
        .user = town_any(town, TOWN_USERS),
        .other = town_any(town, TOWN_USERS),
        .number = town_any(town, 30),
        .now_ms = town->now_ms,
    };
}

static void do_batch(struct town *town, struct town_step *steps, int count)
{
    struct redis_play batch = town_batch(town, steps, count);
    redis_play_do(&batch);
}

/* Says of both ledgers that everything in a room up to some event is gone. */
static void trim(struct town *town)
{
    if (town->made_count == 0 || town->id_count == 0)
        return;
    const struct town_room *made = &town->made[town_any(town, town->made_count)];
    struct event_id id = town->ids[town_any(town, town->id_count)];
    struct memory_place *place = memory_place_at(&town->memory, made->memory);
    char text[EVENT_ID_TEXT_MAX];
    if (event_id_compare(place->gone, id) >= 0)
        return;
    place->gone = id;
    event_id_format(id, text);
    freeReplyObject(redis_server_ask(&server, "HSET tidings:{s3}/p/%llu/state g %s",
                                     (unsigned long long)made->redis, text));
}

static void play(unsigned seed, int parted_max)
{
    struct town *town = town_new(&server, seed);
    town->parted_max = parted_max;
    print_message("seed %u\n", seed);
    for (int done = 0; done < STEPS;) {
        struct town_step steps[BATCH_MAX];
        int count = 1 + town_any(town, BATCH_MAX);
        for (int i = 0; i < count; i++)
            steps[i] = some_step(town);
        do_batch(town, steps, count);
        done += count;
        if (town_any(town, 8) == 0)
            trim(town);
        if (town_any(town, 8) == 0)
            town_sweep(town);
        if (town_any(town, 4) == 0)
            town_compare(town, FETCHES_MAX);
    }
    town_compare(town, FETCHES_MAX);
    town_free(town);
}

static void both_tell_the_same(void **state)
{
    for (unsigned seed = 1; seed <= 3; seed++)
        play(seed, 0);
}

static void both_tell_the_same_of_doomed_rooms(void **state)
{
    for (unsigned seed = 11; seed <= 13; seed++)
        play(seed, 1);
}

/* -- two at once ---------------------------------------------------------------------------- */

#define STEP(act_, user_, other_)                                                                  \
    {                                                                                              \
        .act = (act_), .user = (user_), .other = (other_), .number = 1                             \
    }

struct race {
    struct town_step before[4];
    int before_count;
    struct town_step first, second;
    bool clash;
};

/* Of two steps that were both decided on the same facts the second is decided anew, when it would
 * not be right any more. */
static void run_race(const struct race *race, unsigned number)
{
    struct town *town = town_new(&server, number);
    struct town_step steps[6], *first = &steps[4], *second = &steps[5];
    memcpy(steps, race->before, sizeof(race->before));
    *first = race->first;
    *second = race->second;
    for (size_t i = 0; i < array_count(steps); i++)
        steps[i].now_ms = town->now_ms += 1000;
    for (int i = 0; i < race->before_count; i++)
        do_batch(town, &steps[i], 1);
    struct redis_play batches[] = {town_batch(town, first, 1), town_batch(town, second, 1)};
    for (int i = 0; i < 2; i++) {
        redis_play_settle(&batches[i]);
        assert_int_equal(batches[i].errs[0], 0);
        assert_int_equal(batches[i].indices[0], 0);
    }
    for (int i = 0; i < 2; i++) {
        redis_play_commit(&batches[i]);
        if (batches[i].count != (i == 1 && race->clash))
            fail_msg("race %u: %d, check %d", number, batches[i].count,
                     town->sync.results[0].failed_check);
    }
    redis_play_do(&batches[1]);
    town_compare(town, FETCHES_MAX);
    town_free(town);
}

enum { ANN, ANN_B, BOB, CYD, DEE };

/* All in one room, but where it says otherwise. */
static const struct race races[] = {
    /* Each is told how many members there are, or would be the first. */
    {{STEP(TOWN_CREATE, ANN, ANN)}, 1, STEP(TOWN_JOIN, BOB, BOB), STEP(TOWN_JOIN, CYD, CYD), true},
    {{STEP(TOWN_CREATE, ANN, ANN)}, 1, STEP(TOWN_JOIN, BOB, BOB), STEP(TOWN_JOIN, BOB, BOB), true},
    {{STEP(TOWN_CREATE, ANN, ANN)},
     1,
     STEP(TOWN_JOIN, BOB, BOB),
     STEP(TOWN_DELETE, ANN, ANN),
     true},
    {{STEP(TOWN_CREATE, ANN, ANN)},
     1,
     STEP(TOWN_DELETE, ANN, ANN),
     STEP(TOWN_JOIN, BOB, BOB),
     true},
    {{STEP(TOWN_CREATE, ANN, ANN), STEP(TOWN_JOIN, BOB, BOB)},
     2,
     STEP(TOWN_LEAVE, BOB, BOB),
     STEP(TOWN_DELETE, ANN, ANN),
     true},
    {{STEP(TOWN_CREATE, ANN, ANN)},
     1,
     STEP(TOWN_DELETE, ANN, ANN),
     STEP(TOWN_DELETE, ANN, ANN),
     true},
    {{STEP(TOWN_PROFILE, ANN, BOB)},
     1,
     STEP(TOWN_CREATE, ANN, ANN),
     STEP(TOWN_CREATE, BOB, BOB),
     true},
    {{STEP(TOWN_CREATE, ANN, ANN)},
     1,
     {.act = TOWN_CHANGE, .number = 2},
     {.act = TOWN_CHANGE, .number = 3},
     true},
    /* Both are owners: one must stay while there are others. */
    {{STEP(TOWN_CREATE, ANN, ANN),
      {.act = TOWN_JOIN, .user = BOB, .other = BOB, .number = 4},
      STEP(TOWN_JOIN, CYD, CYD)},
     3,
     STEP(TOWN_LEAVE, ANN, ANN),
     STEP(TOWN_LEAVE, BOB, BOB),
     true},
    /* One pair has one room, one id one user, whoever comes first. */
    {{STEP(TOWN_PROFILE, ANN, BOB)},
     1,
     STEP(TOWN_DIRECT, ANN, BOB),
     STEP(TOWN_DIRECT, BOB, ANN),
     true},
    {{STEP(TOWN_CREATE, ANN, ANN)}, 1, STEP(TOWN_ACK, BOB, BOB), STEP(TOWN_JOIN, BOB, BOB), true},
    {{STEP(TOWN_CREATE, ANN, ANN)},
     1,
     STEP(TOWN_PRESENCE, BOB, BOB),
     STEP(TOWN_SUBSCRIBE, BOB, BOB),
     true},
    /* Who was banned does not come in, nor say anything. */
    {{STEP(TOWN_CREATE, ANN, BOB)}, 1, STEP(TOWN_BAN, ANN, BOB), STEP(TOWN_JOIN, BOB, BOB), true},
    {{STEP(TOWN_CREATE, ANN, BOB)}, 1, STEP(TOWN_JOIN, BOB, BOB), STEP(TOWN_BAN, ANN, BOB), true},
    {{STEP(TOWN_CREATE, ANN, BOB), STEP(TOWN_JOIN, BOB, BOB)},
     2,
     STEP(TOWN_BAN, ANN, BOB),
     STEP(TOWN_POST, BOB, BOB),
     true},
    {{STEP(TOWN_CREATE, ANN, BOB), STEP(TOWN_JOIN, BOB, BOB)},
     2,
     STEP(TOWN_DELETE, ANN, ANN),
     STEP(TOWN_POST, BOB, BOB),
     true},
    {{STEP(TOWN_PROFILE, ANN, BOB)},
     1,
     STEP(TOWN_BLOCK, ANN, BOB),
     STEP(TOWN_BLOCK, ANN, BOB),
     true},
    /* What does not touch the other goes on. */
    {{STEP(TOWN_CREATE, ANN, BOB), STEP(TOWN_JOIN, BOB, BOB)},
     2,
     STEP(TOWN_POST, ANN, ANN),
     STEP(TOWN_POST, BOB, BOB),
     false},
    {{STEP(TOWN_CREATE, ANN, BOB), STEP(TOWN_PROFILE, CYD, CYD)},
     2,
     STEP(TOWN_POST, ANN, ANN),
     STEP(TOWN_POST, ANN, ANN),
     false},
    {{STEP(TOWN_CREATE, ANN, BOB)}, 1, STEP(TOWN_JOIN, BOB, BOB), STEP(TOWN_POST, ANN, ANN), false},
    {{STEP(TOWN_CREATE, ANN, BOB)}, 1, STEP(TOWN_POST, ANN, ANN), STEP(TOWN_JOIN, BOB, BOB), false},
    {{STEP(TOWN_CREATE, ANN, BOB), STEP(TOWN_JOIN, BOB, BOB)},
     2,
     STEP(TOWN_ROLE, ANN, BOB),
     STEP(TOWN_POST, ANN, ANN),
     false},
    {{STEP(TOWN_CREATE, ANN, BOB), STEP(TOWN_JOIN, BOB, BOB)},
     2,
     STEP(TOWN_LEAVE, BOB, BOB),
     STEP(TOWN_POST, ANN, ANN),
     false},
    {{STEP(TOWN_CREATE, ANN, BOB)},
     1,
     STEP(TOWN_DIRECT, ANN, BOB),
     STEP(TOWN_POST, ANN, ANN),
     false},
};

static void what_two_do_at_once_is_done_by_one(void **state)
{
    for (unsigned i = 0; i < array_count(races); i++)
        run_race(&races[i], i);
}

/* A post that is decided on what the node remembers. */
static void who_has_left_says_nothing_more(void **state)
{
    struct town *town = town_new(&server, 1);
    struct town_step steps[] = {STEP(TOWN_CREATE, ANN, BOB), STEP(TOWN_JOIN, BOB, BOB),
                                STEP(TOWN_POST, BOB, BOB),   STEP(TOWN_POST, BOB, BOB),
                                STEP(TOWN_BAN, ANN, BOB),    STEP(TOWN_POST, BOB, BOB)};
    struct redis_cache *cache = redis_cache_new(1 << 20);
    for (size_t i = 0; i < array_count(steps); i++) {
        int fetches = town->sync.fetches;
        town->sync.cache = steps[i].act == TOWN_POST ? cache : NULL;
        steps[i].now_ms = town->now_ms += 1000;
        do_batch(town, &steps[i], 1);
        if (i == 3)
            assert_int_equal(town->sync.fetches, fetches);
    }
    assert_true(event_id_is_none(steps[5].id));
    town->sync.cache = NULL;
    town_compare(town, FETCHES_MAX);
    town->sync.cache = cache;
    town_free(town);
}

/* The key with closed stays; there is one. */
static void closed_key(char *ret, size_t size)
{
    redisReply *keys = redis_server_ask(&server, "KEYS *closed");
    assert_int_equal(keys->elements, 1);
    snprintf(ret, size, "%s", keys->element[0]->str);
    freeReplyObject(keys);
}

static void come_and_go(struct town *town, int times)
{
    for (int i = 0; i < 2 * times; i++) {
        struct town_step step = STEP(i % 2 ? TOWN_LEAVE : TOWN_JOIN, BOB, BOB);
        step.now_ms = town->now_ms += 1000;
        do_batch(town, &step, 1);
    }
}

static void stays_that_show_nothing_are_dropped(void **state)
{
    struct town *town = town_new(&server, 1);
    struct town_step step = STEP(TOWN_CREATE, ANN, BOB);
    char key[100], id[EVENT_ID_TEXT_MAX];
    do_batch(town, &step, 1);
    come_and_go(town, 5);
    closed_key(key, sizeof(key));
    assert_int_equal(town_count(town, "ZCARD", key), 5);
    /* The third has ended with the seventh event. */
    struct event_id gone = town->ids[6];
    memory_place_at(&town->memory, town->made[0].memory)->gone = gone;
    event_id_format(gone, id);
    freeReplyObject(redis_server_ask(&server, "HSET tidings:{s3}/p/%llu/state g %s",
                                     (unsigned long long)town->made[0].redis, id));
    come_and_go(town, 1);
    assert_int_equal(town_count(town, "ZCARD", key), 3);
    town_compare(town, FETCHES_MAX);
    town_free(town);
}

static void the_device_longest_unused_goes(void **state)
{
    static const int numbers[] = {3, DEVICES_OF_USER_MAX, 5, DEVICES_OF_USER_MAX + 1, 6};
    struct town *town = town_new(&server, 1);
    for (size_t i = 0; i < DEVICES_OF_USER_MAX + array_count(numbers); i++) {
        struct town_step step = STEP(TOWN_DEVICE, BOB, BOB);
        step.number = i < DEVICES_OF_USER_MAX ? (int)i : numbers[i - DEVICES_OF_USER_MAX];
        step.now_ms = town->now_ms += 1000;
        do_batch(town, &step, 1);
    }
    town_compare(town, FETCHES_MAX);
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
        cmocka_unit_test(both_tell_the_same),
        cmocka_unit_test(both_tell_the_same_of_doomed_rooms),
        cmocka_unit_test(what_two_do_at_once_is_done_by_one),
        cmocka_unit_test(who_has_left_says_nothing_more),
        cmocka_unit_test(stays_that_show_nothing_are_dropped),
        cmocka_unit_test(the_device_longest_unused_goes),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
