/* Calls over a link to a real Redis: their answers, their limits, scripts, what errors mean. */
#include "redis_link_test.h"

/* -- answers -------------------------------------------------------------------------------- */

static struct answered chain;

static void ask_next(void)
{
    if (chain.number < 1000)
        assert_int_equal(try_ask("INCR chain", LIMIT_MS, &chain), 0);
}

static void test_answers(void **state)
{
    static struct answered answered[500];
    open_link(true);
    memset(answered, 0, sizeof(answered));
    for (int i = 0; i < 500; i++)
        ask(i % 3 == 2 ? "STRLEN none" : "INCR a", LIMIT_MS, &answered[i]);
    ask("SET quiet yes", LIMIT_MS, NULL);
    chain = (struct answered){.then = ask_next};
    ask("INCR chain", LIMIT_MS, &chain);
    WAIT_UNTIL(chain.number == 1000);
    assert_int_equal(chain.times, 1000);
    for (int i = 0, number = 0; i < 500; i++) {
        assert_int_equal(answered[i].times, 1);
        assert_int_equal(answered[i].err, 0);
        assert_int_equal(answered[i].order, i);
        assert_int_equal(answered[i].number, i % 3 == 2 ? 0 : ++number);
    }
    assert_tells("GET quiet", "yes");
}

static void test_bytes(void **state)
{
    const size_t size = 1 << 20;
    struct answered answered = {.times = 0};
    char *data = malloc(size);
    open_link(true);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7);
    const char *set[] = {"SET", "a\r\nb\0c", data}, *get[] = {"STRLEN", "a\r\nb\0c"};
    const size_t set_lens[] = {3, 6, size}, get_lens[] = {6, 6};
    assert_int_equal(redis_link_ask(link_, 3, set, set_lens, LIMIT_MS, NULL, NULL), 0);
    memset(data, 0, size);
    assert_int_equal(redis_link_ask(link_, 2, get, get_lens, LIMIT_MS, note, &answered), 0);
    WAIT_UNTIL(answered.times);
    assert_int_equal(answered.number, size);
    free(data);
    assert_int_equal(tell("GETRANGE a 0 1").type, REDIS_REPLY_STRING);
}

/* Those whose limit passed count as well: the server has yet to answer them. */
static void test_too_many(void **state)
{
    static struct answered answered[REDIS_CALLS_MAX];
    const char *fetch[] = {"0"};
    const size_t fetch_len = 1;
    struct answered sleep = {.times = 0}, more = {.times = 0};
    open_link(false);
    memset(answered, 0, sizeof(answered));
    ask("DEBUG SLEEP 0.7", LIMIT_MS, &sleep);
    for (int i = 1; i < REDIS_CALLS_MAX; i++)
        ask("INCR a", i < 100 ? 50 : LIMIT_MS, &answered[i]);
    assert_int_equal(try_ask("INCR a", LIMIT_MS, &more), ERR_BUSY);
    WAIT_UNTIL(answered[99].times);
    assert_int_equal(sleep.times, 0);
    assert_int_equal(try_ask("INCR a", LIMIT_MS, &more), ERR_BUSY);
    assert_int_equal(
        redis_link_run(link_, REDIS_SCRIPT_FETCH, 1, fetch, &fetch_len, LIMIT_MS, note, &more),
        ERR_BUSY);
    WAIT_UNTIL(answered[REDIS_CALLS_MAX - 1].times);
    for (int i = 1; i < REDIS_CALLS_MAX; i++) {
        assert_int_equal(answered[i].times, 1);
        assert_int_equal(answered[i].err, i < 100 ? ERR_UNAVAILABLE : 0);
        assert_int_equal(answered[i].number, i < 100 ? 0 : i);
    }
    assert_int_equal(more.times, 0);
    assert_int_equal(downs, 0);
    assert_int_equal(tell("INCR a").number, REDIS_CALLS_MAX);
}

/* -- scripts -------------------------------------------------------------------------------- */

