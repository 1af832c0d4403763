/* The configuration: one table of keys, read from a file, the environment and the command line.
 *
 * MODEL  src/config.c has one row for each key: name, type, place in struct settings, range,
 *        default as text, help. The table parses, checks, prints itself and makes the reference.
 *        Later sources win: defaults, INI file, TIDINGS_SECTION_KEY, --set section.key=value.
 *        An unknown key is an error. Durations take ms, s, m, h; sizes k, m, g; booleans are
 *        yes and no.
 * Above the floors. Before the threads start. */
#ifndef TIDINGS_CONFIG_H
#define TIDINGS_CONFIG_H

#include <stdio.h>

#include "base/attr.h"
#include "base/settings.h"

struct config {
    struct settings settings;
    char **texts;   /* everything settings points to, owned */
    int text_count;
};

/* Defaults. ERR_MEMORY. */
MUST_CHECK int config_init(struct config *config);
void config_fini(struct config *config);
/* Each: ERR_CONFIG with `why` (at least 512 bytes) naming file, line, key and what is wrong. */
MUST_CHECK int config_read_file(struct config *config, const char *path, char *why, size_t size);
MUST_CHECK int config_read_environment(struct config *config, char **environment, char *why,
                                       size_t size);
MUST_CHECK int config_set(struct config *config, const char *assignment, char *why, size_t size);
/* What no single key can tell: keys that exclude or need one another. Warnings go to `warnings`
 * (may be NULL), a line each. ERR_CONFIG with `why`. */
MUST_CHECK int config_check(const struct config *config, FILE *warnings, char *why, size_t size);
/* As an INI file, with help; secrets are shown as `(set)`. */
void config_print(const struct config *config, FILE *out);
/* The table as a Markdown page: key, default, meaning. */
void config_print_reference(FILE *out);

#endif
