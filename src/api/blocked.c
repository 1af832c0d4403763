/* Users from whom one wants no direct messages and no mentions. */
#include "api/errand.h"
#include "api/shapes.h"
#include "base/err.h"
#include "base/limits.h"

#define BLOCKS_ANSWER_BYTES_MAX 1048576

static void write_block(struct json_writer *writer, const struct read_block *block)
{
    shapes_write_person(writer, block->user, block->name, block->data);
    json_writer_reopen(writer);
    json_writer_member_number(writer, "blockedAt", block->blocked_at_ms);
    json_writer_add(writer, "}");
}

static void on_blocks(struct errand *errand)
{
    const struct journal_read *read = &errand->read;
    struct json_writer writer;
    json_writer_init(&writer, BLOCKS_ANSWER_BYTES_MAX);
    json_writer_add(&writer, "{\"blocks\":[");
    for (int i = 0; i < read->block_count; i++) {
        json_writer_item(&writer);
        write_block(&writer, &read->blocks[i]);
    }
    json_writer_add(&writer, "]");
    json_writer_member_string(&writer, "next", read->next);
    json_writer_member_id(&writer, "asOf", read->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void blocks_get(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_blocks);
    if (errand)
        errand_read_users(errand, READ_BLOCKS, BLOCKS_PAGE_MAX);
}

static void on_block(struct errand *errand)
{
    const struct journal_read *read = &errand->read;
    struct json_writer writer;
    if (read->block_count == 0) {
        errand_refuse(errand, ERR_NOT_FOUND, NULL);
        return;
    }
    json_writer_init(&writer, BLOCKS_ANSWER_BYTES_MAX);
    write_block(&writer, &read->blocks[0]);
    json_writer_reopen(&writer);
    json_writer_member_id(&writer, "asOf", read->head);
    json_writer_add(&writer, "}");
    errand_answer(errand, 200, &writer, NULL);
}

void block_get(struct request *request)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_block);
    if (!errand)
        return;
    errand->read.user = request_parameter(request, 0);
    errand->read.limit = 1;
    errand_read(errand, READ_BLOCKS);
}

static void on_changed(struct errand *errand)
{
    errand_answer_change(errand, errand->command.target);
}

static void change(struct request *request, enum command_kind kind)
{
    struct errand *errand = errand_new(request, (struct span){NULL, 0}, on_changed);
    if (!errand)
        return;
    errand->command.kind = kind;
    errand->command.target = request_parameter(request, 0);
    errand_append(errand);
}

void block_put(struct request *request)
{
    change(request, COMMAND_BLOCK);
}

void block_delete(struct request *request)
{
    change(request, COMMAND_UNBLOCK);
}
