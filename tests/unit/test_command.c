/* The rules of permission that no journal can bring about yet, or only slowly: bans, mutes,
 * direct rooms, slow mode, grants. The rest is held by the contract suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/command.h"
#include "core/grant.h"

struct row {
    enum command_kind kind;
    enum room_kind room;
    enum role role;
    unsigned grants;
    bool service, banned, muted, announce;
    enum { NO_MESSAGE, OF_ANOTHER, OWN, OWN_DELETED } message;
    int err;
};

static const struct row rows[] = {
    /* A ban beats a grant, and tells of a private room only to one whom a grant told of it. */
    {.kind = COMMAND_SEND_MESSAGE, .banned = true, .grants = GRANT_POST, .err = ERR_BANNED},
    {.kind = COMMAND_SEND_MESSAGE,
     .room = ROOM_PRIVATE,
     .banned = true,
     .grants = GRANT_POST,
     .err = ERR_BANNED},
    {.kind = COMMAND_SEND_MESSAGE, .room = ROOM_PRIVATE, .banned = true, .err = ERR_NOT_FOUND},
    {.kind = COMMAND_JOIN, .banned = true, .err = ERR_BANNED},
    {.kind = COMMAND_PUT_ROOM, .banned = true, .grants = GRANT_MANAGE, .err = ERR_BANNED},
    {.kind = COMMAND_PUT_ROOM,
     .room = ROOM_PRIVATE,
     .banned = true,
     .grants = GRANT_MANAGE,
     .err = ERR_BANNED},
    {.kind = COMMAND_PUT_ROOM, .room = ROOM_PRIVATE, .banned = true, .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_SEND_MESSAGE, .banned = true, .service = true, .err = ERR_OK},
    /* A muted one may stay, and leave. */
    {.kind = COMMAND_SEND_MESSAGE, .role = ROLE_MEMBER, .muted = true, .err = ERR_MUTED},
    {.kind = COMMAND_CUSTOM_EVENT, .role = ROLE_MEMBER, .muted = true, .err = ERR_MUTED},
    {.kind = COMMAND_SEND_MESSAGE,
     .role = ROLE_MEMBER,
     .muted = true,
     .grants = GRANT_POST,
     .err = ERR_MUTED},
    {.kind = COMMAND_LEAVE, .role = ROLE_MEMBER, .muted = true, .err = ERR_OK},
    /* Editing is speaking; taking back is not. */
    {.kind = COMMAND_EDIT_MESSAGE, .role = ROLE_MEMBER, .message = OWN, .err = ERR_OK},
    {.kind = COMMAND_EDIT_MESSAGE, .grants = GRANT_POST, .message = OWN, .err = ERR_OK},
    {.kind = COMMAND_EDIT_MESSAGE, .message = OWN, .err = ERR_NOT_A_MEMBER},
    {.kind = COMMAND_EDIT_MESSAGE,
     .role = ROLE_MEMBER,
     .muted = true,
     .message = OWN,
     .err = ERR_MUTED},
    {.kind = COMMAND_EDIT_MESSAGE,
     .role = ROLE_MEMBER,
     .announce = true,
     .message = OWN,
     .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_EDIT_MESSAGE, .banned = true, .message = OWN, .err = ERR_BANNED},
    {.kind = COMMAND_EDIT_MESSAGE,
     .role = ROLE_OWNER,
     .message = OF_ANOTHER,
     .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_EDIT_MESSAGE, .service = true, .message = OF_ANOTHER, .err = ERR_OK},
    {.kind = COMMAND_EDIT_MESSAGE,
     .role = ROLE_MEMBER,
     .message = OWN_DELETED,
     .err = ERR_MESSAGE_DELETED},
    {.kind = COMMAND_DELETE_MESSAGE,
     .role = ROLE_MEMBER,
     .muted = true,
     .message = OWN,
     .err = ERR_OK},
    {.kind = COMMAND_DELETE_MESSAGE, .message = OWN, .err = ERR_OK},
    {.kind = COMMAND_DELETE_MESSAGE, .banned = true, .message = OWN, .err = ERR_BANNED},
    {.kind = COMMAND_DELETE_MESSAGE,
     .role = ROLE_MEMBER,
     .message = OF_ANOTHER,
     .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_DELETE_MESSAGE, .role = ROLE_MODERATOR, .message = OF_ANOTHER, .err = ERR_OK},
    {.kind = COMMAND_DELETE_MESSAGE, .grants = GRANT_MANAGE, .message = OF_ANOTHER, .err = ERR_OK},
    {.kind = COMMAND_DELETE_MESSAGE, .role = ROLE_OWNER, .err = ERR_NOT_FOUND},
    {.kind = COMMAND_DELETE_MESSAGE, .room = ROOM_PRIVATE, .message = OWN, .err = ERR_NOT_FOUND},
    /* A grant to post reaches where only the high ones speak. */
    {.kind = COMMAND_SEND_MESSAGE, .role = ROLE_MEMBER, .announce = true, .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_SEND_MESSAGE, .grants = GRANT_POST, .announce = true, .err = ERR_OK},
    {.kind = COMMAND_SEND_MESSAGE, .grants = GRANT_READ, .err = ERR_NOT_A_MEMBER},
    /* Direct rooms have their two members and no others. */
    {.kind = COMMAND_JOIN, .room = ROOM_DIRECT, .err = ERR_NOT_FOUND},
    {.kind = COMMAND_JOIN, .room = ROOM_DIRECT, .service = true, .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_ADD_MEMBERS, .room = ROOM_DIRECT, .role = ROLE_OWNER, .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_PUT_MEMBER, .room = ROOM_DIRECT, .role = ROLE_OWNER, .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_JOIN, .room = ROOM_PRIVATE, .grants = GRANT_READ, .err = ERR_NOT_ALLOWED},
    {.kind = COMMAND_JOIN, .room = ROOM_PRIVATE, .grants = GRANT_MANAGE, .err = ERR_OK},
};

