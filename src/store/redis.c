#include "store/redis.h"

#include <assert.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/logging.h"
#include "base/metric.h"
#include "store/redis_journal.h"
#include "store/request.h"

#define SWEEP_MS 100
#define CONNECT_MS 2000
#define CACHE_BYTES_MAX (64u << 20)

static struct redis_journal *of(struct journal *journal)
{
    return container_of(journal, struct redis_journal, journal);
}

/* -- requests come in, from any thread ------------------------------------------------------ */

static void start(struct journal *base, enum redis_ask_kind kind, struct journal_request *request)
{
    struct redis_journal *journal = of(base);
    journal_request_begin(request);
    request->kind = kind;
    if (atomic_fetch_add(&journal->under_way, 1) >= JOURNAL_QUEUE_MAX) {
        atomic_fetch_sub(&journal->under_way, 1);
        journal_request_finish(request, ERR_BUSY);
        return;
    }
    mailbox_push(&journal->inbox, &request->letter);
}

static void start_append(struct journal *base, struct journal_append *append)
{
    append->started_us = clock_now_us();
    start(base, REDIS_ASK_APPEND, &append->request);
}

static void start_open(struct journal *base, struct journal_open *open)
{
    start(base, REDIS_ASK_OPEN, &open->request);
}

static void start_page(struct journal *base, struct journal_page *page)
{
    start(base, REDIS_ASK_PAGE, &page->request);
}

static void start_history(struct journal *base, struct journal_history *history)
{
    start(base, REDIS_ASK_HISTORY, &history->request);
}

static void start_read(struct journal *base, struct journal_read *read)
{
    start(base, REDIS_ASK_READ, &read->request);
}

static void status(struct journal *base, struct journal_status *ret)
{
    struct redis_journal *journal = of(base);
    *ret = (struct journal_status){
        .state = atomic_load(&journal->down) ? "down" : "ok",
        .backend = "redis",
        .queued = atomic_load(&journal->under_way),
    };
}

/* -- and go home ---------------------------------------------------------------------------- */

void redis_work_finish(struct redis_journal *journal, struct redis_work *work, int err)
{
    struct journal_request *request = work->request;
    if (err == ERR_UNAVAILABLE)
        metric_add(METRIC_JOURNAL_ERRORS, 1);
    link_remove(&work->member);
    free(work);
    atomic_fetch_sub(&journal->under_way, 1);
    journal_request_finish(request, err);
}

/* -- shards --------------------------------------------------------------------------------- */

void redis_note_clock(struct redis_journal *journal, int64_t redis_ms)
{
    int64_t offset_ms = redis_ms - clock_now_ms();
    /* An answer that was long on its way tells too little. */
    if (offset_ms > journal->clock_offset_ms || journal->clock_offset_ms - offset_ms > 1000)
        journal->clock_offset_ms = offset_ms;
}

static void on_begun(void *context, int err, const redisReply *reply)
{
    struct redis_shard *shard = context;
    struct redis_journal *journal = shard->journal;
    struct event_id last;
    shard->state = REDIS_SHARD_UNUSED;
    if (err == ERR_CLOSED)
        return;
    if (err || reply->type != REDIS_REPLY_ARRAY || reply->elements != 4 ||
        redis_parse_id(span_of(reply->element[1]->str, reply->element[1]->len), &last)) {
        if (!err)
            redis_link_cut(journal->work, reply->type == REDIS_REPLY_ERROR
                                              ? reply->str
                                              : "life.lua gives what it should not");
        return;
    }
    redis_note_clock(journal, reply->element[0]->integer);
    shard->places.next = strtoull(reply->element[3]->str, NULL, 10);
    shard->places.end = shard->places.next + REDIS_PLACES_WANTED;
    if (!shard->tailed && redis_tail_add(journal->tail, shard->number, last,
                                         strtoull(reply->element[2]->str, NULL, 10), journal->work))
        return;
    shard->tailed = true;
    shard->state = REDIS_SHARD_BEGUN;
    redis_committing_repeat(shard);
    redis_shard_serve(shard);
}

static void begin(struct redis_shard *shard)
{
    struct redis_journal *journal = shard->journal;
    char state[64], stream[64], skew[24], places[24];
    struct span run_id = redis_link_run_id(journal->work);
    snprintf(state, sizeof(state), "tidings:{s%d}/state", shard->number);
    snprintf(stream, sizeof(stream), "tidings:{s%d}/journal", shard->number);
    snprintf(skew, sizeof(skew), "%lld", (long long)journal->settings->journal_skew_max_ms);
    snprintf(places, sizeof(places), "%d", REDIS_PLACES_WANTED);
    const char *argv[] = {"2", state, stream, run_id.data, skew, places};
    const size_t lens[] = {1,          strlen(state), strlen(stream),
                           run_id.len, strlen(skew),  strlen(places)};
    if (!redis_link_run(journal->work, REDIS_SCRIPT_LIFE, 6, argv, lens, REDIS_LIMIT_MS, on_begun,
                        shard))
        shard->state = REDIS_SHARD_BEGINNING;
}

