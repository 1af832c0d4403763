#include "core/presence.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"

/* How late a grace may end. */
#define SLOT_MS 50

static const char *const names[] = {
    [PRESENCE_ONLINE] = "online",
    [PRESENCE_AWAY] = "away",
    [PRESENCE_BUSY] = "busy",
    [PRESENCE_OFFLINE] = "offline",
};

const char *presence_status_name(enum presence_status status)
{
    assert(status > PRESENCE_NONE && status < array_count(names));
    return names[status];
}

int presence_status_parse(struct span text, enum presence_status *ret)
{
    for (size_t i = PRESENCE_ONLINE; i < array_count(names); i++) {
        if (span_is(text, names[i])) {
            *ret = (enum presence_status)i;
            return 0;
        }
    }
    return ERR_INVALID_FIELD;
}

struct presence_activities {
    char *reported;                         /* owned, NULL: none */
    const struct presence_session *speaker; /* who reported it; NULL: one that went */
    char *chosen;                           /* with the choice; owned, NULL: none */
    uint64_t told;                          /* hash of what was told, 0: none */
};

void presence_init(struct presence *presence, const struct presence_ops *ops, int64_t grace_ms,
                   int64_t fold_ms, int64_t now_ms)
{
    *presence = (struct presence){.ops = ops, .grace_ms = grace_ms, .fold_ms = fold_ms};
    presence->flushed_ms = now_ms - fold_ms;
    deadline_wheel_init(&presence->wheel, SLOT_MS, now_ms);
}

/* -- what is shown ------------------------------------------------------------------------- */

enum presence_status presence_shown(const struct presence_user *user)
{
    if (presence_user_is_absent(user))
        return PRESENCE_OFFLINE;
    if (user->choice != PRESENCE_NONE)
        return user->choice;
    if (user->online)
        return PRESENCE_ONLINE;
    return user->away ? PRESENCE_AWAY : user->lingering;
}

const char *presence_activity(const struct presence_user *user)
{
    if (presence_shown(user) == PRESENCE_OFFLINE)
        return NULL;
    const struct presence_activities *activities = user->activities;
    if (!activities)
        return NULL;
    return activities->chosen ? activities->chosen : activities->reported;
}

/* Equal texts have equal ones; none is 0. */
static uint64_t activity_hash(const char *activity)
{
    return activity ? map_hash(activity, strlen(activity)) | 1 : 0;
}

uint64_t presence_told_activity(const struct presence_user *user)
{
    return user->activities ? user->activities->told : 0;
}

static bool is_told(const struct presence_user *user)
{
    enum presence_status told = user->told_status ? user->told_status : PRESENCE_OFFLINE;
    return presence_shown(user) == told &&
           activity_hash(presence_activity(user)) == presence_told_activity(user);
}

int64_t presence_seen_ms(const struct presence_user *user, int64_t wall_ms)
{
    return is_told(user) || presence_user_is_absent(user) ? user->seen_ms : wall_ms;
}

/* -- activities ---------------------------------------------------------------------------- */

/* NULL: out of memory. */
static struct presence_activities *activities_get(struct presence_user *user)
{
    if (!user->activities)
        user->activities = calloc(1, sizeof(*user->activities));
    return user->activities;
}

static void activities_drop_if_empty(struct presence_user *user)
{
    const struct presence_activities *activities = user->activities;
    if (!activities || activities->reported || activities->chosen || activities->told)
        return;
    free(user->activities);
    user->activities = NULL;
}

/* The text is taken over, NULL: none; there is room for one. */
static void set_reported(struct presence_user *user, char *text,
                         const struct presence_session *speaker)
{
    struct presence_activities *activities = user->activities;
    if (!activities)
        return;
    free(activities->reported);
    activities->reported = text;
    activities->speaker = text ? speaker : NULL;
    activities_drop_if_empty(user);
}

/* Likewise. */
static void set_chosen(struct presence_user *user, char *text)
{
    if (!user->activities)
        return;
    free(user->activities->chosen);
    user->activities->chosen = text;
    activities_drop_if_empty(user);
}

