/* A hub without its thread, for tests of its parts: the test is the hub's thread. */
#ifndef TIDINGS_TESTS_HUB_INSIDE_H
#define TIDINGS_TESTS_HUB_INSIDE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "api/hub_parts.h"
#include "core/frame.h"
#include "net/loop.h"

static inline struct hub *hub_made(const struct settings *settings)
{
    static struct hub hub;
    static struct signals signals;
    hub = (struct hub){.settings = settings, .signals = &signals};
    deadline_wheel_init(&hub.wheel, HUB_TICK_MS, 0);
    assert_int_equal(mailbox_init(&hub.mailbox), 0);
    hub_presence_init(&hub);
    return &hub;
}

static inline void hub_gone(struct hub *hub)
{
    hub_presence_fini(hub);
    mailbox_fini(&hub->mailbox);
}

static inline struct hub_user *user_made(struct hub *hub, const char *name)
{
    char key[SESSION_KEY_BYTES_MAX];
    uint32_t user_len;
    session_key_make(key, span_text("main"), span_text(name), span_text(""), &user_len);
    struct hub_user *user = people_get_user(&hub->people, key, user_len, strlen("main"));
    assert_non_null(user);
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
    assert_int_equal(frame_new(&spec, &frame), 0);
    for (struct hub_listener *to = hub->listeners; to; to = to->next)
        to->on_frame(hub, frame);
    frame_unref(frame);
}

#endif
