/* Markers: what is read, unread and mentioned, and what was acknowledged. */
#include <stdlib.h>

#include "play.h"

static struct outcome read_upto(struct play *play, const char *user, const char *room,
                                struct event_id upto)
{
    struct command command = play_command(COMMAND_READ, user, room);
    command.cursor = upto;
    return play_do(play, &command);
}

static struct outcome read_message(struct play *play, const char *user, const char *room,
                                   const char *message_id)
{
    struct command command = play_command(COMMAND_READ, user, room);
    command.message_id = span_text(message_id);
    return play_do(play, &command);
}

static struct read_marker marker_of(struct play *play, const char *user, const char *room)
{
    struct journal_read read = {
        .what = READ_ROOM,
        .realm = span_text("main"),
        .room = span_text(room),
        .actor.user = span_text(user),
    };
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    struct read_marker marker = read.rooms[0].marker;
    journal_read_fini(&read);
    return marker;
}

static void assert_marker(struct play *play, const char *user, const char *room,
                          struct event_id upto, int unread, int mentions)
{
    struct read_marker marker = marker_of(play, user, room);
    assert_id_equal(marker.upto, upto);
    assert_int_equal(marker.unread, unread);
    assert_int_equal(marker.mentions, mentions);
}

static struct event_id mention(struct play *play, const char *user, const char *room,
                               const char *message_id, const char *target)
{
    const struct span users[] = {span_text(target), span_text("nobody"), span_text(target)};
    struct command command = play_message(user, room, message_id, message_id);
    command.mentions = users;
    command.mention_count = (int)array_count(users);
    struct outcome outcome = play_do(play, &command);
    assert_err(outcome.err, ERR_OK);
    return outcome.id;
}

static struct event_id reply(struct play *play, const char *user, const char *room,
                             const char *message_id, const char *thread)
{
    struct command command = play_message(user, room, message_id, message_id);
    command.thread_id = span_text(thread);
    struct outcome outcome = play_do(play, &command);
    assert_err(outcome.err, ERR_OK);
    return outcome.id;
}

/* ann owns the room, bob joins. */
static struct play *play_of_two(void)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    return play;
}

static void a_marker_stands_at_the_joining(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_marker(play, "ann", "tea", play_head(play), 0, 0);
    play_say(play, "ann", "tea", "m1");
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_marker(play, "bob", "tea", play_head(play), 0, 0);
    struct event_id joined = play_head(play);
    play_say(play, "ann", "tea", "m2");
    assert_marker(play, "bob", "tea", joined, 1, 0);
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    assert_marker(play, "bob", "tea", EVENT_ID_NONE, 0, 0);
    play_say(play, "ann", "tea", "m3");
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_marker(play, "bob", "tea", play_head(play), 0, 0);
    play_free(play);
}

static void sending_moves_ones_own(void **state)
{
    struct play *play = play_of_two();
    play_say(play, "ann", "tea", "m1");
    mention(play, "ann", "tea", "m2", "bob");
    assert_int_equal(marker_of(play, "bob", "tea").unread, 2);
    assert_int_equal(marker_of(play, "bob", "tea").mentions, 1);
    struct outcome outcome = play_post(play, "bob", "tea", "m3", "m3");
    assert_true(outcome.marker_moved);
    assert_marker(play, "bob", "tea", outcome.id, 0, 0);
    assert_int_equal(marker_of(play, "ann", "tea").unread, 1);
    /* A repeat moves nothing. */
    assert_err(read_upto(play, "ann", "tea", outcome.id).err, ERR_OK);
    play_say(play, "ann", "tea", "m4");
    outcome = play_post(play, "bob", "tea", "m3", "m3");
    assert_true(outcome.repeated);
    assert_false(outcome.marker_moved);
    assert_int_equal(marker_of(play, "bob", "tea").unread, 1);
    play_free(play);
}

static void a_reply_in_a_thread_is_not_counted(void **state)
{
    struct play *play = play_of_two();
    play_say(play, "ann", "tea", "m1");
    struct event_id last = reply(play, "ann", "tea", "r1", "m1");
    assert_int_equal(marker_of(play, "bob", "tea").unread, 1);
    struct outcome outcome = read_message(play, "bob", "tea", "m1");
    assert_int_equal(outcome.marker.unread, 0);
    outcome = read_upto(play, "bob", "tea", last);
    assert_id_equal(outcome.marker.upto, last);
    play_say(play, "ann", "tea", "m2");
    assert_marker(play, "bob", "tea", last, 1, 0);
    /* One's own reply moves the marker too. */
    assert_marker(play, "bob", "tea", last, 1, 0);
    last = reply(play, "bob", "tea", "r2", "m1");
    assert_marker(play, "bob", "tea", last, 0, 0);
    play_free(play);
}