static void set_told(struct presence_user *user)
{
    if (!user->activities)
        return;
    user->activities->told = activity_hash(presence_activity(user));
    activities_drop_if_empty(user);
}

static bool is_speaker(const struct presence_user *user, const struct presence_session *session)
{
    return user->activities && user->activities->speaker == session;
}

/* A copy of the text, and room for it in the user. ERR_MEMORY. */
static int text_copy(struct presence_user *user, struct span text, char **ret)
{
    char *copy = NULL;
    if (text.data) {
        copy = malloc(text.len + 1);
        if (!copy || !activities_get(user)) {
            free(copy);
            return ERR_MEMORY;
        }
        memcpy(copy, text.data, text.len);
        copy[text.len] = 0;
    }
    *ret = copy;
    return 0;
}

/* -- changes ------------------------------------------------------------------------------- */

static void note_change(struct presence *presence, struct presence_user *user)
{
    if (user->changed || is_told(user))
        return;
    user->changed = true;
    user->changed_next = NULL;
    if (presence->changed_last)
        presence->changed_last->changed_next = user;
    else
        presence->changed_first = user;
    presence->changed_last = user;
}

static struct presence_user *take_changed(struct presence *presence)
{
    struct presence_user *user = presence->changed_first;
    if (!user)
        return NULL;
    presence->changed_first = user->changed_next;
    if (!presence->changed_first)
        presence->changed_last = NULL;
    user->changed_next = NULL;
    user->changed = false;
    return user;
}

static void forget_change(struct presence *presence, struct presence_user *user)
{
    struct presence_user *before = NULL;
    if (!user->changed)
        return;
    for (struct presence_user *at = presence->changed_first; at != user; at = at->changed_next)
        before = at;
    if (before)
        before->changed_next = user->changed_next;
    else
        presence->changed_first = user->changed_next;
    if (presence->changed_last == user)
        presence->changed_last = before;
    user->changed_next = NULL;
    user->changed = false;
}

int64_t presence_flush_in(const struct presence *presence, int64_t now_ms)
{
    if (!presence->changed_first)
        return -1;
    int64_t left_ms = presence->flushed_ms + presence->fold_ms - now_ms;
    return left_ms > 0 ? left_ms : 0;
}

void presence_flush(struct presence *presence, int64_t now_ms, int64_t wall_ms, int64_t budget)
{
    struct presence_user *user;
    while (budget > 0 && (user = take_changed(presence))) {
        if (is_told(user)) {
            presence->ops->on_settled(presence, user);
            continue;
        }
        int64_t seen_ms = presence_seen_ms(user, wall_ms);
        user->told_status = (uint8_t)presence_shown(user);
        set_told(user);
        user->seen_ms = seen_ms;
        presence->flushed_ms = now_ms;
        budget -= presence->ops->on_change(presence, user);
        presence->ops->on_settled(presence, user);
    }
}

/* -- coming and going ---------------------------------------------------------------------- */

static uint32_t *counter_of(struct presence_user *user, uint8_t reported)
{
    assert(reported == PRESENCE_ONLINE || reported == PRESENCE_AWAY);
    return reported == PRESENCE_ONLINE ? &user->online : &user->away;
}

static void end_lingering(struct presence *presence, struct presence_user *user)
{
    if (!user->lingering)
        return;
    user->lingering = PRESENCE_NONE;
    presence->lingering--;
    deadline_remove(&user->grace);
}

void presence_enter(struct presence *presence, struct presence_user *user,
                    struct presence_session *session)
{
    assert(session->reported == PRESENCE_NONE);
    session->reported = user->lingering ? user->lingering : PRESENCE_ONLINE;
    if (user->lingering && user->activities && user->activities->reported)
        user->activities->speaker = session;
    end_lingering(presence, user);
    ++*counter_of(user, session->reported);
    note_change(presence, user);
}

void presence_replace(struct presence_user *user, struct presence_session *session,
                      struct presence_session *next)
{
    assert(session->reported != PRESENCE_NONE && next->reported == PRESENCE_NONE);
    next->reported = session->reported;
    session->reported = PRESENCE_NONE;
    if (is_speaker(user, session))
        user->activities->speaker = next;
}

