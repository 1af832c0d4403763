/* Presence: one's choice and a session's report, what is shown of others, subscriptions.
 *
 * MODEL  what is asked goes first to the hub, which knows who is there, and then to the journal,
 *        which knows who may be known about and when the others were seen: whoever goes in
 *        between is kept by the one until the other has it.
 *          [append] -> hub -> READ_PEOPLE -> answer */
#include <assert.h>

#include "api/presence.h"
#include "api/hub_presence.h"
#include "api/query.h"
#include "base/err.h"
#include "base/limits.h"
#include "core/ident.h"

#define PRESENCE_ANSWER_BYTES_MAX 1048576

/* One request, in its arena. */
struct inquiry {
    struct presence_call call;
    struct errand *errand;                  /* the newest of the request */
    struct span next;                       /* of a list: data NULL, that was all */
    bool silent;                            /* no state is answered */
    void (*on_done)(struct errand *errand); /* with what is known of the people */
};

/* -- answers ------------------------------------------------------------------------------- */

static void write_state(struct json_writer *writer, const struct presence_state *state,
                        int64_t kept_ms)
{
    int64_t seen_ms = state->known ? state->seen_ms : 0;
    if (seen_ms < kept_ms)
        seen_ms = kept_ms;
    json_writer_member_string(writer, "status", span_text(presence_status_name(state->status)));
    json_writer_member(writer, "activity");
    if (state->has_activity)
        json_writer_string(writer, span_text(state->activity));
    else
        json_writer_add(writer, "null");
    json_writer_member(writer, "lastSeen");
    if (seen_ms)
        json_writer_number(writer, seen_ms);
    else
        json_writer_add(writer, "null");
}

/* Those that may be known about, in the order in which they were asked for; not `but`, which may
 * be absent. */
static void write_list(struct json_writer *writer, const struct inquiry *inquiry,
                       const struct journal_read *read, struct span but)
{
    const struct presence_call *call = &inquiry->call;
    int person = 0;
    json_writer_member(writer, "presence");
    json_writer_add(writer, "[");
    for (int i = 0; i < call->state_count && person < read->person_count; i++) {
        if (!span_equal(call->states[i].user, read->people[person].user))
            continue;
        int64_t kept_ms = read->people[person++].seen_ms;
        if (but.data && span_equal(call->states[i].user, but))
            continue;
        json_writer_item(writer);
        json_writer_add(writer, "{");
        json_writer_member_string(writer, "userId", call->states[i].user);
        write_state(writer, &call->states[i], kept_ms);
        json_writer_add(writer, "}");
    }
    json_writer_add(writer, "]");
}

