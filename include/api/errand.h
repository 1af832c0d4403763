/* An errand: what a handler has the journal do before it can answer.
 *
 * MODEL  errand_new -> [errand_body] -> errand_append | errand_read | ...
 *          -> on_done, when it went well -> errand_answer
 *        Whatever goes wrong on the way is answered as a problem by the errand itself. The
 *        request waits meanwhile; on_done runs on its worker.
 *        A second errand of one request is started from the first one's on_done; what the first
 *        found stays until the answer.
 * BOUNDS lives in the arena of its request; the answer ANSWER_BYTES_MAX.
 * Floor: api. On the worker's thread only. */
#ifndef TIDINGS_API_ERRAND_H
#define TIDINGS_API_ERRAND_H

#include "api/json.h"
#include "api/json_writer.h"
#include "api/round.h"
#include "api/routes.h"

/* A page of history: HISTORY_LIMIT_MAX events of the largest size. */
#define ANSWER_BYTES_MAX (32u << 20)

enum errand_kind {
    ERRAND_IDLE,
    ERRAND_APPEND,
    ERRAND_READ,
    ERRAND_HISTORY,
    ERRAND_OPEN,
    ERRAND_PAGE
};

struct errand {
    struct request *request;                 /* borrowed */
    void (*on_done)(struct errand *errand);
    void (*on_failed)(struct errand *errand, int err); /* answers instead; NULL: with a problem */
    struct errand *before;                   /* an earlier one of the request; NULL: none */
    enum errand_kind kind;                   /* which of them is under way */
    union {
        struct journal_request common;       /* the first member of each */
        struct journal_append append;
        struct journal_read read;
        struct journal_history history;
        struct journal_open open;
        struct journal_page page;
    };
    struct round round;                      /* of one that erases, before it is answered */
    struct command command;                  /* actor, realm, room and spared are set */
    void *context;                           /* the handler's */
    json_t *json;                            /* the body, owned; NULL: not parsed */
    struct json_reader reader;               /* of json */
};

/* `room` may be absent (data NULL). NULL when it has answered already: X-Tidings-Session is no
 * identifier, or memory ran out. */
struct errand *errand_new(struct request *request, struct span room,
                          void (*on_done)(struct errand *errand));
/* One more for the same request, with the same actor, realm and room. NULL as above. */
struct errand *errand_after(struct errand *before, void (*on_done)(struct errand *errand));

/* Parses the body; false when it has answered already. */
bool errand_body(struct errand *errand);

/* Start; each ends in on_done or in a problem. Those of a batch are started in their turn. */
void errand_append(struct errand *errand);
void errand_read(struct errand *errand, enum read_what what);
/* A page of users, by the parameters `from` and `limit`. */
void errand_read_users(struct errand *errand, enum read_what what, int limit_max);
void errand_history(struct errand *errand);
/* As a reader of all rooms of the user would; what is asked but the user is set before. */
void errand_open(struct errand *errand);
void errand_page(struct errand *errand);

/* For batches: starts what waited for its turn; goes on with one whose command was carried out with
 * others, as `common.err` and the command's outcome say. */
void errand_resume(struct errand *errand);
void errand_conclude(struct errand *errand);
/* From on_done of errand_append: has the same command carried out once more. */
void errand_append_again(struct errand *errand);

/* Answer and give everything back. `field` may be NULL. */
void errand_refuse(struct errand *errand, int err, const char *field);
/* With what the writer holds, or ERR of the writer; the writer is finished too. `location` may be
 * NULL, else it is copied. */
void errand_answer(struct errand *errand, int status, struct json_writer *writer,
                   const char *location);

/* 200 with what all changes of rooms and members tell: {roomId?, userId?, role?, asOf}. `user`
 * may be absent; the role is the command's. */
void errand_answer_change(struct errand *errand, struct span user);

/* May this one make rooms (`rooms.create`)? */
bool errand_may_create(const struct errand *errand);
/* A name that nobody has: `prefix` and 126 random bits, url-safe; an identifier also of messages.
 * In the arena; data NULL when memory ran out. */
struct span errand_make_id(struct errand *errand, char prefix);
/* What the writer holds, in the request's arena; the writer is finished. data NULL on a fault. */
struct span errand_keep(struct errand *errand, struct json_writer *writer);

#endif
