/* Events, messages, markers and reactions over Redis: what is done at random there and in the
 * ledger in memory is told by both alike; and what two do at once is done by one of them. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_steps.h"

#define STEPS 250
#define BATCH_MAX 4

static int any(struct world *world, int count)
{
    return (int)((unsigned)rand_r(&world->seed) % (unsigned)count);
}

/* -- over Redis ---------------------------------------------------------------------------------
 */

static void open_ledger(struct world *world, struct redis_view *view, struct redis_ledger *ledger)
{
    redis_ledger_init(ledger, view, &world->settings, &world->sync.places);
    ledger->now_ms = world->now_ms;
    ledger->realm = world->realm;
    ledger->realm_name = span_text("main");
}

static int do_over_redis(void *context, struct redis_ledger *ledger, void *step,
                         struct event_id *ret_made)
{
    struct world *world = context;
    struct run run = {world, &ledger->ledger, true, step, EVENT_ID_NONE};
    ledger->realm = world->realm;
    ledger->realm_name = span_text("main");
    int err = step_do(&run);
    if (!err)
        *ret_made = run.made;
    return err;
}

static void do_over_memory(void *context, void *done, struct event_id id)
{
    struct world *world = context;
    struct step *step = done;
    struct run run = {world, &world->memory.ledger, false, step, EVENT_ID_NONE};
    step->id = id;
    assert_int_equal(step_do(&run), 0);
    assert_int_equal(event_id_compare(run.made, step->id), 0);
    if (event_id_is_none(step->id))
        return;
    world->ids[world->id_count++] = step->id;
    if (step->what == SEND)
        world->sent[step->message].event = step->id;
}

static struct redis_play batch_of(struct world *world, struct step *steps, int count)
{
    static const struct redis_play_ops ops = {do_over_redis, do_over_memory};
    struct redis_play batch = {.ops = &ops,
                               .context = world,
                               .sync = &world->sync,
                               .settings = &world->settings,
                               .now_ms = world->now_ms,
                               .count = count};
    for (int i = 0; i < count; i++)
        batch.steps[i] = &steps[i];
    return batch;
}

static int tell_over_redis(void *context, struct redis_view *view)
{
    struct telling *telling = context;
    struct redis_ledger ledger;
    open_ledger(telling->world, view, &ledger);
    int err = telling_all(telling, &ledger.ledger, true);
    redis_ledger_fini(&ledger);
    return err;
}

static void compare(struct world *world)
{
    struct telling redis = {.world = world, .seed = (unsigned)any(world, 1000000)};
    struct telling memory = redis;
    struct redis_cache *cache = world->sync.cache;
    int fetches = world->sync.fetches;
    buf_init(&redis.text, 16u << 20);
    buf_init(&memory.text, 16u << 20);
    world->sync.cache = NULL;
    assert_int_equal(redis_sync_read(&world->sync, tell_over_redis, &redis), 0);
    world->sync.cache = cache;
    /* What depends on nothing is asked for at once: where, what, and by whom. */
    assert_true(world->sync.fetches - fetches <= 4);
    assert_int_equal(telling_all(&memory, &world->memory.ledger, false), 0);
    redis_assert_same(&redis.text, &memory.text);
    buf_fini(&redis.text);
    buf_fini(&memory.text);
}

/* -- the world -----------------------------------------------------------------------------------
 */

static int set_up_users(void *context, struct redis_view *view)
{
    struct world *world = context;
    struct buf value;
    int err = 0;
    buf_init(&value, 1000);
    for (int i = 0; i < USERS && !err; i++) {
        value.len = 0;
        err = redis_pack_number(&value, world->realm);
        if (!err)
            err = redis_pack_text(&value, span_text(step_users[i]));
        if (!err)
            err = redis_view_set(view, redis_key_of(view, 'u', world->users[i], "state"),
                                 span_text("i"), buf_span(&value));
    }
    buf_fini(&value);
    return err;
}

/* Both ledgers know the same places. */
static void set_up_memory(struct world *world)
{
    const struct ledger_ops *ops;
    struct ledger_realm realm;
    memory_ledger_init(&world->memory, &world->settings);
    struct ledger *ledger = &world->memory.ledger;
    ops = ledger->ops;
    assert_int_equal(ops->realm_add(ledger, span_text("main"), &realm), 0);
    world->realm = realm.place;
    for (int i = 0; i < ROOMS; i++) {
        const struct room_info info = {.id = span_text(step_rooms[i]),
                                       .name = span_text(""),
                                       .topic = span_text(""),
                                       .data = span_text("{}")};
        assert_int_equal(ops->room_add(ledger, world->realm, &info, &world->rooms[i]), 0);
    }
    for (int i = 0; i < USERS; i++) {
        assert_int_equal(
            ops->user_add(ledger, world->realm, span_text(step_users[i]), &world->users[i]), 0);
        for (int room = 0; room < ROOMS; room++) {
            const struct ledger_member member = {.user = world->users[i], .role = ROLE_MEMBER};
            assert_int_equal(ops->member_put(ledger, world->rooms[room], &member), 0);
        }
    }
}

