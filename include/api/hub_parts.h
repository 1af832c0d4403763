/* The hub from inside: what its parts share.
 *
 * MODEL  hub.c is the thread: letters, timers, news. Each part is a file of its own with its
 *        state in struct hub: hub_sessions.c (who is connected), hub_typing.c (who types where),
 *        hub_here.c (which session is in which room), hub_receipts.c (markers that moved),
 *        hub_stats.c (how many are in large rooms), hub_hush.c (who becomes known to whom).
 *        News of the journal (hub_news.c) comes in journal order, to each part that listens: who
 *        joined or left a room, rooms deleted, and messages while a part wants them. Of the rest
 *        nothing wakes the hub. When memory ran out for a letter of it the parts are told that
 *        some was lost.
 * Floor: api. On the hub's thread, but for what says otherwise. */
#ifndef TIDINGS_API_HUB_PARTS_H
#define TIDINGS_API_HUB_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/hub.h"
#include "api/hub_people.h"
#include "api/hub_presence.h"
#include "base/deadline.h"
#include "base/limits.h"
#include "base/settings.h"
#include "core/here.h"
#include "core/room_stats.h"
#include "core/receipt.h"
#include "core/typing.h"
#include "store/signals.h"

/* Fires once, up to HUB_TICK_MS late. Embed it, zero it, set on_due. */
struct hub_timer {
    struct deadline deadline;
    void (*on_due)(struct hub *hub, struct hub_timer *timer);
};

#define HUB_TICK_MS 20
/* Deleted rooms that are remembered for users being read. */
#define HUB_DELETED_MAX 64

/* A part that is told news. Embed it, zeroed. */
struct hub_listener {
    /* EVENT_USER_JOINED, _USER_LEFT, _ROOM_DELETED; while messages are wanted _NEW_MESSAGE, and
     * any that bars or silences a user. Borrowed. */
    void (*on_frame)(struct hub *hub, struct frame *frame);
    /* Some were not told: read anew what was only heard of. */
    void (*on_lost)(struct hub *hub);
    struct hub_listener *next;
};

struct hub {
    pthread_t thread;
    struct mailbox mailbox;
    const struct settings *settings; /* borrowed */
    struct signals *signals;         /* borrowed */
    struct journal *journal;         /* borrowed; its answers come as letters. NULL: asked for
                                        nothing any more */
    bool stopping;        /* the thread ends after this turn */
    bool stopped;         /* it was joined: the caller of hub_settle has taken over */
    struct letter stop;
    struct hub_forgetting *forgetting; /* NULL: the journal is not about to be closed */
    int64_t requests;     /* of the journal, for presence, under way */
    /* timers */
    struct deadline_wheel wheel;
    int64_t now_ms;       /* clock_now_ms() of this turn */
    int64_t timers_set;   /* none: it sleeps until a letter comes */
    /* news */
    struct hub_listener *listeners;
    atomic_int messages_wanted; /* parts that want messages now: hub_want_messages */
    struct letter lost;
    atomic_bool lost_posted;
    /* sessions */
    struct table sessions; /* by realm, user and name */
    struct table names;    /* by name alone */
    /* people and presence */
    struct people people;
    struct presence presence;
    struct hushes hushes;
    struct hub_timer presence_timer;
    struct hub_listener presence_listener;
    struct frame *deleted[HUB_DELETED_MAX]; /* refs: of the rooms deleted last, circular */
    uint64_t deleted_count;                 /* all that ever were */
    struct hub_tellings *tellings[WORKERS_MAX]; /* owned: not posted yet */
    uint32_t *frames; /* numbers of users whose frames are kept, circular; owned, NULL: none */
    uint32_t frames_count, frames_next;
    struct hub_timer frames_timer;
    struct hub_user **seen; /* whose being seen is to be written; owned, each pinned */
    uint32_t seen_count, seen_size;
    struct hub_seen_batch *seen_batch; /* being written; NULL: none */
    int64_t seen_not_before_ms;
    /* typing */
    struct typing typing;
    struct hub_timer typing_timer;
    struct hub_listener typing_listener;
    bool typing_wants_messages;
    /* room stats */
    struct watchers *watchers; /* borrowed */
    struct room_stats stats;
    struct hub_timer stats_timer;
    struct hub_listener stats_listener;
    /* here */
    struct here here;
    struct hub_timer here_timer;
    struct hub_listener here_listener;
    /* receipts */
    struct receipts receipts;        /* that wait to be told */
    struct hub_timer receipts_timer; /* until the next of them is due */
    int receipts_read;               /* whose markers the journal is asked for */
    struct hub_flush *flushes;       /* that wait until none of either is left */
};