static void the_table_holds(void **state)
{
    for (size_t i = 0; i < array_count(rows); i++) {
        const struct row *row = &rows[i];
        const struct command command = {
            .kind = row->kind,
            .actor = {.user = span_text("ann"), .grants = row->grants, .service = row->service},
            .target = span_text("bob"),
        };
        const struct facts facts = {
            .room_exists = true,
            .room = {.kind = row->room, .announce = row->announce, .member_count = 2},
            .role = row->role,
            .banned = row->banned,
            .muted = row->muted,
            .message_exists = row->message != NO_MESSAGE,
            .message_own = row->message >= OWN,
            .message_deleted = row->message == OWN_DELETED,
        };
        int err = command_decide(&command, &facts, NULL);
        if (err != row->err)
            fail_msg("row %zu: %s instead of %s", i, err_name(err), err_name(row->err));
    }
}

static int64_t wait_after(int64_t passed_ms, enum role role)
{
    const struct command command = {.kind = COMMAND_SEND_MESSAGE};
    const struct facts facts = {
        .room_exists = true,
        .room = {.slow_mode_s = 10},
        .role = role,
        .last_message_ms = 1000000,
        .now_ms = 1000000 + passed_ms,
    };
    int64_t wait_ms = 0;
    int err = command_decide(&command, &facts, &wait_ms);
    assert_int_equal(err, wait_ms ? ERR_RATE_LIMITED : ERR_OK);
    return wait_ms;
}

static void slow_mode_waits_from_the_last_message(void **state)
{
    assert_int_equal(wait_after(0, ROLE_MEMBER), 10000);
    assert_int_equal(wait_after(9999, ROLE_MEMBER), 1);
    assert_int_equal(wait_after(10000, ROLE_MEMBER), 0);
    assert_int_equal(wait_after(-50000, ROLE_MEMBER), 10000);
    assert_int_equal(wait_after(0, ROLE_MODERATOR), 0);
}

static int read_as(enum role role, unsigned grants, bool banned, enum room_kind kind)
{
    const struct actor actor = {.user = span_text("ann"), .grants = grants};
    const struct facts facts = {
        .room_exists = true, .room.kind = kind, .role = role, .banned = banned};
    return command_decide_read(&actor, &facts);
}

static void reading_needs_membership_a_grant_or_a_public_room(void **state)
{
    assert_int_equal(read_as(ROLE_NONE, 0, false, ROOM_PUBLIC), ERR_OK);
    assert_int_equal(read_as(ROLE_NONE, 0, true, ROOM_PUBLIC), ERR_BANNED);
    assert_int_equal(read_as(ROLE_NONE, 0, false, ROOM_PRIVATE), ERR_NOT_FOUND);
    assert_int_equal(read_as(ROLE_MEMBER, 0, false, ROOM_PRIVATE), ERR_OK);
    assert_int_equal(read_as(ROLE_NONE, GRANT_READ, false, ROOM_PRIVATE), ERR_OK);
    assert_int_equal(read_as(ROLE_NONE, GRANT_READ, true, ROOM_PRIVATE), ERR_BANNED);
    assert_int_equal(read_as(ROLE_NONE, GRANT_POST, false, ROOM_PRIVATE), ERR_NOT_A_MEMBER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_holds),
        cmocka_unit_test(slow_mode_waits_from_the_last_message),
        cmocka_unit_test(reading_needs_membership_a_grant_or_a_public_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
