#include "api/content.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/err.h"
#include "base/limits.h"
#include "core/ident.h"

#define SHA256_BYTES 32
#define CUSTOM_PREFIX "custom."

/* Canonical text of the largest content: every byte of the text may need six. */
#define CANONICAL_BYTES_MAX (MESSAGE_BYTES_MAX + 6 * MESSAGE_TEXT_BYTES_MAX + 65536)

static void fail(struct json_reader *reader, int err, const char *name)
{
    if (reader->err)
        return;
    reader->err = err;
    reader->field = name;
}

static struct span read_message_id(struct json_reader *reader, const char *name)
{
    struct span id = json_read_ident(reader, name);
    if (id.data && !ident_is_message(id))
        fail(reader, ERR_INVALID_IDENTIFIER, name);
    return id;
}

static struct span read_message_text(struct json_reader *reader)
{
    struct span text = json_read_text(reader, "text", SIZE_MAX);
    if (text.data && (text.len == 0 || text.len > MESSAGE_TEXT_BYTES_MAX))
        fail(reader, ERR_INVALID_TEXT, "text");
    return text;
}

static const json_t *read_mentions(struct json_reader *reader)
{
    const json_t *mentions = json_read_array(reader, "mentions", MENTIONS_MAX);
    size_t index;
    json_t *user;
    json_array_foreach(mentions, index, user) {
        if (!json_is_string(user))
            fail(reader, ERR_INVALID_FIELD, "mentions");
        else if (!ident_is_user(span_of(json_string_value(user), json_string_length(user))))
            fail(reader, ERR_INVALID_IDENTIFIER, "mentions");
    }
    return mentions && json_array_size(mentions) > 0 ? mentions : NULL;
}

/* No message answers itself. */
static void check_is_another(struct json_reader *reader, const struct content *content,
                             struct span id, const char *name)
{
    if (id.data && span_equal(id, content->message_id))
        fail(reader, ERR_INVALID_FIELD, name);
}

void content_read_message(struct json_reader *reader, struct content *ret)
{
    struct content content = {
        .message_id = read_message_id(reader, "messageId"),
        .text = read_message_text(reader),
        .message = json_read_object(reader, "message"),
        .reply_to = read_message_id(reader, "replyTo"),
        .thread_id = read_message_id(reader, "threadId"),
        .mentions = read_mentions(reader),
        .ephemeral = json_read_bool(reader, "ephemeral", false),
    };
    if (!content.text.data && !content.message)
        fail(reader, ERR_INVALID_TEXT, "text");
    check_is_another(reader, &content, content.reply_to, "replyTo");
    check_is_another(reader, &content, content.thread_id, "threadId");
    *ret = content;
}

void content_read_edit(struct json_reader *reader, struct content *ret)
{
    struct content content = {
        .text = read_message_text(reader),
        .message = json_read_object(reader, "message"),
        .mentions = read_mentions(reader),
    };
    if (!content.text.data && !content.message)
        fail(reader, ERR_INVALID_TEXT, "text");
    *ret = content;
}

static struct span read_type_name(struct json_reader *reader)
{
    struct span type = json_read_ident(reader, "type");
    if (!span_starts_with(type, span_text(CUSTOM_PREFIX)) || type.len == strlen(CUSTOM_PREFIX))
        fail(reader, ERR_INVALID_FIELD, "type");
    return type;
}

void content_read_custom(struct json_reader *reader, struct content *ret)
{
    struct content content = {
        .message_id = read_message_id(reader, "messageId"),
        .type_name = read_type_name(reader),
        .data = json_object_get(reader->object, "data"),
        .ephemeral = json_read_bool(reader, "ephemeral", false),
    };
    if (!content.data)
        fail(reader, ERR_INVALID_FIELD, "data");
    *ret = content;
}

static void write_sender(struct json_writer *writer, const struct actor *sender)
{
    json_writer_member(writer, "sender");
    json_writer_add(writer, "{");
    json_writer_member_string(writer, "userId", sender->user);
    json_writer_member_string(writer, "name", sender->name);
    if (sender->data.data) {
        json_writer_member(writer, "data");
        json_writer_add_span(writer, sender->data);
    }
    json_writer_add(writer, "}");
}

