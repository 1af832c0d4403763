#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>

#include "api/hub_parts.h"
#include "base/err.h"

/* -- timers ------------------------------------------------------------------------------- */

void hub_timer_set(struct hub *hub, struct hub_timer *timer, int64_t delay_ms)
{
    if (!deadline_is_set(&timer->deadline))
        hub->timers_set++;
    /* Not in this turn: a timer that sets itself again at once must not hold the loop. */
    deadline_set(&hub->wheel, &timer->deadline, hub->now_ms + (delay_ms > 1 ? delay_ms : 1));
}

void hub_timer_remove(struct hub *hub, struct hub_timer *timer)
{
    if (!deadline_is_set(&timer->deadline))
        return;
    hub->timers_set--;
    deadline_remove(&timer->deadline);
}

static void run_timers(struct hub *hub)
{
    struct deadline *deadline;
    while ((deadline = deadline_take(&hub->wheel, hub->now_ms))) {
        struct hub_timer *timer = container_of(deadline, struct hub_timer, deadline);
        hub->timers_set--;
        timer->on_due(hub, timer);
    }
}

/* -- the thread --------------------------------------------------------------------------- */

static void read_stop(struct letter *letter)
{
    container_of(letter, struct hub, stop)->stopping = true;
}

struct hub_forgetting {
    struct letter letter;
    struct hub *hub;
    sem_t done;
};

static void read_forget(struct letter *letter)
{
    struct hub_forgetting *forgetting = container_of(letter, struct hub_forgetting, letter);
    hub_seen_stop(forgetting->hub);
    forgetting->hub->forgetting = forgetting;
}

/* The journal is forgotten when what was still to be written is. */
static void check_forgotten(struct hub *hub)
{
    if (!hub->forgetting || !hub->journal || hub->requests > 0 || hub->seen_count > 0)
        return;
    hub->journal = NULL;
    sem_post(&hub->forgetting->done);
}

static void *hub_run(void *context)
{
    struct hub *hub = context;
    struct pollfd wait = {.fd = hub->mailbox.fd, .events = POLLIN};
    while (!hub->stopping) {
        if (poll(&wait, 1, hub->timers_set ? HUB_TICK_MS : -1) < 0 && errno != EINTR)
            break;
        hub->now_ms = clock_now_ms();
        mailbox_read(&hub->mailbox);
        run_timers(hub);
        hub_presence_turn(hub);
        check_forgotten(hub);
    }
    return NULL;
}

int hub_new(const struct settings *settings, struct signals *signals, struct hub **ret)
{
    struct hub *hub = calloc(1, sizeof(*hub));
    if (!hub)
        return ERR_MEMORY;
    hub->settings = settings;
    hub->signals = signals;
    hub->now_ms = clock_now_ms();
    hub_receipts_init(hub);
    deadline_wheel_init(&hub->wheel, HUB_TICK_MS, hub->now_ms);
    hub_stats_init(hub);
    hub_presence_init(hub);
    hub_typing_init(hub);
    hub_here_init(hub);
    int err = mailbox_init(&hub->mailbox);
    if (err) {
        free(hub);
        return err;
    }
    if (pthread_create(&hub->thread, NULL, hub_run, hub) != 0) {
        mailbox_fini(&hub->mailbox);
        free(hub);
        return ERR_IO;
    }
    *ret = hub;
    return 0;
}

void hub_use_journal(struct hub *hub, struct journal *journal)
{
    hub->journal = journal;
}

void hub_use_watchers(struct hub *hub, struct watchers *watchers)
{
    hub->watchers = watchers;
}

void hub_forget_journal(struct hub *hub)
{
    if (!hub || !hub->journal)
        return;
    struct hub_forgetting forgetting = {.letter.on_read = read_forget, .hub = hub};
    sem_init(&forgetting.done, 0, 0);
    hub_post(hub, &forgetting.letter);
    while (sem_wait(&forgetting.done) != 0)
        continue;
    sem_destroy(&forgetting.done);
}

void hub_stop(struct hub *hub)
{
    if (!hub || hub->stopped)
        return;
    hub->stop.on_read = read_stop;
    hub_post(hub, &hub->stop);
    pthread_join(hub->thread, NULL);
    hub->stopped = true;
}

bool hub_settle(struct hub *hub)
{
    assert(hub->stopped);
    bool any = mailbox_read(&hub->mailbox) > 0 || hub_loads_end(hub);
    hub_tell_post(hub);
    return any;
}

struct hub *hub_free(struct hub *hub)
{
    if (!hub)
        return NULL;
    hub_stop(hub);
    hub_receipts_fini(hub);
    hub_sessions_fini(hub);
    hub_presence_fini(hub);
    hub_stats_fini(hub);
    hub_typing_fini(hub);
    hub_here_fini(hub);
    mailbox_fini(&hub->mailbox);
    free(hub);
    return NULL;
}
