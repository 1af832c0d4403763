#include <assert.h>

#include "base/err.h"
#include "core/grant.h"
#include "store/opening.h"

#define ROOMS_PAGE 512
/* A device that is used has that noted this often. */
#define DEVICE_NOTE_MS (60 * 60 * 1000)

static int grow_rooms(struct opening *opening)
{
    struct journal_open *open = opening->open;
    if (open->room_count < opening->size)
        return 0;
    int size = opening->size ? 2 * opening->size : 64;
    struct open_room *rooms = arena_alloc(&open->request.arena, (size_t)size * sizeof(*rooms));
    struct ledger_room *ledger_rooms =
        arena_alloc(&opening->scratch, (size_t)size * sizeof(*ledger_rooms));
    struct ledger_marker *markers =
        arena_alloc(&opening->scratch, (size_t)size * sizeof(*markers));
    if (!rooms || !ledger_rooms || !markers)
        return ERR_MEMORY;
    if (open->room_count) {
        memcpy(rooms, open->rooms, (size_t)open->room_count * sizeof(*rooms));
        memcpy(ledger_rooms, opening->ledger_rooms,
               (size_t)open->room_count * sizeof(*ledger_rooms));
        memcpy(markers, opening->markers, (size_t)open->room_count * sizeof(*markers));
    }
    open->rooms = rooms;
    opening->ledger_rooms = ledger_rooms;
    opening->markers = markers;
    opening->size = size;
    return 0;
}

static int check_read(const struct opening *opening, const struct ledger_room *room, enum role role,
                      bool banned, unsigned grants)
{
    const struct actor actor = {.user = opening->open->follow.user, .grants = grants};
    const struct facts facts = {
        .room_exists = true, .room = room->info, .role = role, .banned = banned};
    return command_decide_read(&actor, &facts);
}

static int add_room(struct opening *opening, const struct ledger_room *room,
                    const struct ledger_member *member, const struct follow_room *named)
{
    struct journal_open *open = opening->open;
    unsigned grants = named ? named->grants : 0; /* one who is in, or may watch, is not banned */
    int err = grow_rooms(opening);
    if (err)
        return err;
    struct open_room *added = &open->rooms[open->room_count];
    *added = (struct open_room){
        .room = room->info.id,
        .member = member->role != ROLE_NONE,
        .named = named != NULL,
        .readable = check_read(opening, room, ROLE_NONE, false, grants) == 0,
        .watch_since = grants & GRANT_READ ? EVENT_ID_NONE : room->info.public_since,
        .member_count = room->info.member_count,
    };
    opening->markers[open->room_count] = member->marker;
    opening->ledger_rooms[open->room_count++] = *room;
    return reading_keep(&open->request.arena, &added->room);
}

/* One page of the user's rooms. */
struct walk {
    struct opening *opening;
    int seen;
};

static int note_room(void *context, const struct ledger_room *room,
                     const struct ledger_member *member)
{
    struct walk *walk = context;
    walk->seen++;
    return add_room(walk->opening, room, member, NULL);
}

static int load_rooms_of_user(struct opening *opening)
{
    struct ledger *ledger = opening->ledger;
    struct journal_open *open = opening->open;
    struct span from = {NULL, 0};
    if (!open->follow.all || !opening->user.place)
        return 0;
    for (;;) {
        struct walk walk = {opening, 0};
        int err = ledger->ops->rooms_of_user(ledger, opening->user.place, from, ROOMS_PAGE,
                                             note_room, &walk);
        if (err || walk.seen < ROOMS_PAGE)
            return err;
        from = open->rooms[open->room_count - 1].room;
    }
}

static int deny(struct opening *opening, struct span room, int why, bool banned)
{
    struct journal_open *open = opening->open;
    if (!open->denied) {
        size_t bytes = (size_t)open->follow.room_count * sizeof(*open->denied);
        open->denied = arena_alloc(&open->request.arena, bytes);
        if (!open->denied)
            return ERR_MEMORY;
    }
    struct open_denied *denied = &open->denied[open->denied_count++];
    *denied = (struct open_denied){room, why, banned};
    return reading_keep(&open->request.arena, &denied->room);
}

static struct open_room *find_room(struct opening *opening, struct span room)
{
    for (int i = 0; i < opening->open->room_count; i++) {
        if (span_equal(opening->open->rooms[i].room, room))
            return &opening->open->rooms[i];
    }
    return NULL;
}

