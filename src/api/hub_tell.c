/* Frames from the hub to single sessions: gathered for each worker, one letter for many. */
#include <stdlib.h>

#include "api/hub_parts.h"
#include "base/metric.h"
#include "core/frame.h"

#define TELLINGS_OF_LETTER 1000

struct telling {
    struct frame *frame; /* ref, of the first in a row of the same */
    struct session *session;
};

struct hub_tellings {
    struct letter letter;
    struct worker *worker;
    int count;
    struct telling items[TELLINGS_OF_LETTER];
};

static void read_tellings(struct letter *letter)
{
    struct hub_tellings *tellings = container_of(letter, struct hub_tellings, letter);
    for (int i = 0; i < tellings->count; i++) {
        struct telling *telling = &tellings->items[i];
        telling->session->ops->on_told(telling->session, telling->frame);
        if (i + 1 == tellings->count || telling[1].frame != telling->frame)
            frame_unref(telling->frame);
    }
    free(tellings);
}

static void post(struct hub *hub, int worker)
{
    struct hub_tellings *tellings = hub->tellings[worker];
    if (!tellings)
        return;
    hub->tellings[worker] = NULL;
    tellings->letter.on_read = read_tellings;
    worker_post(tellings->worker, &tellings->letter);
}

static struct hub_tellings *tellings_for(struct hub *hub, struct session *session)
{
    int worker = worker_index(session->home->worker);
    if (hub->tellings[worker] && hub->tellings[worker]->count == TELLINGS_OF_LETTER)
        post(hub, worker);
    if (!hub->tellings[worker]) {
        hub->tellings[worker] = malloc(sizeof(struct hub_tellings));
        if (hub->tellings[worker]) {
            hub->tellings[worker]->worker = session->home->worker;
            hub->tellings[worker]->count = 0;
        }
    }
    return hub->tellings[worker];
}

void hub_tell(struct hub *hub, struct session *session, struct frame *frame)
{
    if (hub->forgetting)
        return;
    struct hub_tellings *tellings = tellings_for(hub, session);
    if (!tellings) {
        /* It would go on with what is not so any more: it comes back instead. */
        hub_session_end(session, SESSION_WITHOUT_MEMORY);
        return;
    }
    bool again = tellings->count > 0 && tellings->items[tellings->count - 1].frame == frame;
    if (!again)
        frame_ref(frame);
    tellings->items[tellings->count++] = (struct telling){frame, session};
    metric_add(METRIC_PRESENCE_TOLD, 1);
}

void hub_tell_post(struct hub *hub)
{
    for (int i = 0; i < WORKERS_MAX; i++)
        post(hub, i);
}
