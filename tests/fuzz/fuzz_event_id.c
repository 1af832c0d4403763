/* Cursors: whatever is taken is written back as the same text, so each id has one spelling. */
#include "core/event_id.h"
#include "core/ident.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = fuzz_span(data, size);
    char formatted[EVENT_ID_TEXT_MAX];
    struct event_id id, next;

    if (event_id_parse(text, &id) == ERR_OK) {
        size_t len = event_id_format(id, formatted);
        FUZZ_CHECK(span_equal(text, span_of(formatted, len)));
        FUZZ_CHECK(formatted[len] == '\0');
        FUZZ_CHECK(event_id_compare(id, id) == 0);
        if (id.ms != UINT64_MAX || id.seq != UINT64_MAX) {
            next = event_id_next(id);
            FUZZ_CHECK(event_id_compare(id, next) < 0);
            FUZZ_CHECK(event_id_compare(next, id) > 0);
        }
        FUZZ_CHECK(!ident_is_message(text));
    }
    FUZZ_CHECK(!ident_is_message(text) || ident_is_valid(text));
    FUZZ_CHECK(!ident_is_valid(text) || (ident_is_user(text) && span_is_utf8(text)));
    return 0;
}
