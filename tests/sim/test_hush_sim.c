/* A seeded simulation of who is told of whom, with rooms that grow above the limit and come down
 * again: users come with several sessions and go, report, join and leave, subscribe; rooms are
 * filled and emptied by people who are not here, and deleted. It checks against a model that knows
 * what each session was told:
 *   - nobody is told of a stranger, nor by a room that is large
 *   - after a while of rest every session knows what is shown of all who share a small room with
 *     it, and of all it is subscribed to. Of those of whom it was told by a subscription that has
 *     ended, or with whom it shared a room that grew so much that nothing was kept of it, it knows
 *     who is there
 *   - equal states are not told twice to a session, unless one of the two joined or left a room or
 *     changed its subscriptions, or a room has grown so much that nothing was kept of it
 *
 * `test_hush_sim [SEED [ROUNDS]]`; without a seed a few fixed ones and one of the day. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "hub_inside.h"
#include "store/journal.h"
#include "store/request.h"

enum { USERS = 9, SLOTS = 2, ROOMS = 4, LIMIT = 5, STEPS = 4000 };
enum { INTERVAL_MS = 1000, STEP_MS = 50, GRACE_MS = 200 };

static const struct settings settings = {
    .rooms_quiet_limit = LIMIT,
    .rooms_stats_interval_ms = INTERVAL_MS,
    .presence_grace_ms = GRACE_MS,
    .limits_sessions = SLOTS,
};

/* A session and what it was told. */
struct client {
    struct session session;
    bool open;
    enum presence_status reported, told[USERS];
    bool moved[USERS]; /* what the two share has changed since */
    bool vague[USERS]; /* they shared a room whose notes were given up */
};

static uint64_t random_state, seed;
static struct hub *hub;
static struct worker worker;
static struct session_home home = {.worker = &worker};
static int64_t head; /* of the journal */
static bool in[USERS][ROOMS], subscribed[USERS][USERS];
static int64_t crowd[ROOMS]; /* members who are not here */
static struct client clients[USERS][SLOTS];
static int64_t told_count, hush_count;

static void check(bool holds, const char *format, ...)
{
    if (holds)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "seed %llu at %lld ms: ", (unsigned long long)seed, (long long)hub->now_ms);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

