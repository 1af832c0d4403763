/* The hub's part of here: the calls of workers, what ends spots, and how changes are told. */
#include "api/hub_here.h"

#include <assert.h>

#include "api/hub_parts.h"
#include "base/err.h"
#include "core/frame.h"

#define HERE_BYTES_MAX (HERE_DATA_BYTES_MAX + 1024) /* of the body of an event */

/* -- telling ------------------------------------------------------------------------------ */

static struct frame *frame_of(const struct here_news *news)
{
    struct json_writer writer;
    json_writer_init(&writer, HERE_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", news->room);
    json_writer_member_string(&writer, "userId", news->user);
    json_writer_member_string(&writer, "sessionId", news->session);
    json_writer_member(&writer, "data");
    json_writer_add_span(&writer, news->data.data ? news->data : span_text("null"));
    json_writer_add(&writer, "}");
    const struct span none = {NULL, 0};
    struct frame_spec spec = {
        .type = EVENT_HERE_UPDATE,
        .audience = AUDIENCE_ROOM,
        .realm = news->realm,
        .room = news->room,
        .user = news->user,
        .session = news->session,
        .spared = news->by_session ? news->session : none,
        .spared_user = news->by_session ? news->user : none,
        .body = json_writer_text(&writer),
    };
    struct frame *frame = NULL;
    if (writer.err || frame_new(&spec, &frame) != 0)
        frame = NULL;
    json_writer_fini(&writer);
    return frame;
}

static void tell(void *context, const struct here_news *news)
{
    struct hub *hub = context;
    if (settings_is_quiet(hub->settings, news->members))
        return;
    struct frame *frame = frame_of(news);
    if (frame)
        signals_publish(hub->signals, frame);
    frame_unref(frame);
}

/* After every change: the timer is where the next session's grace is over. */
static void settle(struct hub *hub)
{
    int64_t due_ms = here_due_ms(&hub->here);
    if (due_ms < 0)
        hub_timer_remove(hub, &hub->here_timer);
    else if (!deadline_is_set(&hub->here_timer.deadline) || hub->here_timer.deadline.at_ms > due_ms)
        hub_timer_set(hub, &hub->here_timer, due_ms - hub->now_ms);
}

static void on_due(struct hub *hub, struct hub_timer *timer)
{
    here_tick(&hub->here, hub->now_ms);
    settle(hub);
}

/* -- sessions that come and go ------------------------------------------------------------ */

static struct here_name name_of(const struct session *session)
{
    return (struct here_name){session->by_key.key, session->by_key.key_len, session->user_len};
}

void hub_here_back(struct hub *hub, const struct session *session)
{
    struct here_name name = name_of(session);
    here_back(&hub->here, &name);
}

void hub_here_away(struct hub *hub, const struct session *session)
{
    struct here_name name = name_of(session);
    here_away(&hub->here, &name, hub->now_ms);
    settle(hub);
}

void hub_here_end(struct hub *hub, const struct session *session)
{
    struct here_name name = name_of(session);
    here_end(&hub->here, &name);
}

/* -- what the journal tells --------------------------------------------------------------- */

static void on_frame(struct hub *hub, struct frame *frame)
{
    struct span realm = span_text(frame->realm), room = span_text(frame->room);
    switch ((enum event_type)frame->type) {
    case EVENT_USER_JOINED:
        here_count(&hub->here, realm, room, frame->members);
        break;
    case EVENT_USER_LEFT:
        here_count(&hub->here, realm, room, frame->members);
        here_leave(&hub->here, realm, room, span_text(frame->user));
        break;
    case EVENT_ROOM_DELETED:
        here_drop_room(&hub->here, realm, room);
        break;
    default:
        break;
    }
}

static void on_lost(struct hub *hub)
{
    here_end_all(&hub->here);
}

/* -- calls -------------------------------------------------------------------------------- */

static void read_done(struct letter *letter)
{
    struct here_call *call = container_of(letter, struct here_call, letter);
    call->on_done(call, call->err);
}

static void write_spot(void *context, const struct here_news *news)
{
    struct json_writer *writer = context;
    json_writer_item(writer);
    json_writer_add(writer, "{");
    json_writer_member_string(writer, "userId", news->user);
    json_writer_member_string(writer, "sessionId", news->session);
    json_writer_member(writer, "data");
    json_writer_add_span(writer, news->data);
    json_writer_add(writer, "}");
}

static int change(struct hub *hub, const struct here_call *call)
{
    char key[SESSION_KEY_BYTES_MAX];
    struct here_name name = {.key = key};
    name.len = session_key_make(key, call->realm, call->user, call->session, &name.user_len);
    struct session *session = hub_session_find(hub, key, name.len);
    if (!session && !here_knows(&hub->here, &name))
        return ERR_NOT_FOUND;
    if (session)
        hub_session_use(hub, session);
    if (call->action == HERE_PUT)
        return here_put(&hub->here, &name, call->room, call->members, call->data);
    here_remove(&hub->here, &name, call->room);
    return 0;
}

static void read_call(struct letter *letter)
{
    struct here_call *call = container_of(letter, struct here_call, letter);
    struct hub *hub = call->hub;
    if (call->action == HERE_LIST) {
        json_writer_add(call->list, "[");
        here_visit(&hub->here, call->realm, call->room, write_spot, call->list);
        json_writer_add(call->list, "]");
    } else {
        call->err = change(hub, call);
    }
    letter->on_read = read_done;
    worker_post(call->home, letter);
}

void hub_here(struct hub *hub, struct here_call *call)
{
    assert(call->action != HERE_LIST || call->list);
    call->hub = hub;
    call->err = 0;
    call->letter.on_read = read_call;
    hub_post(hub, &call->letter);
}

/* -- life --------------------------------------------------------------------------------- */

void hub_here_init(struct hub *hub)
{
    hub->here = (struct here){
        .grace_ms = hub->settings->presence_grace_ms,
        .tell = tell,
        .context = hub,
    };
    here_init(&hub->here);
    hub->here_timer.on_due = on_due;
    hub->here_listener = (struct hub_listener){.on_frame = on_frame, .on_lost = on_lost};
    hub_listen(hub, &hub->here_listener);
}

void hub_here_fini(struct hub *hub)
{
    here_fini(&hub->here);
}
