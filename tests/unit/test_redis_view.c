/* Views over a real Redis: fields of hashes, what is checked of them, commands and batches. */
#include "redis_view_test.h"

static void test_keys(void **state)
{
    view = redis_sync_view(&sync);
    struct redis_key *key = redis_key_of(view, 'p', 18446744073709551615u, "state");
    assert_ptr_equal(key, redis_key_of(view, 'p', 18446744073709551615u, "state"));
    assert_ptr_not_equal(key, redis_key_of(view, 'u', 18446744073709551615u, "state"));
    assert_ptr_equal(redis_key_shard(view, "realms"), redis_key_shard(view, "realms"));
    char name[3000];
    memset(name, 'x', sizeof(name));
    struct redis_key *named = redis_key_named(view, 'p', 1, "sent", span_of(name, sizeof(name)));
    assert_ptr_equal(named, redis_key_named(view, 'p', 1, "sent", span_of(name, sizeof(name))));
    assert_ptr_not_equal(named, redis_key_named(view, 'p', 1, "sent", span_of(name, 2999)));
}

static int names_of_keys(void *context, struct redis_view *v)
{
    TRY(redis_view_set(view, redis_key_shard(view, "realms"), S("f"), S("a")));
    TRY(redis_view_set(view, redis_key_of(view, 'r', 12, "users"), S("f"), S("b")));
    return redis_view_set(view, redis_key_named(view, 'p', 3, "sent", S("9")), S("f"), S("c"));
}

static void test_names_of_keys(void **state)
{
    DO_BATCH(names_of_keys);
    assert_text("HGET tidings:{s3}/realms f", "a");
    assert_text("HGET tidings:{s3}/r/12/users f", "b");
    assert_text("HGET tidings:{s3}/p/3/sent/9 f", "c");
}

/* What is written is read, and each verb does what it says. */
static int write_fields(void *context, struct redis_view *v)
{
    TRY(expect("old", "1"));
    TRY(expect("new", NULL));
    TRY(set("new", "n"));
    TRY(set("empty", ""));
    TRY(redis_view_unset(view, hash(), S("old")));
    TRY(redis_view_raise(view, hash(), S("count"), 5));
    TRY(redis_view_raise(view, hash(), S("count"), -7));
    TRY(redis_view_raise(view, hash(), S("blind"), 2));
    TRY(expect("new", "n"));
    TRY(expect("empty", ""));
    TRY(expect("old", NULL));
    TRY(expect("count", "-2"));
    TRY(set("count2", "10"));
    TRY(redis_view_raise(view, hash(), S("count2"), 1));
    return expect("count2", "11");
}

static void test_fields(void **state)
{
    redis("HSET %s old 1", HASH);
    DO_BATCH(write_fields);
    assert_true(done(0));
    assert_text("HGET " HASH " new", "n");
    assert_text("HGET " HASH " empty", "");
    assert_text("HGET " HASH " old", NULL);
    assert_text("HGET " HASH " count", "-2");
    assert_text("HGET " HASH " blind", "2");
    assert_text("HGET " HASH " count2", "11");
    assert_int_equal(sync.results[0].members, -1);
    assert_true(event_id_is_none(sync.results[0].head));
}

static int read_many(void *context, struct redis_view *v)
{
    struct span value;
    int missing = 0;
    for (int i = 0; i < 5; i++) {
        char field[2] = {(char)('a' + i), 0};
        missing += get(field, &value) == ERR_NOT_FETCHED;
    }
    return missing ? ERR_NOT_FETCHED : set("x", "y");
}

static void test_asks_together(void **state)
{
    DO_BATCH(read_many);
    assert_int_equal(sync.fetches, 1);
    assert_text("HGET " HASH " x", "y");
}

/* Each field that was read, changed by another meanwhile, is a reason to do nothing. */
static int read_a_set_b(void *context, struct redis_view *v)
{
    struct span value;
    TRY(get("a", &value));
    return set("b", "done");
}

