/* The blocks that a session is sent about itself: connected, caught_up, gap, reset, …
 *
 * MODEL  each call makes one frame (AUDIENCE_SESSION) with one reference for the caller; NULL
 *        when memory ran out.
 * Floor: api. Any thread. */
#ifndef TIDINGS_API_BLOCKS_H
#define TIDINGS_API_BLOCKS_H

#include "core/frame.h"
#include "store/journal.h"

struct block_connected {
    const char *session, *user, *node;
    int64_t heartbeat_ms;
    bool resumed;
    struct event_id cursor;   /* where the session begins */
    bool with_id;             /* carries id: <cursor> */
    int64_t expires_at_ms;    /* of the token */
    int64_t unread, mentions; /* of the user */
    int64_t retry_ms;
};

struct frame *block_connected(const struct block_connected *connected);
struct frame *block_caught_up(struct event_id head, int64_t replayed);
struct frame *block_gap(const struct journal_gap *gap);
/* `ahead`: the cursor is above the journal's head; else it is foreign. */
struct frame *block_reset(bool ahead, struct event_id head);
struct frame *block_room_denied(const char *room, int err);
/* `retry_ms` 0: no retry line. */
struct frame *block_ended(const char *code, int64_t retry_ms);
struct frame *block_reconnect(int64_t after_ms);
/* The text of a whole `busy` stream, in the arena; data NULL when memory ran out. */
struct span block_busy_text(struct arena *arena, const char *code, int64_t after_ms);

/* Milliseconds chosen at random between `from` and `to`. */
int64_t random_between(int64_t from, int64_t to);

#endif
