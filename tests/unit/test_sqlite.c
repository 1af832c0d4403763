/* The SQLite ledger's ids, its roll-back and what is trimmed of it. What it means is held by the
 * contract suite. */
#include "sqlite_folder.h"

#include "store/reading.h"
#include "store/sqlite_trim.h"

/* Ids */

static void ids_are_packed_in_order(void **state)
{
    static const struct event_id rising[] = {
        {0, 0}, {0, 1}, {1, 0}, {1, SQLITE_SEQ_MAX}, {2, 0}, {1700000000000, 0},
        {1700000000000, 1}, {(UINT64_C(1) << 43) - 1, 5}};

    for (size_t i = 0; i < array_count(rising); i++) {
        assert_true(sqlite_id_is_exact(rising[i]));
        if (i > 0)
            assert_true(sqlite_id_pack(rising[i]) > sqlite_id_pack(rising[i - 1]));
    }
}

static void ids_out_of_range_are_bounds(void **state)
{
    int64_t last_of_1 = sqlite_id_pack((struct event_id){1, SQLITE_SEQ_MAX});

    assert_int_equal(sqlite_id_pack(EVENT_ID_LAST), SQLITE_ID_LAST);
    assert_int_equal(event_id_compare(sqlite_id_unpack(SQLITE_ID_LAST), EVENT_ID_LAST), 0);
    assert_true(sqlite_id_pack((struct event_id){1, UINT64_MAX}) > last_of_1);
    assert_true(sqlite_id_pack((struct event_id){1, UINT64_MAX}) <
                sqlite_id_pack((struct event_id){2, 0}));
    assert_false(sqlite_id_is_exact((struct event_id){1, UINT64_MAX}));
    assert_true(sqlite_id_pack((struct event_id){UINT64_MAX, UINT64_MAX - 1}) < SQLITE_ID_LAST);
    assert_true(sqlite_id_pack((struct event_id){UINT64_MAX, 0}) >
                sqlite_id_pack((struct event_id){UINT64_C(1) << 42, 0}));
}

/* A ledger to write events of any age into. */

struct scene {
    struct sqlite_connection connection;
    struct sqlite_ledger sqlite;
    struct ledger *ledger;
    struct ledger_realm realm;
    place_number user;
    struct settings settings;
    struct sqlite_trim trim;
    struct arena arena;
};

static void scene_begin(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    arena_init(&scene->arena, 4 << 20);
    assert_int_equal(open_writer(&scene->connection), 0);
    sqlite_ledger_init(&scene->sqlite, &scene->connection, true);
    scene->ledger = &scene->sqlite.ledger;
    assert_int_equal(sqlite_ledger_begin(&scene->sqlite), 0);
    assert_int_equal(
        scene->ledger->ops->realm_add(scene->ledger, span_text("main"), &scene->realm), 0);
    assert_int_equal(scene->ledger->ops->user_add(scene->ledger, scene->realm.place,
                                                  span_text("ann"), &scene->user), 0);
}

static void scene_end(struct scene *scene)
{
    sqlite_ledger_roll_back(&scene->sqlite);
    sqlite_trim_fini(&scene->trim);
    sqlite_ledger_fini(&scene->sqlite);
    sqlite_close(&scene->connection);
    arena_fini(&scene->arena);
}

static place_number add_room(struct scene *scene, const char *id)
{
    struct room_info info = {.id = span_text(id), .version = 1};
    place_number room;

    assert_int_equal(
        scene->ledger->ops->room_add(scene->ledger, scene->realm.place, &info, &room), 0);
    return room;
}

static struct event_id add_event(struct scene *scene, place_number place, int64_t now_ms)
{
    static unsigned next;
    struct ledger_event event = {
        .place = place, .type = EVENT_NEW_MESSAGE, .timestamp_ms = now_ms,
        .sender = scene->user, .number = scene->realm.head_number + 1,
        .body = span_text("{\"text\":\"hello\"}")};
    char message_id[32];

