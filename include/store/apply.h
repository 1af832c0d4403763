/* Carrying out commands against a ledger.
 *
 * WHY    what a command changes, which events it makes, and in which order, is the same for
 *        every backend and is written here once.
 * MODEL  for each command: look for a repeat, gather facts, decide (core/command), then write.
 *        All checks come before the first write, so that a refused command writes nothing.
 *        Frames of what was done are collected for the follower, in journal order.
 *
 *          begin transaction -> apply_command ... apply_command -> commit -> tell the follower
 *                                                              \-> roll back: apply_forget
 *
 * BOUNDS a command makes at most MEMBERS_ADDED_MAX + 1 events, and rewrites at most
 *        APPEND_EVENTS_MAX and one message with its edits.
 * Floor: store. One thread at a time; owns its scratch memory and the frames it holds. */
#ifndef TIDINGS_STORE_APPLY_H
#define TIDINGS_STORE_APPLY_H

#include "base/settings.h"
#include "store/journal.h"
#include "store/ledger.h"

struct apply {
    struct ledger *ledger;
    const struct settings *settings;
    struct arena scratch;  /* of one command */
    struct arena *results; /* of the request */
    int64_t now_ms;        /* the journal's clock */
    struct frame **frames; /* refs, in order: what was done since the last apply_forget */
    int frame_count;
    int frame_size; /* entries allocated */
    int rewritten;  /* events, since the last apply_forget */
};

/* How many events were made or rewritten since the last apply_forget. */
static inline int apply_events(const struct apply *apply)
{
    return apply->frame_count + apply->rewritten;
}

void apply_init(struct apply *apply, struct ledger *ledger, const struct settings *settings);
void apply_fini(struct apply *apply);

/* Carries out one command within the transaction that was begun; writes its outcome, texts of
 * it into `results`. `now_ms` is since 1970 UTC. Returns 0 also when the command was refused
 * (see its outcome); an error means that the transaction must be rolled back, with everything
 * applied in it. */
MUST_CHECK int apply_command(struct apply *apply, struct command *command, int64_t now_ms,
                             struct arena *results);
/* All of one request, in order, or as many as it may (see journal_append). As apply_command. */
MUST_CHECK int apply_append(struct apply *apply, struct journal_append *append, int64_t now_ms);

/* Writes what reading_open asked for by `note_device`; monotonic. As apply_command. */
MUST_CHECK int apply_device(struct apply *apply, const struct journal_open *open, int64_t now_ms);

/* What was done is committed: tells the follower (may be NULL) and lets go of the frames. */
void apply_tell(struct apply *apply, journal_follower follower, void *context);
/* Lets go of the frames untold: after a roll-back. */
void apply_forget(struct apply *apply);

#endif
