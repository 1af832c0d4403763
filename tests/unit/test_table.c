/* The table: what was added and not taken out is found, whatever else comes and goes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/table.h"

#define COUNT 5000

struct item {
    struct table_link link;
    char name[16];
    bool inside, met;
};

static struct item items[COUNT];
static struct table table;

static struct item *of_link(struct table_link *link)
{
    return link ? container_of(link, struct item, link) : NULL;
}

static int name_all(void **state)
{
    memset(items, 0, sizeof(items));
    for (int i = 0; i < COUNT; i++) {
        snprintf(items[i].name, sizeof(items[i].name), "item-%d", i);
        items[i].link.key = items[i].name;
        items[i].link.key_len = (uint32_t)strlen(items[i].name);
    }
    return 0;
}

static struct item *find(const char *name)
{
    return of_link(table_find(&table, name, strlen(name)));
}

static void put(struct item *item)
{
    table_add(&table, &item->link);
    item->inside = true;
}

static void take(struct item *item)
{
    table_remove(&table, &item->link);
    item->inside = false;
}

static void check_all(void)
{
    uint32_t inside = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_ptr_equal(find(items[i].name), items[i].inside ? &items[i] : NULL);
        inside += items[i].inside;
        items[i].met = false;
    }
    assert_int_equal(table.count, inside);
    for (struct table_link *at = table_first(&table); at; at = table_next(&table, at)) {
        assert_true(of_link(at)->inside);
        assert_false(of_link(at)->met);
        of_link(at)->met = true;
        inside--;
    }
    assert_int_equal(inside, 0);
}

static void finds_what_is_there(void **state)
{
    srand(1);
    check_all();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < COUNT; i++) {
            struct item *item = &items[rand() % COUNT];
            if (item->inside)
                take(item);
            else
                put(item);
        }
        check_all();
    }
    assert_true(table.mask >= table.count / 4);
    /* Each may go as soon as the next is known. */
    struct table_link *next = table_first(&table);
    while (next) {
        struct item *item = of_link(next);
        next = table_next(&table, next);
        take(item);
    }
    check_all();
    assert_null(table.buckets);
}

/* The whole key counts, with the bytes that are NUL. */
static void keys_are_compared_whole(void **state)
{
    items[0].link.key_len = 3;
    items[1].link.key = "a\0b";
    items[1].link.key_len = 3;
    put(&items[0]);
    put(&items[1]);
    assert_ptr_equal(find("ite"), &items[0]);
    assert_null(find("item-0"));
    assert_null(find("a"));
    assert_ptr_equal(of_link(table_find(&table, "a\0b", 3)), &items[1]);
    take(&items[0]);
    take(&items[1]);
}

static void many_may_have_one_key(void **state)
{
    for (int i = 0; i < COUNT; i++) {
        items[i].link.key = "same";
        items[i].link.key_len = 4;
        put(&items[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        struct item *found = find("same");
        assert_true(found && found->inside);
        take(&items[i * 7919 % COUNT]);
    }
    assert_null(find("same"));
}

static void one_takes_the_place_of_another(void **state)
{
    for (int i = 0; i < 100; i++)
        put(&items[i]);
    for (int i = 0; i < 100; i++) {
        struct item *other = &items[100 + i];
        other->link.key = items[i].name;
        other->link.key_len = items[i].link.key_len;
        table_replace(&items[i].link, &other->link);
        assert_ptr_equal(find(items[i].name), other);
    }
    assert_int_equal(table.count, 100);
    for (int i = 0; i < 100; i++) {
        take(&items[100 + i]);
        assert_null(find(items[i].name));
        put(&items[i]);
    }
    check_all();
    for (int i = 0; i < 100; i++)
        take(&items[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(finds_what_is_there, name_all),
        cmocka_unit_test_setup(keys_are_compared_whole, name_all),
        cmocka_unit_test_setup(many_may_have_one_key, name_all),
        cmocka_unit_test_setup(one_takes_the_place_of_another, name_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