static uint64_t rnd(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

/* -- the model ----------------------------------------------------------------------------- */

static const char *user_name(uint64_t user)
{
    static const char *const names[USERS] = {"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"};
    return names[user];
}

static const char *room_name(uint64_t room)
{
    static const char *const names[ROOMS] = {"r0", "r1", "r2", "r3"};
    return names[room];
}

static int64_t members(int room)
{
    int64_t count = crowd[room];
    for (int i = 0; i < USERS; i++)
        count += in[i][room];
    return count;
}

static bool share(int a, int b, bool only_told)
{
    for (int i = 0; i < ROOMS; i++) {
        const struct hub_room *room =
            people_find_room(&hub->people, "main", span_text(room_name((uint64_t)i)));
        bool ends = room && room->hush.state == HUSH_ENDING;
        if (in[a][i] && in[b][i] && (!only_told || ends || members(i) <= LIMIT))
            return true;
    }
    return false;
}

static bool may_hear(int user, int of)
{
    return user == of || share(user, of, true) || (subscribed[user][of] && share(user, of, false));
}

static enum presence_status shown(int user)
{
    bool away = false;
    for (int i = 0; i < SLOTS; i++) {
        const struct client *client = &clients[user][i];
        if (client->open && client->reported == PRESENCE_ONLINE)
            return PRESENCE_ONLINE;
        away |= client->open;
    }
    return away ? PRESENCE_AWAY : PRESENCE_OFFLINE;
}

/* The rooms of the user, or its subscriptions, have changed. Who has become a stranger is
 * forgotten. */
static void note_moved(int user)
{
    for (int i = 0; i < USERS * SLOTS; i++) {
        int other = i / SLOTS;
        struct client *client = &clients[other][i % SLOTS];
        for (int k = 0; k < USERS; k++) {
            if ((other == user) == (k == user))
                continue;
            client->moved[k] = true;
            if (!share(other, k, false))
                client->told[k] = PRESENCE_OFFLINE;
        }
    }
}

/* Something is not told any more to people of the room, which has grown so much that nothing is
 * noted of it. */
static void note_vague(int room)
{
    const struct hub_room *found =
        people_find_room(&hub->people, "main", span_text(room_name((uint64_t)room)));
    if (!found || found->seated)
        return;
    for (int i = 0; i < USERS * SLOTS; i++) {
        for (int k = 0; k < USERS; k++) {
            if (!in[i / SLOTS][room] || !in[k][room])
                continue;
            clients[i / SLOTS][i % SLOTS].moved[k] = true;
            clients[i / SLOTS][i % SLOTS].vague[k] = true;
        }
    }
}

/* -- what the hub sees of the world -------------------------------------------------------- */

static void on_told(struct session *session, struct frame *frame)
{
    static const char *const texts[] = {
        [PRESENCE_ONLINE] = "\"status\":\"online\"",
        [PRESENCE_AWAY] = "\"status\":\"away\"",
        [PRESENCE_OFFLINE] = "\"status\":\"offline\"",
    };
    struct client *client = container_of(session, struct client, session);
    struct span json = frame_json(frame);
    enum presence_status status = PRESENCE_NONE;
    int user = (int)(client - clients[0]) / SLOTS, of = frame->user[1] - '0';
    for (size_t i = 0; i < array_count(texts); i++) {
        if (texts[i] && memmem(json.data, json.len, texts[i], strlen(texts[i])))
            status = (enum presence_status)i;
    }
    check(status != PRESENCE_NONE, "a strange frame");
    check(may_hear(user, of), "%d is told of %d", user, of);
    check(status != client->told[of] || client->moved[of], "%d is told twice that %d is %s", user,
          of, presence_status_name(status));
    client->told[of] = status;
    client->moved[of] = client->vague[of] = false;
    told_count++;
}

static void on_end(struct session *session, const char *code)
{
    check(false, "a session is ended: %s", code);
}

static void on_closed(struct session *session)
{
    session_fini(session);
    *session = (struct session){.ops = NULL};
}

static const struct session_ops session_ops = {
    .on_end = on_end, .on_closed = on_closed, .on_told = on_told};

static void take_read(struct journal *journal, struct journal_read *read)
{
    journal_request_begin(&read->request);
    struct arena *arena = &read->request.arena;
    int user = read->actor.user.data ? read->actor.user.data[1] - '0' : 0;
    struct read_presence *found = &read->presence;
    found->rooms = arena_alloc(arena, ROOMS * sizeof(*found->rooms));
    found->subscriptions = arena_alloc(arena, USERS * sizeof(*found->subscriptions));
    check(found->rooms && found->subscriptions, "out of memory");
    for (int i = 0; i < ROOMS && read->what == READ_PRESENCE; i++) {
        if (in[user][i])
            found->rooms[found->room_count++] =
                (struct read_membership){span_text(room_name((uint64_t)i)), members(i)};
    }
    for (int i = 0; i < USERS; i++) {
        if (subscribed[user][i])
            found->subscriptions[found->subscription_count++] = span_text(user_name((uint64_t)i));
    }
    read->head = (struct event_id){(uint64_t)head, 0};
    journal_request_finish(&read->request, read->what == READ_PRESENCE || read->what == READ_CHOICES
                                               ? 0
                                               : ERR_UNAVAILABLE);
}

static void take_append(struct journal *journal, struct journal_append *append)
{
    journal_request_begin(&append->request);
    journal_request_finish(&append->request, 0);
}

static const struct journal_ops journal_ops = {.read = take_read, .append = take_append};
static struct journal journal = {.ops = &journal_ops};

static void settle(int64_t pass_ms)
{
    hub_turns(hub, pass_ms);
    while (mailbox_read(&worker.mailbox) > 0 || atomic_load(&hub->mailbox.top))
        hub_turns(hub, 0);
}

/* -- what happens -------------------------------------------------------------------------- */

static void come(int user, struct client *client)
{
    const struct identity identity = {.realm = span_text("main"),
                                      .user = span_text(user_name((uint64_t)user))};
    char name[8];
    snprintf(name, sizeof(name), "s%d", (int)(client - clients[user]));
    int err = session_init(&client->session, &session_ops, &home, &identity, span_text(name));
    check(!err, "no memory");
    client->open = true;
    client->reported = PRESENCE_ONLINE;
    for (int i = 0; i < USERS; i++) {
        client->told[i] = PRESENCE_OFFLINE;
        client->moved[i] = client->vague[i] = false;
    }
    /* In whose grace it comes. */
    const struct hub_user *found =
        hub_user_find(hub, span_text("main"), span_text(user_name((uint64_t)user)));
    if (found && found->presence.lingering)
        client->reported = found->presence.lingering;
    hub_open(&client->session);
    if (rnd(2) == 0)
        settle(rnd(2) ? 0 : STEP_MS);
    check(hub_watch(&client->session), "no memory");
}

static void go(struct client *client)
{
    hub_close(&client->session);
    client->open = false;
    settle(0);
}

static void report(int user, struct client *client)
{
    client->reported = client->reported == PRESENCE_ONLINE ? PRESENCE_AWAY : PRESENCE_ONLINE;
    int err = presence_report(&hub->presence, &client->session.of->presence,
                              &client->session.presence, client->reported, (struct span){NULL, 0});
    check(!err, "no memory");
}

static void tell_news(enum event_type type, int room, const char *user)
{
    hub_hears(hub, type, room_name((uint64_t)room), user, members(room), ++head);
    for (int i = 0; i < ROOMS && type != EVENT_USER_JOINED; i++)
        note_vague(i);
    note_vague(room);
}

static void move(int user, int room)
{
    in[user][room] = !in[user][room];
    tell_news(in[user][room] ? EVENT_USER_JOINED : EVENT_USER_LEFT, room,
              user_name((uint64_t)user));
    note_moved(user);
}

/* Up to twice the limit and beyond, or down again; all in one, or one by one with time between. */
static void move_crowd(int room)
{
    bool slowly = rnd(2) == 0;
    int64_t to = rnd(6) ? (int64_t)rnd(LIMIT + 2) : (int64_t)rnd(3 * LIMIT);
    while (crowd[room] != to) {
        bool joins = crowd[room] < to;
        crowd[room] += joins ? 1 : -1;
        tell_news(joins ? EVENT_USER_JOINED : EVENT_USER_LEFT, room, "stranger");
        if (slowly)
            settle(STEP_MS);
    }
}

static void delete (int room)
{
    crowd[room] = 0;
    for (int i = 0; i < USERS; i++) {
        if (in[i][room]) {
            in[i][room] = false;
            note_moved(i);
        }
    }
    tell_news(EVENT_ROOM_DELETED, room, NULL);
}

static void subscribe(int user, int to)
{
    if (user == to || (!subscribed[user][to] && !share(user, to, false)))
        return;
    subscribed[user][to] = !subscribed[user][to];
    note_moved(user);
    for (int i = 0; i < SLOTS; i++)
        clients[user][i].vague[to] = true;
    struct hub_user *found =
        hub_user_find(hub, span_text("main"), span_text(user_name((uint64_t)user)));
    if (found)
        hub_load_choices(hub, found);
}

static void happen(void)
{
    int user = (int)rnd(USERS), room = (int)rnd(ROOMS);
    struct client *client = &clients[user][rnd(SLOTS)];
    uint64_t what = rnd(100);
    if (what < 25 && !client->open && !client->session.ops)
        come(user, client);
    else if (what < 35 && client->open)
        go(client);
    else if (what < 55 && client->open && client->session.presence.reported)
        report(user, client);
    else if (what < 80)
        move(user, room);
    else if (what < 92)
        move_crowd(room);
    else if (what < 93)
        delete (room);
    else
        subscribe(user, (int)rnd(USERS));
}

/* -- rest ---------------------------------------------------------------------------------- */

static void check_rest(void)
{
    for (int i = 0; i < USERS * SLOTS; i++) {
        int user = i / SLOTS;
        const struct client *client = &clients[user][i % SLOTS];
        for (int of = 0; of < USERS && client->open; of++)
            check(!may_hear(user, of) || client->told[of] == shown(of) ||
                      (client->vague[of] && shown(of) == PRESENCE_OFFLINE),
                  "%d takes %d for %s, who is %s", user, of, presence_status_name(client->told[of]),
                  presence_status_name(shown(of)));
    }
    check(hushes_due_in(&hub->hushes, hub->now_ms) == -1, "a hush is left");
}

static void rest(void)
{
    for (int64_t left_ms = 2 * INTERVAL_MS + GRACE_MS; left_ms > 0; left_ms -= STEP_MS)
        settle(STEP_MS);
    check_rest();
}

/* Who leaves and is not there is forgotten when no hush needs it any more. */
static void end(void)
{
    for (int i = 0; i < ROOMS; i++)
        delete (i);
    for (int i = 0; i < USERS * SLOTS; i++) {
        if (clients[i / SLOTS][i % SLOTS].open)
            go(&clients[i / SLOTS][i % SLOTS]);
    }
    for (int i = 0; i < 20; i++)
        settle(STEP_MS);
    check(hub->people.users_by_key.count == 0 && !hub->people.rooms_by_key, "somebody is left");
    check(hub->people.known_sum == 0, "notes are left");
    hush_count = (int64_t)hub->people.moment;
    hub_gone(hub);
    mailbox_fini(&worker.mailbox);
}

static void run(uint64_t with)
{
    seed = random_state = with;
    told_count = 0;
    head = 1;
    memset(in, 0, sizeof(in));
    memset(subscribed, 0, sizeof(subscribed));
    memset(crowd, 0, sizeof(crowd));
    memset(clients, 0, sizeof(clients));
    hub = home.hub = hub_made(&settings);
    hub->journal = &journal;
    worker = (struct worker){.index = 0};
    int err = mailbox_init(&worker.mailbox);
    assert(!err);
    for (int step = 0; step < STEPS; step++) {
        happen();
        settle(rnd(4) ? 0 : (int64_t)rnd(3) * STEP_MS);
        if (rnd(100) == 0)
            rest();
    }
    rest();
    end();
    printf("seed %llu: %lld told, %lld hushes\n", (unsigned long long)seed, (long long)told_count,
           (long long)hush_count);
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
