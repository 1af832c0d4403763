/* When somebody was seen last: written for many in one append, behind their back. */
#include "api/hub_parts.h"

#include "base/err.h"
#include "store/journal.h"

#define BATCH_USERS_MAX 256
#define RETRY_MS 1000

struct hub_seen_batch {
    struct journal_append append;
    struct hub *hub;
    int count;
    struct hub_user *users[BATCH_USERS_MAX]; /* pinned */
    struct command commands[BATCH_USERS_MAX];
};

static void on_written(struct letter *letter)
{
    struct hub_seen_batch *batch =
        container_of(letter, struct hub_seen_batch, append.request.letter);
    struct hub *hub = batch->hub;
    int err = batch->append.request.err;
    hub->requests--;
    hub->seen_batch = NULL;
    if (err)
        hub->seen_not_before_ms = hub->now_ms + RETRY_MS;
    for (int i = 0; i < batch->count; i++) {
        struct hub_user *user = batch->users[i];
        if (err)
            hub_seen_note(hub, user);
        user->pins--;
        hub_user_release(hub, user);
    }
    journal_append_fini(&batch->append);
    free(batch);
}

void hub_seen_note(struct hub *hub, struct hub_user *user)
{
    if (hub->forgetting || user->seen_noted || !user->presence.seen_ms)
        return;
    if (hub->seen_count == hub->seen_size) {
        uint32_t size = hub->seen_size + hub->seen_size / 2 + 16;
        struct hub_user **seen = realloc(hub->seen, size * sizeof(*seen));
        if (!seen)
            return;
        hub->seen = seen;
        hub->seen_size = size;
    }
    user->seen_noted = true;
    user->pins++;
    hub->seen[hub->seen_count++] = user;
}

static void take(struct hub *hub, struct hub_seen_batch *batch)
{
    struct hub_user *user = hub->seen[--hub->seen_count];
    user->seen_noted = false;
    batch->users[batch->count] = user;
    batch->commands[batch->count++] = (struct command){
        .kind = COMMAND_NOTE_SEEN,
        /* As the backend does for others: the name stays as it is. */
        .actor = {.user = span_text(hub_user_name(user)), .service = true},
        .realm = span_of(user->key, user->realm_len),
        .seen_ms = user->presence.seen_ms,
    };
}

void hub_seen_turn(struct hub *hub)
{
    if (hub->seen_batch || hub->seen_count == 0)
        return;
    int64_t left_ms = hub->seen_not_before_ms - hub->now_ms;
    if (left_ms > 0 && !hub->forgetting) {
        hub_presence_wake(hub, left_ms);
        return;
    }
    struct hub_seen_batch *batch = malloc(sizeof(*batch));
    if (!batch) {
        hub_presence_wake(hub, RETRY_MS);
        return;
    }
    batch->append = (struct journal_append){
        .request = {.letter.on_read = on_written, .home = &hub->mailbox},
        .commands = batch->commands,
    };
    batch->hub = hub;
    batch->count = 0;
    while (hub->seen_count > 0 && batch->count < BATCH_USERS_MAX)
        take(hub, batch);
    batch->append.count = batch->count;
    hub->seen_batch = batch;
    hub->requests++;
    journal_start_append(hub->journal, &batch->append);
}

void hub_seen_stop(struct hub *hub)
{
    struct hub_user *user = people_first_user(&hub->people);
    int64_t wall_ms = clock_wall_ms();
    for (; user; user = people_next_user(&hub->people, user)) {
        bool here = user->presence.online || user->presence.away;
        if (here && user->presence.choice != PRESENCE_OFFLINE)
            user->presence.seen_ms = wall_ms;
        if (!presence_user_is_absent(&user->presence))
            hub_seen_note(hub, user);
    }
}

void hub_seen_fini(struct hub *hub)
{
    while (hub->seen_count > 0)
        hub->seen[--hub->seen_count]->pins--;
    free(hub->seen);
    hub->seen = NULL;
    hub->seen_size = 0;
}