/* Writes the member and gives the bytes its value takes. */
static size_t write_measured(struct json_writer *writer, const char *name, const json_t *value)
{
    json_writer_member(writer, name);
    size_t from = writer->buf.len;
    json_writer_value(writer, value);
    return writer->buf.len - from;
}

static int write_message(const struct content *content, const struct actor *sender,
                         struct json_writer *writer)
{
    size_t size = content->text.len;
    json_writer_member_string(writer, "text", content->text);
    if (content->message)
        size += write_measured(writer, "message", content->message);
    if (size > MESSAGE_BYTES_MAX)
        return ERR_INVALID_FIELD;
    if (sender)
        write_sender(writer, sender);
    json_writer_member_string(writer, "replyTo", content->reply_to);
    json_writer_member_string(writer, "threadId", content->thread_id);
    if (content->mentions) {
        json_writer_member(writer, "mentions");
        json_writer_value(writer, content->mentions);
    }
    return 0;
}

static int write_custom(const struct content *content, const struct actor *sender,
                        struct json_writer *writer)
{
    if (write_measured(writer, "data", content->data) > CUSTOM_DATA_BYTES_MAX)
        return ERR_INVALID_FIELD;
    write_sender(writer, sender);
    return 0;
}

int content_write(const struct content *content, struct span room, const struct actor *sender,
                  struct json_writer *writer)
{
    json_writer_add(writer, "{");
    json_writer_member_string(writer, "roomId", room);
    json_writer_member_string(writer, "messageId", content->message_id);
    int err = content->type_name.data ? write_custom(content, sender, writer)
                                      : write_message(content, sender, writer);
    if (content->ephemeral)
        json_writer_add(writer, ",\"ephemeral\":true");
    json_writer_add(writer, "}");
    /* The ceiling of the buffer is passed only by what is too large itself. */
    if (writer->err == ERR_FULL)
        return ERR_INVALID_FIELD;
    return writer->err ? writer->err : err;
}

int content_mentioned(const struct content *content, struct arena *arena, struct command *command)
{
    size_t count = json_array_size(content->mentions), index;
    struct span *users = arena_alloc(arena, (count + 1) * sizeof(*users));
    json_t *user;
    if (!users)
        return ERR_MEMORY;
    json_array_foreach(content->mentions, index, user)
        users[index] = span_of(json_string_value(user), json_string_length(user));
    command->mentions = users;
    command->mention_count = (int)count;
    return 0;
}

const char *content_large_field(const struct content *content)
{
    if (content->type_name.data)
        return "data";
    return content->message ? "message" : "text";
}

static void canonical_member(struct json_writer *writer, const char *name, const json_t *value)
{
    if (!value)
        return;
    json_writer_member(writer, name);
    json_writer_canonical(writer, value);
}

static void write_canonical(const struct content *content, struct json_writer *writer)
{
    json_writer_add(writer, "{");
    canonical_member(writer, "data", content->data);
    canonical_member(writer, "mentions", content->mentions);
    canonical_member(writer, "message", content->message);
    json_writer_member_string(writer, "replyTo", content->reply_to);
    json_writer_member_string(writer, "text", content->text);
    json_writer_member_string(writer, "threadId", content->thread_id);
    json_writer_member_string(writer, "type", content->type_name);
    json_writer_add(writer, "}");
}

int content_digest(const struct content *content, unsigned char ret[COMMAND_DIGEST_BYTES])
{
    struct json_writer writer;
    json_writer_init(&writer, CANONICAL_BYTES_MAX);
    write_canonical(content, &writer);
    int err = writer.err;
    unsigned char hash[SHA256_BYTES];
    struct span text = json_writer_text(&writer);
    if (!err && gnutls_hash_fast(GNUTLS_DIG_SHA256, text.data, text.len, hash) < 0)
        err = ERR_MEMORY;
    json_writer_fini(&writer);
    if (!err)
        memcpy(ret, hash, COMMAND_DIGEST_BYTES);
    return err;
}
