#include "redis_steps.h"

#include <stdio.h>

#include "store/unread.h"

const char *const step_users[USERS] = {"ann", "bob", "cyd", "dee"};
const char *const step_keys[KEYS] = {"+1", "heart", "\xf0\x9f\x91\x8d"};
const char *const step_rooms[ROOMS] = {"den", "tea"};

static place_number room_of(const struct run *run)
{
    return run->world->rooms[run->step->room];
}

static place_number user_of(const struct run *run)
{
    return run->world->users[run->step->user];
}

static int add(struct run *run, struct ledger_event *event)
{
    struct world *world = run->world;
    int err = 0;
    event->sender = user_of(run);
    event->sender_id = span_text(step_users[run->step->user]);
    event->timestamp_ms = run->step->now_ms;
    event->number = (uint64_t)world->id_count + 1;
    event->id = run->step->id;
    if (run->is_redis)
        err = run->ledger->ops->id_next(run->ledger, world->realm, world->now_ms, &event->id);
    run->made = event->id;
    return err ? err : run->ledger->ops->event_add(run->ledger, world->realm, event);
}

static struct ledger_event event_of(const struct run *run, enum event_type type)
{
    return (struct ledger_event){
        .type = type,
        .place = room_of(run),
        .room_id = span_text(step_rooms[run->step->room]),
        .body = span_text(run->step->text),
    };
}

int step_marker(struct run *run, place_number user, struct ledger_marker *ret)
{
    struct ledger_member member;
    if (run->is_redis)
        return redis_marker_get(redis_ledger_of(run->ledger), room_of(run), user, ret);
    int err = run->ledger->ops->member_find(run->ledger, room_of(run), user, &member);
    *ret = member.marker;
    return err;
}

static int find_message(struct run *run, struct ledger_event *ret)
{
    const struct sent *sent = &run->world->sent[run->step->message];
    return run->ledger->ops->message_find(run->ledger, room_of(run), span_text(sent->id), NULL,
                                          ret);
}

static int count_reply(struct run *run, struct span thread, int change)
{
    struct ledger_event root;
    int err = run->ledger->ops->message_find(run->ledger, room_of(run), thread, NULL, &root);
    if (!err)
        err = run->ledger->ops->replies_add(run->ledger, room_of(run), root.id, change);
    return err == ERR_NOT_FOUND ? 0 : err; /* trimmed */
}

static int send(struct run *run)
{
    const struct step *step = run->step;
    const struct ledger_ops *ops = run->ledger->ops;
    const struct sent *sent = &run->world->sent[step->message];
    struct ledger_event event = event_of(run, EVENT_NEW_MESSAGE), earlier;
    uint64_t *ordinal = &run->world->ordinals[step->room];
    int err =
        ops->message_find_repeat(run->ledger, room_of(run), span_text(sent->id), NULL, &earlier);
    if (err != ERR_NOT_FOUND)
        return err ? err : ERR_INTERNAL;
    event.message_id = span_text(sent->id);
    memset(event.digest, 0xf0 + step->key, sizeof(event.digest));
    if (step->thread >= 0)
        event.thread_id = span_text(run->world->sent[step->thread].id);
    event.ordinal = *ordinal + !event.thread_id.data;
    err = add(run, &event);
    if (!run->is_redis)
        *ordinal = event.ordinal;
    if (!err && event.thread_id.data)
        err = count_reply(run, event.thread_id, 1);
    const struct ledger_marker marker = {.read = event.id, .ordinal = event.ordinal};
    if (!err)
        err = ops->marker_put(run->ledger, room_of(run), user_of(run), &marker);
    if (!err && !run->is_redis)
        err = ops->mentions_read(run->ledger, room_of(run), user_of(run), event.id);
    if (!err && step->other != step->user && !event.thread_id.data)
        err = ops->mention_add(run->ledger, room_of(run), run->world->users[step->other], event.id);
    return err;
}

static int edit(struct run *run)
{
    struct ledger_event message, event = event_of(run, EVENT_MESSAGE_EDITED);
    int err = find_message(run, &message);
    if (err || message.deleted)
        return err;
    event.target = message.id;
    err = run->ledger->ops->event_rewrite(run->ledger, run->world->realm, message.id, event.body,
                                          false);
    return err ? err : add(run, &event);
}

struct list {
    struct event_id ids[100];
    int count;
};

static int note_id(void *context, struct event_id id, place_number place, enum event_type type)
{
    struct list *list = context;
    list->ids[list->count++] = id;
    return 0;
}

static int erase_edits(struct run *run, const struct ledger_event *message)
{
    struct list list = {.count = 0};
    int missed = 0;
    int err = run->ledger->ops->edits(run->ledger, room_of(run), message->id, message->id, 100,
                                      note_id, &list);
    for (int i = 0; i < list.count && !err; i++)
        err = ledger_put_off(run->ledger->ops->event_rewrite(run->ledger, run->world->realm,
                                                             list.ids[i], span_text("{}"), true),
                             &missed);
    return err ? err : missed;
}