static struct redis_server server;

static struct world *world_new(unsigned seed, bool with_cache)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->seed = seed;
    world->now_ms = 1700000000000;
    world->settings.journal_dedup_window_ms = WINDOW_MS;
    freeReplyObject(redis_server_ask(&server, "FLUSHALL"));
    redis_sync_open(&world->sync, &server, 3);
    if (with_cache)
        world->sync.cache = redis_cache_new(1 << 20);
    set_up_memory(world);
    assert_int_equal(redis_sync_write(&world->sync, set_up_users, world), 0);
    return world;
}

static void world_free(struct world *world)
{
    redis_sync_close(&world->sync);
    memory_ledger_fini(&world->memory);
    free(world);
}

/* A message of the room that is stored; -1: there is none. */
static int some_message(struct world *world, int room)
{
    for (int i = 0; i < 20 && world->sent_count > 0; i++) {
        int at = any(world, world->sent_count);
        if (world->sent[at].room == room && !event_id_is_none(world->sent[at].event))
            return at;
    }
    return -1;
}

static struct step some_step(struct world *world)
{
    static const enum what often[] = {SEND,  SEND,  SEND,    SEND,   EDIT,  EDIT,  ERASE, REACT,
                                      REACT, REACT, UNREACT, CUSTOM, QUIET, REALM, READ,  READ};
    struct step step = {
        .what = often[any(world, array_count(often))],
        .room = any(world, ROOMS),
        .user = any(world, USERS),
        .other = any(world, USERS),
        .thread = -1,
        .key = any(world, KEYS),
    };
    world->now_ms += 1000;
    step.now_ms = world->now_ms;
    step.message = some_message(world, step.room);
    if (step.message < 0 && step.what < CUSTOM)
        step.what = SEND;
    if (step.what == SEND && any(world, 3) == 0)
        step.thread = step.message;
    if (step.what == SEND) {
        struct sent *sent = &world->sent[step.message = world->sent_count++];
        sent->room = step.room;
        snprintf(sent->id, sizeof(sent->id), "m%d", step.message);
    }
    if (step.what == READ && world->id_count > 0)
        step.upto = world->ids[any(world, world->id_count)];
    snprintf(step.text, sizeof(step.text), "{\"n\":%d}", any(world, 1000000));
    return step;
}

static void play(unsigned seed, bool with_cache)
{
    struct world *world = world_new(seed, with_cache);
    print_message("seed %u%s\n", seed, with_cache ? ", with a cache" : "");
    for (int done = 0; done < STEPS;) {
        struct step steps[BATCH_MAX];
        int count = 1 + any(world, BATCH_MAX);
        for (int i = 0; i < count; i++)
            steps[i] = some_step(world);
        struct redis_play batch = batch_of(world, steps, count);
        redis_play_do(&batch);
        done += count;
        if (any(world, 4) == 0)
            compare(world);
    }
    compare(world);
    world_free(world);
}

static void both_tell_the_same(void **state)
{
    for (unsigned seed = 1; seed <= 3; seed++)
        play(seed, false);
}

static void both_tell_the_same_of_what_was_guessed(void **state)
{
    for (unsigned seed = 11; seed <= 13; seed++)
        play(seed, true);
}

/* -- two at once ----------------------------------------------------------------------------------
 */

static void do_alone(struct world *world, struct step step)
{
    world->now_ms += 1000;
    step.now_ms = world->now_ms;
    if (step.what == SEND) {
        world->sent[step.message].room = step.room;
        snprintf(world->sent[step.message].id, 16, "m%d", step.message);
        world->sent_count = step.message + 1;
    }
    struct redis_play batch = batch_of(world, &step, 1);
    redis_play_do(&batch);
}

/* Of two steps that were both decided on the same facts the second is decided anew. */
static void race(struct world *world, struct step first, struct step second, bool clash)
{
    first.now_ms = second.now_ms = world->now_ms;
    struct redis_play batches[] = {batch_of(world, &first, 1), batch_of(world, &second, 1)};
    for (int i = 0; i < 2; i++) {
        redis_play_settle(&batches[i]);
        assert_int_equal(batches[i].errs[0], 0);
        assert_int_equal(batches[i].indices[0], 0);
    }
    for (int i = 0; i < 2; i++) {
        redis_play_commit(&batches[i]);
        assert_int_equal(batches[i].count, i == 1 && clash);
    }
    redis_play_do(&batches[1]);
    compare(world);
}

