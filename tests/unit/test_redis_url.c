/* Addresses of a journal over Redis, as people write them and mistype them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/redis_url.h"

#define LONG_50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define LONG_250 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50
#define PATH_106 "/" LONG_50 LONG_50 "fffff"

/* All that was read, as one text: kind user password host:port … master database. */
static void tell(const struct redis_url *url, char *text, size_t size)
{
    static const char *const kinds[] = {"single", "sentinel", "cluster"};
    size_t len =
        (size_t)snprintf(text, size, "%s '%s' '%s'", kinds[url->kind], url->user, url->password);
    for (int i = 0; i < url->host_count; i++)
        len += (size_t)snprintf(text + len, size - len, " %s|%d", url->hosts[i].name,
                                url->hosts[i].port);
    snprintf(text + len, size - len, " '%s' %d", url->master, url->database);
}

static void test_read(void **state)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"redis://localhost", "single '' '' localhost|6379 '' 0"},
        {"redis://localhost/", "single '' '' localhost|6379 '' 0"},
        {"redis://a.b-c_d:1/15", "single '' '' a.b-c_d|1 '' 15"},
        {"redis://10.0.0.1:65535/0", "single '' '' 10.0.0.1|65535 '' 0"},
        {"redis://[::1]", "single '' '' ::1|6379 '' 0"},
        {"redis://[fe80::1%eth0]:7/3", "single '' '' fe80::1%eth0|7 '' 3"},
        {"redis://:secret@h", "single '' 'secret' h|6379 '' 0"},
        {"redis://bob:secret@h:2/4", "single 'bob' 'secret' h|2 '' 4"},
        {"redis://bob:@h", "single 'bob' '' h|6379 '' 0"},
        {"redis://:@h", "single '' '' h|6379 '' 0"},
        {"redis://b%6fb:%40%2F%3a%25@h", "single 'bob' '@/:%' h|6379 '' 0"},
        {"redis://bob:a:b@h", "single 'bob' 'a:b' h|6379 '' 0"},
        {"redis://bob:a@b@h", "single 'bob' 'a@b' h|6379 '' 0"},
        {"redis://:%c3%BC@h", "single '' '\xc3\xbc' h|6379 '' 0"},
        {"redis+unix:///run/redis.sock", "single '' '' /run/redis.sock|0 '' 0"},
        {"redis+unix:///a/b@c", "single '' '' /a/b@c|0 '' 0"},
        {"redis+unix://bob:secret@/s", "single 'bob' 'secret' /s|0 '' 0"},
        {"redis+unix://" PATH_106, "single '' '' " PATH_106 "|0 '' 0"},
        {"redis+sentinel://h/main", "sentinel '' '' h|26379 'main' 0"},
        {"redis+sentinel://:s@a,b:2,[::3]:4/my-main.1_x",
         "sentinel '' 's' a|26379 b|2 ::3|4 'my-main.1_x' 0"},
        {"redis+cluster://a,b:2", "cluster '' '' a|6379 b|2 '' 0"},
        {"redis+cluster://u:p@a/", "cluster 'u' 'p' a|6379 '' 0"},
        {"redis+cluster://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,b",
         "cluster '' '' a|6379 a|6379 a|6379 a|6379 a|6379 a|6379 a|6379 a|6379 a|6379 a|6379 "
         "a|6379 a|6379 a|6379 a|6379 a|6379 b|6379 '' 0"},
        {"redis://:" LONG_250 "12345@h", "single '' '" LONG_250 "12345' h|6379 '' 0"},
    };

    for (size_t i = 0; i < array_count(rows); i++) {
        char why[128] = "", told[1024];
        struct redis_url url;
        assert_true(redis_url_is(span_text(rows[i].text)));
        if (redis_url_parse(span_text(rows[i].text), why, sizeof(why), &url))
            fail_msg("%s: %s", rows[i].text, why);
        tell(&url, told, sizeof(told));
        assert_string_equal(told, rows[i].told);
    }
}

static const char login[] = "user:password", path[] = "whole path", host[] = "a host is not";
static const char database[] = "from 0 to 15", scheme[] = "redis+unix://, redis+sentinel://";
static const char master[] = "/master-name", several[] = "several hosts";

