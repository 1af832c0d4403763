#include "play.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "base/deadline.h"
#include "redis_server.h"

const char *play_backend;
static struct redis_server redis; /* for all tests of the process; pid 0: not started */

#define WAIT_MS_MAX 30000

static void copy_name(char out[IDENT_BYTES_MAX + 1], const char *name)
{
    snprintf(out, IDENT_BYTES_MAX + 1, "%s", name ? name : "");
}

static void follow(void *context, struct frame *const *frames, int count)
{
    struct play *play = context;
    int telling = __atomic_add_fetch(&play->telling, 1, __ATOMIC_SEQ_CST);
    assert(telling == 1);
    pthread_mutex_lock(&play->lock);
    for (int i = 0; i < count; i++) {
        const struct frame *frame = frames[i];
        assert(play->followed_count < PLAY_FOLLOWED_MAX);
        assert(frame->committed_us > 0);
        assert(!frame->own || frame->own->committed_us > 0);
        struct followed *followed = &play->followed[play->followed_count++];
        followed->id = frame->id;
        followed->number = frame->number;
        followed->type = frame->type;
        followed->audience = (enum audience)frame->audience;
        followed->ends_watching = frame->ends_watching;
        followed->opens_watching = frame->opens_watching;
        followed->bars_user = frame->bars_user;
        followed->members = frame->members;
        followed->target = frame->target;
        followed->target_edited = frame->target_edited;
        copy_name(followed->realm, frame->realm);
        copy_name(followed->room, frame->room);
        copy_name(followed->user, frame->user);
        copy_name(followed->sender, frame->sender);
    }
    pthread_mutex_unlock(&play->lock);
    __atomic_sub_fetch(&play->telling, 1, __ATOMIC_SEQ_CST);
}

static bool is_redis(void)
{
    return strcmp(play_backend, "redis:") == 0;
}

static void open_journal(struct play *play)
{
    char why[256] = "";
    int err = journal_new(&play->settings, follow, play, why, sizeof(why), &play->journal);
    if (err)
        fail_msg("%s: %s: %s", play->url, err_name(err), why);
}

struct play *play_new_keeping(int64_t room_events_max)
{
    struct play *play = calloc(1, sizeof(*play));
    assert_non_null(play);
    if (strcmp(play_backend, "memory:") == 0) {
        snprintf(play->url, sizeof(play->url), "memory:");
    } else if (is_redis()) {
        if (!redis.pid)
            redis_server_start(&redis, NULL);
        freeReplyObject(redis_server_ask(&redis, "FLUSHALL"));
        snprintf(play->url, sizeof(play->url), "redis+unix://%s", redis.socket);
    } else {
        snprintf(play->folder, sizeof(play->folder), "/tmp/tidings-contract-XXXXXX");
        assert_non_null(mkdtemp(play->folder));
        snprintf(play->url, sizeof(play->url), "%s%s/journal.db", play_backend, play->folder);
    }
    play->settings = (struct settings){
        .journal_url = play->url,
        .journal_durability = DURABILITY_RELAXED,
        .journal_dedup_window_ms = 24 * 60 * 60 * 1000,
        .journal_readers = 2,
        .journal_room_events_max = room_events_max,
        .journal_skew_max_ms = 10000,
        .journal_tail_window_ms = 60 * 60 * 1000,
    };
    play->followed = calloc(PLAY_FOLLOWED_MAX, sizeof(*play->followed));
    assert_non_null(play->followed);
    assert_int_equal(pthread_mutex_init(&play->lock, NULL), 0);
    assert_int_equal(mailbox_init(&play->home), 0);
    open_journal(play);
    return play;
}

struct play *play_new(void)
{
    return play_new_keeping(0);
}

bool play_outlives_closing(void)
{
    return strcmp(play_backend, "memory:") != 0;
}

void play_close(struct play *play)
{
    play->journal = journal_free(play->journal);
}

void play_reopen(struct play *play)
{
    assert_true(play_outlives_closing());
    play_close(play);
    open_journal(play);
}

void play_set_ahead(int64_t ms)
{
    if (redis.pid)
        redis_server_set_ahead(&redis, ms);
}

void play_free(struct play *play)
{
    play_close(play);
    mailbox_fini(&play->home);
    pthread_mutex_destroy(&play->lock);
    free(play->followed);
    if (play->folder[0]) {
        char command[300];
        snprintf(command, sizeof(command), "rm -rf '%s'", play->folder);
        assert_int_equal(system(command), 0);
    }
    free(play);
}

void play_wait(struct play *play, struct mailbox *home, const int *done)
{
    while (!*done) {
        struct pollfd waited = {.fd = home->fd, .events = POLLIN};
        if (poll(&waited, 1, WAIT_MS_MAX) != 1)
            fail_msg("%s: a request was not finished", play->url);
        mailbox_read(home);
    }
}