/* Sets or moves. */
void hub_timer_set(struct hub *hub, struct hub_timer *timer, int64_t delay_ms);
/* No error when it is not set. */
void hub_timer_remove(struct hub *hub, struct hub_timer *timer);

/* For life. */
void hub_listen(struct hub *hub, struct hub_listener *listener);
/* One part more (+1) or less (-1) wants messages, and who may send none any more; those committed
 * before may be missed. From any thread. */
void hub_want_messages(struct hub *hub, int change);
/* From any thread: the listeners are told on_lost, once for all that is lost until then. */
void hub_news_lost(struct hub *hub);

/* From any thread: `letter.on_read` runs on the hub's. */
static inline void hub_post(struct hub *hub, struct letter *letter)
{
    mailbox_push(&hub->mailbox, letter);
}

/* hub_sessions.c */
#define SESSION_KEY_BYTES_MAX (3 * IDENT_BYTES_MAX + 3)
/* The key of a session, ended by NUL, and its length without that. From any thread. */
uint32_t session_key_make(char out[SESSION_KEY_BYTES_MAX], struct span realm, struct span user,
                          struct span name, uint32_t *ret_user_len);
/* NULL if none is connected. */
struct session *hub_session_find(struct hub *hub, const char *key, uint32_t len);
/* Empties the tables, after the thread has stopped. */
void hub_sessions_fini(struct hub *hub);
/* Has the user a session? */
bool hub_sessions_has(struct hub *hub, struct span realm, struct span user);

/* hub_receipts.c */
void hub_receipts_init(struct hub *hub);
void hub_receipts_fini(struct hub *hub);

/* Somebody has come with its name: it counts from here on. Repeats are fine. */
void hub_session_use(struct hub *hub, struct session *session);
/* Ends it with `ended`; nothing the second time. */
void hub_session_end(struct session *session, enum session_end end);
/* NULL: no session of the user is here or lingers. */
struct hub_user *hub_user_find(struct hub *hub, struct span realm, struct span user);
/* Forgets the user if nobody needs to know of it. */
void hub_user_release(struct hub *hub, struct hub_user *user);
/* Forgets it without sessions, whatever else there is. */
void hub_user_free(struct hub *hub, struct hub_user *user);

/* hub_tell.c: the session is open. */
void hub_tell(struct hub *hub, struct session *session, struct frame *frame);
/* Posts what was told: before a session's on_closed, and at the end of a turn. */
void hub_tell_post(struct hub *hub);

/* hub_presence.c */
void hub_presence_init(struct hub *hub);
void hub_presence_fini(struct hub *hub);
/* At the end of each turn. */
void hub_presence_turn(struct hub *hub);
/* So that there is a turn within `delay_ms`. */
void hub_presence_wake(struct hub *hub, int64_t delay_ms);
/* The session is in the tables; goes on as a newer one of its name; is about to leave them. */
void hub_presence_open(struct hub *hub, struct session *session);
void hub_presence_replace(struct session *older, struct session *newer);
void hub_presence_close(struct hub *hub, struct session *session, bool logged_out);
/* The journal has told of the user. */
void hub_presence_loaded(struct hub *hub, struct hub_user *user);
/* The user is told of `target`, to whom it has just subscribed. */
void hub_presence_introduce(struct hub *hub, struct hub_user *user, struct hub_user *target);
/* Is the session told presence? Before it has caught up it is not: what it missed is in its
 * snapshot. */
