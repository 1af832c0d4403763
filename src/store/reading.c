#include "store/reading.h"

#include <assert.h>

#include "base/err.h"
#include "store/scene.h"
#include "store/reading_parts.h"
#include "store/shape.h"

int reading_keep(struct arena *arena, struct span *text)
{
    struct span copy = arena_copy(arena, *text);
    if (text->data && !copy.data)
        return ERR_MEMORY;
    *text = copy;
    return 0;
}

int reading_keep_room(struct arena *arena, struct room_info *room)
{
    int err = reading_keep(arena, &room->id);
    if (!err)
        err = reading_keep(arena, &room->name);
    if (!err)
        err = reading_keep(arena, &room->topic);
    if (!err)
        err = reading_keep(arena, &room->data);
    return err;
}

int reading_scene(struct ledger *ledger, struct span realm, struct span room,
                  const struct actor *actor, int64_t now_ms, struct arena *arena,
                  struct scene *ret)
{
    const struct command command = {
        .kind = COMMAND_PROFILE, .realm = realm, .room = room, .actor = *actor};
    int err = scene_gather(ledger, &command, now_ms, arena, ret);
    return err ? err : command_decide_read(actor, &ret->facts);
}

static int note_last_tenure(void *context, const struct ledger_tenure *tenure)
{
    *(struct event_id *)context = tenure->from;
    return 0;
}

int reading_floor(struct ledger *ledger, const struct ledger_room *room, place_number user,
                  bool privileged, struct event_id *ret)
{
    struct event_id from = EVENT_ID_NONE;
    int err = 0;
    if (user && room->info.kind != ROOM_PUBLIC &&
        room->info.history_from == HISTORY_FROM_JOINING && !privileged)
        err = ledger->ops->tenures(ledger, user, room->place, event_id_previous(EVENT_ID_LAST),
                                   note_last_tenure, &from);
    if (!err)
        *ret = event_id_previous(from);
    return err;
}

/* A page of rooms; one more than asked for tells that there are more. */
struct room_walk {
    struct journal_read *read;
    struct ledger_room *rooms; /* as the ledger has them; texts not to be used */
    struct ledger_marker *markers;
};

static int note_room(void *context, const struct ledger_room *room,
                     const struct ledger_member *member)
{
    struct room_walk *walk = context;
    struct journal_read *read = walk->read;
    if (read->room_count == read->limit) {
        read->next = read->rooms[read->room_count - 1].info.id;
        return 0;
    }
    struct read_room *found = &read->rooms[read->room_count];
    *found = (struct read_room){
        .info = room->info, .role = member->role, .notify = member->notify};
    walk->markers[read->room_count] = member->marker;
    walk->rooms[read->room_count++] = *room;
    return reading_keep_room(&read->request.arena, &found->info);
}

struct message_walk {
    struct arena *arena;
    struct span *text;
    int64_t *timestamp_ms;
};

static int note_message(void *context, const struct ledger_event *event)
{
    struct message_walk *walk = context;
    *walk->timestamp_ms = event->timestamp_ms;
    return shape_message(walk->arena, event->id, event->timestamp_ms, event->body, walk->text);
}

static int last_message(struct ledger *ledger, const struct ledger_room *room, place_number user,
                        bool privileged, struct arena *arena, struct read_room *found)
{
    struct ledger_range range = {
        .place = room->place,
        .before = EVENT_ID_LAST,
        .limit = 1,
        .newest_first = true,
        .messages_only = true,
    };
    struct message_walk walk = {arena, &found->last_message, &found->last_message_ms};
    int err = reading_floor(ledger, room, user, privileged, &range.after);
    return err ? err : ledger->ops->events(ledger, &range, note_message, &walk);
}

int reading_details(struct ledger *ledger, const struct ledger_room *room, place_number user,
                    bool privileged, struct arena *arena, struct read_room *found)
{
    int err = 0, missed = 0;
    if (room->info.kind == ROOM_DIRECT)
        err = ledger_put_off(reading_pair(ledger, room->place, arena, &found->pair), &missed);
    if (!err)
        err = last_message(ledger, room, user, privileged, arena, found);
    return err ? err : missed;
}