/* A request whose letter tells that it came. */
struct waited {
    struct journal_request *request;
    int done;
};
static struct waited waited;

static void on_finished(struct letter *letter)
{
    assert_ptr_equal(letter, &waited.request->letter);
    assert_false(waited.done);
    waited.done = 1;
}

static void prepare(struct play *play, struct journal_request *request)
{
    waited.request = request;
    waited.done = 0;
    request->letter.on_read = on_finished;
    request->home = &play->home;
}

/* Nothing may be finished inside the call, and everything once. */
static void finish(struct play *play)
{
    assert_false(waited.done);
    play_wait(play, &play->home, &waited.done);
}

static bool has_followed(struct play *play, struct span realm, struct event_id id)
{
    pthread_mutex_lock(&play->lock);
    int at = play->followed_count - 1;
    while (at >= 0 && !span_is(realm, play->followed[at].realm))
        at--;
    bool has = at >= 0 && event_id_compare(play->followed[at].id, id) >= 0;
    pthread_mutex_unlock(&play->lock);
    return has;
}

void play_wait_followed(struct play *play, struct span realm, struct event_id id)
{
    for (int64_t until_ms = clock_now_ms() + WAIT_MS_MAX; !has_followed(play, realm, id);) {
        if (event_id_is_none(id))
            return;
        if (clock_now_ms() > until_ms)
            fail_msg("%s: the follower was not told", play->url);
        usleep(100);
    }
}

void play_wait_swept(struct play *play)
{
    int64_t until_ms = clock_now_ms() + WAIT_MS_MAX;
    size_t left = is_redis();
    while (left > 0) {
        redisReply *keys = redis_server_ask(&redis, "KEYS tidings:*/doomed");
        left = keys->elements;
        freeReplyObject(keys);
        if (left > 0 && clock_now_ms() > until_ms)
            fail_msg("%s: nobody sweeps", play->url);
        usleep(1000);
    }
}

/* Where it is told by tailing, the answer may come first. */
static void wait_followed(struct play *play, const struct journal_append *append)
{
    struct event_id last = EVENT_ID_NONE;
    for (int i = 0; i < append->count && is_redis(); i++) {
        const struct outcome *outcome = &append->commands[i].outcome;
        if (!outcome->repeated && !event_id_is_none(outcome->id) &&
            event_id_compare(outcome->head, last) > 0)
            last = outcome->head;
    }
    if (append->count > 0)
        play_wait_followed(play, append->commands[0].realm, last);
}

void play_append(struct play *play, struct journal_append *append)
{
    prepare(play, &append->request);
    journal_start_append(play->journal, append);
    finish(play);
    assert_err(append->request.err, ERR_OK);
    wait_followed(play, append);
}

struct outcome play_do(struct play *play, struct command *command)
{
    struct journal_append append = {.commands = command, .count = 1};
    play_append(play, &append);
    struct outcome outcome = command->outcome;
    journal_append_fini(&append);
    outcome.room.id = outcome.room.name = outcome.room.topic = outcome.room.data =
        (struct span){NULL, 0};
    return outcome;
}

struct follow_spec play_all(const char *user)
{
    return (struct follow_spec){.realm = span_text("main"), .user = span_text(user), .all = true};
}

struct follow_spec play_rooms(const char *user, struct follow_room *rooms, int count)
{
    struct follow_spec follow = play_all(user);
    follow.all = false;
    follow.rooms = rooms;
    follow.room_count = count;
    return follow;
}

struct journal_open play_open_spec(struct follow_spec follow)
{
    return (struct journal_open){
        .follow = follow,
        .actor.user = follow.user,
        .replay_max = 10000,
    };
}

void play_open(struct play *play, struct journal_open *open)
{
    prepare(play, &open->request);
    journal_start_open(play->journal, open);
    finish(play);
    assert_err(open->request.err, ERR_OK);
}

void play_resume(struct play *play, struct follow_spec follow, struct event_id cursor,
                 int64_t replay_max, struct journal_open *open)
{
    *open = play_open_spec(follow);
    open->cursor_state = CURSOR_GIVEN;
    open->cursor = cursor;
    open->replay_max = replay_max;
    play_open(play, open);
}

void play_page(struct play *play, struct journal_page *page)
{
    prepare(play, &page->request);
    journal_start_page(play->journal, page);
    finish(play);
    assert_err(page->request.err, ERR_OK);
}

