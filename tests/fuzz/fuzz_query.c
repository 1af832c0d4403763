/* Request targets: what gets through has no control character and is UTF-8. */
#include "base/limits.h"
#include "fuzz.h"
#include "net/connection.h"

static void check_text(struct span text)
{
    FUZZ_CHECK(span_is_utf8(text));
    for (size_t i = 0; i < text.len; i++)
        FUZZ_CHECK((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7f);
}

/* Decoding what has no escape gives itself. */
static void check_plain(struct arena *arena, struct span text)
{
    struct span decoded, again;

    if (http_unescape(arena, text, &decoded))
        return;
    check_text(decoded);
    FUZZ_CHECK(decoded.len <= text.len);
    if (memchr(decoded.data, '%', decoded.len))
        return;
    FUZZ_CHECK(http_unescape(arena, decoded, &again) == ERR_OK);
    FUZZ_CHECK(span_equal(decoded, again));
}

static void check_target(struct request *request, struct span target)
{
    int count;

    if (target_read(request, target))
        return;
    FUZZ_CHECK(target.len <= REQUEST_TARGET_BYTES_MAX);
    FUZZ_CHECK(request->query_count <= QUERY_PARAMETERS_MAX);
    FUZZ_CHECK(request->path.len > 0);
    FUZZ_CHECK(request->path.data[0] == '/' || span_is(request->path, "*"));
    for (int i = 0; i < request->query_count; i++) {
        check_text(request->query[i].name);
        if (request->query[i].value.data)
            check_text(request->query[i].value);
    }
    request_query(request, "since", &count);
    FUZZ_CHECK(count >= 0 && count <= request->query_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request = {0};

    if (size == 0)
        return 0;
    request.method = data[0] & 1 ? METHOD_OPTIONS : METHOD_GET;
    arena_init(&request.arena, 1 << 20);
    check_target(&request, fuzz_span(data + 1, size - 1));
    check_plain(&request.arena, fuzz_span(data + 1, size - 1));
    arena_fini(&request.arena);
    return 0;
}
