/* Receipts: how moves are gathered, and when they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/receipt.h"

#define DELAY_MS 500

static struct receipts receipts;

static int set_up(void **state)
{
    receipts_init(&receipts, DELAY_MS);
    return 0;
}

static int tear_down(void **state)
{
    receipts_fini(&receipts);
    return 0;
}

static void add(const char *user, const char *room, bool for_others, uint64_t after_ms,
                int64_t now_ms)
{
    struct receipt *receipt = receipt_new(span_text("main"), span_text(user), span_text(room),
                                          for_others, (struct event_id){after_ms, 0});
    assert_non_null(receipt);
    receipts_add(&receipts, receipt, now_ms);
}

static void take(int64_t now_ms, const char *user, const char *room, bool for_others,
                 uint64_t after_ms)
{
    struct receipt *receipt = receipts_take(&receipts, now_ms);
    assert_non_null(receipt);
    assert_true(span_is(receipt->realm, "main"));
    assert_true(span_is(receipt->user, user));
    assert_true(span_is(receipt->room, room));
    assert_int_equal(receipt->for_others, for_others);
    assert_int_equal(receipt->after.ms, after_ms);
    free(receipt);
}

static void test_none_waits_in_a_hurry(void **state)
{
    add("ann", "tea", true, 0, 0);
    add("ann", "den", true, 0, 300);
    receipts_hurry(&receipts, 400);
    assert_int_equal(receipts_wait_ms(&receipts, 400), 0);
    take(400, "ann", "tea", true, 0);
    take(400, "ann", "den", true, 0);
    add("ann", "tea", true, 0, 450);
    take(450, "ann", "tea", true, 0);
    assert_null(receipts_take(&receipts, INT64_MAX));
}

static void test_many_moves_are_told_once(void **state)
{
    assert_int_equal(receipts_wait_ms(&receipts, 0), -1);
    for (int i = 0; i < 100; i++)
        add("ann", "tea", false, 0, i);
    assert_null(receipts_take(&receipts, DELAY_MS - 1));
    assert_int_equal(receipts_wait_ms(&receipts, 100), DELAY_MS - 100);
    assert_int_equal(receipts_wait_ms(&receipts, 2 * DELAY_MS), 0);
    take(DELAY_MS, "ann", "tea", false, 0);
    assert_null(receipts_take(&receipts, INT64_MAX));
    assert_int_equal(receipts_wait_ms(&receipts, DELAY_MS), -1);
    /* The next move waits anew. */
    add("ann", "tea", false, 0, DELAY_MS + 1);
    assert_null(receipts_take(&receipts, 2 * DELAY_MS));
    take(2 * DELAY_MS + 1, "ann", "tea", false, 0);
}

static void test_what_is_told_covers_all_of_them(void **state)
{
    add("ann", "tea", false, 7, 0);
    add("ann", "tea", true, 9, 1);
    add("ann", "tea", false, 3, 2);
    take(DELAY_MS, "ann", "tea", true, 3);
}

static void test_each_marker_by_itself_in_order(void **state)
{
    add("ann", "tea", true, 0, 0);
    add("bob", "tea", true, 0, 1);
    add("ann", "den", true, 0, 2);
    add("ann", "", true, 5, 3);
    add("anntea", "", true, 5, 3); /* the same letters */
    add("ann", "tea", true, 0, 4);
    take(DELAY_MS, "ann", "tea", true, 0);
    assert_null(receipts_take(&receipts, DELAY_MS));
    take(DELAY_MS + 1, "bob", "tea", true, 0);
    take(DELAY_MS + 9, "ann", "den", true, 0);
    take(DELAY_MS + 9, "ann", "", true, 5);
    take(DELAY_MS + 9, "anntea", "", true, 5);
    assert_null(receipts_take(&receipts, DELAY_MS + 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_none_waits_in_a_hurry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_moves_are_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_told_covers_all_of_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_marker_by_itself_in_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
