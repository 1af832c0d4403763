/* The configuration: each source, each type, each fault, and config/tidings.ini against the
 * table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "config.h"

#define SECRET "auth.secret=0123456789abcdef0123456789abcdef"

static struct config make(void)
{
    struct config config;
    assert_int_equal(config_init(&config), 0);
    return config;
}

static void set(struct config *config, const char *assignment)
{
    char why[CONFIG_WHY_MAX] = "";
    if (config_set(config, assignment, why, sizeof(why)) != 0)
        fail_msg("%s: %s", assignment, why);
}

static void defaults_are_as_documented(void **state)
{
    struct config config = make();
    const struct settings *settings = &config.settings;
    assert_int_equal(settings->server_listen.count, 1);
    assert_string_equal(settings->server_listen.items[0], "127.0.0.1:8080");
    assert_int_equal(settings->server_admin_listen.count, 0);
    assert_int_equal(settings->auth_leeway_ms, 30000);
    assert_int_equal(settings->auth_cookie_samesite, SAMESITE_STRICT);
    assert_false(settings->auth_dev_tokens);
    assert_string_equal(settings->journal_url, "sqlite:tidings.db");
    assert_int_equal(settings->journal_durability, DURABILITY_DISK);
    assert_int_equal(settings->journal_dedup_window_ms, 86400000);
    assert_int_equal(settings->sse_heartbeat_ms, 20000);
    assert_int_equal(settings->sse_retry_ms, 3000);
    assert_int_equal(settings->sse_queue_bytes, 65536);
    assert_int_equal(settings->poll_session_ttl_ms, 60000);
    assert_int_equal(settings->replay_max_events, 10000);
    assert_int_equal(settings->replay_ring_bytes, 8 << 20);
    assert_int_equal(settings->drain_notice_ms, 5000);
    assert_int_equal(settings->drain_spread_ms, 10000);
    assert_int_equal(settings->rooms_quiet_limit, 200);
    assert_int_equal(settings->rooms_stats_interval_ms, 5000);
    assert_int_equal(settings->limits_messages, 20);
    assert_int_equal(settings->limits_messages_burst, 100);
    assert_int_equal(settings->limits_service, 1000);
    assert_int_equal(settings->limits_streams_per_address, 200);
    assert_int_equal(settings->limits_streams_burst, 1000);
    assert_int_equal(settings->limits_fanout_bytes, 64 << 20);
    assert_int_equal(settings->limits_body_bytes, 1 << 20);
    config_fini(&config);
}

/* What each assignment puts into the amount at `offset`; -1: refused. */
static void amounts_take_their_units(void **state)
{
    static const struct {
        const char *assignment;
        size_t offset;
        int64_t expected;
    } rows[] = {
        {"sse.heartbeat=5", offsetof(struct settings, sse_heartbeat_ms), 5000},
        {"sse.heartbeat=500ms", offsetof(struct settings, sse_heartbeat_ms), 500},
        {"sse.heartbeat = 7s ", offsetof(struct settings, sse_heartbeat_ms), 7000},
        {"auth.leeway=0", offsetof(struct settings, auth_leeway_ms), 0},
        {"replay.ring_age=2m", offsetof(struct settings, replay_ring_age_ms), 120000},
        {"journal.dedup_window=48h", offsetof(struct settings, journal_dedup_window_ms), 172800000},
        {"sse.coalesce_ms=40", offsetof(struct settings, sse_coalesce_ms), 40},
        {"sse.coalesce_ms=2s", offsetof(struct settings, sse_coalesce_ms), 2000},
        {"receipts.coalesce_ms=0", offsetof(struct settings, receipts_coalesce_ms), 0},
        {"sse.queue_bytes=128k", offsetof(struct settings, sse_queue_bytes), 131072},
        {"replay.ring_bytes=1g", offsetof(struct settings, replay_ring_bytes), 1 << 30},
        {"limits.body_bytes=2048", offsetof(struct settings, limits_body_bytes), 2048},
        {"limits.messages=0", offsetof(struct settings, limits_messages), 0},
        {"sse.heartbeat=61s", 0, -1},
        {"sse.heartbeat=99ms", 0, -1},
        {"sse.heartbeat=", 0, -1},
        {"sse.heartbeat=5 s", 0, -1},
        {"sse.heartbeat=1.5s", 0, -1},
        {"sse.heartbeat=-5s", 0, -1},
        {"sse.heartbeat=5d", 0, -1},
        {"sse.heartbeat=5k", 0, -1},
        {"sse.heartbeat=05s", 0, -1},
        {"sse.heartbeat=9223372036854775807h", 0, -1},
        {"sse.heartbeat=99999999999999999999s", 0, -1},
        {"sse.queue_bytes=1s", 0, -1},
        {"limits.messages=1k", 0, -1},
        {"limits.messages=0x10", 0, -1},
        {"limits.messages=20 ; a comment", 0, -1},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct config config = make();
        char why[CONFIG_WHY_MAX] = "";
        int err = config_set(&config, rows[i].assignment, why, sizeof(why));
        if (err != (rows[i].expected < 0 ? ERR_CONFIG : 0))
            fail_msg("%s: %s: %s", rows[i].assignment, err_name(err), why);
        if (err == 0)
            assert_int_equal(*(int64_t *)((char *)&config.settings + rows[i].offset),
                             rows[i].expected);
        else
            assert_non_null(strstr(why, "--set: "));
        config_fini(&config);
    }
}

