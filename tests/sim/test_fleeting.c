/* A seeded simulation of what is told now and kept by nobody, under a virtual clock: who types and
 * who is here, with ticks that come late. An onlooker knows only what was told, and is held against
 * what is true.
 *
 * `test_fleeting [SEED [STEPS]]`; without a seed a few fixed ones and one of the day are run. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/attr.h"
#include "core/here.h"
#include "core/typing.h"

enum { USERS = 6, ROOMS = 4, SESSIONS = 2, LATE_MS = 20 };
enum { THROTTLE_MS = 1000, TIMEOUT_MS = 10000, GRACE_MS = 15000 };

static uint64_t random_state;
static int64_t now_ms;
static char user_names[USERS][8], room_names[ROOMS][8], session_names[SESSIONS][8];

static uint32_t rnd(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % below);
}

static void name_all(char (*names)[8], int count, char letter)
{
    for (int i = 0; i < count; i++)
        snprintf(names[i], sizeof(names[i]), "%c%d", letter, i);
}

static int index_of(struct span name)
{
    return name.data[1] - '0';
}

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "at %lld: %s\n", (long long)now_ms, what);
    abort();
}

/* -- typing ------------------------------------------------------------------------------- */

/* One user in one room. */
static struct {
    bool types; /* true of it */
    int64_t refreshed_ms;
    bool shown; /* told of it */
    bool told;  /* ever */
    int64_t told_ms;
} typists[ROOMS][USERS];

static long starts, tellings;

static void on_typing(void *context, const struct typing_news *news)
{
    int room = index_of(news->room), user = index_of(news->user);
    tellings++;
    if (!news->types) {
        expect(typists[room][user].shown, "a stop that nobody waits for");
        typists[room][user].shown = false;
        return;
    }
    expect(typists[room][user].types, "told of one who does not type");
    expect(!typists[room][user].told || now_ms - typists[room][user].told_ms >= THROTTLE_MS,
           "told too often");
    expect(news->expires_in_ms == typists[room][user].refreshed_ms + TIMEOUT_MS - now_ms,
           "another time to expire");
    typists[room][user].shown = typists[room][user].told = true;
    typists[room][user].told_ms = now_ms;
}

static void on_seen(void *context, const struct typing_news *news)
{
    int *count = context;
    expect(typists[index_of(news->room)][index_of(news->user)].shown, "seen, but never told");
    ++*count;
}

static void step_typing(struct typing *typing)
{
    int room = (int)rnd(ROOMS), user = (int)rnd(USERS);
    struct span realm = span_text("main");
    struct span in = span_text(room_names[room]), by = span_text(user_names[user]);
    switch (rnd(20)) {
    case 0:
        for (int i = 0; i < ROOMS; i++)
            typists[i][user].types = false;
        typing_stop_user(typing, realm, by, now_ms);
        break;
    case 1:
        for (int i = 0; i < USERS; i++)
            typists[room][i].types = false;
        typing_stop_room(typing, realm, in, now_ms);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        typists[room][user].types = false;
        typing_stop(typing, realm, in, by, now_ms);
        break;
    default:
        starts++;
        typists[room][user].types = true;
        typists[room][user].refreshed_ms = now_ms;
        typing_start(typing, realm, in, by, now_ms);
    }
}

/* After a tick. */
static void check_typing(const struct typing *typing)
{
    int active = 0, shown = 0, seen = 0;
    for (int room = 0; room < ROOMS; room++) {
        for (int user = 0; user < USERS; user++) {
            if (now_ms - typists[room][user].refreshed_ms >= TIMEOUT_MS)
                typists[room][user].types = false;
            bool may_be_late = now_ms - typists[room][user].told_ms < THROTTLE_MS;
            active += typists[room][user].types;
            shown += typists[room][user].shown;
            expect(typists[room][user].types || !typists[room][user].shown, "types for ever");
            expect(!typists[room][user].types || typists[room][user].shown || may_be_late,
                   "types, and nobody knows");
        }
        typing_visit(typing, span_text("main"), span_text(room_names[room]), now_ms, on_seen,
                     &seen);
    }
    expect(typing->active == active, "another number types");
    expect(seen == shown, "told, but not seen");
    expect(typing_due_ms(typing) < 0 || typing_due_ms(typing) > now_ms, "due after a tick");
}

/* -- here --------------------------------------------------------------------------------- */

/* One session of a user, and what it says of itself in each room: 0: nothing. */
static struct {
    bool away;
    int64_t away_ms;
    int true_data[ROOMS], told_data[ROOMS];
} sessions[USERS][SESSIONS];

static void on_here(void *context, const struct here_news *news)
{
    int *told =
        &sessions[index_of(news->user)][index_of(news->session)].told_data[index_of(news->room)];
    int data = news->data.data ? news->data.data[0] - '0' : 0;
    tellings++;
    expect(data != *told, "told what was known");
    *told = data;
}

