/* Views over a real Redis: hashes as a whole. */
#include "redis_view_test.h"

static int read_whole(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_whole(view, hash()));
    TRY(expect("a", "1"));
    TRY(expect("b", NULL));
    TRY(redis_view_get_loose(view, hash(), S("c"), &value));
    assert_span(value, "3");
    return set("d", "4");
}

static void test_whole(void **state)
{
    redis("HSET %s a 1 c 3", HASH);
    SETTLE(read_whole);
    assert_int_equal(sync.fetches, 1);
    redis("HSET %s c 4", HASH);
    commit();
    assert_true(done(0));
    redis("HSET %s c 3", HASH);
    SETTLE(read_whole);
    redis("HSET %s b 2", HASH);
    commit();
    assert_false(done(0));
}

/* Fields and values by name, sorted. */
static int expect_fields(const char *texts)
{
    const struct span *fields;
    char joined[256] = "";
    int count, used = 0;
    TRY(redis_view_fields(view, hash(), &fields, &count));
    for (char name = 'a'; name <= 'z'; name++) {
        for (int i = 0; i < count; i += 2) {
            if (fields[i].data[0] != name)
                continue;
            sprintf(joined + strlen(joined), "%.*s=%.*s ", SPAN_ARGS(fields[i]),
                    SPAN_ARGS(fields[i + 1]));
            used += 2;
        }
    }
    assert_int_equal(used, count);
    assert_string_equal(joined, texts);
    return 0;
}

static int list_fields(void *context, struct redis_view *v)
{
    TRY(expect_fields("a=1 c=3 "));
    return set("x", "1");
}

static int change_then_list(void *context, struct redis_view *v)
{
    TRY(set("b", "2"));
    TRY(redis_view_unset(view, hash(), S("c")));
    TRY(redis_view_raise(view, hash(), S("a"), 1));
    return expect_fields("a=2 b=2 ");
}

static int list_changed(void *context, struct redis_view *v)
{
    TRY(expect_fields("a=2 b=2 "));
    return set("x", "1");
}

static const struct {
    const char *command; /* of another, before the commit */
    bool done;
} field_changes[] = {
    {"PING", true},
    {"HSET " HASH " a 2", false},
    {"HSET " HASH " other 1", false},
    {"HDEL " HASH " a", false},
    {"HDEL " HASH " c", false},
    {"DEL " HASH, false},
};

static void test_list(void **state)
{
    for (size_t i = 0; i < array_count(field_changes); i++) {
        redis("DEL " HASH);
        redis("HSET %s a 1 c 3", HASH);
        SETTLE(list_fields);
        redis(field_changes[i].command);
        commit();
        assert_int_equal(done(0), field_changes[i].done);
        redis("DEL " HASH);
        redis("HSET %s a 1 c 3", HASH);
        SETTLE(change_then_list, list_changed);
        redis(field_changes[i].command);
        commit();
        assert_int_equal(done(0), field_changes[i].done);
        if (field_changes[i].done)
            assert_true(done(1));
    }
    /* One went, another came: as many as before. */
    redis("DEL " HASH);
    redis("HSET %s a 1 c 3", HASH);
    SETTLE(change_then_list);
    redis("HDEL %s c", HASH);
    redis("HSET %s other 3", HASH);
    commit();
    assert_false(done(0));
}

static int drop_and_set(void *context, struct redis_view *v)
{
    TRY(redis_view_drop(view, hash()));
    TRY(expect("a", NULL));
    TRY(expect_fields(""));
    TRY(set("b", "1"));
    TRY(redis_view_raise(view, hash(), S("n"), 3));
    TRY(expect("n", "3"));
    return expect_fields("b=1 n=3 ");
}

static int after_drop(void *context, struct redis_view *v)
{
    TRY(expect("a", NULL));
    TRY(expect("n", "3"));
    TRY(expect("new", NULL));
    TRY(expect_fields("b=1 n=3 "));
    return set("c", "1");
}

static void test_drop(void **state)
{
    redis("HSET %s a 1 n 40", HASH);
    SETTLE(drop_and_set, after_drop);
    redis("HSET %s a 2 new 7", HASH);
    commit();
    assert_true(done(0) && done(1));
    assert_int_equal(redis_server_number(&server, "HLEN %s", HASH), 3);
}

static int read_size(void *context, struct redis_view *v)
{
    uint64_t size;
    TRY(redis_view_size(view, hash(), &size));
    assert_int_equal(size, 2);
    return set("x", "1");
}

static void test_size(void **state)
{
    redis("HSET %s a 1 b 2", HASH);
    SETTLE(read_size);
    redis("HSET %s c 3", HASH);
    commit();
    assert_true(done(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(test_whole),
        WITH_REDIS(test_list),
        WITH_REDIS(test_drop),
        WITH_REDIS(test_size),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
