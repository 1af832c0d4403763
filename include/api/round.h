/* A round: a letter that is read by every worker before it comes home.
 *
 * WHY    what is answered as done is done on all of them: whatever was posted to a worker before
 *        the round began has been read there, and what it posted for that was read as well.
 * MODEL  round_start -> each worker in turn, twice -> on_back, at home
 * Floor: api. The caller's memory, which stays in place until on_back. */
#ifndef TIDINGS_API_ROUND_H
#define TIDINGS_API_ROUND_H

#include "api/app.h"

struct round {
    struct letter letter;
    struct app *app;
    struct worker *home;
    int steps; /* taken so far */
    void (*on_back)(struct round *round);
};

/* From the worker `home`; on_back follows on it, never inside. */
void round_start(struct round *round, struct app *app, struct worker *home,
                 void (*on_back)(struct round *round));

#endif
