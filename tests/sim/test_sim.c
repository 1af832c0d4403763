/* A seeded simulation of the hall under a virtual clock: readers that come, are cut, come back
 * with their cursor, read slowly or not at all, while rooms are joined and left, made private and
 * public; news and the journal's answers arrive late, and at times news is lost. It checks the one
 * promise: every durable event that a user may see arrives in each client exactly once and in
 * order; and that once a deletion was told nobody begins to be given what the message, or an edit
 * of it, said.
 *
 * `test_sim [SEED [ROUNDS]]`; without a seed a few fixed ones and one of the day are run. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "facts.h"

/* -- clients ------------------------------------------------------------------------------ */

enum { PAGE_MAX = 64 };
enum client_state { AWAY, OPENING, ANSWERED, READING };

struct client {
    struct subscriber subscriber;
    struct hall_realm *realm;
    enum client_state state;
    struct sight sight;
    int cursor;              /* number of events it has everything up to; position in facts */
    int next_expected;       /* facts below it are received or not for it */
    bool snapshot[ROOMS];    /* ANSWERED: the user's memberships at snapshot_head */
    bool readable[ROOMS];    /* and what it may watch */
    bool banned[ROOMS];
    struct event_id public_since[ROOMS];
    unsigned turns[ROOMS];
    struct event_id snapshot_head;
    uint32_t losses;         /* the hall's when the journal was asked for it */
    int came;                /* events that were dispatched when it came */
    int begun;               /* likewise, when the block that is on its way was begun */
    bool page_asked;
    bool page_read;          /* by the journal: what it answers is below, and arrives later */
    struct frame *page[PAGE_MAX]; /* refs */
    int page_frames;
    struct event_id page_upto, page_head;
    bool broken;             /* the hall says: come back with the cursor */
    bool slow;
    char buffer[1 << 16];
    size_t buffered;
    char session[16], name[8]; /* of its user */
};

static struct client clients[CLIENTS];
static struct hall hall;
static int dispatched; /* facts that the hall was told, or should have been */
static bool told[EVENTS_MAX];
static bool losing; /* news is lost, and the hall has not been told yet */
static long received, overflows, page_count, opens, denials, repeats, losses, breaks;
static long erased; /* deleted content that was passed over */
static long outdated; /* pages that were read again, in all runs */

static void fail(const struct client *client, const char *what, struct event_id id)
{
    const struct sight *sight = &client->sight;
    printf("client %d (user %d, all %d, named %x): %s at %llu-%llu, expected from %d\n",
           (int)(client - clients), sight->user, sight->all, sight->named, what,
           (unsigned long long)id.ms, (unsigned long long)id.seq, client->next_expected);
    exit(1);
}

/* Everything below `position` has been passed: nothing visible may have been left out. */
static void expect_nothing_before(struct client *client, int position)
{
    for (; client->next_expected < position; client->next_expected++) {
        if (must_see(&client->sight, &facts[client->next_expected]))
            fail(client, "lost", facts[client->next_expected].frame->id);
    }
}

static void receive_block(struct client *client, const char *block)
{
    struct event_id id;
    const char *type = strstr(block, "event: ");
    assert(type);
    if (strncmp(block, "id: ", 4) != 0) {
        if (strncmp(type, "event: heartbeat", 16) != 0)
            fail(client, "an event without id", EVENT_ID_NONE);
        return;
    }
    struct span text = span_of(block + 4, strcspn(block + 4, "\n"));
    assert(event_id_parse(text, &id) == 0);
    int position = position_of(id);
    if (strncmp(type, "event: heartbeat", 16) == 0 || strncmp(type, "event: caught_up", 16) == 0) {
        expect_nothing_before(client, position);
        client->cursor = position > client->cursor ? position : client->cursor;
        return;
    }
    int index = position - 1;
    if (index < 0 || event_id_compare(facts[index].frame->id, id) != 0)
        fail(client, "phantom", id);
    if (index < client->next_expected)
        fail(client, "repeated", id);
    expect_nothing_before(client, index);
    if (!may_see(&client->sight, &facts[index]))
        fail(client, "leaked", id);
    if (!sees_as_member(&client->sight, &facts[index]) &&
        facts[index].turns < client->turns[facts[index].room])
        fail(client, "watched what was before the room became public", id);
    int deletion = facts[index].deletion;
    bool gone = deletion >= 0 &&
                (deletion < client->came || (deletion < client->begun && told[deletion]));
    if (gone && strstr(block, "filler"))
        fail(client, "told what was deleted", id);
    erased += gone;
    client->next_expected = index + 1;
    client->cursor = index + 1;
    received++;
}

