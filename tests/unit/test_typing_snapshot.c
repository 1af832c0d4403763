/* A reader that comes while somebody types is told of it once, in whatever order the hub, the
 * worker and the reader come to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/desk.h"
#include "api/hub_typing.h"
#include "api/typing_snapshot.h"
#include "hub_inside.h"

enum { TOLD_MAX = 8 };

/* alice reads, bob types. */
struct scene {
    struct hub *hub;
    struct app app;
    struct worker worker;
    struct hall hall;
    struct desk desk;
    struct reader reader;
    uint64_t joins; /* so far */
};

static void on_queued(struct subscriber *subscriber)
{
}

static void on_live(struct subscriber *subscriber, bool first)
{
    typing_snapshot_ask(reader_of(subscriber));
}

static const struct subscriber_ops ops = {.on_queued = on_queued, .on_live = on_live};

/* -- what the hub tells, by the worker's mailbox ------------------------------------------- */

struct news {
    struct letter letter;
    struct hall *hall;
    struct frame *frame; /* ref */
};

static void read_news(struct letter *letter)
{
    struct news *news = container_of(letter, struct news, letter);
    hall_dispatch(news->hall, news->frame, 0);
    frame_unref(news->frame);
    free(news);
}

static void on_signal(void *context, struct frame *frame)
{
    struct scene *scene = context;
    struct news *news = malloc(sizeof(*news));
    assert_non_null(news);
    *news = (struct news){{.on_read = read_news}, &scene->hall, frame_ref(frame)};
    worker_post(&scene->worker, &news->letter);
}

/* -- the scene ----------------------------------------------------------------------------- */

static void begin(struct scene *scene, const struct settings *settings)
{
    static const struct hall_limits limits = {1 << 20, 1 << 20, 60000};
    *scene = (struct scene){.hub = hub_made(settings)};
    signals_init_local(scene->hub->signals, on_signal, scene);
    assert_int_equal(mailbox_init(&scene->worker.mailbox), 0);
    hall_init(&scene->hall, &limits);
    scene->app.hub = scene->hub;
    scene->desk.app = &scene->app;
    scene->desk.worker = &scene->worker;
    struct reader *reader = &scene->reader;
    reader->desk = &scene->desk;
    reader->in_hub = true;
    reader->session.by_key.key = "main";
    reader->subscriber.ops = &ops;
    struct hall_follow follow = {.room = span_text("room"), .member = true};
    struct hall_entry entry = {
        .user = "alice",
        .follows_all = true,
        .follows = &follow,
        .follow_count = 1,
        .head = {1000, 0},
        .position = {1000, 0},
    };
    struct hall_realm *realm = hall_open(&scene->hall, span_text("main"), 0);
    assert_int_equal(hall_enter(realm, &reader->subscriber, &entry), 0);
}

static void end(struct scene *scene)
{
    hall_leave(&scene->reader.subscriber, 0);
    subscriber_fini(&scene->reader.subscriber);
    hall_fini(&scene->hall);
    mailbox_fini(&scene->worker.mailbox);
    hub_gone(scene->hub);
}

static void join(struct scene *scene, const char *room)
{
    struct frame_spec spec = {
        .type = EVENT_USER_JOINED,
        .audience = AUDIENCE_ROOM,
        .id = {1000, ++scene->joins},
        .realm = span_text("main"),
        .room = span_text(room),
        .user = span_text("alice"),
        .body = span_text("{}"),
    };
    struct frame *frame;
    assert_int_equal(frame_new(&spec, &frame), 0);
    hall_dispatch(&scene->hall, frame, 0);
    frame_unref(frame);
}

static void types(struct scene *scene, const char *room, bool types)
{
    hub_typing_set(scene->hub, span_text("main"), span_text(room), span_text("bob"), types);
}

/* A letter for each: bob starts or stops in `room` (t, s), in `second` (T, S); alice joins
 * `second` (j), goes live (l); a turn of the hub (h), of the worker (w). */
static void step(struct scene *scene, char what)
{
    switch (what) {
    case 't':
    case 's':
        types(scene, "room", what == 't');
        break;
    case 'T':
    case 'S':
        types(scene, "second", what == 'T');
        break;
    case 'j':
        join(scene, "second");
        break;
    case 'l':
        hall_replay(&scene->reader.subscriber);
        break;
    case 'h':
        hub_turns(scene->hub, 0);
        break;
    case 'w':
        mailbox_read(&scene->worker.mailbox);
        break;
    default:
        fail();
    }
}

/* What alice was told of typing, in the letters of `step`. */
static void take(struct scene *scene, char told[TOLD_MAX + 1])
{
    struct subscriber *subscriber = &scene->reader.subscriber;
    int count = 0;
    while (subscriber->queue_count > 0) {
        struct frame *frame = subscriber_take(subscriber);
        bool second = strcmp(frame->room, "second") == 0;
        assert_true(count < TOLD_MAX);
        if (frame->type == EVENT_USER_TYPING)
            told[count++] = second ? 'T' : 't';
        else if (frame->type == EVENT_USER_STOPPED_TYPING)
            told[count++] = second ? 'S' : 's';
        frame_unref(frame);
    }
    told[count] = 0;
}

static void test_it_is_told_once(void **state)
{
    static const struct {
        const char *steps, *told, *why;
    } rows[] = {
        {"thwlhw", "t", "it was told before"},
        {"thlwhw", "t", "the news of it is on its way"},
        {"thlhw", "t", "both are on their way"},
        {"tlhw", "t", "the hub has not read of it yet"},
        {"lthw", "t", "nobody types when it comes"},
        {"thlwhwshw", "ts", "what changes later is told"},
        {"thlhshw", "ts", "and behind the snapshot"},
        {"thlwshw", "ts", "the snapshot is taken before the end"},
        {"tshwlhw", "", "it is over when it comes"},
        {"thslhw", "", "it is over when the snapshot is taken"},
        {"thslwhw", "", "likewise, its beginning is read before that"},
        {"thjlwhwThw", "tT", "in a second room, later"},
        {"thljTwhwhw", "tT", "in a room that is joined while it is asked"},
        {"thljThwhw", "tT", "likewise, all news on its way"},
        {"thlhjThwhw", "tT", "likewise, when the snapshot is taken already"},
        {"thljhTsSwhw", "", "over in both when it is asked again"},
        {"thljhTwShw", "tTS", "over in one behind that"},
        {"thwshlw", "s", "an end alone may be told when nobody types any more"},
        {"thlsjhwThw", "sT", "likewise, when it would be asked again"},
    };
    static const struct settings settings = {
        .typing_throttle_ms = 1000, .typing_timeout_ms = 10000, .rooms_quiet_limit = 10};
    for (size_t i = 0; i < array_count(rows); i++) {
        struct scene scene;
        char told[TOLD_MAX + 1];
        begin(&scene, &settings);
        for (const char *at = rows[i].steps; *at; at++)
            step(&scene, *at);
        take(&scene, told);
        if (strcmp(told, rows[i].told) != 0)
            fail_msg("%s: told \"%s\" and not \"%s\": %s", rows[i].steps, told, rows[i].told,
                     rows[i].why);
        assert_int_equal(mailbox_read(&scene.worker.mailbox), 0);
        end(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
