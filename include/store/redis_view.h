/* What transactions over Redis have read, and what they would write.
 *
 * WHY    the rules of commands and readers are written once (store/apply, store/reading) over
 *        the primitives of store/ledger.h, which return at once; Redis is a round trip away.
 * MODEL  a run works on what the view has. What is not there is noted as an ask, and the
 *        primitive returns ERR_NOT_FETCHED; the owner fetches all asks in one script call, which
 *        is one snapshot, and runs again from the start. So each run that ends without
 *        ERR_NOT_FETCHED has seen one snapshot and nothing else.
 *
 *           run -> ERR_NOT_FETCHED -> fetch all asks -> run -> … -> done
 *                                                             \-> commit: checks and writes
 *
 *        Writes are not sent at once: later reads see them in the view, and the commit script
 *        carries them out if everything that was read is still as it was (*checks*). So a
 *        command is decided on facts, and stored only where they are true.
 *        A *loose* read is not checked: for what only grows (ordinals, heads), and for what is
 *        only reported.
 *        An *optimistic* view takes what it can from the cache of the node, and takes for
 *        granted what redis_view_get_absent expects; a command that was refused, or found that
 *        it is a repeat, in such a view must be run again in one that is not.
 *
 *        begin_command … end_command encloses the reads and writes of one command: in the commit
 *        each is done whole, or not at all when one of its own checks fails. A later command of
 *        the view sees the writes of the earlier ones.
 * BOUNDS `REDIS_VIEW_BYTES_MAX` of all that it holds: ERR_FULL.
 * Floor: store. One thread. Owns its memory; spans it gives out live until the view is freed or
 * starts over (redis_view_restart). */
#ifndef TIDINGS_STORE_REDIS_VIEW_H
#define TIDINGS_STORE_REDIS_VIEW_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/event_id.h"

#define REDIS_VIEW_BYTES_MAX (64u << 20)
#define REDIS_SHARDS 64

struct redis_cache;
struct redis_key; /* one key that the view knows of */

/* An entry of a stream. */
struct redis_entry {
    struct event_id id;
    uint64_t number; /* `n`: of the realm's stream; 0 in others */
    uint64_t ordinal; /* `o`: of a room's streams; 0 in others */
    struct span value; /* `v` */
};

struct redis_range {
    struct event_id after, before; /* both excluded; 0-0 and EVENT_ID_LAST: without bound */
    int limit;                     /* at least 1 */
    bool newest_first;
    struct redis_key *const *with; /* hashes whose fields of the entries' ids are fetched as well */
    int with_count;                /* at most REDIS_WITH_MAX */
};
#define REDIS_WITH_MAX 4

/* An event to be stored: the script gives its id, its number in the realm, and its ordinal. */
struct redis_event {
    struct redis_key *realm;        /* hash: `h` head, `n` its number */
    struct redis_key *realm_stream; /* gets (id, n, v = where) */
    struct span where;              /* packed: under which place it stands */
    struct redis_key *stream;       /* of its place: gets (id, o, v = meta) */
    struct span meta;               /* packed: all of the event but its texts */
    struct redis_key *bodies;       /* hash of its place: field id, value body */
    struct span body;               /* packed: its texts */
    struct redis_key *room;         /* hash of the room it is about: `o`, `c`; NULL: none */
    bool raises_ordinal;
    int64_t members;                /* of that room, for those who tail; -1: what its `c` says */
    struct span realm_name;         /* for those who tail */
};

/* Outcomes of commits are kept in one hash for each period, by the deadline of the commit, and for
 * so long after the last of them: within that a commit may be repeated word for word. */
#define REDIS_DONE_PERIOD_MS 10000
#define REDIS_DONE_KEPT_S 30

struct redis_view;

/* `shard` below REDIS_SHARDS. `cache` may be NULL; with it the view is optimistic. NULL: out of
 * memory. */
struct redis_view *redis_view_new(int shard, struct redis_cache *cache);
struct redis_view *redis_view_free(struct redis_view *view);
bool redis_view_is_optimistic(const struct redis_view *view);

