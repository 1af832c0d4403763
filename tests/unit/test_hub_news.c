/* News to the hub: what wakes it, in which order it is told, and what is said when some is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <string.h>

#include "api/hub_parts.h"
#include "core/frame.h"

enum { TOLD_MAX = 16 };

/* A part that listens. The hub's thread writes, the test reads behind a wait. */
struct part {
    struct hub_listener listener;
    char told[TOLD_MAX + 1]; /* a letter for each: joined, left, deleted, message, lost */
    size_t count;
    char sender[16];
};

static struct part part;

static void note(char what)
{
    assert_true(part.count < TOLD_MAX);
    part.told[part.count++] = what;
}

static void on_frame(struct hub *hub, struct frame *frame)
{
    note(frame->type == EVENT_USER_JOINED    ? 'j'
         : frame->type == EVENT_USER_LEFT    ? 'l'
         : frame->type == EVENT_ROOM_DELETED ? 'd'
         : frame->type == EVENT_NEW_MESSAGE  ? 'm'
         : frame->silences_user              ? 's'
         : frame->bars_user                  ? 'b'
                                             : '?');
    if (frame->sender)
        strncpy(part.sender, frame->sender, sizeof(part.sender) - 1);
}

static void on_lost(struct hub *hub)
{
    note('x');
}

/* A letter that runs something on the hub's thread and holds it there until it is let go. */
struct visit {
    struct letter letter;
    struct hub *hub;
    void (*act)(struct hub *hub);
    sem_t arrived, leave, left;
};

static void read_visit(struct letter *letter)
{
    struct visit *visit = container_of(letter, struct visit, letter);
    if (visit->act)
        visit->act(visit->hub);
    sem_post(&visit->arrived);
    sem_wait(&visit->leave);
    sem_post(&visit->left);
}

static void visit_begin(struct visit *visit, struct hub *hub, void (*act)(struct hub *hub))
{
    *visit = (struct visit){.letter.on_read = read_visit, .hub = hub, .act = act};
    sem_init(&visit->arrived, 0, 0);
    sem_init(&visit->leave, 0, 0);
    sem_init(&visit->left, 0, 0);
    hub_post(hub, &visit->letter);
    sem_wait(&visit->arrived);
}

static void visit_end(struct visit *visit)
{
    sem_post(&visit->leave);
    sem_wait(&visit->left); /* it is on the caller's stack */
}

/* Everything posted before is read. */
static void settle(struct hub *hub)
{
    struct visit visit;
    visit_begin(&visit, hub, NULL);
    visit_end(&visit);
}

static void listen(struct hub *hub)
{
    hub_listen(hub, &part.listener);
}

static const struct settings settings;
static struct signals signals;

static struct hub *hub_with_part(void)
{
    struct hub *hub;
    struct visit visit;
    assert_int_equal(hub_new(&settings, &signals, &hub), 0);
    part = (struct part){.listener = {.on_frame = on_frame, .on_lost = on_lost}};
    visit_begin(&visit, hub, listen);
    visit_end(&visit);
    return hub;
}

static struct frame *made(enum event_type type)
{
    struct frame_spec spec = {
        .type = type,
        .audience = AUDIENCE_ROOM,
        .id = {1000, 1},
        .realm = span_text("main"),
        .room = span_text("room"),
        .user = span_text("bob"),
        .body = span_text("{}"),
    };
    if (type == EVENT_NEW_MESSAGE)
        spec.sender = span_text("alice");
    struct frame *frame;
    assert_int_equal(frame_new(&spec, &frame), 0);
    return frame;
}

static void tell(struct hub *hub, const enum event_type *types, int count)
{
    struct frame *frames[TOLD_MAX];
    for (int i = 0; i < count; i++)
        frames[i] = made(types[i]);
    hub_news(hub, frames, count);
    for (int i = 0; i < count; i++)
        frame_unref(frames[i]);
}

