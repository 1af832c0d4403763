/* Addresses of a journal over Redis: what is taken is whole, what is not leaves nothing behind. */
#include "fuzz.h"
#include "store/redis_url.h"

static void check_name(const char *name, bool may_be_empty)
{
    FUZZ_CHECK(memchr(name, '\0', REDIS_NAME_BYTES_MAX));
    FUZZ_CHECK(may_be_empty || *name);
}

static void check_hosts(const struct redis_url *url)
{
    FUZZ_CHECK(url->host_count >= 1 && url->host_count <= REDIS_HOSTS_MAX);
    for (int i = 0; i < url->host_count; i++) {
        const struct redis_host *host = &url->hosts[i];
        bool is_socket = host->port == 0;
        check_name(host->name, false);
        FUZZ_CHECK(host->port >= 0 && host->port <= 65535);
        FUZZ_CHECK(is_socket == (host->name[0] == '/'));
        FUZZ_CHECK(is_socket || !strpbrk(host->name, "/@ ?#,[]"));
    }
    FUZZ_CHECK(url->host_count == 1 || url->kind != REDIS_SINGLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct redis_url none;
    struct redis_url url = none;
    struct span text = fuzz_span(data, size);
    char why[128] = "";

    if (redis_url_parse(text, why, sizeof(why), &url)) {
        FUZZ_CHECK(*why && strlen(why) < sizeof(why) - 1);
        FUZZ_CHECK(memcmp(&url, &none, sizeof(url)) == 0);
        return 0;
    }
    FUZZ_CHECK(redis_url_is(text) && !*why);
    check_hosts(&url);
    check_name(url.user, true);
    check_name(url.password, true);
    check_name(url.master, url.kind != REDIS_SENTINEL);
    FUZZ_CHECK(url.database >= 0 && url.database <= 15);
    FUZZ_CHECK(url.database == 0 || url.kind == REDIS_SINGLE);
    return 0;
}
