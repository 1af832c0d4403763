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

struct room {
    int shard;
    place_number place;
};

/* When a shard is looked at next; clock_now_ms(). */
struct times {
    int64_t age_at_ms, tail_at_ms;
};

struct redis_trim {
    struct redis_journal *journal; /* borrowed */
    struct event *timer;
    struct room rooms[REDIS_TRIM_ROOMS_MAX]; /* to be looked at, a ring */
    unsigned first, count;
    struct times times[REDIS_SHARDS];
    int shard;            /* that was looked at last */
    bool asking;          /* a step is under way */
    struct room asked;    /* by it, or by the last one; place 0: not of a room */
    int64_t *asked_at_ms; /* of it, if not of a room: when it is made again */
};

static void wait_for(struct redis_trim *trim, int64_t ms)
{
    const struct timeval after = {ms / 1000, ms % 1000 * 1000};
    event_add(trim->timer, &after);
}

/* By chance, so that nodes do not look all at once. */
static int64_t about(int64_t ms)
{
    return ms / 2 + random() % ms;
}

/* -- rooms ---------------------------------------------------------------------------------- */

static bool is_waiting(const struct redis_trim *trim, int shard, place_number place)
{
    for (unsigned i = 0; i < trim->count; i++) {
        const struct room *room = &trim->rooms[(trim->first + i) % REDIS_TRIM_ROOMS_MAX];
        if (room->place == place && room->shard == shard)
            return true;
    }
    return false;
}

static void push(struct redis_trim *trim, struct room room)
{
    if (trim->count == REDIS_TRIM_ROOMS_MAX || is_waiting(trim, room.shard, room.place))
        return;
    trim->rooms[(trim->first + trim->count++) % REDIS_TRIM_ROOMS_MAX] = room;
}

static struct room pop(struct redis_trim *trim)
{
    struct room room = trim->rooms[trim->first];
    trim->first = (trim->first + 1) % REDIS_TRIM_ROOMS_MAX;
    trim->count--;
    return room;
}

void redis_trim_note(struct redis_trim *trim, int shard, place_number place)
{
    int64_t max = trim->journal->settings->journal_room_events_max;
    if (max <= 0 || random() % (max / 8 + 1) != 0)
        return;
    push(trim, (struct room){shard, place});
    if (!trim->asking)
        wait_for(trim, REDIS_TRIM_PAUSE_MS);
}

/* -- steps ---------------------------------------------------------------------------------- */

static void on_answer(void *context, int err, const redisReply *reply)
{
    struct redis_trim *trim = context;
    int64_t wait_ms = RETRY_MS;
    trim->asking = false;
    if (err == ERR_CLOSED)
        return;
    if (!err && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
        bool more = reply->element[1]->integer > 0;
        if (more && trim->asked.place)
            push(trim, trim->asked);
        else if (more)
            *trim->asked_at_ms = 0;
        wait_ms = REDIS_TRIM_PAUSE_MS;
    } else if (!err) {
        log_line(LOG_WARN, "the journal is not trimmed", "why",
                 reply->type == REDIS_REPLY_ERROR ? reply->str
                                                  : "trim.lua gives what it should not",
                 NULL);
    }
    wait_for(trim, wait_ms);
}

/* trim.lua on a shard; `args` are its ARGV. */
static int ask(struct redis_trim *trim, int shard, const struct span *args, int count)
{
    char state[64], stream[64];
    const char *argv[3 + ARGS_MAX] = {"2", state, stream};
    size_t lens[3 + ARGS_MAX] = {1};
    lens[1] = (size_t)snprintf(state, sizeof(state), "tidings:{s%d}/state", shard);
    lens[2] = (size_t)snprintf(stream, sizeof(stream), "tidings:{s%d}/journal", shard);
    for (int i = 0; i < count; i++) {
        argv[3 + i] = args[i].data;
        lens[3 + i] = args[i].len;
    }
    int err = redis_link_run(trim->journal->work, REDIS_SCRIPT_TRIM, 3 + count, argv, lens,
                             REDIS_LIMIT_MS, on_answer, trim);
    trim->asking = !err;
    return err;
}

static int ask_room(struct redis_trim *trim, struct room room)
{
    const struct span args[] = {
        span_text("room"), redis_text_of(room.place),
        redis_text_of((uint64_t)trim->journal->settings->journal_room_events_max),
        redis_text_of(REDIS_TRIM_EVENTS)};
    trim->asked = room;
    return ask(trim, room.shard, args, array_count(args));
}

static int ask_age(struct redis_trim *trim, int shard)
{
    int64_t kept_ms = trim->journal->settings->journal_retention_days * DAY_MS;
    const struct span args[] = {span_text("age"), redis_text_of((uint64_t)clock_wall_ms()),
                                redis_text_of((uint64_t)kept_ms), redis_text_of(REDIS_TRIM_EVENTS)};
    return ask(trim, shard, args, array_count(args));
}

static int ask_tail(struct redis_trim *trim, int shard)
{
    int64_t kept_ms = trim->journal->settings->journal_tail_window_ms;
    const struct span args[] = {span_text("tail"), redis_text_of((uint64_t)kept_ms)};
    return ask(trim, shard, args, array_count(args));
}

/* These make a step that is due; false: none is, or it could not be made. */
static bool step_room(struct redis_trim *trim)
{
    return trim->count > 0 && ask_room(trim, pop(trim)) == 0;
}

static bool step_shard(struct redis_trim *trim, int shard, int64_t now_ms)
{
    const struct settings *settings = trim->journal->settings;
    struct times *times = &trim->times[shard];
    trim->asked.place = 0;
    if (trim->journal->shards[shard].state != REDIS_SHARD_BEGUN)
        return false;
    if (times->tail_at_ms <= now_ms) {
        trim->asked_at_ms = &times->tail_at_ms;
        times->tail_at_ms = now_ms + about(REDIS_TRIM_TAIL_EVERY_MS);
        return ask_tail(trim, shard) == 0;
    }
    if (settings->journal_retention_days > 0 && times->age_at_ms <= now_ms) {
        trim->asked_at_ms = &times->age_at_ms;
        times->age_at_ms = now_ms + about(REDIS_TRIM_AGE_EVERY_MS);
        return ask_age(trim, shard) == 0;
    }
    return false;
}

static bool step_shards(struct redis_trim *trim)
{
    int64_t now_ms = clock_now_ms();
    for (int i = 0; i < REDIS_SHARDS; i++) {
        trim->shard = (trim->shard + 1) % REDIS_SHARDS;
        if (step_shard(trim, trim->shard, now_ms))
            return true;
    }
    return false;
}

/* Rooms and shards take turns. */
static void on_timer(evutil_socket_t socket, short what, void *context)
{
    struct redis_trim *trim = context;
    bool was_room = trim->asked.place;
    if (trim->asking)
        return;
    if (!redis_link_is_up(trim->journal->work) ||
        (!(!was_room && step_room(trim)) && !step_shards(trim) && !step_room(trim)))
        wait_for(trim, IDLE_MS);
}

struct redis_trim *redis_trim_new(struct redis_journal *journal)
{
    struct redis_trim *trim = calloc(1, sizeof(*trim));
    if (!trim)
        return NULL;
    trim->journal = journal;
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
