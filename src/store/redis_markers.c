/* Markers, mentions, and the counts of deleted messages. */
#include "base/err.h"
#include "store/redis_ledger.h"

#define NAME_BYTES_MAX 128
#define MENTIONED_AT_ONCE 128

/* -- markers ----------------------------------------------------------------------------------- */

static int unpack_marker(struct span value, struct ledger_marker *ret)
{
    struct redis_fields fields = redis_fields_of(value);
    ret->read = redis_take_id(&fields);
    ret->ordinal = redis_take_ordinal(&fields);
    return fields.broken ? ERR_CORRUPT : 0;
}

int redis_marker_get(struct redis_ledger *ledger, place_number room, place_number user,
                     struct ledger_marker *ret)
{
    struct ledger_marker marker = {.mentions = -1};
    struct span name = redis_text_of(user);
    struct span value = {NULL, 0}, moved = {NULL, 0};
    uint64_t moved_ms = 0;
    int missed = 0;
    int err = ledger_put_off(
        redis_view_get_loose(ledger->view, redis_room_key(ledger, room, "markers"), name, &value),
        &missed);
    if (!err)
        err =
            redis_view_get_loose(ledger->view, redis_room_key(ledger, room, "moved"), name, &moved);
    err = err ? err : missed;
    if (!err && value.data)
        err = unpack_marker(value, &marker);
    if (!err && moved.data && span_to_number(moved, INT64_MAX, &moved_ms))
        err = ERR_CORRUPT;
    if (err)
        return err;
    marker.moved_ms = (int64_t)moved_ms;
    *ret = marker;
    return 0;
}

static int note_move(struct redis_ledger *ledger, place_number room, struct span name,
                     int64_t moved_ms)
{
    struct buf *text = redis_scratch(ledger);
    int err = buf_format(text, "%lld", (long long)moved_ms);
    return err ? err
               : redis_view_set(ledger->view, redis_room_key(ledger, room, "moved"), name,
                                buf_span(text));
}

/* One that is moved to an event of this command is ahead of all; any other must not fall behind
 * what somebody else has moved it to. */
static int marker_put(struct ledger *base, place_number room, place_number user,
                      const struct ledger_marker *marker)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_key *markers = redis_room_key(ledger, room, "markers");
    struct span name = redis_text_of(user), was;
    bool is_pending = redis_is_pending(marker->read);
    uint64_t ordinal = is_pending ? REDIS_PENDING_ORDINAL + marker->read.seq : marker->ordinal;
    int err = is_pending ? 0 : redis_view_get(ledger->view, markers, name, &was);
    struct buf *value = redis_scratch(ledger);
    if (!err)
        err = redis_pack_id(value, marker->read);
    if (!err)
        err = redis_pack_ordinal(value, ordinal);
    if (!err)
        err = redis_view_set(ledger->view, markers, name, buf_span(value));
    if (!err && marker->moved_ms)
        err = note_move(ledger, room, name, marker->moved_ms);
    return err;
}

/* -- mentions ---------------------------------------------------------------------------------- */

/* The name of a mention, and behind it `end`, which is above or below all that begins so. */
static int put_mention(struct buf *buf, place_number user, struct event_id id, const char *end)
{
    int err = buf_format(buf, "%llu/", (unsigned long long)user);
    if (!err)
        err = redis_put_name_of_id(buf, id);
    return err ? err : buf_add_text(buf, end);
}

static int put_mentioned(struct buf *buf, struct event_id id, place_number user)
{
    int err = redis_put_name_of_id(buf, id);
    return err ? err : buf_format(buf, "/%llu", (unsigned long long)user);
}

static int mention_add(struct ledger *base, place_number room, place_number user,
                       struct event_id id)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct buf *name = redis_scratch(ledger);
    int err = put_mention(name, user, id, "");
    if (!err)
        err = redis_view_name_add(ledger->view, redis_room_key(ledger, room, "mentions"),
                                  buf_span(name));
    name = redis_scratch(ledger);
    if (!err)
        err = put_mentioned(name, id, user);
    return err ? err
               : redis_view_name_add(ledger->view, redis_room_key(ledger, room, "mentioned"),
                                     buf_span(name));
}

/* Bounds of a member's mentions: those up to an id, and those above it, which end before the
 * byte behind `/`. */
struct bounds {
    struct buf from, middle, to;
};

static int bounds_init(struct bounds *bounds, place_number user, struct event_id id)
{
    buf_init(&bounds->from, NAME_BYTES_MAX);
    buf_init(&bounds->middle, NAME_BYTES_MAX);
    buf_init(&bounds->to, NAME_BYTES_MAX);
    int err = buf_format(&bounds->from, "%llu/", (unsigned long long)user);
    if (!err)
        err = put_mention(&bounds->middle, user, id, "~");
    return err ? err : buf_format(&bounds->to, "%llu0", (unsigned long long)user);
}

static void bounds_fini(struct bounds *bounds)
{
    buf_fini(&bounds->from);
    buf_fini(&bounds->middle);
    buf_fini(&bounds->to);
}

static int mention_count(struct ledger *base, place_number room, place_number user,
                         struct event_id read, int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct bounds bounds;
    uint64_t count;
    int err = bounds_init(&bounds, user, read);
    if (!err)
        err = redis_view_count_names(ledger->view, redis_room_key(ledger, room, "mentions"),
                                     buf_span(&bounds.middle), buf_span(&bounds.to), &count);
    bounds_fini(&bounds);
    if (!err)
        *ret = (int64_t)count;
    return err;
}

