/* Is the process alive, and should a balancer send it requests. */
#include "api/json.h"
#include "api/routes.h"

void health_get(struct request *request)
{
    json_answer(request, 200, json_pack("{s:s}", "status", "ok"));
}

/* A journal that is down does not make a node unready: all nodes share it, and a balancer that
 * takes all of them out answers 503 itself, which ends native EventSources for good. */
void ready_get(struct request *request)
{
    static const char *const names[] = {
        [SERVER_STARTING] = "starting", [SERVER_SERVING] = "ready",
        [SERVER_NOTICE] = "draining",   [SERVER_ENDING] = "draining",
        [SERVER_CLOSING] = "draining",  [SERVER_STOPPED] = "draining",
    };
    const struct app *app = request_app(request);
    enum server_state state = server_state(app->server);
    struct journal_status journal = {.state = "down"};
    app->journal->ops->status(app->journal, &journal);
    json_answer(request, state == SERVER_SERVING ? 200 : 503,
                json_pack("{s:s, s:{s:s, s:s, s:I}}", "status", names[state], "journal", "state",
                          journal.state, "backend", journal.backend, "queued",
                          (json_int_t)journal.queued));
}
