/* History: pages in both directions, around a message, of a thread, and what may be read. */
#include "play.h"

#include <stdlib.h>

static struct play *with_messages(int count, struct event_id *ids)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        ids[i] = play_say(play, "ann", "tea", name);
        struct command move = play_custom("ann", "tea", NULL, "x");
        assert_err(play_do(play, &move).err, ERR_OK);
    }
    return play;
}

static void pages_lead_both_ways(void **state)
{
    struct event_id ids[10];
    struct play *play = with_messages(10, ids);
    struct journal_history history = play_history_spec("eve", "tea", 4);
    assert_string_equal(play_history(play, &history), "m9 m8 m7 m6");
    assert_err(history.request.err, ERR_OK);
    assert_id_equal(history.next_before, ids[6]);
    assert_true(event_id_is_none(history.next_after));
    assert_id_equal(history.head, play_head(play));

    char bound[EVENT_ID_TEXT_MAX];
    event_id_format(ids[6], bound);
    history.before = span_text(bound);
    assert_string_equal(play_history(play, &history), "m5 m4 m3 m2");
    assert_id_equal(history.next_before, ids[2]);
    assert_id_equal(history.next_after, ids[5]);

    history.before = span_text("m2");
    assert_string_equal(play_history(play, &history), "m1 m0");
    assert_true(event_id_is_none(history.next_before));
    assert_false(history.incomplete);

    history.before = (struct span){NULL, 0};
    history.after = span_text("m4");
    assert_string_equal(play_history(play, &history), "m5 m6 m7 m8");
    assert_id_equal(history.next_after, ids[8]);
    assert_id_equal(history.next_before, ids[5]);
    history.after = span_text("m9");
    assert_string_equal(play_history(play, &history), "");
    play_free(play);
}

static void bounds_of_a_gap_are_read_upwards(void **state)
{
    struct event_id ids[10];
    struct play *play = with_messages(10, ids);
    struct journal_history history = play_history_spec("ann", "tea", 3);
    history.after = span_text("m1");
    history.before = span_text("m6");
    assert_string_equal(play_history(play, &history), "m2 m3 m4");
    assert_id_equal(history.next_after, ids[4]);
    history.after = span_text("m4");
    assert_string_equal(play_history(play, &history), "m5");
    assert_true(event_id_is_none(history.next_after));
    history.after = span_text("m5");
    assert_string_equal(play_history(play, &history), "");
    play_free(play);
}

static void around_has_both_sides(void **state)
{
    struct event_id ids[10];
    struct play *play = with_messages(10, ids);
    struct journal_history history = play_history_spec("ann", "tea", 5);
    history.around = span_text("m5");
    assert_string_equal(play_history(play, &history), "m7 m6 m5 m4 m3");
    assert_id_equal(history.next_before, ids[3]);
    assert_id_equal(history.next_after, ids[7]);
    history.around = span_text("m9");
    assert_string_equal(play_history(play, &history), "m9 m8 m7 m6 m5");
    assert_true(event_id_is_none(history.next_after));
    history.around = span_text("m0");
    assert_string_equal(play_history(play, &history), "m2 m1 m0");
    play_free(play);
}

static void one_message_is_found_by_its_name(void **state)
{
    struct event_id ids[3];
    struct play *play = with_messages(3, ids);
    struct journal_history history = play_history_spec("ann", "tea", 1);
    history.message_id = span_text("m1");
    assert_string_equal(play_history(play, &history), "m1");
    history.message_id = span_text("m7");
    play_history(play, &history);
    assert_err(history.request.err, ERR_NOT_FOUND);
    history = play_history_spec("ann", "tea", 1);
    history.before = span_text("m7");
    play_history(play, &history);
    assert_err(history.request.err, ERR_NOT_FOUND);
    play_free(play);
}

static void threads_are_read_alone(void **state)
{
    struct event_id ids[4];
    struct play *play = with_messages(4, ids);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "t%d", i);
        struct command reply = play_message("ann", "tea", name, "x");
        reply.thread_id = span_text(i == 1 ? "m2" : "m1");
        assert_err(play_do(play, &reply).err, ERR_OK);
    }
    struct journal_history history = play_history_spec("ann", "tea", 10);
    history.thread = span_text("m1");
    assert_string_equal(play_history(play, &history), "t2 t0");
    history.thread = span_text("m3");
    assert_string_equal(play_history(play, &history), "");
    history.thread = (struct span){NULL, 0};
    history.limit = 4;
    assert_string_equal(play_history(play, &history), "t2 t1 t0 m3");
    play_free(play);
}

