/* The limiter: whom a bucket belongs to, what is told on refusal, debts, and a full table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "api/limiter.h"

#define NOW 1000000

static const struct settings settings = {
    .limits_requests = 10,
    .limits_messages = 2,
    .limits_messages_burst = 5,
    .limits_typing = 0,
    .limits_service = 100,
    .limits_streams_per_address = 1,
    .limits_streams_burst = 3,
    .limits_fanout_bytes = 1000,
};

static struct limiter *make(void)
{
    struct limiter *limiter = limiter_new(&settings);
    assert_non_null(limiter);
    return limiter;
}

static struct limit_subject user(const char *realm, const char *name)
{
    return (struct limit_subject){.realm = span_text(realm), .user = span_text(name)};
}

static struct limit_subject address(const char *text)
{
    return (struct limit_subject){.address = span_text(text)};
}

/* How many of 20 are let through at once. */
static int taken(struct limiter *limiter, enum limit limit, struct limit_subject subject)
{
    int count = 0;
    for (int i = 0; i < 20; i++)
        count += limiter_take(limiter, limit, &subject, 1, NOW, NULL);
    return count;
}

static void each_kind_and_name_has_a_bucket(void **state)
{
    struct limiter *limiter = make();
    assert_int_equal(taken(limiter, LIMIT_MESSAGES, user("main", "alice")), 5);
    assert_int_equal(taken(limiter, LIMIT_MESSAGES, user("main", "alice")), 0);
    assert_int_equal(taken(limiter, LIMIT_MESSAGES, user("main", "bob")), 5);
    assert_int_equal(taken(limiter, LIMIT_MESSAGES, user("other", "alice")), 5);
    assert_int_equal(taken(limiter, LIMIT_REQUESTS, user("main", "alice")), 10);
    assert_int_equal(taken(limiter, LIMIT_TYPING, user("main", "alice")), 20);
    /* the parts of a name do not run into one another */
    assert_int_equal(taken(limiter, LIMIT_REQUESTS, user("ab", "c")), 10);
    assert_int_equal(taken(limiter, LIMIT_REQUESTS, user("a", "bc")), 10);
    struct limit_subject guest = user("main", "guest");
    guest.address = span_text("10.0.0.1");
    assert_int_equal(taken(limiter, LIMIT_REQUESTS, guest), 10);
    guest.address = span_text("10.0.0.2");
    assert_int_equal(taken(limiter, LIMIT_REQUESTS, guest), 10);
    limiter_free(limiter);
}

static void addresses_count_by_what_one_customer_has(void **state)
{
    static const struct {
        const char *first, *second;
        bool same;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"10.0.0.1", "::ffff:10.0.0.1", true},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"unix", "unix", true},
        {"unix", "other", false},
        {"", "unix", false},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct limiter *limiter = make();
        assert_int_equal(taken(limiter, LIMIT_STREAMS, address(rows[i].first)), 3);
        assert_int_equal(taken(limiter, LIMIT_STREAMS, address(rows[i].second)),
                         rows[i].same ? 0 : 3);
        limiter_free(limiter);
    }
    unsigned char out[LIMITER_ADDRESS_MAX];
    char long_text[300];
    memset(long_text, 'x', sizeof(long_text));
    assert_int_equal(limiter_address(span_of(long_text, sizeof(long_text)), out),
                     LIMITER_ADDRESS_MAX);
}

