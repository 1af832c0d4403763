/* The hub's people from inside: frames that are kept, rooms that go, what is asked of a journal that
 * is about to be closed. Without its thread: the test is the hub's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "api/hub_parts.h"
#include "core/frame.h"

static const struct settings settings = {.rooms_quiet_limit = 200};
static struct signals signals;

static struct hub *hub_made(void)
{
    static struct hub hub;
    hub = (struct hub){.settings = &settings, .signals = &signals};
    deadline_wheel_init(&hub.wheel, HUB_TICK_MS, 0);
    hub_presence_init(&hub);
    return &hub;
}

static struct hub_user *user_made(struct hub *hub, const char *name)
{
    char key[SESSION_KEY_BYTES_MAX];
    uint32_t user_len;
    session_key_make(key, span_text("main"), span_text(name), span_text(""), &user_len);
    struct hub_user *user = people_get_user(&hub->people, key, user_len, strlen("main"));
    assert_non_null(user);
    return user;
}

/* As often as there may be frames kept, and once round again. */
static void one_who_changes_all_the_time_is_told_each_time(void **state)
{
    struct hub *hub = hub_made();
    struct hub_user *alice = user_made(hub, "alice"), *bob = user_made(hub, "bob");
    for (int i = 0; i < 5000; i++) {
        struct hub_user *user = i % 3 ? alice : bob;
        user->frame = frame_unref(user->frame);
        assert_non_null(hub_presence_frame(hub, user));
        assert_ptr_equal(hub_presence_frame(hub, user), user->frame);
    }
    hub_presence_fini(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_who_changes_all_the_time_is_told_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
