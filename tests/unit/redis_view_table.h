/* A plain model of a few keys, for test_redis_exact: two hashes, two sets of names, two streams,
 * and what events change. Marks in texts stay as they are until table_fill. */
#ifndef TIDINGS_TESTS_REDIS_VIEW_TABLE_H
#define TIDINGS_TESTS_REDIS_VIEW_TABLE_H

#define TABLE_FIELDS 4
#define TABLE_COUNTER "n"
#define TABLE_ITEMS_MAX 400

static const char *const table_fields[TABLE_FIELDS] = {"a", "b", "c", TABLE_COUNTER};

enum table_act {
    TABLE_GET,
    TABLE_FIELDS_READ,
    TABLE_SET,
    TABLE_UNSET,
    TABLE_RAISE,
    TABLE_DROP,
    TABLE_NAMES,
    TABLE_NAME_ADD,
    TABLE_NAME_REMOVE,
    TABLE_NAMES_REMOVE,
    TABLE_ENTRIES,
    TABLE_ENTRY_ADD,
    TABLE_EVENT,
    TABLE_ACTS
};

struct table_text {
    char data[512];
    size_t len;
    bool is_there;
};

struct table_item {
    char data[64];
    size_t len;
};

struct table_items {
    struct table_item items[TABLE_ITEMS_MAX]; /* sorted */
    int count;
};

struct table {
    struct table_item fields[2][TABLE_FIELDS];
    bool is_there[2][TABLE_FIELDS];
    struct table_items names[2];
    struct table_items added, messages; /* ids */
};

struct table_call {
    enum table_act kind;
    int key, field, by, limit, event;
    bool descending, drops_names;
    struct table_text a, b;
};

static struct table_item item_of(const char *data, size_t len)
{
    struct table_item item = {.len = len};
    assert_true(len <= sizeof(item.data));
    memcpy(item.data, data, len);
    return item;
}

static int item_compare(const struct table_item *a, const struct table_item *b)
{
    int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static void items_add(struct table_items *items, struct table_item item)
{
    int at = 0;
    while (at < items->count && item_compare(&items->items[at], &item) < 0)
        at++;
    if (at < items->count && item_compare(&items->items[at], &item) == 0)
        return;
    assert_true(items->count < TABLE_ITEMS_MAX);
    memmove(items->items + at + 1, items->items + at, (size_t)(items->count - at) * sizeof(item));
    items->items[at] = item;
    items->count++;
}

static bool is_between(const struct table_item *item, const struct table_call *call)
{
    struct table_item a = {0}, b = {0};
    if (call->a.is_there)
        a = item_of(call->a.data, call->a.len);
    if (call->b.is_there)
        b = item_of(call->b.data, call->b.len);
    return (!call->a.is_there || item_compare(item, &a) > 0) &&
           (!call->b.is_there || item_compare(item, &b) < 0);
}

static void items_remove(struct table_items *items, const struct table_call *call)
{
    int kept = 0;
    for (int i = 0; i < items->count; i++) {
        if (!is_between(&items->items[i], call))
            items->items[kept++] = items->items[i];
    }
    items->count = kept;
}

static void text_add(struct table_text *text, const struct table_item *item)
{
    assert_true(text->len + item->len + 1 <= sizeof(text->data));
    memcpy(text->data + text->len, item->data, item->len);
    text->len += item->len;
    text->data[text->len++] = '|';
}

static struct table_text items_read(const struct table_items *items, const struct table_call *call)
{
    struct table_text text = {0};
    int left = call->limit;
    for (int i = 0; i < items->count && left > 0; i++) {
        const struct table_item *item = &items->items[call->descending ? items->count - 1 - i : i];
        if (is_between(item, call)) {
            text_add(&text, item);
            left--;
        }
    }
    return text;
}

/* Ids stand here as names, which sort as they do. */
static struct table_item id_item(struct event_id id)
{
    char text[64];
    struct buf buf = {.data = text, .size = sizeof(text), .bytes_max = sizeof(text)};
    assert_int_equal(redis_put_name_of_id(&buf, id), 0);
    return item_of(text, buf.len);
}

static struct table_text field_read(const struct table *table, int key, int field)
{
    struct table_text text = {0};
    if (table->is_there[key][field])
        text_add(&text, &table->fields[key][field]);
    else
        text.data[text.len++] = '-';
    return text;
}

static void field_set(struct table *table, int key, int field, const char *data, size_t len)
{
    table->fields[key][field] = item_of(data, len);
    table->is_there[key][field] = true;
}

static void field_raise(struct table *table, int key, int by)
{
    char text[32];
    struct table_item *item = &table->fields[key][TABLE_FIELDS - 1];
    long number = 0;
    if (table->is_there[key][TABLE_FIELDS - 1]) {
        memcpy(text, item->data, item->len);
        text[item->len] = 0;
        number = atol(text);
    }
    int len = snprintf(text, sizeof(text), "%ld", number + by);
    field_set(table, key, TABLE_FIELDS - 1, text, (size_t)len);
}

static struct table_text table_play(struct table *table, const struct table_call *call)
{
    struct table_text text = {0};
    struct table_items *names = &table->names[call->key];
    switch (call->kind) {
    case TABLE_GET:
        return field_read(table, call->key, call->field);
    case TABLE_FIELDS_READ:
        for (int i = 0; i < TABLE_FIELDS; i++) {
            struct table_text field = field_read(table, call->key, i);
            memcpy(text.data + text.len, field.data, field.len);
            text.len += field.len;
        }
        return text;
    case TABLE_SET:
        field_set(table, call->key, call->field, call->a.data, call->a.len);
        return text;
    case TABLE_UNSET:
        table->is_there[call->key][call->field] = false;
        return text;
    case TABLE_RAISE:
        field_raise(table, call->key, call->by);
        return text;
    case TABLE_DROP:
        if (call->drops_names)
            names->count = 0;
        else
            memset(table->is_there[call->key], 0, sizeof(table->is_there[0]));
        return text;
    case TABLE_NAMES:
        return items_read(names, call);
    case TABLE_NAME_ADD:
        items_add(names, item_of(call->a.data, call->a.len));
        return text;
    case TABLE_NAME_REMOVE:
        for (int i = 0; i < names->count; i++) {
            struct table_item item = item_of(call->a.data, call->a.len);
            if (item_compare(&names->items[i], &item) == 0) {
                memmove(names->items + i, names->items + i + 1,
                        (size_t)(--names->count - i) * sizeof(item));
            }
        }
        return text;
    case TABLE_NAMES_REMOVE:
        items_remove(names, call);
        return text;
    case TABLE_ENTRIES:
        return items_read(call->key ? &table->messages : &table->added, call);
    case TABLE_ENTRY_ADD:
        items_add(&table->added, id_item(redis_pending_id((uint64_t)call->event)));
        items_add(&table->messages, id_item(redis_pending_id((uint64_t)call->event)));
        return text;
    default:
        items_add(&table->messages, id_item(redis_pending_id((uint64_t)call->event)));
        return text;
    }
}

/* From Redis. */
static void items_from(struct table_items *items, redisReply *reply)
{
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *one = reply->element[i];
        struct event_id id;
        if (one->type == REDIS_REPLY_ARRAY) {
            one = one->element[0];
            assert_int_equal(redis_parse_id(span_of(one->str, one->len), &id), 0);
            items_add(items, id_item(id));
        } else {
            items_add(items, item_of(one->str, one->len));
        }
    }
    freeReplyObject(reply);
}

