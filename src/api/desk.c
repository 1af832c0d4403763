#include "api/desk.h"

#include <assert.h>

#include "api/hub_stats.h"
#include "api/markers.h"
#include "api/poll.h"
#include "api/token_cache.h"
#include "api/watchers.h"
#include "base/err.h"

static void on_watchers(struct hall *hall, const char *realm, const char *room, int change)
{
    struct desk *desk = hall->context;
    if (watchers_add(desk->app->watchers, realm, room, change))
        hub_stats_watched(desk->app->hub, realm, room);
}

int desk_new(struct app *app, struct worker *worker, struct desk **ret)
{
    const struct settings *settings = app->settings;
    struct hall_limits limits = {
        .queue_bytes_max = (size_t)settings->sse_queue_bytes,
        .ring_bytes_max = (size_t)settings->replay_ring_bytes,
        .ring_age_max_ms = settings->replay_ring_age_ms,
    };
    struct desk *desk = calloc(1, sizeof(*desk));
    if (!desk)
        return ERR_MEMORY;
    desk->app = app;
    desk->worker = worker;
    desk->home = (struct session_home){worker, app->hub};
    markers_init(desk);
    desk->hall = calloc(1, sizeof(*desk->hall));
    desk->polls = poll_table_new();
    if (desk->hall)
        hall_init(desk->hall, &limits);
    if (!desk->hall || !desk->polls ||
        token_cache_new(TOKEN_CACHE_ENTRIES, &desk->tokens) != 0) {
        desk_free(desk);
        return ERR_MEMORY;
    }
    desk->hall->on_watchers = on_watchers;
    desk->hall->context = desk;
    *ret = desk;
    return 0;
}

void desk_close(struct desk *desk)
{
    struct reader *next;
    for (struct reader *reader = desk ? desk->readers : NULL; reader; reader = next) {
        next = reader->next;
        if (reader->is_poll)
            poll_end(reader);
        else
            reader_close(reader);
    }
}

struct desk *desk_free(struct desk *desk)
{
    if (!desk)
        return NULL;
    assert(!desk->readers);
    poll_table_free(desk->polls);
    markers_fini(desk);
    token_cache_free(desk->tokens);
    if (desk->hall)
        hall_fini(desk->hall);
    free(desk->hall);
    free(desk);
    return NULL;
}

void desk_add_reader(struct desk *desk, struct reader *reader)
{
    reader->next = desk->readers;
    if (desk->readers)
        desk->readers->previous = reader;
    desk->readers = reader;
}

void desk_remove_reader(struct desk *desk, struct reader *reader)
{
    if (reader->previous)
        reader->previous->next = reader->next;
    else
        desk->readers = reader->next;
    if (reader->next)
        reader->next->previous = reader->previous;
}

/* A command of its own, with the token it speaks for. */
struct profile {
    struct journal_append append;
    struct command command;
    struct identity *identity; /* ref */
};

static void on_profile_noted(struct letter *letter)
{
    struct profile *profile = container_of(letter, struct profile, append.request.letter);
    journal_append_fini(&profile->append);
    identity_unref(profile->identity);
    free(profile);
}

void desk_note_profile(struct desk *desk, struct identity *identity)
{
    struct profile *profile = calloc(1, sizeof(*profile));
    if (!profile)
        return;
    profile->identity = identity_ref(identity);
    profile->command = (struct command){
        .kind = COMMAND_PROFILE,
        .actor = {.user = identity->user, .name = identity->name, .data = identity->data,
                  .issued_at_s = identity->issued_at_s},
        .realm = identity->realm,
    };
    profile->append.request.letter.on_read = on_profile_noted;
    profile->append.request.home = worker_mailbox(desk->worker);
    profile->append.commands = &profile->command;
    profile->append.count = 1;
    journal_start_append(desk->app->journal, &profile->append);
}
