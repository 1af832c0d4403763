/* Header blocks against the rules of RFC 9112, told again in the simplest way. */
#include <strings.h>

#include "base/limits.h"
#include "fuzz.h"
#include "net/gate.h"

struct seen {
    int lengths, encodings, hosts, headers;
    bool odd;     /* a name or value that no proxy would pass */
    bool unknown; /* a coding other than chunked */
};

static bool is_named(struct span name, const char *other)
{
    return name.len == strlen(other) && strncasecmp(name.data, other, name.len) == 0;
}

static void note(struct seen *seen, struct span name, struct span value)
{
    seen->headers++;
    seen->lengths += is_named(name, "content-length");
    seen->hosts += is_named(name, "host");
    if (is_named(name, "transfer-encoding")) {
        seen->encodings++;
        seen->unknown = seen->unknown || !is_named(span_trim(value), "chunked");
    }
    seen->odd = seen->odd || name.len == 0;
    for (size_t i = 0; i < name.len; i++)
        seen->odd = seen->odd || (unsigned char)name.data[i] <= ' ' ||
                    (unsigned char)name.data[i] >= 0x7f ||
                    memchr("\"(),/:;<=>?@[\\]{}", name.data[i], 17);
    for (size_t i = 0; i < value.len; i++)
        seen->odd = seen->odd || ((unsigned char)value.data[i] < ' ' && value.data[i] != '\t');
}

static bool must_be_refused(const struct seen *seen, bool http_1_0)
{
    return seen->lengths > 1 || seen->encodings > 1 || seen->hosts > 1 || seen->odd ||
           seen->unknown || (seen->lengths > 0 && seen->encodings > 0) ||
           (seen->encodings > 0 && http_1_0) || seen->headers > HEADERS_MAX;
}

/* The first byte chooses the version; then lines of name, colon, value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest;
    struct seen seen = {0};
    struct gate gate;
    bool http_1_0;

    if (size == 0)
        return 0;
    http_1_0 = data[0] & 1;
    rest = fuzz_span(data + 1, size - 1);
    gate_init(&gate);
    while (rest.data) {
        struct span value = span_cut(&rest, '\n'), name = span_cut(&value, ':');
        if (!value.data)
            continue;
        gate_header(&gate, name, value);
        note(&seen, name, value);
    }
    if (must_be_refused(&seen, http_1_0))
        FUZZ_CHECK(gate_verdict(&gate, http_1_0) != ERR_OK);
    else
        (void)!gate_verdict(&gate, http_1_0);
    return 0;
}