static void words_lists_and_booleans(void **state)
{
    struct config config = make();
    const struct settings *settings = &config.settings;
    set(&config, "auth.dev_tokens=yes");
    assert_true(settings->auth_dev_tokens);
    set(&config, "auth.dev_tokens=no");
    assert_false(settings->auth_dev_tokens);
    set(&config, "auth.cookie_samesite=none");
    assert_int_equal(settings->auth_cookie_samesite, SAMESITE_NONE);
    set(&config, "journal.durability=relaxed");
    assert_int_equal(settings->journal_durability, DURABILITY_RELAXED);
    set(&config, "rooms.create=service");
    assert_int_equal(settings->rooms_create, ROOMS_CREATE_SERVICE);
    set(&config, "presence.visible=realm");
    assert_int_equal(settings->presence_visible, PRESENCE_VISIBLE_REALM);
    set(&config, "log.level=debug");
    assert_string_equal(settings->log_level, "debug");
    set(&config, "server.listen= 127.0.0.1:0 ,[::1]:0,, ");
    assert_int_equal(settings->server_listen.count, 2);
    assert_string_equal(settings->server_listen.items[0], "127.0.0.1:0");
    assert_string_equal(settings->server_listen.items[1], "[::1]:0");
    set(&config, "server.listen=");
    assert_int_equal(settings->server_listen.count, 0);
    assert_null(settings->server_listen.items);
    set(&config, "auth.issuer=a=b");
    assert_string_equal(settings->auth_issuer, "a=b");
    config_fini(&config);
}

static void durability_is_relaxed_over_redis_unless_it_is_given(void **state)
{
    static const struct {
        const char *first, *second;
        enum durability expected;
    } rows[] = {
        {"journal.url=memory:", NULL, DURABILITY_DISK},
        {"journal.url=sqlite:redis:", NULL, DURABILITY_DISK},
        {"journal.url=redis://localhost", NULL, DURABILITY_RELAXED},
        {"journal.url=redis+unix:///a", NULL, DURABILITY_RELAXED},
        {"journal.url=redis://localhost", "journal.durability=disk", DURABILITY_DISK},
        {"journal.durability=replicated", "journal.url=redis://localhost", DURABILITY_REPLICATED},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct config config = make();
        set(&config, rows[i].first);
        if (rows[i].second)
            set(&config, rows[i].second);
        assert_int_equal(config_settle(&config), 0);
        assert_int_equal(config.settings.journal_durability, rows[i].expected);
        config_fini(&config);
    }
}

static void faults_name_key_and_reason(void **state)
{
    static const struct {
        const char *assignment, *part;
    } rows[] = {
        {"sse.heartbeats=5s", "no such key: sse.heartbeats"},
        {"listen=1", "no such key: listen"},
        {"=1", "no such key"},
        {"", "no such key"},
        {"sse.heartbeat", "say sse.heartbeat=VALUE"},
        {"auth.dev_tokens=true", "auth.dev_tokens: `true` is neither yes nor no"},
        {"auth.cookie_samesite=Strict", "none of strict|lax|none"},
        {"journal.durability=", "none of relaxed|disk|replicated"},
        {"server.workers=65", "too large: at most 64"},
        {"limits.body_bytes=10", "too small: at least 1024"},
        {"auth.issuer=a\nb", "auth.issuer: control characters"},
        {"auth.issuer=a\xff", "auth.issuer: control characters or no valid UTF-8"},
    };
    struct config config = make();
    for (size_t i = 0; i < array_count(rows); i++) {
        char why[CONFIG_WHY_MAX] = "";
        assert_int_equal(config_set(&config, rows[i].assignment, why, sizeof(why)), ERR_CONFIG);
        if (!strstr(why, rows[i].part))
            fail_msg("%s gave: %s", rows[i].assignment, why);
    }
    char why[CONFIG_WHY_MAX] = "";
    assert_int_equal(config_set(&config, "auth.secret=hush\x01hush", why, sizeof(why)), ERR_CONFIG);
    assert_null(strstr(why, "hush"));
    assert_string_equal(config.settings.auth_secret, "");
    config_fini(&config);
}