/* fetch.lua for the field f of h. */
static void fetch(struct answered *answered)
{
    const char *argv[] = {"1", "h", "G", "1", "f"};
    const size_t lens[] = {1, 1, 1, 1, 1};
    assert_int_equal(
        redis_link_run(link_, REDIS_SCRIPT_FETCH, 5, argv, lens, LIMIT_MS, note, answered), 0);
}

static long long calls_of(const char *command)
{
    struct redisReply *reply = redis_server_ask(&server, "INFO commandstats");
    char name[64];
    snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
    const char *at = strstr(reply->str, name);
    long long calls = at ? atoll(at + strlen(name)) : 0;
    freeReplyObject(reply);
    return calls;
}

/* All of them are asked again, and the script is loaded once. */
static void test_scripts_emptied(void **state)
{
    static struct answered answered[300];
    open_link(true);
    for (int round = 0; round < 3; round++) {
        memset(answered, 0, sizeof(answered));
        freeReplyObject(redis_server_ask(&server, "SCRIPT FLUSH"));
        freeReplyObject(redis_server_ask(&server, "CONFIG RESETSTAT"));
        for (int i = 0; i < 300; i++)
            fetch(&answered[i]);
        WAIT_UNTIL(answered[299].times);
        for (int i = 0; i < 300; i++) {
            assert_int_equal(answered[i].times, 1);
            assert_int_equal(answered[i].err, 0);
            assert_int_equal(answered[i].type, REDIS_REPLY_ARRAY);
        }
        assert_int_equal(calls_of("script|load"), 1);
        assert_int_equal(calls_of("evalsha"), 600);
    }
    assert_int_equal(downs, 0);
}

/* What was given up is not asked again. */
static void test_scripts_emptied_late(void **state)
{
    struct answered sleep = {.times = 0}, late = {.times = 0};
    const char *argv[] = {"1", "h", "G", "1", "f"};
    const size_t lens[] = {1, 1, 1, 1, 1};
    open_link(false);
    assert_tells("SCRIPT FLUSH", "OK");
    assert_tells("CONFIG RESETSTAT", "OK");
    ask("DEBUG SLEEP 0.3", LIMIT_MS, &sleep);
    assert_int_equal(redis_link_run(link_, REDIS_SCRIPT_FETCH, 5, argv, lens, 50, note, &late), 0);
    WAIT_UNTIL(late.times);
    assert_int_equal(late.err, ERR_UNAVAILABLE);
    assert_tells("PING", "PONG"); /* behind its answer */
    assert_tells("PING", "PONG"); /* behind what that would bring about */
    assert_int_equal(late.times, 1);
    assert_int_equal(calls_of("evalsha"), 1);
    assert_int_equal(calls_of("script|load"), 0);
}

static void test_scripts_cannot_be_loaded(void **state)
{
    struct answered answered = {.times = 0};
    open_link(true);
    freeReplyObject(redis_server_ask(&server, "ACL SETUSER default -script|load"));
    assert_tells("SCRIPT FLUSH", "OK");
    fetch(&answered);
    WAIT_UNTIL(answered.times);
    assert_int_equal(answered.err, 0);
    assert_int_equal(answered.fault, REDIS_FAULT_NOSCRIPT);
}

/* -- faults --------------------------------------------------------------------------------- */

