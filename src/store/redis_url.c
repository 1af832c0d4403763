#include "store/redis_url.h"

#include <stdio.h>

#include "base/err.h"

#define REDIS_PORT 6379
#define SENTINEL_PORT 26379
#define DATABASE_MAX 15
/* hiredis cuts off a longer path, and connects to another socket. */
#define SOCKET_PATH_BYTES_MAX 106

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
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || len + 1 >= REDIS_NAME_BYTES_MAX)
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

/* Letters, digits, and these. */
static bool is_of(struct span text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_plain && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return text.len > 0;
}

static bool take_host(struct span text, int port, struct redis_url *url)
{
    uint64_t number = (uint64_t)port;
    struct span name;
    if (url->host_count == REDIS_HOSTS_MAX)
        return false;
    bool is_ipv6 = span_starts_with(text, span_text("["));
    if (is_ipv6) {
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
    struct redis_host *host = &url->hosts[url->host_count++];
    host->port = (int)number;
    return is_of(name, is_ipv6 ? ":.%-_" : ".-_") && keep(host->name, name);
}

static bool take_hosts(struct span list, int port, struct redis_url *url)
{
    do {
        if (!take_host(span_cut(&list, ','), port, url))
            return false;
    } while (list.data);
    return true;
}

/* What is wrong, NULL: nothing. */
static const char *take_socket(struct span path, struct redis_url *url)
{
    if (!span_starts_with(path, span_text("/")) || memchr(path.data, '\0', path.len))
        return "after redis+unix:// stands the whole path of the socket, from its first / on";
    if (path.len > SOCKET_PATH_BYTES_MAX)
        return "the path of the socket is longer than 106 bytes";
    url->host_count = 1;
    return keep(url->hosts[0].name, path) ? NULL : "the path of the socket is too long";
}

/* The same, of what stands behind the hosts; absent when not even a / does. */
static const char *take_rest(struct span rest, struct redis_url *url)
{
    uint64_t database = 0;
    if (url->kind == REDIS_SENTINEL)
        return is_of(rest, ".-_") && keep(url->master, rest)
                   ? NULL
                   : "after the hosts stands /master-name, of letters, digits and .-_";
    if (rest.len == 0)
        return NULL;
    if (url->kind == REDIS_CLUSTER)
        return "nothing stands after the hosts: a cluster has no databases";
    if (span_to_number(rest, DATABASE_MAX, &database))
        return "the database is a number from 0 to 15";
    url->database = (int)database;
    return NULL;
}

static const char *take(struct span rest, const struct scheme *scheme, struct redis_url *url)
{
    url->kind = scheme->kind;
    if (!take_login(&rest, url))
        return "before @ stands user:password, percent-encoded, at most 255 bytes each";
    if (scheme->is_socket)
        return take_socket(rest, url);
    struct span hosts = span_cut(&rest, '/');
    if (!take_hosts(hosts, scheme->kind == REDIS_SENTINEL ? SENTINEL_PORT : REDIS_PORT, url))
        return "a host is not valid: name, name:port or [IPv6]:port, at most 16 of them";
    if (scheme->kind == REDIS_SINGLE && url->host_count > 1)
        return "several hosts need redis+sentinel:// or redis+cluster://";
    return take_rest(rest, url);
}

int redis_url_parse(struct span text, char *why, size_t why_size, struct redis_url *ret)
{
    struct redis_url url = {0};
    const struct scheme *scheme = scheme_of(text);
    const char *wrong = "redis://, redis+unix://, redis+sentinel:// or redis+cluster://";
    if (scheme) {
        size_t len = strlen(scheme->name);
        wrong = take(span_of(text.data + len, text.len - len), scheme, &url);
    }
    if (wrong) {
        snprintf(why, why_size, "%s", wrong);
        return ERR_CONFIG;
    }
    *ret = url;
    return 0;
}
