/* The table of routes, how paths are matched, and the pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "api/assets.h"
#include "api/batch.h"
#include "api/routes.h"

static void patterns_match_whole_paths(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
        const char *first, *second; /* what stands for the braces; NULL: nothing */
    } rows[] = {
        {"/", "/", true},
        {"/", "", false},
        {"/", "//", false},
        {"/", "/x", false},
        {"/healthz", "/healthz", true},
        {"/healthz", "/healthz/", false},
        {"/healthz", "/Healthz", false},
        {"/healthz", "/%68ealthz", false},
        {"/healthz", "healthz", false},
        {"/v1/rooms/{room}", "/v1/rooms/a", true, "a"},
        {"/v1/rooms/{room}", "/v1/rooms/a%2Fb", true, "a%2Fb"},
        {"/v1/rooms/{room}", "/v1/rooms/{room}", true, "{room}"},
        {"/v1/rooms/{room}", "/v1/rooms/", false},
        {"/v1/rooms/{room}", "/v1/rooms", false},
        {"/v1/rooms/{room}", "/v1/rooms/a/", false},
        {"/v1/rooms/{room}", "/v1/rooms/a/b", false},
        {"/v1/rooms/{room}", "/v2/rooms/a", false},
        {"/v1/rooms/{room}/members/{user}", "/v1/rooms/a/members/b", true, "a", "b"},
        {"/v1/rooms/{room}/members/{user}", "/v1/rooms//members/b", false},
        {"/v1/rooms/{room}/members/{user}", "/v1/rooms/a/member/b", false},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct span found[ROUTE_PARAMETERS_MAX] = {{NULL, 0}};
        if (route_matches(rows[i].pattern, span_text(rows[i].path), found) != rows[i].matches)
            fail_msg("%s and %s", rows[i].pattern, rows[i].path);
        assert_int_equal(route_matches(rows[i].pattern, span_text(rows[i].path), NULL),
                         rows[i].matches);
        if (rows[i].first)
            assert_true(span_is(found[0], rows[i].first));
        if (rows[i].second)
            assert_true(span_is(found[1], rows[i].second));
    }
}

/* A path leads to one route for each method, whatever the order of the table. */
static void no_two_routes_share_a_path(void **state)
{
    const struct route *table = routes_table();
    int count = 0;
    for (const struct route *a = table; a->pattern; a++, count++) {
        assert_non_null(a->handle);
        assert_true(a->pattern[0] == '/');
        for (const struct route *b = table; b->pattern; b++) {
            if (a != b && a->method == b->method)
                assert_false(route_matches(a->pattern, span_text(b->pattern), NULL));
        }
    }
    assert_true(count > 20);
}

/* What each may ask without a token or as a guest is decided on purpose. */
static void what_is_open_is_known(void **state)
{
    static const char *const open[] = {"/v1/session", "/v1/dev/token", "/healthz",
                                       "/readyz",     "/openapi.json", "/"};
    for (const struct route *route = routes_table(); route->pattern; route++) {
        bool listed = false;
        for (size_t i = 0; i < array_count(open); i++)
            listed = listed || strcmp(open[i], route->pattern) == 0;
        if (route->access == ACCESS_OPEN)
            assert_true(listed);
        if (route->method != METHOD_GET && route->access == ACCESS_READ)
            assert_non_null(strstr(route->pattern, "/session"));
        assert_true(!route->is_stream || route->access == ACCESS_READ);
        assert_true(!route->is_events || (route->is_stream && route->rate == RATE_STREAMS));
        if (route->access == ACCESS_ADMIN || route->access == ACCESS_USER)
            assert_true(route->rate != RATE_NONE || strcmp(route->pattern, "/metrics") == 0 ||
                        strcmp(route->pattern, "/v1/batch") == 0); /* as its commands */
    }
}

/* Whatever changes something can be part of a batch, but for what is about the connection. */
static void every_command_has_a_type(void **state)
{
    static const char *const others[] = {"/v1/session", "/v1/dev/", "/v1/batch"};
    for (const struct route *route = routes_table(); route->pattern; route++) {
        bool found = route->method == METHOD_GET;
        for (size_t i = 0; i < array_count(others); i++)
            found |= strncmp(route->pattern, others[i], strlen(others[i])) == 0;
        for (const struct batch_command *at = batch_commands(); at->type; at++)
            found |= at->pattern && routes_find(at->method, at->pattern) == route;
        if (!found)
            fail_msg("no type of a batch stands for %s", route->pattern);
    }
    for (const struct batch_command *at = batch_commands(); at->type; at++) {
        if (at->pattern && !routes_find(at->method, at->pattern))
            fail_msg("%s stands for no route", at->type);
        assert_ptr_equal(batch_command_find(span_text(at->type)), at);
    }
    assert_null(batch_command_find(span_text("")));
    assert_null(batch_command_find(span_text("Send_message")));
    assert_string_equal(batch_command_find(span_text("custom.x"))->type, "custom_event");
}

static void pages_are_found_by_name(void **state)
{
    assert_string_equal(assets_find(span_text("/"))->name, "index.html");
    assert_ptr_equal(assets_find(span_text("/index.html")), assets_find(span_text("/")));
    assert_string_equal(assets_find(span_text("/openapi.json"))->name, "openapi.json");
    assert_null(assets_find(span_text("/errors"))->data);
    assert_null(assets_find(span_text("")));
    assert_null(assets_find(span_text("index.html")));
    assert_null(assets_find(span_text("//index.html")));
    assert_null(assets_find(span_text("/../index.html")));
    assert_null(assets_find(span_text("/index.htm")));
    assert_null(assets_find(span_text("/index.html/")));
    for (const struct embedded *page = embedded_www; page->name; page++) {
        assert_true(page->size > 0);
        assert_string_not_equal(assets_content_type(page->name), "application/octet-stream");
    }
    assert_string_equal(assets_content_type("a.b.js"), "text/javascript; charset=utf-8");
    assert_string_equal(assets_content_type("unknown"), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_whole_paths),
        cmocka_unit_test(no_two_routes_share_a_path),
        cmocka_unit_test(what_is_open_is_known),
        cmocka_unit_test(every_command_has_a_type),
        cmocka_unit_test(pages_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
