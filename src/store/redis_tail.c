#include "store/redis_tail.h"

#include <assert.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/logging.h"
#include "base/metric.h"
#include "store/redis_ledger.h"

#define BLOCK_MS 5000
#define LIMIT_MS (BLOCK_MS + 2000)
#define COUNT_MAX 500 /* entries of one shard in one read */
#define PAUSE_US_MAX 2000
#define BUSY_ENTRIES 8 /* read at once: from here on the pause grows */
#define CONNECT_MS 2000
#define UNBLOCK_LIMIT_MS 1000

/* One shard that is tailed. */
struct tailed {
    bool used;
    struct event_id last; /* entry that was told */
    uint64_t number;      /* its dense number */
    char key[40];
};

struct redis_tail {
    struct redis_tail_spec spec;
    struct redis_link *link;
    struct event *timer; /* the end of a pause */
    struct tailed shards[REDIS_SHARDS];
    int shard_count;
    bool reading; /* an XREAD is under way */
    int64_t pause_us;
    struct frame **frames; /* of one read; owned */
    int frame_count, frame_size;
};

/* -- entries -------------------------------------------------------------------------------- */

struct entry {
    struct event_id id;
    uint64_t shard_number; /* N */
    uint64_t number;       /* n */
    int64_t members;       /* c */
    struct span realm, meta, body;
    struct span life; /* `l`: another one begins, what came before may be lost */
};

static uint64_t number_of(struct span text)
{
    uint64_t number;
    return span_to_number(text, UINT64_MAX, &number) ? 0 : number;
}

static void note_field(struct entry *entry, struct span name, struct span value)
{
    if (span_is(name, "N"))
        entry->shard_number = number_of(value);
    else if (span_is(name, "n"))
        entry->number = number_of(value);
    else if (span_is(name, "c"))
        entry->members = (int64_t)number_of(value);
    else if (span_is(name, "r"))
        entry->realm = value;
    else if (span_is(name, "v"))
        entry->meta = value;
    else if (span_is(name, "b"))
        entry->body = value;
    else if (span_is(name, "l"))
        entry->life = value;
}

static struct span text_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? span_of(reply->str, reply->len)
                                             : (struct span){NULL, 0};
}

static int read_entry(const redisReply *reply, struct entry *ret)
{
    *ret = (struct entry){.members = 0};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return ERR_CORRUPT;
    const redisReply *fields = reply->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2)
        note_field(ret, text_of(fields->element[i]), text_of(fields->element[i + 1]));
    int err = redis_parse_id(text_of(reply->element[0]), &ret->id);
    return err || ret->shard_number == 0 ? ERR_CORRUPT : 0;
}

/* As the command that made the event had it told on its own node. */
static int frame_of(const struct entry *entry, struct frame **ret)
{
    struct ledger_event event;
    int err = redis_event_unpack(entry->meta, entry->body, &event);
    if (err)
        return err;
    event.id = entry->id;
    event.number = entry->number;
    struct frame_spec spec = ledger_frame_spec(&event, entry->realm);
    spec.room = event.room_id;
    if (event.type == EVENT_NEW_MESSAGE)
        spec.sender = event.sender_id;
    if (event.spared.data)
        spec.spared_user = event.sender_id;
    spec.own_body = event.own_body;
    spec.members = entry->members;
    return frame_new(&spec, ret);
}

/* -- telling -------------------------------------------------------------------------------- */

static void tell(struct redis_tail *tail)
{
    if (tail->frame_count == 0)
        return;
    int64_t now_us = clock_now_us();
    for (int i = 0; i < tail->frame_count; i++) {
        tail->frames[i]->committed_us = now_us;
        if (tail->frames[i]->own)
            tail->frames[i]->own->committed_us = now_us;
    }
    metric_add(METRIC_PUBLISHED, tail->frame_count);
    if (tail->spec.follower)
        tail->spec.follower(tail->spec.context, tail->frames, tail->frame_count);
    for (int i = 0; i < tail->frame_count; i++)
        frame_unref(tail->frames[i]);
    tail->frame_count = 0;
}

static void tell_lost(struct redis_tail *tail, const char *why)
{
    tell(tail);
    log_line(LOG_WARN, "entries of the journal were not seen", "why", why, NULL);
    if (tail->spec.follower)
        tail->spec.follower(tail->spec.context, NULL, 0);
}

static int add_frame(struct redis_tail *tail, const struct entry *entry)
{
    if (tail->frame_count == tail->frame_size) {
        int size = tail->frame_size ? 2 * tail->frame_size : 64;
        struct frame **grown = realloc(tail->frames, (size_t)size * sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        tail->frames = grown;
        tail->frame_size = size;
    }
    int err = frame_of(entry, &tail->frames[tail->frame_count]);
    if (!err)
        tail->frame_count++;
    return err;
}

/* One that cannot be read is passed over and told as lost, so that the rest goes on. */
static void take_entry(struct redis_tail *tail, struct tailed *shard, const redisReply *reply)
{
    struct entry entry;
    int err = read_entry(reply, &entry);
    if (err) {
        struct event_id id;
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
            !redis_parse_id(text_of(reply->element[0]), &id))
            shard->last = id;
        tell_lost(tail, "an entry cannot be read");
        return;
    }
    if (entry.shard_number != shard->number + 1)
        tell_lost(tail, "they were trimmed before they were read");
    if (entry.life.data)
        tell_lost(tail, "another server took over");
    else
        err = add_frame(tail, &entry);
    if (err)
        tell_lost(tail, err_text(err));
    shard->last = entry.id;
    shard->number = entry.shard_number;
}

/* -- reading -------------------------------------------------------------------------------- */

static void read_on(struct redis_tail *tail);

