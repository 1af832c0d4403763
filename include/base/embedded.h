/* Files that are part of the binary: SQL, Lua and the pages of `www/`.
 *
 * MODEL  src/embed.py makes one table for each folder, ended by a row without a name.
 * Floor: base. Static. */
#ifndef TIDINGS_BASE_EMBEDDED_H
#define TIDINGS_BASE_EMBEDDED_H

#include <stddef.h>

struct embedded {
    const char *name; /* file name without folder */
    size_t size;      /* bytes */
    const char *data; /* ended by NUL, which is not counted */
};

extern const struct embedded embedded_sql[];
extern const struct embedded embedded_lua[];
extern const struct embedded embedded_www[];

#endif