static void receive(struct client *client)
{
    char *block = client->buffer;
    for (char *end; (end = memmem(block, client->buffered - (size_t)(block - client->buffer),
                                  "\n\n", 2));) {
        *end = 0;
        receive_block(client, block);
        block = end + 2;
        client->begun = dispatched;
    }
    client->buffered -= (size_t)(block - client->buffer);
    memmove(client->buffer, block, client->buffered);
}

/* Takes some of what is queued, as a socket would. */
static void read_some(struct client *client, size_t at_most)
{
    struct iovec pieces[16];
    while (at_most > 0) {
        if (client->subscriber.state == SUBSCRIBER_REPLAY)
            hall_replay(&client->subscriber);
        int count = subscriber_gather(&client->subscriber, pieces, 16);
        if (count == 0)
            break;
        size_t taken = 0;
        if (client->buffered == 0)
            client->begun = dispatched;
        for (int i = 0; i < count && at_most > 0; i++) {
            size_t len = pieces[i].iov_len < at_most ? pieces[i].iov_len : at_most;
            memcpy(client->buffer + client->buffered, pieces[i].iov_base, len);
            client->buffered += len;
            taken += len;
            at_most -= len;
        }
        subscriber_taken(&client->subscriber, taken);
        receive(client);
    }
}

/* -- what the hall calls ------------------------------------------------------------------ */

static struct client *client_of(struct subscriber *subscriber)
{
    return container_of(subscriber, struct client, subscriber);
}

static void on_queued(struct subscriber *subscriber)
{
}

static void on_page_needed(struct subscriber *subscriber)
{
    struct client *client = client_of(subscriber);
    assert(!client->page_asked);
    client->page_asked = true;
}

static void on_live(struct subscriber *subscriber, bool first)
{
    overflows += !first;
    hall_heartbeat(subscriber);
}

static void on_denied(struct subscriber *subscriber, const char *room, int err)
{
    denials++;
}

static void on_broken(struct subscriber *subscriber)
{
    client_of(subscriber)->broken = true;
    breaks++;
}

static const struct subscriber_ops ops = {on_queued, on_page_needed, on_live, on_denied, on_broken};

/* -- the journal -------------------------------------------------------------------------- */

/* Reads a page as the journal would: a snapshot of now, some events, cut at a limit. */
static void read_page(struct client *client)
{
    struct frame **frames = client->page;
    int count = 0, max = 1 + (int)rnd(PAGE_MAX - 4);
    struct event_id upto = head_id();
    for (int i = position_of(client->subscriber.position); i < fact_count; i++) {
        if (!is_shown(&client->sight, &facts[i]))
            continue;
        if (count == max) {
            upto = frames[count - 1]->id;
            break;
        }
        frames[count++] = frame_ref(facts[i].kept);
    }
    client->page_read = true;
    client->page_frames = count;
    client->page_upto = upto;
    client->page_head = head_id();
    page_count++;
}

static void drop_page(struct client *client)
{
    for (int i = 0; i < client->page_frames; i++)
        frame_unref(client->page[i]);
    client->page_frames = 0;
    client->page_read = false;
}

static void answer_page(struct client *client)
{
    struct subscriber *subscriber = &client->subscriber;
    client->page_asked = false;
    if (hall_is_outdated(subscriber, client->page, client->page_frames, client->page_head)) {
        outdated++;
        hall_feed_failed(subscriber);
        hall_replay(subscriber);
    } else {
        hall_feed(subscriber, client->page, client->page_frames, client->page_upto);
    }
    drop_page(client);
}

static void ask(struct client *client)
{
    client->losses = hall.losses;
    client->state = OPENING;
}

static void open_start(struct client *client)
{
    client->realm = hall_open(&hall, span_text("main"), now_ms);
    ask(client);
    opens++;
    client->came = dispatched;
}

