/* Views over a real Redis: what they read, what they write. */
#include "redis_view_test.h"

static int write_first(void *context, struct redis_view *view)
{
    struct redis_key *hash = redis_key_of(view, 'p', 7, "members");
    struct span value;
    int err = redis_view_get(view, hash, span_text("5"), &value);
    if (err)
        return err;
    assert_null(value.data);
    err = redis_view_set(view, hash, span_text("5"), span_text("owner"));
    if (!err)
        err = redis_view_get(view, hash, span_text("5"), &value);
    assert_true(err || span_is(value, "owner"));
    return err;
}

static void test_write_and_read(void **state)
{
    assert_int_equal(redis_sync_write(&sync, write_first, NULL), 0);
    assert_int_equal(sync.fetches, 1);
    assert_text("HGET tidings:{s3}/p/7/members 5", "owner");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(test_write_and_read),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