bool hub_presence_hears(const struct session *session);

/* hub_hush.c */
void hub_hush_init(struct hub *hub);
/* From now on the user is told of `target` by a subscription: of what it does not know yet. */
void hub_hush_tie(struct hub *hub, struct hub_user *user, struct hub_user *target);
/* At the end of each turn. Milliseconds until it is needed again; -1: until a room changes. */
int64_t hub_hush_turn(struct hub *hub);
/* The room has so many members at this event: it may be hushed, or its hush end later. Users whom
 * nobody needs any more go. */
void hub_room_count(struct hub *hub, struct hub_room *room, int64_t members, struct event_id at);
/* Likewise; added when missing, which it stays until somebody enters or it is dropped. NULL: out
 * of memory. */
struct hub_room *hub_room_get(struct hub *hub, const char *realm, struct span name, int64_t members,
                              struct event_id at);
/* The user is introduced to those in it. ERR_MEMORY. Nothing when it is in already. */
MUST_CHECK int hub_room_enter(struct hub *hub, struct hub_user *user, struct hub_room *room);
void hub_room_leave(struct hub *hub, struct hub_user *user, struct hub_room *room);
void hub_room_delete(struct hub *hub, struct hub_room *room);

/* hub_presence_frames.c: what was told last of the user, borrowed; NULL: out of memory. */
struct frame *hub_presence_frame(struct hub *hub, struct hub_user *user);
/* Lets go of all that are kept. */
void hub_presence_frames_drop(struct hub *hub, struct hub_timer *timer);

/* hub_presence_calls.c: answers it, or waits for who is being loaded. */
void hub_presence_serve(struct hub *hub, struct presence_call *call);
/* With what stands in it. */
void hub_presence_answer(struct presence_call *call, int err);

/* hub_load.c: reads what the journal knows of the user: all of it; what may have been changed but
 * for its rooms, which the news tells. What is being read already is read anew. */
void hub_load_all(struct hub *hub, struct hub_user *user);
void hub_load_choices(struct hub *hub, struct hub_user *user);
/* The news has told that the user joined or left a room; that a room was deleted. What was read
 * before is put right. */
void hub_load_on_moved(struct hub_user *user);
void hub_load_on_deleted(struct hub *hub, struct frame *frame);
/* One is under way: served when it is done; let go of, with no request under way: who waits is
 * answered ERR_CLOSED. */
void hub_load_wait(struct hub_user *user, struct presence_call *call);
void hub_load_free(struct hub *hub, struct hub_user *user);
/* Lets go of all that are left once the journal is closed. True if there were any. */
bool hub_loads_end(struct hub *hub);
void hub_loads_fini(struct hub *hub);

/* hub_seen.c */
void hub_seen_note(struct hub *hub, struct hub_user *user);
void hub_seen_turn(struct hub *hub);
/* Notes all who are there now. */
void hub_seen_stop(struct hub *hub);
void hub_seen_fini(struct hub *hub);

/* hub_typing.c */
void hub_typing_init(struct hub *hub);
void hub_typing_fini(struct hub *hub);
/* The user has gone offline or become invisible. */
void hub_typing_gone(struct hub *hub, struct span realm, struct span user);

/* hub_stats.c: the last to be told news, so that the others know of it when numbers are read. */
void hub_stats_init(struct hub *hub);
void hub_stats_fini(struct hub *hub);
/* Another number is online in the room. */
void hub_stats_online(struct hub *hub, const struct hub_room *room);

/* hub_here.c */
void hub_here_init(struct hub *hub);
void hub_here_fini(struct hub *hub);
/* The session is connected; is not, but may come back; has ended for good. */
void hub_here_back(struct hub *hub, const struct session *session);
void hub_here_away(struct hub *hub, const struct session *session);
void hub_here_end(struct hub *hub, const struct session *session);

#endif
