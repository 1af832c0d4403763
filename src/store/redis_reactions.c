/* Reactions to messages and the counts of their replies.
 *
 * How many there are of a key is counted where their names stand, so that those who react at once
 * do not get into each other's way; only a key that is new, or goes, changes what others read. */
#include "base/err.h"
#include "base/limits.h"
#include "store/redis_ledger.h"

/* What is packed for one reaction; a key has at most 4 bytes a character. */
#define NAME_BYTES_MAX (4 * REACTION_CHARACTERS_MAX + 2 * IDENT_BYTES_MAX + 256)

static struct redis_key *key_of(struct redis_ledger *ledger, place_number room, const char *what,
                                struct event_id message)
{
    char text[EVENT_ID_TEXT_MAX];
    size_t len = event_id_format(message, text);
    return redis_key_named(ledger->view, 'p', room, what, span_of(text, len));
}

/* The field of one who reacted. */
static int field_of(struct redis_ledger *ledger, struct span key, place_number user,
                    struct span *ret)
{
    struct buf *field = redis_scratch(ledger);
    int err = buf_add_span(field, key);
    if (!err)
        err = buf_add(field, "", 1);
    if (!err)
        err = buf_format(field, "%llu", (unsigned long long)user);
    *ret = buf_span(field);
    return err;
}

/* -- keys -------------------------------------------------------------------------------------- */

struct keys {
    struct span texts[REACTION_KEYS_MAX];
    int count;
};

static int find_keys(struct redis_ledger *ledger, place_number room, struct event_id message,
                     struct keys *ret)
{
    struct buf *field = redis_scratch(ledger);
    struct span value = {NULL, 0};
    ret->count = 0;
    int err = redis_put_id(field, message);
    if (!err)
        err = redis_view_get(ledger->view, redis_room_key(ledger, room, "reactions"),
                             buf_span(field), &value);
    struct redis_fields fields = redis_fields_of(value);
    while (!err && fields.rest.len) {
        struct span text = redis_take_text(&fields);
        if (fields.broken || ret->count == REACTION_KEYS_MAX)
            return ERR_CORRUPT;
        ret->texts[ret->count++] = text;
    }
    return err;
}

static int write_keys(struct redis_ledger *ledger, place_number room, struct event_id message,
                      const struct keys *keys)
{
    struct redis_key *hash = redis_room_key(ledger, room, "reactions");
    struct buf value;
    struct buf *field = redis_scratch(ledger);
    buf_init(&value, REACTION_KEYS_MAX * NAME_BYTES_MAX);
    int err = redis_put_id(field, message);
    for (int i = 0; i < keys->count && !err; i++)
        err = redis_pack_text(&value, keys->texts[i]);
    if (!err && keys->count > 0)
        err = redis_view_set(ledger->view, hash, buf_span(field), buf_span(&value));
    else if (!err)
        err = redis_view_unset(ledger->view, hash, buf_span(field));
    buf_fini(&value);
    return err;
}

static int index_of(const struct keys *keys, struct span key)
{
    for (int i = 0; i < keys->count; i++) {
        if (span_equal(keys->texts[i], key))
            return i;
    }
    return -1;
}

static int reaction_keys(struct ledger *base, place_number room, struct event_id message,
                         struct span key, int *ret_count, bool *ret_has)
{
    struct keys keys;
    int err = find_keys(redis_ledger_of(base), room, message, &keys);
    if (err)
        return err;
    *ret_count = keys.count;
    *ret_has = index_of(&keys, key) >= 0;
    return 0;
}

/* -- names ------------------------------------------------------------------------------------- */

/* The name of one who reacted: its key, when that was, who. */
static int name_of(struct redis_ledger *ledger, struct span key, struct event_id added,
                   place_number user, struct buf *ret)
{
    place_number realm;
    struct span id;
    int err = redis_user_id(ledger, user, &realm, &id);
    if (!err)
        err = buf_add_span(ret, key);
    if (!err)
        err = buf_add(ret, "", 1);
    if (!err)
        err = redis_put_name_of_id(ret, added);
    if (!err)
        err = buf_format(ret, "%llu/", (unsigned long long)user);
    return err ? err : buf_add_span(ret, id);
}

/* The user's id in a name. */
static int user_of(struct span name, struct span *ret)
{
    struct event_id added;
    span_cut(&name, '\0');
    if (!name.data)
        return ERR_CORRUPT;
    int err = redis_cut_name_of_id(&name, &added);
    span_cut(&name, '/');
    if (!err && !name.data)
        err = ERR_CORRUPT;
    if (!err)
        *ret = name;
    return err;
}

/* Between these stand the names of a key. */
struct bounds {
    struct buf from, to;
};

