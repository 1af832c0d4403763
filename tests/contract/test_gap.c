/* What a reader has lost is told: events that are no longer kept, and more than a resume sends. */
#include <unistd.h>

#include "play.h"

#define SAID 300 /* messages */

static void more_than_the_limit_is_told_room_by_room(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "busy", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "ann", "early", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "ann", "late", ROOM_PUBLIC), ERR_OK);
    struct event_id start = play_head(play), ids[20];
    play_say(play, "ann", "early", "e1");
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        ids[i] = play_say(play, "ann", i == 18 ? "late" : "busy", name);
    }
    struct journal_open open;
    play_resume(play, play_all("ann"), start, 5, &open);
    assert_int_equal(open.verdict, OPEN_RESUMED);
    assert_id_equal(open.start, start);
    assert_id_equal(open.replay_from, ids[14]);
    assert_int_equal(open.gap_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open.gaps[i].reason, GAP_LIMIT);
        assert_id_equal(open.gaps[i].after, start);
        assert_id_equal(open.gaps[i].before, ids[15]);
        assert_true(span_is(open.gaps[i].room, i == 0 ? "busy" : "early"));
    }
    assert_string_equal(play_seen(play, play_all("ann"), open.replay_from, 100),
                        "new_message:m15 new_message:m16 new_message:m17 new_message:m18 "
                        "new_message:m19");
    journal_open_fini(&open);
    play_resume(play, play_all("ann"), start, 21, &open);
    assert_int_equal(open.gap_count, 0);
    assert_id_equal(open.replay_from, start);
    journal_open_fini(&open);
    play_free(play);
}

static void only_what_one_may_see_counts_for_the_limit(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "eve", "other", ROOM_PUBLIC), ERR_OK);
    struct event_id start = play_head(play);
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        play_say(play, i % 10 ? "eve" : "ann", i % 10 ? "other" : "tea", name);
    }
    struct journal_open open;
    play_resume(play, play_all("ann"), start, 3, &open);
    assert_int_equal(open.gap_count, 0);
    journal_open_fini(&open);
    play_resume(play, play_all("ann"), start, 2, &open);
    assert_int_equal(open.gap_count, 1);
    assert_string_equal(play_seen(play, play_all("ann"), open.replay_from, 100),
                        "new_message:m10 new_message:m20");
    journal_open_fini(&open);
    play_free(play);
}

/* Trimming may lag: posts elsewhere until the resume tells that all before `upto` is gone. */
static void wait_for_gap(struct play *play, struct event_id start, struct event_id upto,
                         struct journal_open *open)
{
    static int posted;
    for (int i = 0; i < 2000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w%d", posted++);
        play_say(play, "eve", "noise", name);
        play_resume(play, play_all("ann"), start, 10000, open);
        if (open->gap_count > 0 && event_id_compare(open->gaps[0].before, upto) >= 0)
            return;
        journal_open_fini(open);
        usleep(2000);
    }
    fail_msg("nothing was trimmed");
}

/* What is told of a room of which 20 events are kept, after a hundred. False: it was trimmed once
 * more between two answers. */
static bool is_gap_told(struct play *play, struct event_id start, const struct event_id *ids)
{
    struct journal_open open;
    /* It is trimmed again when an eighth more is in it: after the 80th nothing moves. */
    wait_for_gap(play, start, ids[78], &open);
    assert_int_equal(open.verdict, OPEN_RESUMED);
    assert_int_equal(open.gap_count, 1);
    assert_int_equal(open.gaps[0].reason, GAP_EXPIRED);
    assert_true(span_is(open.gaps[0].room, "tea"));
    assert_id_equal(open.gaps[0].after, start);
    int first = 0;
    while (first < 100 && event_id_compare(ids[first], open.gaps[0].before) < 0)
        first++;
    assert_true(first >= 78 && first <= 80);
    assert_id_equal(open.gaps[0].before, ids[first]);

    struct journal_page page = {
        .follow = play_all("ann"), .after = start, .events_max = 200, .bytes_max = 1 << 20};
    play_page(play, &page);
    assert_int_equal(page.gap_count, 1);
    bool moved = event_id_compare(page.gaps[0].before, ids[first]) > 0;
    if (!moved) {
        assert_int_equal(page.frame_count, 100 - first);
        assert_id_equal(page.frames[0]->id, ids[first]);
    }
    journal_page_fini(&page);
    page.told = open.gaps;
    page.told_count = open.gap_count;
    play_page(play, &page);
    if (page.gap_count > 0)
        moved = event_id_compare(page.gaps[0].before, ids[first]) > 0;
    assert_int_equal(page.gap_count, moved);
    journal_page_fini(&page);
    journal_open_fini(&open);
    return !moved;
}

