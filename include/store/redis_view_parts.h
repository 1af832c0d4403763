/* What the files of redis_view share.
 *
 * MODEL  three kinds of memory: *facts* (keys, fields, asks and what was fetched) live as long as
 *        the view; what the present *run* writes, checks and merges goes with the run.
 *
 *        A field's value is what Redis has (`base`), and over it what the run wrote (`written`).
 *        `base` counts when it is of the present fetch (`fetched` is the view's `fetch`), when
 *        the whole hash was (then what is not there is absent), or when it was guessed.
 *        Commands have a `serial`, which is never given again in a view, so that what is noted
 *        under it needs no clearing.
 * Floor: store. */
#ifndef TIDINGS_STORE_REDIS_VIEW_PARTS_H
#define TIDINGS_STORE_REDIS_VIEW_PARTS_H

#include <limits.h>

#include "base/err.h"
#include "store/redis_cache.h"
#include "store/redis_pack.h"
#include "store/redis_view.h"

#define REDIS_NAMES_SEPARATOR '\xfe' /* in the checks of names, and of ids */
#define REDIS_GUESSED UINT_MAX       /* in `fetched` */

/* Hash tables of what lies in an arena: chains from a hash. */
struct redis_slot {
    struct redis_slot *next;
    uint64_t hash;
};
struct redis_slots {
    struct redis_slot **buckets; /* owned */
    size_t size;                 /* power of two, or 0 */
    size_t count;
};

/* A text, or what Redis has, or that plus a number. */
struct redis_value {
    bool is_text, is_sum;
    int64_t by;
    struct span text; /* data NULL: absent */
};

struct redis_written {
    unsigned run;    /* other than the view's: nothing was written */
    unsigned serial; /* of the last command that wrote it */
    bool set;        /* by that command, which so knows it; else that has only raised it */
    struct redis_value now;
    struct redis_value before; /* that command */
};

struct redis_field {
    struct redis_slot slot;
    struct redis_key *key;
    struct redis_field *sibling; /* next of the same key */
    struct span name;
    bool is_pending; /* its name has a mark: Redis has none such */
    bool is_asked;   /* by itself */
    bool is_wanted;  /* read, and not only as one that is expected to be absent */
    bool is_cached;  /* what was fetched was put into the cache */
    unsigned fetched;
    struct span base;
    unsigned checked; /* serial of the last command that has a check of it */
    struct redis_written written, undo;
    struct redis_field *next_touched; /* by the present command */
};

enum redis_name_act { REDIS_NAME_ADD, REDIS_NAME_REMOVE, REDIS_NAMES_REMOVE, REDIS_NAMES_DROP };

/* What the run did to a sorted set, newest first. */
struct redis_name_op {
    struct redis_name_op *older;
    unsigned serial;
    enum redis_name_act act;
    struct span name, before; /* `name` is `after` of a range */
};

/* What the run added to a stream, newest first. */
struct redis_added {
    struct redis_added *older;
    unsigned serial;
    bool is_drop; /* of all there was */
    struct redis_entry entry;
};

struct redis_key {
    struct redis_slot slot;
    struct span text;
    struct redis_field *fields;
    bool is_new; /* of a place that nobody else was given */
    bool wants_whole, is_whole_asked;
    unsigned whole; /* fetch that had all of its fields */
    bool is_size_asked;
    unsigned size_fetched; /* fetch that had `size` */
    uint64_t size;
    unsigned checked;     /* serial of the last command that checks all its fields */
    unsigned run;         /* of the following */
    unsigned drop_serial; /* command that dropped it; 0: none */
    unsigned drop_undo;
    struct redis_name_op *names;
    struct redis_added *added;
    unsigned touched; /* serial */
    struct redis_key *next_touched;
    unsigned call;     /* in which it has the following */
    struct span index; /* in KEYS */
};

/* An ask about more than a field: names, counts, entries. */
struct redis_asked {
    struct redis_slot slot;
    char verb; /* of fetch.lua */
    struct redis_key *key, *other;
    struct span from, to; /* as fetch.lua has them */
    int limit;
    bool descending;
    struct redis_key *with[REDIS_WITH_MAX];
    int with_count;
    unsigned fetched;
    struct span *names;
    struct redis_entry *entries;
    int count, size; /* size: that there is room for */
    uint64_t number;
};

struct redis_ask {
    struct redis_ask *next;
    char verb;
    struct redis_key *key;
    struct redis_field *field; /* G */
    struct redis_asked *asked; /* N, C, J, R */
};

/* Of commit.lua. */
struct redis_check {
    struct redis_check *next;
    char verb;
    struct redis_key *key;
    struct redis_field *field; /* G, g */
    struct span from, to;      /* N, R */
    int limit;
    bool descending;
    uint64_t number; /* H how many, E which event */
    struct span was;
};

struct redis_event_write {
    struct redis_event event; /* with texts of the run */
    unsigned needed;          /* serial of the last command that has a check of it */
    struct event_id real;     /* after the commit; 0-0: not stored */
    struct span real_ordinal; /* as text; lives as long as the reply */
};

struct redis_write {
    struct redis_write *next;
    char verb;
    struct redis_key *key;
    struct redis_field *field; /* S, U, A */
    struct span a, b;
    int event; /* E: its index */
};

struct redis_command {
    struct redis_command *next;
    struct redis_check *checks, **checks_end;
    struct redis_write *writes, **writes_end;
    int check_count, write_count;
    int first_event, event_count;
    int events_named; /* what it speaks of lies below that */
};

