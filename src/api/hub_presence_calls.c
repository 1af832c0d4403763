#include "api/hub_presence.h"

#include <string.h>

#include "api/hub_parts.h"
#include "base/err.h"

static void read_done(struct letter *letter)
{
    struct presence_call *call = container_of(letter, struct presence_call, letter);
    call->on_done(call, call->err);
}

void hub_presence_answer(struct presence_call *call, int err)
{
    call->err = err;
    call->letter.on_read = read_done;
    worker_post(call->home, &call->letter);
}

static void fill(struct hub *hub, const struct presence_call *call, struct presence_state *state)
{
    const struct hub_user *user = hub_user_find(hub, call->realm, state->user);
    state->known = user && user->loaded;
    state->status = PRESENCE_OFFLINE;
    state->has_activity = false;
    state->seen_ms = 0;
    if (!state->known)
        return;
    const char *activity = presence_activity(&user->presence);
    state->status = presence_shown(&user->presence);
    state->seen_ms = presence_seen_ms(&user->presence, clock_wall_ms());
    state->has_activity = activity && strlen(activity) <= ACTIVITY_BYTES_MAX;
    if (state->has_activity)
        strcpy(state->activity, activity);
}

/* Somebody of whom the journal has not told yet; NULL: none. */
static struct hub_user *find_loading(struct hub *hub, const struct presence_call *call)
{
    for (int i = 0; i < call->state_count; i++) {
        struct hub_user *user = hub_user_find(hub, call->realm, call->states[i].user);
        if (user && user->load && !user->loaded)
            return user;
    }
    return NULL;
}

static struct session *find_session(struct hub *hub, const struct presence_call *call)
{
    char key[SESSION_KEY_BYTES_MAX];
    uint32_t user_len;
    uint32_t len = session_key_make(key, call->realm, call->user, call->name, &user_len);
    return hub_session_find(hub, key, len);
}

static int report(struct hub *hub, const struct presence_call *call)
{
    struct session *session = find_session(hub, call);
    if (!session)
        return ERR_NOT_FOUND;
    /* A quiet one shows nothing. */
    if (session->presence.reported == PRESENCE_NONE)
        return 0;
    return presence_report(&hub->presence, &session->of->presence, &session->presence, call->status,
                           call->activity);
}

void hub_presence_serve(struct hub *hub, struct presence_call *call)
{
    struct hub_user *loading = find_loading(hub, call);
    if (loading) {
        hub_load_wait(loading, call);
        return;
    }
    int err = call->action == PRESENCE_REPORT ? report(hub, call) : 0;
    for (int i = 0; i < call->state_count; i++)
        fill(hub, call, &call->states[i]);
    hub_presence_answer(call, err);
}

/* Served when what was changed has been read. */
static bool reload(struct hub *hub, struct presence_call *call)
{
    struct hub_user *user = hub_user_find(hub, call->realm, call->user);
    if (!user)
        return false;
    hub_load_choices(hub, user);
    if (user->load)
        hub_load_wait(user, call);
    return user->load;
}

static void read_call(struct letter *letter)
{
    struct presence_call *call = container_of(letter, struct presence_call, letter);
    struct session *session =
        call->action == PRESENCE_REPORT ? find_session(call->hub, call) : NULL;
    if (session)
        hub_session_use(call->hub, session);
    if (call->action != PRESENCE_RELOAD || !reload(call->hub, call))
        hub_presence_serve(call->hub, call);
}

void hub_presence_call(struct hub *hub, struct presence_call *call)
{
    call->hub = hub;
    call->letter.on_read = read_call;
    hub_post(hub, &call->letter);
}
