#include <assert.h>

#include "store/redis_view_parts.h"

/* How a field is read. */
enum look { LOOK_CHECKED, LOOK_LOOSE, LOOK_ABSENT };

struct redis_value redis_field_value(const struct redis_view *view, const struct redis_field *field)
{
    if (field->written.run == view->run)
        return field->written.now;
    return (struct redis_value){.is_text = redis_key_is_dropped(view, field->key)};
}

bool redis_field_base(const struct redis_view *view, const struct redis_field *field,
                      struct span *ret)
{
    bool is_of_fetch = view->fetch && field->fetched == view->fetch;
    bool is_whole = view->fetch && field->key->whole == view->fetch;
    if (is_of_fetch || (field->fetched == REDIS_GUESSED && !is_whole))
        *ret = field->base;
    else if (is_whole || field->is_pending)
        *ret = (struct span){0};
    else
        return false;
    return true;
}

int redis_read_signed(struct span text, int64_t *ret)
{
    bool is_negative = text.len && text.data[0] == '-';
    uint64_t number;
    if (is_negative)
        text = span_of(text.data + 1, text.len - 1);
    if (span_to_number(text, INT64_MAX, &number))
        return ERR_CORRUPT;
    *ret = is_negative ? -(int64_t)number : (int64_t)number;
    return 0;
}

int redis_sum(struct redis_view *view, struct span base, int64_t by, struct span *ret)
{
    int64_t number = 0;
    char text[REDIS_DIGITS_MAX + 1] = "-";
    if (base.data && redis_read_signed(base, &number))
        return ERR_CORRUPT;
    if (__builtin_add_overflow(number, by, &number))
        return ERR_CORRUPT;
    size_t sign = number < 0;
    uint64_t digits = sign ? 0 - (uint64_t)number : (uint64_t)number;
    size_t len = sign + redis_put_digits(text + sign, digits);
    return redis_keep_value(view, false, span_of(text, len), ret) ? 0 : redis_view_failed(view);
}

int redis_value_text(struct redis_view *view, const struct redis_field *field,
                     struct redis_value value, struct span *ret)
{
    struct span base;
    if (!value.is_text && !redis_field_base(view, field, &base))
        return ERR_NOT_FETCHED;
    if (value.is_sum)
        return redis_sum(view, base, value.by, ret);
    *ret = value.is_text ? value.text : base;
    return 0;
}

static bool is_own(const struct redis_view *view, const struct redis_field *field)
{
    return field->written.run == view->run && field->written.serial == view->serial;
}

/* What a field was before the present command. */
static int text_before(struct redis_view *view, const struct redis_field *field, struct span *ret)
{
    return redis_value_text(
        view, field, is_own(view, field) ? field->written.before : redis_field_value(view, field),
        ret);
}

static int check_add(struct redis_view *view, struct redis_field *field)
{
    struct span was;
    if (!view->command)
        return redis_view_failed(view);
    if (field->checked == view->serial)
        return 0;
    field->checked = view->serial;
    if (field->is_pending && redis_has_own_mark(view, field->name))
        return 0;
    int err = text_before(view, field, &was);
    if (!err)
        err = redis_need_marks(view, field->name);
    if (!err)
        err = redis_need_marks(view, was);
    struct redis_check *check =
        err ? NULL : redis_check_add(view, was.data ? 'G' : 'g', field->key);
    if (!check)
        return err ? err : redis_view_failed(view);
    check->field = field;
    check->was = was;
    return 0;
}

/* That it is what it was before the present command; not of what that knows by itself. */
static int check_field(struct redis_view *view, struct redis_field *field)
{
    if (is_own(view, field) ? field->written.set : redis_key_is_own_drop(view, field->key))
        return 0;
    return check_add(view, field);
}

static int ask(struct redis_view *view, struct redis_field *field)
{
    struct redis_key *key = field->key;
    int err = 0;
    if (key->wants_whole && !key->is_whole_asked) {
        err = redis_ask_add(view, 'L', key, NULL, NULL);
        key->is_whole_asked = !err;
    } else if (!key->is_whole_asked && !field->is_asked) {
        err = redis_ask_add(view, 'G', key, field, NULL);
        field->is_asked = !err;
    }
    return err ? err : ERR_NOT_FETCHED;
}

/* Takes what the cache has, or what is expected, for what Redis has. */
static int guess(struct redis_view *view, struct redis_field *field, enum look how)
{
    struct span value = {0};
    if (!view->cache)
        return ask(view, field);
    if (!redis_cache_get(view->cache, field->key->text, field->name, &value) && how != LOOK_ABSENT)
        return ask(view, field);
    if (!redis_keep_value(view, true, value, &field->base))
        return redis_view_failed(view);
    field->fetched = REDIS_GUESSED;
    field->is_cached = true;
    return 0;
}

