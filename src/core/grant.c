#include "core/grant.h"

unsigned grants_for(const struct grants *grants, struct span room)
{
    unsigned rights = 0;
    for (int i = 0; grants && i < grants->count; i++) {
        const struct grant *grant = &grants->items[i];
        struct span pattern = span_of(grant->pattern, grant->len);
        if (grant->prefix ? span_starts_with(room, pattern) : span_equal(room, pattern))
            rights |= grant->rights;
    }
    return rights;
}