static const struct {
    const char *text, *why;
} wrong[] = {
    {"redis:", scheme},
    {"redis:/h", scheme},
    {"redis+tls://sEcret@h", scheme},
    {"redis+sentinels://h", scheme},
    {"redis://", host},
    {"redis:///1", host},
    {"redis://:1", host},
    {"redis://h:", host},
    {"redis://h:0", host},
    {"redis://h:65536", host},
    {"redis://h:6379x", host},
    {"redis://h:-1", host},
    {"redis://h:+1", host},
    {"redis://::1", host},
    {"redis://[::1", host},
    {"redis://[]", host},
    {"redis://[::1]6379", host},
    {"redis://[::1]:", host},
    {"redis://a b", host},
    {"redis://h?db=1", host},
    {"redis://h#1", host},
    {"redis://h\\1", host},
    {"redis://" LONG_250 "123456", host},
    {"redis://h,", host},
    {"redis://,h", host},
    {"redis+cluster://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", host},
    {"redis://a,b", several},
    {"redis://sEcret@h", login},
    {"redis://@h", login},
    {"redis://:sEcret%@h", login},
    {"redis://:sEcret%4@h", login},
    {"redis://:sEcret%4g@h", login},
    {"redis://:sEcret%00@h", login},
    {"redis://:" LONG_250 "123456@h", login},
    {"redis://" LONG_250 "123456:sEcret@h", login},
    {"redis://:sEcret/sEcret@h", host},
    {"redis://bob:sEcret/sEcret@h", host},
    {"redis://bob:12/sEcret@h", database},
    {"redis://h/16", database},
    {"redis://h/-1", database},
    {"redis://h/01", database},
    {"redis://h/1/", database},
    {"redis://h/x", database},
    {"redis+cluster://h/0", "no databases"},
    {"redis+unix://", path},
    {"redis+unix://redis.sock", path},
    {"redis+unix://:sEcret@redis.sock", path},
    {"redis+unix://" PATH_106 "x", "106 bytes"},
    {"redis+sentinel://h", master},
    {"redis+sentinel://h/", master},
    {"redis+sentinel://h/a/b", master},
    {"redis+sentinel://h/a b", master},
    {"redis+sentinel://bob:12/sEcret@h", master},
    {"redis+sentinel://h/" LONG_250 "123456", master},
};

/* What is wrong is said, and nothing of the password with it. */
static void test_refused(void **state)
{
    for (size_t i = 0; i < array_count(wrong); i++) {
        char why[128] = "";
        struct redis_url url = {.database = 7};
        assert_true(redis_url_is(span_text(wrong[i].text)));
        if (redis_url_parse(span_text(wrong[i].text), why, sizeof(why), &url) != ERR_CONFIG)
            fail_msg("%s is taken", wrong[i].text);
        if (!strstr(why, wrong[i].why))
            fail_msg("%s: %s", wrong[i].text, why);
        assert_null(strstr(why, "sEcret"));
        assert_int_equal(url.database, 7);
        assert_true(strlen(why) < sizeof(why) - 1);
    }
}

static void test_not_zero_ended(void **state)
{
    static const char text[] = "redis://:pass@host:12/3456";
    char why[128], told[1024];
    struct redis_url url;
    assert_int_equal(redis_url_parse(span_of(text, 23), why, sizeof(why), &url), 0);
    tell(&url, told, sizeof(told));
    assert_string_equal(told, "single '' 'pass' host|12 '' 3");
    assert_int_equal(redis_url_parse(span_of("redis://:a\0b@h", 14), why, sizeof(why), &url),
                     ERR_CONFIG);
    assert_int_equal(redis_url_parse(span_of("redis://h\0b", 11), why, sizeof(why), &url),
                     ERR_CONFIG);
    assert_int_equal(redis_url_parse(span_of("redis+unix:///a\0b", 17), why, sizeof(why), &url),
                     ERR_CONFIG);
}

static void test_others(void **state)
{
    static const char *const texts[] = {"",           "memory:",   "sqlite:redis://", "redis",
                                        "rediss://h", "Redis://h", " redis://h"};
    for (size_t i = 0; i < array_count(texts); i++) {
        char why[128];
        struct redis_url url;
        assert_false(redis_url_is(span_text(texts[i])));
        assert_int_equal(redis_url_parse(span_text(texts[i]), why, sizeof(why), &url), ERR_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_not_zero_ended),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
