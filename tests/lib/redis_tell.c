#include "redis_steps.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/unread.h"

#define READS 40

static void tell(struct telling *telling, const char *format, ...)
{
    char text[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_int_equal(buf_add_text(&telling->text, text), 0);
}

static void tell_id(struct telling *telling, struct event_id id)
{
    char text[EVENT_ID_TEXT_MAX];
    event_id_format(id, text);
    tell(telling, " %s", text);
}

static void tell_text(struct telling *telling, struct span text)
{
    tell(telling, text.data ? " '%.*s'" : " -", SPAN_ARGS(text));
}

static int tell_event(void *context, const struct ledger_event *event)
{
    struct telling *telling = context;
    const struct span texts[] = {event->room_id,   event->sender_id, event->user_id,
                                 event->type_name, event->spared,    event->message_id,
                                 event->thread_id, event->body,      event->own_body};
    tell_id(telling, event->id);
    tell(telling, " place %d type %d audience %d at %lld from %d user %d room %d ordinal %d",
         (int)event->place, event->type, event->audience, (long long)event->timestamp_ms,
         (int)event->sender, (int)event->user, (int)event->room, (int)event->ordinal);
    tell_id(telling, event->target);
    for (size_t i = 0; i < array_count(texts); i++)
        tell_text(telling, texts[i]);
    tell(telling, " digest %d deleted %d\n", event->digest[3], event->deleted);
    return 0;
}

static int tell_found(void *context, struct event_id id, place_number place, enum event_type type)
{
    tell_id(context, id);
    tell(context, "/%d/%d", (int)place, type);
    return 0;
}

static int tell_reaction(void *context, const struct ledger_reaction *reaction)
{
    tell_text(context, reaction->key);
    tell(context, " %d%s:", (int)reaction->count, reaction->mine ? " mine" : "");
    for (int i = 0; i < reaction->user_count; i++)
        tell_text(context, reaction->users[i]);
    return 0;
}

static int one_of(struct telling *telling, int count)
{
    return (int)((unsigned)rand_r(&telling->seed) % (unsigned)count);
}

/* One that there is, or one near it, or 0-0. */
static struct event_id some_id(struct telling *telling)
{
    const struct world *world = telling->world;
    struct event_id id = EVENT_ID_NONE;
    if (world->id_count > 0)
        id = world->ids[one_of(telling, world->id_count)];
    switch (one_of(telling, 6)) {
    case 0:
        return event_id_next(id);
    case 1:
        return EVENT_ID_NONE;
    default:
        return id;
    }
}

static int tell_range(struct telling *telling, struct ledger *ledger)
{
    const struct world *world = telling->world;
    const struct sent *sent = &world->sent[one_of(telling, world->sent_count + 1)];
    struct ledger_range range = {
        .after = some_id(telling),
        .before = some_id(telling),
        .limit = 1 + one_of(telling, 20),
        .newest_first = one_of(telling, 2),
    };
    int place = one_of(telling, ROOMS + USERS + 1);
    range.place = place < ROOMS           ? world->rooms[place]
                  : place < ROOMS + USERS ? world->users[place - ROOMS]
                                          : world->realm;
    range.messages_only = place < ROOMS && one_of(telling, 2);
    if (range.messages_only && one_of(telling, 2) && sent->id[0])
        range.thread = span_text(sent->id);
    if (event_id_compare(range.after, range.before) >= 0)
        range.before = EVENT_ID_LAST;
    tell(telling, "range of %d:", (int)range.place);
    return one_of(telling, 2) ? ledger->ops->events(ledger, &range, tell_event, telling)
                              : ledger->ops->ids(ledger, &range, tell_found, telling);
}

static int tell_message(struct telling *telling, struct ledger *ledger)
{
    const struct world *world = telling->world;
    const struct sent *sent = &world->sent[one_of(telling, world->sent_count + 1)];
    place_number room = world->rooms[sent->room], user = world->users[one_of(telling, USERS)];
    struct ledger_event message;
    int64_t count = 0;
    int keys_count, missed = 0;
    bool has;
    int err = ledger_put_off(
        ledger->ops->replies_waiting(ledger, room, span_text(sent->id), &count), &missed);
    tell(telling, "message %s: %d waiting", sent->id, (int)count);
    if (!err)
        err = ledger->ops->message_find(ledger, room, span_text(sent->id), NULL, &message);
    if (err)
        return err;
    tell_event(telling, &message);
    err = ledger_put_off(ledger->ops->edits(ledger, room, message.id, some_id(telling),
                                            1 + one_of(telling, 3), tell_found, telling),
                         &missed);
    if (!err)
        err = ledger_put_off(ledger->ops->edit_count(ledger, room, message.id, 1000, &count),
                             &missed);
    tell(telling, " %d edits", (int)count);
    if (!err)
        err = ledger_put_off(ledger->ops->replies(ledger, room, message.id, &count), &missed);
    tell(telling, " %d replies", (int)count);
    if (!err)
        err = ledger_put_off(
            ledger->ops->reactions(ledger, room, message.id, user, NULL, tell_reaction, telling),
            &missed);
    if (!err)
        err = ledger_put_off(ledger->ops->reaction_keys(ledger, room, message.id,
                                                        span_text(step_keys[0]), &keys_count, &has),
                             &missed);
    if (!err && !missed)
        tell(telling, " %d keys %d", keys_count, has);
    return err ? err : missed;
}

static int tell_marker(struct telling *telling, struct ledger *ledger, bool is_redis)
{
    const struct step step = {.room = one_of(telling, ROOMS), .user = one_of(telling, USERS)};
    struct run run = {telling->world, ledger, is_redis, &step, EVENT_ID_NONE};
    place_number user = telling->world->users[step.user];
    struct ledger_marker marker;
    int64_t mentions;
    int err = step_marker(&run, user, &marker);
    if (!err)
        err = unread_mentions(ledger, telling->world->rooms[step.room], user, &marker, &mentions);
    if (err)
        return err;
    tell(telling, "marker of %d in %d:", step.user, step.room);
    tell_id(telling, marker.read);
    tell(telling, " %d at %lld, %d mentions", (int)marker.ordinal, (long long)marker.moved_ms,
         (int)mentions);
    return 0;
}

static int tell_sender(struct telling *telling, struct ledger *ledger)
{
    const struct world *world = telling->world;
    place_number user = world->users[one_of(telling, USERS)];
    place_number room = world->rooms[one_of(telling, ROOMS)];
    struct event_id id;
    int64_t timestamp_ms;
    tell(telling, "sent by %d in %d:", (int)user, (int)room);
    int err = ledger->ops->messages_of_sender(ledger, user, room, some_id(telling),
                                              1 + one_of(telling, 10), tell_found, telling);
    if (!err)
        err = ledger->ops->last_message_of_sender(ledger, user, room, &id, &timestamp_ms);
    if (err)
        return err;
    tell(telling, " last at %lld", (long long)timestamp_ms);
    tell_id(telling, id);
    return 0;
}

static int tell_below(struct telling *telling, struct ledger *ledger)
{
    const struct world *world = telling->world;
    struct event_id id = some_id(telling), found;
    place_number room = world->rooms[one_of(telling, ROOMS)];
    uint64_t number;
    bool is_message = one_of(telling, 2);
    int err = is_message
                  ? ledger->ops->message_at_or_below(ledger, room, id, &found, &number)
                  : ledger->ops->event_at_or_below(ledger, world->realm, id, &found, &number);
    tell(telling, is_message ? "message of %d at or below" : "event at or below", (int)room);
    tell_id(telling, id);
    if (err)
        return err;
    tell_id(telling, found);
    tell(telling, " number %d", (int)number);
    return 0;
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

/* Walks over the realm, then looks at what was found. */
static int tell_walk(struct telling *telling, struct ledger *ledger)
{
    const struct world *world = telling->world;
    struct list list = {.count = 0};
    int missed = 0;
    tell(telling, "walk:");
    int err = ledger->ops->realm_ids(ledger, world->realm, some_id(telling),
                                     1 + one_of(telling, 60), note_id, &list);
    if (!err)
        err = ledger_put_off(ledger_expect(ledger, world->realm, list.ids, list.count), &missed);
    for (int i = 0; i < list.count && !err; i++) {
        struct ledger_event event;
        err = ledger->ops->event_find(ledger, world->realm, list.ids[i], NULL, &event);
        err = err ? ledger_put_off(err, &missed) : tell_event(telling, &event);
    }
    return err ? err : missed;
}

static int tell_one(struct telling *telling, struct ledger *ledger, bool is_redis)
{
    const struct world *world = telling->world;
    place_number room = world->rooms[one_of(telling, ROOMS)];
    struct ledger_event event;
    struct ledger_once once;
    char name[16];
    uint64_t count, node;
    int err;
    switch (one_of(telling, 8)) {
    case 0:
        err = ledger->ops->event_find(ledger, world->realm, some_id(telling), NULL, &event);
        return err ? err : tell_event(telling, &event);
    case 1:
        return tell_message(telling, ledger);
    case 2:
        return tell_marker(telling, ledger, is_redis);
    case 3:
        return tell_sender(telling, ledger);
    case 4:
        return tell_below(telling, ledger);
    case 5:
        return tell_walk(telling, ledger);
    case 6:
        snprintf(name, sizeof(name), "c%d", one_of(telling, 3));
        err =
            ledger->ops->once_find(ledger, room, span_text(name), world->now_ms - WINDOW_MS, &once);
        tell(telling, "once %s", name);
        if (err)
            return err;
        tell_id(telling, once.id);
        tell(telling, " of %d at %lld, %d", (int)once.sender, (long long)once.timestamp_ms,
             once.digest[0]);
        return 0;
    default:
        node = 1 + (uint64_t)one_of(telling, 60) +
               memory_room_at(&telling->world->memory, room)->trimmed_ordinal;
        err = ledger->ops->erased_count(ledger, room, node, &count);
        if (!err)
            tell(telling, "erased %d", (int)count);
        return err ? err : tell_range(telling, ledger);
    }
}

int telling_all(struct telling *telling, struct ledger *ledger, bool is_redis)
{
    unsigned seed = telling->seed;
    int err = 0, missed = 0;
    telling->text.len = 0;
    for (int i = 0; i < READS && !err; i++) {
        telling->seed = seed + (unsigned)i;
        err = ledger_put_off(tell_one(telling, ledger, is_redis), &missed);
        if (err == ERR_NOT_FOUND) {
            tell(telling, " none");
            err = 0;
        }
        tell(telling, "\n");
    }
    telling->seed = seed;
    return err ? err : missed;
}
