/* A ticket: one long-poll on its way between the worker that holds the request and the worker
 * that owns the session. See api/poll.h for the picture.
 *
 * MODEL  one reference for home, one for the owner, one for each letter on its way; the last one
 *        frees it. `request` is home's alone, `session` the owner's alone.
 * Floor: api. */
#ifndef TIDINGS_API_TICKET_H
#define TIDINGS_API_TICKET_H

#include "api/reader.h"

struct poll_session;

struct ticket {
    struct letter letter;       /* there, and back with the answer */
    struct letter waiting;      /* owner to home: park the request */
    struct letter gone;         /* home to owner: the peer left */
    atomic_uint refs;
    struct desk *home, *owner;
    struct request *request;    /* home: NULL once it is answered or gone */
    bool waits;                 /* home: it is counted among those that wait */
    struct poll_session *session; /* owner: NULL when it does not wait */
    struct identity *identity;  /* ref */
    struct arena arena;         /* what params point to */
    struct reader_params params;
    char key[3 * (IDENT_BYTES_MAX + 1)]; /* realm NUL user NUL session NUL */
    size_t key_len;             /* without the last NUL */
    const char *realm, *user, *name; /* in key */
    bool given;                 /* the name was made here: nobody can have used it before */
    /* the answer */
    int err;
    char field[IDENT_BYTES_MAX + 1]; /* what `err` is about; empty: nothing to name */
    struct frame **frames;      /* refs, owned */
    int frame_count;
    struct event_id cursor;
};

/* On the owner's worker. poll_arrive takes over the owner's reference. */
void poll_arrive(struct desk *desk, struct ticket *ticket);
void poll_forget(struct ticket *ticket);

/* From the owner: there will be no answer at once. */
void ticket_wait(struct ticket *ticket);
/* From the owner, once: the answer is in the ticket; gives its reference away. */
void ticket_answer(struct ticket *ticket);

#endif
