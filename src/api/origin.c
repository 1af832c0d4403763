#include "api/origin.h"

static bool is_nobody(struct span origin)
{
    return !origin.data || origin.len == 0 || span_is(origin, "null");
}

const char *origin_find(const struct setting_list *allowed, struct span origin)
{
    if (is_nobody(origin) || span_is(origin, "*"))
        return NULL;
    for (int i = 0; i < allowed->count; i++) {
        if (span_is(origin, allowed->items[i]))
            return allowed->items[i];
    }
    return NULL;
}

bool origin_is_open(const struct setting_list *allowed)
{
    for (int i = 0; i < allowed->count; i++) {
        if (strcmp(allowed->items[i], "*") == 0)
            return true;
    }
    return false;
}

bool origin_is_own(const struct settings *settings, bool secure, struct span host,
                   struct span origin)
{
    const char *public_origin = settings->http_public_origin;
    struct span scheme = span_text(secure ? "https://" : "http://");

    if (is_nobody(origin))
        return false;
    if (public_origin && *public_origin)
        return span_is(origin, public_origin);
    if (!host.data || host.len == 0 || !span_starts_with(origin, scheme))
        return false;
    return span_equal(span_of(origin.data + scheme.len, origin.len - scheme.len), host);
}

/* What stands between scheme and port. */
static struct span host_of(struct span origin)
{
    const char *at = memmem(origin.data, origin.len, "://", 3);
    struct span rest;

    if (!at)
        return span_of(NULL, 0);
    at += 3;
    rest = span_of(at, origin.len - (size_t)(at - origin.data));
    if (rest.len > 0 && rest.data[0] == '[') {
        const char *end = memchr(rest.data, ']', rest.len);
        return end ? span_of(rest.data, (size_t)(end - rest.data) + 1) : span_of(NULL, 0);
    }
    return span_cut(&rest, ':');
}

/* Four decimal numbers, the first of them 127. */
static bool is_loopback_v4(struct span host)
{
    uint64_t number;
    int count = 0;

    while (host.data) {
        if (span_to_number(span_cut(&host, '.'), 255, &number) || (count == 0 && number != 127))
            return false;
        count++;
    }
    return count == 4;
}

bool origin_is_loopback(struct span origin)
{
    struct span host;

    if (is_nobody(origin))
        return false;
    host = host_of(origin);
    return host.data &&
           (span_is(host, "localhost") || span_is(host, "[::1]") || is_loopback_v4(host));
}
