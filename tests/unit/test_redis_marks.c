/* Commits over a real Redis: what stands for an event that gets its id by the script. */
#include "redis_view_test.h"

/* A text with all marks of an event. */
static struct span marks_of(uint64_t index, char out[128])
{
    struct buf buf = {.data = out, .size = 128, .bytes_max = 128};
    assert_int_equal(redis_pack_id(&buf, redis_pending_id(index)), 0);
    assert_int_equal(redis_put_name_of_id(&buf, redis_pending_id(index)), 0);
    assert_int_equal(redis_pack_ordinal(&buf, REDIS_PENDING_ORDINAL + index), 0);
    return buf_span(&buf);
}

/* Values, fields, names, entries and metas speak of the event `index`. */
static int speak_of(uint64_t index)
{
    char text[128], field[64];
    struct event_id id = redis_pending_id(index);
    struct span found;
    struct span name = pending_text(field, sizeof(field), id);
    TRY(redis_view_set(view, hash(), S("marks"), marks_of(index, text)));
    TRY(redis_view_set(view, hash(), name, S("named")));
    TRY(redis_view_get(view, hash(), name, &found));
    assert_span(found, "named");
    TRY(redis_view_raise(view, redis_key_of(view, 'p', 7, "counts"), name, 4));
    TRY(redis_view_set(view, redis_key_of(view, 'p', 7, "gone"), name, S("x")));
    TRY(redis_view_unset(view, redis_key_of(view, 'p', 7, "gone"), name));
    struct buf buf = {.data = text, .size = sizeof(text), .bytes_max = sizeof(text)};
    TRY(buf_add_text(&buf, "user/"));
    TRY(redis_put_name_of_id(&buf, id));
    TRY(redis_view_name_add(view, redis_key_of(view, 'p', 7, "names"), buf_span(&buf)));
    TRY(redis_view_name_add(view, redis_key_of(view, 'p', 7, "few"), buf_span(&buf)));
    TRY(redis_view_name_remove(view, redis_key_of(view, 'p', 7, "few"), buf_span(&buf)));
    return redis_view_entry_add(view, redis_key_of(view, 'p', 7, "stream"), id,
                                marks_of(index, text));
}

static int event_then_speak(void *context, struct redis_view *v)
{
    uint64_t index = redis_view_next_id(view).seq;
    TRY(event("spoken of", true));
    return speak_of(index);
}

static int speak_of_first(void *context, struct redis_view *v)
{
    if (redis_view_next_id(view).seq == 0)
        return ERR_NOT_FETCHED; /* the command before it has to wait */
    return speak_of(0);
}

static void assert_spoken(int index, int ordinal)
{
    char text[256];
    redisReply *reply = redisCommand(sync.redis, "HGET %s marks", HASH);
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", real_text(index)) + 1;
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d", name_text(index), ordinal) + 1;
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    assert_int_equal(reply->len, len);
    assert_memory_equal(reply->str, text, len);
    freeReplyObject(reply);
    snprintf(text, sizeof(text), "HGET %s %s", HASH, real_text(index));
    assert_text(text, "named");
    snprintf(text, sizeof(text), "HGET tidings:{s3}/p/7/counts %s", real_text(index));
    assert_text(text, "4");
    snprintf(text, sizeof(text), "user/%s", name_text(index));
    assert_list("ZRANGE tidings:{s3}/p/7/names 0 -1", text);
    assert_int_equal(redis_server_number(&server, "EXISTS tidings:{s3}/p/7/few"), 0);
    assert_int_equal(redis_server_number(&server, "EXISTS tidings:{s3}/p/7/gone"), 0);
    reply = redisCommand(sync.redis, "XRANGE tidings:{s3}/p/7/stream - +");
    assert_int_equal(reply->elements, 1);
    assert_string_equal(reply->element[0]->element[0]->str, real_text(index));
    freeReplyObject(reply);
}

static void test_marks_of_own(void **state)
{
    redis("HSET tidings:{s3}/p/2/state o 41");
    DO_BATCH(one_event, event_then_speak);
    assert_true(done(0) && done(1));
    assert_spoken(1, 43);
}

static void test_marks_of_earlier(void **state)
{
    DO_BATCH(one_event, speak_of_first);
    assert_true(done(0) && done(1));
    assert_spoken(0, 1);
}

/* What speaks of an event that was not stored is not stored either. */
static void test_marks_of_failed(void **state)
{
    SETTLE(checked_event, speak_of_first, one_event);
    redis("HSET %s a 1", HASH);
    commit();
    assert_true(!done(0) && !done(1) && done(2));
    assert_int_equal(redis_server_number(&server, "HLEN %s", HASH), 1);
    assert_int_equal(redis_server_number(&server, "EXISTS tidings:{s3}/p/7/names"), 0);
    assert_int_equal(redis_server_number(&server, "XLEN tidings:{s3}/p/2/messages"), 1);
    assert_true(event_id_is_none(redis_view_real_id(view, redis_pending_id(0))));
    assert_false(event_id_is_none(redis_view_real_id(view, redis_pending_id(1))));
    struct event_id id = {12, 3};
    assert_int_equal(event_id_compare(redis_view_real_id(view, id), id), 0);
}

/* The id of an event that is yet to come. */
static int speak_then_event(void *context, struct redis_view *v)
{
    char text[64];
    struct event_id id = redis_view_next_id(view);
    TRY(redis_view_set(view, hash(), S("first"), pending_text(text, sizeof(text), id)));
    id.seq++;
    TRY(redis_view_set(view, hash(), S("second"), pending_text(text, sizeof(text), id)));
    TRY(event("one", true));
    return event("two", true);
}

static void test_marks_of_coming(void **state)
{
    DO_BATCH(one_event, speak_then_event);
    assert_text("HGET " HASH " first", real_text(1));
    assert_text("HGET " HASH " second", real_text(2));
    assert_true(event_id_compare(real(1), real(2)) < 0);
}

/* What an earlier command's event left is a fact as any other: with marks in what is read. */
static int read_head(void *context, struct redis_view *v)
{
    struct span head, ordinal, number;
    struct event_id id;
    struct redis_key *realm = redis_key_of(view, 'r', 1, "state");
    TRY(redis_view_get(view, realm, S("h"), &head));
    TRY(redis_view_get(view, realm, S("n"), &number));
    TRY(redis_view_get(view, redis_key_of(view, 'p', 2, "state"), S("o"), &ordinal));
    assert_int_equal(redis_parse_id(head, &id), 0);
    assert_true(redis_is_pending(id) && id.seq == 0);
    assert_span(ordinal, "1");
    assert_span(number, "1");
    return redis_view_set(view, hash(), S("head"), head);
}

static int read_body(void *context, struct redis_view *v)
{
    char text[64];
    struct span body;
    struct redis_key *bodies = redis_key_of(view, 'p', 2, "bodies");
    struct span name = pending_text(text, sizeof(text), redis_pending_id(0));
    TRY(redis_view_get(view, bodies, name, &body));
    assert_span(body, "body");
    TRY(redis_view_get(view, hash(), name, &body));
    assert_span(body, NULL);
    return redis_view_set(view, hash(), S("body"), S("read"));
}

static void test_read_event(void **state)
{
    DO_BATCH(one_event, read_head, read_body);
    assert_true(done(0) && done(1) && done(2));
    assert_text("HGET " HASH " head", real_text(0));
    assert_text("HGET " HASH " body", "read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(test_marks_of_own),    WITH_REDIS(test_marks_of_earlier),
        WITH_REDIS(test_marks_of_failed), WITH_REDIS(test_marks_of_coming),
        WITH_REDIS(test_read_event),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
