#include "api/reader_parts.h"

#include <assert.h>
#include <stdio.h>

#include "api/blocks.h"
#include "api/desk.h"
#include "base/err.h"
#include "base/metric.h"

/* -- birth and death ---------------------------------------------------------------------- */

int reader_init(struct reader *reader, const struct reader_ops *ops, struct desk *desk,
                struct identity *identity, const struct reader_params *params, struct span name)
{
    char made[SESSION_NAME_BYTES];
    reader->subscriber.ops = &ops->subscriber;
    reader->desk = desk;
    int err = session_init(&reader->session, &ops->session, &desk->home, identity,
                           name.data ? name : session_name_make(made));
    if (err)
        return err;
    reader->session.quiet = params->quiet;
    reader->session.shows = params->shows;
    reader->subscriber.session = session_name(&reader->session);
    reader->expires_at_s = identity->expires_at_s;
    desk_add_reader(desk, reader);
    return 0;
}

struct reader_rooms *reader_rooms_ref(struct reader_rooms *rooms)
{
    if (rooms)
        rooms->refs++;
    return rooms;
}

void reader_rooms_unref(struct reader_rooms *rooms)
{
    if (rooms && --rooms->refs == 0)
        free(rooms);
}

void reader_free_if_alone(struct reader *reader)
{
    if (!reader->closed || reader->journal_requests || reader->hub_closing)
        return;
    desk_remove_reader(reader->desk, reader);
    subscriber_fini(&reader->subscriber);
    session_fini(&reader->session);
    reader_rooms_unref(reader->named);
    reader->told = told_free(reader->told);
    free(reader->history);
    reader_drop_receipts(reader);
    identity_unref(reader->identity);
    reader_ops_of(reader)->on_free(reader);
}

void reader_close(struct reader *reader)
{
    if (reader->closed)
        return;
    reader->closed = true;
    worker_timer_remove(&reader->timer);
    hall_leave(&reader->subscriber, worker_now_ms(reader->desk->worker));
    subscriber_fini(&reader->subscriber); /* nobody writes it any more */
    if (reader->in_hub) {
        reader->hub_closing = true;
        hub_close(&reader->session);
    }
    reader_free_if_alone(reader);
}

void reader_on_session_closed(struct session *session)
{
    struct reader *reader = container_of(session, struct reader, session);
    reader->hub_closing = false;
    reader_free_if_alone(reader);
}

void reader_register(struct reader *reader)
{
    if (reader->in_hub)
        return;
    reader->in_hub = true;
    hub_open(&reader->session);
    reader_watch(reader);
}

void reader_use(struct reader *reader)
{
    assert(reader->in_hub);
    if (!hub_use(&reader->session))
        reader->subscriber.ops->on_broken(&reader->subscriber);
    else
        reader_watch(reader);
}

void reader_reopen(struct reader *reader)
{
    hall_leave(&reader->subscriber, worker_now_ms(reader->desk->worker));
    subscriber_fini(&reader->subscriber);
    reader->subscriber = (struct subscriber){
        .ops = reader->subscriber.ops,
        .session = session_name(&reader->session),
    };
    reader_rooms_unref(reader->named);
    reader->named = NULL;
    free(reader->history);
    reader->history = NULL;
    reader_drop_receipts(reader);
    reader->generation++;
}

void reader_push(struct reader *reader, struct frame *frame)
{
    /* Without memory for a block about itself the session goes on without it. */
    if (frame && subscriber_push_own(&reader->subscriber, frame, false) != 0)
        assert(reader->subscriber.queue_count > 0);
    frame_unref(frame);
}

int64_t reader_expires_in_ms(const struct reader *reader)
{
    int64_t leeway_ms = reader->desk->app->settings->auth_leeway_ms;
    int64_t left_ms = reader->expires_at_s * 1000 + leeway_ms - clock_wall_ms();
    return left_ms > 0 ? left_ms : 0;
}

/* -- what it follows ---------------------------------------------------------------------- */

static struct reader_rooms *rooms_copy(const struct follow_room *from, int count)
{
    size_t size = sizeof(struct reader_rooms) + (size_t)count * sizeof(struct follow_room);
    size_t texts = 0;
    for (int i = 0; i < count; i++)
        texts += from[i].room.len;
    struct reader_rooms *rooms = malloc(size + texts);
    if (!rooms)
        return NULL;
    char *at = (char *)rooms + size;
    rooms->refs = 1;
    rooms->count = count;
    for (int i = 0; i < count; i++) {
        rooms->rooms[i] = from[i];
        rooms->rooms[i].room.data = memcpy(at, from[i].room.data, from[i].room.len);
        at += from[i].room.len;
    }
    return rooms;
}

struct follow_spec reader_follow(const struct reader *reader, bool all)
{
    return (struct follow_spec){
        .realm = span_text(session_realm(&reader->session)),
        .user = span_text(session_user(&reader->session)),
        .all = all,
        .rooms = reader->named ? reader->named->rooms : NULL,
        .room_count = reader->named ? reader->named->count : 0,
    };
}

static bool is_granted(const struct identity *identity, struct span room)
{
    return grants_for(identity->grants, room) & GRANT_READ;
}

