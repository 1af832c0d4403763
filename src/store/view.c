#include "store/view.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "core/grant.h"
#include "store/scene.h"

void view_init(struct view *view)
{
    *view = (struct view){0};
}

void view_fini(struct view *view)
{
    free(view->sources);
    free(view->stretches);
    *view = (struct view){0};
}

struct event_id event_id_previous(struct event_id id)
{
    if (id.seq > 0)
        return (struct event_id){id.ms, id.seq - 1};
    return id.ms > 0 ? (struct event_id){id.ms - 1, UINT64_MAX} : id;
}

static struct event_id above(struct event_id id)
{
    return event_id_compare(id, EVENT_ID_LAST) == 0 ? id : event_id_next(id);
}

/* Room for one more entry of an array. */
static int grow(void **items, int *size, int count, size_t item_bytes)
{
    if (count < *size)
        return 0;
    int new_size = *size ? 2 * *size : 16;
    void *grown = realloc(*items, (size_t)new_size * item_bytes);
    if (!grown)
        return ERR_MEMORY;
    *items = grown;
    *size = new_size;
    return 0;
}

static int source_begin(struct view *view, place_number place, bool is_room)
{
    int err = grow((void **)&view->sources, &view->size, view->count, sizeof(*view->sources));
    if (err)
        return err;
    view->sources[view->count++] =
        (struct source){.place = place, .first = view->stretch_count, .is_room = is_room};
    return 0;
}

/* Adds to the source that was begun last; an empty stretch is left out. */
static int stretch_add(struct view *view, struct event_id from, struct event_id until, bool watched)
{
    if (event_id_compare(from, until) > 0)
        return 0;
    int err = grow((void **)&view->stretches, &view->stretch_size, view->stretch_count,
                   sizeof(*view->stretches));
    if (err)
        return err;
    view->stretches[view->stretch_count++] = (struct stretch){from, until, watched};
    view->sources[view->count - 1].count++;
    return 0;
}

int view_add(struct view *view, place_number place, bool is_room, struct event_id after,
             bool watched)
{
    int err = source_begin(view, place, is_room);
    return err ? err : stretch_add(view, above(after), EVENT_ID_LAST, watched);
}

static int compare_sources(const void *a, const void *b)
{
    place_number left = ((const struct source *)a)->place;
    place_number right = ((const struct source *)b)->place;
    return left < right ? -1 : left > right;
}

void view_sort(struct view *view)
{
    if (view->count > 1)
        qsort(view->sources, (size_t)view->count, sizeof(*view->sources), compare_sources);
}

/* A room asked for by name, as it is now. */
struct named {
    place_number place; /* 0: no such room */
    bool watched;       /* may be read without membership */
    bool done;
    struct event_id watch_since;
};

struct loading {
    struct view *view;
    struct ledger *ledger;
    const struct follow_spec *follow;
    int64_t now_ms;
    struct arena arena; /* texts of rooms that were looked at */
    struct named *named;
    struct ledger_tenure *tenures;
    int tenure_count, tenure_size;
};

static int note_tenure(void *context, const struct ledger_tenure *tenure)
{
    struct loading *loading = context;
    int err = grow((void **)&loading->tenures, &loading->tenure_size, loading->tenure_count,
                   sizeof(*loading->tenures));
    if (!err)
        loading->tenures[loading->tenure_count++] = *tenure;
    return err;
}

static int find_room(struct loading *loading, place_number realm, place_number user,
                     const struct follow_room *asked, struct named *named)
{
    struct ledger_room room;
    int err = loading->ledger->ops->room_find(loading->ledger, realm, asked->room,
                                              &loading->arena, &room);
    if (err)
        return err == ERR_NOT_FOUND ? 0 : err;
    const struct actor actor = {.user = loading->follow->user, .grants = asked->grants};
    struct facts facts = {.room_exists = true, .room = room.info};
    err = scene_is_banned(loading->ledger, room.place, user, loading->now_ms, &facts.banned);
    if (err)
        return err;
    named->place = room.place;
    named->watched = command_decide_read(&actor, &facts) == 0;
    named->watch_since = asked->grants & GRANT_READ ? EVENT_ID_NONE : room.info.public_since;
    return 0;
}

static int load_named(struct loading *loading, place_number realm, place_number user)
{
    const struct follow_spec *follow = loading->follow;
    if (follow->room_count == 0)
        return 0;
    loading->named = calloc((size_t)follow->room_count, sizeof(*loading->named));
    if (!loading->named)
        return ERR_MEMORY;
    int err = 0, missed = 0;
    for (int i = 0; i < follow->room_count && !err; i++)
        err = ledger_put_off(
            find_room(loading, realm, user, &follow->rooms[i], &loading->named[i]), &missed);
    return err ? err : missed;
}

static struct named *find_named(struct loading *loading, place_number place)
{
    for (int i = 0; i < loading->follow->room_count; i++) {
        if (loading->named[i].place == place)
            return &loading->named[i];
    }
    return NULL;
}

/* Was this a room of a name asked for, which has been deleted since? */
static int is_former(struct loading *loading, place_number place, bool *ret)
{
    struct ledger_room room;
    int err = loading->ledger->ops->room_at(loading->ledger, place, &loading->arena, &room);
    if (err)
        return err;
    *ret = false;
    for (int i = 0; i < loading->follow->room_count && room.deleted; i++) {
        if (span_equal(loading->follow->rooms[i].room, room.info.id))
            *ret = true;
    }
    return 0;
}