static int read_a_loose_set_b(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_get_loose(view, hash(), S("a"), &value));
    return set("b", "done");
}

static int own_set_then_get(void *context, struct redis_view *v)
{
    TRY(set("a", "mine"));
    TRY(expect("a", "mine"));
    return set("b", "done");
}

static int own_raise_then_get(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_raise(view, hash(), S("a"), 1));
    TRY(get("a", &value));
    return set("b", "done");
}

static int own_raise_only(void *context, struct redis_view *v)
{
    TRY(redis_view_raise(view, hash(), S("a"), 1));
    return set("b", "done");
}

static int own_unset_then_get(void *context, struct redis_view *v)
{
    TRY(redis_view_unset(view, hash(), S("a")));
    TRY(expect("a", NULL));
    return set("b", "done");
}

static int get_then_own_set(void *context, struct redis_view *v)
{
    struct span value;
    TRY(get("a", &value));
    TRY(set("a", "mine"));
    TRY(expect("a", "mine"));
    return set("b", "done");
}

static const struct {
    redis_sync_run run;
    const char *was, *is; /* of field `a`, as read and as it is by the commit */
    bool done;
} facts[] = {
    {read_a_set_b, NULL, NULL, true},       {read_a_set_b, NULL, "1", false},
    {read_a_set_b, NULL, "", false},        {read_a_set_b, "", NULL, false},
    {read_a_set_b, "", "", true},           {read_a_set_b, "-", NULL, false},
    {read_a_set_b, "1", "1", true},         {read_a_set_b, "1", "2", false},
    {read_a_set_b, "1", "=1", false},       {read_a_set_b, "1", "1 ", false},
    {read_a_loose_set_b, "1", "2", true},   {own_set_then_get, "1", "2", true},
    {own_raise_then_get, "1", "1", true},   {own_raise_then_get, "1", "2", false},
    {own_raise_then_get, NULL, "2", false}, {own_raise_only, "1", "2", true},
    {own_unset_then_get, "1", "2", true},   {get_then_own_set, "1", "2", false},
    {get_then_own_set, "1", "1", true},
};

static void put_a(const char *value)
{
    if (value)
        redis("HSET %s a %s", HASH, value);
    else
        redis("HDEL %s a", HASH);
}

static void test_facts(void **state)
{
    for (size_t i = 0; i < array_count(facts); i++) {
        redis("DEL %s", HASH);
        put_a(facts[i].was);
        SETTLE(facts[i].run);
        put_a(facts[i].is);
        commit();
        if (done(0) != facts[i].done)
            fail_msg("fact %zu", i);
        assert_text("HGET " HASH " b", facts[i].done ? "done" : NULL);
        assert_int_equal(sync.results[0].failed_check, !facts[i].done);
    }
}

/* A later command of a batch sees the earlier ones; when one of them fails, it does as well, if it
 * has seen it. */
static int first_sets_c(void *context, struct redis_view *v)
{
    TRY(expect("a", NULL));
    return set("c", "first");
}

static int second_reads_c(void *context, struct redis_view *v)
{
    TRY(expect("c", "first"));
    return set("d", "second");
}

static int third_reads_e(void *context, struct redis_view *v)
{
    TRY(expect("e", NULL));
    return set("e", "third");
}

static int fourth_raises(void *context, struct redis_view *v)
{
    TRY(redis_view_raise(view, hash(), S("n"), 1));
    return expect("e", "third");
}

static void test_batch(void **state)
{
    DO_BATCH(first_sets_c, second_reads_c, third_reads_e, fourth_raises);
    for (int i = 0; i < 4; i++)
        assert_true(indices[i] == i && done(i));
    assert_text("HGET " HASH " d", "second");
    assert_text("HGET " HASH " n", "1");
}