static void test_words(void **state)
{
    static const struct {
        const char *text;
        enum redis_fault fault;
        bool passes;
        const char *name;
    } rows[] = {
        {"NOSCRIPT No matching script. Please use EVAL.", REDIS_FAULT_NOSCRIPT, true, "NOSCRIPT"},
        {"BUSY Redis is busy running a script.", REDIS_FAULT_BUSY, true, "BUSY"},
        {"LOADING Redis is loading", REDIS_FAULT_LOADING, true, "LOADING"},
        {"OOM command not allowed", REDIS_FAULT_OOM, true, "OOM"},
        {"MISCONF Redis is configured", REDIS_FAULT_MISCONF, true, "MISCONF"},
        {"READONLY You can't write", REDIS_FAULT_READONLY, true, "READONLY"},
        {"NOREPLICAS Not enough", REDIS_FAULT_NOREPLICAS, true, "NOREPLICAS"},
        {"MASTERDOWN Link with MASTER", REDIS_FAULT_MASTERDOWN, true, "MASTERDOWN"},
        {"CLUSTERDOWN Hash slot not served", REDIS_FAULT_CLUSTERDOWN, true, "CLUSTERDOWN"},
        {"MOVED 3999 127.0.0.1:6381", REDIS_FAULT_MOVED, true, "MOVED"},
        {"ASK 3999 127.0.0.1:6381", REDIS_FAULT_ASK, true, "ASK"},
        {"TRYAGAIN Multiple keys", REDIS_FAULT_TRYAGAIN, true, "TRYAGAIN"},
        {"CROSSSLOT Keys in request", REDIS_FAULT_CROSSSLOT, false, "CROSSSLOT"},
        {"UNBLOCKED client unblocked", REDIS_FAULT_UNBLOCKED, true, "UNBLOCKED"},
        {"NOAUTH Authentication required.", REDIS_FAULT_AUTH, false, "NOAUTH"},
        {"WRONGPASS invalid", REDIS_FAULT_AUTH, false, "NOAUTH"},
        {"NOPERM this user", REDIS_FAULT_AUTH, false, "NOAUTH"},
        {"WRONGTYPE Operation", REDIS_FAULT_WRONGTYPE, false, "WRONGTYPE"},
        {"ERR unknown command", REDIS_FAULT_OTHER, false, "ERR"},
        {"OOMS", REDIS_FAULT_OTHER, false, "ERR"},
        {"oom x", REDIS_FAULT_OTHER, false, "ERR"},
        {"", REDIS_FAULT_OTHER, false, "ERR"},
        {"OOM", REDIS_FAULT_OOM, true, "OOM"},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        char text[64];
        redisReply reply = {.type = REDIS_REPLY_ERROR, .str = text, .len = strlen(rows[i].text)};
        snprintf(text, sizeof(text), "%s", rows[i].text);
        assert_int_equal(redis_reply_fault(&reply), rows[i].fault);
        assert_int_equal(redis_fault_passes(rows[i].fault), rows[i].passes);
        assert_string_equal(redis_fault_name(rows[i].fault), rows[i].name);
        reply.type = REDIS_REPLY_STRING;
        assert_int_equal(redis_reply_fault(&reply), REDIS_FAULT_NONE);
    }
    assert_false(redis_fault_passes(REDIS_FAULT_NONE));
    assert_string_equal(redis_fault_name(REDIS_FAULT_NONE), "none");
}

static void assert_fault(const char *command, enum redis_fault fault)
{
    struct answered answered = tell(command);
    assert_int_equal(answered.err, 0);
    if (answered.fault != fault)
        fail_msg("%s: %s", command, answered.text);
}

static void set(const char *setting)
{
    char command[128];
    snprintf(command, sizeof(command), "CONFIG SET %s", setting);
    assert_tells(command, "OK");
}

/* A write, and one that a script makes. */
static void assert_writes(enum redis_fault fault)
{
    const char *argv[] = {"2", "{s}/state", "{s}/journal", "life", "10000", "10"};
    const size_t lens[] = {1, 9, 11, 4, 5, 2};
    struct answered answered = {.times = 0};
    assert_fault("SET a b", fault);
    assert_int_equal(
        redis_link_run(link_, REDIS_SCRIPT_LIFE, 6, argv, lens, LIMIT_MS, note, &answered), 0);
    WAIT_UNTIL(answered.times);
    assert_int_equal(answered.err, 0);
    if (answered.fault != fault)
        fail_msg("life.lua: %s", answered.text);
}

static void test_plain_faults(void **state)
{
    open_link(true);
    assert_writes(REDIS_FAULT_NONE);
    assert_fault("LPUSH a b", REDIS_FAULT_WRONGTYPE);
    assert_fault("NO SUCH THING", REDIS_FAULT_OTHER);
    freeReplyObject(redis_server_ask(&server, "ACL SETUSER default -get"));
    assert_fault("GET a", REDIS_FAULT_AUTH);
    assert_int_equal(downs, 0);
}

