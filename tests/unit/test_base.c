/* The base floor: spans, buffers, arenas, deadlines, mailboxes, hashes, numbers, metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/deadline.h"
#include "base/err.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/numbered.h"

static void numbers_are_strict(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        int err;
        uint64_t number;
    } cases[] = {
        {"0", 10, 0, 0},
        {"10", 10, 0, 10},
        {"11", 10, ERR_INVALID_FIELD, 0},
        {"", 10, ERR_INVALID_FIELD, 0},
        {"01", 10, ERR_INVALID_FIELD, 0},
        {"-1", 10, ERR_INVALID_FIELD, 0},
        {"+1", 10, ERR_INVALID_FIELD, 0},
        {" 1", 10, ERR_INVALID_FIELD, 0},
        {"1x", 10, ERR_INVALID_FIELD, 0},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, ERR_INVALID_FIELD, 0},
        {"99999999999999999999999", UINT64_MAX, ERR_INVALID_FIELD, 0},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        uint64_t number = 0;
        assert_int_equal(span_to_number(span_text(cases[i].text), cases[i].max, &number),
                         cases[i].err);
        assert_int_equal(number, cases[i].number);
    }
}

static void utf8_is_strict(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        bool valid;
    } cases[] = {
        {"", 0, true},
        {"plain", 5, true},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x91\x8D", 9, true},
        {"\xF4\x8F\xBF\xBF", 4, true},
        {"a\0b", 3, false},
        {"\x80", 1, false},
        {"\xC0\x80", 2, false},
        {"\xC1\xBF", 2, false},
        {"\xC3", 1, false},
        {"\xE0\x80\x80", 3, false},
        {"\xED\xA0\x80", 3, false},
        {"\xE2\x82", 2, false},
        {"\xF0\x80\x80\x80", 4, false},
        {"\xF4\x90\x80\x80", 4, false},
        {"\xF5\x80\x80\x80", 4, false},
        {"\xFF", 1, false},
    };
    for (size_t i = 0; i < array_count(cases); i++)
        assert_int_equal(span_is_utf8(span_of(cases[i].text, cases[i].len)), cases[i].valid);
}

static void spans_are_cut_and_trimmed(void **state)
{
    struct span rest = span_text("a,,b");
    assert_true(span_is(span_cut(&rest, ','), "a"));
    assert_true(span_is(span_cut(&rest, ','), ""));
    assert_non_null(rest.data);
    assert_true(span_is(span_cut(&rest, ','), "b"));
    assert_null(rest.data);
    assert_true(span_is(span_trim(span_text(" \tx y\t ")), "x y"));
    assert_int_equal(span_trim(span_text(" \t")).len, 0);
}

static void a_buffer_keeps_to_its_ceiling(void **state)
{
    struct buf buf;
    buf_init(&buf, 10);
    assert_int_equal(buf_add_text(&buf, "12345"), 0);
    assert_int_equal(buf_add_text(&buf, "67890"), 0);
    assert_int_equal(buf_add_text(&buf, "1"), ERR_FULL);
    assert_int_equal(buf_add(&buf, "", 0), 0);
    assert_true(span_is(buf_span(&buf), "1234567890"));
    buf_fini(&buf);
    assert_int_equal(buf_format(&buf, "%d-%s", 7, "ab"), 0);
    assert_true(span_is(buf_span(&buf), "7-ab"));
    assert_int_equal(buf_format(&buf, "%s", "longer than ten"), ERR_FULL);
    assert_true(span_is(buf_span(&buf), "7-ab"));
    buf_fini(&buf);
}

static void an_arena_gives_zeroed_memory_up_to_its_ceiling(void **state)
{
    struct arena arena;
    arena_init(&arena, 10000);
    char *small = arena_alloc(&arena, 3), *large = arena_alloc(&arena, 5000);
    assert_non_null(small);
    assert_non_null(large);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(large[i], 0);
    memset(small, 1, 3);
    memset(large, 1, 5000);
    struct span copy = arena_copy(&arena, span_text("text"));
    assert_true(span_is(copy, "text"));
    assert_int_equal(copy.data[4], 0);
    assert_int_equal((uintptr_t)arena_alloc(&arena, 1) % 16, 0);
    assert_null(arena_alloc(&arena, 6000));
    assert_null(arena_copy(&arena, (struct span){NULL, 0}).data);
    arena_fini(&arena);
}

static void deadlines_fire_in_time_and_once(void **state)
{
    struct deadline_wheel wheel;
    struct deadline soon = {0}, later = {0}, far = {0}, removed = {0};
    int64_t slot_ms = 50, turn_ms = slot_ms * DEADLINE_SLOTS;
    deadline_wheel_init(&wheel, slot_ms, 1000);
    deadline_set(&wheel, &soon, 1010);
    deadline_set(&wheel, &later, 1400);
    deadline_set(&wheel, &far, 1000 + turn_ms + 75);
    deadline_set(&wheel, &removed, 1020);
    deadline_remove(&removed);
    deadline_remove(&removed);
    assert_false(deadline_is_set(&removed));
    assert_null(deadline_take(&wheel, 1009));
    assert_ptr_equal(deadline_take(&wheel, 1060), &soon);
    assert_null(deadline_take(&wheel, 1060));
    deadline_set(&wheel, &later, 2000);
    assert_null(deadline_take(&wheel, 1999));
    assert_ptr_equal(deadline_take(&wheel, 2050), &later);
    assert_null(deadline_take(&wheel, 1000 + turn_ms));
    assert_ptr_equal(deadline_take(&wheel, 1000 + turn_ms + 125), &far);
    /* One set in the past fires at the next slot; after a long sleep nothing is passed over. */
    deadline_set(&wheel, &soon, 0);
    deadline_set(&wheel, &later, 1000 + 5 * turn_ms);
    assert_ptr_equal(deadline_take(&wheel, 1000 + 9 * turn_ms), &soon);
    assert_ptr_equal(deadline_take(&wheel, 1000 + 9 * turn_ms), &later);
    assert_null(deadline_take(&wheel, 1000 + 20 * turn_ms));
}

