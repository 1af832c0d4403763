/* Events, messages, markers and reactions over Redis: what is done at random there and in the
 * ledger in memory is told by both alike; and what two do at once is done by one of them. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_world.h"

#define STEPS 250
#define BATCH_MAX 4

static struct redis_server server;

static void play(unsigned seed, bool with_cache)
{
    struct world *world = world_new(&server, seed, with_cache, 0);
    print_message("seed %u%s\n", seed, with_cache ? ", with a cache" : "");
    for (int done = 0; done < STEPS;) {
        struct step steps[BATCH_MAX];
        int count = 1 + world_any(world, BATCH_MAX);
        for (int i = 0; i < count; i++)
            steps[i] = world_step(world);
        struct redis_play batch = world_batch(world, steps, count);
        redis_play_do(&batch);
        done += count;
        if (world_any(world, 4) == 0)
            world_compare(world);
    }
    world_compare(world);
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
    struct redis_play batch = world_batch(world, &step, 1);
    redis_play_do(&batch);
}

/* Of two steps that were both decided on the same facts the second is decided anew. */
static void race(struct world *world, struct step first, struct step second, bool clash)
{
    first.now_ms = second.now_ms = world->now_ms;
    struct redis_play batches[] = {world_batch(world, &first, 1), world_batch(world, &second, 1)};
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
    world_compare(world);
}

static void what_two_do_at_once_is_done_by_one(void **state)
{
    struct world *world = world_new(&server, 21, false, 0);
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
    struct world *world = world_new(&server, 22, false, 0);
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
    world_open_ledger(world, view, &ledger);
    int err =
        ledger.ops.event_find(&ledger.ledger, world->realm, world->sent[0].event, NULL, &message);
    redis_ledger_fini(&ledger);
    return err;
}

/* Its body is remembered from before another node deleted it. */
static void nothing_is_deleted_twice(void **state)
{
    struct world *world = world_new(&server, 23, true, 0);
    struct redis_cache *cache = world->sync.cache;
    const struct step erase = {.what = ERASE, .message = 0, .text = "{}", .key = 1};
    do_alone(world, (struct step){.what = SEND, .message = 0, .thread = -1, .other = 1});
    assert_int_equal(redis_sync_write(&world->sync, look_at_first, world), 0);
    world->sync.cache = NULL;
    do_alone(world, erase);
    world->sync.cache = cache;
    do_alone(world, erase);
    world_compare(world);
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
    struct world *world = world_new(&server, 23, false, 0);
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
