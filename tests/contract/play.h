/* A journal played with from a test: requests made synchronous, outcomes as plain values.
 *
 * Everything runs over the backend of the URL that the test program was given. */
#ifndef TIDINGS_TESTS_PLAY_H
#define TIDINGS_TESTS_PLAY_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/settings.h"
#include "core/grant.h"
#include "store/journal.h"

#define PLAY_FOLLOWED_MAX 100000

/* What the follower was told of one event. */
struct followed {
    struct event_id id;
    uint64_t number;
    enum event_type type;
    enum audience audience;
    struct event_id target;
    bool ends_watching, opens_watching, bars_user, target_edited;
    int64_t members;
    char realm[IDENT_BYTES_MAX + 1], room[IDENT_BYTES_MAX + 1], user[IDENT_BYTES_MAX + 1];
    char sender[IDENT_BYTES_MAX + 1];
};

struct play {
    char url[512], folder[256];
    struct settings settings;
    struct journal *journal;
    struct mailbox home;
    struct followed *followed;
    int followed_count;
    int telling; /* calls of the follower at this moment */
    pthread_mutex_t lock;
};

/* `memory:`, `sqlite:` or `redis:`; set by main. */
extern const char *play_backend;

struct play *play_new(void);
/* With limits on what is kept of a room. */
struct play *play_new_keeping(int64_t room_events_max);
void play_free(struct play *play);
bool play_outlives_closing(void);
/* Closes and opens again; only where what was written outlives that. */
void play_reopen(struct play *play);
void play_close(struct play *play);
/* Until what is left for later of deleted rooms is done. */
void play_wait_swept(struct play *play);
/* The clock of a server that has one of its own, against this machine's. */
void play_set_ahead(int64_t ms);
/* Waits until `letter` is read by on_read, which sets *done. */
void play_wait(struct play *play, struct mailbox *home, const int *done);

/* Commands; each returns its outcome. */
struct outcome play_do(struct play *play, struct command *command);
/* Several at once; `append` is the caller's to finish. */
void play_append(struct play *play, struct journal_append *append);
/* Until the follower was told of that event of the realm, or of one above it; 0-0: of none. */
void play_wait_followed(struct play *play, struct span realm, struct event_id id);
struct command play_command(enum command_kind kind, const char *user, const char *room);
int play_put_room(struct play *play, const char *user, const char *room, enum room_kind kind);
int play_delete_room(struct play *play, const char *user, const char *room);
int play_join(struct play *play, const char *user, const char *room);
int play_leave(struct play *play, const char *user, const char *room);
int play_add(struct play *play, const char *user, const char *room, const char *target);
int play_remove(struct play *play, const char *user, const char *room, const char *target);
int play_set_role(struct play *play, const char *user, const char *room, const char *target,
                  enum role role);
struct outcome play_post(struct play *play, const char *user, const char *room,
                         const char *message_id, const char *text);
/* Must succeed; the id. */
struct event_id play_say(struct play *play, const char *user, const char *room,
                         const char *message_id);
struct command play_message(const char *user, const char *room, const char *message_id,
                            const char *text);
struct command play_custom(const char *user, const char *room, const char *message_id,
                           const char *data);

/* What a user follows. Names are borrowed. */
struct follow_spec play_all(const char *user);
struct follow_spec play_rooms(const char *user, struct follow_room *rooms, int count);

struct journal_open play_open_spec(struct follow_spec follow);
void play_open(struct play *play, struct journal_open *open);
/* A resume from `cursor`. */
void play_resume(struct play *play, struct follow_spec follow, struct event_id cursor,
                 int64_t replay_max, struct journal_open *open);
void play_page(struct play *play, struct journal_page *page);
/* What is seen after `after`, in one text: "type:subject" separated by blanks, read by pages of
 * `events_max`. The subject is a messageId or else the user or room. Checks order and bounds.
 * Valid until the next call. */
const char *play_seen(struct play *play, struct follow_spec follow, struct event_id after,
                      int events_max);
/* The messageIds of a page of history, its err in `history->request.err`. */
const char *play_history(struct play *play, struct journal_history *history);
void play_history_read(struct play *play, struct journal_history *history);
struct journal_history play_history_spec(const char *user, const char *room, int limit);
void play_read(struct play *play, struct journal_read *read);
/* "name,name,…" and then "+" if there are more. */
const char *play_members(struct play *play, const char *user, const char *room, const char *from,
                         int limit);
const char *play_rooms_of(struct play *play, const char *user, const char *from, int limit);
struct event_id play_head(struct play *play);

#define assert_id_equal(a, b) assert_int_equal(event_id_compare((a), (b)), 0)
#define assert_err(a, b) assert_string_equal(err_name(a), err_name(b))

/* Tests of the parts. */
int run_append_tests(void);
int run_age_tests(void);
int run_permission_tests(void);
int run_replay_tests(void);
int run_gap_tests(void);
int run_edit_tests(void);
int run_reaction_tests(void);
int run_history_tests(void);
int run_state_tests(void);
int run_order_tests(void);
int run_marker_tests(void);
int run_unread_tests(void);
int run_random_tests(void);
int run_presence_tests(void);
int run_quiet_tests(void);
int run_member_tests(void);
int run_ban_tests(void);
int run_direct_tests(void);

#endif