static int add_watched(struct view *view, const struct named *named, struct event_id from,
                       struct event_id until)
{
    if (!named || !named->watched)
        return 0;
    if (event_id_compare(from, named->watch_since) <= 0)
        from = above(named->watch_since);
    return stretch_add(view, from, until, true);
}

/* The tenures of one room, and what is watched between them. */
static int add_room(struct loading *loading, const struct ledger_tenure *tenures, int count,
                    struct named *named)
{
    struct view *view = loading->view;
    struct event_id next = EVENT_ID_NONE;
    int err = source_begin(view, count ? tenures[0].room : named->place, true);
    for (int i = 0; i < count && !err; i++) {
        assert(event_id_compare(tenures[i].from, next) >= 0);
        err = add_watched(view, named, next, event_id_previous(tenures[i].from));
        if (!err)
            err = stretch_add(view, tenures[i].from, tenures[i].until, false);
        next = above(tenures[i].until);
    }
    bool open = count > 0 && event_id_compare(tenures[count - 1].until, EVENT_ID_LAST) == 0;
    if (!err && !open)
        err = add_watched(view, named, next, EVENT_ID_LAST);
    if (named)
        named->done = true;
    return err;
}

static int add_rooms_of_tenures(struct loading *loading)
{
    int err = 0, missed = 0;
    for (int i = 0, count; i < loading->tenure_count && !err; i += count) {
        const struct ledger_tenure *tenures = &loading->tenures[i];
        for (count = 1; i + count < loading->tenure_count; count++) {
            if (tenures[count].room != tenures[0].room)
                break;
        }
        struct named *named = find_named(loading, tenures[0].room);
        bool wanted = loading->follow->all || named;
        bool ended = event_id_compare(tenures[count - 1].until, EVENT_ID_LAST) < 0;
        if (!wanted && ended)
            err = ledger_put_off(is_former(loading, tenures[0].room, &wanted), &missed);
        if (!err && wanted)
            err = add_room(loading, tenures, count, named);
    }
    return err ? err : missed;
}

static int load(struct loading *loading, place_number realm, place_number user,
                struct event_id after)
{
    struct ledger *ledger = loading->ledger;
    int missed = 0;
    int err = ledger_put_off(load_named(loading, realm, user), &missed);
    if (!err && user)
        err = ledger_put_off(ledger->ops->tenures(ledger, user, 0, after, note_tenure, loading),
                             &missed);
    if (err || missed)
        return err ? err : missed;
    err = ledger_put_off(add_rooms_of_tenures(loading), &missed);
    for (int i = 0; i < loading->follow->room_count && !err; i++) {
        struct named *named = &loading->named[i];
        if (named->place && named->watched && !named->done)
            err = add_room(loading, NULL, 0, named);
    }
    if (!err && user) {
        err = view_add(loading->view, user, false, EVENT_ID_NONE, false);
        if (!err)
            loading->view->sources[loading->view->count - 1].is_own = true;
    }
    if (!err)
        err = view_add(loading->view, realm, false, EVENT_ID_NONE, false);
    return err ? err : missed;
}

#define LOADING_BYTES_MAX (64u << 20)

int view_load(struct view *view, struct ledger *ledger, place_number realm,
              const struct ledger_user *user, const struct follow_spec *follow,
              struct event_id after, int64_t now_ms)
{
    view->all = follow->all;
    view->own_gone = user->gone;
    struct loading loading = {.view = view, .ledger = ledger, .follow = follow, .now_ms = now_ms};
    arena_init(&loading.arena, LOADING_BYTES_MAX);
    int err = load(&loading, realm, user->place, after);
    arena_fini(&loading.arena);
    free(loading.named);
    free(loading.tenures);
    if (!err)
        view_sort(view);
    return err;
}

static const struct source *find_source(const struct view *view, place_number place)
{
    int low = 0, high = view->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (view->sources[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < view->count && view->sources[low].place == place ? &view->sources[low] : NULL;
}

/* The first stretch of a source that does not end below `id`; its count if there is none. */
static int first_stretch(const struct view *view, const struct source *source, struct event_id id)
{
    int low = 0, high = source->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (event_id_compare(view->stretches[source->first + middle].until, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool view_follows(const struct view *view, place_number room)
{
    return view->all || find_source(view, room);
}

bool view_shows(const struct view *view, place_number place, struct event_id id,
                enum event_type type)
{
    const struct source *source = find_source(view, place);
    if (!source || type == EVENT_NONE)
        return false;
    int at = first_stretch(view, source, id);
    if (at == source->count)
        return false;
    const struct stretch *stretch = &view->stretches[source->first + at];
    return event_id_compare(stretch->from, id) <= 0 &&
           (!stretch->watched || event_type_is_for_watchers(type));
}

bool view_overlaps(const struct view *view, const struct source *source, struct event_id after,
                   struct event_id until)
{
    int at = first_stretch(view, source, above(after));
    return event_id_compare(after, until) < 0 && at < source->count &&
           event_id_compare(view->stretches[source->first + at].from, until) <= 0;
}