/* Files */

static int read_text(struct config *config, const char *text, char *why)
{
    char path[] = "/tmp/test_config_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int err = config_read_file(config, path, why, CONFIG_WHY_MAX);
    unlink(path);
    return err;
}

static void a_file_is_read(void **state)
{
    struct config config = make();
    char why[CONFIG_WHY_MAX] = "";
    int err = read_text(&config,
                        "# comment\n; another\n[server]\nlisten = 127.0.0.1:1,\n    [::1]:2\n"
                        "listen = 127.0.0.1:3\nworkers=3\n[auth]\nsecret = a ; b # c\n"
                        "[rooms]\nauto_create: yes",
                        why);
    assert_string_equal(why, "");
    assert_int_equal(err, 0);
    assert_int_equal(config.settings.server_listen.count, 3);
    assert_string_equal(config.settings.server_listen.items[1], "[::1]:2");
    assert_int_equal(config.settings.server_workers, 3);
    assert_string_equal(config.settings.auth_secret, "a ; b # c");
    assert_true(config.settings.rooms_auto_create);
    config_fini(&config);
}

static void faults_of_a_file_name_the_line(void **state)
{
    char long_line[400];
    snprintf(long_line, sizeof(long_line), "[auth]\nsecret = %0300d\n", 7);
    const struct {
        const char *text, *part;
    } rows[] = {
        {"[server]\n\nworkers = many\n", ":3: server.workers: `many` is no whole number"},
        {"[server]\nworker = 1\n", ":2: no such key: server.worker"},
        {"[servers]\nworkers = 1\n", ":2: no such key: servers.workers"},
        {"workers = 1\n", ":1: workers stands in no [section]"},
        {"[server]\nworkers = 1\nworkers = 2\n", ":3: server.workers stands here a second time"},
        {"[server]\nworkers\n", ":2: neither [section] nor key = value"},
        {"[server\nworkers = 1\n", ":2: workers stands in no [section]"},
        {long_line, ":2: line longer than 197 bytes"},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct config config = make();
        char why[CONFIG_WHY_MAX] = "";
        assert_int_equal(read_text(&config, rows[i].text, why), ERR_CONFIG);
        if (!strstr(why, rows[i].part))
            fail_msg("row %zu gave: %s", i, why);
        config_fini(&config);
    }
    struct config config = make();
    char why[CONFIG_WHY_MAX] = "";
    assert_int_equal(config_read_file(&config, "/nonexistent/x.ini", why, sizeof(why)), ERR_CONFIG);
    assert_string_equal(why, "/nonexistent/x.ini: No such file or directory");
    assert_int_equal(config_read_file(&config, "/", why, sizeof(why)), ERR_CONFIG);
    config_fini(&config);
}

/* inih's own buffer: what the header says of it is true of the library at hand. */
static void the_longest_line_is_read_whole(void **state)
{
    char text[CONFIG_LINE_MAX + 16] = "[auth]\nissuer = ";
    size_t start = strlen(text);
    size_t len = CONFIG_LINE_MAX - strlen("issuer = ");
    memset(text + start, 'x', len);
    strcpy(text + start + len, "\n");
    struct config config = make();
    char why[CONFIG_WHY_MAX] = "";
    assert_int_equal(read_text(&config, text, why), 0);
    assert_int_equal(strlen(config.settings.auth_issuer), len);
    text[start + len] = 'x';
    text[start + len + 1] = '\n';
    text[start + len + 2] = '\0';
    assert_int_equal(read_text(&config, text, why), ERR_CONFIG);
    config_fini(&config);
}

