#include "store/redis_trim.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/logging.h"
#include "store/redis_journal.h"

#define DAY_MS INT64_C(86400000)
#define IDLE_MS 100 /* until it is looked whether a step is due */
#define RETRY_MS 1000
#define ARGS_MAX 4

struct shard;

/* The events that a room may get before it is looked at. */
struct counter {
    int shard;
    place_number room; /* 0: none */
    int64_t left;
};

/* A call that is under way. */
struct step {
    struct shard *shard; /* NULL: it is free */
    place_number room;   /* 0: not of a room */
    int64_t *at_ms;      /* of it, if not of a room: when it is made again */
};

struct shard {
    struct redis_trim *trim;
    int number;
    place_number rooms[REDIS_TRIM_ROOMS_MAX]; /* to be looked at, a ring */
    unsigned first, count;
    int64_t age_at_ms, tail_at_ms; /* clock_now_ms(): when these are looked at next */
    struct step steps[REDIS_TRIM_STEPS_MAX];
};

struct redis_trim {
    struct redis_journal *journal; /* borrowed */
    struct event *timer;
    bool is_soon;          /* the timer goes off within REDIS_TRIM_PAUSE_MS */
    int64_t not_before_ms; /* after a failure */
    struct shard shards[REDIS_SHARDS];
    struct counter
        counters[REDIS_TRIM_COUNTERS]; /* of each, of the rooms that fall on it the last */
};

static void wait_for(struct redis_trim *trim, int64_t ms)
{
    const struct timeval after = {ms / 1000, ms % 1000 * 1000};
    event_add(trim->timer, &after);
}

/* Never later for being called again and again. */
static void wake_soon(struct redis_trim *trim)
{
    if (!trim->is_soon)
        wait_for(trim, REDIS_TRIM_PAUSE_MS);
    trim->is_soon = true;
}

/* By chance, so that nodes do not look all at once. */
static int64_t about(int64_t ms)
{
    return ms / 2 + random() % ms;
}

/* -- rooms ---------------------------------------------------------------------------------- */

static bool is_waiting(const struct shard *shard, place_number room)
{
    for (unsigned i = 0; i < shard->count; i++) {
        if (shard->rooms[(shard->first + i) % REDIS_TRIM_ROOMS_MAX] == room)
            return true;
    }
    return false;
}

static void push(struct shard *shard, place_number room)
{
    if (shard->count < REDIS_TRIM_ROOMS_MAX && !is_waiting(shard, room))
        shard->rooms[(shard->first + shard->count++) % REDIS_TRIM_ROOMS_MAX] = room;
}

static place_number pop(struct shard *shard)
{
    place_number room = shard->rooms[shard->first];
    shard->first = (shard->first + 1) % REDIS_TRIM_ROOMS_MAX;
    shard->count--;
    return room;
}

static struct counter *counter_of(struct redis_trim *trim, int shard, place_number room)
{
    uint64_t hash = (room * REDIS_SHARDS + (uint64_t)shard) * UINT64_C(0x9e3779b97f4a7c15);
    return &trim->counters[(hash >> 32) % REDIS_TRIM_COUNTERS];
}

/* How much of it a room has had that was not counted by this node is not known: any part. */
void redis_trim_note(struct redis_trim *trim, int shard, place_number room)
{
    int64_t max = trim->journal->settings->journal_room_events_max;
    int64_t each = max / 8 + 1;
    struct counter *counter = counter_of(trim, shard, room);
    if (max <= 0)
        return;
    if (counter->room != room || counter->shard != shard)
        *counter = (struct counter){shard, room, 1 + random() % each};
    if (--counter->left > 0)
        return;
    counter->left = each;
    push(&trim->shards[shard], room);
    wake_soon(trim);
}

/* -- steps ---------------------------------------------------------------------------------- */

static void on_answer(void *context, int err, const redisReply *reply)
{
    struct step *step = context;
    struct shard *shard = step->shard;
    struct redis_trim *trim = shard->trim;
    step->shard = NULL;
    if (err == ERR_CLOSED)
        return;
    if (err || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        if (!err)
            log_line(LOG_WARN, "the journal is not trimmed", "why",
                     reply->type == REDIS_REPLY_ERROR ? reply->str
                                                      : "trim.lua gives what it should not",
                     NULL);
        trim->not_before_ms = clock_now_ms() + RETRY_MS;
        return;
    }
    bool more = reply->element[1]->integer > 0;
    if (more && step->room)
        push(shard, step->room);
    else if (more)
        *step->at_ms = 0;
    if (more || shard->count > 0)
        wake_soon(trim);
}