/* The journal reads its snapshot; the answer arrives later. */
static void open_snapshot(struct client *client)
{
    for (int room = 0; room < ROOMS; room++) {
        client->snapshot[room] = members[room][client->sight.user];
        client->banned[room] = is_banned(room, client->sight.user);
        client->readable[room] = is_public(room) && !client->banned[room];
        client->public_since[room] = public_since[room];
        client->turns[room] = turns[room];
    }
    client->snapshot_head = head_id();
    client->state = ANSWERED;
}

static void open_answer(struct client *client)
{
    char names[ROOMS][8];
    struct hall_follow follows[ROOMS];
    int count = 0;
    for (int room = 0; room < ROOMS; room++) {
        bool named = client->sight.named & (1u << room), member = client->snapshot[room];
        if (!named && !(client->sight.all && member))
            continue;
        snprintf(names[count], sizeof(names[count]), "r%d", room);
        follows[count] = (struct hall_follow){
            .room = span_text(names[count]), .member = member, .named = named,
            .readable = client->readable[room], .banned = client->banned[room],
            .public_since = client->public_since[room],
        };
        count++;
    }
    snprintf(client->name, sizeof(client->name), "u%d", client->sight.user);
    struct hall_entry entry = {
        .user = client->name,
        .follows_all = client->sight.all,
        .follows = follows,
        .follow_count = count,
        .head = client->snapshot_head,
        .losses = client->losses,
        .position = client->cursor ? facts[client->cursor - 1].frame->id : EVENT_ID_NONE,
    };
    client->subscriber = (struct subscriber){.ops = &ops, .session = client->session};
    client->buffered = 0;
    int err = hall_enter(client->realm, &client->subscriber, &entry);
    if (err == ERR_AGAIN) {
        repeats++;
        ask(client);
        return;
    }
    assert(err == 0);
    client->state = READING;
    hall_replay(&client->subscriber);
}

/* -- steps -------------------------------------------------------------------------------- */

static void cut(struct client *client)
{
    hall_leave(&client->subscriber, now_ms);
    subscriber_fini(&client->subscriber);
    drop_page(client);
    client->state = AWAY;
    client->page_asked = client->broken = false;
    /* What was on its way is lost; it comes back with the last id it has whole. */
    client->next_expected = client->cursor;
}

static void come(struct client *client)
{
    if (rnd(8) == 0) {
        /* A new client, live from the head it will find. */
        client->sight.user = (int)rnd(USERS);
        client->sight.all = rnd(3) > 0;
        client->sight.named = rnd(2) || !client->sight.all ? rnd(1u << ROOMS) : 0;
        client->cursor = rnd(2) ? fact_count : (int)rnd((uint32_t)fact_count + 1);
        client->next_expected = client->cursor;
    }
    client->slow = rnd(4) == 0;
    open_start(client);
}

static void step_client(struct client *client)
{
    switch (client->state) {
    case AWAY:
        if (rnd(4) == 0)
            come(client);
        break;
    case OPENING:
        if (rnd(2) == 0)
            open_snapshot(client);
        break;
    case ANSWERED:
        if (rnd(3) == 0)
            open_answer(client);
        break;
    case READING:
        if (client->broken || rnd(60) == 0) {
            cut(client);
            break;
        }
        if (client->page_asked && !client->page_read && rnd(2) == 0)
            read_page(client);
        if (client->page_read && rnd(2) == 0)
            answer_page(client);
        if (rnd(40) == 0)
            hall_heartbeat(&client->subscriber);
        if (!client->slow || rnd(16) == 0)
            read_some(client, rnd(4) == 0 ? 1 + rnd(200) : 4000);
        break;
    }
}

static void dispatch_one(void)
{
    if (dispatched == fact_count)
        return;
    struct frame *frame = facts[dispatched].frame;
    told[dispatched++] = !losing;
    if (!losing)
        hall_dispatch(&hall, frame, now_ms);
}

static void tell_lost(void)
{
    losing = false;
    losses++;
    hall_lost(&hall);
}

