/* What a token's claim `rooms` gives beyond membership.
 *
 * MODEL  patterns, each an identifier or a prefix with a trailing `*`, with a set of rights.
 * Floor: core. Pure. A struct grants is one allocation, owned by who made it. */
#ifndef TIDINGS_CORE_GRANT_H
#define TIDINGS_CORE_GRANT_H

#include "base/span.h"

enum { GRANT_READ = 1, GRANT_POST = 2, GRANT_MANAGE = 4 };

struct grant {
    const char *pattern; /* without the star */
    uint16_t len;        /* bytes of pattern */
    uint8_t rights;      /* GRANT_* */
    bool prefix;         /* a star stood at its end */
};

struct grants {
    int count;
    struct grant items[];
};

/* The rights for a room, GRANT_* or-ed; 0 for NULL. */
unsigned grants_for(const struct grants *grants, struct span room);

#endif
