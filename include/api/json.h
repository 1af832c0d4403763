/* JSON bodies: parsed within bounds, and their members fetched with an error for each fault.
 *
 * BOUNDS JSON_DEPTH_MAX levels and JSON_VALUES_MAX values, counted before anything is parsed
 *        (a value costs about 75 bytes); duplicate members are refused.
 * Floor: api. Jansson's values are owned by who parsed them. */
#ifndef TIDINGS_API_JSON_H
#define TIDINGS_API_JSON_H

#include <jansson.h>

#include "base/span.h"
#include "net/http.h"

/* An object; an empty text counts as {}. ERR_INVALID_JSON with `*ret_why` (constant text, may be
 * NULL), ERR_MEMORY. */
MUST_CHECK int json_body_parse(struct span text, json_t **ret, const char **ret_why);

/* What a member must be. Faults: ERR_INVALID_FIELD (type, range, number of items),
 * ERR_INVALID_TEXT (too long), ERR_INVALID_IDENTIFIER (the form of a name). After the first one
 * every read gives what it gives for an absent member. */
struct json_reader {
    const json_t *object;
    int err;           /* first fault; ERR_OK */
    const char *field; /* member at fault */
};

/* Absent or null: data NULL. Text lives as long as the object. */
struct span json_read_text(struct json_reader *reader, const char *name, size_t bytes_max);
struct span json_read_user(struct json_reader *reader, const char *name);
struct span json_read_ident(struct json_reader *reader, const char *name);
bool json_read_bool(struct json_reader *reader, const char *name, bool otherwise);
int64_t json_read_number(struct json_reader *reader, const char *name, int64_t min, int64_t max,
                         int64_t otherwise);
/* NULL when absent or null. */
const json_t *json_read_object(struct json_reader *reader, const char *name);
const json_t *json_read_array(struct json_reader *reader, const char *name, size_t count_max);

/* Compact text in the arena; data NULL when memory ran out. */
struct span json_to_text(struct arena *arena, const json_t *value);
/* Answers with a JSON value, which is taken over; NULL (it could not be made) gives ERR_MEMORY. */
void json_answer(struct request *request, int status, json_t *value);

#endif
