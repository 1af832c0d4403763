#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <zlib.h>

#include "base/err.h"
#include "base/logging.h"
#include "base/metric.h"
#include "net/loop.h"
#include "net/tls.h"

int worker_index(const struct worker *worker)
{
    return worker->index;
}

struct mailbox *worker_mailbox(struct worker *worker)
{
    return &worker->mailbox;
}

int64_t worker_now_ms(const struct worker *worker)
{
    return worker->now_ms;
}

void *worker_app(const struct worker *worker)
{
    return worker->app;
}

void worker_set_app(struct worker *worker, void *app)
{
    worker->app = app;
}

void worker_timer_set(struct worker *worker, struct worker_timer *timer, int64_t delay_ms)
{
    assert(timer->on_due);
    /* Not in this turn: a timer that sets itself again at once must not hold the loop. */
    deadline_set(&worker->wheel, &timer->deadline, worker->now_ms + (delay_ms > 1 ? delay_ms : 1));
}

void worker_timer_remove(struct worker_timer *timer)
{
    deadline_remove(&timer->deadline);
}

const char *worker_date(struct worker *worker)
{
    time_t now = time(NULL);
    if (now != worker->date_s) {
        struct tm utc;
        gmtime_r(&now, &utc);
        strftime(worker->date, sizeof(worker->date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
        worker->date_s = now;
    }
    return worker->date;
}

void worker_wake(struct worker *worker)
{
    if (worker->in_turn)
        return;
    worker->in_turn = true;
    worker->turn_started_us = clock_now_us();
    worker->now_ms = worker->turn_started_us / 1000;
}

static void on_mail(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;
    worker_wake(worker);
    mailbox_read(&worker->mailbox);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;
    worker_wake(worker);
    struct deadline *deadline;
    while ((deadline = deadline_take(&worker->wheel, worker->now_ms))) {
        struct worker_timer *timer = container_of(deadline, struct worker_timer, deadline);
        timer->on_due(timer);
    }
}

static void on_streams(evutil_socket_t fd, short what, void *context)
{
    struct worker *worker = context;
    worker_wake(worker);
    streams_on_ready(worker);
}

/* What callbacks have left to do. True when there is more for the next turn. */
static bool worker_turn(struct worker *worker)
{
    worker_wake(worker);
    if (worker->plain.due)
        daemon_run(&worker->plain);
    if (worker->secure.due)
        daemon_run(&worker->secure);
    bool more = streams_serve(worker);
    more |= peers_look(worker);
    metric_observe(METRIC_LOOP_LAG_US, (uint64_t)(clock_now_us() - worker->turn_started_us));
    worker->in_turn = false;
    return more || worker->plain.due || worker->secure.due;
}

static void worker_loop(struct worker *worker)
{
    bool more = true;
    while (!worker->stopping) {
        /* ONCE as well: without it a loop goes on for as long as anything is readable, and what
         * callbacks put off to worker_turn keeps their descriptors readable. */
        if (event_base_loop(worker->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0)) < 0) {
            log_line(LOG_ERROR, "event loop failed", NULL);
            abort();
        }
        more = worker_turn(worker);
    }
}

/* Nobody serves before all are there: what one worker tells the others must find them. */
static void wait_for_all(struct worker *worker)
{
    struct pollfd waiting = {.fd = worker->mailbox.fd, .events = POLLIN};
    while (server_state(worker->server) == SERVER_STARTING) {
        if (poll(&waiting, 1, -1) > 0)
            mailbox_read(&worker->mailbox);
    }
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    worker_wake(worker);
    tls_use(server_tls(worker->server));
    int err = worker->http_app->on_worker_start(worker, worker->http_app->context);
    server_on_worker(worker->server, err);
    if (err)
        return NULL;
    wait_for_all(worker);
    peers_start(worker);
    worker_loop(worker);
    worker_wake(worker);
    streams_cut_all(worker);
    connections_finish(worker);
    if (worker->http_app->on_worker_stop)
        worker->http_app->on_worker_stop(worker);
    streams_cut_all(worker);
    daemon_close(&worker->plain);
    daemon_close(&worker->secure);
    streams_cut_all(worker);
    farewells_close_all(worker);
    return NULL;
}

/* A new state of the server, on the worker's thread. */
static void on_state(struct letter *letter)
{
    struct worker *worker = container_of(letter, struct worker, state_letter);
    atomic_store(&worker->state_posted, false);
    enum server_state state = server_state(worker->server);
    if (state >= SERVER_ENDING && !worker->drained) {
        worker->drained = true;
        worker->http_app->on_drain(worker, worker->settings->drain_spread_ms);
    }
    if (state >= SERVER_CLOSING) {
        for (int i = 0; i < worker->listener_count; i++)
            listener_stop(&worker->listeners[i]);
        connections_close_idle(worker);
    }
    if (state >= SERVER_STOPPED)
        worker->stopping = true;
}

void worker_tell_state(struct worker *worker)
{
    /* One under way is enough: it reads the state when it arrives. */
    if (!atomic_exchange(&worker->state_posted, true))
        worker_post(worker, &worker->state_letter);
}

static struct event *watch(struct worker *worker, int fd, event_callback_fn callback)
{
    struct event *event = event_new(worker->base, fd, EV_READ | EV_PERSIST, callback, worker);
    if (event && event_add(event, NULL) < 0) {
        event_free(event);
        event = NULL;
    }
    return event;
}

static int worker_open_events(struct worker *worker)
{
    struct event_config *config = event_config_new();
    if (!config)
        return ERR_MEMORY;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    worker->base = event_base_new_with_config(config);
    event_config_free(config);
    if (!worker->base)
        return ERR_MEMORY;
    worker->mail_event = watch(worker, worker->mailbox.fd, on_mail);
    worker->streams_event = watch(worker, worker->streams_fd, on_streams);
    worker->tick_event = event_new(worker->base, -1, EV_PERSIST, on_tick, worker);
    if (!worker->mail_event || !worker->streams_event || !worker->tick_event)
        return ERR_MEMORY;
    struct timeval tick = {.tv_usec = WORKER_TICK_MS * 1000};
    return event_add(worker->tick_event, &tick) < 0 ? ERR_IO : 0;
}

int worker_new(struct server *server, int index, const struct http_app *app, struct worker **ret)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return ERR_MEMORY;
    worker->server = server;
    worker->settings = server_settings(server);
    worker->http_app = app;
    worker->index = index;
    worker->streams_fd = worker->spare_fd = worker->mailbox.fd = -1;
    worker->state_letter.on_read = on_state;
    worker->now_ms = clock_now_ms();
    deadline_wheel_init(&worker->wheel, WORKER_TICK_MS, worker->now_ms);
    int err = ERR_IO;
    if (getrandom(&worker->request_prefix, sizeof(worker->request_prefix), 0) !=
        sizeof(worker->request_prefix))
        goto fail;
    if ((err = mailbox_init(&worker->mailbox)) || (err = streams_open(worker)) ||
        (err = worker_open_events(worker)))
        goto fail;
    *ret = worker;
    return 0;
fail:
    worker_free(worker);
    return err;
}