static void what_two_do_at_once_is_done_by_one(void **state)
{
    struct world *world = world_new(21, false);
    const struct step send_a = {.what = SEND, .message = 0, .thread = -1, .other = 1};
    const struct step send_b = {.what = SEND, .message = 1, .thread = -1, .other = 2};
    do_alone(world, send_a);
    do_alone(world, send_b);
    const struct step erase_a = {.what = ERASE, .message = 0, .text = "{}"};
    race(world, erase_a, erase_a, true);
    const struct step erase_by_id = {.what = ERASE, .message = 2, .text = "{}", .key = 1};
    do_alone(world, (struct step){.what = SEND, .message = 2, .thread = -1, .other = 0});
    race(world, erase_by_id, erase_by_id, true);
    const struct step edit_b = {.what = EDIT, .message = 1, .text = "{\"e\":1}"};
    const struct step edit_c = {.what = EDIT, .message = 1, .user = 1, .text = "{\"e\":2}"};
    race(world, edit_b, edit_c, false);
    const struct step like = {.what = REACT, .message = 1, .user = 1, .text = "{}"};
    const struct step like_too = {.what = REACT, .message = 1, .user = 2, .text = "{}"};
    race(world, like, like, true);
    race(world, like_too, (struct step){.what = REACT, .message = 1, .user = 3, .text = "{}"},
         false);
    do_alone(world, (struct step){.what = UNREACT, .message = 1, .user = 3, .text = "{}"});
    /* Each is not the last one as long as the other is there. */
    race(world, (struct step){.what = UNREACT, .message = 1, .user = 1, .text = "{}"},
         (struct step){.what = UNREACT, .message = 1, .user = 2, .text = "{}"}, true);
    /* What is edited meanwhile is deleted with its edits, and not edited afterwards. */
    const struct step erase_b = {.what = ERASE, .message = 1, .text = "{}"};
    race(world, edit_b, erase_b, true);
    do_alone(world, (struct step){.what = SEND, .message = 3, .thread = -1, .other = 0});
    race(world, (struct step){.what = ERASE, .message = 3, .text = "{}"},
         (struct step){.what = EDIT, .message = 3, .text = "{}"}, true);
    world_free(world);
}

static void a_marker_never_falls_back(void **state)
{
    struct world *world = world_new(22, false);
    for (int i = 0; i < 3; i++)
        do_alone(world, (struct step){.what = SEND, .message = i, .thread = -1, .other = 1});
    const struct step far = {.what = READ, .user = 1, .upto = world->ids[2], .now_ms = 1};
    const struct step near = {.what = READ, .user = 1, .upto = world->ids[0], .now_ms = 1};
    race(world, far, near, true);
    world_free(world);
}

static int look_at_first(void *context, struct redis_view *view)
{
    struct world *world = context;
    struct redis_ledger ledger;
    struct ledger_event message;
    open_ledger(world, view, &ledger);
    int err =
        ledger.ops.event_find(&ledger.ledger, world->realm, world->sent[0].event, NULL, &message);
    redis_ledger_fini(&ledger);
    return err;
}

/* Its body is remembered from before another node deleted it. */
static void nothing_is_deleted_twice(void **state)
{
    struct world *world = world_new(23, true);
    struct redis_cache *cache = world->sync.cache;
    const struct step erase = {.what = ERASE, .message = 0, .text = "{}", .key = 1};
    do_alone(world, (struct step){.what = SEND, .message = 0, .thread = -1, .other = 1});
    assert_int_equal(redis_sync_write(&world->sync, look_at_first, world), 0);
    world->sync.cache = NULL;
    do_alone(world, erase);
    world->sync.cache = cache;
    do_alone(world, erase);
    compare(world);
    world_free(world);
}

/* -- once ---------------------------------------------------------------------------------------
 */

struct once_try {
    struct world *world;
    int number;
    bool found;
};

static int add_once(void *context, struct ledger *ledger)
{
    const struct once_try *once_try = context;
    char name[16];
    const struct ledger_once once = {
        .sender = 1, .timestamp_ms = 10 * WINDOW_MS + once_try->number * WINDOW_MS / 5};
    snprintf(name, sizeof(name), "n%d", once_try->number);
    return ledger->ops->once_add(ledger, once_try->world->rooms[0], span_text(name), &once);
}

static int find_once(void *context, struct ledger *ledger)
{
    struct once_try *once_try = context;
    char name[16];
    struct ledger_once once;
    snprintf(name, sizeof(name), "n%d", once_try->number);
    int err = ledger->ops->once_find(ledger, once_try->world->rooms[0], span_text(name), 0, &once);
    once_try->found = err == 0;
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* Everything within the window, and never more than twice that. */
static void what_is_remembered_once_is_forgotten_in_turn(void **state)
{
    struct world *world = world_new(23, false);
    for (int number = 0; number < 40; number++) {
        struct once_try once_try = {world, number, false};
        assert_int_equal(
            redis_sync_ledger_write(&world->sync, &world->settings, add_once, &once_try), 0);
        for (int back = 0; back < 12 && back <= number; back++) {
            once_try.number = number - back;
            assert_int_equal(
                redis_sync_ledger_read(&world->sync, &world->settings, find_once, &once_try), 0);
            assert_true(back >= 5 || once_try.found);
            assert_false(back >= 10 && once_try.found);
        }
    }
    world_free(world);
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
        cmocka_unit_test(both_tell_the_same_of_what_was_guessed),
        cmocka_unit_test(what_two_do_at_once_is_done_by_one),
        cmocka_unit_test(a_marker_never_falls_back),
        cmocka_unit_test(nothing_is_deleted_twice),
        cmocka_unit_test(what_is_remembered_once_is_forgotten_in_turn),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
