#include "store/apply.h"

#include <assert.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/act.h"
#include "store/shape.h"

/* Texts of the records a command touches, and the bodies of one event. */
#define SCRATCH_BYTES_MAX (4u << 20)

void apply_init(struct apply *apply, struct ledger *ledger, const struct settings *settings)
{
    *apply = (struct apply){.ledger = ledger, .settings = settings};
    arena_init(&apply->scratch, SCRATCH_BYTES_MAX);
}

void apply_forget(struct apply *apply)
{
    for (int i = 0; i < apply->frame_count; i++)
        frame_unref(apply->frames[i]);
    apply->frame_count = apply->rewritten = 0;
}

void apply_tell(struct apply *apply, journal_follower follower, void *context)
{
    int64_t now_us = clock_now_us();
    for (int i = 0; i < apply->frame_count; i++) {
        apply->frames[i]->committed_us = now_us;
        if (apply->frames[i]->own)
            apply->frames[i]->own->committed_us = now_us;
    }
    metric_add(METRIC_PUBLISHED, apply->frame_count);
    if (follower && apply->frame_count > 0)
        follower(context, apply->frames, apply->frame_count);
    apply_forget(apply);
}

void apply_fini(struct apply *apply)
{
    apply_forget(apply);
    free(apply->frames);
    apply->frames = NULL;
    apply->frame_size = 0;
    arena_fini(&apply->scratch);
}

static int room_for_frame(struct apply *apply)
{
    if (apply->frame_count < apply->frame_size)
        return 0;
    int size = apply->frame_size ? 2 * apply->frame_size : 64;
    struct frame **frames = realloc(apply->frames, (size_t)size * sizeof(struct frame *));
    if (!frames)
        return ERR_MEMORY;
    apply->frames = frames;
    apply->frame_size = size;
    return 0;
}

static bool same_text(struct span a, struct span b)
{
    return !a.data == !b.data && span_equal(a, b);
}

/* The newest name and data count; the app's backend, which acts for others, may leave them. */
static int note_profile(struct act *act)
{
    const struct actor *actor = &act->command->actor;
    struct ledger_user *user = &act->scene.actor;
    if (actor->service && !actor->name.data && !actor->data.data)
        return 0;
    if (same_text(actor->name, user->name) && same_text(actor->data, user->data))
        return 0;
    int err = act->ledger->ops->user_set(act->ledger, user->place, actor->name, actor->data);
    user->name = actor->name;
    user->data = actor->data;
    return err;
}

int act_user(struct act *act, struct span id, struct ledger_user *ret)
{
    place_number realm = act->scene.realm.place;
    struct ledger_user user;
    int err = act->ledger->ops->user_find(act->ledger, realm, id, &act->apply->scratch, &user);
    if (err == ERR_NOT_FOUND) {
        user = (struct ledger_user){.id = id};
        err = act->ledger->ops->user_add(act->ledger, realm, id, &user.place);
    }
    if (!err)
        *ret = user;
    return err;
}

int act_begin(struct act *act)
{
    struct scene *scene = &act->scene;
    int err = 0;
    if (!scene->realm.place)
        err = act->ledger->ops->realm_add(act->ledger, act->command->realm, &scene->realm);
    if (!err && !scene->actor.place)
        err = act_user(act, act->command->actor.user, &scene->actor);
    return err ? err : note_profile(act);
}

int act_frame(struct act *act, struct ledger_event *event, struct frame **ret)
{
    struct scene *scene = &act->scene;
    const struct command *command = act->command;
    int err =
        act->ledger->ops->id_next(act->ledger, scene->realm.place, act->apply->now_ms, &event->id);
    if (err)
        return err;
    assert(event_id_compare(event->id, scene->realm.head) > 0);
    event->number = scene->realm.head_number + 1;
    event->timestamp_ms = act->apply->now_ms;
    event->spared = command->spared;
    struct frame_spec spec = ledger_frame_spec(event, command->realm);
    spec.room = command->room;
    if (event->type == EVENT_NEW_MESSAGE)
        spec.sender = command->actor.user;
    spec.spared_user = command->spared.data ? command->actor.user : (struct span){0};
    spec.own_body = event->own_body;
    spec.members = event->members =
        act->room.id.data ? act->room.member_count : scene->room.info.member_count;
    return frame_new(&spec, ret);
}

static int store(struct act *act, const struct ledger_event *event)
{
    struct scene *scene = &act->scene;
    struct outcome *outcome = &act->command->outcome;
    int err = act->ledger->ops->event_add(act->ledger, scene->realm.place, event);
    if (err)
        return err;
    scene->realm.head = event->id;
    scene->realm.head_number = event->number;
    if (event_id_is_none(outcome->id)) {
        outcome->id = event->id;
        outcome->timestamp_ms = event->timestamp_ms;
    }
    return 0;
}

int act_store(struct act *act, const struct ledger_event *event, struct frame *frame)
{
    struct apply *apply = act->apply;
    struct ledger_event stored = *event;
    stored.sender = act->scene.actor.place;
    stored.sender_id = act->command->actor.user;
    assert(stored.sender != 0);
    int err = room_for_frame(apply);
    if (!err)
        err = store(act, &stored);
    if (err) {
        frame_unref(frame);
        return err;
    }
    apply->frames[apply->frame_count++] = frame;
    return 0;
}