static void test_batch_fails_in_part(void **state)
{
    SETTLE(first_sets_c, second_reads_c, third_reads_e, fourth_raises);
    redis("HSET %s a 1", HASH);
    commit();
    assert_true(!done(0) && !done(1) && done(2) && done(3));
    assert_text("HGET " HASH " c", NULL);
    assert_text("HGET " HASH " d", NULL);
    assert_text("HGET " HASH " e", "third");
    assert_text("HGET " HASH " n", "1");
}

/* Another has written the same as the command that failed: what was read is so. */
static void test_batch_by_another(void **state)
{
    SETTLE(first_sets_c, second_reads_c);
    redis("HSET %s a 1 c first", HASH);
    commit();
    assert_true(!done(0) && done(1));
}

static int raise_n(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_raise(view, hash(), S("n"), 2));
    return redis_view_get_loose(view, hash(), S("other"), &value);
}

static int read_n(void *context, struct redis_view *v)
{
    TRY(expect("n", "12"));
    return set("seen", "yes");
}

static void test_raise_in_batch(void **state)
{
    redis("HSET %s n 10", HASH);
    SETTLE(raise_n, read_n);
    redis("HINCRBY %s n 1", HASH);
    commit();
    assert_true(done(0) && !done(1));
    assert_text("HGET " HASH " n", "13");
    redis("HSET %s n 10", HASH);
    DO_BATCH(raise_n, read_n);
    assert_true(done(0) && done(1));
}

static int raise_no_number(void *context, struct redis_view *v)
{
    struct span value;
    TRY(redis_view_raise(view, hash(), S("n"), 1));
    int err = get("n", &value);
    if (err == ERR_NOT_FETCHED)
        return err;
    assert_int_equal(err, ERR_CORRUPT);
    return 0;
}

static void test_raise_no_number(void **state)
{
    redis("HSET %s n word", HASH);
    SETTLE(raise_no_number);
    redis("HSET %s n 9223372036854775807", HASH);
    SETTLE(raise_no_number);
}

/* Commands that only read are no part of a commit. */
static int only_read(void *context, struct redis_view *v)
{
    return expect("a", NULL);
}

static void test_only_read(void **state)
{
    DO_BATCH(only_read, third_reads_e, only_read, fourth_raises);
    assert_true(indices[0] == -1 && indices[1] == 0 && indices[2] == -1 && indices[3] == 1);
    assert_int_equal(redis_view_command_count(view), 2);
    assert_true(done(1) && done(3));
}

/* What a command that only reads had checked, a later one that writes has to check itself. */
static void test_checks_are_own(void **state)
{
    SETTLE(only_read, read_a_set_b);
    redis("HSET %s a 1", HASH);
    commit();
    assert_true(indices[0] == -1 && !done(1));
}

static void test_abandon(void **state)
{
    struct span value;
    SETTLE(third_reads_e);
    redis_view_restart(view);
    redis_view_begin_command(view);
    assert_int_equal(set("e", "first"), 0);
    assert_int_equal(redis_view_end_command(view), 0);
    redis_view_begin_command(view);
    assert_int_equal(set("e", "gone"), 0);
    assert_int_equal(redis_view_raise(view, hash(), S("e2"), 1), 0);
    assert_int_equal(event("meta", true), 0);
    assert_int_equal(redis_view_drop(view, hash()), 0);
    redis_view_abandon_command(view);
    redis_view_begin_command(view);
    assert_int_equal(get("e", &value), 0);
    assert_span(value, "first");
    assert_int_equal(redis_view_next_id(view).seq, 0);
    assert_int_equal(set("f", "third"), 0);
    assert_int_equal(redis_view_end_command(view), 1);
    commit();
    assert_true(sync.results[0].done && sync.results[1].done);
    assert_text("HGET " HASH " e", "first");
    assert_text("HGET " HASH " e2", NULL);
    assert_text("HGET " HASH " f", "third");
}

