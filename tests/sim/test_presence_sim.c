/* A seeded simulation of presence under a virtual clock: users with sessions on several nodes that
 * reconnect, log out, report and choose, in storms too; nodes that die with all they hold. It
 * checks against a model that knows each session's life:
 *   - nobody is shown offline while there, or within the grace of the last session
 *   - whoever always comes back within the grace is never seen to go (no flap)
 *   - after a while of rest everybody is shown as the rule says: nobody is forgotten
 *   - equal states are not told twice, and no two flushes come within the fold
 *
 * `test_presence_sim [SEED [ROUNDS]]`; without a seed a few fixed ones and one of the day. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/presence.h"

enum { USERS = 40, SLOTS = 4, NODES = 3, STEPS = 20000 };
enum { GRACE_MS = 2000, FOLD_MS = 250, STEP_MS = 20, LATE_MS = FOLD_MS + 5 * STEP_MS };
enum { GRACE_LATE_MS = 50 + STEP_MS };

static uint64_t random_state, seed;
static int64_t now_ms;
static int64_t told_count, storm_count, death_count, lost_count;

/* On node 0 sessions are its own, on the others they are leases. */
struct client {
    bool in;
    int node;
    struct presence_session own;
    struct presence_lease *lease;
    enum presence_status reported;
};

struct person {
    struct presence_user user;
    struct client clients[SLOTS];
    bool steady; /* always comes back within the grace, never logs out */
    enum presence_status choice;
    enum presence_status told; /* as it came */
    uint64_t told_at_flush;
    int64_t gone_ms; /* when the last one went; -1: one is there */
    bool left;       /* by log-out */
    int64_t last_reported;
    int64_t changed_ms; /* something about it happened last */
    int64_t absences;
};

static struct presence presence;
static struct presence_node nodes[NODES];
static struct person people[USERS];
static int64_t flushed_ms;

static void check(bool holds, const char *format, ...)
{
    if (holds)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "seed %llu at %lld ms: ", (unsigned long long)seed, (long long)now_ms);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

static uint32_t rnd(uint32_t below)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(random_state >> 33) % below;
}

static struct person *person_of(struct presence_user *user)
{
    return container_of(user, struct person, user);
}

/* -- the model ----------------------------------------------------------------------------- */

static int count_in(const struct person *person, enum presence_status reported)
{
    int count = 0;
    for (int i = 0; i < SLOTS; i++) {
        const struct client *client = &person->clients[i];
        count += client->in && (reported == PRESENCE_NONE || client->reported == reported);
    }
    return count;
}

static bool is_lingering(const struct person *person)
{
    return count_in(person, PRESENCE_NONE) == 0 && person->gone_ms >= 0 && !person->left &&
           now_ms < person->gone_ms + GRACE_MS;
}

static enum presence_status expected(const struct person *person)
{
    bool there = count_in(person, PRESENCE_NONE) > 0;
    if (!there && !is_lingering(person))
        return PRESENCE_OFFLINE;
    if (person->choice != PRESENCE_NONE)
        return person->choice;
    if (!there)
        return (enum presence_status)person->last_reported;
    return count_in(person, PRESENCE_ONLINE) ? PRESENCE_ONLINE : PRESENCE_AWAY;
}

/* -- what is told -------------------------------------------------------------------------- */

static int64_t on_change(struct presence *at, struct presence_user *user)
{
    struct person *person = person_of(user);
    enum presence_status status = user->told_status;
    check(status != person->told, "user %d is told twice", (int)(person - people));
    check(status != PRESENCE_OFFLINE || expected(person) == PRESENCE_OFFLINE ||
              now_ms - person->changed_ms < LATE_MS,
          "user %d is shown offline and is not", (int)(person - people));
    check(!person->steady || status != PRESENCE_OFFLINE || person->told == PRESENCE_OFFLINE,
          "user %d flaps", (int)(person - people));
    person->told = status;
    told_count++;
    flushed_ms = now_ms;
    return 1;
}

static void on_settled(struct presence *at, struct presence_user *user)
{
}

