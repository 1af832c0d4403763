/* The ids of a view, merged over its sources in one order.
 *
 * MODEL  a feed for each source with a few ids read ahead, and a heap of feeds by their next id.
 * BOUNDS ids read ahead: about twice what is wanted, and at least MERGE_BATCH_MIN a source.
 * Floor: store. Borrows view and ledger; valid within their snapshot. */
#ifndef TIDINGS_STORE_MERGE_H
#define TIDINGS_STORE_MERGE_H

#include "store/view.h"

#define MERGE_BATCH_MIN 16

struct feed {
    const struct source *source;
    int stretch;           /* of the source, where it reads */
    struct event_id bound; /* the last id it looked at */
    struct event_id *ids;  /* read ahead; part of merge.ids */
    int at, count;         /* the next of them, and how many */
    int quota;             /* ids it may still read; below 0: no limit */
    const struct merge *merge;
};

struct merge {
    struct ledger *ledger;
    const struct view *view;
    struct event_id after, before; /* not included */
    bool newest_first;
    bool messages_only;
    int batch; /* ids a feed reads at once */
    struct feed *feeds;
    struct event_id *ids;
    struct feed **heap; /* feeds that have ids, the next one first */
    int heap_count;
};

/* How to merge; `wanted` is about how many will be taken. */
struct merge_spec {
    struct event_id after, before;
    bool newest_first;
    bool messages_only;
    int wanted;
    int quota; /* of each source; below 0: no limit */
};

/* On failure there is nothing to give back. */
MUST_CHECK int merge_init(struct merge *merge, struct ledger *ledger, const struct view *view,
                          const struct merge_spec *spec);
void merge_fini(struct merge *merge);
/* ERR_NOT_FOUND when there are no more. */
MUST_CHECK int merge_next(struct merge *merge, struct event_id *ret);

#endif
