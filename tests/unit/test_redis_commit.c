/* Commits over a real Redis: events, batches that are repeated, lives and deadlines. */
#include "redis_view_test.h"

static int quiet_event(void *context, struct redis_view *v)
{
    return event("quiet", false);
}

static int two_events(void *context, struct redis_view *v)
{
    TRY(redis_view_raise(view, redis_key_of(view, 'p', 2, "state"), S("c"), 3));
    TRY(event("one", true));
    return event("two", false);
}

static int realm_event(void *context, struct redis_view *v)
{
    struct redis_key *bodies = redis_key_of(view, 'r', 1, "bodies");
    struct redis_event event = {
        .realm = redis_key_of(view, 'r', 1, "state"),
        .realm_stream = redis_key_of(view, 'r', 1, "events"),
        .where = S("1"),
        .stream = redis_key_of(view, 'r', 1, "own"),
        .meta = S("realm"),
        .bodies = bodies,
        .body = S("to all"),
        .members = -1,
        .realm_name = S("acme"),
    };
    return redis_view_event(view, &event);
}

static void test_events(void **state)
{
    DO_BATCH(one_event, two_events, quiet_event, realm_event);
    for (int i = 0; i < 4; i++)
        assert_true(done(i));
    assert_int_equal(sync.results[0].members, 0);
    assert_int_equal(sync.results[1].members, 3);
    assert_int_equal(sync.results[3].members, -1);
    for (int i = 1; i < 5; i++)
        assert_true(event_id_compare(real(i - 1), real(i)) < 0);
    assert_true(event_id_compare(sync.results[1].head, real(2)) == 0);
    assert_text("HGET tidings:{s3}/r/1/state n", "5");
    assert_text("HGET tidings:{s3}/r/1/state h", real_text(4));
    assert_text("HGET tidings:{s3}/state number", "5");
    assert_text("HGET tidings:{s3}/p/2/state o", "2");
    char ask[128];
    snprintf(ask, sizeof(ask), "HGET tidings:{s3}/p/2/bodies %s", real_text(1));
    assert_text(ask, "body");
    snprintf(ask, sizeof(ask), "HGET tidings:{s3}/r/1/bodies %s", real_text(4));
    assert_text(ask, "to all");
    assert_int_equal(redis_server_number(&server, "XLEN tidings:{s3}/r/1/events"), 5);
    assert_int_equal(redis_server_number(&server, "XLEN tidings:{s3}/p/2/messages"), 4);
    assert_int_equal(redis_server_number(&server, "XLEN tidings:{s3}/r/1/own"), 1);
}

/* An entry of the journal has all that a node needs to tell it. */
static void test_journal(void **state)
{
    redis("HSET tidings:{s3}/p/2/state c 9 o 4");
    DO_BATCH(one_event, realm_event);
    redisReply *reply = redisCommand(sync.redis, "XRANGE tidings:{s3}/journal - +");
    assert_int_equal(reply->elements, 2);
    static const char *const texts[2][16] = {
        {"N", "1", "r", "acme", "n", "1", "o", "5", "c", "9", "w", "2", "v", "meta", "b", "body"},
        {"N", "2", "r", "acme", "n", "2", "o", "0", "c", "", "w", "1", "v", "realm", "b",
         "to all"}};
    for (int i = 0; i < 2; i++) {
        const redisReply *fields = reply->element[i]->element[1];
        assert_string_equal(reply->element[i]->element[0]->str, real_text(i));
        assert_int_equal(fields->elements, 16);
        for (int at = 0; at < 16; at++)
            assert_string_equal(fields->element[at]->str, texts[i][at]);
    }
    freeReplyObject(reply);
}

/* Redis' clock may stand still or go back: ids rise. */
static void test_ids_rise(void **state)
{
    redis("HSET tidings:{s3}/state ms 99999999999999 seq 5");
    DO_BATCH(two_events);
    assert_true(real(0).ms == 99999999999999 && real(0).seq == 6 && real(1).seq == 7);
    DO_BATCH(one_event);
    assert_true(real(0).ms == 99999999999999 && real(0).seq == 8);
    assert_text("HGET tidings:{s3}/state number", "3");
}

static redisReply *send_call(const struct redis_call *call)
{
    const char *argv[512];
    size_t lens[512];
    assert_true(call->argc < 500);
    argv[0] = "EVALSHA";
    argv[1] = sync.scripts[REDIS_SYNC_COMMIT];
    lens[0] = 7;
    lens[1] = 40;
    memcpy(argv + 2, call->argv, (size_t)call->argc * sizeof(*argv));
    memcpy(lens + 2, call->lens, (size_t)call->argc * sizeof(*lens));
    return redisCommandArgv(sync.redis, call->argc + 2, argv, lens);
}

/* The call is made `times` times, with the same results. */
static void repeat(int times, int64_t deadline_ms)
{
    struct redis_call call;
    struct redis_result first[BATCH_MAX];
    int64_t now_ms;
    struct event_id id = EVENT_ID_NONE;
    for (int i = 0; i < times; i++) {
        assert_int_equal(
            redis_view_write_commit(view, S(sync.life), S("named"), deadline_ms, &call), 0);
        redisReply *reply = send_call(&call);
        assert_int_equal(redis_view_read_commit(view, reply, sync.results, &now_ms), 0);
        freeReplyObject(reply);
        if (i == 0) {
            memcpy(first, sync.results, sizeof(first));
            id = redis_view_real_id(view, redis_pending_id(1));
            continue;
        }
        for (int at = 0; at < redis_view_command_count(view); at++) {
            assert_int_equal(first[at].done, sync.results[at].done);
            assert_int_equal(first[at].members, sync.results[at].members);
            assert_int_equal(first[at].failed_check, sync.results[at].failed_check);
            assert_int_equal(event_id_compare(first[at].head, sync.results[at].head), 0);
        }
        assert_int_equal(event_id_compare(id, redis_view_real_id(view, redis_pending_id(1))), 0);
    }
}

