/* Structured logs: one JSON object a line on stderr.
 *
 * WHY    what a client sent must never be able to forge a line: every value is escaped.
 * BOUNDS a line is at most LOG_LINE_MAX bytes, longer values are cut; warnings and errors of one
 *        kind (the message text) are at most LOG_BURST a second, the rest is counted and told.
 * Floor: base. Any thread. Tokens and secrets are never passed in. */
#ifndef TIDINGS_BASE_LOGGING_H
#define TIDINGS_BASE_LOGGING_H

#include <stdbool.h>

#include "base/attr.h"

#define LOG_LINE_MAX 4096
#define LOG_BURST 10

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below this level are left out. Default LOG_INFO. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);
/* `message` is a constant text; then pairs of (name, value) as texts, ended by NULL:
 * log_line(LOG_WARN, "key file not read", "path", path, "why", strerror(errno), NULL). */
void log_line(enum log_level level, const char *message, ...) __attribute__((sentinel));

#endif