/* The value of a text member of compact JSON. */
static bool find_member(struct span json, const char *name, char *out, size_t size)
{
    char quoted[64], text[70000];
    assert(json.len < sizeof(text));
    memcpy(text, json.data, json.len);
    text[json.len] = 0;
    snprintf(quoted, sizeof(quoted), "\"%s\":\"", name);
    const char *at = strstr(text, quoted);
    if (!at)
        return false;
    at += strlen(quoted);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
    return true;
}

static void note_seen(char *seen, size_t size, const struct frame *frame)
{
    char subject[256] = "", type[256];
    struct span json = frame_json(frame);
    if (!find_member(json, "messageId", subject, sizeof(subject)) &&
        !find_member(json, "userId", subject, sizeof(subject)))
        find_member(json, "roomId", subject, sizeof(subject));
    assert_true(find_member(json, "type", type, sizeof(type)));
    size_t used = strlen(seen);
    snprintf(seen + used, size - used, "%s%s:%s", used ? " " : "", type, subject);
}

const char *play_seen(struct play *play, struct follow_spec follow, struct event_id after,
                      int events_max)
{
    static char seen[200000];
    struct event_id last = after;
    seen[0] = 0;
    for (;;) {
        struct journal_page page = {
            .follow = follow, .after = after, .events_max = events_max, .bytes_max = 1 << 20};
        play_page(play, &page);
        assert_true(page.frame_count <= events_max);
        for (int i = 0; i < page.frame_count; i++) {
            assert_true(event_id_compare(page.frames[i]->id, last) > 0);
            assert_true(event_id_compare(page.frames[i]->id, page.upto) <= 0);
            assert_null(page.frames[i]->own);
            last = page.frames[i]->id;
            note_seen(seen, sizeof(seen), page.frames[i]);
        }
        bool complete = event_id_compare(page.upto, page.head) == 0;
        assert_true(complete || event_id_compare(page.upto, after) > 0);
        after = page.upto;
        journal_page_fini(&page);
        if (complete)
            return seen;
    }
}

struct journal_history play_history_spec(const char *user, const char *room, int limit)
{
    return (struct journal_history){
        .realm = span_text("main"),
        .room = span_text(room),
        .actor.user = span_text(user),
        .limit = limit,
    };
}

void play_history_read(struct play *play, struct journal_history *history)
{
    prepare(play, &history->request);
    journal_start_history(play->journal, history);
    finish(play);
}

const char *play_history(struct play *play, struct journal_history *history)
{
    static char seen[20000];
    seen[0] = 0;
    play_history_read(play, history);
    for (int i = 0; i < history->message_count; i++) {
        char id[256];
        assert_true(find_member(history->messages[i], "messageId", id, sizeof(id)));
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof(seen) - used, "%s%s", used ? " " : "", id);
    }
    journal_history_fini(history);
    return seen;
}

void play_read(struct play *play, struct journal_read *read)
{
    prepare(play, &read->request);
    journal_start_read(play->journal, read);
    finish(play);
}

static void add_name(char *list, size_t size, struct span name)
{
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%.*s", used ? "," : "", SPAN_ARGS(name));
}

const char *play_members(struct play *play, const char *user, const char *room, const char *from,
                         int limit)
{
    static char list[20000];
    struct journal_read read = {
        .what = READ_MEMBERS,
        .realm = span_text("main"),
        .room = span_text(room),
        .actor.user = span_text(user),
        .from = span_text(from),
        .limit = limit,
    };
    play_read(play, &read);
    snprintf(list, sizeof(list), "%s", read.request.err ? err_name(read.request.err) : "");
    for (int i = 0; i < read.member_count; i++)
        add_name(list, sizeof(list), read.members[i].user);
    if (read.next.data) {
        assert_true(span_equal(read.next, read.members[read.member_count - 1].user));
        strcat(list, "+");
    }
    journal_read_fini(&read);
    return list;
}

const char *play_rooms_of(struct play *play, const char *user, const char *from, int limit)
{
    static char list[20000];
    struct journal_read read = {
        .what = READ_ROOMS_OF_USER,
        .realm = span_text("main"),
        .actor.user = span_text(user),
        .from = span_text(from),
        .limit = limit,
    };
    play_read(play, &read);
    assert_err(read.request.err, ERR_OK);
    list[0] = 0;
    for (int i = 0; i < read.room_count; i++)
        add_name(list, sizeof(list), read.rooms[i].info.id);
    if (read.next.data)
        strcat(list, "+");
    journal_read_fini(&read);
    return list;
}

struct event_id play_head(struct play *play)
{
    struct journal_open open = play_open_spec(play_all("nobody"));
    play_open(play, &open);
    assert_int_equal(open.verdict, OPEN_FRESH);
    struct event_id head = open.head;
    journal_open_fini(&open);
    return head;
}
