/* The hub's sessions: who is connected to the process, by user and by name. */
#include <assert.h>
#include <stdio.h>
#include <sys/random.h>

#include "api/hub_parts.h"
#include "base/err.h"
#include "base/limits.h"
#include "core/frame.h"

/* -- sessions ---------------------------------------------------------------------------- */

struct span session_name_make(char out[SESSION_NAME_BYTES])
{
    unsigned char random[(SESSION_NAME_BYTES - 1) / 2];
    /* Cannot be short: so few bytes from a pool that was ready before the hash key was made. */
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        abort();
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    return span_of(out, SESSION_NAME_BYTES - 1);
}

uint32_t session_key_make(char out[SESSION_KEY_BYTES_MAX], struct span realm, struct span user,
                          struct span name, uint32_t *ret_user_len)
{
    const struct span parts[] = {realm, user, name};
    char *at = out;
    for (size_t i = 0; i < array_count(parts); i++) {
        assert(parts[i].len <= IDENT_BYTES_MAX);
        memcpy(at, parts[i].data, parts[i].len);
        at += parts[i].len;
        *at++ = 0;
    }
    *ret_user_len = (uint32_t)(realm.len + 1 + user.len);
    return (uint32_t)(at - out - 1);
}

int session_init(struct session *session, const struct session_ops *ops,
                 const struct session_home *home, const struct identity *identity,
                 struct span name)
{
    char made[SESSION_KEY_BYTES_MAX];
    uint32_t user_len;
    uint32_t len = session_key_make(made, identity->realm, identity->user, name, &user_len);
    char *key = malloc(len + 1);
    if (!key)
        return ERR_MEMORY;
    memcpy(key, made, len + 1);
    session->ops = ops;
    session->home = home;
    session->realm_len = (uint16_t)identity->realm.len;
    session->user_len = (uint16_t)user_len;
    session->counted = !identity->guest;
    session->by_key.key = key;
    session->by_key.key_len = len;
    session->by_name.key = key + user_len + 1;
    session->by_name.key_len = (uint32_t)name.len;
    return 0;
}

void session_fini(struct session *session)
{
    free((char *)session->by_key.key);
    session->by_key.key = session->by_name.key = NULL;
}

/* -- the tables, on the hub's thread ------------------------------------------------------ */

static void read_end(struct letter *letter)
{
    struct session *session = container_of(letter, struct session, opening);
    static const char *const codes[] = {
        [SESSION_REPLACED] = "replaced",
        [SESSION_TOO_MANY] = "too_many_sessions",
        [SESSION_LOGGED_OUT] = "logged_out",
        [SESSION_WITHOUT_MEMORY] = "out_of_memory",
    };
    session->ops->on_end(session, codes[session->end]);
}

void hub_session_end(struct session *session, enum session_end end)
{
    if (session->end != SESSION_GOES_ON)
        return;
    session->end = (uint8_t)end;
    session->opening.on_read = read_end;
    worker_post(session->home->worker, &session->opening);
}

static void user_remove(struct hub_user *user, struct session *session)
{
    if (session->previous)
        session->previous->next = session->next;
    else
        user->oldest = session->next;
    if (session->next)
        session->next->previous = session->previous;
    else
        user->newest = session->previous;
    session->of = NULL;
    session->previous = session->next = NULL;
    user->session_count--;
    user->counted_sessions -= session->counted;
}

static void user_add(struct hub_user *user, struct session *session)
{
    session->of = user;
    session->previous = user->newest;
    if (user->newest)
        user->newest->next = session;
    else
        user->oldest = session;
    user->newest = session;
    user->session_count++;
    user->counted_sessions += session->counted;
}

static void take_out(struct hub *hub, struct session *session, bool logged_out)
{
    struct hub_user *user = session->of;
    if (!user)
        return;
    user->pins++;
    hub_here_away(hub, session);
    hub_presence_close(hub, session, logged_out);
    table_remove(&hub->sessions, &session->by_key);
    table_remove(&hub->names, &session->by_name);
    user_remove(user, session);
    user->pins--;
    hub_user_release(hub, user);
}

struct hub_user *hub_user_find(struct hub *hub, struct span realm, struct span user)
{
    char key[SESSION_KEY_BYTES_MAX];
    uint32_t user_len;
    session_key_make(key, realm, user, span_of("", 0), &user_len);
    return people_find_user(&hub->people, key, user_len);
}

void hub_user_free(struct hub *hub, struct hub_user *user)
{
    hub_load_free(hub, user);
    presence_user_fini(&hub->presence, &user->presence);
    frame_unref(user->frame);
    people_remove_user(&hub->people, user);
}

void hub_user_release(struct hub *hub, struct hub_user *user)
{
    if (user->session_count == 0 && user->pins == 0 && user->known_in == 0 && !user->load &&
        presence_user_is_idle(&user->presence))
        hub_user_free(hub, user);
}

struct session *hub_session_find(struct hub *hub, const char *key, uint32_t len)
{
    struct table_link *link = table_find(&hub->sessions, key, len);
    return link ? container_of(link, struct session, by_key) : NULL;
}

