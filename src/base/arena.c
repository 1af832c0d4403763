#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

#define ARENA_BLOCK_BYTES 2048

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.bytes_max = bytes_max};
}

void arena_fini(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used = 0;
}

static struct arena_block *block_add(struct arena *arena, size_t len)
{
    size_t size = len > ARENA_BLOCK_BYTES / 2 ? len : ARENA_BLOCK_BYTES;
    struct arena_block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->used = 0;
    block->size = size;
    /* A large piece goes behind the block that still has room. */
    if (arena->blocks && size == len) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t len)
{
    size_t align = alignof(max_align_t);
    if (len > arena->bytes_max || arena->used > arena->bytes_max - len)
        return NULL;
    size_t rounded = (len + align - 1) / align * align;
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < rounded)
        block = block_add(arena, rounded);
    if (!block)
        return NULL;
    void *data = block->data + block->used;
    block->used += rounded;
    arena->used += len;
    memset(data, 0, len);
    return data;
}

struct span arena_copy(struct arena *arena, struct span text)
{
    if (!text.data)
        return text;
    char *data = arena_alloc(arena, text.len + 1);
    if (!data)
        return (struct span){NULL, 0};
    memcpy(data, text.data, text.len);
    return span_of(data, text.len);
}