int worker_start(struct worker *worker)
{
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
        return ERR_MEMORY;
    worker->running = true;
    char name[16];
    snprintf(name, sizeof(name), "worker-%d", worker->index);
    pthread_setname_np(worker->thread, name);
    return 0;
}

void worker_join(struct worker *worker)
{
    if (!worker->running)
        return;
    pthread_join(worker->thread, NULL);
    worker->running = false;
}

bool worker_settle(struct worker *worker)
{
    assert(!worker->running);
    bool any = mailbox_read(&worker->mailbox) > 0;
    while (streams_serve(worker))
        ;
    return any;
}

static void event_end(struct event *event)
{
    if (event)
        event_free(event);
}

static void worker_free_coders(struct worker *worker)
{
    if (worker->deflater)
        deflateEnd(worker->deflater);
    if (worker->inflater)
        inflateEnd(worker->inflater);
    free(worker->deflater);
    free(worker->inflater);
    free(worker->tls_record);
}

struct worker *worker_free(struct worker *worker)
{
    if (!worker)
        return NULL;
    assert(!worker->running);
    daemon_close(&worker->plain);
    daemon_close(&worker->secure);
    calls_finish_abandoned(worker);
    for (int i = 0; i < worker->listener_count; i++)
        listener_close(&worker->listeners[i]);
    event_end(worker->mail_event);
    event_end(worker->tick_event);
    event_end(worker->streams_event);
    streams_close(worker);
    if (worker->spare_fd >= 0)
        close(worker->spare_fd);
    if (worker->mailbox.fd >= 0)
        mailbox_fini(&worker->mailbox);
    if (worker->base)
        event_base_free(worker->base);
    worker_free_coders(worker);
    free(worker);
    return NULL;
}