struct redis_view {
    struct redis_cache *cache; /* borrowed; NULL: not optimistic */
    const struct redis_given *given; /* borrowed; NULL: no place is new */
    struct arena facts, run_arena;
    bool is_full; /* why the last allocation failed; else there was no memory */
    char prefix[24];
    size_t prefix_len;
    struct redis_slots keys, fields, asked;

    struct redis_ask *asks, **asks_end;
    int ask_count, answered_count, sent_count;
    unsigned fetch; /* number of the last; 0: none yet */

    unsigned run; /* from 1 */
    unsigned serial;
    bool is_open;                  /* within a command */
    struct redis_command *command; /* the present one; NULL: there was no memory for it */
    struct redis_field *touched_fields;
    struct redis_key *touched_keys;
    struct redis_command *commands, **commands_end;
    int command_count;
    struct redis_event_write **events; /* owned array */
    int event_count, event_size;

    unsigned call;
    int key_count;
    const char **argv; /* owned arrays */
    size_t *lens;
    int argc, argv_size;
};

/* Memory. NULL: redis_view_failed says why. */
void *redis_facts_alloc(struct redis_view *view, size_t len);
void *redis_run_alloc(struct redis_view *view, size_t len);
/* A copy of a value; an absent one stays so. False: out of memory. */
bool redis_keep_value(struct redis_view *view, bool in_facts, struct span value, struct span *ret);
/* A copy. data NULL: out of memory, if `text` has any. */
struct span redis_facts_copy(struct redis_view *view, struct span text);
struct span redis_run_copy(struct redis_view *view, struct span text);
/* The error of an allocation that failed, or of a key that is NULL. */
static inline int redis_view_failed(const struct redis_view *view)
{
    return view->is_full ? ERR_FULL : ERR_MEMORY;
}

/* First of the chain in which one with `hash` is, or NULL. */
struct redis_slot *redis_slots_first(const struct redis_slots *slots, uint64_t hash);
bool redis_slots_add(struct redis_slots *slots, struct redis_slot *slot);

/* Found or added; NULL: out of memory. */
struct redis_field *redis_field_at(struct redis_view *view, struct redis_key *key,
                                   struct span name);
/* The key, with what belongs to another run forgotten. */
struct redis_key *redis_key_now(const struct redis_view *view, struct redis_key *key);
/* Whether there is nothing in it but what the run wrote: it was dropped, or is of a new place. */
static inline bool redis_key_is_dropped(const struct redis_view *view, const struct redis_key *key)
{
    return key->is_new || (key->run == view->run && key->drop_serial != 0);
}

/* Whether the present command has. */
static inline bool redis_key_is_own_drop(const struct redis_view *view, const struct redis_key *key)
{
    return key->run == view->run && key->drop_serial == view->serial;
}

/* Its value as of now. */
struct redis_value redis_field_value(const struct redis_view *view,
                                     const struct redis_field *field);
/* What Redis has; false: not known. */
bool redis_field_base(const struct redis_view *view, const struct redis_field *field,
                      struct span *ret);
/* A value as text. ERR_NOT_FETCHED (without asking) when Redis' own is needed and not known. */
MUST_CHECK int redis_value_text(struct redis_view *view, const struct redis_field *field,
                                struct redis_value value, struct span *ret);

MUST_CHECK int redis_read_signed(struct span text, int64_t *ret);
/* `base` (data NULL: 0) plus `by`, as a value of the run. */
MUST_CHECK int redis_sum(struct redis_view *view, struct span base, int64_t by, struct span *ret);

/* A bound as Redis has it: `(` and the text, or `none` when there is none; of the run. data NULL:
 * out of memory. */
struct span redis_bound(struct redis_view *view, struct span text, const char *none);
/* The text of it again; data NULL: none. */
struct span redis_unbound(struct span bound);
/* An id as text, also a pending one; of the run. data NULL: out of memory. */
struct span redis_id_text(struct redis_view *view, struct event_id id);

/* Adds an ask; 0 or an error of memory. */
MUST_CHECK int redis_ask_add(struct redis_view *view, char verb, struct redis_key *key,
                             struct redis_field *field, struct redis_asked *asked);
/* What was asked for, added if it is new: then, and while it is not answered, ERR_NOT_FETCHED. */
MUST_CHECK int redis_ask(struct redis_view *view, const struct redis_asked *wanted,
                         const struct redis_asked **ret);
/* The same for a range of names, whose bounds may have marks. */
MUST_CHECK int redis_ask_names(struct redis_view *view, struct redis_asked wanted,
                               const struct redis_asked **ret);

/* Adds a check to the present command; NULL: out of memory. */
struct redis_check *redis_check_add(struct redis_view *view, char verb, struct redis_key *key);
/* For each mark in a text of the present command that is of an earlier command's event: a check
 * that this was stored. */
MUST_CHECK int redis_need_marks(struct redis_view *view, struct span text);
/* Likewise of an id, if it is pending. */
MUST_CHECK int redis_need_event(struct redis_view *view, struct event_id id);
/* Whether it has a mark of an event of the present command. */
bool redis_has_own_mark(const struct redis_view *view, struct span text);

/* After a commit, for the cache, which there is. */
void redis_view_learn(struct redis_view *view, const struct redis_result *results);

#endif