static void serve_waiting(struct redis_shard *shard)
{
    struct link *member = list_first(&shard->waiting);
    while (member) {
        struct redis_work *work = container_of(member, struct redis_work, member);
        member = list_next(&shard->waiting, member);
        if (work->request->kind == REDIS_ASK_APPEND) {
            redis_committing_start(work);
        } else if (shard->journal->readings < REDIS_READINGS_MAX) {
            link_remove(&work->member);
            redis_reading_start(work);
        }
    }
}

void redis_shard_serve(struct redis_shard *shard)
{
    if (shard->places.next + REDIS_PLACES_WANTED / 10 >= shard->places.end &&
        shard->state == REDIS_SHARD_BEGUN)
        shard->state = REDIS_SHARD_UNUSED;
    if (shard->state == REDIS_SHARD_UNUSED && redis_link_is_up(shard->journal->work))
        begin(shard);
    if (shard->state != REDIS_SHARD_BEGUN)
        return;
    serve_waiting(shard);
    redis_committing_serve(shard);
}

/* CRC-16/XMODEM, as Redis Cluster uses it for its slots. */
static unsigned crc16(struct span text)
{
    unsigned crc = 0;
    for (size_t i = 0; i < text.len; i++) {
        crc ^= (unsigned)(unsigned char)text.data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
    }
    return crc;
}

static struct span realm_of(const struct journal_request *request)
{
    switch (request->kind) {
    case REDIS_ASK_APPEND: {
        const struct journal_append *append = container_of(request, struct journal_append, request);
        return append->count > 0 ? append->commands[0].realm : span_text("");
    }
    case REDIS_ASK_OPEN:
        return container_of(request, struct journal_open, request)->follow.realm;
    case REDIS_ASK_PAGE:
        return container_of(request, struct journal_page, request)->follow.realm;
    case REDIS_ASK_HISTORY:
        return container_of(request, struct journal_history, request)->realm;
    default: {
        assert(request->kind == REDIS_ASK_READ);
        const struct journal_read *read = container_of(request, struct journal_read, request);
        return read->what == READ_ACCESS ? read->command->realm : read->realm;
    }
    }
}

static void take(struct redis_journal *journal, struct journal_request *request)
{
    struct redis_work *work = calloc(1, sizeof(*work));
    if (!work) {
        atomic_fetch_sub(&journal->under_way, 1);
        journal_request_finish(request, ERR_MEMORY);
        return;
    }
    work->request = request;
    work->shard = &journal->shards[crc16(realm_of(request)) % REDIS_SHARDS];
    work->until_ms = clock_now_ms() + REDIS_LIMIT_MS;
    if (atomic_load(&journal->down))
        redis_work_finish(journal, work, ERR_UNAVAILABLE);
    else
        list_append(&work->shard->waiting, &work->member);
}

static void on_inbox(evutil_socket_t socket, short what, void *context)
{
    struct redis_journal *journal = context;
    struct letter *letter = mailbox_take(&journal->inbox);
    while (letter) {
        struct letter *next = letter->next;
        letter->next = NULL;
        take(journal, container_of(letter, struct journal_request, letter));
        letter = next;
    }
    for (int i = 0; i < REDIS_SHARDS; i++) {
        if (!list_is_empty(&journal->shards[i].waiting))
            redis_shard_serve(&journal->shards[i]);
    }
}

static void sweep_list(struct redis_journal *journal, struct list *list, int64_t now_ms)
{
    struct link *member = list_first(list);
    while (member) {
        struct redis_work *work = container_of(member, struct redis_work, member);
        member = list_next(list, member);
        if (work->until_ms <= now_ms)
            redis_work_finish(journal, work, ERR_UNAVAILABLE);
    }
}

static void on_sweep(evutil_socket_t socket, short what, void *context)
{
    struct redis_journal *journal = context;
    int64_t now_ms = clock_now_ms();
    for (int i = 0; i < REDIS_SHARDS; i++) {
        struct redis_shard *shard = &journal->shards[i];
        sweep_list(journal, &shard->waiting, now_ms);
        sweep_list(journal, &shard->guessed, now_ms);
        sweep_list(journal, &shard->fresh, now_ms);
        redis_committing_sweep(shard, now_ms);
    }
    if (atomic_load(&journal->closing) && atomic_load(&journal->under_way) == 0)
        event_base_loopbreak(journal->base);
}

/* -- links ---------------------------------------------------------------------------------- */

static void on_work_up(void *context, struct redis_link *link)
{
    struct redis_journal *journal = context;
    journal->clock_offset_ms = redis_link_clock_offset_ms(link);
    atomic_store(&journal->down, false);
    log_line(LOG_INFO, "journal is reached", "backend", "redis", NULL);
    for (int i = 0; i < REDIS_SHARDS; i++) {
        struct redis_shard *shard = &journal->shards[i];
        if (shard->tailed || !list_is_empty(&shard->waiting))
            redis_shard_serve(shard);
    }
}

static void on_work_down(void *context, struct redis_link *link)
{
    struct redis_journal *journal = context;
    atomic_store(&journal->down, true);
    redis_cache_clear(journal->cache);
    for (int i = 0; i < REDIS_SHARDS; i++)
        journal->shards[i].state = REDIS_SHARD_UNUSED;
}

