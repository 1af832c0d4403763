/* What a node remembers, alone and in views over a real Redis. */
#include "redis_view_test.h"

static int read_and_count(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_get(view, hash(), S("a"), &value));
    TRY(redis_view_get_absent(view, hash(), S("id"), &value));
    if (value.data)
        return 0;
    TRY(redis_view_raise(view, hash(), S("n"), 1));
    return redis_view_set(view, hash(), S("b"), S("done"));
}

static void assert_cached(const char *key, const char *field, bool known, const char *text)
{
    struct span value;
    assert_int_equal(redis_cache_get(sync.cache, S(key), S(field), &value), known);
    if (known)
        assert_span(value, text);
}

/* An optimistic view asks for nothing that the node has seen, and finds out that it was wrong. */
static void test_optimistic(void **state)
{
    sync.cache = redis_cache_new(1 << 20);
    redis("HSET %s a 1", HASH);
    DO_BATCH(read_and_count);
    assert_true(redis_view_is_optimistic(view));
    assert_true(done(0));
    assert_int_equal(sync.fetches, 1);
    assert_cached(HASH, "a", true, "1");
    assert_cached(HASH, "id", false, NULL);
    assert_cached(HASH, "b", false, NULL);
    DO_BATCH(read_and_count);
    assert_true(done(0));
    assert_int_equal(sync.fetches, 1);
    redis("HSET %s a 2", HASH);
    DO_BATCH(read_and_count);
    assert_false(done(0));
    assert_int_equal(sync.fetches, 1);
    assert_cached(HASH, "a", false, NULL);
    DO_BATCH(read_and_count);
    assert_true(done(0));
    assert_int_equal(sync.fetches, 2);
    redis("HSET %s id taken", HASH);
    DO_BATCH(read_and_count);
    assert_false(done(0));
    assert_text("HGET " HASH " n", "3");
}

static int move_marker(void *context, struct redis_view *v)
{
    char text[64];
    struct span value;
    TRY(redis_view_get(view, hash(), S("marker"), &value));
    TRY(redis_view_get(view, hash(), S("absent"), &value));
    TRY(redis_view_get_loose(view, hash(), S("count"), &value));
    TRY(redis_view_raise(view, hash(), S("count"), 2));
    struct event_id id = redis_view_next_id(view);
    TRY(event("meta", true));
    struct redis_key *state = redis_key_of(view, 'p', 2, "state");
    TRY(redis_view_get_loose(view, state, S("o"), &value));
    return redis_view_set(view, hash(), S("marker"), pending_text(text, sizeof(text), id));
}

static int unset_marker(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_get(view, hash(), S("marker"), &value));
    return redis_view_unset(view, hash(), S("marker"));
}

/* The cache learns what was written, by what it became. */
static void test_cache_learns(void **state)
{
    sync.cache = redis_cache_new(1 << 20);
    redis("HSET %s count 10", HASH);
    redis("HSET tidings:{s3}/p/2/state o 30");
    DO_BATCH(move_marker, move_marker);
    assert_true(done(0) && done(1));
    assert_cached(HASH, "marker", true, real_text(1));
    assert_cached(HASH, "absent", true, NULL);
    assert_cached(HASH, "count", true, "14");
    assert_cached("tidings:{s3}/p/2/state", "o", true, "32");
    int fetches = sync.fetches;
    DO_BATCH(move_marker);
    assert_true(done(0));
    assert_int_equal(sync.fetches, fetches);
    assert_cached(HASH, "count", true, "16");
    DO_BATCH(unset_marker);
    assert_true(done(0));
    assert_cached(HASH, "marker", true, NULL);
    assert_int_equal(sync.fetches, fetches);
    /* A command that failed has written nothing. */
    redis("HSET %s marker other", HASH);
    DO_BATCH(move_marker);
    assert_false(done(0));
    assert_cached(HASH, "count", true, "16");
    assert_cached(HASH, "marker", false, NULL);
}

static int whole_cached(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_whole(view, hash()));
    TRY(redis_view_get(view, hash(), S("a"), &value));
    TRY(redis_view_get(view, hash(), S("b"), &value));
    return redis_view_set(view, hash(), S("c"), S("1"));
}

static void test_cache_of_whole(void **state)
{
    sync.cache = redis_cache_new(1 << 20);
    redis("HSET %s a 1", HASH);
    DO_BATCH(whole_cached);
    assert_int_equal(sync.fetches, 1);
    assert_cached(HASH, "b", true, NULL);
    DO_BATCH(whole_cached);
    assert_true(done(0));
    assert_int_equal(sync.fetches, 1);
}

static void test_cache_alone(void **state)
{
    static char long_name[1100];
    struct span value;
    memset(long_name, 'x', sizeof(long_name));
    sync.cache = redis_cache_new(10000);
    redis_cache_put(sync.cache, S("key"), S("field"), S("one"));
    redis_cache_put(sync.cache, S("key"), S("fiel"), S("two"));
    redis_cache_put(sync.cache, S("keyfield"), S(""), S(""));
    assert_cached("key", "field", true, "one");
    assert_cached("key", "fiel", true, "two");
    assert_cached("keyfield", "", true, "");
    assert_cached("ke", "yfield", false, NULL);
    redis_cache_put(sync.cache, S("key"), S("field"), S("a longer one than before"));
    assert_cached("key", "field", true, "a longer one than before");
    redis_cache_put(sync.cache, S("key"), S("field"), (struct span){0});
    assert_cached("key", "field", true, NULL);
    redis_cache_put(sync.cache, S("key"), S("field"), S("back"));
    assert_cached("key", "field", true, "back");
    redis_cache_drop(sync.cache, S("key"), S("field"));
    redis_cache_drop(sync.cache, S("key"), S("never"));
    assert_cached("key", "field", false, NULL);
    redis_cache_put(sync.cache, S("key"), span_of(long_name, sizeof(long_name)), S("v"));
    assert_false(
        redis_cache_get(sync.cache, S("key"), span_of(long_name, sizeof(long_name)), &value));
    redis_cache_clear(sync.cache);
    assert_cached("key", "fiel", false, NULL);
}

static void test_cache_is_limited(void **state)
{
    static char big[20000];
    char field[16];
    int known = 0;
    struct span value;
    memset(big, 'x', sizeof(big));
    sync.cache = redis_cache_new(10000);
    for (int i = 0; i < 1000; i++) {
        snprintf(field, sizeof(field), "%d", i);
        redis_cache_put(sync.cache, S("key"), S(field), S("some text"));
        assert_cached("key", field, true, "some text");
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(field, sizeof(field), "%d", i);
        known += redis_cache_get(sync.cache, S("key"), S(field), &value);
    }
    assert_in_range(known, 1, 150);
    redis_cache_put(sync.cache, S("key"), S("big"), span_of(big, sizeof(big)));
    assert_cached("key", "big", false, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(test_optimistic),       WITH_REDIS(test_cache_learns),
        WITH_REDIS(test_cache_of_whole),   WITH_REDIS(test_cache_alone),
        WITH_REDIS(test_cache_is_limited),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