static int read_room(struct ledger *ledger, struct journal_read *read, int64_t now_ms,
                     struct arena *scratch)
{
    struct arena *arena = &read->request.arena;
    struct scene scene;
    int missed = 0;
    int err =
        reading_scene(ledger, read->realm, read->room, &read->actor, now_ms, scratch, &scene);
    if (err)
        return err;
    read->head = scene.realm.head;
    read->rooms = arena_alloc(arena, sizeof(*read->rooms));
    if (!read->rooms)
        return ERR_MEMORY;
    read->rooms[0] = (struct read_room){.info = scene.room.info,
                                        .role = scene.member.role,
                                        .notify = scene.member.notify};
    read->room_count = 1;
    err = reading_keep_room(arena, &read->rooms[0].info);
    if (err)
        return err;
    if (scene.member.role != ROLE_NONE)
        err = ledger_put_off(reading_marker(ledger, &scene.room, scene.actor.place,
                                            &scene.member.marker, &read->rooms[0].marker),
                             &missed);
    if (!err)
        err = reading_details(ledger, &scene.room, scene.actor.place,
                              reading_is_privileged(&read->actor, read->actor.grants), arena,
                              &read->rooms[0]);
    return err ? err : missed;
}

static int read_rooms_of_user(struct ledger *ledger, struct journal_read *read,
                              struct arena *scratch)
{
    struct arena *arena = &read->request.arena;
    struct scene scene;
    const struct command command = {
        .kind = COMMAND_PROFILE, .realm = read->realm, .actor = read->actor};
    int missed = 0;
    int err = scene_gather(ledger, &command, 0, scratch, &scene);
    if (err)
        return err;
    read->head = scene.realm.head;
    if (!scene.actor.place)
        return 0;
    size_t limit = (size_t)read->limit;
    struct room_walk walk = {.read = read,
                             .rooms = arena_alloc(scratch, limit * sizeof(*walk.rooms)),
                             .markers = arena_alloc(scratch, limit * sizeof(*walk.markers))};
    read->rooms = arena_alloc(arena, limit * sizeof(*read->rooms));
    if (!walk.rooms || !walk.markers || !read->rooms)
        return ERR_MEMORY;
    err = ledger->ops->rooms_of_user(ledger, scene.actor.place, read->from, read->limit + 1,
                                     note_room, &walk);
    for (int i = 0; i < read->room_count && !err; i++) {
        unsigned grants = grants_for(read->granted, read->rooms[i].info.id);
        err = ledger_put_off(reading_details(ledger, &walk.rooms[i], scene.actor.place,
                                             reading_is_privileged(&read->actor, grants), arena,
                                             &read->rooms[i]),
                             &missed);
        if (!err)
            err = ledger_put_off(reading_marker(ledger, &walk.rooms[i], scene.actor.place,
                                                &walk.markers[i], &read->rooms[i].marker),
                                 &missed);
    }
    return err ? err : missed;
}

static int note_member(void *context, const struct ledger_member *member)
{
    struct journal_read *read = context;
    struct arena *arena = &read->request.arena;
    if (read->member_count == read->limit) {
        read->next = read->members[read->member_count - 1].user;
        return 0;
    }
    struct read_member *found = &read->members[read->member_count++];
    *found = (struct read_member){
        .user = member->user_id,
        .role = member->role,
        .joined_at_ms = member->joined_at_ms,
        .muted_until_ms = member->muted_until_ms,
        .name = member->name,
        .data = member->data,
        .is_asker = span_equal(member->user_id, read->actor.user),
        .notify = member->notify,
    };
    int err = reading_keep(arena, &found->user);
    if (!err)
        err = reading_keep(arena, &found->name);
    if (!err)
        err = reading_keep(arena, &found->data);
    return err;
}

