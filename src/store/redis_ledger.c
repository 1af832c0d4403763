#include "store/redis_ledger.h"

#include "base/err.h"

#define SCRATCH_BYTES_MAX (4u * EVENT_BYTES_MAX)
#define TEXTS_BYTES_MAX (16u << 20)

void redis_ledger_init(struct redis_ledger *ledger, struct redis_view *view,
                       const struct settings *settings, struct redis_places *places)
{
    *ledger = (struct redis_ledger){.view = view, .settings = settings, .places = places};
    ledger->ledger.ops = &ledger->ops;
    buf_init(&ledger->scratch, SCRATCH_BYTES_MAX);
    arena_init(&ledger->texts, TEXTS_BYTES_MAX);
    redis_ledger_add_events(&ledger->ops);
    redis_ledger_add_ranges(&ledger->ops);
    redis_ledger_add_edits(&ledger->ops);
    redis_ledger_add_messages(&ledger->ops);
    redis_ledger_add_markers(&ledger->ops);
    redis_ledger_add_reactions(&ledger->ops);
}

void redis_ledger_fini(struct redis_ledger *ledger)
{
    redis_ledger_forget(ledger);
    buf_fini(&ledger->scratch);
    arena_fini(&ledger->texts);
}

int redis_place_next(struct redis_ledger *ledger, place_number *ret)
{
    if (ledger->places->next == ledger->places->end) {
        ledger->out_of_places = true;
        return ERR_NOT_FETCHED;
    }
    *ret = ledger->places->next++;
    return 0;
}

struct span redis_place_text(struct redis_ledger *ledger, place_number place)
{
    char text[REDIS_DIGITS_MAX + 1];
    size_t len = redis_put_digits(text, place);
    return arena_copy(&ledger->texts, span_of(text, len));
}