    snprintf(message_id, sizeof(message_id), "m%u", ++next);
    event.message_id = span_text(message_id);
    assert_int_equal(scene->ledger->ops->id_next(scene->ledger, scene->realm.place, now_ms,
                                                 &event.id), 0);
    assert_int_equal(
        scene->ledger->ops->event_add(scene->ledger, scene->realm.place, &event), 0);
    scene->realm.head = event.id;
    scene->realm.head_number = event.number;
    return event.id;
}

static place_number add_user(struct scene *scene, const char *id)
{
    place_number user;

    assert_int_equal(scene->ledger->ops->user_add(scene->ledger, scene->realm.place, span_text(id),
                                                  &user), 0);
    return user;
}

static void add_member(struct scene *scene, place_number room, place_number user)
{
    struct ledger_member member = {.user = user, .role = ROLE_MEMBER};

    assert_int_equal(scene->ledger->ops->member_put(scene->ledger, room, &member), 0);
}

/* What asking costs, in steps of SQLite's machine. */
static int steps_of_asking(struct scene *scene, place_number user, place_number other,
                           bool expected)
{
    static const enum sql_statement used[] = {SQL_places_of_one, SQL_places_of_other};
    int steps = 0;
    bool known = !expected;

    for (size_t i = 0; i < array_count(used); i++)
        sqlite3_stmt_status(sqlite_get(&scene->sqlite, used[i]), SQLITE_STMTSTATUS_VM_STEP, 1);
    assert_int_equal(scene->ledger->ops->acquainted(scene->ledger, user, other, &known), 0);
    assert_int_equal(known, expected);
    for (size_t i = 0; i < array_count(used); i++)
        steps += sqlite3_stmt_status(sqlite_get(&scene->sqlite, used[i]),
                                     SQLITE_STMTSTATUS_VM_STEP, 1);
    return steps;
}

static void one_in_many_rooms_costs_no_more_than_the_other(void **state)
{
    struct scene scene;
    place_number room = 0;
    char id[16];

    scene_begin(&scene);
    place_number few = add_user(&scene, "few"), later = add_user(&scene, "later");
    for (int i = 0; i < 2 * ROOMS_OF_USER_MAX; i++) {
        snprintf(id, sizeof(id), "room-%d", i);
        room = add_room(&scene, id);
        add_member(&scene, room, i < ROOMS_OF_USER_MAX ? scene.user : later);
        if (i == 7 || i == 2000)
            add_member(&scene, add_room(&scene, i == 7 ? "own-7" : "own-2000"), few);
    }
    assert_in_range(steps_of_asking(&scene, scene.user, few, false), 1, 500);
    assert_in_range(steps_of_asking(&scene, few, scene.user, false), 1, 500);
    assert_in_range(steps_of_asking(&scene, scene.user, later, false), 1, 500);
    assert_in_range(steps_of_asking(&scene, later, scene.user, false), 1, 500);
    add_member(&scene, room, few);
    add_member(&scene, room, scene.user);
    assert_in_range(steps_of_asking(&scene, scene.user, few, true), 1, 500);
    assert_in_range(steps_of_asking(&scene, few, later, true), 1, 500);
    assert_in_range(steps_of_asking(&scene, scene.user, later, true), 1, 500);
    scene_end(&scene);
}

/* Rooms whose names fall as their places rise: each comes before all those read so far. */
static void add_rooms(struct scene *scene, int count)
{
    char id[16];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "room-%04d", count - 1 - i);
        add_member(scene, add_room(scene, id), scene->user);
    }
}

static int note_place(void *context, const struct ledger_room *room,
                      const struct ledger_member *member)
{
    *(int *)context += 1;
    return 0;
}

/* Of the rooms that are on another page only the names are read. */
static void a_page_of_rooms_costs_little_for_the_others(void **state)
{
    struct scene scene;
    int seen = 0;

    scene_begin(&scene);
    add_rooms(&scene, 2000);
    sqlite3_stmt *statement = sqlite_get(&scene.sqlite, SQL_rooms_of_user);
    sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
    assert_int_equal(scene.ledger->ops->rooms_of_user(scene.ledger, scene.user,
                                                      span_text("room-0999"), 10, note_place,
                                                      &seen), 0);
    assert_int_equal(seen, 10);
    assert_in_range(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1), 1, 15 * 2000);
    scene_end(&scene);
}