static int read_members(struct ledger *ledger, struct journal_read *read, int64_t now_ms,
                        struct arena *scratch)
{
    struct scene scene;
    int err =
        reading_scene(ledger, read->realm, read->room, &read->actor, now_ms, scratch, &scene);
    if (err)
        return err;
    read->head = scene.realm.head;
    read->room_members = scene.room.info.member_count;
    read->members = arena_alloc(&read->request.arena, (size_t)read->limit * sizeof(*read->members));
    if (!read->members)
        return ERR_MEMORY;
    return ledger->ops->members(ledger, scene.room.place, read->from, read->limit + 1, note_member,
                                read);
}

static int read_access(struct ledger *ledger, struct journal_read *read, int64_t now_ms,
                       struct arena *scratch)
{
    struct command *command = read->command;
    struct scene scene;
    command->outcome = (struct outcome){0};
    int err = scene_gather(ledger, command, now_ms, scratch, &scene);
    if (err)
        return err;
    read->head = scene.realm.head;
    command->outcome.head = scene.realm.head;
    command->outcome.timestamp_ms = now_ms;
    command->outcome.err = command_decide(command, &scene.facts, &command->outcome.retry_after_ms);
    if (scene.facts.room_exists)
        command->outcome.members = scene.facts.room.member_count;
    if (command->outcome.err || command->kind != COMMAND_SEND_MESSAGE)
        return 0;
    struct said said;
    err = scene_heed_blocks(ledger, &scene, command, scratch, &said);
    command->outcome.body = said.body;
    return err ? err : reading_keep(&read->request.arena, &command->outcome.body);
}

int reading_read(struct ledger *ledger, const struct settings *settings, struct journal_read *read,
                 int64_t now_ms)
{
    struct arena scratch;
    int err;
    read->rooms = NULL;
    read->members = NULL;
    read->unread = NULL;
    read->receipts = NULL;
    read->people = NULL;
    read->bans = NULL;
    read->blocks = NULL;
    read->partners = NULL;
    read->partner_count = 0;
    read->presence = (struct read_presence){0};
    read->room_count = read->member_count = read->unread_count = read->receipt_count = 0;
    read->person_count = read->ban_count = read->block_count = 0;
    read->next = (struct span){NULL, 0};
    read->head = EVENT_ID_NONE;
    arena_init(&scratch, READING_SCRATCH_BYTES_MAX);
    switch (read->what) {
    case READ_ROOM:
        err = read_room(ledger, read, now_ms, &scratch);
        break;
    case READ_ROOMS_OF_USER:
        assert(read->limit >= 1);
        err = read_rooms_of_user(ledger, read, &scratch);
        break;
    case READ_ROOMS_CHANGED:
        assert(read->limit >= 1);
        err = reading_changed(ledger, read, &scratch);
        break;
    case READ_MEMBERS:
        assert(read->limit >= 1);
        err = read_members(ledger, read, now_ms, &scratch);
        break;
    case READ_BANS:
        assert(read->limit >= 1);
        err = reading_bans(ledger, read, now_ms, &scratch);
        break;
    case READ_UNREAD:
        err = reading_unread(ledger, read, &scratch);
        break;
    case READ_RECEIPTS:
        err = reading_receipts(ledger, settings, read, &scratch);
        break;
    case READ_DELIVERED:
        err = reading_delivered(ledger, settings, read, &scratch);
        break;
    case READ_BLOCKS:
        assert(read->limit >= 1);
        err = reading_blocks(ledger, read, now_ms, &scratch);
        break;
    case READ_ACCESS:
        err = read_access(ledger, read, now_ms, &scratch);
        break;
    case READ_PRESENCE:
    case READ_CHOICES:
        err = reading_presence(ledger, read, &scratch);
        break;
    case READ_PEOPLE:
        err = reading_people(ledger, settings, read, &scratch);
        break;
    default:
        assert(!"a read of no kind");
        err = ERR_INTERNAL;
    }
    arena_fini(&scratch);
    return err;
}
