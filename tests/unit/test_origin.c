/* Origins as pages and enemies send them, and the form of the cookie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/cookie.h"
#include "api/origin.h"
#include "base/err.h"

static void origins_are_compared_as_wholes(void **state)
{
    static char app[] = "https://app.example.com", local[] = "http://localhost:5173";
    static char nobody[] = "null", star[] = "*";
    static char *listed[] = {app, local, nobody, star};
    static const struct {
        const char *public_origin, *origin, *host;
        bool secure, own, listed;
    } rows[] = {
        {"", NULL, "a.com", false, false, false},
        {"", "", "a.com", false, false, false},
        {"", "null", "a.com", false, false, false},
        {"", "*", "a.com", false, false, false},
        {"", "http://a.com", "a.com", false, true, false},
        {"", "http://a.com", "a.com", true, false, false},
        {"", "https://a.com", "a.com", true, true, false},
        {"", "https://a.com", "a.com", false, false, false},
        {"", "http://a.com:8080", "a.com:8080", false, true, false},
        {"", "http://a.com:8080", "a.com", false, false, false},
        {"", "http://a.com", "a.com:8080", false, false, false},
        {"", "http://a.com.evil.com", "a.com", false, false, false},
        {"", "http://evil-a.com", "a.com", false, false, false},
        {"", "http://A.com", "a.com", false, false, false},
        {"", "http://a.com/", "a.com", false, false, false},
        {"", "http://", "", false, false, false},
        {"", "http://", NULL, false, false, false},
        {"https://a.com", "https://a.com", "10.0.0.1", false, true, false},
        {"https://a.com", "http://10.0.0.1", "10.0.0.1", false, false, false},
        {"", "https://app.example.com", "a.com", false, false, true},
        {"", "http://app.example.com", "a.com", false, false, false},
        {"", "https://app.example.com.", "a.com", false, false, false},
        {"", "https://app.example.com:443", "a.com", false, false, false},
        {"", "https://xapp.example.com", "a.com", false, false, false},
        {"", "https://app.example.com.evil.com", "a.com", false, false, false},
        {"", "http://localhost:5173", "a.com", false, false, true},
        {"", "http://localhost:51730", "a.com", false, false, false},
    };
    const struct setting_list list = {listed, array_count(listed)};

    for (size_t i = 0; i < array_count(rows); i++) {
        const struct settings settings = {.http_public_origin = rows[i].public_origin};
        const struct span origin = span_text(rows[i].origin);
        if (origin_is_own(&settings, rows[i].secure, span_text(rows[i].host), origin) !=
                rows[i].own ||
            (origin_find(&list, origin) != NULL) != rows[i].listed)
            fail_msg("row %zu: %s", i, rows[i].origin);
    }
}

static void loopback_origins_are_known(void **state)
{
    static const struct {
        const char *origin;
        bool loopback;
    } rows[] = {
        {"http://localhost", true}, {"http://localhost:8080", true}, {"http://127.0.0.1:1", true},
        {"https://127.1.2.3", true}, {"http://[::1]:80", true}, {"http://[::1]", true},
        {"http://localhost.evil.com", false}, {"http://127.0.0.1.evil.com", false},
        {"http://127.evil.com", false}, {"http://128.0.0.1", false}, {"http://127.0.0.256", false},
        {"http://127.0.1", false}, {"http://[::2]", false}, {"http://[::1", false}, {"null", false},
        {"localhost", false}, {"http://", false}, {NULL, false},
    };

    for (size_t i = 0; i < array_count(rows); i++)
        assert_int_equal(origin_is_loopback(span_text(rows[i].origin)), rows[i].loopback);
}

static void a_cookie_has_a_size(void **state)
{
    static char token[8192], out[COOKIE_HEADER_BYTES_MAX];

    memset(token, 'a', sizeof(token));
    assert_int_equal(cookie_format(span_of(token, 4096 - 14), true, SAMESITE_STRICT,
                                   INT64_MAX, out), ERR_OK);
    assert_int_equal(cookie_format(span_of(token, 4096 - 13), true, SAMESITE_STRICT, 1, out),
                     ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_compared_as_wholes),
        cmocka_unit_test(loopback_origins_are_known),
        cmocka_unit_test(a_cookie_has_a_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