/* However many they are, they are walked once. */
static void the_unread_of_all_rooms_is_one_walk(void **state)
{
    struct scene scene;
    struct journal_read read = {
        .what = READ_UNREAD, .realm = span_text("main"), .actor.user = span_text("ann")};

    scene_begin(&scene);
    add_rooms(&scene, 2000);
    sqlite3_stmt *statement = sqlite_get(&scene.sqlite, SQL_rooms_of_user);
    sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_RUN, 1);
    arena_init(&read.request.arena, 1 << 20);
    assert_int_equal(reading_read(scene.ledger, &scene.settings, &read, 0), 0);
    arena_fini(&read.request.arena);
    assert_int_equal(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_RUN, 1), 1);
    scene_end(&scene);
}

static void a_full_sequence_goes_on_in_the_next_millisecond(void **state)
{
    struct scene scene;
    struct event_id id;

    scene_begin(&scene);
    place_number room = add_room(&scene, "a");
    id = add_event(&scene, room, 5000);
    assert_int_equal(id.ms, 5000);
    assert_int_equal(id.seq, 0);
    /* The clock goes back: ids do not. */
    id = add_event(&scene, room, 4000);
    assert_int_equal(id.ms, 5000);
    assert_int_equal(id.seq, 1);
    scene.sqlite.id_last = sqlite_id_pack((struct event_id){5000, SQLITE_SEQ_MAX});
    id = add_event(&scene, room, 4000);
    assert_int_equal(id.ms, 5001);
    assert_int_equal(id.seq, 0);
    scene_end(&scene);
}

static void heads_are_restored_by_a_roll_back(void **state)
{
    struct scene scene;
    struct ledger_realm realm;

    scene_begin(&scene);
    place_number room = add_room(&scene, "a");
    struct event_id first = add_event(&scene, room, 5000);
    assert_int_equal(sqlite_ledger_commit(&scene.sqlite), 0);
    assert_int_equal(sqlite_ledger_begin(&scene.sqlite), 0);
    add_event(&scene, room, 6000);
    place_number lost_room = add_room(&scene, "b");
    sqlite_ledger_roll_back(&scene.sqlite);
    assert_int_equal(sqlite_ledger_begin(&scene.sqlite), 0);
    assert_int_equal(scene.ledger->ops->realm_find(scene.ledger, span_text("main"), &realm), 0);
    assert_int_equal(event_id_compare(realm.head, first), 0);
    assert_int_equal(realm.head_number, 1);
    scene.realm = realm;
    assert_int_equal(add_room(&scene, "c"), lost_room);
    struct event_id next = add_event(&scene, room, 5000);
    assert_int_equal(next.ms, 5000);
    assert_int_equal(next.seq, 1);
    /* Whose command it was is noted again. */
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM sender"), 1);
    scene_end(&scene);
}

/* Makes steps until nothing is left to do. */
static void trim_all(struct scene *scene, int64_t wall_ms)
{
    int64_t wait_ms = 0, now_ms = 1;

    assert_int_equal(sqlite_ledger_commit(&scene->sqlite), 0);
    for (int i = 0; i < 10000 && wait_ms <= SQLITE_TRIM_PAUSE_MS; i++) {
        assert_int_equal(
            sqlite_trim_step(&scene->trim, &scene->sqlite, now_ms, wall_ms, &wait_ms), 0);
        now_ms += wait_ms;
    }
    assert_true(wait_ms > SQLITE_TRIM_PAUSE_MS);
    assert_int_equal(sqlite_ledger_begin(&scene->sqlite), 0);
}

static struct ledger_room room_at(struct scene *scene, place_number place)
{
    struct ledger_room room;

    assert_int_equal(scene->ledger->ops->room_at(scene->ledger, place, &scene->arena, &room), 0);
    return room;
}