static int bounds_init(struct bounds *bounds, struct span key)
{
    buf_init(&bounds->from, NAME_BYTES_MAX);
    buf_init(&bounds->to, NAME_BYTES_MAX);
    int err = buf_add_span(&bounds->from, key);
    if (!err)
        err = buf_add(&bounds->from, "\0", 1);
    if (!err)
        err = buf_add_span(&bounds->to, key);
    return err ? err : buf_add(&bounds->to, "\1", 1);
}

static void bounds_fini(struct bounds *bounds)
{
    buf_fini(&bounds->from);
    buf_fini(&bounds->to);
}

/* The first of those who reacted with the key. */
static int find_names(struct redis_ledger *ledger, place_number room, struct event_id message,
                      struct span key, int limit, bool loose, const struct span **ret,
                      int *ret_count)
{
    struct bounds bounds;
    int err = bounds_init(&bounds, key);
    if (!err)
        err = redis_view_names(ledger->view, key_of(ledger, room, "reactors", message),
                               buf_span(&bounds.from), buf_span(&bounds.to), limit, false, loose,
                               ret, ret_count);
    bounds_fini(&bounds);
    return err;
}

/* -- adding and removing ----------------------------------------------------------------------- */

/* data NULL: the user has none. */
static int find_added(struct redis_ledger *ledger, place_number room, struct event_id message,
                      struct span key, place_number user, bool loose, struct span *ret)
{
    struct redis_key *hash = key_of(ledger, room, "reacted", message);
    struct span field;
    int err = field_of(ledger, key, user, &field);
    if (err)
        return err;
    return loose ? redis_view_get_loose(ledger->view, hash, field, ret)
                 : redis_view_get(ledger->view, hash, field, ret);
}

static int reaction_find(struct ledger *base, place_number room, struct event_id message,
                         struct span key, place_number user)
{
    struct span added;
    int err = find_added(redis_ledger_of(base), room, message, key, user, false, &added);
    return err ? err : added.data ? 0 : ERR_NOT_FOUND;
}

static int add_key(struct redis_ledger *ledger, place_number room, struct event_id message,
                   struct span key)
{
    struct keys keys;
    int err = find_keys(ledger, room, message, &keys);
    if (err || index_of(&keys, key) >= 0)
        return err;
    if (keys.count == REACTION_KEYS_MAX)
        return ERR_FULL;
    keys.texts[keys.count++] = key;
    return write_keys(ledger, room, message, &keys);
}

static int remove_key(struct redis_ledger *ledger, place_number room, struct event_id message,
                      struct span key)
{
    struct keys keys;
    int err = find_keys(ledger, room, message, &keys);
    int at = err ? -1 : index_of(&keys, key);
    if (at < 0)
        return err;
    keys.count--;
    memmove(&keys.texts[at], &keys.texts[at + 1],
            (size_t)(keys.count - at) * sizeof(keys.texts[0]));
    return write_keys(ledger, room, message, &keys);
}

static int reaction_add(struct ledger *base, place_number room, struct event_id message,
                        struct span key, place_number user, struct event_id added)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct buf name, value;
    struct span field;
    int missed = 0;
    buf_init(&name, NAME_BYTES_MAX);
    buf_init(&value, NAME_BYTES_MAX);
    int err = ledger_put_off(add_key(ledger, room, message, key), &missed);
    if (!err)
        err = ledger_put_off(name_of(ledger, key, added, user, &name), &missed);
    if (!err && !missed)
        err = redis_view_name_add(ledger->view, key_of(ledger, room, "reactors", message),
                                  buf_span(&name));
    if (!err)
        err = redis_put_id(&value, added);
    if (!err)
        err = field_of(ledger, key, user, &field);
    if (!err)
        err = redis_view_set(ledger->view, key_of(ledger, room, "reacted", message), field,
                             buf_span(&value));
    buf_fini(&name);
    buf_fini(&value);
    return err ? err : missed;
}

/* The last one of a key takes it along. */
static int remove_name(struct redis_ledger *ledger, place_number room, struct event_id message,
                       struct span key, struct event_id added, place_number user)
{
    struct buf name;
    const struct span *names;
    int count = 0, missed = 0;
    buf_init(&name, NAME_BYTES_MAX);
    int err = ledger_put_off(name_of(ledger, key, added, user, &name), &missed);
    if (!err)
        err = ledger_put_off(find_names(ledger, room, message, key, 2, false, &names, &count),
                             &missed);
    if (!err && !missed && count == 1)
        err = remove_key(ledger, room, message, key);
    if (!err && !missed)
        err = redis_view_name_remove(ledger->view, key_of(ledger, room, "reactors", message),
                                     buf_span(&name));
    buf_fini(&name);
    return err ? err : missed;
}

