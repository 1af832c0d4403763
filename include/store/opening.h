/* A reader's opening being worked out: what the files of reading_open share.
 * Floor: store. */
#ifndef TIDINGS_STORE_OPENING_H
#define TIDINGS_STORE_OPENING_H

#include "store/reading_parts.h"

struct opening {
    struct ledger *ledger;
    struct journal_open *open;
    struct ledger_realm realm;
    struct ledger_user user;
    enum cursor_state cursor_state; /* as asked, or the device's */
    struct event_id cursor;
    int64_t now_ms;
    struct arena scratch;
    struct ledger_room *ledger_rooms; /* of open->rooms, same order; texts not to be used */
    struct ledger_marker *markers;    /* likewise; of members */
    int size;                         /* entries allocated of each */
};

/* The cursor is in force: start, replay_from and gaps. */
MUST_CHECK int opening_resume(struct opening *opening);
/* The newest messages of each room, in order. */
MUST_CHECK int opening_load_history(struct opening *opening);

#endif