static void later_sources_win(void **state)
{
    struct config config = make();
    char why[CONFIG_WHY_MAX] = "";
    const char *environment[] = {"HOME=/",
                                 "TIDINGS_SSE_HEARTBEAT=9s",
                                 "TIDINGS_JOURNAL_DEDUP_WINDOW=2h",
                                 "TIDINGS_PORT_8080_TCP=tcp://1.2.3.4",
                                 "TIDINGS_SERVICE_HOST=1.2.3.4",
                                 NULL};
    assert_int_equal(read_text(&config, "[sse]\nheartbeat = 8s\nretry = 4s\n", why), 0);
    assert_int_equal(config_read_environment(&config, environment, why, sizeof(why)), 0);
    assert_int_equal(config.settings.sse_heartbeat_ms, 9000);
    assert_int_equal(config.settings.journal_dedup_window_ms, 7200000);
    assert_int_equal(config.settings.sse_retry_ms, 4000);
    set(&config, "sse.heartbeat=10s");
    assert_int_equal(config.settings.sse_heartbeat_ms, 10000);

    const char *wrong[] = {"TIDINGS_SSE_HEARTBEATS=9s", NULL};
    assert_int_equal(config_read_environment(&config, wrong, why, sizeof(why)), ERR_CONFIG);
    assert_string_equal(why, "environment: no such key: TIDINGS_SSE_HEARTBEATS");
    const char *bad[] = {"TIDINGS_SSE_HEARTBEAT=x", NULL};
    assert_int_equal(config_read_environment(&config, bad, why, sizeof(why)), ERR_CONFIG);
    assert_non_null(strstr(why, "environment: sse.heartbeat: "));
    config_fini(&config);
}

/* Each row is set on top of a secret; `part` NULL: the check passes. */
static void keys_that_exclude_or_need_one_another(void **state)
{
    static const struct {
        const char *first, *second, *third, *part;
    } rows[] = {
        {SECRET, NULL, NULL, NULL},
        {"auth.secret=", NULL, NULL, "no key for tokens"},
        {"auth.secret_file=k", NULL, NULL, NULL},
        {"auth.public_keys=k", NULL, NULL, NULL},
        {"auth.jwks_file=k", NULL, NULL, NULL},
        {SECRET, "auth.secret_file=k", NULL, "exclude"},
        {SECRET, "auth.dev_tokens=yes", NULL, NULL},
        {SECRET, "auth.dev_tokens=yes", "server.listen=127.0.0.1:1,[::1]:0,localhost:9", NULL},
        {SECRET, "auth.dev_tokens=yes", "server.listen=:0", "only with loopback"},
        {SECRET, "server.listen=:8080", NULL, NULL},
        {SECRET, "server.admin_listen=:0", NULL, "no loopback"},
        {SECRET, "auth.dev_tokens=yes", "server.listen=127.0.0.1:1,0.0.0.0:0",
         "only with loopback"},
        {SECRET, "auth.dev_tokens=yes", "server.listen=[::]:0", "only with loopback"},
        {SECRET, "auth.dev_tokens=yes", "server.listen=127.0.0.1.example:1", "only with loopback"},
        {"auth.public_keys=k", "auth.dev_tokens=yes", NULL, "needs auth.secret"},
        {SECRET, "server.listen=0.0.0.0:80", NULL, NULL},
        {SECRET, "server.listen=", NULL, "no address"},
        {SECRET, "server.listen=127.0.0.1", NULL, "no address as"},
        {SECRET, "server.listen=127.0.0.1:65536", NULL, "no address as"},
        {SECRET, "server.listen=[::1:80", NULL, "no address as"},
        {SECRET, "server.listen=::1:80", NULL, "no address as"},
        {SECRET, "server.admin_listen=127.0.0.1:0", NULL, NULL},
        {SECRET, "server.admin_listen=0.0.0.0:0", NULL, "no loopback"},
        {SECRET, "tls.cert=c", NULL, "need one another"},
        {SECRET, "tls.key=c", NULL, "need one another"},
        {SECRET, "tls.key=c", "tls.cert=c", NULL},
        {SECRET, "journal.url=memory:", NULL, NULL},
        {SECRET, "journal.url=sqlite:", NULL, "neither memory:, sqlite:PATH nor"},
        {SECRET, "journal.url=tidings.db", NULL, "neither memory:, sqlite:PATH nor"},
        {SECRET, "journal.durability=replicated", NULL, "needs Redis"},
        {SECRET, "journal.url=redis://a.example/3", NULL, NULL},
        {SECRET, "journal.url=redis://a:b@[::1]:7", "journal.durability=replicated", NULL},
        {SECRET, "journal.url=redis+unix:///run/redis/socket", NULL, NULL},
        {SECRET, "journal.url=redis+unix://run/redis/socket", NULL, "journal.url: after"},
        {SECRET, "journal.url=redis://a.example,b.example", NULL, "journal.url: several hosts"},
        {SECRET, "journal.url=redis+sentinel://a.example/main", NULL, "is not served"},
        {SECRET, "journal.url=redis+cluster://a.example", NULL, "is not served"},
        {SECRET, "http.allowed_origins=https://a.example,http://b:8080", NULL, NULL},
        {SECRET, "http.allowed_origins=*", NULL, NULL},
        {SECRET, "http.allowed_origins=https://*.example", NULL, "no origin"},
        {SECRET, "http.allowed_origins=null", NULL, "no origin"},
        {SECRET, "http.allowed_origins=https://", NULL, "no origin"},
        {SECRET, "http.allowed_origins=https://a.example/", NULL, "no origin"},
        {SECRET, "http.public_origin=a.example", NULL, "no origin"},
        {SECRET, "http.trusted_proxies=10.0.0.0/8,::1,fd00::/8", NULL, NULL},
        {SECRET, "http.trusted_proxies=10.0.0.0/33", NULL, "no address or block"},
        {SECRET, "http.trusted_proxies=proxy.example", NULL, "no address or block"},
        {SECRET, "typing.throttle=20s", NULL, "above typing.timeout"},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct config config = make();
        set(&config, rows[i].first);
        if (rows[i].second)
            set(&config, rows[i].second);
        if (rows[i].third)
            set(&config, rows[i].third);
        char why[CONFIG_WHY_MAX] = "";
        int err = config_check(&config, NULL, why, sizeof(why));
        if (err != (rows[i].part ? ERR_CONFIG : 0) || (rows[i].part && !strstr(why, rows[i].part)))
            fail_msg("row %zu: %s: %s", i, err_name(err), why);
        config_fini(&config);
    }
}

