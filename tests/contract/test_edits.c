/* Edits and deletions: what is kept, what is told, and at which place. */
#include "play.h"
#include "store/view.h"

static struct command about(enum command_kind kind, const char *user, const char *message_id)
{
    struct command command = play_command(kind, user, "tea");
    command.message_id = span_text(message_id);
    return command;
}

static struct outcome edit(struct play *play, const char *user, const char *message_id,
                           const char *body)
{
    struct command command = about(COMMAND_EDIT_MESSAGE, user, message_id);
    command.body = span_text(body);
    return play_do(play, &command);
}

static struct outcome erase(struct play *play, const char *user, const char *message_id)
{
    struct command command = about(COMMAND_DELETE_MESSAGE, user, message_id);
    return play_do(play, &command);
}

static struct play *tea(void)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    return play;
}

/* The JSON of one message in history; valid until the next call. */
static const char *kept(struct play *play, const char *message_id)
{
    static char text[1000];
    struct journal_history history = play_history_spec("ann", "tea", 1);
    history.message_id = span_text(message_id);
    play_history_read(play, &history);
    assert_err(history.request.err, ERR_OK);
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(history.messages[0]));
    journal_history_fini(&history);
    return text;
}

static const char *after_timestamp(const char *text)
{
    const char *at = strstr(text, "\"timestamp\":");
    assert_non_null(at);
    return strchr(at, ',');
}

static void an_edit_replaces_the_content(void **state)
{
    struct play *play = tea();
    struct event_id first = play_say(play, "bob", "tea", "m1");
    struct outcome edited = edit(play, "bob", "m1", "{\"messageId\":\"m1\",\"text\":\"new\"}");
    assert_err(edited.err, ERR_OK);
    assert_true(event_id_compare(edited.id, first) > 0);
    assert_id_equal(edited.id, edited.head);
    char expected[200];
    snprintf(expected, sizeof(expected),
             ",\"messageId\":\"m1\",\"text\":\"new\",\"editedAt\":%lld}",
             (long long)edited.timestamp_ms);
    assert_string_equal(after_timestamp(kept(play, "m1")), expected);
    assert_string_equal(play_seen(play, play_all("ann"), first, 10), "message_edited:m1");
    const struct followed *told = &play->followed[play->followed_count - 1];
    assert_id_equal(told->target, first);
    assert_int_equal(told->type, EVENT_MESSAGE_EDITED);
    play_free(play);
}

static void equal_content_makes_no_event(void **state)
{
    struct play *play = tea();
    struct event_id first = play_say(play, "bob", "tea", "m1");
    struct outcome same = edit(play, "bob", "m1", "{\"messageId\":\"m1\",\"text\":\"m1\"}");
    assert_err(same.err, ERR_OK);
    assert_true(same.repeated);
    assert_true(event_id_is_none(same.id));
    assert_id_equal(same.head, first);
    play_free(play);
}

static void only_the_author_edits(void **state)
{
    struct play *play = tea();
    const char *body = "{\"messageId\":\"m1\",\"text\":\"x\"}";
    struct event_id head = play_say(play, "bob", "tea", "m1");
    assert_err(edit(play, "ann", "m1", body).err, ERR_NOT_ALLOWED);
    assert_err(edit(play, "eve", "m1", body).err, ERR_NOT_A_MEMBER);
    assert_err(edit(play, "bob", "m2", body).err, ERR_NOT_FOUND);
    assert_err(erase(play, "eve", "m1").err, ERR_NOT_ALLOWED);
    assert_err(erase(play, "eve", "m2").err, ERR_NOT_FOUND);
    assert_id_equal(play_head(play), head);
    play_free(play);
}

static void a_deletion_takes_the_content_of_all_its_events(void **state)
{
    struct play *play = tea();
    struct event_id first = play_say(play, "bob", "tea", "secret-1"), other;
    char body[100], seen[4000];
    for (int i = 0; i < 200; i++) {
        snprintf(body, sizeof(body), "{\"messageId\":\"m1\",\"text\":\"secret edit %d\"}", i);
        assert_err(edit(play, "bob", "secret-1", body).err, ERR_OK);
    }
    other = play_say(play, "bob", "tea", "m2");
    struct outcome deleted = erase(play, "ann", "secret-1");
    assert_err(deleted.err, ERR_OK);
    assert_true(event_id_compare(deleted.id, other) > 0);
    const struct followed *told = &play->followed[play->followed_count - 1];
    assert_id_equal(told->target, first);
    assert_true(told->target_edited);
    assert_string_equal(after_timestamp(kept(play, "secret-1")),
                        ",\"messageId\":\"m1\",\"deleted\":true}");
    struct journal_page page = {.follow = play_all("ann"),
                                .after = event_id_previous(first),
                                .events_max = 1000,
                                .bytes_max = 1 << 20};
    play_page(play, &page);
    assert_int_equal(page.frame_count, 203);
    for (int i = 0; i < page.frame_count; i++) {
        struct span json = frame_json(page.frames[i]);
        snprintf(seen, sizeof(seen), "%.*s", SPAN_ARGS(json));
        assert_null(strstr(seen, "\"text\":\"secret"));
        bool its_own = i != 201 && i != 202;
        assert_int_equal(strstr(seen, "\"deleted\":true") != NULL, its_own);
    }
    journal_page_fini(&page);
    play_free(play);
}