static int reaction_remove(struct ledger *base, place_number room, struct event_id message,
                           struct span key, place_number user)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span value, field;
    struct event_id added;
    int err = find_added(ledger, room, message, key, user, false, &value);
    if (!err)
        err = value.data ? redis_parse_id(value, &added) : ERR_CORRUPT;
    if (!err)
        err = remove_name(ledger, room, message, key, added, user);
    if (!err)
        err = field_of(ledger, key, user, &field);
    return err ? err
               : redis_view_unset(ledger->view, key_of(ledger, room, "reacted", message), field);
}

static int reactions_clear(struct ledger *base, place_number room, struct event_id message)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct keys keys;
    int err = find_keys(ledger, room, message, &keys);
    if (err || keys.count == 0)
        return err;
    keys.count = 0;
    err = write_keys(ledger, room, message, &keys);
    if (!err)
        err = redis_view_drop(ledger->view, key_of(ledger, room, "reacted", message));
    return err ? err : redis_view_drop(ledger->view, key_of(ledger, room, "reactors", message));
}

/* -- what is shown ----------------------------------------------------------------------------- */

static int count_names(struct redis_ledger *ledger, place_number room, struct event_id message,
                       struct span key, int64_t *ret)
{
    struct bounds bounds;
    uint64_t count = 0;
    int err = bounds_init(&bounds, key);
    if (!err)
        err = redis_view_count_names(ledger->view, key_of(ledger, room, "reactors", message),
                                     buf_span(&bounds.from), buf_span(&bounds.to), &count);
    bounds_fini(&bounds);
    *ret = (int64_t)count;
    return err;
}

static int find_reaction(struct redis_ledger *ledger, place_number room, struct event_id message,
                         place_number user, struct ledger_reaction *reaction)
{
    const struct span *names;
    struct span added = {NULL, 0};
    int count = 0, missed = 0;
    int err = ledger_put_off(count_names(ledger, room, message, reaction->key, &reaction->count),
                             &missed);
    if (!err)
        err = ledger_put_off(find_names(ledger, room, message, reaction->key, REACTION_USERS_SHOWN,
                                        true, &names, &count),
                             &missed);
    if (!err && user)
        err = ledger_put_off(find_added(ledger, room, message, reaction->key, user, true, &added),
                             &missed);
    for (int i = 0; i < count && !err; i++)
        err = user_of(names[i], &reaction->users[reaction->user_count++]);
    reaction->mine = added.data;
    return err ? err : missed;
}

static int reactions(struct ledger *base, place_number room, struct event_id message,
                     place_number user, struct arena *arena, ledger_reaction_visitor visit,
                     void *context)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct keys keys;
    int missed = 0;
    int err = find_keys(ledger, room, message, &keys);
    for (int i = 0; i < keys.count && !err; i++) {
        struct ledger_reaction reaction = {.key = keys.texts[i]};
        err = find_reaction(ledger, room, message, user, &reaction);
        err = err ? ledger_put_off(err, &missed) : visit(context, &reaction);
    }
    return err ? err : missed;
}

/* Checked: whoever answers a message that is not there yet counts on its finding this. */
static int replies_waiting(struct ledger *base, place_number room, struct span message_id,
                           int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span text = {NULL, 0};
    uint64_t count = 0;
    int err = redis_view_get_absent(ledger->view, redis_room_key(ledger, room, "threads"),
                                    message_id, &text);
    if (!err && text.data && span_to_number(text, INT64_MAX, &count))
        err = ERR_CORRUPT;
    *ret = (int64_t)count;
    return err;
}

static int replies_add(struct ledger *base, place_number room, struct event_id message,
                       int64_t change)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct buf *field = redis_scratch(ledger);
    int err = redis_put_id(field, message);
    return err ? err
               : redis_view_raise(ledger->view, redis_room_key(ledger, room, "replies"),
                                  buf_span(field), change);
}

static int replies(struct ledger *base, place_number room, struct event_id message, int64_t *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct buf *field = redis_scratch(ledger);
    struct span text = {NULL, 0};
    uint64_t count = 0;
    int err = redis_put_id(field, message);
    if (!err)
        err = redis_view_get_loose(ledger->view, redis_room_key(ledger, room, "replies"),
                                   buf_span(field), &text);
    if (!err && text.data && span_to_number(text, INT64_MAX, &count))
        err = ERR_CORRUPT;
    if (!err)
        *ret = (int64_t)count;
    return err;
}

void redis_ledger_add_reactions(struct ledger_ops *ops)
{
    ops->reaction_find = reaction_find;
    ops->reaction_add = reaction_add;
    ops->reaction_remove = reaction_remove;
    ops->reactions_clear = reactions_clear;
    ops->reaction_keys = reaction_keys;
    ops->reactions = reactions;
    ops->replies_waiting = replies_waiting;
    ops->replies_add = replies_add;
    ops->replies = replies;
}
