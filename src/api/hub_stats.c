/* The hub's part of room stats: what changes the numbers of a large room, where they are read, and
 * how they are told.
 *
 * Members come from the news of the journal, or from the table of people if somebody here is in
 * the room; of a room that is only watched the journal is asked, at most once an interval. */
#include "api/hub_stats.h"

#include <assert.h>

#include "api/hub_parts.h"
#include "api/json_writer.h"
#include "api/watchers.h"
#include "core/frame.h"
#include "core/pair.h"
#include "store/journal.h"

#define STATS_BYTES_MAX 1024 /* of the body of an event */

/* After every change: the timer is where the next room is due. */
static void settle(struct hub *hub)
{
    int64_t due_ms = room_stats_due_ms(&hub->stats);
    if (due_ms < 0)
        hub_timer_remove(hub, &hub->stats_timer);
    else if (!deadline_is_set(&hub->stats_timer.deadline) ||
             hub->stats_timer.deadline.at_ms > due_ms)
        hub_timer_set(hub, &hub->stats_timer, due_ms - hub->now_ms);
}

static void note(struct hub *hub, struct span realm, struct span room, int64_t members)
{
    room_stats_note(&hub->stats, realm, room, members, hub->now_ms);
    settle(hub);
}

/* -- the journal -------------------------------------------------------------------------- */

struct asking {
    struct journal_read read;
    struct hub *hub;
    char key[PAIR_BYTES_MAX + 1]; /* realm NUL room */
};

static void on_read(struct letter *letter)
{
    struct asking *asking = container_of(letter, struct asking, read.request.letter);
    struct hub *hub = asking->hub;
    if (!asking->read.request.err && asking->read.room_count == 1)
        room_stats_learn(&hub->stats, pair_first(asking->key), pair_second(asking->key),
                         asking->read.rooms[0].info.member_count, hub->now_ms);
    settle(hub);
    journal_read_fini(&asking->read);
    free(asking);
}

static void ask_members(struct hub *hub, struct span realm, struct span room)
{
    struct asking *asking = hub->journal ? calloc(1, sizeof(*asking)) : NULL;
    if (!asking)
        return;
    pair_make(asking->key, realm, room);
    asking->hub = hub;
    asking->read = (struct journal_read){
        .request = {.letter.on_read = on_read, .home = &hub->mailbox},
        .what = READ_ROOM,
        .realm = pair_first(asking->key),
        .room = pair_second(asking->key),
        .actor = {.user = span_text(""), .service = true},
    };
    journal_start_read(hub->journal, &asking->read);
}

/* -- numbers ------------------------------------------------------------------------------ */

static bool read_numbers(void *context, struct span realm, struct span name, int64_t members,
                         struct room_numbers *ret)
{
    struct hub *hub = context;
    const struct hub_room *room = people_find_room(&hub->people, realm.data, name);
    int64_t watchers = watchers_take(hub->watchers, realm, name);
    if (members < 0 && room)
        members = room->members;
    if (members < 0)
        ask_members(hub, realm, name);
    *ret = (struct room_numbers){members, room ? room->online : 0, watchers};
    return members >= 0 && settings_is_quiet(hub->settings, members);
}

static void tell(void *context, struct span realm, struct span room,
                 const struct room_numbers *numbers)
{
    struct hub *hub = context;
    struct json_writer writer;
    json_writer_init(&writer, STATS_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", room);
    json_writer_member_number(&writer, "members", numbers->members);
    json_writer_member_number(&writer, "online", numbers->online);
    json_writer_member_number(&writer, "watchers", numbers->watchers);
    json_writer_add(&writer, "}");
    struct frame_spec spec = {
        .type = EVENT_ROOM_STATS,
        .audience = AUDIENCE_ROOM,
        .realm = realm,
        .room = room,
        .body = json_writer_text(&writer),
    };
    struct frame *frame = NULL;
    if (writer.err || frame_new(&spec, &frame) != 0)
        frame = NULL;
    json_writer_fini(&writer);
    if (frame)
        signals_publish(hub->signals, frame);
    frame_unref(frame);
}

static const struct room_stats_ops ops = {read_numbers, tell};

static void on_due(struct hub *hub, struct hub_timer *timer)
{
    room_stats_tick(&hub->stats, hub->now_ms);
    settle(hub);
}

/* -- what changes them -------------------------------------------------------------------- */

static void on_frame(struct hub *hub, struct frame *frame)
{
    struct span realm = span_text(frame->realm), room = span_text(frame->room);
    if (frame->type == EVENT_ROOM_DELETED)
        room_stats_count(&hub->stats, realm, room, 0);
    if (frame->type != EVENT_USER_JOINED && frame->type != EVENT_USER_LEFT)
        return;
    if (settings_is_quiet(hub->settings, frame->members))
        note(hub, realm, room, frame->members);
    else
        room_stats_count(&hub->stats, realm, room, frame->members);
}

/* What is known may be old: it is told again with the next change. */
static void on_lost(struct hub *hub)
{
}

void hub_stats_online(struct hub *hub, const struct hub_room *room)
{
    struct span realm = pair_first(room->key);
    struct span name = span_of(room->key + realm.len + 1, room->hh.keylen - realm.len - 1);
    /* What the news told last is at least as new as what the room was read with. */
    if (room_stats_knows(&hub->stats, realm, name))
        note(hub, realm, name, -1);
    else if (settings_is_quiet(hub->settings, room->members))
        note(hub, realm, name, room->members);
}

struct watched {
    struct letter letter;
    struct hub *hub;
    char key[]; /* realm NUL room */
};

static void read_watched(struct letter *letter)
{
    struct watched *watched = container_of(letter, struct watched, letter);
    note(watched->hub, pair_first(watched->key), pair_second(watched->key), -1);
    free(watched);
}

void hub_stats_watched(struct hub *hub, const char *realm, const char *room)
{
    struct watched *watched = calloc(1, sizeof(*watched) + PAIR_BYTES_MAX + 1);
    if (!watched)
        return;
    watched->letter.on_read = read_watched;
    watched->hub = hub;
    pair_make(watched->key, span_text(realm), span_text(room));
    hub_post(hub, &watched->letter);
}

/* -- life --------------------------------------------------------------------------------- */

void hub_stats_init(struct hub *hub)
{
    hub->stats = (struct room_stats){
        .ops = &ops, .context = hub, .interval_ms = hub->settings->rooms_stats_interval_ms};
    room_stats_init(&hub->stats);
    hub->stats_timer.on_due = on_due;
    hub->stats_listener = (struct hub_listener){.on_frame = on_frame, .on_lost = on_lost};
    hub_listen(hub, &hub->stats_listener);
}

void hub_stats_fini(struct hub *hub)
{
    room_stats_fini(&hub->stats);
}