/* Numbers of new places that the runs of one view give out, each run the same in the same order,
 * so that it finds what it asked for under them. Nobody else is given them. */
struct redis_given {
    uint64_t *items; /* owned; they rise */
    int count, size;
    int at;          /* the next that is given in this run */
};
/* From now on nothing is asked about these places: there is nothing. Borrowed for life. */
void redis_view_know_new(struct redis_view *view, const struct redis_given *given);

/* Keys: `tidings:{s17}/<what>`, `tidings:{s17}/<kind>/<place>/<what>` with kind `r` realm, `p`
 * room, `u` user, and with a name behind it. The same key is the same pointer. NULL: out of
 * memory, which later calls with it return. */
struct redis_key *redis_key_shard(struct redis_view *view, const char *what);
struct redis_key *redis_key_of(struct redis_view *view, char kind, uint64_t place,
                               const char *what);
struct redis_key *redis_key_named(struct redis_view *view, char kind, uint64_t place,
                                  const char *what, struct span name);

/* Reading. All return 0, ERR_NOT_FETCHED, ERR_MEMORY, ERR_FULL, ERR_CORRUPT. What this view has
 * written is seen, but for what says otherwise. Outside of a command nothing is checked.
 *
 * A field of a hash; `*ret` data NULL when it is not there. */
MUST_CHECK int redis_view_get(struct redis_view *view, struct redis_key *hash, struct span field,
                              struct span *ret);
MUST_CHECK int redis_view_get_loose(struct redis_view *view, struct redis_key *hash,
                                    struct span field, struct span *ret);
/* One that is expected not to be there: an optimistic view does not ask. */
MUST_CHECK int redis_view_get_absent(struct redis_view *view, struct redis_key *hash,
                                     struct span field, struct span *ret);
/* All fields are fetched with the first that is asked for; for hashes of at most a few hundred
 * bytes. Call before the gets. 0 or ERR_MEMORY; never ERR_NOT_FETCHED. */
MUST_CHECK int redis_view_whole(struct redis_view *view, struct redis_key *hash);
/* The fields and values of a small hash, alternating, in no promised order; checked. */
MUST_CHECK int redis_view_fields(struct redis_view *view, struct redis_key *hash,
                                 const struct span **ret, int *ret_count);
/* Number of fields of a hash, loose, as it was fetched: without what this view writes. */
MUST_CHECK int redis_view_size(struct redis_view *view, struct redis_key *hash, uint64_t *ret);
/* Names of a sorted set in order of their bytes: those above `after` (data NULL: from the first)
 * and below `before` (data NULL: to the last), at most `limit`; newest first when `descending`.
 * Checked unless `loose`. */
MUST_CHECK int redis_view_names(struct redis_view *view, struct redis_key *names,
                                struct span after, struct span before, int limit, bool descending,
                                bool loose, const struct span **ret, int *ret_count);
/* How many there are; loose. Names that this view adds or removes are not counted in or out. */
MUST_CHECK int redis_view_count_names(struct redis_view *view, struct redis_key *names,
                                      struct span after, struct span before, uint64_t *ret);
/* How many are in both? Loose, as it was fetched. */
MUST_CHECK int redis_view_count_shared(struct redis_view *view, struct redis_key *a,
                                       struct redis_key *b, uint64_t *ret);
/* Entries of a stream. Checked (by their ids) unless `loose`. */
MUST_CHECK int redis_view_entries(struct redis_view *view, struct redis_key *stream,
                                  const struct redis_range *range, bool loose,
                                  const struct redis_entry **ret, int *ret_count);
/* One entry; `*ret_found` false when there is none. Loose. Also one whose id is pending. */
MUST_CHECK int redis_view_entry(struct redis_view *view, struct redis_key *stream,
                                struct event_id id, struct redis_entry *ret, bool *ret_found);

/* Writing, within a command. All return 0, ERR_MEMORY or ERR_FULL. Texts are copied. */
MUST_CHECK int redis_view_set(struct redis_view *view, struct redis_key *hash, struct span field,
                              struct span value);