static void warnings_are_told(void **state)
{
    struct config config = make();
    set(&config, SECRET);
    set(&config, "presence.grace=1s");
    char why[CONFIG_WHY_MAX] = "", *text = NULL;
    size_t size = 0;
    FILE *warnings = open_memstream(&text, &size);
    assert_int_equal(config_check(&config, warnings, why, sizeof(why)), 0);
    fclose(warnings);
    assert_non_null(strstr(text, "presence.grace"));
    free(text);
    config_fini(&config);
}

/* Printing */

static char *printed(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    config_print(config, out);
    fclose(out);
    return text;
}

static void the_sample_file_is_what_is_printed(void **state)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/config/tidings.ini", getenv("SOURCE_ROOT"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char text[65536];
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    struct config config = make();
    char *now = printed(&config);
    if (strcmp(now, text) != 0)
        fail_msg("config/tidings.ini is not what `tidingsd --print-config` prints");
    free(now);
    config_fini(&config);
}

static void what_is_printed_can_be_read(void **state)
{
    struct config config = make(), again = make();
    set(&config, "sse.heartbeat=7s");
    set(&config, "server.listen=[::1]:9");
    char *text = printed(&config);
    char why[CONFIG_WHY_MAX] = "";
    assert_int_equal(read_text(&again, text, why), 0);
    assert_string_equal(why, "");
    for (int i = 0; i < config_key_count; i++)
        assert_string_equal(config.values[i], again.values[i]);
    free(text);
    config_fini(&config);
    config_fini(&again);
}

static void secrets_are_not_printed(void **state)
{
    struct config config = make();
    set(&config, SECRET);
    set(&config, "journal.url=redis://someone:us@hush@host:1/");
    char *text = printed(&config);
    assert_null(strstr(text, "0123456789abcdef"));
    assert_non_null(strstr(text, "\nsecret = (set)\n"));
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "\nurl = redis://(set)@host:1/\n"));
    free(text);
    config_fini(&config);
}

static void the_reference_has_every_key(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    config_print_reference(out);
    fclose(out);
    for (const struct config_key *key = config_keys; key->name; key++) {
        char cell[128];
        snprintf(cell, sizeof(cell), "| `%s` |", key->name);
        assert_non_null(strstr(text, cell));
        assert_non_null(strchr(key->name, '.'));
        assert_true(strlen(key->help) > 10 && !strchr(key->help, '|'));
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_documented),
        cmocka_unit_test(amounts_take_their_units),
        cmocka_unit_test(words_lists_and_booleans),
        cmocka_unit_test(durability_is_relaxed_over_redis_unless_it_is_given),
        cmocka_unit_test(faults_name_key_and_reason),
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(faults_of_a_file_name_the_line),
        cmocka_unit_test(the_longest_line_is_read_whole),
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(keys_that_exclude_or_need_one_another),
        cmocka_unit_test(warnings_are_told),
        cmocka_unit_test(the_sample_file_is_what_is_printed),
        cmocka_unit_test(what_is_printed_can_be_read),
        cmocka_unit_test(secrets_are_not_printed),
        cmocka_unit_test(the_reference_has_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
