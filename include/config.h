/* The configuration: one table of keys, read from a file, the environment and the command line.
 *
 * MODEL  src/config.c has one row for each key: name, type, place in struct settings, range,
 *        default as text, help. The table parses, checks, prints itself and makes the reference.
 *        Later sources win: defaults, INI file, TIDINGS_SECTION_KEY, --set section.key=value.
 *        An unknown key is an error. Durations take ms, s, m, h (a plain number is seconds, of
 *        keys that end in `_ms` milliseconds); sizes k, m, g; booleans are yes and no. Of a list
 *        that stands several times in one file the items add up.
 * BOUNDS a file's line is at most CONFIG_LINE_MAX bytes (inih's own buffer): longer is refused,
 *        not cut.
 * Above the floors. Before the threads start. */
#ifndef TIDINGS_CONFIG_H
#define TIDINGS_CONFIG_H

#include <stdio.h>

#include "base/attr.h"
#include "base/settings.h"

#define CONFIG_LINE_MAX 197
#define CONFIG_WHY_MAX 512

/* One key; the table stands in src/config_table.c. */
enum config_type {
    CONFIG_TEXT,         /* const char * */
    CONFIG_SECRET,       /* const char *, never shown */
    CONFIG_URL,          /* const char *, a password in it is never shown */
    CONFIG_LIST,         /* struct setting_list */
    CONFIG_COUNT,        /* int */
    CONFIG_NUMBER,       /* int64_t */
    CONFIG_SIZE,         /* int64_t, bytes */
    CONFIG_DURATION,     /* int64_t, milliseconds; a plain number is seconds */
    CONFIG_MILLISECONDS, /* int64_t; a plain number is milliseconds */
    CONFIG_BOOL,         /* bool */
    CONFIG_CHOICE,       /* an enum: the place of the word in `choices` */
    CONFIG_WORD,         /* const char *, one of `choices` */
};

struct config_key {
    const char *name;      /* section.key */
    enum config_type type;
    size_t offset;         /* in struct settings */
    int64_t min, max;      /* of amounts */
    const char *text;      /* the default */
    const char *choices;   /* words with `|` between; NULL: none */
    const char *help;      /* a sentence or two, one line */
};

/* Ended by a row without a name. Sections stand together. */
extern const struct config_key config_keys[];
extern const int config_key_count;

struct config {
    struct settings settings;
    const char **values; /* the text in force of each key, in the table's order; owned array. The
                            table's own text where no source gave one */
    char **texts;        /* everything settings and values point to, owned */
    int text_count;
};

/* Defaults. ERR_MEMORY. */
MUST_CHECK int config_init(struct config *config);
void config_fini(struct config *config);
/* Each: ERR_CONFIG with `why` (at least CONFIG_WHY_MAX bytes) naming file, line, key and what is
 * wrong. */
MUST_CHECK int config_read_file(struct config *config, const char *path, char *why, size_t size);
MUST_CHECK int config_read_environment(struct config *config, const char *const *environment,
                                       char *why, size_t size);
MUST_CHECK int config_set(struct config *config, const char *assignment, char *why, size_t size);
/* Once all sources were read: defaults that depend on other keys. ERR_MEMORY. */
MUST_CHECK int config_settle(struct config *config);
/* What no single key can tell: keys that exclude or need one another. Warnings go to `warnings`
 * (may be NULL), a line each. ERR_CONFIG with `why`. */
MUST_CHECK int config_check(const struct config *config, FILE *warnings, char *why, size_t size);
/* As an INI file, with help; secrets are shown as `(set)`. */
void config_print(const struct config *config, FILE *out);
/* True when an address of server.listen (host:port) can be reached from this machine only: an
 * IPv4 of 127.0.0.0/8, ::1, `localhost`. No host at all stands for every address. */
bool config_is_loopback(const char *listen);
/* The table as a Markdown page: key, default, meaning. */
void config_print_reference(FILE *out);

#endif