static void only_readers_read(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "den", ROOM_PRIVATE), ERR_OK);
    play_say(play, "ann", "den", "m0");
    struct journal_history history = play_history_spec("eve", "den", 10);
    play_history(play, &history);
    assert_err(history.request.err, ERR_NOT_FOUND);
    history.actor.grants = GRANT_READ;
    assert_string_equal(play_history(play, &history), "m0");
    history.actor.grants = 0;
    history.actor.service = true;
    assert_string_equal(play_history(play, &history), "m0");
    assert_err(play_add(play, "ann", "den", "bob"), ERR_OK);
    history = play_history_spec("bob", "den", 10);
    assert_string_equal(play_history(play, &history), "m0");
    assert_err(play_remove(play, "ann", "den", "bob"), ERR_OK);
    play_history(play, &history);
    assert_err(history.request.err, ERR_NOT_FOUND);
    play_free(play);
}

static void a_room_may_hide_what_was_before_the_joining(void **state)
{
    struct play *play = play_new();
    struct command put = play_command(COMMAND_PUT_ROOM, "ann", "den");
    put.change.has_kind = put.change.has_history_from = true;
    put.change.kind = ROOM_PRIVATE;
    put.change.history_from = HISTORY_FROM_JOINING;
    assert_err(play_do(play, &put).err, ERR_OK);
    play_say(play, "ann", "den", "m0");
    assert_err(play_add(play, "ann", "den", "bob"), ERR_OK);
    struct journal_history history = play_history_spec("bob", "den", 10);
    assert_string_equal(play_history(play, &history), "");
    play_say(play, "ann", "den", "m1");
    assert_string_equal(play_history(play, &history), "m1");
    history.message_id = span_text("m0");
    play_history(play, &history);
    assert_err(history.request.err, ERR_NOT_FOUND);
    assert_err(play_remove(play, "ann", "den", "bob"), ERR_OK);
    assert_err(play_add(play, "ann", "den", "bob"), ERR_OK);
    play_say(play, "ann", "den", "m2");
    history = play_history_spec("bob", "den", 10);
    assert_string_equal(play_history(play, &history), "m2");
    history = play_history_spec("ann", "den", 10);
    assert_string_equal(play_history(play, &history), "m2 m1 m0");
    /* In public rooms anyone reads it all. */
    put.change = (struct room_change){.has_kind = true, .kind = ROOM_PUBLIC};
    assert_err(play_do(play, &put).err, ERR_OK);
    history = play_history_spec("bob", "den", 10);
    assert_string_equal(play_history(play, &history), "m2 m1 m0");
    play_free(play);
}

/* The messageId of the newest message that a read of one room tells of. */
static const char *newest(struct play *play, struct journal_read *read)
{
    static char name[8];
    name[0] = 0;
    read->realm = span_text("main");
    read->limit = 10;
    play_read(play, read);
    assert_err(read->request.err, ERR_OK);
    assert_int_equal(read->room_count, 1);
    struct span json = read->rooms[0].last_message;
    const char *found = json.data ? memmem(json.data, json.len, "messageId\":\"", 12) : NULL;
    if (found)
        snprintf(name, sizeof(name), "%.2s", found + 12);
    journal_read_fini(read);
    return name;
}

static void assert_newest(struct play *play, const struct actor *actor,
                          const struct grants *granted, const char *expected)
{
    struct journal_read one = {
        .what = READ_ROOM, .room = span_text("den"), .actor = *actor, .granted = granted};
    one.actor.grants = grants_for(granted, one.room);
    assert_string_equal(newest(play, &one), expected);
    struct journal_read all = {.what = READ_ROOMS_OF_USER, .actor = *actor, .granted = granted};
    assert_string_equal(newest(play, &all), expected);
    struct journal_read changed = {.what = READ_ROOMS_CHANGED, .actor = *actor, .granted = granted};
    assert_string_equal(newest(play, &changed), expected);
    struct journal_open open = play_open_spec(play_all("bob"));
    open.actor = *actor;
    open.granted = granted;
    open.history = 1;
    play_open(play, &open);
    assert_int_equal(open.history_count, expected[0] ? 1 : 0);
    journal_open_fini(&open);
}