static void answer_people(struct errand *errand)
{
    const struct inquiry *inquiry = errand->context;
    const struct journal_read *read = &errand->read;
    struct json_writer writer;
    json_writer_init(&writer, PRESENCE_ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{");
    write_list(&writer, inquiry, read, (struct span){NULL, 0});
    json_writer_member_string(&writer, "next", inquiry->next);
    json_writer_member_id(&writer, "asOf", read->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

/* -- the way ------------------------------------------------------------------------------- */

static struct inquiry *inquiry_new(struct errand *errand, enum presence_action action, int states)
{
    struct arena *arena = &errand->request->arena;
    struct inquiry *inquiry = arena_alloc(arena, sizeof(*inquiry));
    if (!inquiry)
        return NULL;
    inquiry->errand = errand;
    inquiry->on_done = answer_people;
    inquiry->call = (struct presence_call){
        .action = action,
        .home = errand->request->worker,
        .realm = errand->command.realm,
        .user = errand->command.actor.user,
        .states = arena_alloc(arena, (size_t)states * sizeof(*inquiry->call.states) + 1),
        .state_count = states,
    };
    errand->context = inquiry;
    return inquiry->call.states ? inquiry : NULL;
}

/* The people asked about, after the hub has said what it knows. */
static void ask_people(struct inquiry *inquiry)
{
    struct errand *errand = inquiry->errand;
    int count = inquiry->call.state_count;
    if (errand->kind != ERRAND_IDLE) {
        errand = errand_after(errand, inquiry->on_done);
        if (!errand)
            return;
        errand->context = inquiry;
        inquiry->errand = errand;
    }
    struct span *users = arena_alloc(&errand->request->arena, (size_t)count * sizeof(*users) + 1);
    if (!users) {
        errand_refuse(errand, ERR_MEMORY, NULL);
        return;
    }
    for (int i = 0; i < count; i++)
        users[i] = inquiry->call.states[i].user;
    errand->read.users = users;
    errand->read.user_count = count;
    errand_read(errand, READ_PEOPLE);
}

static void on_hub(struct presence_call *call, int err)
{
    struct inquiry *inquiry = container_of(call, struct inquiry, call);
    if (err)
        errand_refuse(inquiry->errand, err, NULL);
    else if (inquiry->silent)
        errand_answer_change(inquiry->errand, inquiry->errand->command.target);
    else
        ask_people(inquiry);
}

static void ask_hub(struct inquiry *inquiry)
{
    inquiry->call.on_done = on_hub;
    hub_presence_call(request_app(inquiry->errand->request)->hub, &inquiry->call);
}

/* What was changed in the journal is in force when the hub has read it. */
static void on_appended(struct errand *errand)
{
    ask_hub(errand->context);
}

/* -- within other answers -------------------------------------------------------------------- */

void presence_ask(struct errand *before, const struct span *users, int count,
                  void (*on_done)(struct errand *errand))
{
    if (count == 0) {
        on_done(before);
        return;
    }
    struct inquiry *inquiry = inquiry_new(before, PRESENCE_STATES, count);
    if (!inquiry) {
        errand_refuse(before, ERR_MEMORY, NULL);
        return;
    }
    for (int i = 0; i < count; i++)
        inquiry->call.states[i].user = users[i];
    inquiry->on_done = on_done;
    ask_hub(inquiry);
}

const struct journal_read *presence_asked_of(const struct errand *errand)
{
    return errand->context ? &errand->before->read : &errand->read;
}

void presence_write_of(const struct errand *errand, struct json_writer *writer, struct span user)
{
    const struct inquiry *inquiry = errand->context;
    int person = 0;
    for (int i = 0; inquiry && i < inquiry->call.state_count; i++) {
        const struct presence_state *state = &inquiry->call.states[i];
        if (person == errand->read.person_count)
            return;
        if (!span_equal(state->user, errand->read.people[person].user))
            continue;
        if (span_equal(state->user, user)) {
            json_writer_member(writer, "presence");
            json_writer_add(writer, "{");
            write_state(writer, state, errand->read.people[person].seen_ms);
            json_writer_add(writer, "}");
            return;
        }
        person++;
    }
}

void presence_write_list(const struct errand *errand, struct json_writer *writer)
{
    if (errand->context)
        write_list(writer, errand->context, &errand->read, errand->command.actor.user);
    else
        json_writer_add(writer, ",\"presence\":[]");
}

static int add_person(struct span *users, int count, struct span user)
{
    for (int i = 0; i < count; i++) {
        if (span_equal(users[i], user))
            return count;
    }
    users[count] = user;
    return count + 1;
}

void presence_ask_of_pairs(struct errand *rooms, void (*on_done)(struct errand *errand))
{
    const struct journal_read *read = &rooms->read;
    size_t size = 2 * (size_t)read->room_count + (size_t)read->partner_count;
    struct span *users = arena_alloc(&rooms->request->arena, size * sizeof(*users) + 1);
    int count = 0;
    if (!users) {
        errand_refuse(rooms, ERR_MEMORY, NULL);
        return;
    }
    for (int i = 0; i < read->partner_count; i++)
        count = add_person(users, count, read->partners[i]);
    for (int i = 0; i < read->room_count; i++) {
        for (int k = 0; read->rooms[i].pair && k < 2; k++)
            count = add_person(users, count, read->rooms[i].pair[k].user);
    }
    presence_ask(rooms, users, count, on_done);
}

/* -- one's own ----------------------------------------------------------------------------- */

/* At most ACTIVITY_CHARACTERS_MAX characters; an empty one is none. */
static struct span read_activity(struct json_reader *reader)
{
    struct span text = json_read_text(reader, "activity", ACTIVITY_BYTES_MAX);
    int characters = 0;
    for (size_t i = 0; i < text.len; i++)
        characters += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    if (!reader->err && characters > ACTIVITY_CHARACTERS_MAX) {
        reader->err = ERR_INVALID_TEXT;
        reader->field = "activity";
    }
    return text.len ? text : (struct span){NULL, 0};
}

/* Must be there; null is PRESENCE_NONE. */
static enum presence_status read_status(struct json_reader *reader)
{
    enum presence_status status = PRESENCE_NONE;
    const json_t *value = json_object_get(reader->object, "status");
    struct span text = json_read_text(reader, "status", IDENT_BYTES_MAX);
    if (!reader->err && !json_is_null(value) && presence_status_parse(text, &status) != 0) {
        reader->err = ERR_INVALID_FIELD;
        reader->field = "status";
    }
    return status;
}

static void report(struct errand *errand, struct inquiry *inquiry, enum presence_status status,
                   struct span activity)
{
    if (!errand->command.spared.data) {
        errand_refuse(errand, ERR_INVALID_REQUEST, "X-Tidings-Session");
        return;
    }
    if (status != PRESENCE_ONLINE && status != PRESENCE_AWAY) {
        errand_refuse(errand, ERR_INVALID_FIELD, "status");
        return;
    }
    inquiry->call.action = PRESENCE_REPORT;
    inquiry->call.name = errand->command.spared;
    inquiry->call.status = status;
    inquiry->call.activity = activity;
    errand->on_done = answer_people;
    ask_hub(inquiry);
}

void presence_put(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_appended);
    if (!errand || !errand_body(errand))
        return;
    struct command *command = &errand->command;
    enum presence_status status = read_status(&errand->reader);
    struct span activity = read_activity(&errand->reader);
    bool choice = json_read_bool(&errand->reader, "choice", !command->spared.data);
    struct inquiry *inquiry = inquiry_new(errand, PRESENCE_RELOAD, 1);
    if (errand->reader.err || !inquiry) {
        errand_refuse(errand, inquiry ? errand->reader.err : ERR_MEMORY, errand->reader.field);
        return;
    }
    inquiry->call.states[0].user = command->actor.user;
    if (!choice) {
        report(errand, inquiry, status, activity);
        return;
    }
    command->kind = COMMAND_CHOOSE_PRESENCE;
    command->presence = status;
    command->activity = activity;
    errand_append(errand);
}

/* -- others -------------------------------------------------------------------------------- */

void presence_get(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, answer_people);
    if (!errand)
        return;
    struct query_reader reader = {.request = request};
    struct span rest = query_read_text(&reader, "users");
    struct inquiry *inquiry = inquiry_new(errand, PRESENCE_STATES, PRESENCE_USERS_MAX);
    int err = reader.err ? reader.err : inquiry ? 0 : ERR_MEMORY;
    int count = 0;
    if (!err && rest.len == 0)
        err = ERR_INVALID_PARAMETER;
    while (!err && rest.data) {
        struct span user = span_cut(&rest, ',');
        if (count == PRESENCE_USERS_MAX)
            err = ERR_INVALID_PARAMETER;
        else if (!ident_is_user(user))
            err = ERR_INVALID_IDENTIFIER;
        else
            inquiry->call.states[count++].user = user;
    }
    if (err) {
        errand_refuse(errand, err, "users");
        return;
    }
    inquiry->call.state_count = count;
    ask_hub(inquiry);
}

/* In a large room nobody is told of. */
static void on_members(struct errand *errand)
{
    const struct journal_read *read = &errand->read;
    const struct settings *settings = request_app(errand->request)->settings;
    bool quiet = settings_is_quiet(settings, read->room_members);
    int count = quiet ? 0 : read->member_count;
    struct inquiry *inquiry = inquiry_new(errand, PRESENCE_STATES, count);
    if (!inquiry) {
        errand_refuse(errand, ERR_MEMORY, NULL);
        return;
    }
    if (!quiet)
        inquiry->next = read->next;
    for (int i = 0; i < count; i++)
        inquiry->call.states[i].user = read->members[i].user;
    ask_hub(inquiry);
}

void room_presence_get(struct request *request)
{
    struct errand *errand = errand_new(request, request_parameter(request, 0), on_members);
    if (errand)
        errand_read_users(errand, READ_MEMBERS, PRESENCE_SNAPSHOT_MAX);
}

/* -- subscriptions ------------------------------------------------------------------------- */

static void change_subscription(struct request *request, enum command_kind kind)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_appended);
    if (!errand)
        return;
    struct inquiry *inquiry = inquiry_new(errand, PRESENCE_RELOAD, 1);
    if (!inquiry) {
        errand_refuse(errand, ERR_MEMORY, NULL);
        return;
    }
    struct command *command = &errand->command;
    command->kind = kind;
    command->target = request_parameter(request, 0);
    command->all_visible =
        request_app(request)->settings->presence_visible == PRESENCE_VISIBLE_REALM;
    inquiry->silent = kind == COMMAND_UNSUBSCRIBE_PRESENCE;
    inquiry->call.states[0].user = command->target;
    errand_append(errand);
}

void subscription_put(struct request *request)
{
    change_subscription(request, COMMAND_SUBSCRIBE_PRESENCE);
}

void subscription_delete(struct request *request)
{
    change_subscription(request, COMMAND_UNSUBSCRIBE_PRESENCE);
}