static bool grants_room(void *context, const char *room)
{
    return is_granted(context, span_text(room));
}

/* Without memory for it the pages go on with what was granted before. */
static void regrant_named(struct reader *reader)
{
    const struct reader_rooms *old = reader->named;
    struct reader_rooms *rooms = old ? rooms_copy(old->rooms, old->count) : NULL;
    if (!rooms)
        return;
    for (int i = 0; i < rooms->count; i++)
        rooms->rooms[i].grants = grants_for(reader->identity->grants, rooms->rooms[i].room);
    reader_rooms_unref(reader->named);
    reader->named = rooms;
}

static void set_identity(struct reader *reader, struct identity *identity)
{
    identity_ref(identity);
    identity_unref(reader->identity);
    reader->identity = identity;
}

/* Of a token that grants nothing only the end counts once the reader is open. */
static void drop_identity(struct reader *reader)
{
    if (!reader->identity->grants)
        reader->identity = identity_unref(reader->identity);
}

void reader_renew(struct reader *reader, struct identity *identity)
{
    reader->expires_at_s = identity->expires_at_s;
    if (identity == reader->identity || (!reader->identity && !identity->grants))
        return;
    set_identity(reader, identity);
    regrant_named(reader);
    hall_regrant(&reader->subscriber, grants_room, identity);
}

/* -- opening ------------------------------------------------------------------------------ */

struct opening {
    struct journal_open open;
    struct reader *reader;
    struct hall_realm *realm;
    uint32_t losses;           /* the hall's when the journal was asked */
    struct identity *identity; /* ref: the one whose texts the journal was given */
    struct reader_rooms *named; /* ref, likewise */
    char device[IDENT_BYTES_MAX];
};

static void opening_free(struct opening *opening)
{
    journal_open_fini(&opening->open);
    identity_unref(opening->identity);
    reader_rooms_unref(opening->named);
    free(opening);
}

static void push_denied(struct reader *reader, const struct open_denied *denied)
{
    char room[IDENT_BYTES_MAX + 1];
    snprintf(room, sizeof(room), "%.*s", SPAN_ARGS(denied->room));
    reader_on_denied(&reader->subscriber, room, denied->err);
}

/* What comes before the replay, in the order of the protocol. */
static void push_first_blocks(struct reader *reader, const struct journal_open *open)
{
    bool is_reset = open->verdict == OPEN_RESET_FOREIGN || open->verdict == OPEN_RESET_AHEAD;
    if (!reader->is_poll) {
        struct block_connected connected = {
            .session = session_name(&reader->session),
            .user = session_user(&reader->session),
            .node = reader->desk->app->node,
            .heartbeat_ms = reader->heartbeat_ms,
            .resumed = reader->resuming,
            .cursor = open->start,
            .with_id = !reader->resuming && !reader->history_sent && !is_reset,
            .expires_at_ms = reader->expires_at_s * 1000,
            .unread = open->unread,
            .mentions = open->mentions,
            .retry_ms = random_between(reader->desk->app->settings->sse_retry_ms,
                                       reader->desk->app->settings->sse_retry_ms * 3),
        };
        reader_push(reader, block_connected(&connected));
    }
    if (is_reset) {
        metric_add(METRIC_RESETS, 1);
        reader_push(reader, block_reset(open->verdict == OPEN_RESET_AHEAD, open->head));
    }
    for (int i = 0; i < open->denied_count; i++)
        push_denied(reader, &open->denied[i]);
    reader->told = told_free(reader->told);
    reader_push_gaps(reader, open->gaps, open->gap_count);
}

static void ask(struct opening *opening)
{
    struct desk *desk = opening->reader->desk;
    opening->losses = desk->hall->losses;
    opening->reader->journal_requests++;
    journal_start_open(desk->app->journal, &opening->open);
}

static int enter(struct opening *opening)
{
    struct journal_open *open = &opening->open;
    struct reader *reader = opening->reader;
    int count = open->room_count + open->denied_count;
    struct hall_follow *follows =
        arena_alloc(&open->request.arena, (size_t)count * sizeof(*follows) + 1);
    if (!follows)
        return ERR_MEMORY;
    /* A room that is denied now is shown from the moment its reader may see it. */
    for (int i = 0; i < open->denied_count; i++) {
        const struct open_denied *denied = &open->denied[i];
        follows[open->room_count + i] = (struct hall_follow){
            .room = denied->room,
            .named = true,
            .granted = is_granted(opening->identity, denied->room),
            .banned = denied->banned,
        };
    }
    for (int i = 0; i < open->room_count; i++) {
        const struct open_room *room = &open->rooms[i];
        follows[i] = (struct hall_follow){
            .room = room->room,
            .member = room->member,
            .named = room->named,
            .readable = room->readable,
            .granted = is_granted(opening->identity, room->room),
            .public_since = room->watch_since,
        };
    }
    struct hall_entry entry = {
        .user = session_user(&reader->session),
        .follows_all = open->follow.all,
        .follows = follows,
        .follow_count = count,
        .head = open->head,
        .losses = opening->losses,
        .position = open->replay_from,
        .history_count = (uint32_t)open->history_count,
    };
    return hall_enter(opening->realm, &reader->subscriber, &entry);
}

