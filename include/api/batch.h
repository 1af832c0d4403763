/* POST /v1/batch: several commands in one request.
 *
 * WHY    a network that lets only POST through still gives everything, and an app that comes
 *        back from a tunnel sends what it has gathered at once, in order.
 * MODEL  each command becomes a request of its own, which no connection stands behind: the handler
 *        of its route runs as always, and what it answers is a result. Commands go to the journal
 *        in one append for as long as nothing but commands follow one another:
 *
 *          start item --> answered                 next item
 *                     \-> asked for an append      gathered; next item
 *                     \-> asked for anything else  what is gathered goes first; then it waits
 *          no more items: what is gathered goes
 *
 *        What the journal leaves of an append, because it was long enough, goes in the next.
 *
 *        The limits are asked for the whole before anything starts; the commands themselves are
 *        not counted again.
 * BOUNDS BATCH_COMMANDS_MAX; each command the memory of a request.
 * Floor: api. On the request's worker. */
#ifndef TIDINGS_API_BATCH_H
#define TIDINGS_API_BATCH_H

#include "api/errand.h"

#define BATCH_COMMANDS_MAX 100

struct batch;

/* For errands of a request that is part of a batch, when they start: the batch starts them in
 * their turn (errand_resume) or carries out the command itself (errand_conclude). */
void batch_take(struct batch *batch, struct errand *errand);

/* A command of a batch, by its type: which request it is. Ended by a row without a type. */
struct batch_command {
    const char *type;
    enum method method;
    const char *pattern; /* of a route; what it has in braces are members of the command. NULL:
                            it is answered at once */
    enum { BATCH_JOINS,  /* goes to the journal together with its neighbours */
           BATCH_ENDS,   /* reads what it has done: those after it wait for its answer */
           BATCH_ALONE   /* not for the journal: those before it are finished first */
    } order;
    const char *member;  /* a member that the type stands for; NULL: none */
    bool value;          /* and its value */
};

/* NULL: there is none. Any `custom.…` is one. */
const struct batch_command *batch_command_find(struct span type);
/* The table, for the reference and its tests. */
const struct batch_command *batch_commands(void);

#endif
