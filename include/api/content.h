/* What a message or a custom event says: read from a body, checked, encoded for the wire.
 *
 * MODEL  content_read_* takes the members out of the body and checks their form;
 *        content_write makes the members of the event in their fixed order; content_digest is
 *        what tells a repeat from another message with the same messageId: equal content, as
 *        JSON values, has an equal digest.
 * BOUNDS MESSAGE_TEXT_BYTES_MAX, MESSAGE_BYTES_MAX, CUSTOM_DATA_BYTES_MAX, MENTIONS_MAX.
 * Floor: api. Borrows from the body that was read. */
#ifndef TIDINGS_API_CONTENT_H
#define TIDINGS_API_CONTENT_H

#include "api/json.h"
#include "api/json_writer.h"
#include "core/command.h"

struct content {
    struct span message_id;       /* data NULL: none was given */
    struct span text;             /* data NULL: none */
    const json_t *message;        /* an object; NULL: none */
    struct span reply_to;         /* messageId; data NULL: none */
    struct span thread_id;        /* messageId; data NULL: none */
    const json_t *mentions;       /* array of user ids; NULL: none */
    struct span type_name;        /* `custom.…`; data NULL: a message */
    const json_t *data;           /* any value, only of a custom event */
    bool ephemeral;
};

/* Faults are in the reader: its err and field. */
void content_read_message(struct json_reader *reader, struct content *ret);
/* The new content of a message: text, message, mentions. */
void content_read_edit(struct json_reader *reader, struct content *ret);
void content_read_custom(struct json_reader *reader, struct content *ret);

/* The JSON object of the event after type, id and timestamp; with `sender` NULL it does not stand
 * there. ERR_INVALID_FIELD when text and
 * message together, or data, are too large; ERR_MEMORY. */
MUST_CHECK int content_write(const struct content *content, struct span room,
                             const struct actor *sender, struct json_writer *writer);
/* Sets the command's mentions, in the arena; texts are the body's. ERR_MEMORY. */
MUST_CHECK int content_mentioned(const struct content *content, struct arena *arena,
                                 struct command *command);
/* The member that is at fault when content_write gives ERR_INVALID_FIELD. */
const char *content_large_field(const struct content *content);
/* ERR_MEMORY. */
MUST_CHECK int content_digest(const struct content *content,
                              unsigned char ret[COMMAND_DIGEST_BYTES]);

#endif
