/* The pure values of the core: ids, names, grants, rates, frames, the ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/ident.h"
#include "core/rate.h"
#include "core/ring.h"

static void ids_are_strict(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"0-0", true}, {"1700000000000-12", true},
        {"18446744073709551615-18446744073709551615", true},
        {"", false}, {"-", false}, {"1-", false}, {"-1", false}, {"1", false}, {"01-0", false},
        {"1-00", false}, {"1-1-1", false}, {" 1-1", false}, {"1-1 ", false}, {"+1-1", false},
        {"18446744073709551616-0", false}, {"1-18446744073709551616", false}, {"a-b", false},
        {"000000000000000000000000000000000000000000-0", false},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct event_id id;
        char text[EVENT_ID_TEXT_MAX];
        int err = event_id_parse(span_text(cases[i].text), &id);
        assert_int_equal(err == 0, cases[i].valid);
        if (err)
            continue;
        assert_int_equal(event_id_format(id, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void ids_compare_as_numbers(void **state)
{
    struct event_id a = {9, 5}, b = {10, 0}, c = {10, 11}, d = {10, 9};
    assert_true(event_id_compare(a, b) < 0);
    assert_true(event_id_compare(c, d) > 0);
    assert_int_equal(event_id_compare(c, c), 0);
    assert_true(event_id_compare(event_id_next(c), c) > 0);
    assert_true(event_id_next((struct event_id){1, UINT64_MAX}).ms == 2);
}

static void names_keep_to_the_rules(void **state)
{
    char longest[IDENT_BYTES_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    static const struct {
        const char *text;
        bool valid, user, message;
    } cases[] = {
        {"team-1", true, true, true}, {"A.z_0:9@b~c-d", true, true, true},
        {"auth0|5f", false, true, false}, {"a+b=c", false, true, false},
        {"1700-1", true, true, false}, {"1700-1-", true, true, true}, {"-1", true, true, true},
        {"1-", true, true, true}, {"", false, false, false}, {".", false, false, false},
        {"..", false, false, false}, {"...", true, true, true}, {"a b", false, false, false},
        {"a/b", false, false, false}, {"\xC3\xA4", false, false, false},
        {"a\nb", false, false, false}, {"a,b", false, false, false}, {"*", false, false, false},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct span text = span_text(cases[i].text);
        assert_int_equal(ident_is_valid(text), cases[i].valid);
        assert_int_equal(ident_is_user(text), cases[i].user);
        assert_int_equal(ident_is_message(text), cases[i].message);
    }
    assert_true(ident_is_valid(span_of(longest, IDENT_BYTES_MAX)));
    assert_false(ident_is_valid(span_of(longest, IDENT_BYTES_MAX + 1)));
    assert_false(ident_is_valid(span_of("a\0b", 3)));
}

static void grants_add_up(void **state)
{
    struct grants *grants = malloc(sizeof(*grants) + 3 * sizeof(struct grant));
    grants->count = 3;
    grants->items[0] = (struct grant){"team-", 5, GRANT_READ, true};
    grants->items[1] = (struct grant){"team-1", 6, GRANT_POST, false};
    grants->items[2] = (struct grant){"x", 1, GRANT_MANAGE, false};
    assert_int_equal(grants_for(grants, span_text("team-1")), GRANT_READ | GRANT_POST);
    assert_int_equal(grants_for(grants, span_text("team-10")), GRANT_READ);
    assert_int_equal(grants_for(grants, span_text("team")), 0);
    assert_int_equal(grants_for(grants, span_text("xy")), 0);
    assert_int_equal(grants_for(NULL, span_text("x")), 0);
    grants->items[2] = (struct grant){"", 0, GRANT_READ, true};
    assert_int_equal(grants_for(grants, span_text("anything")), GRANT_READ);
    free(grants);
}

static void a_rate_lets_a_burst_through_and_then_the_rate(void **state)
{
    struct rate rate = {0};
    int64_t wait_ms = 0, now_ms = 100000;
    for (int i = 0; i < 5; i++)
        assert_true(rate_take(&rate, 2, 5, 1, now_ms, &wait_ms));
    assert_false(rate_take(&rate, 2, 5, 1, now_ms, &wait_ms));
    assert_int_equal(wait_ms, 500);
    assert_false(rate_take(&rate, 2, 5, 1, now_ms + 499, &wait_ms));
    assert_true(rate_take(&rate, 2, 5, 1, now_ms + 500, &wait_ms));
    assert_int_equal(rate_left(&rate, 2, 5, now_ms + 1500), 2);
    assert_int_equal(rate_left(&rate, 2, 5, now_ms + 1000000), 5);
    assert_false(rate_take(&rate, 2, 5, 6, now_ms + 1000000, &wait_ms));
    assert_true(rate_take(&rate, 0, 0, 1000, now_ms, &wait_ms));
    /* A clock that goes back gives nothing and takes nothing. */
    struct rate other = {0};
    assert_true(rate_take(&other, 1, 1, 1, now_ms, NULL));
    assert_false(rate_take(&other, 1, 1, 1, now_ms - 5000, NULL));
}

