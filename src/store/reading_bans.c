#include "base/err.h"
#include "store/reading_parts.h"

static int note_ban(void *context, const struct ledger_ban *ban)
{
    struct journal_read *read = context;
    struct arena *arena = &read->request.arena;
    if (read->ban_count == read->limit) {
        read->next = read->bans[read->ban_count - 1].user;
        return 0;
    }
    struct read_ban *found = &read->bans[read->ban_count++];
    *found = (struct read_ban){
        .user = ban->user_id,
        .name = ban->name,
        .data = ban->data,
        .by = ban->by_id,
        .reason = ban->reason,
        .until_ms = ban->until_ms,
        .banned_at_ms = ban->banned_at_ms,
    };
    struct span *texts[] = {&found->user, &found->name, &found->data, &found->by, &found->reason};
    for (size_t i = 0; i < array_count(texts); i++) {
        int err = reading_keep(arena, texts[i]);
        if (err)
            return err;
    }
    return 0;
}

int reading_bans(struct ledger *ledger, struct journal_read *read, int64_t now_ms,
                 struct arena *scratch)
{
    const struct command command = {
        .kind = COMMAND_LIFT_BAN, .realm = read->realm, .room = read->room, .actor = read->actor};
    struct scene scene;
    int err = scene_gather(ledger, &command, now_ms, scratch, &scene);
    if (!err)
        err = command_decide(&command, &scene.facts, NULL);
    if (err)
        return err;
    read->head = scene.realm.head;
    read->bans = arena_alloc(&read->request.arena, (size_t)read->limit * sizeof(*read->bans));
    if (!read->bans)
        return ERR_MEMORY;
    return ledger->ops->bans(ledger, scene.room.place, read->from, now_ms, read->limit + 1,
                             note_ban, read);
}