static void a_second_deletion_does_nothing(void **state)
{
    struct play *play = tea();
    play_say(play, "bob", "tea", "m1");
    struct event_id deleted = erase(play, "bob", "m1").id;
    struct outcome again = erase(play, "ann", "m1");
    assert_err(again.err, ERR_OK);
    assert_true(again.repeated);
    assert_id_equal(again.head, deleted);
    assert_err(edit(play, "bob", "m1", "{\"messageId\":\"m1\",\"text\":\"x\"}").err,
               ERR_MESSAGE_DELETED);
    struct outcome first = play_post(play, "bob", "tea", "m1", "m1");
    assert_true(first.repeated);
    assert_id_equal(play_head(play), deleted);
    play_free(play);
}

static void deletions_outlive_a_restart(void **state)
{
    if (!play_outlives_closing())
        skip();
    struct play *play = tea();
    play_say(play, "bob", "tea", "m1");
    play_say(play, "bob", "tea", "m2");
    assert_err(edit(play, "bob", "m1", "{\"messageId\":\"m1\",\"text\":\"x\"}").err, ERR_OK);
    assert_err(erase(play, "bob", "m2").err, ERR_OK);
    play_reopen(play);
    assert_non_null(strstr(kept(play, "m1"), "\"text\":\"x\",\"editedAt\":"));
    assert_non_null(strstr(kept(play, "m2"), "\"deleted\":true}"));
    assert_err(erase(play, "ann", "m1").err, ERR_OK);
    assert_null(strstr(kept(play, "m1"), "text"));
    play_free(play);
}

static struct outcome edit_as(struct play *play, const char *text)
{
    char body[100];
    snprintf(body, sizeof(body), "{\"messageId\":\"m1\",\"text\":\"%s\"}", text);
    return edit(play, "bob", "m1", body);
}

static void a_message_takes_only_so_many_edits(void **state)
{
    struct play *play = tea();
    char text[32];
    play->settings.limits_edits = 70;
    play_say(play, "bob", "tea", "m1");
    play_say(play, "bob", "tea", "m2");
    for (int i = 0; i < 70; i++) {
        snprintf(text, sizeof(text), "edit %d", i);
        assert_err(edit_as(play, text).err, ERR_OK);
    }
    struct event_id head = play_head(play);
    assert_err(edit_as(play, "one more").err, ERR_TOO_MANY_EDITS);
    assert_id_equal(play_head(play), head);
    assert_non_null(strstr(kept(play, "m1"), "\"text\":\"edit 69\""));
    /* The repeat of the last one is none, and other messages have their own. */
    assert_err(edit_as(play, "edit 69").err, ERR_OK);
    assert_err(edit(play, "bob", "m2", "{\"messageId\":\"m2\",\"text\":\"x\"}").err, ERR_OK);
    play->settings.limits_edits = 0;
    assert_err(edit_as(play, "one more").err, ERR_OK);
    play->settings.limits_edits = 70;
    assert_err(edit_as(play, "and more").err, ERR_TOO_MANY_EDITS);
    assert_err(erase(play, "bob", "m1").err, ERR_OK);
    assert_null(strstr(kept(play, "m1"), "text"));
    play_free(play);
}

static void trimming_takes_messages_before_their_edits(void **state)
{
    struct play *play = play_new_keeping(8);
    char body[100];
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    for (int round = 0; round < 30; round++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", round);
        snprintf(body, sizeof(body), "{\"messageId\":\"%s\",\"text\":\"x\"}", name);
        play_say(play, "ann", "tea", name);
        for (int i = 0; i < round % 5; i++) {
            body[strlen(body) - 3] = (char)('a' + i);
            assert_err(edit(play, "ann", name, body).err, ERR_OK);
        }
        if (round % 3 == 0)
            assert_err(erase(play, "ann", name).err, ERR_OK);
    }
    assert_err(erase(play, "ann", "m0").err, ERR_NOT_FOUND);
    assert_err(edit(play, "ann", "m0", body).err, ERR_NOT_FOUND);
    play_free(play);
}

int run_edit_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_replaces_the_content),
        cmocka_unit_test(equal_content_makes_no_event),
        cmocka_unit_test(only_the_author_edits),
        cmocka_unit_test(a_deletion_takes_the_content_of_all_its_events),
        cmocka_unit_test(a_second_deletion_does_nothing),
        cmocka_unit_test(deletions_outlive_a_restart),
        cmocka_unit_test(a_message_takes_only_so_many_edits),
        cmocka_unit_test(trimming_takes_messages_before_their_edits),
    };
    return cmocka_run_group_tests_name("edits", tests, NULL, NULL);
}
