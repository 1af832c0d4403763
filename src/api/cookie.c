#include "api/cookie.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"

bool cookie_is_secure(const struct settings *settings, bool secure)
{
    const char *origin = settings->http_public_origin;

    return secure || (origin && strncmp(origin, "https://", 8) == 0);
}

const char *cookie_name(bool secure)
{
    return secure ? "__Host-tidings" : "tidings";
}

struct span cookie_find(struct span header, const char *name)
{
    struct span found = span_of(NULL, 0);

    while (header.data) {
        struct span value = span_cut(&header, ';');
        struct span given = span_trim(span_cut(&value, '='));
        if (!value.data || !span_is(given, name))
            continue;
        if (found.data)
            return span_of("", 0);
        found = span_trim(value);
    }
    return found;
}

static const char *samesite_name(enum samesite samesite)
{
    switch (samesite) {
    case SAMESITE_STRICT:
        return "Strict";
    case SAMESITE_LAX:
        return "Lax";
    case SAMESITE_NONE:
        return "None";
    }
    assert(!"a samesite that is none");
    return "Strict";
}

int cookie_format(struct span token, bool secure, enum samesite samesite, int64_t max_age_s,
                  char out[COOKIE_HEADER_BYTES_MAX])
{
    const char *name = cookie_name(secure);
    int len;

    if (strlen(name) + token.len > COOKIE_BYTES_MAX)
        return ERR_FULL;
    len = snprintf(out, COOKIE_HEADER_BYTES_MAX,
                   "%s=%.*s; Path=/; HttpOnly; SameSite=%s; Max-Age=%" PRId64 "%s", name,
                   SPAN_ARGS(token), samesite_name(samesite), max_age_s, secure ? "; Secure" : "");
    assert(len > 0 && len < COOKIE_HEADER_BYTES_MAX);
    return ERR_OK;
}