static void rooms_keep_their_newest(void **state)
{
    struct scene scene;
    struct event_id ids[1000];

    scene_begin(&scene);
    scene.settings.journal_room_events_max = 10;
    sqlite_trim_init(&scene.trim, &scene.settings);
    scene.sqlite.trim = &scene.trim;
    place_number busy = add_room(&scene, "busy"), calm = add_room(&scene, "calm");
    struct event_id quiet = add_event(&scene, calm, 1000);
    for (int i = 0; i < 1000; i++)
        ids[i] = add_event(&scene, busy, 2000 + i);
    trim_all(&scene, 4000);
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM event"), 11);
    assert_int_equal(event_id_compare(room_at(&scene, busy).gone, ids[989]), 0);
    assert_true(event_id_is_none(room_at(&scene, calm).gone));
    struct ledger_realm realm;
    assert_int_equal(scene.ledger->ops->realm_find(scene.ledger, span_text("main"), &realm), 0);
    assert_int_equal(event_id_compare(realm.gone, ids[989]), 0);
    assert_int_equal(event_id_compare(realm.head, ids[999]), 0);
    assert_true(event_id_compare(quiet, realm.gone) < 0);
    scene_end(&scene);
}

static void age_ends_events_but_no_head(void **state)
{
    const int64_t day_ms = 86400000;
    struct scene scene;

    scene_begin(&scene);
    scene.settings.journal_retention_days = 2;
    sqlite_trim_init(&scene.trim, &scene.settings);
    place_number room = add_room(&scene, "a");
    for (int i = 0; i < 600; i++)
        add_event(&scene, room, 10 * day_ms + i);
    struct event_id last_old = scene.realm.head;
    struct event_id for_user = add_event(&scene, scene.user, 10 * day_ms + 601);
    struct event_id kept = add_event(&scene, room, 12 * day_ms);
    trim_all(&scene, 13 * day_ms);
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM event"), 1);
    assert_int_equal(event_id_compare(room_at(&scene, room).gone, last_old), 0);
    struct ledger_user user;
    assert_int_equal(scene.ledger->ops->user_find(scene.ledger, scene.realm.place,
                                                  span_text("ann"), &scene.arena, &user), 0);
    assert_int_equal(event_id_compare(user.gone, for_user), 0);
    /* Now the head is old as well. */
    scene.trim.pass_at_ms = 0;
    trim_all(&scene, 20 * day_ms);
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM event"), 1);
    struct ledger_realm realm;
    assert_int_equal(scene.ledger->ops->realm_find(scene.ledger, span_text("main"), &realm), 0);
    assert_int_equal(event_id_compare(realm.head, kept), 0);
    assert_int_equal(event_id_compare(realm.gone, for_user), 0);
    scene_end(&scene);
}

static void commands_are_forgotten_after_the_window(void **state)
{
    struct scene scene;
    struct ledger_once once = {.sender = 1}, found;

    scene_begin(&scene);
    scene.settings.journal_dedup_window_ms = 1000;
    sqlite_trim_init(&scene.trim, &scene.settings);
    for (int i = 0; i < 600; i++) {
        char id[16];

        snprintf(id, sizeof(id), "c%d", i);
        once.timestamp_ms = 5000 + i;
        assert_int_equal(scene.ledger->ops->once_add(scene.ledger, 7, span_text(id), &once), 0);
    }
    assert_int_equal(
        scene.ledger->ops->once_find(scene.ledger, 7, span_text("c5"), 5006, &found),
        ERR_NOT_FOUND);
    assert_int_equal(
        scene.ledger->ops->once_find(scene.ledger, 7, span_text("c5"), 5005, &found), 0);
    trim_all(&scene, 6599);
    assert_int_equal(number(scene.connection.db, "SELECT count(*) FROM once"), 1);
    assert_int_equal(
        scene.ledger->ops->once_find(scene.ledger, 7, span_text("c599"), 0, &found), 0);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(ids_are_packed_in_order),
        WITH_FOLDER(ids_out_of_range_are_bounds),
        WITH_FOLDER(a_full_sequence_goes_on_in_the_next_millisecond),
        WITH_FOLDER(one_in_many_rooms_costs_no_more_than_the_other),
        WITH_FOLDER(a_page_of_rooms_costs_little_for_the_others),
        WITH_FOLDER(the_unread_of_all_rooms_is_one_walk),
        WITH_FOLDER(heads_are_restored_by_a_roll_back),
        WITH_FOLDER(rooms_keep_their_newest),
        WITH_FOLDER(age_ends_events_but_no_head),
        WITH_FOLDER(commands_are_forgotten_after_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