static void reading_never_moves_back_nor_beyond_the_room(void **state)
{
    struct play *play = play_of_two();
    struct event_id first = play_say(play, "ann", "tea", "m1");
    struct event_id second = play_say(play, "ann", "tea", "m2");
    struct event_id third = play_say(play, "ann", "tea", "m3");
    assert_err(play_put_room(play, "ann", "den", ROOM_PUBLIC), ERR_OK);
    play_say(play, "ann", "den", "m1");
    struct outcome outcome = read_upto(play, "bob", "tea", second);
    assert_true(outcome.marker_moved);
    assert_id_equal(outcome.marker.upto, second);
    assert_int_equal(outcome.marker.unread, 1);
    outcome = read_upto(play, "bob", "tea", first);
    assert_false(outcome.marker_moved);
    assert_id_equal(outcome.marker.upto, second);
    assert_int_equal(outcome.marker.unread, 1);
    outcome = read_upto(play, "bob", "tea", play_head(play));
    assert_id_equal(outcome.marker.upto, third);
    assert_int_equal(outcome.marker.unread, 0);
    play_say(play, "ann", "tea", "m4");
    assert_marker(play, "bob", "tea", third, 1, 0);
    outcome = read_upto(play, "bob", "tea", (struct event_id){UINT64_MAX, UINT64_MAX});
    assert_true(outcome.marker_moved);
    assert_int_equal(outcome.marker.unread, 0);
    assert_id_equal(outcome.head, play_head(play));
    play_free(play);
}

static void only_members_read_and_only_what_is_there(void **state)
{
    struct play *play = play_of_two();
    play_say(play, "ann", "tea", "m1");
    assert_err(read_message(play, "bob", "tea", "m2").err, ERR_NOT_FOUND);
    assert_err(read_message(play, "cat", "tea", "m1").err, ERR_NOT_A_MEMBER);
    assert_err(read_message(play, "bob", "den", "m1").err, ERR_NOT_FOUND);
    assert_err(play_put_room(play, "ann", "den", ROOM_PRIVATE), ERR_OK);
    assert_err(read_upto(play, "bob", "den", play_head(play)).err, ERR_NOT_FOUND);
    play_free(play);
}

