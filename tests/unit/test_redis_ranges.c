/* Views over a real Redis: names of sorted sets and entries of streams. What commands do to them is
 * tried at random in test_redis_exact. */
#include "redis_view_test.h"

static struct redis_key *names(void)
{
    return redis_key_of(view, 'p', 7, "names");
}
#define NAMES "tidings:{s3}/p/7/names"

static struct redis_key *stream(void)
{
    return redis_key_of(view, 'p', 7, "stream");
}
#define STREAM "tidings:{s3}/p/7/stream"

/* A text, or absent for NULL. */
static struct span bound(const char *text)
{
    return text ? S(text) : (struct span){0};
}

static int expect_names(const char *after, const char *before, int limit, bool descending,
                        const char *texts)
{
    const struct span *found;
    char joined[256] = "";
    int count;
    TRY(redis_view_names(view, names(), bound(after), bound(before), limit, descending, false,
                         &found, &count));
    for (int i = 0; i < count; i++)
        sprintf(joined + strlen(joined), "%.*s ", SPAN_ARGS(found[i]));
    assert_string_equal(joined, texts);
    return 0;
}

static void settle_read(redis_sync_run run)
{
    assert_int_equal(redis_sync_read(&sync, run, NULL), 0);
}

/* The sync's own view, for keys. */
#define HERE(given) view = (given)

static int all_ranges(void *context, struct redis_view *given)
{
    HERE(given);
    int err = expect_names(NULL, NULL, 10, false, "a b c d e ");
    err |= expect_names(NULL, NULL, 2, false, "a b ");
    err |= expect_names(NULL, NULL, 2, true, "e d ");
    err |= expect_names("b", NULL, 10, false, "c d e ");
    err |= expect_names(NULL, "d", 10, false, "a b c ");
    err |= expect_names("a", "d", 10, true, "c b ");
    err |= expect_names("bb", "dd", 10, false, "c d ");
    err |= expect_names("", "b", 10, false, "a ");
    err |= expect_names("d", "b", 10, false, "");
    view = NULL;
    return err ? ERR_NOT_FETCHED : 0;
}

static void test_names(void **state)
{
    redis("ZADD %s 0 a 0 b 0 c 0 d 0 e", NAMES);
    settle_read(all_ranges);
    assert_int_equal(sync.fetches, 1);
}

static bool is_removed; /* remove_and_read came to its end */

static int remove_and_read(void *context, struct redis_view *v)
{
    is_removed = false;
    for (char name[2] = "a"; name[0] < 'h'; name[0]++)
        TRY(redis_view_name_remove(view, names(), S(name)));
    TRY(expect_names(NULL, NULL, 2, false, "h i "));
    TRY(redis_view_names_remove(view, names(), S("h"), S("n")));
    TRY(redis_view_name_add(view, names(), S("k")));
    TRY(expect_names(NULL, NULL, 2, false, "h k "));
    TRY(expect_names(NULL, NULL, 3, true, "p o n "));
    TRY(expect_names(NULL, "o", 4, true, "n k h "));
    is_removed = true;
    return 0;
}

static int read_the_rest(void *context, struct redis_view *v)
{
    if (!is_removed)
        return ERR_NOT_FETCHED;
    TRY(expect_names(NULL, NULL, 9, false, "h k n o p "));
    return redis_view_set(view, hash(), S("seen"), S("yes"));
}

/* So much is taken away that more has to be asked for. */
static void test_names_grow(void **state)
{
    for (char name[2] = "a"; name[0] < 'q'; name[0]++)
        redis("ZADD %s 0 %s", NAMES, name);
    DO_BATCH(remove_and_read, read_the_rest);
    assert_true(done(0) && done(1));
    assert_in_range(sync.fetches, 2, 8);
    assert_list("ZRANGE " NAMES " 0 -1", "h k n o p");
}

static int counts(void *context, struct redis_view *given)
{
    uint64_t all, some, none;
    uint64_t shared, others;
    HERE(given);
    struct redis_key *other = redis_key_of(view, 'p', 8, "names");
    struct redis_key *empty = redis_key_of(view, 'p', 9, "names");
    int err = redis_view_count_names(view, names(), bound(NULL), bound(NULL), &all);
    err |= redis_view_count_names(view, names(), S("a"), S("d"), &some);
    err |= redis_view_count_names(view, empty, bound(NULL), bound(NULL), &none);
    err |= redis_view_count_shared(view, names(), other, &shared);
    err |= redis_view_count_shared(view, names(), empty, &others);
    view = NULL;
    if (err)
        return ERR_NOT_FETCHED;
    assert_true(all == 4 && some == 2 && none == 0);
    assert_true(shared == 2 && others == 0);
    return 0;
}

static void test_counts(void **state)
{
    redis("ZADD %s 0 a 0 b 0 c 0 d", NAMES);
    redis("ZADD tidings:{s3}/p/8/names 0 a 0 d 0 e");
    settle_read(counts);
    assert_int_equal(sync.fetches, 1);
}

static int expect_entries(struct event_id after, struct event_id before, int limit, bool newest,
                          const char *texts)
{
    const struct redis_entry *found;
    char joined[256] = "";
    int count;
    struct redis_range range = {after, before, limit, newest, NULL, 0};
    TRY(redis_view_entries(view, stream(), &range, false, &found, &count));
    for (int i = 0; i < count; i++)
        sprintf(joined + strlen(joined), "%d-%d:%d,%d,%.*s ", (int)found[i].id.ms,
                (int)found[i].id.seq, (int)found[i].number, (int)found[i].ordinal,
                SPAN_ARGS(found[i].value));
    assert_string_equal(joined, texts);
    return 0;
}