static void test_no_room(void **state)
{
    open_link(true);
    set("maxmemory 1");
    assert_writes(REDIS_FAULT_OOM);
    set("maxmemory 0");
    assert_writes(REDIS_FAULT_NONE);
    set("min-replicas-to-write 1");
    assert_writes(REDIS_FAULT_NOREPLICAS);
    set("min-replicas-to-write 0");
    assert_writes(REDIS_FAULT_NONE);
}

/* Its dump cannot be written, since a folder is in the way. */
static void test_disk_fails(void **state)
{
    char command[128];
    open_link(true);
    snprintf(command, sizeof(command), "mkdir -p '%s/dump.rdb/x'", server.folder);
    assert_int_equal(system(command), 0);
    const char *argv[] = {"CONFIG", "SET", "save", "3600 1000"};
    const size_t lens[] = {6, 3, 4, 9};
    assert_int_equal(redis_link_ask(link_, 4, argv, lens, LIMIT_MS, NULL, NULL), 0);
    assert_tells("BGSAVE", "Background saving started");
    WAIT_UNTIL(tell("SET a b").fault == REDIS_FAULT_MISCONF);
    assert_writes(REDIS_FAULT_MISCONF);
}

static void test_replica(void **state)
{
    open_link(false);
    assert_tells("REPLICAOF 127.0.0.1 1", "OK");
    assert_writes(REDIS_FAULT_READONLY);
    set("replica-serve-stale-data no");
    assert_fault("GET a", REDIS_FAULT_MASTERDOWN);
}

static void send_only(redisContext *redis, const char *format, const char *arg)
{
    int done = 0;
    assert_int_equal(redisAppendCommand(redis, format, arg), REDIS_OK);
    while (!done)
        assert_int_equal(redisBufferWrite(redis, &done), REDIS_OK);
}

static void test_busy(void **state)
{
    open_link(true);
    redisContext *redis = redis_server_connect(&server);
    set("busy-reply-threshold 10");
    send_only(redis, "EVAL %s 0", "while true do end");
    WAIT_UNTIL(tell("GET a").fault == REDIS_FAULT_BUSY);
    assert_writes(REDIS_FAULT_BUSY);
    turn_for(1500); /* ROLE is answered so as well */
    assert_int_equal(downs, 0);
    assert_tells("SCRIPT KILL", "OK");
    WAIT_UNTIL(tell("GET a").fault == REDIS_FAULT_NONE);
    assert_writes(REDIS_FAULT_NONE);
    redisFree(redis);
}

static void test_loading(void **state)
{
    open_link(true);
    assert_tells("DEBUG POPULATE 20000", "OK");
    set("key-load-delay 200");
    set("loading-process-events-interval-bytes 1024");
    redisContext *redis = redis_server_connect(&server);
    send_only(redis, "DEBUG %s", "RELOAD");
    WAIT_UNTIL(tell("GET a").fault == REDIS_FAULT_LOADING);
    assert_fault("SET a b", REDIS_FAULT_LOADING);
    set("key-load-delay 0");
    WAIT_UNTIL(tell("GET a").fault == REDIS_FAULT_NONE);
    redisFree(redis);
    assert_int_equal(downs, 0);
}

static void test_unblocked(void **state)
{
    char command[64];
    struct answered blocked = {.times = 0};
    open_link(false);
    ask("XREAD BLOCK 5000 STREAMS s 0-0", 7000, &blocked);
    snprintf(command, sizeof(command), "CLIENT UNBLOCK %lld ERROR",
             (long long)redis_link_client_id(link_));
    WAIT_UNTIL(redis_server_number(&server, command) == 1);
    WAIT_UNTIL(blocked.times);
    assert_int_equal(blocked.fault, REDIS_FAULT_UNBLOCKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_bytes),
        TEST(test_too_many),
        TEST(test_scripts_emptied),
        TEST(test_scripts_emptied_late),
        TEST(test_scripts_cannot_be_loaded),
        TEST_ALONE(test_words),
        TEST(test_plain_faults),
        TEST(test_no_room),
        TEST(test_disk_fails),
        TEST(test_replica),
        TEST(test_busy),
        TEST(test_loading),
        TEST(test_unblocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
