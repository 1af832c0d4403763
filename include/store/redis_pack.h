/* Values as they stand in Redis: numbers, event ids and texts, one after the other.
 *
 * WHY    short, readable in redis-cli, compared as a whole by the commit script.
 * MODEL  each field ends with NUL, which no text contains: numbers in decimal, ids as `ms-seq`,
 *        a text as `=text`, or `-` when there is none.
 *        An event gets its id in the script that stores it. Until then it has a *pending* id,
 *        above every real one, and stands in values as a mark: 0xFF (which no UTF-8 has), a kind,
 *        the index of the event within the commit in six digits, so that marks sort as ids do,
 *        `;`. The script fills in what it stands for:
 *
 *          i   the id              `1795531183115-0`
 *          h   the id as a name    32 hexadecimal digits, which sort as ids do
 *          o   the ordinal of its room up to and with it
 *
 * Floor: store. Pure. */
#ifndef TIDINGS_STORE_REDIS_PACK_H
#define TIDINGS_STORE_REDIS_PACK_H

#include "base/buf.h"
#include "core/event_id.h"

#define REDIS_PENDING_MS (UINT64_MAX - 1)
/* An ordinal that is pending: this plus the index of the event. Far above any real one. */
#define REDIS_PENDING_ORDINAL (UINT64_C(1) << 62)
#define REDIS_MARK '\xff'
#define REDIS_MARK_BYTES 9
#define REDIS_EVENTS_MAX 1000000 /* of one commit */
#define REDIS_NAME_OF_ID_BYTES 32 /* of an id that is not pending */

static inline struct event_id redis_pending_id(uint64_t index)
{
    return (struct event_id){REDIS_PENDING_MS, index};
}
static inline bool redis_is_pending(struct event_id id)
{
    return id.ms == REDIS_PENDING_MS;
}

/* All may return ERR_FULL, ERR_MEMORY of the buffer. */
MUST_CHECK int redis_pack_number(struct buf *buf, uint64_t number);
/* Also a pending one. */
MUST_CHECK int redis_pack_id(struct buf *buf, struct event_id id);
/* Also a pending one. */
MUST_CHECK int redis_pack_ordinal(struct buf *buf, uint64_t ordinal);
MUST_CHECK int redis_pack_text(struct buf *buf, struct span text);
/* Not a field: the id as a part of a name, or as a field of a hash, without NUL. Also a pending
 * one; as a name also EVENT_ID_LAST, for bounds: above the names of all others. */
MUST_CHECK int redis_put_name_of_id(struct buf *buf, struct event_id id);
MUST_CHECK int redis_put_id(struct buf *buf, struct event_id id);

/* Decimal digits of a number, without NUL; gives how many. */
#define REDIS_DIGITS_MAX 20
size_t redis_put_digits(char *out, uint64_t number);
static inline struct span redis_text_in(char *out, uint64_t number)
{
    return span_of(out, redis_put_digits(out, number));
}
/* The same as a text that lives until the end of the block. */
#define redis_text_of(number) redis_text_in((char[REDIS_DIGITS_MAX]){0}, (number))

/* A mark in a value or a name. */
struct redis_mark {
    char kind;
    int index; /* of the event */
    size_t at; /* where it begins */
};
/* The first in `text`. */
bool redis_find_mark(struct span text, struct redis_mark *ret);

/* Taking apart. What is missing or malformed sets `broken` and gives 0, 0-0, absent. */
struct redis_fields {
    struct span rest;
    bool broken;
};

static inline struct redis_fields redis_fields_of(struct span value)
{
    return (struct redis_fields){value, false};
}
uint64_t redis_take_number(struct redis_fields *fields);
struct event_id redis_take_id(struct redis_fields *fields);
uint64_t redis_take_ordinal(struct redis_fields *fields);
/* Borrows from the value. */
struct span redis_take_text(struct redis_fields *fields);
/* Without NUL: an id as redis_put_id and the script write it. ERR_CORRUPT. */
MUST_CHECK int redis_parse_id(struct span text, struct event_id *ret);
/* The id at the beginning of a name, also a pending one; cuts it off. ERR_CORRUPT. */
MUST_CHECK int redis_cut_name_of_id(struct span *name, struct event_id *ret);

#endif
