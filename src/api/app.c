#include "api/app.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "api/blocks.h"
#include "api/cors.h"
#include "api/desk.h"
#include "api/hub.h"
#include "api/identity.h"
#include "api/limiter.h"
#include "api/markers.h"
#include "api/poll.h"
#include "api/problem.h"
#include "api/routes.h"
#include "api/stats.h"
#include "api/subscribe.h"
#include "api/watchers.h"
#include "base/err.h"
#include "base/logging.h"
#include "base/metric.h"

/* Readers that are sent away wait for markers no longer. */
#define FLUSH_WAIT_MS 1000

/* -- news: from the journal and the signals to every worker -------------------------------- */

struct news {
    struct letter letter;
    struct desk *desk;
    int count;
    struct frame *frames[]; /* refs */
};

static void read_news(struct letter *letter)
{
    struct news *news = container_of(letter, struct news, letter);
    int64_t now_ms = worker_now_ms(news->desk->worker);
    for (int i = 0; i < news->count; i++) {
        hall_dispatch(news->desk->hall, news->frames[i], now_ms);
        frame_unref(news->frames[i]);
    }
    free(news);
}

/* What is committed from here on is posted again; snapshots that are asked for from here on have
 * all that is committed. */
static void read_lost(struct letter *letter)
{
    struct desk *desk = container_of(letter, struct desk, lost);
    atomic_store(&desk->lost_posted, false);
    log_line(LOG_ERROR, "news were lost: readers are sent back to their cursors", NULL);
    hall_lost(desk->hall);
}

static void post_lost(struct desk *desk)
{
    if (atomic_exchange(&desk->lost_posted, true))
        return;
    desk->lost.on_read = read_lost;
    worker_post(desk->worker, &desk->lost);
}

static void post_news(struct desk *desk, struct frame *const *frames, int count)
{
    /* Behind what was lost nothing may follow but the word of it. */
    if (atomic_load(&desk->lost_posted))
        return;
    struct news *news = malloc(sizeof(*news) + (size_t)count * sizeof(*frames));
    if (!news) {
        post_lost(desk);
        return;
    }
    news->letter.on_read = read_news;
    news->desk = desk;
    news->count = count;
    for (int i = 0; i < count; i++)
        news->frames[i] = frame_ref(frames[i]);
    worker_post(desk->worker, &news->letter);
}

static void tell_lost(struct app *app)
{
    int workers = server_worker_count(app->server);
    for (int i = 0; i < workers; i++)
        post_lost(app->desks[i]);
}

static void tell_workers(struct app *app, struct frame *const *frames, int count)
{
    int workers = server_worker_count(app->server);
    for (int i = 0; i < workers; i++)
        post_news(app->desks[i], frames, count);
}

/* The workers first: what the hub makes of it follows it there. */
static void on_news(void *context, struct frame *const *frames, int count)
{
    struct app *app = context;
    if (count > 0)
        tell_workers(app, frames, count);
    else
        tell_lost(app);
    hub_news(app->hub, frames, count);
}

static void on_signal(void *context, struct frame *frame)
{
    metric_add(METRIC_PUBLISHED_EPHEMERAL, 1);
    tell_workers(context, &frame, 1);
}

/* -- what the server calls ------------------------------------------------------------------ */

static int on_worker_start(struct worker *worker, void *context)
{
    struct app *app = context;
    struct desk *desk;
    int err = desk_new(app, worker, &desk);
    if (err)
        return err;
    app->desks[worker_index(worker)] = desk;
    worker_set_app(worker, desk);
    if (worker_index(worker) == 0)
        stats_start(worker);
    return 0;
}

static void send_away(struct desk *desk)
{
    struct reader *next;
    if (desk->drained)
        return;
    desk->drained = true;
    worker_timer_remove(&desk->flush_timer);
    for (struct reader *reader = desk->readers; reader; reader = next) {
        next = reader->next;
        if (reader->closed)
            continue;
        if (reader->is_poll)
            poll_end(reader);
        else
            subscription_drain(reader, random_between(0, desk->drain_spread_ms));
    }
}

static void on_flushed(struct hub_flush *flush)
{
    send_away(container_of(flush, struct desk, flush));
}

static void on_flush_late(struct worker_timer *timer)
{
    send_away(container_of(timer, struct desk, flush_timer));
}

/* Markers that wait to be told are told first, unless the journal keeps them waiting. */
static void on_drain(struct worker *worker, int64_t spread_ms)
{
    struct desk *desk = worker_app(worker);
    desk->drain_spread_ms = spread_ms;
    desk->flush.home = worker;
    desk->flush.on_done = on_flushed;
    desk->flush_timer.on_due = on_flush_late;
    worker_timer_set(worker, &desk->flush_timer, FLUSH_WAIT_MS);
    markers_hand_over(desk);
    hub_flush_receipts(desk->app->hub, &desk->flush);
}

