#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/ledger.h"
#include "store/redis_pack.h"

static struct buf buf;

static int set_up(void **state)
{
    buf_init(&buf, 4096);
    return 0;
}

static int tear_down(void **state)
{
    buf_fini(&buf);
    return 0;
}

static void assert_buf(const char *text, size_t len)
{
    assert_int_equal(buf.len, len);
    assert_memory_equal(buf.data, text, len);
}
#define ASSERT_BUF(literal) assert_buf(literal, sizeof(literal) - 1)

static struct redis_fields fields(void)
{
    return redis_fields_of(buf_span(&buf));
}

static void assert_id(struct event_id id, uint64_t ms, uint64_t seq)
{
    assert_true(id.ms == ms && id.seq == seq);
}

static void test_bytes(void **state)
{
    assert_int_equal(redis_pack_number(&buf, 0), 0);
    assert_int_equal(redis_pack_number(&buf, UINT64_MAX), 0);
    assert_int_equal(redis_pack_id(&buf, (struct event_id){1795531183115, 12}), 0);
    assert_int_equal(redis_pack_id(&buf, redis_pending_id(7)), 0);
    assert_int_equal(redis_pack_ordinal(&buf, 3), 0);
    assert_int_equal(redis_pack_ordinal(&buf, REDIS_PENDING_ORDINAL + 999999), 0);
    assert_int_equal(redis_pack_text(&buf, span_text("Grüße")), 0);
    assert_int_equal(redis_pack_text(&buf, span_text("")), 0);
    assert_int_equal(redis_pack_text(&buf, (struct span){0}), 0);
    ASSERT_BUF("0\0"
               "18446744073709551615\0"
               "1795531183115-12\0"
               "\xff"
               "i000007;\0"
               "3\0"
               "\xff"
               "o999999;\0"
               "=Grüße\0"
               "=\0"
               "-\0");
}

static void test_round(void **state)
{
    static const struct event_id ids[] = {{0, 0},
                                          {1, 2},
                                          {1795531183115, 0},
                                          {REDIS_PENDING_MS, 0},
                                          {REDIS_PENDING_MS, 123456},
                                          {UINT64_MAX, UINT64_MAX}};
    for (size_t i = 0; i < array_count(ids); i++) {
        buf.len = 0;
        assert_int_equal(redis_pack_id(&buf, ids[i]), 0);
        assert_int_equal(redis_pack_number(&buf, ids[i].ms), 0);
        assert_int_equal(redis_pack_text(&buf, span_text("x")), 0);
        struct redis_fields read = fields();
        struct event_id id = redis_take_id(&read);
        assert_id(id, ids[i].ms, ids[i].seq);
        assert_true(redis_take_number(&read) == ids[i].ms);
        assert_true(span_is(redis_take_text(&read), "x"));
        assert_false(read.broken);
        assert_int_equal(read.rest.len, 0);
    }
}

static void test_texts_and_ordinals(void **state)
{
    assert_int_equal(redis_pack_text(&buf, (struct span){0}), 0);
    assert_int_equal(redis_pack_text(&buf, span_text("")), 0);
    assert_int_equal(redis_pack_ordinal(&buf, 41), 0);
    assert_int_equal(redis_pack_ordinal(&buf, REDIS_PENDING_ORDINAL + 41), 0);
    struct redis_fields read = fields();
    assert_null(redis_take_text(&read).data);
    struct span text = redis_take_text(&read);
    assert_non_null(text.data);
    assert_int_equal(text.len, 0);
    assert_true(redis_take_ordinal(&read) == 41);
    assert_true(redis_take_ordinal(&read) == REDIS_PENDING_ORDINAL + 41);
    assert_false(read.broken);
}

/* Each gives nothing, and says so. */
static void test_broken(void **state)
{
    static const struct span values[] = {{NULL, 0},
                                         {"", 0},
                                         {"1", 1},
                                         {"\0", 1},
                                         {"x\0", 2},
                                         {"01\0", 3},
                                         {"1-\0", 3},
                                         {"-1\0", 3},
                                         {"\xffi00001;\0", 9},
                                         {"\xffi0000001;\0", 11},
                                         {"\xffz000001;\0", 10},
                                         {"\xff\0", 2},
                                         {"18446744073709551616\0", 21},
                                         {"--\0", 3}};
    for (size_t i = 0; i < array_count(values); i++) {
        struct redis_fields read = redis_fields_of(values[i]);
        assert_true(redis_take_number(&read) == 0);
        assert_true(read.broken);
        read = redis_fields_of(values[i]);
        assert_id(redis_take_id(&read), 0, 0);
        assert_true(read.broken);
        read = redis_fields_of(values[i]);
        assert_true(redis_take_ordinal(&read) == 0);
        assert_true(read.broken);
        read = redis_fields_of(values[i]);
        assert_null(redis_take_text(&read).data);
        assert_true(read.broken);
    }
}

