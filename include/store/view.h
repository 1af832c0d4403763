/* What a reader may see: for each place the stretches of ids that are visible in it.
 *
 * WHY    what counts is the membership at an event's position, not at the time it is read.
 * MODEL  within a tenure everything is visible; between tenures, in a room that may be watched,
 *        only what is for watchers and not older than the watching reaches back.
 *
 *            tenures        [=======]          [=====]      [=========...
 *            watch_since        |.................................
 *            stretches      [=======][........][=====][....][=========...
 *
 *        The user's own place and the realm's are sources too, visible throughout; but what the
 *        own place tells of a room is shown only as far as that room is followed, which an id
 *        alone does not tell.
 * BOUNDS a source for each room the user was in after the cursor or that is named, a stretch for
 *        each tenure that ends after it.
 * Floor: store. Owns its arrays; valid within the snapshot it was made in. */
#ifndef TIDINGS_STORE_VIEW_H
#define TIDINGS_STORE_VIEW_H

#include "store/journal.h"
#include "store/ledger.h"

struct stretch {
    struct event_id from, until; /* both included */
    bool watched;                /* only event types for watchers */
};

struct source {
    place_number place;
    int first, count; /* stretches, in order of ids */
    bool is_room;
    bool is_own; /* the user's place */
};

struct view {
    bool all;                 /* every room is followed */
    struct event_id own_gone; /* up to here the own place has lost events */
    struct source *sources;   /* in order of places */
    int count, size;
    struct stretch *stretches;
    int stretch_count, stretch_size;
};

void view_init(struct view *view);
void view_fini(struct view *view);

/* What `follow` may see above `after`; `user` is follow->user, its place 0 if not known. */
MUST_CHECK int view_load(struct view *view, struct ledger *ledger, place_number realm,
                         const struct ledger_user *user, const struct follow_spec *follow,
                         struct event_id after, int64_t now_ms);
/* Adds one source with one stretch, everything above `after`. Keep the order with view_sort. */
MUST_CHECK int view_add(struct view *view, place_number place, bool is_room, struct event_id after,
                        bool watched);
void view_sort(struct view *view);

bool view_shows(const struct view *view, place_number place, struct event_id id,
                enum event_type type);
/* Is what the own place tells of this room shown? */
bool view_follows(const struct view *view, place_number room);
/* True when a stretch of the source has ids with after < id <= until. */
bool view_overlaps(const struct view *view, const struct source *source, struct event_id after,
                   struct event_id until);

/* The id directly below; of 0-0 itself. */
struct event_id event_id_previous(struct event_id id);

#endif