static void on_error(struct request *request, int err, struct answer *ret)
{
    problem_format(request, err, NULL, ret);
}

static const struct http_app callbacks = {
    .on_worker_start = on_worker_start,
    .on_head = routes_on_head,
    .on_request = routes_on_request,
    .on_answer = cors_on_answer,
    .on_end = identity_release,
    .on_error = on_error,
    .on_drain = on_drain,
};

/* -- keys ----------------------------------------------------------------------------------- */

struct keys *app_keys(struct app *app)
{
    pthread_mutex_lock(&app->keys_lock);
    struct keys *keys = keys_ref(app->keys);
    pthread_mutex_unlock(&app->keys_lock);
    return keys;
}

static void on_reload(void *context)
{
    struct app *app = context;
    char why[512];
    struct keys *keys;
    if (keys_new(app->settings, why, sizeof(why), &keys) != 0) {
        log_line(LOG_ERROR, "keys not reloaded, the old ones stay", "why", why, NULL);
        return;
    }
    pthread_mutex_lock(&app->keys_lock);
    struct keys *old = app->keys;
    app->keys = keys;
    pthread_mutex_unlock(&app->keys_lock);
    keys_unref(old);
    log_line(LOG_INFO, "keys reloaded", NULL);
}

/* -- life ----------------------------------------------------------------------------------- */

static void name_node(struct app *app)
{
    char host[65] = "localhost";
    const char *port = strrchr(server_origin(app->server), ':');
    gethostname(host, sizeof(host) - 1);
    if (app->settings->server_node[0])
        snprintf(app->node, sizeof(app->node), "%s", app->settings->server_node);
    else
        snprintf(app->node, sizeof(app->node), "%s%s", host, port ? port : "");
}

static int app_open(struct app *app, char *why, size_t why_size)
{
    const struct settings *settings = app->settings;
    int err = keys_new(settings, why, why_size, &app->keys);
    if (!err)
        err = server_new(settings, &app->callbacks, why, why_size, &app->server);
    if (err)
        return err;
    name_node(app);
    snprintf(why, why_size, "out of memory or threads");
    app->watchers = watchers_new();
    app->limiter = limiter_new(settings);
    if (!app->watchers || !app->limiter)
        return ERR_MEMORY;
    signals_init_local(&app->signals, on_signal, app);
    err = hub_new(settings, &app->signals, &app->hub);
    if (err)
        return err;
    hub_use_watchers(app->hub, app->watchers);
    err = journal_new(settings, on_news, app, why, why_size, &app->journal);
    if (!err)
        hub_use_journal(app->hub, app->journal);
    return err;
}

int app_new(const struct settings *settings, char *why, size_t why_size, struct app **ret)
{
    struct app *app = calloc(1, sizeof(*app));
    if (!app) {
        snprintf(why, why_size, "out of memory");
        return ERR_MEMORY;
    }
    pthread_mutex_init(&app->keys_lock, NULL);
    app->settings = settings;
    app->callbacks = callbacks;
    app->callbacks.context = app;
    int err = app_open(app, why, why_size);
    if (err) {
        app_free(app);
        return err;
    }
    *ret = app;
    return 0;
}

int app_run(struct app *app)
{
    return server_run(app->server, on_reload, app);
}

/* Everything that was under way comes back to its desk, and finds its request or reader gone. A
 * batch goes on with its next command, which may ask the hub again. */
static void settle(struct app *app)
{
    bool any = true;
    while (any) {
        any = app->hub && hub_settle(app->hub);
        for (int i = 0; i < WORKERS_MAX; i++)
            any |= app->desks[i] && worker_settle(app->desks[i]->worker);
    }
}

struct app *app_free(struct app *app)
{
    if (!app)
        return NULL;
    /* The workers have stopped: first everyone who may still post to them, then their desks. */
    hub_forget_journal(app->hub);
    journal_free(app->journal);
    app->journal = journal_closed();
    for (int i = 0; i < WORKERS_MAX; i++)
        desk_close(app->desks[i]);
    hub_stop(app->hub);
    settle(app);
    app->hub = hub_free(app->hub);
    settle(app);
    for (int i = 0; i < WORKERS_MAX; i++)
        desk_free(app->desks[i]);
    server_free(app->server);
    limiter_free(app->limiter);
    watchers_free(app->watchers);
    keys_unref(app->keys);
    pthread_mutex_destroy(&app->keys_lock);
    free(app);
    return NULL;
}
