/* Query parameters, fetched with an error for each fault.
 *
 * MODEL  as json_reader does for bodies: the first fault is kept with the parameter's name, and
 *        is asked once, at the end. A parameter that stands there twice is a fault.
 * Floor: api. Borrows the request. */
#ifndef TIDINGS_API_QUERY_H
#define TIDINGS_API_QUERY_H

#include "net/http.h"

struct query_reader {
    const struct request *request;
    int err;           /* first fault: ERR_INVALID_PARAMETER; ERR_OK */
    const char *field; /* parameter at fault */
};

/* Absent: data NULL. One without `=` counts as empty. */
struct span query_read_text(struct query_reader *reader, const char *name);
/* ident_is_valid, ident_is_user, ident_is_message. */
struct span query_read_ident(struct query_reader *reader, const char *name);
struct span query_read_user(struct query_reader *reader, const char *name);
struct span query_read_message(struct query_reader *reader, const char *name);
/* An event id or a messageId. */
struct span query_read_position(struct query_reader *reader, const char *name);
/* A decimal number from min to max, both at least 0. */
int64_t query_read_number(struct query_reader *reader, const char *name, int64_t min, int64_t max,
                          int64_t otherwise);

#endif