static void on_absent(struct presence *at, struct presence_user *user)
{
    struct person *person = person_of(user);
    check(count_in(person, PRESENCE_NONE) == 0, "user %d is absent with sessions",
          (int)(person - people));
    check(person->left || now_ms >= person->gone_ms + GRACE_MS, "user %d had no grace",
          (int)(person - people));
    person->absences++;
}

static const struct presence_ops ops = {
    .on_change = on_change, .on_settled = on_settled, .on_absent = on_absent};

/* -- what happens -------------------------------------------------------------------------- */

static void note_gone(struct person *person, struct client *client, bool logged_out)
{
    client->in = false;
    person->changed_ms = now_ms;
    if (count_in(person, PRESENCE_NONE) > 0)
        return;
    person->gone_ms = now_ms;
    person->left = logged_out;
    person->last_reported = client->reported;
}

static void come(struct person *person, struct client *client)
{
    /* A grace may end a little late. */
    bool late = person->gone_ms >= 0 && !person->left &&
                now_ms < person->gone_ms + GRACE_MS + GRACE_LATE_MS;
    bool lingers = is_lingering(person) || (late && person->user.lingering != PRESENCE_NONE);
    client->node = (int)rnd(NODES);
    client->reported = lingers ? (enum presence_status)person->last_reported : PRESENCE_ONLINE;
    client->in = true;
    person->gone_ms = -1;
    person->changed_ms = now_ms;
    if (client->node == 0) {
        presence_enter(&presence, &person->user, &client->own);
        check(client->own.reported == client->reported, "a report is not taken over");
        return;
    }
    client->lease = calloc(1, sizeof(*client->lease));
    presence_lease_enter(&presence, &nodes[client->node], &person->user, client->lease);
}

static void go(struct person *person, struct client *client, bool logged_out)
{
    note_gone(person, client, logged_out);
    if (client->node == 0) {
        presence_leave(&presence, &person->user, &client->own, logged_out, now_ms, now_ms);
        return;
    }
    presence_lease_leave(&presence, client->lease, logged_out, now_ms, now_ms);
    free(client->lease);
    client->lease = NULL;
}

static void report(struct person *person, struct client *client)
{
    struct presence_session *session = client->node == 0 ? &client->own : &client->lease->session;
    client->reported = rnd(2) ? PRESENCE_ONLINE : PRESENCE_AWAY;
    person->changed_ms = now_ms;
    check(presence_report(&presence, &person->user, session, client->reported, span_text(NULL)) ==
              0,
          "no memory");
}

static void choose(struct person *person)
{
    /* Who is steady does not hide either. */
    person->choice =
        (enum presence_status)rnd(person->steady ? PRESENCE_OFFLINE : PRESENCE_OFFLINE + 1);
    person->changed_ms = now_ms;
    check(presence_choose(&presence, &person->user, person->choice, span_text(NULL)) == 0,
          "no memory");
}

static struct client *find(struct person *person, bool in)
{
    int from = (int)rnd(SLOTS);
    for (int i = 0; i < SLOTS; i++) {
        struct client *client = &person->clients[(from + i) % SLOTS];
        if (client->in == in)
            return client;
    }
    return NULL;
}

static struct client *holder_of(const struct presence_lease *lease)
{
    struct person *person = person_of(lease->user);
    for (int k = 0; k < SLOTS; k++) {
        if (person->clients[k].lease == lease)
            return &person->clients[k];
    }
    return NULL;
}

/* All of a node's clients are cut at once. */
static void node_dies(int node)
{
    struct presence_lease *lease;
    death_count++;
    while ((lease = presence_node_lose(&presence, &nodes[node], now_ms, now_ms))) {
        struct client *client = holder_of(lease);
        check(client && client->in && client->node == node, "a lease is nobody's");
        note_gone(person_of(lease->user), client, false);
        client->lease = NULL;
        free(lease);
        lost_count++;
    }
    for (int i = 0; i < USERS; i++) {
        for (int k = 0; k < SLOTS; k++)
            check(!people[i].clients[k].in || people[i].clients[k].node != node,
                  "user %d is forgotten", i);
    }
}