/* For one more that counts. */
static void make_room(struct hub *hub, struct hub_user *user)
{
    int64_t sessions_max = hub->settings->limits_sessions;
    if (sessions_max == 0 || user->counted_sessions < sessions_max)
        return;
    struct session *oldest = user->oldest;
    while (!oldest->counted)
        oldest = oldest->next;
    hub_session_end(oldest, SESSION_TOO_MANY);
    take_out(hub, oldest, false);
}

void hub_session_use(struct hub *hub, struct session *session)
{
    if (!session->unused || !session->of)
        return;
    make_room(hub, session->of);
    session->unused = false;
    session->counted = true;
    session->of->counted_sessions++;
    hub_presence_open(hub, session);
}

static void put_in(struct hub *hub, struct session *session)
{
    struct hub_user *user = people_get_user(&hub->people, session->by_key.key, session->user_len,
                                            session->realm_len);
    if (!user) {
        hub_session_end(session, SESSION_WITHOUT_MEMORY);
        return;
    }
    user->pins++;
    struct session *older =
        hub_session_find(hub, session->by_key.key, session->by_key.key_len);
    if (older) {
        hub_session_end(older, SESSION_REPLACED);
        hub_presence_replace(older, session);
        take_out(hub, older, false);
    }
    if (session->counted)
        make_room(hub, user);
    user_add(user, session);
    table_add(&hub->sessions, &session->by_key);
    table_add(&hub->names, &session->by_name);
    user->pins--;
    hub_here_back(hub, session);
    hub_presence_open(hub, session);
}

static void read_open(struct letter *letter)
{
    struct session *session = container_of(letter, struct session, opening);
    put_in(session->home->hub, session);
}

static void read_closed(struct letter *letter)
{
    struct session *session = container_of(letter, struct session, closing);
    session->ops->on_closed(session);
}

static void read_close(struct letter *letter)
{
    struct session *session = container_of(letter, struct session, closing);
    take_out(session->home->hub, session, false);
    hub_tell_post(session->home->hub);
    letter->on_read = read_closed;
    worker_post(session->home->worker, letter);
}

/* -- calls: home worker -> hub -> session's worker -> home worker -------------------------- */

static void read_call_done(struct letter *letter)
{
    struct session_call *call = container_of(letter, struct session_call, letter);
    call->on_done(call, call->err);
}

static void call_answer(struct session_call *call, int err)
{
    call->err = err;
    call->letter.on_read = read_call_done;
    worker_post(call->home, &call->letter);
}

static void read_call_renew(struct letter *letter)
{
    struct session_call *call = container_of(letter, struct session_call, letter);
    call->session->ops->on_renew(call->session, call->identity);
    call_answer(call, 0);
}

static struct session *session_find(struct hub *hub, const struct session_call *call)
{
    char key[SESSION_KEY_BYTES_MAX];
    uint32_t user_len;
    uint32_t len = session_key_make(key, call->identity->realm, call->identity->user, call->name,
                                    &user_len);
    return hub_session_find(hub, key, len);
}

static void read_call(struct letter *letter)
{
    struct session_call *call = container_of(letter, struct session_call, letter);
    struct session *session = session_find(call->hub, call);
    if (!session) {
        bool of_another = table_find(&call->hub->names, call->name.data, call->name.len) != NULL;
        call_answer(call, of_another ? ERR_NOT_ALLOWED : ERR_NOT_FOUND);
        return;
    }
    if (call->action == SESSION_END) {
        hub_session_end(session, SESSION_LOGGED_OUT);
        hub_here_end(call->hub, session);
        take_out(call->hub, session, true);
        call_answer(call, 0);
        return;
    }
    hub_session_use(call->hub, session);
    call->session = session;
    letter->on_read = read_call_renew;
    worker_post(session->home->worker, letter);
}

bool hub_sessions_has(struct hub *hub, struct span realm, struct span user)
{
    const struct hub_user *found = hub_user_find(hub, realm, user);
    return found && found->session_count > 0;
}

/* -- from the workers ---------------------------------------------------------------------- */

void hub_open(struct session *session)
{
    session->opening.on_read = read_open;
    hub_post(session->home->hub, &session->opening);
}

void hub_close(struct session *session)
{
    session->closing.on_read = read_close;
    hub_post(session->home->hub, &session->closing);
}

struct use {
    struct letter letter;
    struct session *session;
};

static void read_use(struct letter *letter)
{
    struct use *use = container_of(letter, struct use, letter);
    hub_session_use(use->session->home->hub, use->session);
    free(use);
}

bool hub_use(struct session *session)
{
    struct use *use = malloc(sizeof(*use));
    if (!use)
        return false;
    *use = (struct use){.letter.on_read = read_use, .session = session};
    hub_post(session->home->hub, &use->letter);
    return true;
}

void hub_call(struct hub *hub, struct session_call *call)
{
    call->hub = hub;
    call->letter.on_read = read_call;
    hub_post(hub, &call->letter);
}

void hub_sessions_fini(struct hub *hub)
{
    struct table_link *next = table_first(&hub->sessions);
    while (next) {
        struct table_link *link = next;
        next = table_next(&hub->sessions, link);
        take_out(hub, container_of(link, struct session, by_key), false);
    }
}