static void step(void)
{
    static const enum event_type abouts[] = {EVENT_MESSAGE_EDITED, EVENT_MESSAGE_DELETED,
                                             EVENT_REACTION_ADDED, EVENT_REACTION_REMOVED};
    now_ms += rnd(20);
    int burst = rnd(10) == 0 ? 20 : (int)rnd(3);
    for (int i = 0; i < burst && fact_count < EVENTS_MAX; i++) {
        int room = (int)rnd(ROOMS), user = (int)rnd(USERS);
        if (rnd(24) == 0 && !is_banned(room, user))
            append_ban(room, user);
        else if (room < PUBLIC_ROOMS && rnd(24) == 0)
            append_turn(room);
        else if (rnd(6) == 0)
            append(members[room][user] ? EVENT_USER_LEFT : EVENT_USER_JOINED, room, user, -1);
        else if (rnd(3) == 0)
            append_about(abouts[rnd(array_count(abouts))]);
        else
            append(EVENT_NEW_MESSAGE, room, -1, -1);
    }
    for (uint32_t n = rnd(4) == 0 ? 30 : rnd(3); n > 0; n--)
        dispatch_one();
    if (losing && rnd(2) == 0)
        tell_lost();
    else if (rnd(100) == 0)
        losing = true;
    for (int i = 0; i < 4; i++)
        step_client(&clients[rnd(CLIENTS)]);
}

/* Everyone reads to the end: nothing may be missing. */
static void finish(void)
{
    for (int room = 0; room < ROOMS; room++)
        append(EVENT_NEW_MESSAGE, room, -1, -1);
    while (dispatched < fact_count)
        dispatch_one();
    if (losing)
        tell_lost();
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &clients[i];
        if (client->broken)
            cut(client);
        if (client->state == AWAY)
            open_start(client);
        while (client->state == OPENING || client->state == ANSWERED) {
            open_snapshot(client);
            open_answer(client);
        }
        while (client->subscriber.state != SUBSCRIBER_LIVE || client->subscriber.queue_count) {
            if (client->page_asked && !client->page_read)
                read_page(client);
            if (client->page_read)
                answer_page(client);
            read_some(client, 4000);
        }
        expect_nothing_before(client, fact_count);
        cut(client);
    }
}

static void run(uint64_t seed, int steps)
{
    struct hall_limits limits = {.queue_bytes_max = 2048, .ring_age_max_ms = 500};
    facts_begin(seed);
    losing = false;
    erased = received = overflows = page_count = opens = denials = repeats = losses = breaks = 0;
    dispatched = 0;
    memset(clients, 0, sizeof(clients));
    limits.ring_bytes_max = rnd(3) == 0 ? 1000 : 16384;
    hall_init(&hall, &limits);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].sight.user = (int)rnd(USERS);
        clients[i].sight.all = true;
        snprintf(clients[i].session, sizeof(clients[i].session), "s%d", i);
    }
    for (int i = 0; i < steps && fact_count < EVENTS_MAX - 32; i++)
        step();
    finish();
    struct hall_realm *realm = hall_find(&hall, span_text("main"));
    assert(realm && !realm->rooms && realm->users.count == 0);
    now_ms += 2 * REALM_IDLE_MS;
    hall_abandon(hall_open(&hall, span_text("other"), now_ms), now_ms);
    assert(!hall_find(&hall, span_text("main")));
    hall_fini(&hall);
    facts_end();
    printf("seed %llu: %d events, %ld received, %ld opens, %ld again, %ld pages, "
           "%ld fall-backs, %ld denials, %ld losses, %ld broken, %ld deleted, %ld outdated\n",
           (unsigned long long)seed, fact_count, received, opens, repeats, page_count,
           overflows, denials, losses, breaks, erased,
           outdated);
    assert(received > 0 && page_count > 0 && overflows > 0 && breaks > 0);
    assert(erased > 0);
}

int main(int argc, char **argv)
{
    int steps = argc > 2 ? atoi(argv[2]) : STEPS;
    if (argc > 1) {
        run(strtoull(argv[1], NULL, 10), steps);
        return 0;
    }
    for (uint64_t seed = 1; seed <= 20; seed++)
        run(seed, steps);
    assert(outdated > 0);
    run((uint64_t)time(NULL) / 86400, steps);
    return 0;
}