static struct frame *frame_at(uint64_t ms, const char *body)
{
    struct frame *frame;
    struct frame_spec spec = {
        .type = EVENT_NEW_MESSAGE,
        .audience = AUDIENCE_ROOM,
        .id = {ms, 1},
        .timestamp_ms = 17,
        .realm = span_text("main"),
        .room = span_text("r"),
        .body = span_text(body),
    };
    assert_int_equal(frame_new(&spec, &frame), 0);
    return frame;
}

static void a_frame_is_one_block(void **state)
{
    struct frame *frame = frame_at(5, "{\"roomId\":\"r\"}");
    const char *wire = "id: 5-1\nevent: new_message\n"
                       "data: {\"type\":\"new_message\",\"id\":\"5-1\",\"timestamp\":17,"
                       "\"roomId\":\"r\"}\n\n";
    assert_int_equal(frame->size, strlen(wire));
    assert_memory_equal(frame->wire, wire, frame->size);
    assert_memory_equal(frame->wire + frame->event_at, "event: ", 7);
    assert_memory_equal(frame->wire + frame->data_at, "data: ", 6);
    assert_int_equal(frame_json(frame).data[0], '{');
    assert_int_equal(frame_json(frame).data[frame_json(frame).len - 1], '}');
    assert_string_equal(frame->room, "r");
    assert_null(frame->user);
    assert_ptr_equal(frame_ref(frame), frame);
    assert_null(frame_unref(frame));
    assert_null(frame_unref(frame));
    assert_null(frame_unref(NULL));
}

static void a_block_about_the_session_has_retry_and_an_optional_id(void **state)
{
    static const struct {
        struct frame_spec spec;
        const char *wire;
    } cases[] = {
        {{.type = EVENT_CONNECTED, .with_id = true, .retry_ms = 3000},
         "id: 0-0\nretry: 3000\nevent: connected\ndata: {\"type\":\"connected\"}\n\n"},
        {{.type = EVENT_HEARTBEAT}, "event: heartbeat\ndata: {\"type\":\"heartbeat\"}\n\n"},
        {{.type = EVENT_HEARTBEAT, .id = {7, 0}},
         "id: 7-0\nevent: heartbeat\ndata: {\"type\":\"heartbeat\"}\n\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct frame *frame;
        struct frame_spec spec = cases[i].spec;
        spec.audience = AUDIENCE_SESSION;
        spec.body = span_text("{}");
        assert_int_equal(frame_new(&spec, &frame), 0);
        assert_int_equal(frame->size, strlen(cases[i].wire));
        assert_memory_equal(frame->wire, cases[i].wire, frame->size);
        frame_unref(frame);
    }
}

static void an_event_has_a_largest_size(void **state)
{
    char *body = malloc(EVENT_BYTES_MAX + 16);
    struct frame *frame;
    memset(body, 'x', EVENT_BYTES_MAX + 16);
    memcpy(body, "{\"a\":\"", 6);
    memcpy(body + EVENT_BYTES_MAX, "\"}", 3);
    struct frame_spec spec = {.type = EVENT_NEW_MESSAGE, .body = span_text(body)};
    assert_int_equal(frame_new(&spec, &frame), ERR_FULL);
    free(body);
}

static void the_ring_covers_what_it_holds(void **state)
{
    struct ring ring;
    ring_init(&ring, 1000, 1000);
    assert_false(ring_covers(&ring, (struct event_id){5, 0}));
    ring_set_floor(&ring, (struct event_id){5, 0});
    assert_true(ring_covers(&ring, (struct event_id){5, 0}));
    assert_false(ring_covers(&ring, (struct event_id){4, 9}));
    for (uint64_t ms = 6; ms < 106; ms++) {
        struct frame *frame = frame_at(ms, "{}");
        ring_add(&ring, frame, (int64_t)ms);
        frame_unref(frame);
    }
    assert_true(ring.bytes <= 1000);
    assert_true(ring.count >= 1 && ring.count < 100);
    struct event_id oldest = ring_at(&ring, 0)->id;
    assert_false(ring_covers(&ring, (struct event_id){5, 0}));
    assert_true(ring_covers(&ring, ring.floor));
    assert_true(event_id_compare(ring.floor, oldest) < 0);
    assert_int_equal(ring_find_after(&ring, ring.floor), 0);
    assert_int_equal(ring_find_after(&ring, oldest), 1);
    assert_int_equal(ring_find_after(&ring, (struct event_id){1000, 0}), ring.count);
    /* By age all but the newest go. */
    struct frame *frame = frame_at(5000, "{}");
    ring_add(&ring, frame, 5000);
    assert_int_equal(ring.count, 1);
    frame_unref(frame);
    ring_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_strict),
        cmocka_unit_test(ids_compare_as_numbers),
        cmocka_unit_test(names_keep_to_the_rules),
        cmocka_unit_test(grants_add_up),
        cmocka_unit_test(a_rate_lets_a_burst_through_and_then_the_rate),
        cmocka_unit_test(a_frame_is_one_block),
        cmocka_unit_test(a_block_about_the_session_has_retry_and_an_optional_id),
        cmocka_unit_test(an_event_has_a_largest_size),
        cmocka_unit_test(the_ring_covers_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
