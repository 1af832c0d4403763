#include <assert.h>
#include <jansson.h>
#include <stdio.h>

#include "base/err.h"
#include "store/reading_parts.h"
#include "store/shape.h"

static json_t *users_of(const struct ledger_reaction *reaction)
{
    json_t *users = json_array();
    for (int i = 0; i < reaction->user_count; i++) {
        struct span user = reaction->users[i];
        if (json_array_append_new(users, json_stringn(user.data, user.len))) {
            json_decref(users);
            return NULL;
        }
    }
    return users;
}

static int note_reaction(void *context, const struct ledger_reaction *reaction)
{
    json_t *seen = json_pack("{s:I, s:o, s:b}", "count", (json_int_t)reaction->count, "users",
                             users_of(reaction), "mine", reaction->mine);
    if (!seen || json_object_setn_new(context, reaction->key.data, reaction->key.len, seen))
        return ERR_MEMORY;
    return 0;
}

/* `json` without its last brace, and what follows. */
static int extend(struct arena *arena, struct span reactions, int64_t replies, struct span *json)
{
    char count[48];
    int len = replies > 0
                  ? snprintf(count, sizeof(count), ",\"replyCount\":%lld", (long long)replies)
                  : 0;
    const char name[] = ",\"reactions\":";
    size_t size = json->len + (size_t)len + (reactions.len ? strlen(name) + reactions.len : 0);
    char *text = arena_alloc(arena, size), *at = text;
    if (!text)
        return ERR_MEMORY;
    at = mempcpy(at, json->data, json->len - 1);
    if (reactions.len)
        at = mempcpy(mempcpy(at, name, strlen(name)), reactions.data, reactions.len);
    at = mempcpy(at, count, (size_t)len);
    *at++ = '}';
    assert(at == text + size);
    *json = span_of(text, size);
    return 0;
}

int reading_adorn(struct ledger *ledger, place_number room, struct event_id message,
                  place_number user, struct arena *arena, struct span *json)
{
    int64_t replies = 0;
    int missed = 0;
    struct span text = {NULL, 0};
    json_t *reactions = json_object();
    int err = reactions ? ledger_put_off(ledger->ops->reactions(ledger, room, message, user, arena,
                                                                note_reaction, reactions),
                                         &missed)
                        : ERR_MEMORY;
    if (!err)
        err = ledger->ops->replies(ledger, room, message, &replies);
    err = err ? err : missed;
    if (!err && json_object_size(reactions) > 0)
        err = shape_text(arena, json_incref(reactions), &text);
    json_decref(reactions);
    if (err || (!text.len && replies <= 0))
        return err;
    return extend(arena, text, replies, json);
}
