#include "config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/span.h"
#include "store/redis_url.h"

#define HOST_MAX 254

struct check {
    const struct settings *settings;
    FILE *warnings; /* NULL: nobody reads them */
    char *why;
    size_t size;
};

static int PRINTF_LIKE(2, 3) refuse(const struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check->why, check->size, format, arguments);
    va_end(arguments);
    return ERR_CONFIG;
}

static void PRINTF_LIKE(2, 3) warn(const struct check *check, const char *format, ...)
{
    if (!check->warnings)
        return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(check->warnings, format, arguments);
    va_end(arguments);
    fputc('\n', check->warnings);
}

/* Splits host:port, [v6]:port and :port; `*ret_host` is empty for the last: all addresses. */
static int split_listen(struct span text, struct span *ret_host, struct span *ret_port)
{
    struct span rest = text;
    if (text.len && text.data[0] == '[') {
        rest = span_of(text.data + 1, text.len - 1);
        *ret_host = span_cut(&rest, ']');
        if (!rest.data || rest.len == 0 || rest.data[0] != ':')
            return ERR_CONFIG;
        *ret_port = span_of(rest.data + 1, rest.len - 1);
    } else {
        *ret_host = span_cut(&rest, ':');
        if (!rest.data)
            return ERR_CONFIG;
        *ret_port = rest;
    }
    uint64_t port;
    return span_to_number(*ret_port, 65535, &port) == 0 && ret_host->len < HOST_MAX ? 0
                                                                                    : ERR_CONFIG;
}

bool config_is_loopback(const char *listen)
{
    struct span host, port;
    if (split_listen(span_text(listen), &host, &port) != 0)
        return false;
    char text[HOST_MAX];
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, text, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(text, "localhost") == 0;
}

static int check_listeners(const struct check *check, const char *key,
                           const struct setting_list *list)
{
    for (int i = 0; i < list->count; i++) {
        struct span host, port;
        if (split_listen(span_text(list->items[i]), &host, &port) != 0)
            return refuse(check, "%s: `%.100s` is no address as 127.0.0.1:8080 or [::1]:8080", key,
                          list->items[i]);
    }
    return 0;
}

static int check_server(const struct check *check)
{
    const struct settings *settings = check->settings;
    if (settings->server_listen.count == 0)
        return refuse(check, "server.listen: no address to serve on");
    int err = check_listeners(check, "server.listen", &settings->server_listen);
    if (err == 0)
        err = check_listeners(check, "server.admin_listen", &settings->server_admin_listen);
    if (err != 0)
        return err;
    for (int i = 0; i < settings->server_admin_listen.count; i++) {
        if (!config_is_loopback(settings->server_admin_listen.items[i]))
            return refuse(check,
                          "server.admin_listen: %.100s is no loopback address; what it "
                          "serves asks for no token",
                          settings->server_admin_listen.items[i]);
    }
    if (!*settings->tls_cert != !*settings->tls_key)
        return refuse(check, "tls.cert and tls.key need one another");
    return 0;
}

static int check_dev_tokens(const struct check *check)
{
    const struct settings *settings = check->settings;
    if (!settings->auth_dev_tokens)
        return 0;
    if (!*settings->auth_secret && !*settings->auth_secret_file)
        return refuse(check, "auth.dev_tokens: needs auth.secret or auth.secret_file");
    for (int i = 0; i < settings->server_listen.count; i++) {
        if (!config_is_loopback(settings->server_listen.items[i]))
            return refuse(check,
                          "auth.dev_tokens: only with loopback listeners; server.listen has "
                          "%.100s",
                          settings->server_listen.items[i]);
    }
    return 0;
}

static int check_auth(const struct check *check)
{
    const struct settings *settings = check->settings;
    if (*settings->auth_secret && *settings->auth_secret_file)
        return refuse(check, "auth.secret and auth.secret_file exclude one another");
    if (!*settings->auth_secret && !*settings->auth_secret_file && !*settings->auth_public_keys &&
        !*settings->auth_jwks_file)
        return refuse(check, "no key for tokens: set auth.secret_file, auth.secret, "
                             "auth.public_keys or auth.jwks_file");
    if (settings->auth_cookie_samesite == SAMESITE_NONE && !*settings->tls_cert &&
        !span_starts_with(span_text(settings->http_public_origin), span_text("https://")))
        warn(check, "auth.cookie_samesite: browsers take none only over https (tls.cert, "
                    "http.public_origin)");
    return check_dev_tokens(check);
}