static struct tailed *find(struct redis_tail *tail, struct span key)
{
    for (int i = 0; i < REDIS_SHARDS; i++) {
        if (tail->shards[i].used && span_is(key, tail->shards[i].key))
            return &tail->shards[i];
    }
    return NULL;
}

/* Returns how many entries there were. */
static size_t take_streams(struct redis_tail *tail, const redisReply *reply)
{
    size_t count = 0;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *stream = reply->element[i];
        struct tailed *shard =
            stream->elements == 2 ? find(tail, text_of(stream->element[0])) : NULL;
        for (size_t j = 0; shard && j < stream->element[1]->elements; j++) {
            take_entry(tail, shard, stream->element[1]->element[j]);
            count++;
        }
    }
    tell(tail);
    for (int i = 0; i < REDIS_SHARDS && count > 0; i++) {
        if (tail->shards[i].used)
            tail->spec.on_told(tail->spec.owner, i, tail->shards[i].last);
    }
    return count;
}

/* The longer the more comes at once. */
static void pause_for(struct redis_tail *tail, size_t entries)
{
    if (entries <= 1)
        tail->pause_us /= 2;
    else if (entries >= BUSY_ENTRIES)
        tail->pause_us = tail->pause_us + PAUSE_US_MAX / 8;
    if (tail->pause_us > PAUSE_US_MAX)
        tail->pause_us = PAUSE_US_MAX;
    if (tail->pause_us < PAUSE_US_MAX / 8) {
        read_on(tail);
        return;
    }
    const struct timeval after = {0, tail->pause_us};
    event_add(tail->timer, &after);
}

static void on_read(void *context, int err, const redisReply *reply)
{
    struct redis_tail *tail = context;
    tail->reading = false;
    if (err)
        return; /* goes on when the link is up again */
    enum redis_fault fault = redis_reply_fault(reply);
    if (fault != REDIS_FAULT_NONE && fault != REDIS_FAULT_UNBLOCKED) {
        redis_link_cut(tail->link, reply->str);
        return;
    }
    pause_for(tail, reply->type == REDIS_REPLY_ARRAY ? take_streams(tail, reply) : 0);
}

static void on_timer(evutil_socket_t socket, short what, void *context)
{
    read_on(context);
}

static void read_on(struct redis_tail *tail)
{
    char block[16], count[16], ids[REDIS_SHARDS][EVENT_ID_TEXT_MAX];
    const char *argv[6 + 2 * REDIS_SHARDS] = {"XREAD", "COUNT", count, "BLOCK", block, "STREAMS"};
    size_t lens[6 + 2 * REDIS_SHARDS];
    int at = 6;
    if (tail->reading || tail->shard_count == 0 || !redis_link_is_up(tail->link))
        return;
    snprintf(block, sizeof(block), "%d", BLOCK_MS);
    snprintf(count, sizeof(count), "%d", COUNT_MAX);
    for (int i = 0; i < REDIS_SHARDS; i++) {
        if (!tail->shards[i].used)
            continue;
        event_id_format(tail->shards[i].last, ids[i]);
        argv[at] = tail->shards[i].key;
        argv[at + tail->shard_count] = ids[i];
        at++;
    }
    int argc = at + tail->shard_count;
    for (int i = 0; i < argc; i++)
        lens[i] = strlen(argv[i]);
    tail->reading = true;
    if (redis_link_ask(tail->link, argc, argv, lens, LIMIT_MS, on_read, tail)) {
        tail->reading = false;
        redis_link_cut(tail->link, "it cannot be written to");
    }
}

static void on_up(void *context, struct redis_link *link)
{
    read_on(context);
}

static void on_down(void *context, struct redis_link *link)
{
}

int redis_tail_add(struct redis_tail *tail, int number, struct event_id after,
                   uint64_t entry_number, struct redis_link *work)
{
    struct tailed *shard = &tail->shards[number];
    char id[24];
    assert(!shard->used);
    *shard = (struct tailed){.used = true, .last = after, .number = entry_number};
    snprintf(shard->key, sizeof(shard->key), "tidings:{s%d}/journal", number);
    tail->shard_count++;
    if (!tail->reading) {
        if (!event_pending(tail->timer, EV_TIMEOUT, NULL))
            read_on(tail);
        return 0;
    }
    snprintf(id, sizeof(id), "%lld", (long long)redis_link_client_id(tail->link));
    const char *argv[] = {"CLIENT", "UNBLOCK", id};
    const size_t lens[] = {6, 7, strlen(id)};
    /* Without it the read ends by itself a little later. */
    int err = redis_link_ask(work, 3, argv, lens, UNBLOCK_LIMIT_MS, NULL, NULL);
    return err == ERR_MEMORY ? err : 0;
}

struct redis_tail *redis_tail_new(const struct redis_tail_spec *spec)
{
    struct redis_tail *tail = calloc(1, sizeof(*tail));
    if (!tail)
        return NULL;
    tail->spec = *spec;
    const struct redis_link_spec link = {
        .base = spec->base,
        .name = "tail",
        .url = spec->url,
        .host = spec->host,
        .wants_master = false,
        .connect_ms = CONNECT_MS,
        .on_up = on_up,
        .on_down = on_down,
        .context = tail,
    };
    tail->timer = evtimer_new(spec->base, on_timer, tail);
    tail->link = redis_link_new(&link);
    return tail->timer && tail->link ? tail : redis_tail_free(tail);
}

struct redis_tail *redis_tail_free(struct redis_tail *tail)
{
    if (!tail)
        return NULL;
    redis_link_free(tail->link);
    if (tail->timer)
        event_free(tail->timer);
    for (int i = 0; i < tail->frame_count; i++)
        frame_unref(tail->frames[i]);
    free(tail->frames);
    free(tail);
    return NULL;
}