/* trim.lua; `args` are its ARGV. */
static int ask(struct step *step, struct shard *shard, const struct span *args, int count)
{
    char state[64], stream[64];
    const char *argv[3 + ARGS_MAX] = {"2", state, stream};
    size_t lens[3 + ARGS_MAX] = {1};
    lens[1] = (size_t)snprintf(state, sizeof(state), "tidings:{s%d}/state", shard->number);
    lens[2] = (size_t)snprintf(stream, sizeof(stream), "tidings:{s%d}/journal", shard->number);
    for (int i = 0; i < count; i++) {
        argv[3 + i] = args[i].data;
        lens[3 + i] = args[i].len;
    }
    int err = redis_link_run(shard->trim->journal->work, REDIS_SCRIPT_TRIM, 3 + count, argv, lens,
                             REDIS_LIMIT_MS, on_answer, step);
    if (!err)
        step->shard = shard;
    return err;
}

static int ask_room(struct step *step, struct shard *shard, int64_t max)
{
    step->room = pop(shard);
    const struct span args[] = {span_text("room"), redis_text_of(step->room),
                                redis_text_of((uint64_t)max), redis_text_of(REDIS_TRIM_EVENTS)};
    return ask(step, shard, args, array_count(args));
}

static int ask_age(struct step *step, struct shard *shard, int64_t kept_ms)
{
    const struct span args[] = {span_text("age"), redis_text_of((uint64_t)clock_wall_ms()),
                                redis_text_of((uint64_t)kept_ms), redis_text_of(REDIS_TRIM_EVENTS)};
    step->room = 0;
    step->at_ms = &shard->age_at_ms;
    return ask(step, shard, args, array_count(args));
}

static int ask_tail(struct step *step, struct shard *shard, int64_t kept_ms)
{
    const struct span args[] = {span_text("tail"), redis_text_of((uint64_t)kept_ms)};
    step->room = 0;
    step->at_ms = &shard->tail_at_ms;
    return ask(step, shard, args, array_count(args));
}

/* Makes a step that is due, if one is. */
static void make_step(struct step *step, struct shard *shard, int64_t now_ms)
{
    const struct settings *settings = shard->trim->journal->settings;
    int err = 0;
    if (settings->journal_tail_window_ms > 0 && shard->tail_at_ms <= now_ms) {
        shard->tail_at_ms = now_ms + about(REDIS_TRIM_TAIL_EVERY_MS);
        err = ask_tail(step, shard, settings->journal_tail_window_ms);
    } else if (settings->journal_retention_days > 0 && shard->age_at_ms <= now_ms) {
        shard->age_at_ms = now_ms + about(REDIS_TRIM_AGE_EVERY_MS);
        err = ask_age(step, shard, settings->journal_retention_days * DAY_MS);
    } else if (shard->count > 0) {
        err = ask_room(step, shard, settings->journal_room_events_max);
    }
    if (err)
        shard->trim->not_before_ms = now_ms + RETRY_MS;
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
    struct redis_trim *trim = context;
    const struct redis_journal *journal = trim->journal;
    int64_t now_ms = clock_now_ms();
    trim->is_soon = false;
    for (int i = 0; i < REDIS_SHARDS && redis_link_is_up(journal->work); i++) {
        for (int j = 0; j < REDIS_TRIM_STEPS_MAX && now_ms >= trim->not_before_ms; j++) {
            if (journal->shards[i].state == REDIS_SHARD_BEGUN && !trim->shards[i].steps[j].shard)
                make_step(&trim->shards[i].steps[j], &trim->shards[i], now_ms);
        }
    }
    wait_for(trim, IDLE_MS);
}

struct redis_trim *redis_trim_new(struct redis_journal *journal)
{
    struct redis_trim *trim = calloc(1, sizeof(*trim));
    if (!trim)
        return NULL;
    trim->journal = journal;
    for (int i = 0; i < REDIS_SHARDS; i++) {
        trim->shards[i].trim = trim;
        trim->shards[i].number = i;
    }
    trim->timer = evtimer_new(journal->base, on_timer, trim);
    if (!trim->timer)
        return redis_trim_free(trim);
    wait_for(trim, IDLE_MS);
    return trim;
}

struct redis_trim *redis_trim_free(struct redis_trim *trim)
{
    if (!trim)
        return NULL;
    if (trim->timer)
        event_free(trim->timer);
    free(trim);
    return NULL;
}
