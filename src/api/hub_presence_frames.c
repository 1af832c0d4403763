/* The frames of presence: one for each user that is told of, kept for a while for who comes. */
#include "api/hub_parts.h"

#include "api/json_writer.h"
#include "core/frame.h"

#define BODY_BYTES_MAX 4096
/* Frames kept, and how long after the last one was made. */
#define FRAMES_MAX 2048
#define FRAMES_MS 5000

static void write_body(struct json_writer *writer, const struct hub_user *user)
{
    enum presence_status status = PRESENCE_OFFLINE;
    if (hub_user_is_shown(user))
        status = user->presence.told_status;
    const char *activity = status == PRESENCE_OFFLINE ? NULL : presence_activity(&user->presence);
    json_writer_add(writer, "{");
    json_writer_member_string(writer, "userId", span_text(hub_user_name(user)));
    json_writer_member_string(writer, "status", span_text(presence_status_name(status)));
    json_writer_member(writer, "activity");
    if (activity)
        json_writer_string(writer, span_text(activity));
    else
        json_writer_add(writer, "null");
    json_writer_member(writer, "lastSeen");
    if (user->presence.seen_ms)
        json_writer_number(writer, user->presence.seen_ms);
    else
        json_writer_add(writer, "null");
    json_writer_add(writer, "}");
}

static struct frame *frame_make(const struct hub_user *user)
{
    struct json_writer writer;
    json_writer_init(&writer, BODY_BYTES_MAX);
    write_body(&writer, user);
    struct frame_spec spec = {
        .type = EVENT_PRESENCE_UPDATE,
        .audience = AUDIENCE_USER,
        .timestamp_ms = hub_user_is_shown(user) ? user->presence.seen_ms : clock_wall_ms(),
        .realm = span_text(user->key),
        .user = span_text(hub_user_name(user)),
        .body = json_writer_text(&writer),
    };
    struct frame *frame = NULL;
    if (writer.err || frame_new(&spec, &frame) != 0)
        frame = NULL;
    json_writer_fini(&writer);
    return frame;
}

static void drop_frame(struct hub *hub, uint32_t number)
{
    struct hub_user *user = people_user(&hub->people, number);
    if (user)
        user->frame = frame_unref(user->frame);
}

void hub_presence_frames_drop(struct hub *hub, struct hub_timer *timer)
{
    for (uint32_t i = 0; i < hub->frames_count; i++)
        drop_frame(hub, hub->frames[i]);
    hub->frames_count = hub->frames_next = 0;
    free(hub->frames);
    hub->frames = NULL;
}

static void note_frame(struct hub *hub, const struct hub_user *user)
{
    if (!hub->frames)
        hub->frames = malloc(FRAMES_MAX * sizeof(*hub->frames));
    if (!hub->frames)
        return;
    if (hub->frames_count == FRAMES_MAX)
        drop_frame(hub, hub->frames[hub->frames_next]);
    else
        hub->frames_count++;
    hub->frames[hub->frames_next] = user->number;
    hub->frames_next = (hub->frames_next + 1) % FRAMES_MAX;
    hub_timer_set(hub, &hub->frames_timer, FRAMES_MS);
}

struct frame *hub_presence_frame(struct hub *hub, struct hub_user *user)
{
    if (user->frame)
        return user->frame;
    /* First: the place that it takes may be one of its own from before, which lets go of what the
     * user has by then. */
    note_frame(hub, user);
    user->frame = frame_make(user);
    return user->frame;
}