static void become_absent(struct presence *presence, struct presence_user *user)
{
    set_reported(user, NULL, NULL);
    note_change(presence, user);
    presence->ops->on_absent(presence, user);
}

void presence_leave(struct presence *presence, struct presence_user *user,
                    struct presence_session *session, bool logged_out, int64_t now_ms,
                    int64_t wall_ms)
{
    uint8_t reported = session->reported;
    --*counter_of(user, reported);
    session->reported = PRESENCE_NONE;
    if (user->online || user->away) {
        if (is_speaker(user, session))
            set_reported(user, NULL, NULL);
        note_change(presence, user);
        return;
    }
    /* Who was invisible was not seen. */
    if (user->choice != PRESENCE_OFFLINE)
        user->seen_ms = wall_ms;
    if (is_speaker(user, session))
        user->activities->speaker = NULL;
    else
        set_reported(user, NULL, NULL);
    if (logged_out || presence->grace_ms <= 0) {
        become_absent(presence, user);
        return;
    }
    user->lingering = reported;
    presence->lingering++;
    deadline_set(&presence->wheel, &user->grace, now_ms + presence->grace_ms);
    note_change(presence, user);
}

void presence_tick(struct presence *presence, int64_t now_ms)
{
    struct deadline *deadline;
    while ((deadline = deadline_take(&presence->wheel, now_ms))) {
        struct presence_user *user = container_of(deadline, struct presence_user, grace);
        end_lingering(presence, user);
        become_absent(presence, user);
    }
}

bool presence_user_is_idle(const struct presence_user *user)
{
    return presence_user_is_absent(user) && !user->changed;
}

void presence_user_fini(struct presence *presence, struct presence_user *user)
{
    forget_change(presence, user);
    end_lingering(presence, user);
    set_reported(user, NULL, NULL);
    set_chosen(user, NULL);
    free(user->activities);
    user->activities = NULL;
}

/* -- choice and report --------------------------------------------------------------------- */

int presence_report(struct presence *presence, struct presence_user *user,
                    struct presence_session *session, enum presence_status status,
                    struct span activity)
{
    char *copy;
    int err = text_copy(user, activity, &copy);
    if (err)
        return err;
    if (copy || is_speaker(user, session))
        set_reported(user, copy, session);
    --*counter_of(user, session->reported);
    session->reported = (uint8_t)status;
    ++*counter_of(user, session->reported);
    note_change(presence, user);
    return 0;
}

int presence_choose(struct presence *presence, struct presence_user *user,
                    enum presence_status status, struct span activity)
{
    char *copy = NULL;
    int err = status == PRESENCE_NONE ? 0 : text_copy(user, activity, &copy);
    if (err)
        return err;
    set_chosen(user, copy);
    user->choice = (uint8_t)status;
    note_change(presence, user);
    return 0;
}

/* -- leases -------------------------------------------------------------------------------- */

void presence_lease_enter(struct presence *presence, struct presence_node *node,
                          struct presence_user *user, struct presence_lease *lease)
{
    lease->user = user;
    lease->node = node;
    lease->next = node->leases;
    if (node->leases)
        node->leases->previous = lease;
    node->leases = lease;
    presence_enter(presence, user, &lease->session);
}

void presence_lease_leave(struct presence *presence, struct presence_lease *lease, bool logged_out,
                          int64_t now_ms, int64_t wall_ms)
{
    if (lease->previous)
        lease->previous->next = lease->next;
    else
        lease->node->leases = lease->next;
    if (lease->next)
        lease->next->previous = lease->previous;
    lease->previous = lease->next = NULL;
    presence_leave(presence, lease->user, &lease->session, logged_out, now_ms, wall_ms);
}

struct presence_lease *presence_node_lose(struct presence *presence, struct presence_node *node,
                                          int64_t now_ms, int64_t wall_ms)
{
    struct presence_lease *lease = node->leases;
    if (lease)
        presence_lease_leave(presence, lease, false, now_ms, wall_ms);
    return lease;
}
