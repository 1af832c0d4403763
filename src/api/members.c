#include "api/errand.h"
#include "api/shapes.h"
#include "base/err.h"
#include "base/limits.h"
#include "core/ident.h"

#define MEMBERS_ANSWER_BYTES_MAX 1048576

/* --- joining and leaving ------------------------------------------------------------------- */

/* The count and the cursor are those of the joining; the members may be a little newer, which a
 * client that follows from the cursor cannot tell: who it is told of joined or left already. */
static void on_joined_members(struct errand *errand)
{
    const struct outcome *joined = &errand->before->command.outcome;
    struct json_writer writer;
    json_writer_init(&writer, MEMBERS_ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", errand->command.room);
    json_writer_member_string(&writer, "role", span_text(role_name(joined->role)));
    json_writer_member(&writer, "members");
    shapes_write_members(&writer, errand->read.members, errand->read.member_count);
    json_writer_member_number(&writer, "memberCount", joined->room.member_count);
    json_writer_member_id(&writer, "cursor", joined->head);
    json_writer_member_id(&writer, "asOf", joined->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

static void on_joined(struct errand *errand)
{
    struct errand *members = errand_after(errand, on_joined_members);
    if (!members)
        return;
    members->read.limit = MEMBERS_PAGE_MAX;
    errand_read(members, READ_MEMBERS);
}

void room_join(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_joined);
    if (!errand)
        return;
    errand->command.kind = COMMAND_JOIN;
    errand->command.auto_create = request_app(request)->settings->rooms_auto_create;
    errand->command.create_allowed = errand_may_create(errand);
    errand_append(errand);
}

static void on_left(struct errand *errand)
{
    errand_answer_change(errand, (struct span){NULL, 0});
}

void room_leave(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_left);
    if (!errand)
        return;
    errand->command.kind = COMMAND_LEAVE;
    errand_append(errand);
}

/* --- the list ------------------------------------------------------------------------------ */

static void on_members(struct errand *errand)
{
    const struct journal_read *read = &errand->read;
    struct json_writer writer;
    json_writer_init(&writer, MEMBERS_ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member(&writer, "members");
    shapes_write_members(&writer, read->members, read->member_count);
    json_writer_member_string(&writer, "next", read->next);
    json_writer_member_id(&writer, "asOf", read->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void members_get(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_members);
    if (errand)
        errand_read_users(errand, READ_MEMBERS, MEMBERS_PAGE_MAX);
}

/* --- changing it --------------------------------------------------------------------------- */

static void on_added(struct errand *errand)
{
    const struct command *command = &errand->command;
    struct json_writer writer;
    json_writer_init(&writer, MEMBERS_ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{");
    json_writer_member_string(&writer, "roomId", command->room);
    json_writer_member_number(&writer, "added", command->outcome.members_added);
    json_writer_member_id(&writer, "asOf", command->outcome.head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

/* ERR_INVALID_FIELD, ERR_INVALID_IDENTIFIER, ERR_MEMORY; each about `users`. */
static int read_users(struct errand *errand)
{
    const json_t *list = json_read_array(&errand->reader, "users", MEMBERS_ADDED_MAX);
    if (errand->reader.err)
        return errand->reader.err;
    size_t count = json_array_size(list);
    if (count == 0)
        return ERR_INVALID_FIELD;
    struct span *users = arena_alloc(&errand->request->arena, count * sizeof(*users));
    if (!users)
        return ERR_MEMORY;
    size_t index;
    json_t *user;
    json_array_foreach(list, index, user) {
        if (!json_is_string(user))
            return ERR_INVALID_FIELD;
        users[index] = span_of(json_string_value(user), json_string_length(user));
        if (!ident_is_user(users[index]))
            return ERR_INVALID_IDENTIFIER;
    }
    errand->command.users = users;
    errand->command.user_count = (int)count;
    return 0;
}

void members_post(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_added);
    if (!errand || !errand_body(errand))
        return;
    int err = read_users(errand);
    if (err) {
        errand_refuse(errand, err, "users");
        return;
    }
    errand->command.kind = COMMAND_ADD_MEMBERS;
    errand_append(errand);
}

static void on_member(struct errand *errand)
{
    errand_answer_change(errand, errand->command.target);
}

static void fault(struct json_reader *reader, const char *field)
{
    if (reader->err)
        return;
    reader->err = ERR_INVALID_FIELD;
    reader->field = field;
}

/* `mutedUntil: null` ends a muting. */
static void read_change(struct json_reader *reader, struct command *command)
{
    struct member_change *change = &command->member;
    struct span role = json_read_text(reader, "role", IDENT_BYTES_MAX);
    if (role.data && role_parse(role, &command->role))
        fault(reader, "role");
    change->has_muted = json_object_get(reader->object, "mutedUntil");
    change->muted_until_ms = json_read_number(reader, "mutedUntil", 0, TIME_MS_MAX, 0);
    struct span notify = json_read_text(reader, "notify", IDENT_BYTES_MAX);
    change->has_notify = notify.data;
    if (notify.data && notify_parse(notify, &change->notify))
        fault(reader, "notify");
}

void member_put(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_member);
    if (!errand || !errand_body(errand))
        return;
    errand->command.kind = COMMAND_PUT_MEMBER;
    errand->command.target = request_parameter(request, 1);
    read_change(&errand->reader, &errand->command);
    if (errand->reader.err)
        errand_refuse(errand, errand->reader.err, errand->reader.field);
    else
        errand_append(errand);
}

void member_delete(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_member);
    if (!errand)
        return;
    errand->command.kind = COMMAND_REMOVE_MEMBER;
    errand->command.target = request_parameter(request, 1);
    errand_append(errand);
}
