#include "redis_world.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

int world_any(struct world *world, int count)
{
    return (int)((unsigned)rand_r(&world->seed) % (unsigned)count);
}

/* -- over Redis ---------------------------------------------------------------------------------
 */

void world_open_ledger(struct world *world, struct redis_view *view, struct redis_ledger *ledger)
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

struct redis_play world_batch(struct world *world, struct step *steps, int count)
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
    world_open_ledger(telling->world, view, &ledger);
    int err = telling_all(telling, &ledger.ledger, true);
    redis_ledger_fini(&ledger);
    return err;
}

void world_compare(struct world *world)
{
    struct telling redis = {.world = world, .seed = (unsigned)world_any(world, 1000000)};
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

/* As much as is asked of the records of users and rooms. */
static int set_up_records(void *context, struct redis_view *view)
{
    struct world *world = context;
    struct buf value;
    int err = 0;
    buf_init(&value, 1000);
    for (int i = 0; i < ROOMS && !err; i++) {
        value.len = 0;
        err = redis_pack_number(&value, world->realm);
        if (!err)
            err = redis_view_set(view, redis_key_of(view, 'p', world->rooms[i], "state"),
                                 span_text("i"), buf_span(&value));
    }
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

struct world *world_new(const struct redis_server *server, unsigned seed, bool with_cache,
                        int64_t room_events_max)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->seed = seed;
    world->now_ms = 1700000000000;
    world->settings.journal_dedup_window_ms = WINDOW_MS;
    world->settings.journal_room_events_max = room_events_max;
    freeReplyObject(redis_server_ask(server, "FLUSHALL"));
    redis_sync_open(&world->sync, server, WORLD_SHARD);
    if (with_cache)
        world->sync.cache = redis_cache_new(1 << 20);
    set_up_memory(world);
    assert_int_equal(redis_sync_write(&world->sync, set_up_records, world), 0);
    return world;
}

void world_free(struct world *world)
{
    redis_sync_close(&world->sync);
    memory_ledger_fini(&world->memory);
    free(world);
}

/* Not kept, or it may be trimmed by the next event, which may be about it. */
static bool is_going(struct world *world, int room, struct event_id id)
{
    const struct memory_events *events =
        &memory_room_at(&world->memory, world->rooms[room])->place.events;
    return events->end - events->first < 2 ||
           event_id_compare(id, events->items[events->first + 1]->event.id) < 0;
}

/* A message of the room that is stored; -1: there is none. */
static int some_message(struct world *world, int room)
{
    for (int i = 0; i < 20 && world->sent_count > 0; i++) {
        int at = world_any(world, world->sent_count);
        struct event_id id = world->sent[at].event;
        if (world->sent[at].room == room && !event_id_is_none(id) &&
            (!world->settings.journal_room_events_max || !is_going(world, room, id)))
            return at;
    }
    return -1;
}

struct step world_step(struct world *world)
{
    static const enum what often[] = {SEND,  SEND,  SEND,    SEND,   EDIT,  EDIT,  ERASE, REACT,
                                      REACT, REACT, UNREACT, CUSTOM, QUIET, REALM, READ,  READ};
    struct step step = {
        .what = often[world_any(world, array_count(often))],
        .room = world_any(world, ROOMS),
        .user = world_any(world, USERS),
        .other = world_any(world, USERS),
        .thread = -1,
        .key = world_any(world, KEYS),
    };
    world->now_ms += 1000;
    step.now_ms = world->now_ms;
    step.message = some_message(world, step.room);
    if (step.message < 0 && step.what < CUSTOM)
        step.what = SEND;
    if (step.what == SEND && world_any(world, 3) == 0)
        step.thread = step.message;
    if (step.what == SEND) {
        struct sent *sent = &world->sent[step.message = world->sent_count++];
        sent->room = step.room;
        snprintf(sent->id, sizeof(sent->id), "m%d", step.message);
    }
    if (step.what == READ && world->id_count > 0)
        step.upto = world->ids[world_any(world, world->id_count)];
    snprintf(step.text, sizeof(step.text), "{\"n\":%d}", world_any(world, 1000000));
    return step;
}
