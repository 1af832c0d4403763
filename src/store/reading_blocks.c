#include "base/err.h"
#include "store/reading_parts.h"

static int keep_person(struct arena *arena, struct span *user, struct span *name, struct span *data)
{
    int err = reading_keep(arena, user);
    if (!err)
        err = reading_keep(arena, name);
    if (!err)
        err = reading_keep(arena, data);
    return err;
}

/* -- blocks ------------------------------------------------------------------------------ */

static int note_block(void *context, const struct ledger_block *block)
{
    struct journal_read *read = context;
    if (read->block_count == read->limit) {
        read->next = read->blocks[read->block_count - 1].user;
        return 0;
    }
    struct read_block *found = &read->blocks[read->block_count++];
    *found = (struct read_block){
        .user = block->user_id,
        .name = block->name,
        .data = block->data,
        .blocked_at_ms = block->blocked_at_ms,
    };
    return keep_person(&read->request.arena, &found->user, &found->name, &found->data);
}

static int read_one(struct ledger *ledger, struct journal_read *read, const struct scene *scene)
{
    struct ledger_block block;
    if (!scene->target.place)
        return 0;
    int err = ledger->ops->block_find(ledger, scene->actor.place, scene->target.place, &block);
    if (err)
        return err == ERR_NOT_FOUND ? 0 : err;
    block.user_id = scene->target.id;
    block.name = scene->target.name;
    block.data = scene->target.data;
    return note_block(read, &block);
}

int reading_blocks(struct ledger *ledger, struct journal_read *read, int64_t now_ms,
                   struct arena *scratch)
{
    const struct command command = {
        .kind = COMMAND_PROFILE, .realm = read->realm, .actor = read->actor, .target = read->user};
    struct scene scene;
    int err = scene_gather(ledger, &command, now_ms, scratch, &scene);
    if (err)
        return err;
    read->head = scene.realm.head;
    read->blocks = arena_alloc(&read->request.arena, (size_t)read->limit * sizeof(*read->blocks));
    if (!read->blocks)
        return ERR_MEMORY;
    if (!scene.actor.place)
        return 0;
    if (read->user.data)
        return read_one(ledger, read, &scene);
    return ledger->ops->blocks(ledger, scene.actor.place, read->from, read->limit + 1, note_block,
                               read);
}

/* -- direct rooms ------------------------------------------------------------------------ */

struct pair_walk {
    struct arena *arena;
    struct room_person *next;
};

static int note_person(void *context, const struct ledger_member *member)
{
    struct pair_walk *walk = context;
    struct room_person *found = walk->next++;
    *found = (struct room_person){member->user_id, member->name, member->data};
    return keep_person(walk->arena, &found->user, &found->name, &found->data);
}

int reading_pair(struct ledger *ledger, place_number room, struct arena *arena,
                 const struct room_person **ret)
{
    struct room_person *pair = arena_alloc(arena, 2 * sizeof(*pair));
    if (!pair)
        return ERR_MEMORY;
    struct pair_walk walk = {arena, pair};
    int err = ledger->ops->members(ledger, room, (struct span){NULL, 0}, 2, note_person, &walk);
    if (!err)
        *ret = pair;
    return err;
}
