#include "api/blocks.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/random.h>

#include "api/problem.h"
#include "base/deadline.h"

int64_t random_between(int64_t from, int64_t to)
{
    assert(from <= to);
    uint32_t random;
    /* Jitter, not a secret: without randomness the low bits of the clock do. */
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = (uint32_t)clock_now_us();
    return from + (int64_t)(random % (uint64_t)(to - from + 1));
}

/* A frame whose body is `object`, which is taken over. */
static struct frame *make(struct frame_spec *spec, json_t *object)
{
    char *body = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    struct frame *frame = NULL;
    if (body) {
        spec->audience = AUDIENCE_SESSION;
        spec->body = span_text(body);
        if (frame_new(spec, &frame) != 0)
            frame = NULL;
    }
    free(body);
    return frame;
}

static json_t *id_value(struct event_id id)
{
    char text[EVENT_ID_TEXT_MAX];
    event_id_format(id, text);
    return json_string(text);
}

struct frame *block_connected(const struct block_connected *connected)
{
    struct frame_spec spec = {
        .type = EVENT_CONNECTED,
        .id = connected->with_id ? connected->cursor : EVENT_ID_NONE,
        .with_id = connected->with_id,
        .retry_ms = connected->retry_ms,
    };
    return make(&spec, json_pack("{s:s, s:s, s:s, s:I, s:b, s:o, s:I, s:I, s:I, s:I}",
                                 "sessionId", connected->session, "userId", connected->user,
                                 "node", connected->node,
                                 "heartbeatMs", (json_int_t)connected->heartbeat_ms,
                                 "resumed", (int)connected->resumed,
                                 "cursor", id_value(connected->cursor),
                                 "tokenExpiresAt", (json_int_t)connected->expires_at_ms,
                                 "timestamp", (json_int_t)clock_wall_ms(),
                                 "unread", (json_int_t)connected->unread,
                                 "mentions", (json_int_t)connected->mentions));
}

struct frame *block_caught_up(struct event_id head, int64_t replayed)
{
    struct frame_spec spec = {.type = EVENT_CAUGHT_UP, .id = head, .with_id = true};
    return make(&spec, json_pack("{s:I}", "replayed", (json_int_t)replayed));
}

struct frame *block_gap(const struct journal_gap *gap)
{
    static const char *const reasons[] = {"expired", "lost", "limit"};
    struct frame_spec spec = {.type = EVENT_GAP};
    json_t *object = json_object();
    if (gap->room.data)
        json_object_set_new(object, "roomId", json_stringn(gap->room.data, gap->room.len));
    json_object_set_new(object, "after", id_value(gap->after));
    json_object_set_new(object, "before", id_value(gap->before));
    json_object_set_new(object, "reason", json_string(reasons[gap->reason]));
    return make(&spec, object);
}

struct frame *block_reset(bool ahead, struct event_id head)
{
    struct frame_spec spec = {.type = EVENT_RESET, .id = head, .with_id = true};
    return make(&spec, json_pack("{s:s}", "reason", ahead ? "ahead" : "foreign"));
}

struct frame *block_room_denied(const char *room, int err)
{
    struct frame_spec spec = {.type = EVENT_ROOM_DENIED};
    return make(&spec, json_pack("{s:s, s:s}", "roomId", room, "code", problem_find(err)->code));
}

struct frame *block_ended(const char *code, int64_t retry_ms)
{
    struct frame_spec spec = {.type = EVENT_ENDED, .retry_ms = retry_ms};
    return make(&spec, json_pack("{s:s}", "code", code));
}

struct frame *block_reconnect(int64_t after_ms)
{
    struct frame_spec spec = {.type = EVENT_RECONNECT, .retry_ms = after_ms > 0 ? after_ms : 1};
    return make(&spec, json_pack("{s:I}", "afterMs", (json_int_t)after_ms));
}

struct span block_busy_text(struct arena *arena, const char *code, int64_t after_ms)
{
    struct frame_spec spec = {.type = EVENT_BUSY, .retry_ms = after_ms};
    struct frame *frame =
        make(&spec, json_pack("{s:s, s:I}", "code", code, "afterMs", (json_int_t)after_ms));
    struct span text = {NULL, 0};
    if (frame)
        text = arena_copy(arena, span_of(frame->wire, frame->size));
    frame_unref(frame);
    return text;
}
