/* Bodies: whatever is taken is within the bounds, can be written and is read again as the same;
 * the readers of members keep what they promise of any value. */
#include "api/json.h"
#include "base/limits.h"
#include "core/ident.h"
#include "fuzz.h"
#include "core/body.h"

/* In net's place: nothing is answered here. */
void request_answer(struct request *request, const struct answer *answer)
{
    abort();
}

static int depth_of(const json_t *value)
{
    const char *name;
    json_t *item;
    size_t i;
    int depth = 0;

    json_object_foreach ((json_t *)value, name, item)
        depth = depth_of(item) > depth ? depth_of(item) : depth;
    json_array_foreach (value, i, item)
        depth = depth_of(item) > depth ? depth_of(item) : depth;
    return depth + (json_is_object(value) || json_is_array(value));
}

static bool needs_escape(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == '"' || *name == '\\')
            return true;
    return false;
}

/* Compact text is read member by member without parsing it. */
static void check_members(json_t *body, struct span text)
{
    const char *name;
    json_t *value;

    json_object_foreach (body, name, value) {
        if (needs_escape(name))
            continue;
        struct span member = body_member(text, name);
        json_t *found = json_loadb(member.data, member.len, JSON_DECODE_ANY, NULL);
        FUZZ_CHECK(found && json_equal(found, value));
        json_decref(found);
    }
}

static void check_again(json_t *body)
{
    struct arena arena;
    struct span text;
    json_t *again;

    arena_init(&arena, 1 << 22);
    text = json_to_text(&arena, body);
    FUZZ_CHECK(text.data);
    FUZZ_CHECK(!memchr(text.data, '\n', text.len) && !memchr(text.data, '\r', text.len));
    FUZZ_CHECK(span_is_utf8(text));
    FUZZ_CHECK(json_body_parse(text, &again, NULL) == ERR_OK);
    FUZZ_CHECK(json_equal(body, again));
    json_decref(again);
    check_members(body, text);
    arena_fini(&arena);
}

static void read_members(const json_t *body)
{
    struct json_reader reader = {.object = body};
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)body, name, value) {
        struct span text = json_read_text(&reader, name, 100);
        FUZZ_CHECK(text.len <= 100);
        reader.err = ERR_OK;
        text = json_read_user(&reader, name);
        FUZZ_CHECK(!text.data || ident_is_user(text));
        reader.err = ERR_OK;
        text = json_read_ident(&reader, name);
        FUZZ_CHECK(!text.data || ident_is_valid(text));
        reader.err = ERR_OK;
        int64_t number = json_read_number(&reader, name, -5, 1000, 7);
        FUZZ_CHECK(number >= -5 && number <= 1000);
        FUZZ_CHECK(!reader.err || number == 7);
        reader.err = ERR_OK;
        (void)json_read_bool(&reader, name, true);
        reader.err = ERR_OK;
        const json_t *list = json_read_array(&reader, name, 3);
        FUZZ_CHECK(!list || json_array_size(list) <= 3);
        reader.err = ERR_OK;
        const json_t *object = json_read_object(&reader, name);
        FUZZ_CHECK(!object || json_is_object(object));
        reader.err = ERR_OK;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why = NULL;
    json_t *body = NULL;

    if (json_body_parse(fuzz_span(data, size), &body, &why))
        return 0;
    FUZZ_CHECK(json_is_object(body));
    FUZZ_CHECK(depth_of(body) <= JSON_DEPTH_MAX);
    read_members(body);
    check_again(body);
    json_decref(body);
    return 0;
}
