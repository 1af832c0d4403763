#include "core/frame.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/limits.h"
#include "core/body.h"

/* Bytes of the wire that are not id, type or body: names, quotes, line ends, numbers. */
#define FRAME_FIXED_BYTES 256

/* Appends without a check: the size was counted before. */
struct writer {
    char *at;
};

static void put(struct writer *writer, struct span text)
{
    if (text.len)
        memcpy(writer->at, text.data, text.len);
    writer->at += text.len;
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, span_text(text));
}

static struct span type_of(const struct frame_spec *spec)
{
    return spec->type_name.data ? spec->type_name : span_text(event_type_name(spec->type));
}

static bool is_one_line(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20)
            return false;
    }
    return true;
}

/* The JSON of the data line: type, id and timestamp before the members of `body`. */
static void put_json(struct writer *writer, const struct frame_spec *spec, struct span id,
                     struct span body)
{
    put_text(writer, "{\"type\":\"");
    put(writer, type_of(spec));
    put_text(writer, "\"");
    if (id.len && event_type_is_durable(spec->type)) {
        put_text(writer, ",\"id\":\"");
        put(writer, id);
        put_text(writer, "\"");
    }
    if (spec->timestamp_ms) {
        char number[32];
        snprintf(number, sizeof(number), ",\"timestamp\":%lld", (long long)spec->timestamp_ms);
        put_text(writer, number);
    }
    if (body.len > 2) {
        put_text(writer, ",");
        put(writer, span_of(body.data + 1, body.len - 1));
    } else {
        put_text(writer, "}");
    }
}

static void put_block(struct frame *frame, const struct frame_spec *spec, struct span body)
{
    struct writer writer = {frame->wire};
    char id_text[EVENT_ID_TEXT_MAX];
    struct span id = {NULL, 0};
    if (spec->with_id || !event_id_is_none(spec->id))
        id = span_of(id_text, event_id_format(spec->id, id_text));
    if (id.len) {
        put_text(&writer, "id: ");
        put(&writer, id);
        put_text(&writer, "\n");
    }
    if (spec->retry_ms > 0) {
        char retry[32];
        snprintf(retry, sizeof(retry), "retry: %lld\n", (long long)spec->retry_ms);
        put_text(&writer, retry);
    }
    frame->event_at = (uint32_t)(writer.at - frame->wire);
    put_text(&writer, "event: ");
    put(&writer, type_of(spec));
    put_text(&writer, "\n");
    frame->data_at = (uint32_t)(writer.at - frame->wire);
    put_text(&writer, "data: ");
    put_json(&writer, spec, id, body);
    put_text(&writer, "\n\n");
    frame->size = (uint32_t)(writer.at - frame->wire);
}

/* Copies a name behind `*at`, ended by NUL; NULL for an absent one. */
static const char *place_name(char **at, struct span name)
{
    if (!name.data)
        return NULL;
    char *text = *at;
    if (name.len)
        memcpy(text, name.data, name.len);
    text[name.len] = 0;
    *at += name.len + 1;
    return text;
}

static size_t name_bytes(struct span name)
{
    return name.data ? name.len + 1 : 0;
}

/* A frame with room for `wire` bytes, which are not yet written. */
static struct frame *frame_alloc(const struct frame_spec *spec, size_t wire)
{
    size_t names = name_bytes(spec->realm) + name_bytes(spec->room) + name_bytes(spec->user) +
                   name_bytes(spec->spared) + name_bytes(spec->spared_user) +
                   name_bytes(spec->session) + name_bytes(spec->sender);
    struct frame *frame = malloc(sizeof(*frame) + names + wire);
    if (!frame)
        return NULL;
    *frame = (struct frame){
        .type = (uint8_t)spec->type,
        .audience = (uint8_t)spec->audience,
        .ends_watching = spec->ends_watching,
        .opens_watching = spec->opens_watching,
        .bars_user = spec->bars_user,
        .silences_user = spec->silences_user,
        .id = spec->id,
        .number = spec->number,
        .members = spec->members,
        .target = spec->target,
        .target_edited = spec->target_edited,
    };
    atomic_init(&frame->refs, 1);
    char *at = (char *)(frame + 1);
    frame->realm = place_name(&at, spec->realm);
    frame->room = place_name(&at, spec->room);
    frame->user = place_name(&at, spec->user);
    frame->spared = place_name(&at, spec->spared);
    frame->spared_user = place_name(&at, spec->spared_user);
    frame->session = place_name(&at, spec->session);
    frame->sender = place_name(&at, spec->sender);
    frame->wire = at;
    return frame;
}

static int frame_make(const struct frame_spec *spec, struct span body, struct frame **ret)
{
    assert(body.len >= 2 && body.data[0] == '{' && body.data[body.len - 1] == '}');
    assert(is_one_line(body));
    assert(is_one_line(type_of(spec)));
    size_t wire = FRAME_FIXED_BYTES + 2 * type_of(spec).len + body.len;
    if (wire > EVENT_BYTES_MAX)
        return ERR_FULL;
    struct frame *frame = frame_alloc(spec, wire);
    if (!frame)
        return ERR_MEMORY;
    put_block(frame, spec, body);
    assert(frame->size <= wire);
    *ret = frame;
    return 0;
}

int frame_new(const struct frame_spec *spec, struct frame **ret)
{
    struct frame *frame;
    int err = frame_make(spec, spec->body, &frame);
    if (err)
        return err;
    if (spec->own_body.data) {
        err = frame_make(spec, spec->own_body, &frame->own);
        if (err) {
            frame_unref(frame);
            return err;
        }
    }
    *ret = frame;
    return 0;
}

int frame_new_erased(const struct frame *frame, struct frame **ret)
{
    const struct span json = frame_json(frame);
    bool is_edit = frame->type == EVENT_MESSAGE_EDITED;
    struct frame_spec spec = {
        .type = (enum event_type)frame->type,
        .audience = (enum audience)frame->audience,
        .id = frame->id,
        .number = frame->number,
        .members = frame->members,
        .target = frame->target,
        .timestamp_ms = body_number(json, "timestamp"),
        .realm = span_text(frame->realm),
        .room = span_text(frame->room),
        .user = span_text(frame->user),
        .spared = span_text(frame->spared),
        .spared_user = span_text(frame->spared_user),
        .sender = span_text(frame->sender),
    };
    struct arena scratch;
    assert((is_edit || frame->type == EVENT_NEW_MESSAGE) && !frame->own);
    arena_init(&scratch, EVENT_BYTES_MAX);
    int err = body_erased(&scratch, json, is_edit ? body_number(json, "editedAt") : 0, &spec.body);
    if (!err)
        err = frame_new(&spec, ret);
    arena_fini(&scratch);
    if (!err)
        (*ret)->committed_us = frame->committed_us;
    return err;
}

struct frame *frame_ref(struct frame *frame)
{
    atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
    return frame;
}

struct frame *frame_unref(struct frame *frame)
{
    if (frame && atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) == 1) {
        frame_unref(frame->own);
        free(frame);
    }
    return NULL;
}

struct span frame_json(const struct frame *frame)
{
    const size_t prefix = strlen("data: "), suffix = strlen("\n\n");
    return span_of(frame->wire + frame->data_at + prefix,
                   frame->size - frame->data_at - prefix - suffix);
}
