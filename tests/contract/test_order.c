/* Many threads append at once: one order, told to the follower as it stands in the journal. */
#include <stdio.h>
#include <stdlib.h>

#include "play.h"

#define THREADS 4
#define MESSAGES 300

struct sender {
    struct play *play;
    int number;
    int failures;
    struct mailbox home;
    pthread_t thread;
};

struct sent {
    struct journal_append append;
    struct command command;
    int done;
};

static void on_sent(struct letter *letter)
{
    container_of(letter, struct sent, append.request.letter)->done = 1;
}

static void send_one(struct sender *sender, int number)
{
    char user[16], name[32], body[64];
    struct sent sent = {.append = {.count = 1}};
    snprintf(user, sizeof(user), "user%d", sender->number);
    snprintf(name, sizeof(name), "s%d-%d.", sender->number, number);
    snprintf(body, sizeof(body), "{\"messageId\":\"%s\"}", name);
    sent.command = play_command(COMMAND_SEND_MESSAGE, user, "tea");
    sent.command.message_id = span_text(name);
    sent.command.body = span_text(body);
    sent.append.commands = &sent.command;
    sent.append.request.letter.on_read = on_sent;
    sent.append.request.home = &sender->home;
    journal_start_append(sender->play->journal, &sent.append);
    play_wait(sender->play, &sender->home, &sent.done);
    sender->failures += sent.append.request.err || sent.command.outcome.err;
    journal_append_fini(&sent.append);
}

static void *send_all(void *context)
{
    struct sender *sender = context;
    for (int i = 0; i < MESSAGES; i++)
        send_one(sender, i);
    return NULL;
}

static void run_senders(struct play *play)
{
    struct sender senders[THREADS];
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.play = play, .number = i};
        assert_int_equal(mailbox_init(&senders[i].home), 0);
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        assert_int_equal(senders[i].failures, 0);
        mailbox_fini(&senders[i].home);
    }
}

static void the_follower_is_told_in_the_order_of_the_journal(void **state)
{
    struct play *play = play_new();
    assert_err(play_put_room(play, "ann", "tea", ROOM_PUBLIC), ERR_OK);
    for (int i = 0; i < THREADS; i++) {
        char user[16];
        snprintf(user, sizeof(user), "user%d", i);
        assert_err(play_join(play, user, "tea"), ERR_OK);
    }
    struct event_id start = play_head(play);
    run_senders(play);
    int before = 2 + THREADS;
    play_wait_followed(play, span_text("main"), play_head(play));
    pthread_mutex_lock(&play->lock);
    assert_int_equal(play->followed_count, before + THREADS * MESSAGES);
    for (int i = 1; i < play->followed_count; i++) {
        assert_int_equal(play->followed[i].number, i + 1);
        assert_true(event_id_compare(play->followed[i].id, play->followed[i - 1].id) > 0);
    }
    pthread_mutex_unlock(&play->lock);
    char *seen = strdup(play_seen(play, play_all("ann"), start, 256));
    assert_non_null(seen);
    for (int i = 0; i < THREADS; i++) {
        const char *at = seen;
        for (int k = 0; k < MESSAGES; k++) {
            char name[40];
            snprintf(name, sizeof(name), ":s%d-%d.", i, k);
            at = strstr(at, name);
            assert_non_null(at);
        }
    }
    free(seen);
    play_free(play);
}

int run_order_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_follower_is_told_in_the_order_of_the_journal),
    };
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