static void test_restart_keeps(void **state)
{
    redis("HSET %s e kept", HASH);
    view = redis_sync_view(&sync);
    struct span value;
    assert_int_equal(get("e", &value), ERR_NOT_FETCHED);
    assert_int_equal(get("e", &value), ERR_NOT_FETCHED);
    assert_int_equal(redis_view_missing(view), 1);
    redis_view_restart(view);
    assert_int_equal(redis_view_missing(view), 1);
    assert_int_equal(redis_sync_fetch(&sync, view), 0);
    assert_int_equal(redis_view_missing(view), 0);
    redis_view_begin_command(view);
    assert_int_equal(set("e", "new"), 0);
    redis_view_restart(view);
    assert_int_equal(get("e", &value), 0);
    assert_span(value, "kept");
    assert_int_equal(redis_view_command_count(view), 0);
}

/* All that is seen is of one moment: what was fetched before is fetched again. */
static void test_one_snapshot(void **state)
{
    struct span value;
    redis("HSET %s a 1", HASH);
    view = redis_sync_view(&sync);
    assert_int_equal(get("a", &value), ERR_NOT_FETCHED);
    assert_int_equal(redis_sync_fetch(&sync, view), 0);
    redis("HSET %s a 2 b 2", HASH);
    assert_int_equal(get("a", &value), 0);
    assert_span(value, "1");
    assert_int_equal(get("b", &value), ERR_NOT_FETCHED);
    assert_int_equal(redis_sync_fetch(&sync, view), 0);
    redis_view_restart(view);
    assert_int_equal(get("a", &value), 0);
    assert_span(value, "2");
    redis("HDEL %s a", HASH);
    assert_int_equal(get("c", &value), ERR_NOT_FETCHED);
    assert_int_equal(redis_sync_fetch(&sync, view), 0);
    assert_int_equal(get("a", &value), 0);
    assert_span(value, NULL);
}

static int get_of_text(void *context, struct redis_view *v)
{
    struct span value;
    return get("a", &value);
}

/* A key of another type is an error of the script, and nothing of the batch is half done. */
static void test_other_type(void **state)
{
    struct redis_call call;
    redis("SET %s text", HASH);
    view = redis_sync_view(&sync);
    assert_int_equal(get_of_text(NULL, view), ERR_NOT_FETCHED);
    assert_int_equal(redis_view_write_fetch(view, &call), 0);
    redisReply reply = {.type = REDIS_REPLY_ERROR, .str = (char *)"WRONGTYPE", .len = 9};
    int64_t now_ms;
    assert_int_equal(redis_view_read_fetch(view, &reply, &now_ms), ERR_CORRUPT);
    redisReply *nothing[] = {&reply};
    reply = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = 1, .element = nothing};
    assert_int_equal(redis_view_read_fetch(view, &reply, &now_ms), ERR_CORRUPT);
}

static void test_limit(void **state)
{
    static char big[1 << 20];
    struct span value = span_of(big, sizeof(big));
    memset(big, 'x', sizeof(big));
    view = redis_sync_view(&sync);
    redis_view_begin_command(view);
    int err = 0, count = 0;
    for (; !err; count++)
        err = redis_view_set(view, hash(), S("a"), value);
    assert_int_equal(err, ERR_FULL);
    assert_true(count > 60 && count <= 65);
    redis_view_abandon_command(view);
    redis_view_restart(view);
    redis_view_begin_command(view);
    assert_int_equal(redis_view_set(view, hash(), S("a"), value), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(test_keys),
        WITH_REDIS(test_names_of_keys),
        WITH_REDIS(test_fields),
        WITH_REDIS(test_asks_together),
        WITH_REDIS(test_facts),
        WITH_REDIS(test_batch),
        WITH_REDIS(test_batch_fails_in_part),
        WITH_REDIS(test_batch_by_another),
        WITH_REDIS(test_raise_in_batch),
        WITH_REDIS(test_raise_no_number),
        WITH_REDIS(test_only_read),
        WITH_REDIS(test_checks_are_own),
        WITH_REDIS(test_abandon),
        WITH_REDIS(test_restart_keeps),
        WITH_REDIS(test_one_snapshot),
        WITH_REDIS(test_other_type),
        WITH_REDIS(test_limit),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