static struct here_name name_of(int user, int session, char key[32])
{
    int len = snprintf(key, 32, "main%c%s%c%s", 0, user_names[user], 0, session_names[session]);
    return (struct here_name){key, (uint32_t)len, (uint32_t)(5 + strlen(user_names[user]))};
}

static void forget(int user, int room)
{
    for (int i = 0; i < SESSIONS; i++)
        sessions[user][i].true_data[room] = 0;
}

static void step_here(struct here *here)
{
    int user = (int)rnd(USERS), session = (int)rnd(SESSIONS), room = (int)rnd(ROOMS);
    char key[32];
    const struct here_name name = name_of(user, session, key);
    struct span realm = span_text("main"), in = span_text(room_names[room]);
    bool away = sessions[user][session].away;
    int *data = &sessions[user][session].true_data[room];
    switch (rnd(12)) {
    case 0:
        forget(user, room);
        here_leave(here, realm, in, span_text(user_names[user]));
        break;
    case 1:
        for (int i = 0; i < USERS; i++)
            forget(i, room);
        here_drop_room(here, realm, in);
        break;
    case 2:
        memset(sessions[user][session].true_data, 0, sizeof(sessions[user][session].true_data));
        here_end(here, &name);
        break;
    case 3:
        *data = 0;
        here_remove(here, &name, in);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        sessions[user][session].away = !away;
        sessions[user][session].away_ms = now_ms;
        if (away)
            here_back(here, &name);
        else
            here_away(here, &name, now_ms);
        break;
    default:
        if (away)
            break;
        *data = 1 + (int)rnd(2);
        int err = here_put(here, &name, in, 2, span_text(*data == 1 ? "1" : "2"));
        assert(err == 0);
    }
}

/* After a tick. */
static void check_here(const struct here *here)
{
    for (int user = 0; user < USERS; user++) {
        for (int session = 0; session < SESSIONS; session++) {
            bool over = sessions[user][session].away &&
                        now_ms - sessions[user][session].away_ms >= GRACE_MS;
            for (int room = 0; room < ROOMS; room++) {
                int *data = &sessions[user][session].true_data[room];
                *data = over ? 0 : *data;
                expect(sessions[user][session].told_data[room] == *data, "told otherwise");
            }
        }
    }
    expect(here_due_ms(here) < 0 || here_due_ms(here) > now_ms, "due after a tick");
}

/* -- the run ------------------------------------------------------------------------------ */

/* Lets the time pass, with a tick for each thing that becomes due, up to LATE_MS late. */
static void pass(struct typing *typing, struct here *here, int64_t until_ms)
{
    for (;;) {
        int64_t types_ms = typing_due_ms(typing), here_ms = here_due_ms(here);
        int64_t due_ms = types_ms < 0 || (here_ms >= 0 && here_ms < types_ms) ? here_ms : types_ms;
        if (due_ms < 0 || due_ms > until_ms)
            break;
        due_ms += rnd(LATE_MS);
        now_ms = due_ms > now_ms ? due_ms : now_ms;
        typing_tick(typing, now_ms);
        here_tick(here, now_ms);
        check_typing(typing);
        check_here(here);
    }
    now_ms = until_ms > now_ms ? until_ms : now_ms;
}

static void run(uint64_t seed, int steps)
{
    struct typing typing = {
        .throttle_ms = THROTTLE_MS, .timeout_ms = TIMEOUT_MS, .tell = on_typing};
    struct here here = {.grace_ms = GRACE_MS, .tell = on_here};
    random_state = seed;
    now_ms = 1000000;
    starts = tellings = 0;
    memset(typists, 0, sizeof(typists));
    memset(sessions, 0, sizeof(sessions));
    typing_init(&typing);
    here_init(&here);
    for (int i = 0; i < steps; i++) {
        pass(&typing, &here, now_ms + rnd(rnd(10) == 0 ? 12000 : 150));
        step_typing(&typing);
        step_here(&here);
    }
    pass(&typing, &here, now_ms + 10 * GRACE_MS);
    expect(!typing.users && !typing.rooms, "somebody types in the end");
    printf("seed %llu: %ld starts, %ld tellings\n", (unsigned long long)seed, starts, tellings);
    assert(starts > 0 && tellings > 0);
    typing_fini(&typing);
    here_fini(&here);
}

int main(int argc, char **argv)
{
    name_all(user_names, USERS, 'u');
    name_all(room_names, ROOMS, 'r');
    name_all(session_names, SESSIONS, 's');
    int steps = argc > 2 ? atoi(argv[2]) : 40000;
    if (argc > 1) {
        run(strtoull(argv[1], NULL, 10), steps);
        return 0;
    }
    for (uint64_t seed = 1; seed <= 5; seed++)
        run(seed, steps);
    run((uint64_t)time(NULL) / 86400, steps);
    return 0;
}