static void what_is_no_longer_kept_is_told(void **state)
{
    struct play *play = play_new_keeping(20);
    struct event_id ids[100];
    assert_err(play_put_room(play, "eve", "noise", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_put_room(play, "ann", "quiet", ROOM_PUBLIC), ERR_OK);
    struct event_id start = play_head(play);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        ids[i] = play_say(play, "ann", "tea", name);
    }
    struct journal_open open;
    int tries = 0;
    while (!is_gap_told(play, start, ids))
        assert_true(++tries < 3);

    /* One who is past what is gone has lost nothing; one whose cursor is gone is not foreign. */
    play_resume(play, play_all("ann"), ids[99], 10000, &open);
    assert_int_equal(open.gap_count, 0);
    journal_open_fini(&open);
    play_resume(play, play_all("ann"), ids[0], 10000, &open);
    assert_int_equal(open.verdict, OPEN_RESUMED);
    journal_open_fini(&open);
    /* Nor has one who joined only afterwards. */
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    play_resume(play, play_all("bob"), start, 10000, &open);
    assert_int_equal(open.gap_count, 0);
    journal_open_fini(&open);

    struct journal_history history = play_history_spec("ann", "tea", 100);
    play_history(play, &history);
    assert_true(history.incomplete);
    history = play_history_spec("ann", "quiet", 100);
    play_history(play, &history);
    assert_false(history.incomplete);
    play_free(play);
}

/* A slow reader, which has told of what it was told is lost. */
struct slow {
    struct event_id after;
    struct journal_gap told[100];
    int told_count;
    bool seen[SAID];
};

static bool is_told(const struct slow *slow, struct event_id id)
{
    for (int i = 0; i < slow->told_count; i++) {
        if (event_id_compare(slow->told[i].after, id) < 0 &&
            event_id_compare(id, slow->told[i].before) < 0)
            return true;
    }
    return false;
}

/* Reads one page; false: there is nothing more. */
static bool read_slowly(struct play *play, struct slow *slow, const struct event_id *ids, int said)
{
    struct journal_page page = {.follow = play_all("ann"),
                                .after = slow->after,
                                .events_max = 3,
                                .bytes_max = 1 << 20,
                                .told = slow->told,
                                .told_count = slow->told_count};
    play_page(play, &page);
    for (int i = 0; i < page.gap_count; i++) {
        assert_true(slow->told_count < (int)array_count(slow->told));
        assert_true(span_is(page.gaps[i].room, "tea"));
        slow->told[slow->told_count] = page.gaps[i];
        slow->told[slow->told_count++].room = span_text("tea");
    }
    for (int i = 0; i < page.frame_count; i++) {
        for (int j = 0; j < said; j++)
            slow->seen[j] |= event_id_compare(page.frames[i]->id, ids[j]) == 0;
    }
    bool more = event_id_compare(page.upto, page.head) < 0;
    slow->after = page.upto;
    journal_page_fini(&page);
    return more;
}

static void what_is_trimmed_under_a_reader_is_told(void **state)
{
    struct play *play = play_new_keeping(20);
    struct event_id ids[SAID];
    int seen = 0;
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    struct slow slow = {.after = play_head(play)};
    for (int i = 0; i < SAID; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        ids[i] = play_say(play, "ann", "tea", name);
        /* By far not as fast as it is written. */
        if (i % 10 == 9)
            read_slowly(play, &slow, ids, i + 1);
    }
    while (read_slowly(play, &slow, ids, SAID))
        continue;
    for (int i = 0; i < SAID; i++) {
        assert_true(slow.seen[i] || is_told(&slow, ids[i]));
        seen += slow.seen[i];
    }
    assert_true(slow.told_count > 1);
    assert_in_range(seen, 20, SAID / 2);
    play_free(play);
}

int run_gap_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_the_limit_is_told_room_by_room),
        cmocka_unit_test(only_what_one_may_see_counts_for_the_limit),
        cmocka_unit_test(what_is_no_longer_kept_is_told),
        cmocka_unit_test(what_is_trimmed_under_a_reader_is_told),
    };
    return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}
