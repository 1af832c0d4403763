/* JSON on its way out: written straight into a buffer, compact.
 *
 * WHY    answers and events are made tens of thousands of times a second, so no tree is built
 *        for them; and a number comes out as short as it can be read back (Jansson writes 0.1
 *        with seventeen digits).
 * MODEL  one error is kept and makes everything after it void; it is asked once, at the end.
 *        Commas come by themselves: json_writer_member and json_writer_item put one unless
 *        their object or array has just been opened.
 *        Canonical: members sorted by their bytes, a number that is whole written as a whole
 *        one. Equal JSON values have equal canonical texts.
 * BOUNDS the ceiling of the buffer; beyond it ERR_FULL.
 * Floor: api. One thread at a time. Owns its buffer. */
#ifndef TIDINGS_API_JSON_WRITER_H
#define TIDINGS_API_JSON_WRITER_H

#include <jansson.h>

#include "base/buf.h"
#include "core/event_id.h"

struct json_writer {
    struct buf buf;
    int err; /* first fault; ERR_OK */
};

void json_writer_init(struct json_writer *writer, size_t bytes_max);
void json_writer_fini(struct json_writer *writer);
/* What is written; of no use once there was an error. */
struct span json_writer_text(const struct json_writer *writer);

/* As it is: brackets, or JSON that is ready. */
void json_writer_add(struct json_writer *writer, const char *json);
void json_writer_add_span(struct json_writer *writer, struct span json);

/* Takes the closing bracket back, so that more members can follow. */
void json_writer_reopen(struct json_writer *writer);

/* The name of a member, a constant that needs no escapes, and the colon. */
void json_writer_member(struct json_writer *writer, const char *name);
/* Before an item of an array. */
void json_writer_item(struct json_writer *writer);

/* A value: quoted text, which is well-formed UTF-8; a number; an event id in quotes; true or
 * false; any value. */
void json_writer_string(struct json_writer *writer, struct span text);
void json_writer_number(struct json_writer *writer, int64_t number);
void json_writer_id(struct json_writer *writer, struct event_id id);
void json_writer_bool(struct json_writer *writer, bool value);
void json_writer_value(struct json_writer *writer, const json_t *value);
void json_writer_canonical(struct json_writer *writer, const json_t *value);

/* Member and value in one; the texts are left out when absent. */
void json_writer_member_string(struct json_writer *writer, const char *name, struct span text);
void json_writer_member_number(struct json_writer *writer, const char *name, int64_t number);
void json_writer_member_id(struct json_writer *writer, const char *name, struct event_id id);

#endif
