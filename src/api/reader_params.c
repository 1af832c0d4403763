#include "api/reader.h"
#include "api/routes.h"
#include "base/err.h"
#include "core/ident.h"

/* Absent: data NULL. One that stands there twice is a fault. */
static int read_text(struct request *request, const char *name, struct span *ret,
                     const char **ret_field)
{
    int count;
    *ret = request_query(request, name, &count);
    if (count <= 1)
        return 0;
    *ret_field = name;
    return ERR_INVALID_PARAMETER;
}

/* A number in its range; absent gives `otherwise`. */
static int read_number(struct request *request, const char *name, int64_t min, int64_t max,
                       int64_t otherwise, int64_t *ret, const char **ret_field)
{
    int count;
    struct span text = request_query(request, name, &count);
    uint64_t number;
    *ret = otherwise;
    if (count == 0)
        return 0;
    *ret_field = name;
    if (count > 1 || span_to_number(text, (uint64_t)max, &number) != 0 || (int64_t)number < min)
        return ERR_INVALID_PARAMETER;
    *ret = (int64_t)number;
    return 0;
}

/* One of `words` (ended by NULL), or absent. */
static int read_word(struct request *request, const char *name, const char *const *words,
                     struct span *ret, const char **ret_field)
{
    int err = read_text(request, name, ret, ret_field);
    if (err)
        return err;
    for (int i = 0; words[i]; i++) {
        if (ret->len == 0 || span_is(*ret, words[i]))
            return 0;
    }
    *ret_field = name;
    return ERR_INVALID_PARAMETER;
}

static int read_ident(struct request *request, const char *name, struct span *ret,
                      const char **ret_field)
{
    int err = read_text(request, name, ret, ret_field);
    if (err)
        return err;
    if (ret->len == 0)
        *ret = (struct span){NULL, 0};
    if (!ret->data || ident_is_valid(*ret))
        return 0;
    *ret_field = name;
    return ERR_INVALID_IDENTIFIER;
}

/* The header wins; an empty one counts as absent. */
static int read_cursor(struct request *request, struct reader_params *params,
                       const char **ret_field)
{
    static const char *const names[] = {"since", "last_event_id", "lastEventId"};
    struct span text = span_trim(request->headers[HEADER_LAST_EVENT_ID]);
    for (size_t i = 0; i < array_count(names); i++) {
        struct span value;
        int err = read_text(request, names[i], &value, ret_field);
        if (err)
            return err;
        if (text.len == 0)
            text = value;
    }
    params->cursor_state = text.len == 0                                ? CURSOR_ABSENT
                           : event_id_parse(text, &params->cursor) == 0 ? CURSOR_GIVEN
                                                                        : CURSOR_MALFORMED;
    return 0;
}

static bool is_listed(const struct reader_params *params, struct span room)
{
    for (int i = 0; i < params->room_count; i++) {
        if (span_equal(params->rooms[i].room, room))
            return true;
    }
    return false;
}

/* A comma list of at most ROOMS_NAMED_MAX rooms; repeats count once. */
static int read_rooms(struct request *request, const char *name, struct reader_params *params,
                      const char **ret_field)
{
    const struct grants *grants = request_identity(request)->grants;
    struct span rest;
    int err = read_text(request, name, &rest, ret_field);
    if (err || rest.len == 0)
        return err;
    *ret_field = name;
    for (int count = 0; rest.data; count++) {
        struct span room = span_cut(&rest, ',');
        if (count == ROOMS_NAMED_MAX)
            return ERR_INVALID_PARAMETER;
        if (!ident_is_valid(room))
            return ERR_INVALID_IDENTIFIER;
        if (!is_listed(params, room))
            params->rooms[params->room_count++] =
                (struct follow_room){room, grants_for(grants, room)};
    }
    return 0;
}

static int read_follow(struct request *request, struct reader_params *params,
                       const char **ret_field)
{
    params->rooms = arena_alloc(&request->arena, 2 * ROOMS_NAMED_MAX * sizeof(*params->rooms));
    if (!params->rooms)
        return ERR_MEMORY;
    int err = read_rooms(request, "rooms", params, ret_field);
    params->all = params->room_count == 0;
    if (!err)
        err = read_rooms(request, "watch", params, ret_field);
    if (!err)
        err = read_ident(request, "device", &params->device, ret_field);
    if (!err && params->device.data && !params->all) {
        *ret_field = "device";
        err = ERR_INVALID_PARAMETER;
    }
    return err;
}

static int read_words(struct request *request, struct reader_params *params,
                      const char **ret_field)
{
    static const char *const presence[] = {"rooms", "subscribed", "none", NULL};
    static const char *const flag[] = {"0", "1", NULL};
    static const char *const events[] = {"unnamed", NULL};
    struct span word;
    int err = read_word(request, "presence", presence, &word, ret_field);
    params->shows = span_is(word, "none")         ? SESSION_SHOWS_NONE
                    : span_is(word, "subscribed") ? SESSION_SHOWS_SUBSCRIBED
                                                  : SESSION_SHOWS_ROOMS;
    if (!err)
        err = read_word(request, "quiet", flag, &word, ret_field);
    params->quiet = span_is(word, "1");
    if (!err)
        err = read_word(request, "compress", flag, &word, ret_field);
    if (!err)
        err = read_word(request, "events", events, &word, ret_field);
    params->unnamed = word.len > 0;
    return err;
}

static int read_numbers(struct request *request, bool is_poll, struct reader_params *params,
                        const char **ret_field)
{
    const struct settings *settings = request_app(request)->settings;
    int64_t history, heartbeat_s = 0, wait_s = 0, limit = 0;
    int err = read_number(request, "history", 0, HISTORY_LIMIT_MAX, 0, &history, ret_field);
    if (!err)
        err = read_number(request, "heartbeat", HEARTBEAT_S_MIN, HEARTBEAT_S_MAX, 0, &heartbeat_s,
                          ret_field);
    if (!err && is_poll)
        err = read_number(request, "wait", 0, POLL_WAIT_S_MAX, 25, &wait_s, ret_field);
    if (!err && is_poll)
        err = read_number(request, "limit", 1, POLL_LIMIT_MAX, 100, &limit, ret_field);
    if (err)
        return err;
    params->history = (int)history;
    params->heartbeat_ms = heartbeat_s ? heartbeat_s * 1000 : settings->sse_heartbeat_ms;
    params->wait_ms = wait_s * 1000;
    params->limit = (int)limit;
    return 0;
}

int reader_params_parse(struct request *request, bool is_poll, struct reader_params *ret,
                        const char **ret_field)
{
    *ret = (struct reader_params){0};
    *ret_field = NULL;
    int err = read_cursor(request, ret, ret_field);
    if (!err)
        err = read_follow(request, ret, ret_field);
    if (!err)
        err = read_ident(request, "session", &ret->session, ret_field);
    if (!err)
        err = read_words(request, ret, ret_field);
    if (!err)
        err = read_numbers(request, is_poll, ret, ret_field);
    return err;
}