static int check_redis(const struct check *check, struct span text)
{
    struct redis_url url;
    char wrong[128];
    if (redis_url_parse(text, wrong, sizeof(wrong), &url) != 0)
        return refuse(check, "journal.url: %s", wrong);
    if (url.kind != REDIS_SINGLE)
        return refuse(check,
                      "journal.url: %s is not served; name one server by redis:// or "
                      "redis+unix://",
                      url.kind == REDIS_SENTINEL ? "redis+sentinel://" : "redis+cluster://");
    return 0;
}

static int check_journal(const struct check *check)
{
    const struct settings *settings = check->settings;
    struct span url = span_text(settings->journal_url);
    bool sqlite = span_starts_with(url, span_text("sqlite:")) && url.len > strlen("sqlite:");
    bool redis = redis_url_is(url);
    if (!sqlite && !redis && !span_is(url, "memory:"))
        return refuse(check, "journal.url: neither memory:, sqlite:PATH nor redis://HOST");
    if (!redis && settings->journal_durability == DURABILITY_REPLICATED)
        return refuse(check, "journal.durability: replicated needs Redis in journal.url");
    if (*settings->outbox_path)
        warn(check, "outbox.path: it has no effect");
    if (*settings->archive_url)
        warn(check, "archive.url: it has no effect");
    return redis ? check_redis(check, url) : 0;
}

/* scheme://host[:port], nothing behind, as the header Origin has it. */
static bool is_origin(const char *text)
{
    struct span rest = span_text(text);
    struct span http = span_text("http://"), https = span_text("https://");
    if (!span_starts_with(rest, http) && !span_starts_with(rest, https))
        return false;
    size_t scheme = span_starts_with(rest, http) ? http.len : https.len;
    if (rest.len == scheme)
        return false;
    for (const char *at = text + scheme; *at; at++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_:[]", *at))
            return false;
    }
    return true;
}

static bool is_block(const char *text)
{
    struct span rest = span_text(text);
    struct span address = span_cut(&rest, '/');
    char host[INET6_ADDRSTRLEN];
    if (address.len >= sizeof(host))
        return false;
    memcpy(host, address.data, address.len);
    host[address.len] = '\0';
    unsigned char raw[16];
    bool v4 = inet_pton(AF_INET, host, raw) == 1;
    if (!v4 && inet_pton(AF_INET6, host, raw) != 1)
        return false;
    uint64_t bits;
    return !rest.data || span_to_number(rest, v4 ? 32 : 128, &bits) == 0;
}

static int check_http(const struct check *check)
{
    const struct settings *settings = check->settings;
    for (int i = 0; i < settings->http_allowed_origins.count; i++) {
        const char *origin = settings->http_allowed_origins.items[i];
        if (strcmp(origin, "*") != 0 && !is_origin(origin))
            return refuse(check,
                          "http.allowed_origins: `%.100s` is no origin as "
                          "https://app.example (small letters, no path)",
                          origin);
    }
    if (*settings->http_public_origin && !is_origin(settings->http_public_origin))
        return refuse(check, "http.public_origin: `%.100s` is no origin as https://chat.example",
                      settings->http_public_origin);
    for (int i = 0; i < settings->http_trusted_proxies.count; i++) {
        if (!is_block(settings->http_trusted_proxies.items[i]))
            return refuse(check,
                          "http.trusted_proxies: `%.100s` is no address or block as "
                          "10.0.0.0/8",
                          settings->http_trusted_proxies.items[i]);
    }
    return 0;
}

static int check_times(const struct check *check)
{
    const struct settings *settings = check->settings;
    if (settings->presence_grace_ms < 3 * settings->sse_retry_ms + 5000)
        warn(check, "presence.grace: below 3 x sse.retry + 5s, users flap when they reconnect");
    if (settings->typing_throttle_ms > settings->typing_timeout_ms)
        return refuse(check, "typing.throttle: above typing.timeout");
    return 0;
}

static int check_limits(const struct check *check)
{
    const struct settings *settings = check->settings;
    if (settings->limits_connections > 0 &&
        settings->limits_connections_reserve >= settings->limits_connections)
        warn(check, "limits.connections_reserve: not below limits.connections, half of these are "
                    "taken");
    if (settings->limits_messages > 0 && settings->limits_messages_burst > 0 &&
        settings->limits_messages_burst < settings->limits_messages)
        warn(check, "limits.messages_burst: below limits.messages, the rate is seldom reached");
    return 0;
}

int config_check(const struct config *config, FILE *warnings, char *why, size_t size)
{
    static int (*const checks[])(const struct check *) = {check_server, check_auth,  check_journal,
                                                          check_http,   check_times, check_limits};
    struct check check = {&config->settings, warnings, why, size};
    assert(size >= CONFIG_WHY_MAX);
    for (size_t i = 0; i < array_count(checks); i++) {
        int err = checks[i](&check);
        if (err != 0)
            return err;
    }
    return 0;
}
