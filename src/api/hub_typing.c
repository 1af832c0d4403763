/* The hub's part of typing: what begins and ends it, and how it is told. */
#include "api/hub_typing.h"

#include "api/hub_parts.h"
#include "api/json_writer.h"
#include "core/frame.h"

#define TYPING_BYTES_MAX 1024 /* of the body of an event */

static struct frame *frame_of(const struct typing_news *news)
{
    struct json_writer writer;
    json_writer_init(&writer, TYPING_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", news->room);
    json_writer_member_string(&writer, "userId", news->user);
    if (news->types)
        json_writer_member_number(&writer, "expiresInMs", news->expires_in_ms);
    json_writer_add(&writer, "}");
    struct frame_spec spec = {
        .type = news->types ? EVENT_USER_TYPING : EVENT_USER_STOPPED_TYPING,
        .audience = AUDIENCE_ROOM,
        .realm = news->realm,
        .room = news->room,
        .spared_user = news->user,
        .body = json_writer_text(&writer),
    };
    struct frame *frame = NULL;
    if (writer.err || frame_new(&spec, &frame) != 0)
        frame = NULL;
    json_writer_fini(&writer);
    return frame;
}

static void tell(void *context, const struct typing_news *news)
{
    struct hub *hub = context;
    struct frame *frame = frame_of(news);
    if (frame)
        signals_publish(hub->signals, frame);
    frame_unref(frame);
}

/* After every change: messages are wanted while somebody types, and the timer is where the next
 * thing is due. */
static void settle(struct hub *hub)
{
    bool wanted = hub->typing.active > 0;
    if (wanted != hub->typing_wants_messages)
        hub_want_messages(hub, wanted ? 1 : -1);
    hub->typing_wants_messages = wanted;
    int64_t due_ms = typing_due_ms(&hub->typing);
    if (due_ms < 0)
        hub_timer_remove(hub, &hub->typing_timer);
    else if (!deadline_is_set(&hub->typing_timer.deadline) ||
             hub->typing_timer.deadline.at_ms > due_ms)
        hub_timer_set(hub, &hub->typing_timer, due_ms - hub->now_ms);
}

static void on_due(struct hub *hub, struct hub_timer *timer)
{
    typing_tick(&hub->typing, hub->now_ms);
    settle(hub);
}

/* -- what ends it ------------------------------------------------------------------------- */

static void on_frame(struct hub *hub, struct frame *frame)
{
    struct span realm = span_text(frame->realm), room = span_text(frame->room);
    switch ((enum event_type)frame->type) {
    case EVENT_NEW_MESSAGE:
        typing_stop(&hub->typing, realm, room, span_text(frame->sender), hub->now_ms);
        break;
    case EVENT_USER_LEFT:
        typing_stop(&hub->typing, realm, room, span_text(frame->user), hub->now_ms);
        break;
    case EVENT_USER_JOINED:
        if (settings_is_quiet(hub->settings, frame->members))
            typing_stop_room(&hub->typing, realm, room, hub->now_ms);
        break;
    case EVENT_ROOM_DELETED:
        typing_stop_room(&hub->typing, realm, room, hub->now_ms);
        break;
    default:
        if (frame->bars_user || frame->silences_user)
            typing_stop(&hub->typing, realm, room, span_text(frame->user), hub->now_ms);
        break;
    }
    settle(hub);
}

static void on_lost(struct hub *hub)
{
    typing_stop_all(&hub->typing, hub->now_ms);
    settle(hub);
}

void hub_typing_gone(struct hub *hub, struct span realm, struct span user)
{
    typing_stop_user(&hub->typing, realm, user, hub->now_ms);
    settle(hub);
}

/* -- starts and stops --------------------------------------------------------------------- */

struct start {
    struct letter letter;
    struct hub *hub;
    struct span realm, room, user; /* in `names`; the realm is ended by NUL */
    bool types;
    char names[];
};

/* It may have grown since the worker looked. */
static bool is_in_large_room(struct hub *hub, const struct start *start)
{
    const struct hub_room *room = people_find_room(&hub->people, start->realm.data, start->room);
    return room && settings_is_quiet(hub->settings, room->members);
}

static void read_start(struct letter *letter)
{
    struct start *start = container_of(letter, struct start, letter);
    struct hub *hub = start->hub;
    if (start->types && !is_in_large_room(hub, start))
        typing_start(&hub->typing, start->realm, start->room, start->user, hub->now_ms);
    else
        typing_stop(&hub->typing, start->realm, start->room, start->user, hub->now_ms);
    settle(hub);
    hub_want_messages(hub, -1);
    free(start);
}

static struct span place(char **at, struct span name)
{
    struct span copy = span_of(memcpy(*at, name.data, name.len), name.len);
    *at += name.len;
    return copy;
}

void hub_typing_set(struct hub *hub, struct span realm, struct span room, struct span user,
                    bool types)
{
    if (!types && !hub_typing_is_on(hub))
        return;
    struct start *start = malloc(sizeof(*start) + realm.len + room.len + user.len + 1);
    if (!start)
        return;
    char *at = start->names;
    start->letter.on_read = read_start;
    start->hub = hub;
    start->types = types;
    start->room = place(&at, room);
    start->user = place(&at, user);
    start->realm = place(&at, realm);
    *at = 0;
    /* A message that is sent when this is answered ends it, though the hub has not read it yet. */
    hub_want_messages(hub, 1);
    hub_post(hub, &start->letter);
}

bool hub_typing_is_on(struct hub *hub)
{
    return atomic_load(&hub->messages_wanted) > 0;
}

/* -- who types already -------------------------------------------------------------------- */

static void read_listed(struct letter *letter)
{
    struct typing_call *call = container_of(letter, struct typing_call, letter);
    call->on_done(call);
}

static void add_frame(void *context, const struct typing_news *news)
{
    struct typing_call *call = context;
    if (call->frame_count == call->frame_size) {
        int size = call->frame_size ? 2 * call->frame_size : 4;
        struct frame **frames = realloc(call->frames, (size_t)size * sizeof(*frames));
        if (!frames)
            return;
        call->frames = frames;
        call->frame_size = size;
    }
    struct frame *frame = frame_of(news);
    if (frame)
        call->frames[call->frame_count++] = frame;
}

static void read_list(struct letter *letter)
{
    struct typing_call *call = container_of(letter, struct typing_call, letter);
    struct hub *hub = call->hub;
    for (struct span rest = call->rooms; rest.len > 0;) {
        struct span room = span_text(rest.data);
        typing_visit(&hub->typing, call->realm, room, hub->now_ms, add_frame, call);
        rest = span_of(rest.data + room.len + 1, rest.len - room.len - 1);
    }
    letter->on_read = read_listed;
    worker_post(call->home, letter);
}

void hub_typing_list(struct hub *hub, struct typing_call *call)
{
    call->hub = hub;
    call->letter.on_read = read_list;
    hub_post(hub, &call->letter);
}

/* -- life --------------------------------------------------------------------------------- */

void hub_typing_init(struct hub *hub)
{
    hub->typing = (struct typing){
        .throttle_ms = hub->settings->typing_throttle_ms,
        .timeout_ms = hub->settings->typing_timeout_ms,
        .tell = tell,
        .context = hub,
    };
    typing_init(&hub->typing);
    hub->typing_timer.on_due = on_due;
    hub->typing_listener = (struct hub_listener){.on_frame = on_frame, .on_lost = on_lost};
    hub_listen(hub, &hub->typing_listener);
}

void hub_typing_fini(struct hub *hub)
{
    typing_fini(&hub->typing);
}