int act_emit(struct act *act, struct ledger_event *event, json_t *body, json_t *own)
{
    struct frame *frame = NULL;
    arena_init(&act->bodies, SCRATCH_BYTES_MAX);
    int err = shape_text(&act->bodies, body, &event->body);
    if (own) {
        int err_own = shape_text(&act->bodies, own, &event->own_body);
        err = err ? err : err_own;
    }
    if (!err)
        err = act_frame(act, event, &frame);
    if (!err)
        err = act_store(act, event, frame);
    event->body = event->own_body = (struct span){0};
    arena_fini(&act->bodies);
    return err;
}

/* What was stored under a messageId before. */
struct earlier {
    bool found;
    bool same; /* by the same sender, with the same content */
    struct event_id id;
    int64_t timestamp_ms;
};

static void earlier_note(const struct act *act, place_number sender, const unsigned char *digest,
                         struct earlier *earlier)
{
    earlier->found = true;
    earlier->same = sender == act->scene.actor.place &&
                    memcmp(digest, act->command->digest, COMMAND_DIGEST_BYTES) == 0;
}

static int find_earlier(struct act *act, struct earlier *earlier)
{
    struct ledger *ledger = act->ledger;
    struct command *command = act->command;
    place_number room = act->scene.room.place;
    int err;
    if (!room || !command->message_id.data)
        return 0;
    if (command->kind == COMMAND_SEND_MESSAGE) {
        struct ledger_event event;
        err = ledger->ops->message_find_repeat(ledger, room, command->message_id,
                                               &act->apply->scratch, &event);
        if (!err) {
            earlier_note(act, event.sender, event.digest, earlier);
            earlier->id = event.id;
            earlier->timestamp_ms = event.timestamp_ms;
        }
    } else {
        struct ledger_once once;
        int64_t since_ms = act->apply->now_ms - act->apply->settings->journal_dedup_window_ms;
        err = ledger->ops->once_find(ledger, room, command->message_id, since_ms, &once);
        if (!err) {
            earlier_note(act, once.sender, once.digest, earlier);
            earlier->id = once.id;
            earlier->timestamp_ms = once.timestamp_ms;
        }
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int remember_once(struct act *act, const struct ledger_event *event)
{
    if (event->type != EVENT_CUSTOM || !act->command->message_id.data)
        return 0;
    struct ledger_once once = {
        .sender = act->scene.actor.place, .id = event->id, .timestamp_ms = event->timestamp_ms};
    memcpy(once.digest, act->command->digest, sizeof(once.digest));
    return act->ledger->ops->once_add(act->ledger, event->place, act->command->message_id, &once);
}

static int post(struct act *act)
{
    struct command *command = act->command;
    bool message = command->kind == COMMAND_SEND_MESSAGE;
    assert(!message || command->message_id.data);
    struct ledger_event event = {
        .type = message ? EVENT_NEW_MESSAGE : EVENT_CUSTOM,
        .place = act->scene.room.place,
        .room_id = command->room,
        .body = act->said.body,
    };
    if (message) {
        event.message_id = command->message_id;
        event.thread_id = command->thread_id;
        event.ordinal = act_next_ordinal(act);
        memcpy(event.digest, command->digest, sizeof(event.digest));
    } else {
        event.type_name = command->type_name;
    }
    struct frame *frame;
    int missed = 0;
    int err = act_frame(act, &event, &frame);
    if (err == ERR_FULL)
        return act_refuse(act, ERR_BODY_TOO_LARGE);
    if (err)
        return err;
    err = act_begin(act);
    if (err) {
        frame_unref(frame);
        return err;
    }
    err = act_store(act, &event, frame);
    if (!err && message)
        err = ledger_put_off(act_count_replies(act, &event), &missed);
    if (!err)
        err = message ? act_count_message(act, &event) : remember_once(act, &event);
    return err ? err : missed;
}

/* A repeat is answered before permission is asked: it was given when it counted. What another
 * sent under the name is told only to who may post here. */
static int decide_and_post(struct act *act)
{
    struct earlier earlier = {0};
    struct outcome *outcome = &act->command->outcome;
    int missed = 0;
    int err = ledger_put_off(find_earlier(act, &earlier), &missed);
    if (!err && missed)
        err = ledger_put_off(scene_heed_blocks(act->ledger, &act->scene, act->command,
                                               &act->apply->scratch, &act->said),
                             &missed);
    if (err || missed)
        return err ? err : missed;
    if (earlier.same) {
        outcome->repeated = true;
        outcome->id = earlier.id;
        outcome->timestamp_ms = earlier.timestamp_ms;
        return 0;
    }
    err = command_decide(act->command, &act->scene.facts, &outcome->retry_after_ms);
    if (err && !(err == ERR_RATE_LIMITED && earlier.found))
        return act_refuse(act, err);
    if (earlier.found)
        return act_refuse(act, ERR_MESSAGE_ID_REUSED);
    err =
        scene_heed_blocks(act->ledger, &act->scene, act->command, &act->apply->scratch, &act->said);
    return err ? err : post(act);
}

static int carry_out(struct act *act)
{
    struct outcome *outcome = &act->command->outcome;
    if (act->command->kind == COMMAND_SEND_MESSAGE || act->command->kind == COMMAND_CUSTOM_EVENT)
        return decide_and_post(act);
    int err = command_decide(act->command, &act->scene.facts, &outcome->retry_after_ms);
    if (err)
        return act_refuse(act, err);
    switch (act->command->kind) {
    case COMMAND_PUT_ROOM:
        return act_put_room(act);
    case COMMAND_DELETE_ROOM:
        return act_delete_room(act);
    case COMMAND_JOIN:
        return act_join(act);
    case COMMAND_LEAVE:
        return act_leave(act);
    case COMMAND_ADD_MEMBERS:
        return act_add_members(act);
    case COMMAND_PUT_MEMBER:
        return act_put_member(act);
    case COMMAND_REMOVE_MEMBER:
        return act_remove_member(act);
    case COMMAND_EDIT_MESSAGE:
        return act_edit_message(act);
    case COMMAND_DELETE_MESSAGE:
        return act_delete_message(act);
    case COMMAND_BAN:
        return act_ban(act);
    case COMMAND_LIFT_BAN:
        return act_lift_ban(act);
    case COMMAND_ADD_REACTION:
        return act_add_reaction(act);
    case COMMAND_REMOVE_REACTION:
        return act_remove_reaction(act);
    case COMMAND_OPEN_DIRECT:
        return act_open_direct(act);
    case COMMAND_BLOCK:
        return act_block(act);
    case COMMAND_UNBLOCK:
        return act_unblock(act);
    case COMMAND_ACK:
        return act_ack(act);
    case COMMAND_READ:
        return act_read(act);
    case COMMAND_PROFILE:
        return act_begin(act);
    case COMMAND_CHOOSE_PRESENCE:
        return act_choose_presence(act);
    case COMMAND_NOTE_SEEN:
        return act_note_seen(act);
    case COMMAND_SUBSCRIBE_PRESENCE:
        return act_subscribe_presence(act);
    case COMMAND_UNSUBSCRIBE_PRESENCE:
        return act_unsubscribe_presence(act);
    default:
        assert(!"a command of no kind");
        return ERR_INTERNAL;
    }
}

int apply_command(struct apply *apply, struct command *command, int64_t now_ms,
                  struct arena *results)
{
    struct act act = {
        .apply = apply,
        .ledger = apply->ledger,
        .command = command,
    };
    assert(apply->scratch.blocks == NULL);
    command->outcome = (struct outcome){0};
    apply->now_ms = now_ms;
    apply->results = results;
    int err = scene_gather(apply->ledger, command, now_ms, &apply->scratch, &act.scene);
    if (!err)
        err = carry_out(&act);
    command->outcome.head = act.scene.realm.head;
    if (act.scene.facts.room_exists)
        command->outcome.members = act.scene.facts.room.member_count;
    arena_fini(&apply->scratch);
    return err;
}

int apply_append(struct apply *apply, struct journal_append *append, int64_t now_ms)
{
    bool stopped = false;
    int before = apply_events(apply);
    append->done = append->count;
    for (int i = 0; i < append->count; i++) {
        struct command *command = &append->commands[i];
        if (!stopped && i > 0 && apply_events(apply) - before >= APPEND_EVENTS_MAX) {
            append->done = i;
            return 0;
        }
        if (stopped) {
            command->outcome = (struct outcome){.err = ERR_AGAIN};
            continue;
        }
        int err = apply_command(apply, command, now_ms, &append->request.arena);
        if (err)
            return err;
        stopped = append->ordered && command->outcome.err;
    }
    return 0;
}

/* A new device has the head it connected at; what a known one has, only it can say. */
static int device_note(struct ledger *ledger, place_number user, const struct journal_open *open,
                       int64_t now_ms)
{
    struct ledger_device value;
    int err = ledger->ops->device_find(ledger, user, open->device, &value);
    if (err == ERR_NOT_FOUND) {
        value.cursor = open->start;
        err = 0;
    }
    value.used_at_ms = now_ms;
    return err ? err : ledger->ops->device_put(ledger, user, open->device, &value);
}

int apply_device(struct apply *apply, const struct journal_open *open, int64_t now_ms)
{
    struct command command = {
        .kind = COMMAND_ACK, .actor = open->actor, .realm = open->follow.realm};
    struct act act = {.apply = apply, .ledger = apply->ledger, .command = &command};
    assert(open->device.data && apply->scratch.blocks == NULL);
    apply->now_ms = now_ms;
    int err = scene_gather(apply->ledger, &command, now_ms, &apply->scratch, &act.scene);
    if (!err)
        err = act_begin(&act);
    if (!err)
        err = device_note(apply->ledger, act.scene.actor.place, open, now_ms);
    arena_fini(&apply->scratch);
    return err;
}
