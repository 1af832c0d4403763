#include "store/redis_url.h"

#include <stdio.h>

#include "base/err.h"

#define REDIS_PORT 6379
#define SENTINEL_PORT 26379
#define DATABASE_MAX 15

struct scheme {
    const char *name;
    enum redis_kind kind;
    bool is_socket;
};

static const struct scheme schemes[] = {
    {"redis://", REDIS_SINGLE, false},
    {"redis+unix://", REDIS_SINGLE, true},
    {"redis+sentinel://", REDIS_SENTINEL, false},
    {"redis+cluster://", REDIS_CLUSTER, false},
};

static const struct scheme *scheme_of(struct span text)
{
    for (size_t i = 0; i < array_count(schemes); i++) {
        if (span_starts_with(text, span_text(schemes[i].name)))
            return &schemes[i];
    }
    return NULL;
}

bool redis_url_is(struct span text)
{
    return span_starts_with(text, span_text("redis:")) ||
           span_starts_with(text, span_text("redis+"));
}

static int fail(char *why, size_t why_size, const char *what)
{
    snprintf(why, why_size, "%s", what);
    return ERR_CONFIG;
}

static bool keep(char *name, struct span text)
{
    if (text.len >= REDIS_NAME_BYTES_MAX)
        return false;
    memcpy(name, text.data, text.len);
    name[text.len] = '\0';
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(char *name, struct span text)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? digit_of(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? digit_of(text.data[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (len + 1 >= REDIS_NAME_BYTES_MAX)
            return false;
        name[len++] = c;
    }
    name[len] = '\0';
    return true;
}

/* [[user]:password@] is cut off. */
static bool take_login(struct span *rest, struct redis_url *url)
{
    const char *at = NULL;
    for (size_t i = 0; i < rest->len && rest->data[i] != '/'; i++) {
        if (rest->data[i] == '@')
            at = rest->data + i;
    }
    if (!at)
        return true;
    struct span password = span_of(rest->data, (size_t)(at - rest->data));
    *rest = span_of(at + 1, rest->len - password.len - 1);
    struct span user = span_cut(&password, ':');
    return password.data && decode(url->user, user) && decode(url->password, password);
}

static bool take_host(struct span text, int port, struct redis_url *url)
{
    uint64_t number = (uint64_t)port;
    struct redis_host *host = &url->hosts[url->host_count];
    struct span name = text;
    if (url->host_count == REDIS_HOSTS_MAX)
        return false;
    if (span_starts_with(text, span_text("["))) { /* IPv6 */
        text = span_of(text.data + 1, text.len - 1);
        name = span_cut(&text, ']');
        if (!text.data || (text.len > 0 && text.data[0] != ':'))
            return false;
        text = text.len > 0 ? span_of(text.data + 1, text.len - 1) : (struct span){NULL, 0};
    } else {
        name = span_cut(&text, ':');
    }
    if (text.data && (span_to_number(text, 65535, &number) || number == 0))
        return false;
    host->port = (int)number;
    url->host_count++;
    return name.len > 0 && keep(host->name, name);
}

static bool take_hosts(struct span list, int port, struct redis_url *url)
{
    do {
        if (!take_host(span_cut(&list, ','), port, url))
            return false;
    } while (list.data);
    return true;
}

int redis_url_parse(struct span text, char *why, size_t why_size, struct redis_url *ret)
{
    const struct scheme *scheme = scheme_of(text);
    uint64_t database = 0;
    *ret = (struct redis_url){0};
    if (!scheme)
        return fail(why, why_size,
                    "redis://, redis+unix://, redis+sentinel:// or redis+cluster://");
    ret->kind = scheme->kind;
    struct span rest = span_of(text.data + strlen(scheme->name), text.len - strlen(scheme->name));
    if (!take_login(&rest, ret))
        return fail(why, why_size, "before @ stands user:password, percent-encoded");
    if (scheme->is_socket) {
        ret->host_count = 1;
        return rest.len > 0 && keep(ret->hosts[0].name, rest)
                   ? 0
                   : fail(why, why_size, "the path of the socket is missing or too long");
    }
    struct span hosts = span_cut(&rest, '/');
    if (!take_hosts(hosts, scheme->kind == REDIS_SENTINEL ? SENTINEL_PORT : REDIS_PORT, ret))
        return fail(why, why_size, "a host is not valid: name or name:port, at most 16");
    if (scheme->kind == REDIS_SINGLE && ret->host_count > 1)
        return fail(why, why_size, "several hosts: redis+sentinel:// or redis+cluster://");
    if (scheme->kind == REDIS_SENTINEL && (!rest.data || rest.len == 0))
        return fail(why, why_size, "the name of the master is missing: …/master-name");
    if (scheme->kind == REDIS_SENTINEL)
        return keep(ret->master, rest) ? 0 : fail(why, why_size, "the name is too long");
    if (rest.data && rest.len > 0 &&
        (scheme->kind == REDIS_CLUSTER || span_to_number(rest, DATABASE_MAX, &database)))
        return fail(why, why_size, "the database is a number from 0 to 15; a cluster has none");
    ret->database = (int)database;
    return 0;
}