static int load_named(struct opening *opening, const struct follow_room *named)
{
    struct ledger *ledger = opening->ledger;
    struct ledger_room room;
    struct ledger_member member = {0};
    bool banned = false;
    int err =
        ledger->ops->room_find(ledger, opening->realm.place, named->room, &opening->scratch, &room);
    if (err == ERR_NOT_FOUND)
        return deny(opening, named->room, ERR_NOT_FOUND, false);
    if (!err && opening->user.place) {
        err = ledger->ops->member_find(ledger, room.place, opening->user.place, &member);
        if (err == ERR_NOT_FOUND)
            err = scene_is_banned(ledger, room.place, opening->user.place, opening->now_ms,
                                  &banned);
    }
    if (err)
        return err;
    struct open_room *present = find_room(opening, named->room);
    if (present) {
        present->named = true;
        present->readable = check_read(opening, &room, ROLE_NONE, false, named->grants) == 0;
        if (named->grants & GRANT_READ)
            present->watch_since = EVENT_ID_NONE;
        return 0;
    }
    int why = check_read(opening, &room, member.role, banned, named->grants);
    return why ? deny(opening, named->room, why, banned)
               : add_room(opening, &room, &member, named);
}

static int load_rooms(struct opening *opening)
{
    int missed = 0;
    int err = ledger_put_off(load_rooms_of_user(opening), &missed);
    for (int i = 0; i < opening->open->follow.room_count && !err; i++)
        err = ledger_put_off(load_named(opening, &opening->open->follow.rooms[i]), &missed);
    return err ? err : missed;
}

/* Of all rooms of the user, also when the reader follows others. */
static int count_unread(struct opening *opening)
{
    struct journal_open *open = opening->open;
    struct read_marker marker = {.unread = 0};
    int err = 0, missed = 0;
    if (!open->follow.all)
        return reading_unread_sums(opening->ledger, opening->user.place, &opening->scratch,
                                   &open->unread, &open->mentions);
    for (int i = 0; i < open->room_count && !err; i++) {
        if (open->rooms[i].member)
            err = ledger_put_off(reading_marker(opening->ledger, &opening->ledger_rooms[i],
                                                opening->user.place, &opening->markers[i],
                                                &marker),
                                 &missed);
        if (open->rooms[i].member && !err) {
            open->unread += marker.unread;
            open->mentions += marker.mentions;
        }
    }
    return err ? err : missed;
}

/* Takes the device's cursor where none was given. */
static int load_device(struct opening *opening, int64_t now_ms, bool *ret_note_device)
{
    struct journal_open *open = opening->open;
    struct ledger_device device = {.cursor = EVENT_ID_NONE};
    int err = ERR_NOT_FOUND;
    if (!open->device.data)
        return 0;
    if (opening->user.place)
        err = opening->ledger->ops->device_find(opening->ledger, opening->user.place, open->device,
                                                &device);
    if (err && err != ERR_NOT_FOUND)
        return err;
    bool known = err == 0;
    if (known && opening->cursor_state == CURSOR_ABSENT) {
        opening->cursor_state = CURSOR_GIVEN;
        opening->cursor = device.cursor;
    }
    *ret_note_device = !known || now_ms - device.used_at_ms > DEVICE_NOTE_MS;
    return 0;
}

