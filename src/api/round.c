#include "api/round.h"

/* The first time a worker reads what it was sent, the second time what the others sent it for it
 * (the answers of polls go from one worker to another). */
#define TIMES 2

static void on_read_at_home(struct letter *letter)
{
    struct round *round = container_of(letter, struct round, letter);
    round->on_back(round);
}

static void step(struct letter *letter)
{
    struct round *round = container_of(letter, struct round, letter);
    int workers = server_worker_count(round->app->server);
    if (round->steps == TIMES * workers) {
        letter->on_read = on_read_at_home;
        worker_post(round->home, letter);
        return;
    }
    worker_post(round->app->desks[round->steps++ % workers]->worker, letter);
}

void round_start(struct round *round, struct app *app, struct worker *home,
                 void (*on_back)(struct round *round))
{
    *round = (struct round){.app = app, .home = home, .on_back = on_back};
    round->letter.on_read = step;
    step(&round->letter);
}