MUST_CHECK int redis_view_unset(struct redis_view *view, struct redis_key *hash,
                                struct span field);
/* Adds to a number; a get that follows in this view sees it only where the number was read. */
MUST_CHECK int redis_view_raise(struct redis_view *view, struct redis_key *hash,
                                struct span field, int64_t by);
MUST_CHECK int redis_view_name_add(struct redis_view *view, struct redis_key *names,
                                   struct span name);
MUST_CHECK int redis_view_name_remove(struct redis_view *view, struct redis_key *names,
                                      struct span name);
/* Those above `after` and below `before`. */
MUST_CHECK int redis_view_names_remove(struct redis_view *view, struct redis_key *names,
                                       struct span after, struct span before);
/* The key and all it holds. */
MUST_CHECK int redis_view_drop(struct redis_view *view, struct redis_key *key);
/* An entry of a stream whose ids rise; `id` may be pending. */
MUST_CHECK int redis_view_entry_add(struct redis_view *view, struct redis_key *stream,
                                    struct event_id id, struct span value);
/* The pending id that the next event gets. */
struct event_id redis_view_next_id(const struct redis_view *view);
MUST_CHECK int redis_view_event(struct redis_view *view, const struct redis_event *event);

/* Commands */
void redis_view_begin_command(struct redis_view *view);
/* The present command is done only if the one before it that writes is. 0 or ERR_MEMORY. */
MUST_CHECK int redis_view_follow_on(struct redis_view *view);
/* Takes back what was read and written since begin_command, and ends it. */
void redis_view_abandon_command(struct redis_view *view);
/* Ends it; its index in the results of the commit, or -1 when it wrote nothing: then there is
 * nothing to check. */
int redis_view_end_command(struct redis_view *view);
int redis_view_command_count(const struct redis_view *view);

/* Asks that wait to be fetched; 0: the last run was whole. */
int redis_view_missing(const struct redis_view *view);
/* Before a run starts over: forgets writes and checks, keeps what was fetched. */
void redis_view_restart(struct redis_view *view);

/* Arguments of a script call; borrowed from the view until it is changed. */
struct redis_call {
    const char **argv;
    size_t *lens;
    int argc;
};
/* fetch.lua, without the name of the script: everything that was ever asked for in this view.
 * ERR_MEMORY. */
MUST_CHECK int redis_view_write_fetch(struct redis_view *view, struct redis_call *ret);
/* commit.lua: what the commands check and write. `life`, `batch`: see the script. When its outcome
 * is unknown, the same call may be made again: what was done before is not done twice, and its
 * results are given again. */
MUST_CHECK int redis_view_write_commit(struct redis_view *view, struct span life,
                                       struct span batch, int64_t deadline_ms,
                                       struct redis_call *ret);

/* What became of a command. */
struct redis_result {
    bool done;            /* its checks held */
    struct event_id head; /* the id of its last event; 0-0: it had none */
    int64_t members;      /* `c` of the room of its last event; -1: it is about none */
    int failed_check;     /* which did not hold, from 1; 0: none */
};

struct redisReply;
/* Takes in what fetch.lua answered; the clock of Redis when it was read. ERR_CORRUPT, ERR_MEMORY.
 * The reply is the caller's. */
MUST_CHECK int redis_view_read_fetch(struct redis_view *view, const struct redisReply *reply,
                                     int64_t *ret_now_ms);
/* Takes in what commit.lua answered: `results` has one for each command. Puts into the cache
 * what is known by now, takes out what a failed check has shown to be stale.
 * ERR_VERSION: another life; ERR_AGAIN: past the deadline; ERR_CORRUPT. */
MUST_CHECK int redis_view_read_commit(struct redis_view *view, const struct redisReply *reply,
                                      struct redis_result *results, int64_t *ret_now_ms);
/* After a commit: what a pending id became, 0-0 if it was not stored; others are returned as they
 * are. */
struct event_id redis_view_real_id(const struct redis_view *view, struct event_id id);

#endif