/* Once broken it stays so, also when the rest is fine. */
static void test_broken_stays(void **state)
{
    struct redis_fields read = redis_fields_of(span_of("x\0"
                                                       "1\0",
                                                       4));
    assert_true(redis_take_number(&read) == 0);
    assert_true(redis_take_number(&read) == 1);
    assert_true(read.broken);
}

static struct span name_of(struct event_id id, char out[64])
{
    buf.len = 0;
    assert_int_equal(redis_put_name_of_id(&buf, id), 0);
    memcpy(out, buf.data, buf.len);
    return span_of(out, buf.len);
}

static int compare(struct span a, struct span b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static void test_names_sort(void **state)
{
    static const struct event_id ids[] = {{0, 0},
                                          {0, 1},
                                          {0, UINT64_MAX},
                                          {9, 0},
                                          {10, 0},
                                          {1795531183115, 0},
                                          {UINT64_MAX - 2, UINT64_MAX},
                                          {REDIS_PENDING_MS, 0},
                                          {REDIS_PENDING_MS, 9},
                                          {REDIS_PENDING_MS, 10},
                                          {REDIS_PENDING_MS, 999999},
                                          {UINT64_MAX, UINT64_MAX}};
    char a[64], b[64];
    for (size_t i = 0; i < array_count(ids); i++) {
        struct event_id id;
        struct span name = name_of(ids[i], a);
        if (i > 0)
            assert_true(compare(name_of(ids[i - 1], b), name) < 0);
        memcpy(a + name.len, "rest", 4);
        name.len += 4;
        assert_int_equal(redis_cut_name_of_id(&name, &id), 0);
        assert_id(id, ids[i].ms, ids[i].seq);
        assert_true(span_is(name, "rest"));
    }
    name_of((struct event_id){0x19ffa, 255}, a);
    ASSERT_BUF("0000000000019ffa00000000000000ff");
}

static void test_names_broken(void **state)
{
    static const char *const names[] = {"",
                                        "0",
                                        "0000000000019ffa00000000000000f",
                                        "0000000000019FFA00000000000000ff",
                                        "0000000000019ffa-0000000000000ff",
                                        "\xff",
                                        "\xffi000001;",
                                        "\xffh00001;"};
    for (size_t i = 0; i < array_count(names); i++) {
        struct span name = span_text(names[i]);
        struct event_id id;
        assert_int_equal(redis_cut_name_of_id(&name, &id), ERR_CORRUPT);
        assert_true(span_is(name, names[i]));
    }
}

static void test_ids(void **state)
{
    struct event_id id;
    assert_int_equal(redis_put_id(&buf, (struct event_id){12, 3}), 0);
    ASSERT_BUF("12-3");
    assert_int_equal(redis_parse_id(buf_span(&buf), &id), 0);
    assert_id(id, 12, 3);
    buf.len = 0;
    assert_int_equal(redis_put_id(&buf, redis_pending_id(5)), 0);
    ASSERT_BUF("\xff"
               "i000005;");
    assert_int_equal(redis_parse_id(buf_span(&buf), &id), 0);
    assert_true(redis_is_pending(id) && id.seq == 5);
    assert_int_equal(redis_parse_id((struct span){0}, &id), ERR_CORRUPT);
    assert_int_equal(redis_parse_id(span_text("12"), &id), ERR_CORRUPT);
    assert_int_equal(redis_parse_id(span_text("12-3 "), &id), ERR_CORRUPT);
}

static void test_marks(void **state)
{
    struct redis_mark mark;
    assert_true(redis_find_mark(span_of("a\0\xffo000042;b", 12), &mark));
    assert_int_equal(mark.kind, 'o');
    assert_int_equal(mark.index, 42);
    assert_int_equal(mark.at, 2);
    assert_false(redis_find_mark(span_text("none"), &mark));
    assert_false(redis_find_mark(span_text("\xffz"), &mark));
    assert_false(redis_find_mark((struct span){0}, &mark));
}

static void test_full(void **state)
{
    struct buf small;
    buf_init(&small, 4);
    assert_int_equal(redis_pack_text(&small, span_text("abc")), ERR_FULL);
    assert_int_equal(redis_pack_id(&small, EVENT_ID_NONE), ERR_FULL);
    assert_int_equal(small.len, 0);
    buf_fini(&small);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_bytes),        UNIT(test_round),        UNIT(test_texts_and_ordinals),
        UNIT(test_broken),       UNIT(test_broken_stays), UNIT(test_names_sort),
        UNIT(test_names_broken), UNIT(test_ids),          UNIT(test_marks),
        UNIT(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
