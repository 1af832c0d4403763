/* A hub without its thread, for tests of its parts: the test is the hub's thread. */
#ifndef TIDINGS_TESTS_HUB_INSIDE_H
#define TIDINGS_TESTS_HUB_INSIDE_H

#include <assert.h>
#include <string.h>

#include "api/hub_parts.h"
#include "api/watchers.h"
#include "core/frame.h"
#include "net/loop.h"

static inline void hub_inside_ignore(void *context, struct frame *frame)
{
}

static inline struct hub *hub_made(const struct settings *settings)
{
    static struct hub hub;
    static struct signals signals;
    signals_init_local(&signals, hub_inside_ignore, NULL);
    hub = (struct hub){.settings = settings, .signals = &signals, .watchers = watchers_new()};
    assert(hub.watchers);
    deadline_wheel_init(&hub.wheel, HUB_TICK_MS, 0);
    int err = mailbox_init(&hub.mailbox);
    assert(!err);
    hub_stats_init(&hub);
    hub_presence_init(&hub);
    hub_typing_init(&hub);
    hub_here_init(&hub);
    return &hub;
}

static inline void hub_gone(struct hub *hub)
{
    hub_presence_fini(hub);
    hub_stats_fini(hub);
    hub_typing_fini(hub);
    hub_here_fini(hub);
    watchers_free(hub->watchers);
    mailbox_fini(&hub->mailbox);
}

static inline struct hub_user *user_made(struct hub *hub, const char *name)
{
    char key[SESSION_KEY_BYTES_MAX];
    uint32_t user_len;
    session_key_make(key, span_text("main"), span_text(name), span_text(""), &user_len);
    struct hub_user *user = people_get_user(&hub->people, key, user_len, strlen("main"));
    assert(user);
    return user;
}

/* News of a room, told to the parts that listen. */
static inline void hub_hears(struct hub *hub, enum event_type type, const char *room,
                             const char *user, int64_t members, int64_t at)
{
    struct frame_spec spec = {
        .type = type,
        .audience = AUDIENCE_ROOM,
        .id = {(uint64_t)at, 0},
        .realm = span_text("main"),
        .room = span_text(room),
        .user = span_text(user),
        .members = members,
        .body = span_text("{}"),
    };
    struct frame *frame;
    int err = frame_new(&spec, &frame);
    assert(!err);
    for (struct hub_listener *to = hub->listeners; to; to = to->next)
        to->on_frame(hub, frame);
    frame_unref(frame);
}

/* What the thread does in a turn, `pass_ms` after the last one. */
static inline void hub_turns(struct hub *hub, int64_t pass_ms)
{
    struct deadline *deadline;
    hub->now_ms += pass_ms;
    mailbox_read(&hub->mailbox);
    while ((deadline = deadline_take(&hub->wheel, hub->now_ms))) {
        struct hub_timer *timer = container_of(deadline, struct hub_timer, deadline);
        hub->timers_set--;
        timer->on_due(hub, timer);
    }
    hub_presence_turn(hub);
}

#endif
