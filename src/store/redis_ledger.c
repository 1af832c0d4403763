#include "store/redis_ledger.h"

#include <stdlib.h>

#include "base/err.h"

#define SCRATCH_BYTES_MAX (4u * EVENT_BYTES_MAX)

place_number redis_place_parse(struct span text)
{
    uint64_t place;
    return text.data && !span_to_number(text, UINT64_MAX, &place) ? place : 0;
}

int redis_name_of(struct redis_ledger *ledger, struct span id, place_number place, struct span *ret)
{
    struct buf *buf = redis_scratch(ledger);
    int err = buf_add_span(buf, id);
    if (!err)
        err = buf_add(buf, "", 1);
    if (!err)
        err = buf_add_span(buf, redis_text_of(place));
    *ret = buf_span(buf);
    return err;
}

int redis_name_cut(struct span name, struct span *ret_id, place_number *ret_place)
{
    *ret_id = span_cut(&name, '\0');
    *ret_place = redis_place_parse(name);
    return *ret_place ? 0 : ERR_CORRUPT;
}

/* No id has a byte as low as that, and all names of the id itself are below. */
int redis_name_after(struct redis_ledger *ledger, struct span id, struct span *ret)
{
    struct buf *buf = redis_scratch(ledger);
    *ret = (struct span){NULL, 0};
    if (!id.data)
        return 0;
    int err = buf_add_span(buf, id);
    if (!err)
        err = buf_add(buf, "\x01", 1);
    *ret = buf_span(buf);
    return err;
}

static int given_add(struct redis_given *given, place_number place)
{
    if (given->count == given->size) {
        int size = given->size ? 2 * given->size : 16;
        uint64_t *grown = realloc(given->items, (size_t)size * sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        given->items = grown;
        given->size = size;
    }
    given->items[given->count++] = place;
    return 0;
}

int redis_place_next(struct redis_ledger *ledger, place_number *ret)
{
    struct redis_given *given = ledger->given;
    struct redis_places *places = ledger->places;
    if (given && given->at < given->count) {
        *ret = given->items[given->at++];
        return 0;
    }
    if (places->next >= places->end) {
        ledger->out_of_places = true;
        return ERR_NOT_FETCHED;
    }
    int err = given ? given_add(given, places->next) : 0;
    if (err)
        return err;
    if (given)
        given->at++;
    *ret = places->next++;
    return 0;
}

/* -- realms --------------------------------------------------------------------------------- */

/* Loose: what is decided by it only grows. */
static int read_id(struct redis_ledger *ledger, struct redis_key *state, const char *field,
                   struct event_id *ret)
{
    struct span value;
    int err = redis_view_get_loose(ledger->view, state, span_text(field), &value);
    *ret = EVENT_ID_NONE;
    return err || !value.data ? err : redis_parse_id(value, ret);
}

static void pin(struct redis_head *head, struct ledger_realm *realm)
{
    if (head->number == 0)
        *head = (struct redis_head){realm->head, realm->head_number};
    realm->head = head->id;
    realm->head_number = head->number;
}

static int realm_find(struct ledger *base, struct span name, struct ledger_realm *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    struct span value, number;
    int err = redis_view_get(ledger->view, redis_key_shard(ledger->view, "realms"), name, &value);
    if (err)
        return err;
    *ret = (struct ledger_realm){.place = redis_place_parse(value)};
    if (!ret->place)
        return value.data ? ERR_CORRUPT : ERR_NOT_FOUND;
    ledger->realm = ret->place;
    ledger->realm_name = name;
    struct redis_key *state = redis_key_of(ledger->view, 'r', ret->place, "state");
    err = redis_view_whole(ledger->view, state);
    if (!err)
        err = read_id(ledger, state, "h", &ret->head);
    if (!err)
        err = read_id(ledger, state, "g", &ret->gone);
    if (!err)
        err = redis_view_get_loose(ledger->view, state, span_text("n"), &number);
    if (!err && number.data && span_to_number(number, UINT64_MAX, &ret->head_number))
        err = ERR_CORRUPT;
    if (!err && ledger->head)
        pin(ledger->head, ret);
    return err;
}

/* Nothing in it will be older than this. */
static int add_age(struct redis_ledger *ledger, place_number realm)
{
    struct buf *name = redis_scratch(ledger);
    int err = redis_put_name_of_id(name, (struct event_id){(uint64_t)ledger->now_ms, 0});
    if (!err)
        err = buf_add_span(name, redis_text_of(realm));
    return err ? err
               : redis_view_name_add(ledger->view, redis_key_shard(ledger->view, "ages"),
                                     buf_span(name));
}

static int realm_add(struct ledger *base, struct span name, struct ledger_realm *ret)
{
    struct redis_ledger *ledger = redis_ledger_of(base);
    *ret = (struct ledger_realm){0};
    int err = redis_place_next(ledger, &ret->place);
    ledger->realm = ret->place;
    ledger->realm_name = name;
    if (!err)
        err = redis_view_set(ledger->view, redis_key_shard(ledger->view, "realms"), name,
                             redis_text_of(ret->place));
    return err ? err : add_age(ledger, ret->place);
}

static void add_realms(struct ledger_ops *ops)
{
    ops->realm_find = realm_find;
    ops->realm_add = realm_add;
}

void redis_ledger_init(struct redis_ledger *ledger, struct redis_view *view,
                       const struct settings *settings, struct redis_places *places)
{
    *ledger = (struct redis_ledger){.view = view, .settings = settings, .places = places};
    ledger->parted_max = REDIS_MEMBERS_PARTED_MAX;
    buf_init(&ledger->scratch, SCRATCH_BYTES_MAX);
    add_realms(&ledger->ops);
    redis_ledger_add_rooms(&ledger->ops);
    redis_ledger_add_users(&ledger->ops);
    redis_ledger_add_members(&ledger->ops);
    redis_ledger_add_bans(&ledger->ops);
    redis_ledger_add_direct(&ledger->ops);
    redis_ledger_add_tenures(&ledger->ops);
    redis_ledger_add_events(&ledger->ops);
    redis_ledger_add_ranges(&ledger->ops);
    redis_ledger_add_edits(&ledger->ops);
    redis_ledger_add_messages(&ledger->ops);
    redis_ledger_add_markers(&ledger->ops);
    redis_ledger_add_reactions(&ledger->ops);
    redis_ledger_add_presence(&ledger->ops);
    ledger->ledger.ops = &ledger->ops;
}

void redis_ledger_fini(struct redis_ledger *ledger)
{
    redis_known_free(ledger);
    redis_ledger_forget(ledger);
    buf_fini(&ledger->scratch);
}