static void mentions_are_counted_of_members_alone(void **state)
{
    struct play *play = play_of_two();
    struct event_id before = play_head(play);
    struct event_id first = mention(play, "ann", "tea", "m1", "bob");
    mention(play, "ann", "tea", "m2", "ann");
    mention(play, "ann", "tea", "m3", "bob");
    assert_marker(play, "bob", "tea", before, 3, 2);
    assert_int_equal(marker_of(play, "ann", "tea").mentions, 0);
    struct outcome outcome = read_upto(play, "bob", "tea", first);
    assert_int_equal(outcome.marker.unread, 2);
    assert_int_equal(outcome.marker.mentions, 1);
    assert_err(play_leave(play, "bob", "tea"), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    assert_marker(play, "bob", "tea", play_head(play), 0, 0);
    mention(play, "ann", "tea", "m4", "bob");
    assert_int_equal(marker_of(play, "bob", "tea").mentions, 1);
    outcome = read_message(play, "bob", "tea", "m4");
    assert_int_equal(outcome.marker.mentions, 0);
    assert_err(play_delete_room(play, "ann", "tea"), ERR_OK);
    play_free(play);
}

static void unread_is_the_same_wherever_it_is_told(void **state)
{
    struct play *play = play_of_two();
    assert_err(play_put_room(play, "ann", "den", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "den"), ERR_OK);
    assert_err(play_put_room(play, "ann", "bar", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "bar"), ERR_OK);
    play_say(play, "ann", "tea", "m1");
    play_say(play, "ann", "tea", "m2");
    mention(play, "ann", "den", "m1", "bob");
    struct journal_read read = {
        .what = READ_UNREAD, .realm = span_text("main"), .actor.user = span_text("bob")};
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    assert_int_equal(read.unread_count, 2);
    assert_true(span_is(read.unread[0].room, "den"));
    assert_int_equal(read.unread[0].unread, 1);
    assert_int_equal(read.unread[0].mentions, 1);
    assert_true(span_is(read.unread[1].room, "tea"));
    assert_int_equal(read.unread[1].unread, 2);
    assert_id_equal(read.head, play_head(play));
    journal_read_fini(&read);
    struct journal_open open = play_open_spec(play_all("bob"));
    play_open(play, &open);
    assert_int_equal(open.unread, 3);
    assert_int_equal(open.mentions, 1);
    journal_open_fini(&open);
    /* What the reader follows is another matter. */
    struct follow_room room = {.room = span_text("bar")};
    open = play_open_spec(play_rooms("bob", &room, 1));
    play_open(play, &open);
    assert_int_equal(open.unread, 3);
    journal_open_fini(&open);
    open = play_open_spec(play_all("nobody"));
    play_open(play, &open);
    assert_int_equal(open.unread, 0);
    journal_open_fini(&open);
    play_free(play);
}

/* Receipts */

static struct outcome ack(struct play *play, const char *user, const char *device,
                          struct event_id cursor)
{
    struct command command = play_command(COMMAND_ACK, user, NULL);
    command.device = device ? span_text(device) : (struct span){NULL, 0};
    command.room = (struct span){NULL, 0};
    command.cursor = cursor;
    return play_do(play, &command);
}

static void write_receipts(const struct journal_read *read, char *out, size_t size)
{
    size_t len = 0;
    out[0] = 0;
    for (int i = 0; i < read->receipt_count && len < size; i++) {
        const struct read_receipt *receipt = &read->receipts[i];
        char id[EVENT_ID_TEXT_MAX];
        event_id_format(receipt->marker.upto, id);
        len += (size_t)snprintf(out + len, size - len, "%s%s:%.*s:%.*s:%s", i ? " " : "",
                                receipt->type == EVENT_MESSAGE_READ ? "read" : "delivered",
                                SPAN_ARGS(receipt->room), SPAN_ARGS(receipt->user), id);
    }
}

/* All pages; valid until the next call. */
static const char *receipts_since(struct play *play, const char *user, int64_t since_ms)
{
    static char found[100000];
    char from[IDENT_BYTES_MAX + 1] = "";
    size_t len = 0;
    found[0] = 0;
    for (;;) {
        struct journal_read read = {
            .what = READ_RECEIPTS,
            .realm = span_text("main"),
            .actor.user = span_text(user),
            .since_ms = since_ms,
            .from = from[0] ? span_text(from) : (struct span){NULL, 0},
        };
        play_read(play, &read);
        assert_err(read.request.err, ERR_OK);
        if (len && read.receipt_count)
            len += (size_t)snprintf(found + len, sizeof(found) - len, " ");
        write_receipts(&read, found + len, sizeof(found) - len);
        len = strlen(found);
        bool more = read.next.data;
        if (more)
            snprintf(from, sizeof(from), "%.*s", SPAN_ARGS(read.next));
        journal_read_fini(&read);
        if (!more)
            return found;
    }
}

static const char *delivered(struct play *play, const char *user, struct event_id after)
{
    static char found[1000];
    struct journal_read read = {
        .what = READ_DELIVERED,
        .realm = span_text("main"),
        .actor.user = span_text(user),
        .after = after,
    };
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    write_receipts(&read, found, sizeof(found));
    journal_read_fini(&read);
    return found;
}

static const char *receipt(const char *what, const char *room, const char *user, struct event_id id)
{
    static char texts[4][400];
    static unsigned next;
    char id_text[EVENT_ID_TEXT_MAX];
    event_id_format(id, id_text);
    char *text = texts[next++ % 4];
    snprintf(text, sizeof(texts[0]), "%s:%s:%s:%s", what, room, user, id_text);
    return text;
}

static void an_acknowledgement_moves_what_is_delivered(void **state)
{
    struct play *play = play_of_two();
    assert_err(play_put_room(play, "ann", "den", ROOM_PUBLIC), ERR_OK);
    play_say(play, "ann", "den", "old");
    assert_err(play_join(play, "bob", "den"), ERR_OK);
    struct event_id first = play_say(play, "ann", "tea", "m1");
    struct event_id reply_id = reply(play, "ann", "tea", "r1", "m1");
    play_say(play, "ann", "tea", "m2");
    assert_string_equal(delivered(play, "bob", EVENT_ID_NONE), "");
    struct outcome outcome = ack(play, "bob", "phone", reply_id);
    assert_true(outcome.acked);
    assert_id_equal(outcome.acked_from, EVENT_ID_NONE);
    /* Not what was there before the joining. */
    assert_string_equal(delivered(play, "bob", EVENT_ID_NONE),
                        receipt("delivered", "tea", "bob", reply_id));
    assert_string_equal(delivered(play, "bob", first),
                        receipt("delivered", "tea", "bob", reply_id));
    assert_string_equal(delivered(play, "bob", reply_id), "");
    /* Of several devices the furthest counts; without a device too. */
    outcome = ack(play, "bob", "desk", first);
    assert_err(outcome.err, ERR_OK);
    assert_false(outcome.acked);
    assert_id_equal(outcome.cursor, first);
    assert_id_equal(ack(play, "bob", NULL, first).cursor, reply_id);
    assert_id_equal(ack(play, "bob", "phone", first).cursor, reply_id);
    outcome = ack(play, "bob", NULL, play_head(play));
    assert_true(outcome.acked);
    assert_id_equal(outcome.acked_from, reply_id);
    assert_id_equal(outcome.cursor, play_head(play));
    assert_id_equal(ack(play, "bob", "phone", first).cursor, reply_id);
    assert_err(ack(play, "bob", NULL, event_id_next(play_head(play))).err, ERR_CURSOR_AHEAD);
    play_free(play);
}

static void what_moved_is_told_again(void **state)
{
    struct play *play = play_of_two();
    assert_string_equal(receipts_since(play, "nobody", 1), "");
    struct event_id first = play_say(play, "ann", "tea", "m1");
    int64_t later_ms = INT64_MAX / 2;
    assert_err(read_message(play, "bob", "tea", "m1").err, ERR_OK);
    char expected[1000];
    assert_string_equal(receipts_since(play, "ann", 1), receipt("read", "tea", "bob", first));
    assert_string_equal(receipts_since(play, "ann", later_ms), "");
    ack(play, "bob", "phone", first);
    snprintf(expected, sizeof(expected), "%s %s", receipt("read", "tea", "bob", first),
             receipt("delivered", "tea", "bob", first));
    assert_string_equal(receipts_since(play, "ann", 1), expected);
    /* Sending is told to one's own sessions alone. */
    assert_string_equal(receipts_since(play, "bob", 1), receipt("read", "tea", "bob", first));
    play_free(play);
}

static void receipts_of_others_are_for_small_rooms(void **state)
{
    struct play *play = play_new();
    play->settings.rooms_quiet_limit = 2;
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    assert_err(play_join(play, "bob", "tea"), ERR_OK);
    struct event_id first = play_say(play, "ann", "tea", "m1");
    assert_err(read_message(play, "bob", "tea", "m1").err, ERR_OK);
    ack(play, "bob", "phone", first);
    assert_non_null(strstr(receipts_since(play, "ann", 1), "read:tea:bob"));
    assert_string_not_equal(delivered(play, "bob", EVENT_ID_NONE), "");
    assert_err(play_join(play, "cat", "tea"), ERR_OK);
    assert_string_equal(receipts_since(play, "ann", 1), "");
    assert_string_equal(receipts_since(play, "bob", 1), receipt("read", "tea", "bob", first));
    assert_string_equal(delivered(play, "bob", EVENT_ID_NONE), "");
    play_free(play);
}

/* More members and rooms than are looked at at once: none is left out, none told twice. */
static void many_receipts_come_in_pages(void **state)
{
    enum { MEMBERS = 600, ROOMS = 4 };
    struct play *play = play_new();
    static char names[MEMBERS][8];
    static struct span users[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(names[i], sizeof(names[i]), "u%03d", i);
        users[i] = span_text(names[i]);
    }
    for (int k = 0; k < ROOMS; k++) {
        char room[8];
        snprintf(room, sizeof(room), "r%d", k);
        assert_err(play_put_room(play, "ann", room, ROOM_PUBLIC), ERR_OK);
        struct command add = play_command(COMMAND_ADD_MEMBERS, "ann", room);
        add.users = users;
        add.user_count = MEMBERS;
        assert_err(play_do(play, &add).err, ERR_OK);
        play_say(play, "ann", room, "m1");
        for (int i = 0; i < MEMBERS; i += 2)
            assert_err(read_message(play, names[i], room, "m1").err, ERR_OK);
    }
    const char *found = receipts_since(play, "u001", 1);
    for (int k = 0; k < ROOMS; k++) {
        for (int i = 0; i < MEMBERS; i++) {
            char wanted[32];
            snprintf(wanted, sizeof(wanted), "read:r%d:%.7s:", k, names[i]);
            const char *at = strstr(found, wanted);
            assert_int_equal(!at, i % 2);
            assert_true(!at || !strstr(at + 1, wanted));
        }
    }
    play_free(play);
}

int run_marker_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_marker_stands_at_the_joining),
        cmocka_unit_test(sending_moves_ones_own),
        cmocka_unit_test(a_reply_in_a_thread_is_not_counted),
        cmocka_unit_test(reading_never_moves_back_nor_beyond_the_room),
        cmocka_unit_test(only_members_read_and_only_what_is_there),
        cmocka_unit_test(mentions_are_counted_of_members_alone),
        cmocka_unit_test(unread_is_the_same_wherever_it_is_told),
        cmocka_unit_test(an_acknowledgement_moves_what_is_delivered),
        cmocka_unit_test(what_moved_is_told_again),
        cmocka_unit_test(receipts_of_others_are_for_small_rooms),
        cmocka_unit_test(many_receipts_come_in_pages),
    };
    return cmocka_run_group_tests_name("markers", tests, NULL, NULL);
}