static int mentions_read(struct ledger *base, place_number room, place_number user,
                         struct event_id upto)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct bounds bounds;
    int err = bounds_init(&bounds, user, upto);
    if (!err)
        err = redis_view_names_remove(ledger->view, redis_room_key(ledger, room, "mentions"),
                                      buf_span(&bounds.from), buf_span(&bounds.middle));
    bounds_fini(&bounds);
    return err;
}

/* `name` is of one who is mentioned. */
static int remove_mention(struct redis_ledger *ledger, place_number room, struct span name)
{
    struct event_id id;
    struct span rest = name;
    uint64_t user;
    int err = redis_cut_name_of_id(&rest, &id);
    if (err)
        return err;
    if (rest.len < 2 || rest.data[0] != '/' ||
        span_to_number(span_of(rest.data + 1, rest.len - 1), UINT64_MAX, &user))
        return ERR_CORRUPT;
    struct buf *mention = redis_scratch(ledger);
    err = put_mention(mention, user, id, "");
    if (!err)
        err = redis_view_name_remove(ledger->view, redis_room_key(ledger, room, "mentions"),
                                     buf_span(mention));
    return err ? err
               : redis_view_name_remove(ledger->view, redis_room_key(ledger, room, "mentioned"),
                                        name);
}

static int mentions_remove(struct ledger *base, place_number room, struct event_id id)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_key *mentioned = redis_room_key(ledger, room, "mentioned");
    const struct span *names;
    struct buf from, to;
    int err, count;
    buf_init(&from, NAME_BYTES_MAX);
    buf_init(&to, NAME_BYTES_MAX);
    err = redis_put_name_of_id(&from, id);
    if (!err)
        err = buf_add_span(&to, buf_span(&from));
    if (!err)
        err = buf_add_text(&to, "~");
    do {
        count = 0;
        if (!err)
            err = redis_view_names(ledger->view, mentioned, buf_span(&from), buf_span(&to),
                                   MENTIONED_AT_ONCE, false, false, &names, &count);
        for (int i = 0; i < count && !err; i++)
            err = remove_mention(ledger, room, names[i]);
    } while (!err && count == MENTIONED_AT_ONCE);
    buf_fini(&from);
    buf_fini(&to);
    return err;
}

/* -- deleted messages -------------------------------------------------------------------------- */

static int node_text(struct redis_ledger *ledger, uint64_t node, struct span *ret)
{
    struct buf *text = redis_scratch(ledger);
    int err = buf_format(text, "%llu", (unsigned long long)node);
    *ret = buf_span(text);
    return err;
}

static int erased_add(struct ledger *base, place_number room, uint64_t node)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_key *state = redis_room_key(ledger, room, "state");
    struct span text, has_erased;
    int err = redis_view_get_loose(ledger->view, state, span_text("e"), &has_erased);
    if (!err && !has_erased.data)
        err = redis_view_set(ledger->view, state, span_text("e"), span_text("1"));
    if (!err)
        err = node_text(ledger, node, &text);
    return err ? err
               : redis_view_raise(ledger->view, redis_room_key(ledger, room, "erased"), text, 1);
}

static int erased_count(struct ledger *base, place_number room, uint64_t node, uint64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span text;
    uint64_t count = 0;
    int err = node_text(ledger, node, &text);
    if (!err)
        err =
            redis_view_get_loose(ledger->view, redis_room_key(ledger, room, "erased"), text, &text);
    if (!err && text.data && span_to_number(text, UINT64_MAX, &count))
        err = ERR_CORRUPT;
    if (!err)
        *ret = count;
    return err;
}

/* -- members and rooms that go ----------------------------------------------------------------- */

int redis_marker_remove(struct redis_ledger *ledger, place_number room, place_number user)
{
    struct span name = redis_text_of(user);
    struct bounds bounds;
    int err = redis_view_unset(ledger->view, redis_room_key(ledger, room, "markers"), name);
    if (!err)
        err = redis_view_unset(ledger->view, redis_room_key(ledger, room, "moved"), name);
    if (err)
        return err;
    err = bounds_init(&bounds, user, EVENT_ID_NONE);
    if (!err)
        err = redis_view_names_remove(ledger->view, redis_room_key(ledger, room, "mentions"),
                                      buf_span(&bounds.from), buf_span(&bounds.to));
    bounds_fini(&bounds);
    return err;
}

int redis_markers_drop(struct redis_ledger *ledger, place_number room)
{
    static const char *const names[] = {"markers", "moved", "mentions", "mentioned", "erased"};
    int err = 0;
    for (size_t i = 0; i < array_count(names) && !err; i++)
        err = redis_view_drop(ledger->view, redis_room_key(ledger, room, names[i]));
    return err;
}

void redis_ledger_add_markers(struct ledger_ops *ops)
{
    ops->marker_put = marker_put;
    ops->mention_add = mention_add;
    ops->mention_count = mention_count;
    ops->mentions_remove = mentions_remove;
    ops->mentions_read = mentions_read;
    ops->erased_add = erased_add;
    ops->erased_count = erased_count;
}
