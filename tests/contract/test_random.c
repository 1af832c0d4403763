/* Users come, go, post, make rooms, hide and delete them at random; a model as simple as can be
 * says what each may see. SEED in the environment repeats a run. */
#include <stdlib.h>

#include "play.h"

#define USERS 4
#define ROOMS 3
#define STEPS 2000
#define EVENTS_MAX 4000

static const char *const user_names[USERS] = {"ann", "bob", "cat", "dan"};
static const char *const room_names[ROOMS] = {"r0", "r1", "r2"};

/* An event and who was in its room at that point, that user itself included. */
struct model_event {
    struct event_id id;
    int room; /* index of the name */
    int life; /* which room of that name */
    bool member[USERS];
    bool watchers; /* its type is for them */
    char text[64];
};

struct model {
    struct play *play;
    unsigned seed;
    int lives[ROOMS]; /* of each name: how many rooms had it, the last may live */
    bool alive[ROOMS], is_public[ROOMS];
    struct event_id public_since[ROOMS];
    bool in[ROOMS][USERS];
    int messages;
    struct model_event events[EVENTS_MAX];
    int count;
};

static int pick(struct model *model, int below)
{
    model->seed = model->seed * 1103515245u + 12345u;
    return (int)(model->seed >> 16) % below;
}

/* Notes the events that the last command made; `who` sees them whether in the room or not. */
static void note(struct model *model, int from, int room, int who, const char *message)
{
    const struct play *play = model->play;
    for (int i = from; i < play->followed_count; i++) {
        const struct followed *followed = &play->followed[i];
        assert_true(model->count < EVENTS_MAX);
        struct model_event *event = &model->events[model->count++];
        *event = (struct model_event){.id = followed->id, .room = room, .life = model->lives[room]};
        memcpy(event->member, model->in[room], sizeof(event->member));
        if (who >= 0)
            event->member[who] = true;
        event->watchers = event_type_is_for_watchers(followed->type);
        bool about_user = followed->type == EVENT_USER_JOINED || followed->type == EVENT_USER_LEFT;
        snprintf(event->text, sizeof(event->text), "%s:%.32s", event_type_name(followed->type),
                 message      ? message
                 : about_user ? followed->user
                              : room_names[room]);
    }
}

static void put_room(struct model *model, int room, int user)
{
    struct play *play = model->play;
    int from = play->followed_count;
    bool creates = !model->alive[room];
    bool is_public = pick(model, 2);
    int err = play_put_room(play, user_names[user], room_names[room],
                            is_public ? ROOM_PUBLIC : ROOM_PRIVATE);
    if (err)
        return;
    if (creates) {
        model->lives[room]++;
        model->alive[room] = true;
        memset(model->in[room], 0, sizeof(model->in[room]));
        model->in[room][user] = true;
    }
    if (play->followed_count == from)
        return;
    if (is_public && (creates || !model->is_public[room]))
        model->public_since[room] = play->followed[from].id;
    model->is_public[room] = is_public;
    note(model, from, room, user, NULL);
}

static void enter_or_leave(struct model *model, int room, int user, bool enter)
{
    struct play *play = model->play;
    int from = play->followed_count;
    int other = pick(model, USERS);
    bool self = pick(model, 2);
    const char *actor = user_names[self ? user : other];
    int err = enter  ? self ? play_join(play, actor, room_names[room])
                            : play_add(play, actor, room_names[room], user_names[user])
               : self ? play_leave(play, actor, room_names[room])
                     : play_remove(play, actor, room_names[room], user_names[user]);
    if (err || play->followed_count == from)
        return;
    model->in[room][user] = enter;
    note(model, from, room, user, NULL);
}

static void post(struct model *model, int room, int user)
{
    char name[16];
    int from = model->play->followed_count;
    snprintf(name, sizeof(name), "m%d", model->messages++);
    if (play_post(model->play, user_names[user], room_names[room], name, name).err == ERR_OK)
        note(model, from, room, -1, name);
}

static bool is_empty(const struct model *model, int room)
{
    for (int i = 0; i < USERS; i++) {
        if (model->in[room][i])
            return false;
    }
    return true;
}

static void delete_room(struct model *model, int room, int user)
{
    int from = model->play->followed_count;
    struct command command = play_command(COMMAND_DELETE_ROOM, user_names[user], room_names[room]);
    command.actor.service = is_empty(model, room); /* else nobody ever could */
    if (play_do(model->play, &command).err)
        return;
    note(model, from, room, -1, NULL);
    model->alive[room] = model->is_public[room] = false;
    memset(model->in[room], 0, sizeof(model->in[room]));
}

static void step(struct model *model)
{
    int room = pick(model, ROOMS), user = pick(model, USERS), what = pick(model, 20);
    if (what < 8)
        post(model, room, user);
    else if (what < 12)
        enter_or_leave(model, room, user, true);
    else if (what < 16)
        enter_or_leave(model, room, user, false);
    else if (what < 19 && !(model->alive[room] && is_empty(model, room)))
        put_room(model, room, user);
    else
        delete_room(model, room, user);
}

/* Does one who watches the room now, without membership at the event, see it? */
static bool is_watched(const struct model *model, const struct model_event *event)
{
    int room = event->room;
    return event->watchers && model->alive[room] && model->is_public[room] &&
           event->life == model->lives[room] &&
           event_id_compare(event->id, model->public_since[room]) > 0;
}

/* `named`: bits of the rooms followed by name; `all`: every membership. */
static void compare(struct model *model, int user, bool all, int named, struct event_id after)
{
    static char expected[200000];
    struct follow_room rooms[ROOMS];
    struct follow_spec follow = play_rooms(user_names[user], rooms, 0);
    follow.all = all;
    for (int i = 0; i < ROOMS; i++) {
        if (named >> i & 1)
            rooms[follow.room_count++] = (struct follow_room){.room = span_text(room_names[i])};
    }
    size_t used = 0;
    expected[0] = 0;
    for (int i = 0; i < model->count; i++) {
        const struct model_event *event = &model->events[i];
        bool by_name = named >> event->room & 1;
        bool seen =
            (event->member[user] && (all || by_name)) || (by_name && is_watched(model, event));
        if (seen && event_id_compare(event->id, after) > 0)
            used += (size_t)sprintf(expected + used, "%s%s", used ? " " : "", event->text);
    }
    const char *found = play_seen(model->play, follow, after, 1 + pick(model, 40));
    if (strcmp(found, expected))
        fail_msg("%s, all %d, named %d:\n%s\ninstead of\n%s", user_names[user], all, named, found,
                 expected);
}

static void what_is_seen_is_what_the_model_says(void **state)
{
    const char *given = getenv("SEED");
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    model->play = play_new();
    model->seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("SEED=%u\n", model->seed);
    for (int i = 1; i <= STEPS; i++) {
        step(model);
        if (i % 100)
            continue;
        if (play_outlives_closing() && i % 300 == 0)
            play_reopen(model->play);
        for (int k = 0; k < 12; k++) {
            struct event_id after = EVENT_ID_NONE;
            if (k % 3 && model->count)
                after = model->events[pick(model, model->count)].id;
            compare(model, pick(model, USERS), pick(model, 2), pick(model, 1 << ROOMS), after);
        }
    }
    assert_true(model->count > STEPS / 5);
    play_free(model->play);
    free(model);
}

int run_random_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_seen_is_what_the_model_says),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