static void remember(struct redis_view *view, struct redis_field *field)
{
    struct span base;
    if (field->is_pending || !redis_field_base(view, field, &base))
        return;
    redis_cache_put(view->cache, field->key->text, field->name, base);
    field->is_cached = true;
}

static int look(struct redis_view *view, struct redis_key *key, struct span name, enum look how,
                struct span *ret)
{
    struct redis_field *field = key ? redis_field_at(view, key, name) : NULL;
    if (!field)
        return redis_view_failed(view);
    if (how != LOOK_ABSENT)
        field->is_wanted = true;
    struct redis_value value = redis_field_value(view, field);
    struct span text;
    int err = redis_value_text(view, field, value, &text);
    if (err == ERR_NOT_FETCHED)
        err = guess(view, field, how);
    else if (!err && view->cache && !field->is_cached && how != LOOK_ABSENT)
        remember(view, field);
    if (!err)
        err = redis_value_text(view, field, value, &text);
    if (!err && view->is_open && how != LOOK_LOOSE)
        err = check_field(view, field);
    if (!err)
        *ret = text;
    return err;
}

int redis_view_get(struct redis_view *view, struct redis_key *hash, struct span field,
                   struct span *ret)
{
    return look(view, hash, field, LOOK_CHECKED, ret);
}

int redis_view_get_loose(struct redis_view *view, struct redis_key *hash, struct span field,
                         struct span *ret)
{
    return look(view, hash, field, LOOK_LOOSE, ret);
}

int redis_view_get_absent(struct redis_view *view, struct redis_key *hash, struct span field,
                          struct span *ret)
{
    return look(view, hash, field, LOOK_ABSENT, ret);
}

int redis_view_whole(struct redis_view *view, struct redis_key *hash)
{
    if (!hash)
        return redis_view_failed(view);
    hash->wants_whole = true;
    return 0;
}

int redis_view_size(struct redis_view *view, struct redis_key *hash, uint64_t *ret)
{
    if (!hash)
        return redis_view_failed(view);
    if (hash->is_new) {
        *ret = 0;
        return 0;
    }
    if (!hash->is_size_asked) {
        int err = redis_ask_add(view, 'H', hash, NULL, NULL);
        hash->is_size_asked = !err;
        return err ? err : ERR_NOT_FETCHED;
    }
    if (hash->size_fetched != view->fetch || !view->fetch)
        return ERR_NOT_FETCHED;
    *ret = hash->size;
    return 0;
}

/* That it had these fields before the present command, with their values, and no others. */
static int check_fields(struct redis_view *view, struct redis_key *hash)
{
    uint64_t count = 0;
    int err = 0;
    if (hash->checked == view->serial || redis_key_is_own_drop(view, hash))
        return 0;
    for (struct redis_field *field = hash->fields; field && !err; field = field->sibling) {
        struct span before;
        err = text_before(view, field, &before);
        if (err || !before.data)
            continue;
        count++;
        err = check_add(view, field);
    }
    struct redis_check *check = err ? NULL : redis_check_add(view, 'H', hash);
    if (!check)
        return err ? err : redis_view_failed(view);
    check->number = count;
    hash->checked = view->serial;
    return 0;
}

int redis_view_fields(struct redis_view *view, struct redis_key *hash, const struct span **ret,
                      int *ret_count)
{
    int err = redis_view_whole(view, hash), count = 0;
    if (err)
        return err;
    if (!redis_key_is_dropped(view, hash) && (!view->fetch || hash->whole != view->fetch)) {
        if (!hash->is_whole_asked)
            err = redis_ask_add(view, 'L', hash, NULL, NULL);
        hash->is_whole_asked = true;
        return err ? err : ERR_NOT_FETCHED;
    }
    for (struct redis_field *field = hash->fields; field; field = field->sibling)
        count++;
    struct span *found = redis_run_alloc(view, (size_t)count * 2 * sizeof(*found) + 1);
    if (!found)
        return redis_view_failed(view);
    count = 0;
    for (struct redis_field *field = hash->fields; field && !err; field = field->sibling) {
        found[count] = field->name;
        err = redis_value_text(view, field, redis_field_value(view, field), &found[count + 1]);
        count += found[count + 1].data ? 2 : 0;
    }
    if (!err && view->is_open)
        err = check_fields(view, hash);
    if (err)
        return err;
    *ret = found;
    *ret_count = count;
    return 0;
}
