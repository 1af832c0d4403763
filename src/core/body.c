#include "core/body.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"

/* Of the members that are added: names, a number, brackets. */
#define ADDED_BYTES_MAX 128

/* What stands in an erased body, in order. */
static const char *const kept_names[] = {"roomId",  "messageId", "sender",
                                         "replyTo", "threadId",  "replyCount"};

/* Where the string that begins at `at` ends, behind its quote. */
static const char *skip_string(const char *at, const char *end)
{
    assert(*at == '"');
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    assert(at < end);
    return at + 1;
}

static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (depth == 0 && (*at == ',' || *at == '}' || *at == ']'))
            break;
        if (*at == '{' || *at == '[')
            depth++;
        if (*at == '}' || *at == ']')
            depth--;
        at++;
    }
    return at;
}

struct span body_member(struct span body, const char *name)
{
    const char *at = body.data, *end = body.data + body.len;
    assert(body.len >= 2 && *at == '{' && end[-1] == '}');
    for (at++; at < end && *at == '"';) {
        const char *name_at = at + 1, *value;
        at = skip_string(at, end);
        bool found = span_is(span_of(name_at, (size_t)(at - 1 - name_at)), name);
        assert(at < end && *at == ':');
        value = at + 1;
        at = skip_value(value, end);
        if (found)
            return span_of(value, (size_t)(at - value));
        if (at < end)
            at++;
    }
    return span_of(NULL, 0);
}

int64_t body_number(struct span body, const char *name)
{
    struct span value = body_member(body, name);
    uint64_t number;
    return value.data && !span_to_number(value, INT64_MAX, &number) ? (int64_t)number : 0;
}

/* A body being written, into memory that was counted before. */
struct draft {
    char *text;
    size_t len;
};

static void add(struct draft *draft, struct span text)
{
    if (text.len)
        memcpy(draft->text + draft->len, text.data, text.len);
    draft->len += text.len;
}

static void add_member(struct draft *draft, const char *name, struct span value)
{
    if (!value.data)
        return;
    if (draft->len > 1)
        add(draft, span_text(","));
    add(draft, span_text("\""));
    add(draft, span_text(name));
    add(draft, span_text("\":"));
    add(draft, value);
}

static void add_edited_at(struct draft *draft, int64_t edited_at_ms)
{
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)edited_at_ms);
    add_member(draft, "editedAt", span_text(number));
}

static struct span finish(struct draft *draft, size_t size)
{
    add(draft, span_text("}"));
    assert(draft->len <= size);
    return span_of(draft->text, draft->len);
}

int body_edited(struct arena *arena, struct span old, struct span content, int64_t edited_at_ms,
                struct span *ret)
{
    static const char *const names[] = {"sender", "replyTo", "threadId"};
    size_t size = content.len + ADDED_BYTES_MAX;
    for (size_t i = 0; i < array_count(names); i++)
        size += body_member(old, names[i]).len;
    struct draft draft = {.text = arena_alloc(arena, size)};
    if (!draft.text)
        return ERR_MEMORY;
    add(&draft, span_of(content.data, content.len - 1));
    for (size_t i = 0; i < array_count(names); i++)
        add_member(&draft, names[i], body_member(old, names[i]));
    add_edited_at(&draft, edited_at_ms);
    *ret = finish(&draft, size);
    return 0;
}

/* The names are part of what stood there before, so they fit in its place. */
int body_with_mentions(struct arena *arena, struct span body, const struct span *users, int count,
                       struct span *ret)
{
    const struct span old = body_member(body, "mentions");
    const struct span name = span_text(",\"mentions\":");
    assert(old.data);
    size_t before = (size_t)(old.data - body.data) - name.len;
    const char *rest = old.data + old.len;
    assert(memcmp(body.data + before, name.data, name.len) == 0);
    struct draft draft = {.text = arena_alloc(arena, body.len)};
    if (!draft.text)
        return ERR_MEMORY;
    add(&draft, span_of(body.data, count ? before + name.len : before));
    for (int i = 0; i < count; i++) {
        add(&draft, span_text(i ? ",\"" : "[\""));
        add(&draft, users[i]);
        add(&draft, span_text("\""));
    }
    if (count)
        add(&draft, span_text("]"));
    add(&draft, span_of(rest, (size_t)(body.data + body.len - rest)));
    assert(draft.len <= body.len);
    *ret = span_of(draft.text, draft.len);
    return 0;
}

int body_erased(struct arena *arena, struct span old, int64_t edited_at_ms, struct span *ret)
{
    size_t size = ADDED_BYTES_MAX;
    for (size_t i = 0; i < array_count(kept_names); i++)
        size += body_member(old, kept_names[i]).len;
    struct draft draft = {.text = arena_alloc(arena, size)};
    if (!draft.text)
        return ERR_MEMORY;
    add(&draft, span_text("{"));
    for (size_t i = 0; i < array_count(kept_names); i++)
        add_member(&draft, kept_names[i], body_member(old, kept_names[i]));
    if (edited_at_ms)
        add_edited_at(&draft, edited_at_ms);
    add_member(&draft, "deleted", span_text("true"));
    *ret = finish(&draft, size);
    return 0;
}
