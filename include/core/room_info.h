/* What a room is: the values that the journal keeps of it.
 *
 * Floor: core. Pure. Texts are borrowed from whoever filled it. */
#ifndef TIDINGS_CORE_ROOM_INFO_H
#define TIDINGS_CORE_ROOM_INFO_H

#include "core/event_id.h"

enum room_kind { ROOM_PUBLIC, ROOM_PRIVATE, ROOM_DIRECT };
enum history_from { HISTORY_FROM_START, HISTORY_FROM_JOINING };
/* By rank. */
enum role { ROLE_NONE, ROLE_MEMBER, ROLE_MODERATOR, ROLE_OWNER };
/* What a member wants to be woken for. */
enum notify { NOTIFY_ALL, NOTIFY_MENTIONS, NOTIFY_NONE };

struct room_info {
    struct span id;
    enum room_kind kind;
    struct span name, topic;     /* empty when not set */
    bool announce;               /* only owner and moderators post */
    int slow_mode_s;             /* 0: none */
    enum history_from history_from;
    struct span data;            /* JSON object as text; "{}" when not set */
    int64_t member_count;
    uint64_t version;            /* 1 when made, raised by every change */
    int64_t created_at_ms;       /* since 1970 UTC */
    struct event_id public_since; /* watchers are shown nothing older */
};

/* One of the two of a direct room. */
struct room_person {
    struct span user, name, data; /* name.data, data.data NULL: none */
};

/* "public", "private", "direct"; "owner", "moderator", "member", "" for ROLE_NONE;
 * "start", "joining"; "all", "mentions", "none". Static. */
const char *room_kind_name(enum room_kind kind);
const char *role_name(enum role role);
const char *history_from_name(enum history_from from);
const char *notify_name(enum notify notify);
/* ERR_INVALID_FIELD when it is none of them. */
MUST_CHECK int room_kind_parse(struct span text, enum room_kind *ret);
MUST_CHECK int role_parse(struct span text, enum role *ret);
MUST_CHECK int history_from_parse(struct span text, enum history_from *ret);
MUST_CHECK int notify_parse(struct span text, enum notify *ret);

#endif
