#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "core/body.h"
#include "store/act.h"

/* Edits of one message that are rewritten at once. */
#define EDITS_AT_ONCE 64

/* Each stands in the journal and is rewritten when the message is deleted, so there is an end. */
static int check_edits(struct act *act, bool *ret_full)
{
    int64_t limit = act->apply->settings->limits_edits;
    int64_t count = 0;
    int err = 0;
    if (limit > 0)
        err = act->ledger->ops->edit_count(act->ledger, act->scene.room.place,
                                           act->scene.message.id, limit, &count);
    *ret_full = limit > 0 && count >= limit;
    return err;
}

static bool same_value(struct span a, struct span b)
{
    if (!a.data || !b.data)
        return !a.data && !b.data;
    if (span_equal(a, b))
        return true;
    json_t *left = json_loadb(a.data, a.len, JSON_DECODE_ANY, NULL);
    json_t *right = json_loadb(b.data, b.len, JSON_DECODE_ANY, NULL);
    bool same = left && right && json_equal(left, right);
    json_decref(left);
    json_decref(right);
    return same;
}

/* As JSON values. */
static bool same_content(struct span a, struct span b)
{
    static const char *const names[] = {"text", "message", "mentions"};
    for (size_t i = 0; i < array_count(names); i++) {
        if (!same_value(body_member(a, names[i]), body_member(b, names[i])))
            return false;
    }
    return true;
}

int act_edit_message(struct act *act)
{
    struct command *command = act->command;
    struct ledger *ledger = act->ledger;
    const struct ledger_event *message = &act->scene.message;
    struct ledger_event event = {
        .type = EVENT_MESSAGE_EDITED,
        .place = act->scene.room.place,
        .room_id = command->room,
        .target = message->id,
    };
    struct frame *frame;
    bool full;
    int missed = 0;
    int err = ledger_put_off(
        scene_heed_blocks(ledger, &act->scene, command, &act->apply->scratch, &act->said), &missed);
    if (!err && missed)
        err = check_edits(act, &full);
    if (err || missed)
        return err ? err : missed;
    if (same_content(message->body, act->said.body)) {
        command->outcome.repeated = true;
        command->outcome.timestamp_ms = body_number(message->body, "editedAt");
        return 0;
    }
    err = check_edits(act, &full);
    if (err || full)
        return err ? err : act_refuse(act, ERR_TOO_MANY_EDITS);
    err = body_edited(&act->apply->scratch, message->body, act->said.body, act->apply->now_ms,
                      &event.body);
    if (!err)
        err = act_frame(act, &event, &frame);
    if (err)
        return err == ERR_FULL ? act_refuse(act, ERR_BODY_TOO_LARGE) : err;
    err = act_begin(act);
    if (!err)
        err = ledger->ops->event_rewrite(ledger, act->scene.realm.place, message->id, event.body,
                                         false);
    if (err) {
        frame_unref(frame);
        return err;
    }
    err = act_store(act, &event, frame);
    return err ? err
               : act_recount_mentions(act, message, act->said.mentions,
                                      act->said.mention_count);
}

struct edits {
    struct event_id ids[EDITS_AT_ONCE];
    int count;
};

static int note_edit(void *context, struct event_id id, place_number place, enum event_type type)
{
    struct edits *edits = context;
    assert(type == EVENT_MESSAGE_EDITED && edits->count < EDITS_AT_ONCE);
    edits->ids[edits->count++] = id;
    return 0;
}

/* An edit says when it was made, as before. */
static int erase_edit(struct act *act, const struct ledger_event *message, struct event_id id)
{
    struct arena scratch;
    struct ledger_event edit;
    struct span body;
    struct ledger *ledger = act->ledger;
    place_number realm = act->scene.realm.place;
    arena_init(&scratch, 2 * EVENT_BYTES_MAX);
    int err = ledger->ops->event_find(ledger, realm, id, &scratch, &edit);
    if (!err)
        err = body_erased(&scratch, message->body, edit.timestamp_ms, &body);
    if (!err)
        err = ledger->ops->event_rewrite(ledger, realm, id, body, true);
    act->apply->rewritten++;
    arena_fini(&scratch);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

static int erase_edits(struct act *act, const struct ledger_event *message, bool *ret_any)
{
    struct ledger *ledger = act->ledger;
    struct event_id after = message->id;
    struct edits edits;
    int err, missed = 0;
    *ret_any = false;
    do {
        edits.count = 0;
        err = ledger->ops->edits(ledger, message->place, message->id, after, EDITS_AT_ONCE,
                                 note_edit, &edits);
        if (!err)
            err = ledger_put_off(ledger_expect(ledger, act->scene.realm.place, edits.ids,
                                               edits.count),
                                 &missed);
        for (int i = 0; i < edits.count && !err; i++)
            err = ledger_put_off(erase_edit(act, message, edits.ids[i]), &missed);
        if (edits.count > 0) {
            after = edits.ids[edits.count - 1];
            *ret_any = true;
        }
    } while (!err && edits.count == EDITS_AT_ONCE);
    return err ? err : missed;
}

/* Its edits, what hangs on it, then the message itself, whose texts go with that. */
static int erase_content(struct act *act, const struct ledger_event *message, bool *ret_edited)
{
    struct arena scratch;
    struct span body;
    int missed = 0;
    int err = ledger_put_off(erase_edits(act, message, ret_edited), &missed);
    if (!err)
        err = ledger_put_off(act_uncount_message(act, message), &missed);
    if (!err)
        err = ledger_put_off(act_uncount_reply(act, message), &missed);
    if (!err)
        err = ledger_put_off(
            act->ledger->ops->reactions_clear(act->ledger, message->place, message->id), &missed);
    if (err)
        return err;
    arena_init(&scratch, EVENT_BYTES_MAX);
    err = body_erased(&scratch, message->body, 0, &body);
    if (!err)
        err = act->ledger->ops->event_rewrite(act->ledger, act->scene.realm.place, message->id,
                                              body, true);
    arena_fini(&scratch);
    return err ? err : missed;
}

int act_erase_message(struct act *act, const struct ledger_event *message)
{
    char body[4 * IDENT_BYTES_MAX + 64];
    const struct command *command = act->command;
    struct ledger_event event = {
        .type = EVENT_MESSAGE_DELETED,
        .place = message->place,
        .room_id = command->room,
        .target = message->id,
    };
    struct frame *frame;
    assert(message->type == EVENT_NEW_MESSAGE && !message->deleted);
    assert(message->place == act->scene.room.place);
    /* Names need no escapes. */
    int len =
        snprintf(body, sizeof(body),
                 "{\"roomId\":\"%.*s\",\"messageId\":\"%.*s\"%s%.*s%s"
                 ",\"by\":\"%.*s\"}",
                 SPAN_ARGS(command->room), SPAN_ARGS(message->message_id),
                 message->thread_id.data ? ",\"threadId\":\"" : "", SPAN_ARGS(message->thread_id),
                 message->thread_id.data ? "\"" : "", SPAN_ARGS(command->actor.user));
    assert(len > 0 && (size_t)len < sizeof(body));
    event.body = span_of(body, (size_t)len);
    int err = erase_content(act, message, &event.target_edited);
    if (!err)
        err = act_frame(act, &event, &frame);
    return err ? err : act_store(act, &event, frame);
}

int act_delete_message(struct act *act)
{
    if (act->scene.facts.message_deleted) {
        act->command->outcome.repeated = true;
        return 0;
    }
    int err = act_begin(act);
    return err ? err : act_erase_message(act, &act->scene.message);
}