/* The blocks come first: taking the seats may already tell that a room is denied. */
static int begin(struct opening *opening)
{
    struct journal_open *open = &opening->open;
    struct reader *reader = opening->reader;
    reader->resuming = open->verdict == OPEN_RESUMED;
    reader->history_sent = open->history_count > 0 ||
                           (open->history > 0 && open->verdict == OPEN_FRESH);
    push_first_blocks(reader, open);
    int err = reader_keep_history(reader, open);
    if (!err)
        err = enter(opening);
    if (err) {
        subscriber_fini(&reader->subscriber);
        free(reader->history);
        reader->history = NULL;
        return err;
    }
    if (reader->resuming)
        reader_keep_receipts(reader, open->start);
    /* Its token was renewed meanwhile. */
    if (reader->identity != opening->identity)
        hall_regrant(&reader->subscriber, grants_room, reader->identity);
    return 0;
}

static void opening_give_up(struct opening *opening, int err)
{
    struct reader *reader = opening->reader;
    char denied[IDENT_BYTES_MAX + 1] = "";
    if (opening->open.denied_count)
        snprintf(denied, sizeof(denied), "%.*s", SPAN_ARGS(opening->open.denied[0].room));
    hall_abandon(opening->realm, worker_now_ms(reader->desk->worker));
    opening_free(opening);
    if (reader->closed)
        reader_free_if_alone(reader);
    else
        reader_ops_of(reader)->on_opened(reader, err, denied[0] ? denied : NULL);
}

static void on_journal_open(struct letter *letter)
{
    struct opening *opening = container_of(letter, struct opening, open.request.letter);
    struct journal_open *open = &opening->open;
    struct reader *reader = opening->reader;
    reader->journal_requests--;
    int err = reader->closed ? ERR_CLOSED : open->request.err;
    if (!err && !open->follow.all && open->room_count == 0 && open->denied_count > 0)
        err = open->denied[0].err;
    if (!err)
        err = begin(opening);
    if (err == ERR_AGAIN) {
        journal_open_fini(open);
        arena_fini(&open->request.arena);
        ask(opening);
        return;
    }
    if (err) {
        opening_give_up(opening, err);
        return;
    }
    bool profile_changed = open->profile_changed;
    opening_free(opening);
    if (profile_changed)
        desk_note_profile(reader->desk, reader->identity);
    drop_identity(reader);
    reader_ops_of(reader)->on_opened(reader, 0, NULL);
}

int reader_open(struct reader *reader, struct identity *identity,
                const struct reader_params *params)
{
    if (params->room_count > 0) {
        reader->named = rooms_copy(params->rooms, params->room_count);
        if (!reader->named)
            return ERR_MEMORY;
    }
    struct opening *opening = calloc(1, sizeof(*opening));
    if (!opening)
        return ERR_MEMORY;
    opening->realm = hall_open(reader->desk->hall, identity->realm,
                               worker_now_ms(reader->desk->worker));
    if (!opening->realm) {
        free(opening);
        return ERR_MEMORY;
    }
    reader->subscriber.unnamed = params->unnamed;
    reader->heartbeat_ms = (uint32_t)params->heartbeat_ms;
    opening->reader = reader;
    opening->identity = identity_ref(identity);
    set_identity(reader, identity);
    opening->named = reader_rooms_ref(reader->named);
    struct journal_open *open = &opening->open;
    open->request.letter.on_read = on_journal_open;
    open->request.home = worker_mailbox(reader->desk->worker);
    open->follow = reader_follow(reader, params->all);
    open->actor = (struct actor){
        .user = identity->user,
        .name = identity->name,
        .data = identity->data,
        .issued_at_s = identity->issued_at_s,
        .service = identity->service,
    };
    open->granted = identity->grants;
    open->cursor_state = params->cursor_state;
    open->cursor = params->cursor;
    if (params->device.data) {
        memcpy(opening->device, params->device.data, params->device.len);
        open->device = span_of(opening->device, params->device.len);
    }
    open->history = params->cursor_state == CURSOR_ABSENT ? params->history : 0;
    open->replay_max = reader->desk->app->settings->replay_max_events;
    ask(opening);
    return 0;
}

void reader_on_denied(struct subscriber *subscriber, const char *room, int err)
{
    reader_push(reader_of(subscriber), block_room_denied(room, err));
}

void reader_on_told(struct session *session, struct frame *frame)
{
    struct reader *reader = container_of(session, struct reader, session);
    if (!reader->closed)
        hall_tell(&reader->subscriber, frame);
}

void reader_watch(struct reader *reader)
{
    const struct subscriber *subscriber = &reader->subscriber;
    /* One that is behind again is told later. */
    bool takes = subscriber->state == SUBSCRIBER_LIVE ||
                 (subscriber->state == SUBSCRIBER_REPLAY && subscriber->fallback);
    if (reader->in_hub && takes && !hub_watch(&reader->session))
        reader->subscriber.ops->on_broken(&reader->subscriber);
}
