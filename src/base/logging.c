#include "base/logging.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/span.h"

static atomic_int level_min = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* One line being made; what does not fit is left out, the closing brace always fits. */
struct line {
    char text[LOG_LINE_MAX];
    size_t len;
};

#define LINE_RESERVE 8
/* Where a value is cut, and no further one is begun: room for its end and a short name. */
#define LINE_ROOM 128

static void line_add(struct line *line, const char *text, size_t len)
{
    if (len > sizeof(line->text) - LINE_RESERVE - line->len)
        return;
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void line_add_text(struct line *line, const char *text)
{
    line_add(line, text, strlen(text));
}

/* A JSON string of at most a quarter of the line; bytes that are no UTF-8 become `?`. */
static void line_add_quoted(struct line *line, const char *text)
{
    size_t len = strnlen(text, LOG_LINE_MAX / 4);
    while (len < strlen(text) && len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    bool is_utf8 = span_is_utf8(span_of(text, len));
    line_add(line, "\"", 1);
    for (size_t i = 0; i < len && line->len < sizeof(line->text) - LINE_ROOM; i++) {
        unsigned char c = (unsigned char)text[i];
        char escaped[8];
        if (c < 0x20 || c == 0x7f)
            line_add(line, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", c));
        else if (c == '"' || c == '\\')
            line_add(line, (char[]){'\\', (char)c}, 2);
        else
            line_add(line, c >= 0x80 && !is_utf8 ? "?" : text + i, 1);
    }
    line_add(line, "\"", 1);
}

/* How many of one message have been written in this second: a small table by the message's
 * address, since messages are constants. Races cost a line more or less. */
#define BURST_SLOTS 64
static struct {
    _Atomic(const char *) message;
    atomic_llong second;
    atomic_int count;
} bursts[BURST_SLOTS];

/* False when this message had its share; `*ret_left_out`: how many were kept back before. */
static bool burst_admit(const char *message, int *ret_left_out)
{
    unsigned slot = (unsigned)(((uintptr_t)message >> 3) % BURST_SLOTS);
    long long second = clock_now_ms() / 1000;
    *ret_left_out = 0;
    if (atomic_load(&bursts[slot].message) != message ||
        atomic_load(&bursts[slot].second) != second) {
        int count = atomic_exchange(&bursts[slot].count, 0);
        if (atomic_exchange(&bursts[slot].message, message) == message && count > LOG_BURST)
            *ret_left_out = count - LOG_BURST;
        atomic_store(&bursts[slot].second, second);
    }
    return atomic_fetch_add(&bursts[slot].count, 1) < LOG_BURST;
}

void log_set_level(enum log_level level)
{
    atomic_store(&level_min, (int)level);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_min, memory_order_relaxed);
}

static void line_start(struct line *line, enum log_level level, const char *message)
{
    int64_t now_ms = clock_wall_ms();
    time_t second = (time_t)(now_ms / 1000);
    struct tm time;
    gmtime_r(&second, &time);
    char stamp[48];
    size_t len = strftime(stamp, sizeof(stamp), "{\"time\":\"%Y-%m-%dT%H:%M:%S", &time);
    line->len = 0;
    line_add(line, stamp, len);
    line_add(line, stamp, (size_t)snprintf(stamp, sizeof(stamp), ".%03dZ\",\"level\":\"%s\",",
                                           (int)(now_ms % 1000), level_names[level]));
    line_add_text(line, "\"message\":");
    line_add_quoted(line, message);
}

void log_line(enum log_level level, const char *message, ...)
{
    int left_out = 0;
    if (!log_is_on(level) || (level >= LOG_WARN && !burst_admit(message, &left_out)))
        return;
    struct line line;
    line_start(&line, level, message);
    va_list args;
    va_start(args, message);
    for (const char *name; (name = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        if (line.len >= sizeof(line.text) - LINE_ROOM)
            continue;
        line_add_text(&line, ",");
        line_add_quoted(&line, name);
        line_add_text(&line, ":");
        line_add_quoted(&line, value ? value : "");
    }
    va_end(args);
    char more[32];
    if (left_out)
        line_add(&line, more,
                 (size_t)snprintf(more, sizeof(more), ",\"leftOut\":%d", left_out));
    memcpy(line.text + line.len, "}\n", 2);
    /* One write, so that lines of several threads do not mix; a full pipe loses the line. */
    if (write(STDERR_FILENO, line.text, line.len + 2) < 0)
        return;
}