static void storm(void)
{
    storm_count++;
    for (int i = 0; i < USERS; i++) {
        for (int k = 0; k < SLOTS; k++) {
            if (people[i].clients[k].in)
                go(&people[i], &people[i].clients[k], false);
        }
    }
}

static void happen(struct person *person)
{
    struct client *client = find(person, rnd(2));
    if (!client)
        return;
    if (!client->in)
        come(person, client);
    else if (rnd(4) == 0)
        report(person, client);
    else if (rnd(8) == 0)
        choose(person);
    else
        go(person, client, !person->steady && rnd(3) == 0);
}

/* A steady one comes back in time, whatever happened to it. */
static void come_back(struct person *person)
{
    if (!person->steady || person->gone_ms < 0 || count_in(person, PRESENCE_NONE) > 0)
        return;
    if (now_ms > person->gone_ms + GRACE_MS / 2 &&
        (rnd(5) == 0 || now_ms > person->gone_ms + GRACE_MS - 5 * STEP_MS))
        come(person, find(person, false));
}

static void turn(void)
{
    now_ms += STEP_MS;
    for (int i = 0; i < USERS; i++)
        come_back(&people[i]);
    presence_tick(&presence, now_ms);
    if (presence_flush_in(&presence, now_ms) != 0)
        return;
    int64_t before_ms = flushed_ms;
    presence_flush(&presence, now_ms, now_ms, 1 + rnd(2 * USERS));
    check(flushed_ms != now_ms || now_ms - before_ms >= FOLD_MS, "two flushes within the fold");
}

static void check_rest(void)
{
    for (int i = 0; i < USERS; i++) {
        struct person *person = &people[i];
        check(person->told == expected(person), "user %d is shown as %s, not %s", i,
              presence_status_name(person->told), presence_status_name(expected(person)));
        check(!person->steady || count_in(person, PRESENCE_NONE) > 0, "user %d did not return", i);
    }
    check(presence_flush_in(&presence, now_ms) == -1, "something is left to tell");
}

static void rest(void)
{
    for (int64_t end_ms = now_ms + 3 * GRACE_MS; now_ms < end_ms;)
        turn();
    check_rest();
}

static void run(uint64_t with)
{
    seed = random_state = with;
    told_count = storm_count = death_count = lost_count = 0;
    now_ms = 1000000;
    flushed_ms = 0;
    memset(people, 0, sizeof(people));
    memset(nodes, 0, sizeof(nodes));
    presence_init(&presence, &ops, GRACE_MS, FOLD_MS, now_ms);
    for (int i = 0; i < USERS; i++) {
        people[i].told = PRESENCE_OFFLINE;
        people[i].gone_ms = -1;
        people[i].steady = i < USERS / 2;
        come(&people[i], &people[i].clients[0]);
    }
    for (int step = 0; step < STEPS; step++) {
        int events = (int)rnd(4);
        for (int i = 0; i < events; i++)
            happen(&people[rnd(USERS)]);
        if (rnd(500) == 0)
            storm();
        if (rnd(400) == 0)
            node_dies(1 + (int)rnd(NODES - 1));
        turn();
        if (rnd(2000) == 0)
            rest();
    }
    rest();
    int64_t absences = 0;
    for (int i = 0; i < USERS; i++) {
        check(!people[i].steady || people[i].absences == 0, "user %d was absent", i);
        absences += people[i].absences;
        for (int k = 0; k < SLOTS; k++) {
            if (people[i].clients[k].in)
                go(&people[i], &people[i].clients[k], true);
        }
        presence_user_fini(&presence, &people[i].user);
    }
    printf("seed %llu: %lld told, %lld storms, %lld nodes lost with %lld sessions, %lld absences\n",
           (unsigned long long)seed, (long long)told_count, (long long)storm_count,
           (long long)death_count, (long long)lost_count, (long long)absences);
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 1;
    if (argc > 1) {
        for (int i = 0; i < rounds; i++)
            run(strtoull(argv[1], NULL, 10) + (uint64_t)i);
        return 0;
    }
    for (uint64_t fixed = 1; fixed <= 10; fixed++)
        run(fixed);
    run((uint64_t)time(NULL) / 86400);
    return 0;
}
