#include "store/sqlite_statements.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/embedded.h"
#include "base/err.h"
#include "base/span.h"

#define NAME_MARK "\n-- name: "

static const char *const names[SQL_COUNT] = {
#define X(name) #name,
    SQL_STATEMENTS(X)
#undef X
};

static int find_name(struct span name)
{
    for (int i = 0; i < SQL_COUNT; i++)
        if (span_is(name, names[i]))
            return i;
    return -1;
}

/* The block that follows the next mark in `*rest`; false at the end. */
static bool cut_block(struct span *rest, struct span *ret_name, struct span *ret_sql)
{
    const char *mark = memmem(rest->data, rest->len, NAME_MARK, strlen(NAME_MARK));
    const char *end;

    if (!mark)
        return false;
    rest->len -= (size_t)(mark - rest->data) + strlen(NAME_MARK);
    rest->data = mark + strlen(NAME_MARK);
    end = memmem(rest->data, rest->len, NAME_MARK, strlen(NAME_MARK));
    *ret_sql = span_of(rest->data, end ? (size_t)(end - rest->data) : rest->len);
    *ret_name = span_trim(span_cut(ret_sql, '\n'));
    rest->len -= ret_sql->data ? (size_t)(ret_sql->data + ret_sql->len - rest->data) : rest->len;
    rest->data = end;
    return true;
}

static int prepare_one(sqlite3 *db, struct span name, struct span sql, bool only_reads,
                       sqlite3_stmt **statements)
{
    int at = find_name(name);
    const char *tail = NULL;
    int code;

    assert(at >= 0);
    assert(!statements[at]);
    code = sqlite3_prepare_v3(db, sql.data, (int)sql.len, SQLITE_PREPARE_PERSISTENT,
                              &statements[at], &tail);
    if (code)
        return code == SQLITE_NOMEM ? ERR_MEMORY : ERR_CORRUPT;
    assert(statements[at]);
    assert(span_trim(span_of(tail, (size_t)(sql.data + sql.len - tail))).len <= sql.len);
    if (only_reads && !sqlite3_stmt_readonly(statements[at])) {
        sqlite3_finalize(statements[at]);
        statements[at] = NULL;
    }
    return 0;
}

static int prepare_file(sqlite3 *db, struct span rest, bool only_reads, char *why,
                        size_t why_size, sqlite3_stmt **statements)
{
    struct span name, sql;

    while (rest.data && cut_block(&rest, &name, &sql)) {
        int err = prepare_one(db, name, sql, only_reads, statements);

        if (err) {
            snprintf(why, why_size, "statement %.*s: %s", SPAN_ARGS(name), sqlite3_errmsg(db));
            return err;
        }
    }
    return 0;
}

int sqlite_statements_prepare(sqlite3 *db, bool only_reads, char *why, size_t why_size,
                              sqlite3_stmt **statements)
{
    int err = 0;

    for (const struct embedded *file = embedded_sql; file->name && !err; file++)
        if (strncmp(file->name, "queries", strlen("queries")) == 0)
            err = prepare_file(db, span_of(file->data, file->size), only_reads, why, why_size,
                               statements);
    for (int i = 0; i < SQL_COUNT && !err && !only_reads; i++)
        assert(statements[i]);
    return err;
}