static int all_entries(void *context, struct redis_view *given)
{
    struct event_id first = EVENT_ID_NONE, last = EVENT_ID_LAST;
    struct event_id one = {10, 1}, pending = redis_pending_id(0);
    HERE(given);
    int err = expect_entries(first, last, 9, false, "10-0:7,0,a 10-1:0,3,b 20-0:0,0, ");
    err |= expect_entries(first, last, 1, true, "20-0:0,0, ");
    err |= expect_entries(one, last, 9, false, "20-0:0,0, ");
    err |= expect_entries(first, one, 9, true, "10-0:7,0,a ");
    err |= expect_entries(one, pending, 9, true, "20-0:0,0, ");
    err |= expect_entries(pending, last, 9, true, "");
    err |= expect_entries(first, first, 9, true, "");
    err |= expect_entries(last, last, 9, false, "");
    view = NULL;
    return err ? ERR_NOT_FETCHED : 0;
}

static void put_entries(void)
{
    redis("XADD %s 10-0 n 7 v a", STREAM);
    redis("XADD %s 10-1 o 3 v b", STREAM);
    redis("XADD %s 20-0 v %b", STREAM, "", (size_t)0);
}

static void test_entries(void **state)
{
    put_entries();
    settle_read(all_entries);
    assert_int_equal(sync.fetches, 1);
}

static int one_entry(void *context, struct redis_view *given)
{
    struct redis_entry entry, unused;
    bool found, other;
    HERE(given);
    int err = redis_view_entry(view, stream(), (struct event_id){10, 1}, &entry, &found);
    err |= redis_view_entry(view, stream(), (struct event_id){10, 2}, &unused, &other);
    int pending = redis_view_entry(view, stream(), redis_pending_id(3), &unused, &other);
    assert_true(pending == 0 && !other);
    view = NULL;
    if (err)
        return ERR_NOT_FETCHED;
    assert_true(found && !other);
    assert_true(entry.id.seq == 1 && entry.ordinal == 3 && span_is(entry.value, "b"));
    return 0;
}

static void test_entry(void **state)
{
    put_entries();
    settle_read(one_entry);
}

/* Fields of hashes come with the entries that they are about. */
static int with_hashes(void *context, struct redis_view *given)
{
    const struct redis_entry *found;
    struct span value;
    int count;
    HERE(given);
    struct redis_key *with[] = {redis_key_of(view, 'p', 7, "bodies"),
                                redis_key_of(view, 'p', 7, "replies")};
    struct redis_range range = {EVENT_ID_NONE, EVENT_ID_LAST, 2, false, with, 2};
    int err = redis_view_entries(view, stream(), &range, true, &found, &count);
    if (!err) {
        assert_int_equal(count, 2);
        assert_int_equal(redis_view_get(view, with[0], S("10-0"), &value), 0);
        assert_span(value, "body");
        assert_int_equal(redis_view_get(view, with[1], S("10-0"), &value), 0);
        assert_span(value, NULL);
        assert_int_equal(redis_view_get(view, with[1], S("10-1"), &value), 0);
        assert_span(value, "2");
        assert_int_equal(redis_view_get(view, with[0], S("20-0"), &value), ERR_NOT_FETCHED);
    }
    view = NULL;
    return err;
}

static void test_with(void **state)
{
    struct redis_view *given = redis_sync_view(&sync);
    put_entries();
    redis("HSET tidings:{s3}/p/7/bodies 10-0 body");
    redis("HSET tidings:{s3}/p/7/replies 10-1 2");
    assert_int_equal(with_hashes(NULL, given), ERR_NOT_FETCHED);
    assert_int_equal(redis_sync_fetch(&sync, given), 0);
    redis_view_restart(given);
    assert_int_equal(with_hashes(NULL, given), 0);
    /* What came with an entry that is gone is no longer known. */
    redis("XDEL %s 10-0", STREAM);
    assert_int_equal(redis_sync_fetch(&sync, given), 0);
    redis_view_restart(given);
    struct span value;
    assert_int_equal(
        redis_view_get(given, redis_key_of(given, 'p', 7, "replies"), S("10-0"), &value),
        ERR_NOT_FETCHED);
    redis_view_free(given);
}

static int find_event(void *context, struct redis_view *v)
{
    struct redis_entry entry;
    bool found;
    struct redis_key *messages = redis_key_of(view, 'p', 2, "messages");
    if (redis_view_next_id(view).seq == 0)
        return ERR_NOT_FETCHED;
    TRY(redis_view_entry(view, messages, redis_pending_id(0), &entry, &found));
    assert_true(found && entry.ordinal == REDIS_PENDING_ORDINAL);
    assert_span(entry.value, "checked");
    TRY(redis_view_entry(view, redis_key_of(view, 'r', 1, "events"), redis_pending_id(0), &entry,
                         &found));
    assert_true(found && entry.number == REDIS_PENDING_ORDINAL);
    assert_span(entry.value, "2");
    return redis_view_set(view, hash(), S("found"), S("yes"));
}

/* What was decided on an event that was not stored after all is not done. */
static void test_entry_of_batch(void **state)
{
    DO_BATCH(checked_event, find_event);
    assert_true(done(0) && done(1));
    SETTLE(checked_event, find_event);
    redis("HSET %s a 1", HASH);
    commit();
    assert_true(!done(0) && !done(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(test_names),          WITH_REDIS(test_names_grow), WITH_REDIS(test_counts),
        WITH_REDIS(test_entries),        WITH_REDIS(test_entry),      WITH_REDIS(test_with),
        WITH_REDIS(test_entry_of_batch),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