static const enum event_type all[] = {
    EVENT_NEW_MESSAGE, EVENT_ROOM_CREATED, EVENT_USER_JOINED,  EVENT_ROOM_UPDATED,
    EVENT_USER_LEFT,   EVENT_NEW_MESSAGE,  EVENT_ROOM_DELETED, EVENT_CUSTOM,
};

static void memberships_are_told_in_order(void **state)
{
    struct hub *hub = hub_with_part();
    tell(hub, all, array_count(all));
    tell(hub, (enum event_type[]){EVENT_USER_JOINED}, 1);
    settle(hub);
    assert_string_equal(part.told, "jldj");
    hub_free(hub);
}

static void messages_are_told_while_they_are_wanted(void **state)
{
    struct hub *hub = hub_with_part();
    hub_want_messages(hub, 1);
    hub_want_messages(hub, 1);
    hub_want_messages(hub, -1);
    tell(hub, all, array_count(all));
    hub_want_messages(hub, -1);
    tell(hub, all, array_count(all));
    settle(hub);
    assert_string_equal(part.told, "mjlmdjld");
    assert_string_equal(part.sender, "alice");
    hub_free(hub);
}

static void who_may_send_no_longer_is_told_with_them(void **state)
{
    struct frame_spec spec = {
        .type = EVENT_MEMBER_UPDATED,
        .audience = AUDIENCE_ROOM,
        .id = {1000, 1},
        .realm = span_text("main"),
        .room = span_text("room"),
        .user = span_text("bob"),
        .body = span_text("{}"),
    };
    struct hub *hub = hub_with_part();
    struct frame *frames[3];
    assert_int_equal(frame_new(&spec, &frames[0]), 0);
    spec.silences_user = true;
    assert_int_equal(frame_new(&spec, &frames[1]), 0);
    spec.silences_user = false;
    spec.bars_user = true;
    assert_int_equal(frame_new(&spec, &frames[2]), 0);
    hub_news(hub, frames, 3);
    hub_want_messages(hub, 1);
    hub_news(hub, frames, 3);
    settle(hub);
    assert_string_equal(part.told, "sb");
    for (int i = 0; i < 3; i++)
        frame_unref(frames[i]);
    hub_free(hub);
}

static void nothing_else_wakes_it(void **state)
{
    struct hub *hub = hub_with_part();
    struct visit visit;
    visit_begin(&visit, hub, NULL);
    tell(hub, (enum event_type[]){EVENT_NEW_MESSAGE, EVENT_CUSTOM, EVENT_ROOM_UPDATED}, 3);
    assert_null(atomic_load(&hub->mailbox.top));
    tell(hub, (enum event_type[]){EVENT_USER_LEFT}, 1);
    assert_non_null(atomic_load(&hub->mailbox.top));
    visit_end(&visit);
    settle(hub);
    assert_string_equal(part.told, "l");
    hub_free(hub);
}

static void a_loss_is_told_once_until_it_is_heard(void **state)
{
    struct hub *hub = hub_with_part();
    struct visit visit;
    visit_begin(&visit, hub, NULL);
    hub_news_lost(hub);
    hub_news_lost(hub);
    tell(hub, (enum event_type[]){EVENT_USER_JOINED}, 1);
    visit_end(&visit);
    settle(hub);
    hub_news_lost(hub);
    settle(hub);
    assert_string_equal(part.told, "xjx");
    hub_free(hub);
}

/* News that is still on its way when the hub ends is let go of: the leak checker looks. */
static void an_end_leaves_nothing_behind(void **state)
{
    struct hub *hub = hub_with_part();
    struct visit visit;
    visit_begin(&visit, hub, NULL);
    tell(hub, all, array_count(all));
    visit_end(&visit);
    hub_free(hub);
    assert_string_equal(part.told, "jld");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memberships_are_told_in_order),
        cmocka_unit_test(messages_are_told_while_they_are_wanted),
        cmocka_unit_test(who_may_send_no_longer_is_told_with_them),
        cmocka_unit_test(nothing_else_wakes_it),
        cmocka_unit_test(a_loss_is_told_once_until_it_is_heard),
        cmocka_unit_test(an_end_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