static int own_set(void *context, struct redis_view *v)
{
    return redis_view_set(view, hash(), S("own"), S("1"));
}

static void test_repeat(void **state)
{
    int64_t deadline_ms = sync.now_ms + 60000;
    SETTLE(checked_event, two_events, realm_event, own_set);
    redis("HSET %s a 1", HASH);
    repeat(3, deadline_ms);
    assert_false(sync.results[0].done);
    assert_true(sync.results[1].done && sync.results[2].done && sync.results[3].done);
    assert_int_equal(redis_server_number(&server, "XLEN tidings:{s3}/journal"), 3);
    /* In another life it is still known what was done. */
    redis_sync_live(&sync, "life-2", 1000);
    repeat(1, deadline_ms);
    assert_true(sync.results[1].done);
    assert_int_equal(redis_server_number(&server, "XLEN tidings:{s3}/p/2/messages"), 2);
}

static void test_outcomes_pass(void **state)
{
    char key[64];
    int64_t deadline_ms = sync.now_ms + 60000;
    SETTLE(one_event);
    repeat(1, deadline_ms);
    snprintf(key, sizeof(key), "tidings:{s3}/done/%lld",
             (long long)(deadline_ms / REDIS_DONE_PERIOD_MS));
    long long left = redis_server_number(&server, "PTTL %s", key);
    assert_in_range(left, 1, REDIS_DONE_KEPT_S * 1000);
}

static int commit_by(int64_t deadline_ms)
{
    struct redis_call call;
    int64_t now_ms = 0;
    assert_int_equal(redis_view_write_commit(view, S(sync.life), S("late"), deadline_ms, &call), 0);
    redisReply *reply = send_call(&call);
    int err = redis_view_read_commit(view, reply, sync.results, &now_ms);
    assert_true(now_ms > 1000000000000);
    freeReplyObject(reply);
    return err;
}

static void test_deadline(void **state)
{
    SETTLE(one_event);
    assert_int_equal(commit_by(sync.now_ms - 1), ERR_AGAIN);
    assert_int_equal(redis_server_number(&server, "EXISTS tidings:{s3}/journal"), 0);
    assert_int_equal(commit_by(sync.now_ms + 60000), 0);
    assert_int_equal(redis_server_number(&server, "XLEN tidings:{s3}/journal"), 1);
}

static void test_other_life(void **state)
{
    SETTLE(one_event);
    strcpy(sync.life, "life-2");
    assert_int_equal(redis_sync_commit(&sync, view), ERR_VERSION);
    redis("DEL tidings:{s3}/state");
    assert_int_equal(redis_sync_commit(&sync, view), ERR_VERSION);
    assert_int_equal(redis_server_number(&server, "EXISTS tidings:{s3}/journal"), 0);
}

/* Ids and places of a new life lie above all of the old one. */
static void test_lives(void **state)
{
    DO_BATCH(one_event);
    struct event_id last = real(0);
    redis("HINCRBY tidings:{s3}/state places 500");
    redis_sync_live(&sync, "life-1", 10000);
    assert_text("HGET tidings:{s3}/state places", "500");
    redis_sync_live(&sync, "life-2", 10000);
    assert_text("HGET tidings:{s3}/state places", "1000500");
    DO_BATCH(one_event);
    assert_true(real(0).ms >= last.ms + 10000);
    redisReply *reply = redisCommand(sync.redis, "XREVRANGE tidings:{s3}/journal + -");
    assert_int_equal(reply->elements, 3);
    const redisReply *life = reply->element[1]->element[1];
    event_id_format(last, id_text);
    assert_int_equal(life->elements, 6);
    assert_string_equal(life->element[1]->str, "2");
    assert_string_equal(life->element[3]->str, "life-2");
    assert_string_equal(life->element[5]->str, id_text);
    assert_string_equal(reply->element[0]->element[1]->element[1]->str, "3");
    freeReplyObject(reply);
    /* A clock that is behind the last id. */
    redis("HSET tidings:{s3}/state ms 99999999999999 seq 5");
    redis_sync_live(&sync, "life-3", 10000);
    assert_text("HGET tidings:{s3}/state ms", "100000000000000");
    assert_text("HGET tidings:{s3}/state seq", "0");
}

/* What fails halfway, in a key of another type, gives no id twice. */
static void test_halfway(void **state)
{
    struct redis_call call;
    SETTLE(two_events, own_set);
    redis("SET %s text", HASH);
    assert_int_equal(
        redis_view_write_commit(view, S(sync.life), S("b"), sync.now_ms + 60000, &call), 0);
    redisReply *reply = send_call(&call);
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    assert_int_equal(strncmp(reply->str, "WRONGTYPE", 9), 0);
    int64_t now_ms;
    assert_int_equal(redis_view_read_commit(view, reply, sync.results, &now_ms), ERR_CORRUPT);
    freeReplyObject(reply);
    DO_BATCH(one_event);
    assert_true(done(0));
    assert_int_equal(redis_server_number(&server, "XLEN tidings:{s3}/r/1/events"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(test_events),     WITH_REDIS(test_journal),       WITH_REDIS(test_ids_rise),
        WITH_REDIS(test_repeat),     WITH_REDIS(test_outcomes_pass), WITH_REDIS(test_deadline),
        WITH_REDIS(test_other_life), WITH_REDIS(test_lives),         WITH_REDIS(test_halfway),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