enum { SENDERS = 4, LETTERS = 20000 };

struct numbered_letter {
    struct letter letter;
    int sender, number;
};

static int last_number[SENDERS], read_total;

static void on_numbered(struct letter *letter)
{
    struct numbered_letter *numbered = container_of(letter, struct numbered_letter, letter);
    assert_int_equal(numbered->number, last_number[numbered->sender] + 1);
    last_number[numbered->sender] = numbered->number;
    read_total++;
}

struct sender {
    struct mailbox *mailbox;
    struct numbered_letter *letters;
};

static void *send_all(void *context)
{
    struct sender *sender = context;
    for (int i = 0; i < LETTERS; i++)
        mailbox_push(sender->mailbox, &sender->letters[i].letter);
    return NULL;
}

static void letters_of_many_senders_arrive_once_and_in_order(void **state)
{
    struct mailbox mailbox;
    assert_int_equal(mailbox_init(&mailbox), 0);
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    for (int s = 0; s < SENDERS; s++) {
        senders[s].mailbox = &mailbox;
        senders[s].letters = calloc(LETTERS, sizeof(struct numbered_letter));
        for (int i = 0; i < LETTERS; i++)
            senders[s].letters[i] = (struct numbered_letter){{NULL, on_numbered}, s, i + 1};
        assert_int_equal(pthread_create(&threads[s], NULL, send_all, &senders[s]), 0);
    }
    while (read_total < SENDERS * LETTERS) {
        struct pollfd wait = {.fd = mailbox.fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 10000), 1);
        mailbox_read(&mailbox);
    }
    for (int s = 0; s < SENDERS; s++) {
        pthread_join(threads[s], NULL);
        assert_int_equal(last_number[s], LETTERS);
        free(senders[s].letters);
    }
    assert_int_equal(mailbox_read(&mailbox), 0);
    mailbox_fini(&mailbox);
}

static void the_hash_depends_on_every_byte(void **state)
{
    char text[40];
    memset(text, 'x', sizeof(text));
    for (size_t len = 0; len <= sizeof(text); len++) {
        uint64_t hash = map_hash(text, len);
        assert_true(hash == map_hash(text, len));
        for (size_t i = 0; i < len; i++) {
            text[i] ^= 1;
            assert_true(map_hash(text, len) != hash);
            text[i] ^= 1;
        }
    }
}

static void numbers_are_used_again(void **state)
{
    static int64_t items[100];
    struct numbered numbered = {0};
    uint32_t number;
    assert_null(numbered_get(&numbered, 0));
    for (uint32_t i = 0; i < array_count(items); i++) {
        assert_int_equal(numbered_add(&numbered, &items[i], &number), 0);
        assert_int_equal(number, i);
    }
    for (uint32_t i = 10; i < 20; i++)
        numbered_remove(&numbered, i);
    for (uint32_t i = 0; i < array_count(items) + 1; i++) {
        bool inside = i < array_count(items) && (i < 10 || i >= 20);
        assert_ptr_equal(numbered_get(&numbered, i), inside ? &items[i] : NULL);
    }
    bool given[array_count(items)] = {false};
    for (uint32_t i = 10; i < 20; i++) {
        assert_int_equal(numbered_add(&numbered, &items[i], &number), 0);
        assert_in_range(number, 10, 19);
        assert_false(given[number]);
        given[number] = true;
        assert_ptr_equal(numbered_get(&numbered, number), &items[i]);
    }
    assert_int_equal(numbered_add(&numbered, &items[0], &number), 0);
    assert_int_equal(number, array_count(items));
    numbered_fini(&numbered);
}

static void metrics_count_and_sort_into_buckets(void **state)
{
    struct metric_reading reading;
    metric_add(METRIC_GAPS, 3);
    metric_add(METRIC_GAPS, -1);
    metric_read(METRIC_GAPS, &reading);
    assert_int_equal(reading.value, 2);
    assert_string_equal(reading.name, "tidings_gaps_total");
    const uint64_t values[] = {0, 1, 2, 3, 1024, UINT64_MAX};
    for (size_t i = 0; i < array_count(values); i++)
        metric_observe(METRIC_COMMIT_BATCH, values[i]);
    metric_read(METRIC_COMMIT_BATCH, &reading);
    assert_int_equal(reading.count, 6);
    assert_int_equal(reading.buckets[0], 1);
    assert_int_equal(reading.buckets[1], 1);
    assert_int_equal(reading.buckets[2], 2);
    assert_int_equal(reading.buckets[11], 1);
    assert_int_equal(reading.buckets[METRIC_BUCKETS - 1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(spans_are_cut_and_trimmed),
        cmocka_unit_test(a_buffer_keeps_to_its_ceiling),
        cmocka_unit_test(an_arena_gives_zeroed_memory_up_to_its_ceiling),
        cmocka_unit_test(deadlines_fire_in_time_and_once),
        cmocka_unit_test(letters_of_many_senders_arrive_once_and_in_order),
        cmocka_unit_test(the_hash_depends_on_every_byte),
        cmocka_unit_test(numbers_are_used_again),
        cmocka_unit_test(metrics_count_and_sort_into_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