static int erase(struct run *run)
{
    struct ledger_event message, event = event_of(run, EVENT_MESSAGE_DELETED);
    const struct ledger_ops *ops = run->ledger->ops;
    /* By its id, as the messages of a sender are found, or by its messageId. */
    int err = run->step->key
                  ? ops->event_find(run->ledger, run->world->realm,
                                    run->world->sent[run->step->message].event, NULL, &message)
                  : find_message(run, &message);
    if (err || message.deleted)
        return err;
    event.target = message.id;
    err = erase_edits(run, &message);
    if (!err && !message.thread_id.data)
        err = unread_erase(run->ledger, room_of(run), message.ordinal);
    if (!err && message.thread_id.data)
        err = count_reply(run, message.thread_id, -1);
    if (!err)
        err = ops->mentions_remove(run->ledger, room_of(run), message.id);
    if (!err)
        err = ops->reactions_clear(run->ledger, room_of(run), message.id);
    if (!err)
        err = ops->event_rewrite(run->ledger, run->world->realm, message.id, span_text("{}"), true);
    return err ? err : add(run, &event);
}

static int react(struct run *run)
{
    const struct ledger_ops *ops = run->ledger->ops;
    bool adds = run->step->what == REACT;
    struct span key = span_text(step_keys[run->step->key]);
    struct ledger_event message;
    struct ledger_event event = event_of(run, adds ? EVENT_REACTION_ADDED : EVENT_REACTION_REMOVED);
    int err = find_message(run, &message);
    if (err || message.deleted)
        return err;
    err = ops->reaction_find(run->ledger, room_of(run), message.id, key, user_of(run));
    if (err != (adds ? ERR_NOT_FOUND : 0))
        return err == ERR_NOT_FOUND ? 0 : err;
    err = add(run, &event);
    if (!err && adds)
        err = ops->reaction_add(run->ledger, room_of(run), message.id, key, user_of(run), event.id);
    else if (!err)
        err = ops->reaction_remove(run->ledger, room_of(run), message.id, key, user_of(run));
    return err;
}

static int custom(struct run *run)
{
    const struct ledger_ops *ops = run->ledger->ops;
    char name[16];
    struct ledger_once once;
    struct ledger_event event = event_of(run, EVENT_CUSTOM);
    snprintf(name, sizeof(name), "c%d", run->step->key);
    int err = ops->once_find(run->ledger, room_of(run), span_text(name),
                             run->step->now_ms - WINDOW_MS, &once);
    if (err != ERR_NOT_FOUND)
        return err;
    event.type_name = span_text("custom.x");
    event.spared = span_text("s1");
    err = add(run, &event);
    once = (struct ledger_once){
        .sender = user_of(run), .id = event.id, .timestamp_ms = run->step->now_ms};
    memset(once.digest, run->step->key, sizeof(once.digest));
    return err ? err : ops->once_add(run->ledger, room_of(run), span_text(name), &once);
}

static int quiet(struct run *run)
{
    struct ledger_event event = event_of(run, EVENT_USER_JOINED);
    bool is_realm = run->step->what == REALM;
    event.room = is_realm ? 0 : event.place;
    event.audience = is_realm ? AUDIENCE_REALM : AUDIENCE_USER;
    event.user = is_realm ? 0 : user_of(run);
    event.place = is_realm ? run->world->realm : event.user;
    event.user_id = is_realm ? span_of(NULL, 0) : span_text(step_users[run->step->user]);
    event.room_id = is_realm ? span_of(NULL, 0) : event.room_id;
    return add(run, &event);
}

static int read_upto(struct run *run)
{
    const struct ledger_ops *ops = run->ledger->ops;
    struct ledger_marker old, marker = {.read = run->step->upto, .moved_ms = run->step->now_ms};
    struct event_id id;
    int err = step_marker(run, user_of(run), &old);
    if (err || event_id_compare(old.read, marker.read) >= 0)
        return err;
    err = ops->message_at_or_below(run->ledger, room_of(run), marker.read, &id, &marker.ordinal);
    err = err == ERR_NOT_FOUND ? 0 : err;
    /* As a command does that has run into one of its own batch. */
    if (!err && marker.ordinal >= REDIS_PENDING_ORDINAL)
        return ERR_AGAIN;
    if (!err)
        err = ops->marker_put(run->ledger, room_of(run), user_of(run), &marker);
    return err ? err : ops->mentions_read(run->ledger, room_of(run), user_of(run), marker.read);
}

int step_do(struct run *run)
{
    static int (*const acts[WHATS])(struct run * run) = {
        [SEND] = send,     [EDIT] = edit,   [ERASE] = erase, [REACT] = react,    [UNREACT] = react,
        [CUSTOM] = custom, [QUIET] = quiet, [REALM] = quiet, [READ] = read_upto,
    };
    run->made = EVENT_ID_NONE;
    return acts[run->step->what](run);
}