static void a_refusal_says_when(void **state)
{
    struct limiter *limiter = make();
    struct limit_subject alice = user("main", "alice");
    struct limit_verdict verdict;
    assert_true(limiter_take(limiter, LIMIT_MESSAGES, &alice, 1, NOW, &verdict));
    assert_int_equal(verdict.wait_ms, 0);
    assert_int_equal(verdict.limit, 5);
    assert_int_equal(verdict.left, 4);
    assert_int_equal(verdict.reset_ms, 500);
    taken(limiter, LIMIT_MESSAGES, alice);
    assert_false(limiter_take(limiter, LIMIT_MESSAGES, &alice, 1, NOW, &verdict));
    assert_int_equal(verdict.wait_ms, 500);
    assert_int_equal(verdict.left, 0);
    assert_int_equal(verdict.reset_ms, 2500);
    assert_false(limiter_take(limiter, LIMIT_MESSAGES, &alice, 1, NOW + 499, NULL));
    assert_true(limiter_take(limiter, LIMIT_MESSAGES, &alice, 1, NOW + 500, NULL));
    assert_false(limiter_take(limiter, LIMIT_MESSAGES, &alice, 1, NOW + 500, NULL));
    assert_true(limiter_take(limiter, LIMIT_TYPING, &alice, 1, NOW, &verdict));
    assert_int_equal(verdict.limit, 0);
    limiter_free(limiter);
}

static void fan_out_may_go_into_debt(void **state)
{
    struct limiter *limiter = make();
    struct limit_subject alice = user("main", "alice");
    struct limit_verdict verdict;
    assert_true(limiter_take(limiter, LIMIT_FANOUT, &alice, 1, NOW, NULL));
    limiter_charge(limiter, &alice, 400, NOW);
    assert_true(limiter_take(limiter, LIMIT_FANOUT, &alice, 1, NOW, NULL));
    limiter_charge(limiter, &alice, 10600, NOW);
    assert_false(limiter_take(limiter, LIMIT_FANOUT, &alice, 1, NOW, &verdict));
    assert_in_range(verdict.wait_ms, 10000, 10001);
    assert_int_equal(verdict.left, 0);
    assert_false(limiter_take(limiter, LIMIT_FANOUT, &alice, 1, NOW + 9990, NULL));
    assert_true(limiter_take(limiter, LIMIT_FANOUT, &alice, 1, NOW + 10001, NULL));
    /* back to full, and no further */
    limiter_charge(limiter, &alice, 1000, NOW + 100000);
    assert_true(limiter_take(limiter, LIMIT_FANOUT, &alice, 1, NOW + 100000, NULL));
    limiter_charge(limiter, &alice, 1, NOW + 100000);
    assert_false(limiter_take(limiter, LIMIT_FANOUT, &alice, 1, NOW + 100000, NULL));
    limiter_free(limiter);
}

/* Far more names than buckets: the latest still counts, and everyone is served. */
static void a_full_table_forgets_the_oldest(void **state)
{
    struct limiter *limiter = make();
    char name[32];
    for (int i = 0; i < 3 * LIMITER_BUCKETS; i++) {
        snprintf(name, sizeof(name), "user-%d", i);
        struct limit_subject subject = user("main", name);
        int64_t now_ms = NOW + i;
        for (int take = 0; take < 5; take++)
            assert_true(limiter_take(limiter, LIMIT_MESSAGES, &subject, 1, now_ms, NULL));
        assert_false(limiter_take(limiter, LIMIT_MESSAGES, &subject, 1, now_ms, NULL));
    }
    limiter_free(limiter);
}

struct crowd {
    struct limiter *limiter;
    atomic_int taken;
};

static void *take_often(void *context)
{
    struct crowd *crowd = context;
    for (int i = 0; i < 20000; i++) {
        struct limit_subject alice = user("main", "alice");
        crowd->taken += limiter_take(crowd->limiter, LIMIT_SERVICE, &alice, 1, NOW, NULL);
    }
    return NULL;
}

static void threads_share_the_buckets(void **state)
{
    struct crowd crowd = {.limiter = make()};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_often, &crowd), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.taken, 100);
    limiter_free(crowd.limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_and_name_has_a_bucket),
        cmocka_unit_test(addresses_count_by_what_one_customer_has),
        cmocka_unit_test(a_refusal_says_when),
        cmocka_unit_test(fan_out_may_go_into_debt),
        cmocka_unit_test(a_full_table_forgets_the_oldest),
        cmocka_unit_test(threads_share_the_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