static void what_is_granted_counts_wherever_the_newest_message_is_told(void **state)
{
    struct play *play = play_new();
    struct grants *granted = calloc(1, sizeof(*granted) + sizeof(granted->items[0]));
    assert_non_null(granted);
    granted->count = 1;
    granted->items[0] =
        (struct grant){.pattern = "d", .len = 1, .rights = GRANT_READ, .prefix = true};
    struct actor actor = {.user = span_text("bob")};
    struct command put = play_command(COMMAND_PUT_ROOM, "ann", "den");
    put.change.has_kind = put.change.has_history_from = true;
    put.change.kind = ROOM_PRIVATE;
    put.change.history_from = HISTORY_FROM_JOINING;
    assert_err(play_do(play, &put).err, ERR_OK);
    play_say(play, "ann", "den", "m0");
    assert_err(play_add(play, "ann", "den", "bob"), ERR_OK);
    assert_newest(play, &actor, NULL, "");
    assert_newest(play, &actor, granted, "m0");
    granted->items[0].rights = GRANT_POST;
    assert_newest(play, &actor, granted, "");
    granted->items[0] = (struct grant){.pattern = "x", .len = 1, .rights = GRANT_READ};
    assert_newest(play, &actor, granted, "");
    actor.service = true;
    assert_newest(play, &actor, NULL, "m0");
    free(granted);
    play_free(play);
}

static void assert_first_history(struct play *play, struct follow_spec follow, int count,
                                 const char *expected)
{
    char seen[1000] = "";
    struct journal_open open = play_open_spec(follow);
    open.history = count;
    play_open(play, &open);
    int at = 0;
    while (at < open.history_count) {
        struct journal_page page = {.follow = follow,
                                    .ids = open.history_ids + at,
                                    .id_count = open.history_count - at,
                                    .events_max = 2,
                                    .bytes_max = 1};
        play_page(play, &page);
        assert_int_equal(page.frame_count, 1);
        assert_int_equal(page.ids_read, 1);
        struct span json = frame_json(page.frames[0]);
        const char *name = memmem(json.data, json.len, "messageId\":\"", 12);
        assert_non_null(name);
        sprintf(seen + strlen(seen), "%s%.2s", at ? " " : "", name + 12);
        at += page.ids_read;
        journal_page_fini(&page);
    }
    assert_string_equal(seen, expected);
    journal_open_fini(&open);
}

static void a_fresh_stream_may_begin_with_history(void **state)
{
    struct play *play = play_new();
    struct follow_room rooms[] = {{.room = span_text("tea")}};
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "ann", "den", ROOM_PRIVATE), ERR_OK);
    play_say(play, "ann", "tea", "t0");
    play_say(play, "ann", "den", "d0");
    play_say(play, "ann", "tea", "t1");
    play_say(play, "ann", "tea", "t2");
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_first_history(play, play_all("ann"), 2, "d0 t1 t2");
    assert_first_history(play, play_all("bob"), 2, "t1 t2");
    assert_first_history(play, play_all("eve"), 2, "");
    assert_first_history(play, play_rooms("eve", rooms, 1), 100, "t0 t1 t2");
    assert_first_history(play, play_all("ann"), 0, "");
    play_free(play);
}

/* A page of named events ends by its bounds, and passes over what is not kept. */
static void history_is_read_by_ids(void **state)
{
    struct play *play = play_new();
    struct journal_open open = play_open_spec(play_all("ann"));
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    play_say(play, "ann", "tea", "t0");
    play_say(play, "ann", "tea", "t1");
    open.history = 100;
    play_open(play, &open);
    assert_int_equal(open.history_count, 2);
    const struct event_id ids[] = {{1, 1}, open.history_ids[0], {1, 2}, open.history_ids[1]};
    struct journal_page page = {.follow = play_all("ann"),
                                .ids = ids,
                                .id_count = 4,
                                .events_max = 100,
                                .bytes_max = 100000};
    play_page(play, &page);
    assert_int_equal(page.ids_read, 4);
    assert_int_equal(page.frame_count, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(event_id_compare(page.frames[i]->id, open.history_ids[i]), 0);
    journal_page_fini(&page);
    page.events_max = 3;
    play_page(play, &page);
    assert_int_equal(page.ids_read, 3);
    assert_int_equal(page.frame_count, 1);
    journal_page_fini(&page);
    journal_open_fini(&open);
    play_free(play);
}

int run_history_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_lead_both_ways),
        cmocka_unit_test(bounds_of_a_gap_are_read_upwards),
        cmocka_unit_test(around_has_both_sides),
        cmocka_unit_test(one_message_is_found_by_its_name),
        cmocka_unit_test(threads_are_read_alone),
        cmocka_unit_test(only_readers_read),
        cmocka_unit_test(a_room_may_hide_what_was_before_the_joining),
        cmocka_unit_test(what_is_granted_counts_wherever_the_newest_message_is_told),
        cmocka_unit_test(a_fresh_stream_may_begin_with_history),
        cmocka_unit_test(history_is_read_by_ids),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
