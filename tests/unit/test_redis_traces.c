/* Text that was deleted, or that is kept no more, is found nowhere in Redis: not in any key, and
 * not even in memory that a key holds and shows no more. Those who tail the journal may still have
 * to read it there for a while. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <unistd.h>

#include "play.h"

#define WINDOW_MS 300

static redisContext *connect_to(const struct play *play)
{
    struct timeval limit = {5, 0};
    redisContext *redis = redisConnectUnix(play->url + strlen("redis+unix://"));
    assert_non_null(redis);
    assert_int_equal(redis->err, 0);
    redisSetTimeout(redis, limit);
    /* So that what is dumped can be searched. */
    freeReplyObject(redisCommand(redis, "CONFIG SET rdbcompression no"));
    return redis;
}

static bool holds(redisContext *redis, const char *key, const char *text)
{
    redisReply *reply = redisCommand(redis, "DUMP %s", key);
    assert_non_null(reply);
    bool found = strstr(key, text) != NULL;
    if (reply->type == REDIS_REPLY_STRING)
        found |= memmem(reply->str, reply->len, text, strlen(text)) != NULL;
    freeReplyObject(reply);
    return found;
}

/* In which keys it stands, as "…/journal …/bodies". */
static const char *traces(redisContext *redis, const char *text)
{
    static char list[2000];
    char cursor[32] = "0";
    list[0] = 0;
    do {
        redisReply *reply = redisCommand(redis, "SCAN %s COUNT 100", cursor);
        assert_non_null(reply);
        snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        for (size_t i = 0; i < reply->element[1]->elements; i++) {
            const char *key = reply->element[1]->element[i]->str;
            size_t used = strlen(list);
            const char *name = strrchr(key, '/');
            if (holds(redis, key, text) && !strstr(list, name))
                snprintf(list + used, sizeof(list) - used, "%s%s", used ? " " : "", name);
        }
        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0);
    return list;
}

static void wait_until_gone(redisContext *redis, const char *text)
{
    for (int i = 0; i < 400; i++) {
        if (!*traces(redis, text))
            return;
        usleep(50000);
    }
    fail_msg("%s is still in %s", text, traces(redis, text));
}

static struct outcome say(struct play *play, const char *message_id, const char *thread_id,
                          const char *body)
{
    struct command command = play_command(COMMAND_SEND_MESSAGE, "ann", "tea");
    command.message_id = span_text(message_id);
    command.thread_id = span_text(thread_id);
    command.body = span_text(body);
    struct outcome outcome = play_do(play, &command);
    assert_err(outcome.err, ERR_OK);
    return outcome;
}

static void about(struct play *play, enum command_kind kind, const char *message_id,
                  const char *body)
{
    struct command command = play_command(kind, "ann", "tea");
    command.message_id = span_text(message_id);
    command.key = span_text("key-of-it");
    command.body = span_text(body);
    command.digest[0] = body != NULL;
    assert_err(play_do(play, &command).err, ERR_OK);
}

static struct play *tea(int64_t room_events_max)
{
    struct play *play = play_new_keeping(room_events_max);
    play->settings.journal_tail_window_ms = WINDOW_MS;
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    return play;
}

static void what_was_deleted_is_nowhere(void **state)
{
    struct play *play = tea(0);
    redisContext *redis = connect_to(play);
    say(play, "m1", NULL, "{\"messageId\":\"m1\",\"text\":\"first-words\"}");
    say(play, "m2", "m1", "{\"messageId\":\"m2\",\"threadId\":\"m1\",\"text\":\"reply-words\"}");
    about(play, COMMAND_EDIT_MESSAGE, "m1", "{\"messageId\":\"m1\",\"text\":\"second-words\"}");
    about(play, COMMAND_EDIT_MESSAGE, "m1", "{\"messageId\":\"m1\",\"text\":\"third-words\"}");
    about(play, COMMAND_ADD_REACTION, "m2", NULL);
    assert_non_null(strstr(traces(redis, "second-words"), "/bodies"));
    assert_non_null(strstr(traces(redis, "third-words"), "/bodies"));
    assert_non_null(strstr(traces(redis, "reply-words"), "/bodies"));
    about(play, COMMAND_DELETE_MESSAGE, "m1", NULL);
    about(play, COMMAND_DELETE_MESSAGE, "m2", NULL);
    assert_string_equal(traces(redis, "first-words"), "/journal");
    assert_string_equal(traces(redis, "second-words"), "/journal");
    assert_string_equal(traces(redis, "third-words"), "/journal");
    assert_string_equal(traces(redis, "reply-words"), "/journal");
    wait_until_gone(redis, "first-words");
    wait_until_gone(redis, "second-words");
    wait_until_gone(redis, "third-words");
    wait_until_gone(redis, "reply-words");
    redisFree(redis);
    play_free(play);
}

/* Whoever keeps on writing does not keep what was written long before. */
static void what_is_kept_no_more_is_nowhere(void **state)
{
    struct play *play = tea(8);
    redisContext *redis = connect_to(play);
    say(play, "m1", NULL, "{\"messageId\":\"m1\",\"text\":\"first-words\"}");
    about(play, COMMAND_EDIT_MESSAGE, "m1", "{\"messageId\":\"m1\",\"text\":\"second-words\"}");
    about(play, COMMAND_ADD_REACTION, "m1", NULL);
    for (int i = 0; i < 1000 && (*traces(redis, "-words") || *traces(redis, "key-of-it")); i++) {
        char name[16];
        snprintf(name, sizeof(name), "w%d", i);
        play_say(play, "ann", "tea", name);
        usleep(20000);
    }
    assert_string_equal(traces(redis, "-words"), "");
    assert_string_equal(traces(redis, "key-of-it"), "");
    redisFree(redis);
    play_free(play);
}

int main(void)
{
    play_backend = "redis:";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_deleted_is_nowhere),
        cmocka_unit_test(what_is_kept_no_more_is_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
