/* Compiler attributes, spelled once.
 * Floor: base. */
#ifndef TIDINGS_BASE_ATTR_H
#define TIDINGS_BASE_ATTR_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define UNUSED __attribute__((unused))

/* The struct of `type` whose member `member` is `pointer`. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define array_count(array) (sizeof(array) / sizeof((array)[0]))

#endif
