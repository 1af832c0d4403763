/* Requests about a session that may be on any worker: its token renewed, its end. */
#include "api/hub.h"
#include "api/problem.h"
#include "api/routes.h"
#include "base/err.h"

struct session_request {
    struct session_call call;
    struct request *request;
};

static void on_done(struct session_call *call, int err)
{
    struct session_request *asked = container_of(call, struct session_request, call);
    if (!err)
        request_answer(asked->request, &(struct answer){.status = 204});
    else
        problem_answer(asked->request, err,
                       &(struct problem_detail){.detail = "You have no session of this name."});
}

static void start(struct request *request, enum session_action action)
{
    struct session_request *asked = arena_alloc(&request->arena, sizeof(*asked));
    if (!asked) {
        problem_answer(request, ERR_BUSY, NULL);
        return;
    }
    asked->request = request;
    asked->call = (struct session_call){
        .action = action,
        .home = request->worker,
        .identity = request_identity(request),
        .name = request_parameter(request, 0),
        .on_done = on_done,
    };
    hub_call(request_app(request)->hub, &asked->call);
}

void session_delete(struct request *request)
{
    start(request, SESSION_END);
}

void session_token_post(struct request *request)
{
    start(request, SESSION_RENEW);
}