static int decide_verdict(struct opening *opening, enum open_verdict *ret)
{
    const struct ledger_realm *realm = &opening->realm;
    struct event_id found = EVENT_ID_NONE;
    uint64_t number;
    *ret = opening->cursor_state == CURSOR_ABSENT ? OPEN_FRESH : OPEN_RESET_FOREIGN;
    if (opening->cursor_state != CURSOR_GIVEN)
        return 0;
    *ret = OPEN_RESUMED;
    if (event_id_is_none(opening->cursor) || event_id_compare(opening->cursor, realm->head) == 0 ||
        (realm->place && event_id_compare(opening->cursor, realm->gone) <= 0))
        return 0;
    *ret = OPEN_RESET_AHEAD;
    if (event_id_compare(opening->cursor, realm->head) > 0)
        return 0;
    int err = opening->ledger->ops->event_at_or_below(opening->ledger, realm->place,
                                                      opening->cursor, &found, &number);
    *ret = event_id_compare(found, opening->cursor) == 0 ? OPEN_RESUMED : OPEN_RESET_FOREIGN;
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* Grows by one interval; few are ever kept. */
struct lost_walk {
    struct journal_open *open;
    int size;
};

static int note_lost(void *context, struct event_id after, struct event_id before)
{
    struct lost_walk *walk = context;
    struct journal_open *open = walk->open;
    if (open->gap_count == walk->size) {
        int size = walk->size ? 2 * walk->size : 8;
        struct journal_gap *gaps = arena_alloc(&open->request.arena, (size_t)size * sizeof(*gaps));
        if (!gaps)
            return ERR_MEMORY;
        if (open->gap_count)
            memcpy(gaps, open->gaps, (size_t)open->gap_count * sizeof(*gaps));
        open->gaps = gaps;
        walk->size = size;
    }
    open->gaps[open->gap_count++] =
        (struct journal_gap){.after = after, .before = before, .reason = GAP_LOST};
    return 0;
}

/* A cursor that was lost itself lies within an interval, and is no foreign one. */
static int load_lost(struct opening *opening)
{
    struct journal_open *open = opening->open;
    struct lost_walk walk = {open, 0};
    if (opening->cursor_state != CURSOR_GIVEN || !opening->realm.place ||
        event_id_compare(opening->cursor, opening->realm.head) > 0)
        return 0;
    int err = opening->ledger->ops->lost(opening->ledger, opening->realm.place, opening->cursor,
                                         note_lost, &walk);
    if (err || open->gap_count == 0)
        return err;
    bool inside = event_id_compare(open->gaps[0].after, opening->cursor) < 0;
    if (inside)
        open->verdict = OPEN_RESUMED;
    if (open->verdict != OPEN_RESUMED)
        open->gap_count = 0;
    return 0;
}

static bool differs(struct span a, struct span b)
{
    return !a.data != !b.data || !span_equal(a, b);
}

static int load_user(struct opening *opening)
{
    struct journal_open *open = opening->open;
    int err =
        opening->ledger->ops->realm_find(opening->ledger, open->follow.realm, &opening->realm);
    if (!err)
        err = opening->ledger->ops->user_find(opening->ledger, opening->realm.place,
                                              open->follow.user, &opening->scratch, &opening->user);
    open->profile_changed = differs(open->actor.name, opening->user.name) ||
                            differs(open->actor.data, opening->user.data);
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int open_reader(struct opening *opening, int64_t now_ms, bool *ret_note_device)
{
    struct journal_open *open = opening->open;
    int missed = 0, unsure = 0; /* of the latter the verdict depends */
    int err = ledger_put_off(load_user(opening), &unsure);
    if (unsure && !opening->realm.place)
        return unsure;
    open->head = open->start = open->replay_from = opening->realm.head;
    open->head_number = opening->realm.head_number;
    if (!err && opening->realm.place)
        err = ledger_put_off(load_rooms(opening), &missed);
    if (!err && opening->user.place)
        err = ledger_put_off(count_unread(opening), &missed);
    for (int i = 0; i < open->follow.room_count && !err && !opening->realm.place; i++)
        err = deny(opening, open->follow.rooms[i].room, ERR_NOT_FOUND, false);
    if (!err)
        err = ledger_put_off(load_device(opening, now_ms, ret_note_device), &unsure);
    if (!err)
        err = ledger_put_off(decide_verdict(opening, &open->verdict), &unsure);
    if (!err)
        err = ledger_put_off(load_lost(opening), &unsure);
    if (err || unsure)
        return err ? err : unsure;
    if (open->verdict == OPEN_RESUMED)
        err = opening_resume(opening);
    else if (open->history > 0 && open->room_count > 0)
        err = opening_load_history(opening);
    return err ? err : missed;
}

int reading_open(struct ledger *ledger, struct journal_open *open, int64_t now_ms,
                 bool *ret_note_device)
{
    struct opening opening = {
        .ledger = ledger,
        .open = open,
        .cursor_state = open->cursor_state,
        .cursor = open->cursor,
        .now_ms = now_ms,
    };
    assert(open->replay_max < INT32_MAX / 4);
    *ret_note_device = false;
    open->rooms = NULL;
    open->denied = NULL;
    open->gaps = NULL;
    open->history_ids = NULL;
    open->unread = open->mentions = 0;
    open->room_count = open->denied_count = open->gap_count = open->history_count = 0;
    arena_init(&opening.scratch, READING_SCRATCH_BYTES_MAX);
    int err = open_reader(&opening, now_ms, ret_note_device);
    arena_fini(&opening.scratch);
    return err;
}