static void on_told(void *context, int shard, struct event_id upto)
{
    struct redis_journal *journal = context;
    redis_committing_told(&journal->shards[shard], upto);
}

/* -- the thread ----------------------------------------------------------------------------- */

static void *run(void *context)
{
    struct redis_journal *journal = context;
    event_base_loop(journal->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static int open_links(struct redis_journal *journal)
{
    const struct redis_link_spec work = {
        .base = journal->base,
        .name = "work",
        .url = &journal->url,
        .host = journal->url.hosts[0],
        .wants_master = true,
        .connect_ms = CONNECT_MS,
        .on_up = on_work_up,
        .on_down = on_work_down,
        .context = journal,
    };
    const struct redis_tail_spec tail = {
        .base = journal->base,
        .url = &journal->url,
        .host = journal->url.hosts[0],
        .follower = journal->follower,
        .context = journal->context,
        .on_told = on_told,
        .owner = journal,
    };
    journal->work = redis_link_new(&work);
    journal->tail = redis_tail_new(&tail);
    journal->doom = redis_doom_new(journal);
    journal->trim = redis_trim_new(journal);
    return journal->work && journal->tail && journal->doom && journal->trim ? 0 : ERR_MEMORY;
}

static int open_loop(struct redis_journal *journal)
{
    const struct timeval every = {0, SWEEP_MS * 1000};
    journal->base = event_base_new();
    if (!journal->base)
        return ERR_MEMORY;
    journal->inbox_event =
        event_new(journal->base, journal->inbox.fd, EV_READ | EV_PERSIST, on_inbox, journal);
    journal->sweep_event = event_new(journal->base, -1, EV_PERSIST, on_sweep, journal);
    if (!journal->inbox_event || !journal->sweep_event || event_add(journal->inbox_event, NULL) ||
        event_add(journal->sweep_event, &every))
        return ERR_MEMORY;
    return open_links(journal);
}

/* What was made of it. */
static void dismantle(struct redis_journal *journal)
{
    redis_tail_free(journal->tail);
    redis_link_free(journal->work);
    redis_doom_free(journal->doom);
    redis_trim_free(journal->trim);
    if (journal->inbox_event)
        event_free(journal->inbox_event);
    if (journal->sweep_event)
        event_free(journal->sweep_event);
    if (journal->base)
        event_base_free(journal->base);
    redis_cache_free(journal->cache);
    apply_fini(&journal->apply);
    mailbox_fini(&journal->inbox);
    free(journal);
}

static void close_journal(struct journal *base)
{
    struct redis_journal *journal = of(base);
    atomic_store(&journal->closing, true);
    pthread_join(journal->thread, NULL);
    assert(atomic_load(&journal->under_way) == 0);
    dismantle(journal);
}

static const struct journal_ops ops = {
    .append = start_append,
    .open = start_open,
    .page = start_page,
    .history = start_history,
    .read = start_read,
    .status = status,
    .close = close_journal,
};

static void init_shards(struct redis_journal *journal)
{
    for (int i = 0; i < REDIS_SHARDS; i++) {
        struct redis_shard *shard = &journal->shards[i];
        shard->journal = journal;
        shard->number = i;
        list_init(&shard->waiting);
        list_init(&shard->guessed);
        list_init(&shard->fresh);
        list_init(&shard->unknown);
        list_init(&shard->starved);
        list_init(&shard->untold);
    }
}

int redis_journal_new(const struct settings *settings, struct span url, journal_follower follower,
                      void *context, char *why, size_t why_size, struct journal **ret)
{
    struct redis_journal *journal = calloc(1, sizeof(*journal));
    int err = journal ? 0 : ERR_MEMORY;
    if (!err && mailbox_init(&journal->inbox)) {
        free(journal);
        journal = NULL;
        err = ERR_IO;
    }
    if (err) {
        snprintf(why, why_size, "journal.url: %s", err_text(err));
        return err;
    }
    journal->journal.ops = &ops;
    journal->settings = settings;
    journal->follower = follower;
    journal->context = context;
    init_shards(journal);
    apply_init(&journal->apply, NULL, settings);
    err = redis_url_parse(url, why, why_size, &journal->url);
    if (!err && settings->journal_durability != DURABILITY_RELAXED) {
        snprintf(why, why_size, "journal.durability: over Redis only relaxed is served");
        err = ERR_CONFIG;
    }
    if (!err) {
        journal->cache = redis_cache_new(CACHE_BYTES_MAX);
        err = journal->cache ? open_loop(journal) : ERR_MEMORY;
        if (!err && getrandom(&journal->boot, sizeof(journal->boot), 0) != sizeof(journal->boot))
            err = ERR_IO;
        if (!err && pthread_create(&journal->thread, NULL, run, journal))
            err = ERR_MEMORY;
        if (err)
            snprintf(why, why_size, "journal.url: %s", err_text(err));
    }
    if (err) {
        dismantle(journal);
        return err;
    }
    *ret = &journal->journal;
    return 0;
}
