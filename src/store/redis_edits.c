/* What is said of a message after it was sent. */
#include "base/err.h"
#include "store/redis_ledger.h"

#define PAIR_BYTES_MAX (2 * REDIS_NAME_OF_ID_BYTES + 1)

/* Nobody else has deleted it meanwhile, and this is noted where others look for that. */
static int delete_message(struct redis_ledger *ledger, const struct ledger_event *message)
{
    struct redis_key *ids = redis_room_key(ledger, message->place, "ids");
    struct span found;
    int err = redis_view_get(ledger->view, ids, message->message_id, &found);
    struct buf *value = redis_scratch(ledger);
    if (!err)
        err = redis_named_pack(value, message->id, true);
    return err ? err : redis_view_set(ledger->view, ids, message->message_id, buf_span(value));
}

static int write_texts(struct redis_ledger *ledger, const struct ledger_event *event)
{
    struct buf meta, body;
    struct buf *name = redis_scratch(ledger);
    buf_init(&meta, EVENT_BYTES_MAX);
    buf_init(&body, 4 * EVENT_BYTES_MAX);
    int err = redis_event_pack(&meta, &body, event);
    if (!err)
        err = redis_put_id(name, event->id);
    if (!err)
        err = redis_view_set(ledger->view, redis_room_key(ledger, event->place, "bodies"),
                             buf_span(name), buf_span(&body));
    buf_fini(&meta);
    buf_fini(&body);
    return err;
}

static int event_rewrite(struct ledger *base, place_number realm, struct event_id id,
                         struct span body, bool deleted)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct redis_where *where;
    struct ledger_event event;
    int err = redis_where_find(ledger, realm, id, &where);
    if (!err)
        err = redis_event_at(ledger, where, &event);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    event.body = body;
    event.deleted |= deleted;
    if (deleted && event.type == EVENT_NEW_MESSAGE)
        err = delete_message(ledger, &event);
    if (!err && deleted && event.thread_id.data)
        err = redis_view_raise(ledger->view, redis_room_key(ledger, event.place, "threads"),
                               event.thread_id, -1);
    return err ? err : write_texts(ledger, &event);
}

/* -- edits of a message ------------------------------------------------------------------------ */

/* The bounds of the names of its edits above `after`: a hexadecimal digit is below `~`. */
static int bounds(struct event_id message, struct event_id after, struct buf *from, struct buf *to)
{
    int err = redis_put_name_of_id(from, message);
    if (!err)
        err = redis_put_name_of_id(from, after);
    if (!err)
        err = buf_add_text(from, "~");
    if (!err)
        err = redis_put_name_of_id(to, message);
    return err ? err : buf_add_text(to, "~");
}

static int visit_edit(struct redis_ledger *ledger, place_number room, struct span name,
                      ledger_id_visitor visit, void *context)
{
    struct event_id message, edit;
    int err = redis_cut_name_of_id(&name, &message);
    if (!err)
        err = redis_cut_name_of_id(&name, &edit);
    if (!err)
        err = redis_where_note(ledger, edit, room, EVENT_MESSAGE_EDITED, NULL);
    return err ? err : visit(context, edit, room, EVENT_MESSAGE_EDITED);
}

static int edits(struct ledger *base, place_number room, struct event_id message,
                 struct event_id after, int limit, ledger_id_visitor visit, void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct buf from, to;
    const struct span *names;
    int count = 0;
    buf_init(&from, 2 * PAIR_BYTES_MAX);
    buf_init(&to, 2 * PAIR_BYTES_MAX);
    int err = bounds(message, after, &from, &to);
    if (!err)
        err = redis_view_names(ledger->view, redis_room_key(ledger, room, "edits"), buf_span(&from),
                               buf_span(&to), limit, false, false, &names, &count);
    for (int i = 0; i < count && !err; i++)
        err = visit_edit(ledger, room, names[i], visit, context);
    buf_fini(&from);
    buf_fini(&to);
    return err;
}

static int edit_count(struct ledger *base, place_number room, struct event_id message,
                      int64_t limit, int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct buf from, to;
    uint64_t count = 0;
    buf_init(&from, 2 * PAIR_BYTES_MAX);
    buf_init(&to, 2 * PAIR_BYTES_MAX);
    int err = bounds(message, EVENT_ID_NONE, &from, &to);
    if (!err)
        err = redis_view_count_names(ledger->view, redis_room_key(ledger, room, "edits"),
                                     buf_span(&from), buf_span(&to), &count);
    buf_fini(&from);
    buf_fini(&to);
    if (!err)
        *ret = (int64_t)count;
    return err;
}

void redis_ledger_add_edits(struct ledger_ops *ops)
{
    ops->event_rewrite = event_rewrite;
    ops->edits = edits;
    ops->edit_count = edit_count;
}
