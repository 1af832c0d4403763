/* Errors as clients see them: RFC 9457 problem details, from one table.
 *
 * WHY    one place gives every ERR_* its status, code and title; the reference page and
 *        openapi.json are held against it.
 * MODEL  `type` is the reference `/errors#<code>`; the page behind it is made from the same table.
 * Floor: api. Static table. */
#ifndef TIDINGS_API_PROBLEM_H
#define TIDINGS_API_PROBLEM_H

#include "net/http.h"

struct problem {
    int err;           /* ERR_* */
    int status;        /* HTTP */
    const char *code;  /* member `code` */
    const char *title; /* member `title` */
};

/* Never NULL: what is not in the table is ERR_INTERNAL. */
const struct problem *problem_find(int err);
/* The table, for the reference and its tests. */
const struct problem *problem_table(int *ret_count);

/* What more may be told; all optional. */
struct problem_detail {
    const char *detail;     /* a sentence; NULL: the table's title */
    const char *field;      /* the member or parameter at fault; NULL: none */
    int64_t retry_after_ms; /* > 0: Retry-After, rounded up to seconds */
    const struct answer_header *headers; /* more headers, at most PROBLEM_HEADERS_MAX */
    int header_count;
};

#define PROBLEM_HEADERS_MAX 6

/* Answers with problem+json. `detail` may be NULL. 401 adds WWW-Authenticate, 503 a jittered
 * Retry-After unless one is given. */
void problem_answer(struct request *request, int err, const struct problem_detail *detail);
/* Only the body (in the request's arena) and the status; for net's own errors and for batches. */
void problem_format(struct request *request, int err, const struct problem_detail *detail,
                    struct answer *ret);
/* The table as an HTML page; data NULL when memory ran out. */
struct span problem_page(struct arena *arena);

#endif
