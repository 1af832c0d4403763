#include "core/room_info.h"

#include <assert.h>

#include "base/attr.h"
#include "base/err.h"

static const char *const kind_names[] = {"public", "private", "direct"};
static const char *const role_names[] = {"", "member", "moderator", "owner"};
static const char *const history_names[] = {"start", "joining"};
static const char *const notify_names[] = {"all", "mentions", "none"};

const char *room_kind_name(enum room_kind kind)
{
    assert(kind < array_count(kind_names));
    return kind_names[kind];
}

const char *role_name(enum role role)
{
    assert(role < array_count(role_names));
    return role_names[role];
}

const char *history_from_name(enum history_from from)
{
    assert(from < array_count(history_names));
    return history_names[from];
}

const char *notify_name(enum notify notify)
{
    assert(notify < array_count(notify_names));
    return notify_names[notify];
}

static int name_index(struct span text, const char *const *names, size_t count, size_t first)
{
    for (size_t i = first; i < count; i++) {
        if (span_is(text, names[i]))
            return (int)i;
    }
    return ERR_INVALID_FIELD;
}

int room_kind_parse(struct span text, enum room_kind *ret)
{
    int index = name_index(text, kind_names, array_count(kind_names), 0);
    if (index < 0)
        return index;
    *ret = (enum room_kind)index;
    return 0;
}

int role_parse(struct span text, enum role *ret)
{
    int index = name_index(text, role_names, array_count(role_names), ROLE_MEMBER);
    if (index < 0)
        return index;
    *ret = (enum role)index;
    return 0;
}

int history_from_parse(struct span text, enum history_from *ret)
{
    int index = name_index(text, history_names, array_count(history_names), 0);
    if (index < 0)
        return index;
    *ret = (enum history_from)index;
    return 0;
}

int notify_parse(struct span text, enum notify *ret)
{
    int index = name_index(text, notify_names, array_count(notify_names), 0);
    if (index < 0)
        return index;
    *ret = (enum notify)index;
    return 0;
}