static void table_read(struct table *table, redisContext *redis)
{
    for (int key = 0; key < 2; key++) {
        for (int field = 0; field < TABLE_FIELDS; field++) {
            redisReply *reply =
                redisCommand(redis, "HGET tidings:{s3}/p/2/hash%d %s", key, table_fields[field]);
            if (reply->type == REDIS_REPLY_STRING)
                field_set(table, key, field, reply->str, reply->len);
            freeReplyObject(reply);
        }
        items_from(&table->names[key],
                   redisCommand(redis, "ZRANGE tidings:{s3}/p/2/names%d 0 -1", key));
    }
    items_from(&table->added, redisCommand(redis, "XRANGE tidings:{s3}/p/2/added - +"));
    items_from(&table->messages, redisCommand(redis, "XRANGE tidings:{s3}/p/2/messages - +"));
}

/* What the commit made of the marks. */
static void item_fill(struct table_item *item, struct redis_view *of)
{
    struct redis_mark mark;
    struct table_item filled = {0};
    struct buf buf = {.data = filled.data, .size = sizeof(filled.data), .bytes_max = 64};
    if (!redis_find_mark(span_of(item->data, item->len), &mark))
        return;
    struct event_id id = redis_view_real_id(of, redis_pending_id((uint64_t)mark.index));
    size_t end = mark.at + REDIS_MARK_BYTES;
    assert_int_equal(buf_add(&buf, item->data, mark.at), 0);
    assert_int_equal(mark.kind == 'h' ? redis_put_name_of_id(&buf, id) : redis_put_id(&buf, id), 0);
    assert_int_equal(buf_add(&buf, item->data + end, item->len - end), 0);
    filled.len = buf.len;
    *item = filled;
}

static void items_fill(struct table_items *items, struct redis_view *of)
{
    struct table_items filled = {.count = 0};
    for (int i = 0; i < items->count; i++) {
        item_fill(&items->items[i], of);
        items_add(&filled, items->items[i]);
    }
    *items = filled;
}

static void table_fill(struct table *table, struct redis_view *of)
{
    for (int key = 0; key < 2; key++) {
        for (int field = 0; field < TABLE_FIELDS; field++)
            item_fill(&table->fields[key][field], of);
        items_fill(&table->names[key], of);
    }
    items_fill(&table->added, of);
    items_fill(&table->messages, of);
}

static bool items_equal(const struct table_items *a, const struct table_items *b)
{
    if (a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++) {
        if (item_compare(&a->items[i], &b->items[i]) != 0)
            return false;
    }
    return true;
}

/* Redis has what the table has. */
static void table_assert(const struct table *table, redisContext *redis, unsigned of_seed)
{
    struct table is = {0};
    bool same = true;
    table_read(&is, redis);
    for (int key = 0; key < 2; key++) {
        for (int field = 0; field < TABLE_FIELDS; field++)
            same &= table->is_there[key][field] == is.is_there[key][field] &&
                    (!is.is_there[key][field] ||
                     item_compare(&table->fields[key][field], &is.fields[key][field]) == 0);
        same &= items_equal(&table->names[key], &is.names[key]);
    }
    if (!same || !items_equal(&table->added, &is.added) ||
        !items_equal(&table->messages, &is.messages))
        fail_msg("seed %u: Redis has something else", of_seed);
}

#endif
