#include "config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/span.h"
#include "store/redis_url.h"

static_assert(sizeof(enum durability) == sizeof(int), "CONFIG_CHOICE writes an int");

/* Room for "TIDINGS_" and the longest key. */
#define ENVIRONMENT_NAME_MAX 64

static int PRINTF_LIKE(3, 4) fail(char *why, size_t size, const char *format, ...)
{
    assert(size >= CONFIG_WHY_MAX);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, size, format, arguments);
    va_end(arguments);
    return ERR_CONFIG;
}

/* A copy that lives as long as the config; NULL when memory ran out. */
static char *keep_text(struct config *config, struct span text)
{
    char **texts = realloc(config->texts, sizeof(*texts) * (size_t)(config->text_count + 1));
    if (!texts)
        return NULL;
    config->texts = texts;
    char *copy = malloc(text.len + 1);
    if (!copy)
        return NULL;
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    config->texts[config->text_count++] = copy;
    return copy;
}

/* Amounts */

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL}};
static const struct unit size_units[] = {
    {"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL}};
static const struct unit duration_units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                                             {"m", 60000}, {"h", 3600000}, {NULL}};
static const struct unit millisecond_units[] = {{"", 1},      {"ms", 1},      {"s", 1000},
                                                {"m", 60000}, {"h", 3600000}, {NULL}};

static int parse_amount(const char *text, const struct unit *units, int64_t *ret)
{
    struct span digits = span_of(text, strspn(text, "0123456789"));
    uint64_t number;
    if (span_to_number(digits, INT64_MAX, &number) != 0)
        return ERR_CONFIG;
    for (; units->name; units++) {
        if (strcmp(units->name, text + digits.len) == 0)
            return __builtin_mul_overflow((int64_t)number, units->factor, ret) ? ERR_CONFIG : 0;
    }
    return ERR_CONFIG;
}

/* Setting one key */

static void *place_of(struct config *config, const struct config_key *key)
{
    return (char *)&config->settings + key->offset;
}

static int set_amount(struct config *config, const struct config_key *key, const char *text,
                      char *why, size_t size)
{
    static const struct {
        const struct unit *units;
        const char *example;
    } kinds[] = {
        [CONFIG_COUNT] = {no_units, "whole number"},
        [CONFIG_NUMBER] = {no_units, "whole number"},
        [CONFIG_SIZE] = {size_units, "size, as 65536, 64k, 8m, 1g"},
        [CONFIG_DURATION] = {duration_units, "duration, as 500ms, 20s, 5m, 24h"},
        [CONFIG_MILLISECONDS] = {millisecond_units, "number of milliseconds"},
    };
    int64_t amount;
    if (parse_amount(text, kinds[key->type].units, &amount) != 0)
        return fail(why, size, "`%.100s` is no %s", text, kinds[key->type].example);
    if (amount < key->min)
        return fail(why, size, "`%.100s` is too small: at least %lld", text, (long long)key->min);
    if (amount > key->max)
        return fail(why, size, "`%.100s` is too large: at most %lld", text, (long long)key->max);
    if (key->type == CONFIG_COUNT)
        *(int *)place_of(config, key) = (int)amount;
    else
        *(int64_t *)place_of(config, key) = amount;
    return 0;
}

static int set_bool(struct config *config, const struct config_key *key, const char *text,
                    char *why, size_t size)
{
    bool yes = strcmp(text, "yes") == 0;
    if (!yes && strcmp(text, "no") != 0)
        return fail(why, size, "`%.100s` is neither yes nor no", text);
    *(bool *)place_of(config, key) = yes;
    return 0;
}

/* CONFIG_CHOICE and CONFIG_WORD; `text` lives as long as the config. */
static int set_choice(struct config *config, const struct config_key *key, const char *text,
                      char *why, size_t size)
{
    struct span rest = span_text(key->choices);
    for (int i = 0; rest.data; i++) {
        if (!span_is(span_cut(&rest, '|'), text))
            continue;
        if (key->type == CONFIG_CHOICE)
            *(int *)place_of(config, key) = i;
        else
            *(const char **)place_of(config, key) = text;
        return 0;
    }
    return fail(why, size, "`%.100s` is none of %s", text, key->choices);
}

static int set_list(struct config *config, const struct config_key *key, const char *text)
{
    struct setting_list *list = place_of(config, key);
    struct setting_list fresh = {NULL, 0};
    size_t most = 1;
    for (const char *at = text; *at; at++)
        most += *at == ',';
    fresh.items = calloc(most, sizeof(*fresh.items));
    if (!fresh.items)
        return ERR_MEMORY;
    for (struct span rest = span_text(text); rest.data;) {
        struct span item = span_trim(span_cut(&rest, ','));
        if (item.len == 0)
            continue;
        char *copy = keep_text(config, item);
        if (!copy) {
            free(fresh.items);
            return ERR_MEMORY;
        }
        fresh.items[fresh.count++] = copy;
    }
    if (fresh.count == 0) {
        free(fresh.items);
        fresh.items = NULL;
    }
    free(list->items);
    *list = fresh;
    return 0;
}

static int set_by_type(struct config *config, const struct config_key *key, const char *text,
                       char *why, size_t size)
{
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
    case CONFIG_URL:
        *(const char **)place_of(config, key) = text;
        return 0;
    case CONFIG_LIST:
        return set_list(config, key, text);
    case CONFIG_COUNT:
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
    case CONFIG_MILLISECONDS:
        return set_amount(config, key, text, why, size);
    case CONFIG_BOOL:
        return set_bool(config, key, text, why, size);
    case CONFIG_CHOICE:
    case CONFIG_WORD:
        return set_choice(config, key, text, why, size);
    }
    assert(!"a type without a parser");
    return ERR_CONFIG;
}

/* Texts end up in headers and logs. */
static bool is_clean(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    }
    return text.len == 0 || span_is_utf8(text);
}

static int set_key(struct config *config, const struct config_key *key, struct span text, char *why,
                   size_t size)
{
    if (!is_clean(text))
        return fail(why, size, "control characters or no valid UTF-8");
    char *copy = keep_text(config, text);
    if (!copy)
        return ERR_MEMORY;
    int err = set_by_type(config, key, copy, why, size);
    if (err == 0)
        config->values[key - config_keys] = copy;
    return err;
}

/* As set_key, with `where` and the key's name before what is wrong. */
static int set_named(struct config *config, const char *where, const struct config_key *key,
                     struct span text, char *why, size_t size)
{
    char fault[CONFIG_WHY_MAX] = "";
    int err = set_key(config, key, text, fault, sizeof(fault));
    if (err == ERR_MEMORY)
        return fail(why, size, "%s: out of memory", where);
    if (err != 0)
        return fail(why, size, "%s: %s: %s", where, key->name, fault);
    return 0;
}

static const struct config_key *find_key(struct span name)
{
    for (const struct config_key *key = config_keys; key->name; key++) {
        if (span_is(name, key->name))
            return key;
    }
    return NULL;
}

/* Sources */

int config_init(struct config *config)
{
    memset(config, 0, sizeof(*config));
    config->values = calloc((size_t)config_key_count, sizeof(*config->values));
    if (!config->values)
        return ERR_MEMORY;
    for (const struct config_key *key = config_keys; key->name; key++) {
        char why[CONFIG_WHY_MAX] = "";
        int err = set_key(config, key, span_text(key->text), why, sizeof(why));
        assert(err != ERR_CONFIG);
        if (err != 0) {
            config_fini(config);
            return err;
        }
        config->values[key - config_keys] = key->text;
    }
    return 0;
}

int config_settle(struct config *config)
{
    const struct config_key *durability = find_key(span_text("journal.durability"));
    char why[CONFIG_WHY_MAX];
    bool given = config->values[durability - config_keys] != durability->text;
    if (given || !redis_url_is(span_text(config->settings.journal_url)))
        return 0;
    return set_key(config, durability, span_text("relaxed"), why, sizeof(why));
}

void config_fini(struct config *config)
{
    for (const struct config_key *key = config_keys; key->name; key++) {
        if (key->type == CONFIG_LIST)
            free(((struct setting_list *)place_of(config, key))->items);
    }
    for (int i = 0; i < config->text_count; i++)
        free(config->texts[i]);
    free(config->texts);
    free(config->values);
    memset(config, 0, sizeof(*config));
}

int config_set(struct config *config, const char *assignment, char *why, size_t size)
{
    struct span rest = span_text(assignment);
    struct span name = span_trim(span_cut(&rest, '='));
    const struct config_key *key = find_key(name);
    if (!key)
        return fail(why, size, "--set: no such key: %.*s", (int)(name.len < 100 ? name.len : 100),
                    name.data);
    if (!rest.data)
        return fail(why, size, "--set: %s: say %s=VALUE", key->name, key->name);
    return set_named(config, "--set", key, span_trim(rest), why, size);
}

/* `TIDINGS_SECTION_KEY` */
static void environment_name(const char *key, size_t len, char out[ENVIRONMENT_NAME_MAX])
{
    int used = snprintf(out, ENVIRONMENT_NAME_MAX, "TIDINGS_%.*s", (int)len, key);
    assert(used < ENVIRONMENT_NAME_MAX);
    for (char *at = out; *at; at++)
        *at = *at == '.' ? '_' : (char)toupper((unsigned char)*at);
}

/* True when `name` starts as a key of one of our sections would: what it then is must be a key.
 * Other TIDINGS_… may be there, as orchestrators put them (TIDINGS_PORT_8080_TCP). */
static bool names_a_section(struct span name)
{
    for (const struct config_key *key = config_keys; key->name; key++) {
        char section[ENVIRONMENT_NAME_MAX];
        environment_name(key->name, strcspn(key->name, ".") + 1, section);
        if (span_starts_with(name, span_text(section)))
            return true;
    }
    return false;
}

int config_read_environment(struct config *config, const char *const *environment, char *why,
                            size_t size)
{
    for (; *environment; environment++) {
        struct span rest = span_text(*environment);
        struct span name = span_cut(&rest, '=');
        if (!span_starts_with(name, span_text("TIDINGS_")) || !rest.data)
            continue;
        const struct config_key *key = config_keys;
        for (; key->name; key++) {
            char spelled[ENVIRONMENT_NAME_MAX];
            environment_name(key->name, strlen(key->name), spelled);
            if (span_is(name, spelled))
                break;
        }
        if (key->name) {
            int err = set_named(config, "environment", key, span_trim(rest), why, size);
            if (err != 0)
                return err;
        } else if (names_a_section(name)) {
            return fail(why, size, "environment: no such key: %.*s",
                        (int)(name.len < 100 ? name.len : 100), name.data);
        }
    }
    return 0;
}

/* The file */

struct reading {
    struct config *config;
    const char *path;
    FILE *file;
    int line;
    bool *given; /* keys that this file has set, in the table's order */
    int err;     /* first fault */
    char *why;
    size_t size;
};

/* As fgets, for inih; a line that does not fit is a fault, since inih would cut it in two. */
static char *read_line(char *out, int size, void *context)
{
    struct reading *reading = context;
    if (reading->err != 0 || !fgets(out, size, reading->file))
        return NULL;
    reading->line++;
    size_t len = strlen(out);
    bool cut = len == 0 || (out[len - 1] != '\n' && !feof(reading->file));
    if (cut && len + 1 < (size_t)size) {
        reading->err = fail(reading->why, reading->size, "%.200s:%d: a byte of zero in the line",
                            reading->path, reading->line);
        return NULL;
    }
    if (len > CONFIG_LINE_MAX + 1 || cut) {
        reading->err = fail(reading->why, reading->size, "%.200s:%d: line longer than %d bytes",
                            reading->path, reading->line, CONFIG_LINE_MAX);
        return NULL;
    }
    return out;
}

/* A list that stands again, or goes on in the next line: its items add up. */
static int add_to_list(struct reading *reading, const char *where, const struct config_key *key,
                       const char *text)
{
    const char *before = reading->config->values[key - config_keys];
    char *joined = NULL;
    if (asprintf(&joined, "%s, %s", before, text) < 0)
        return ERR_MEMORY;
    int err =
        set_named(reading->config, where, key, span_text(joined), reading->why, reading->size);
    free(joined);
    return err;
}

static int on_pair(void *context, const char *section, const char *name, const char *text)
{
    struct reading *reading = context;
    if (reading->err != 0)
        return 0;
    char spelled[CONFIG_LINE_MAX * 2];
    char where[256];
    snprintf(spelled, sizeof(spelled), "%s.%s", section, name);
    snprintf(where, sizeof(where), "%.200s:%d", reading->path, reading->line);
    const struct config_key *key = find_key(span_text(spelled));
    if (!key) {
        reading->err =
            fail(reading->why, reading->size,
                 *section ? "%s: no such key: %.100s" : "%s: %.100s stands in no [section]", where,
                 *section ? spelled : name);
        return 0;
    }
    bool *given = &reading->given[key - config_keys];
    if (*given && key->type != CONFIG_LIST)
        reading->err =
            fail(reading->why, reading->size, "%s: %s stands here a second time", where, key->name);
    else if (*given)
        reading->err = add_to_list(reading, where, key, text);
    else
        reading->err =
            set_named(reading->config, where, key, span_text(text), reading->why, reading->size);
    *given = true;
    return reading->err == 0;
}

static int read_pairs(struct reading *reading)
{
    ini_allow_inline_comments = false; /* a secret may have a ` ;` in it */
    int line = ini_parse_stream(read_line, reading, on_pair, reading);
    if (reading->err != 0)
        return reading->err;
    if (ferror(reading->file))
        return fail(reading->why, reading->size, "%.200s: %s", reading->path, strerror(errno));
    if (line != 0)
        return fail(reading->why, reading->size, "%.200s:%d: neither [section] nor key = value",
                    reading->path, line);
    return 0;
}

int config_read_file(struct config *config, const char *path, char *why, size_t size)
{
    struct reading reading = {.config = config, .path = path, .why = why, .size = size};
    reading.file = fopen(path, "re");
    if (!reading.file)
        return fail(why, size, "%.200s: %s", path, strerror(errno));
    reading.given = calloc((size_t)config_key_count, sizeof(*reading.given));
    int err = reading.given ? read_pairs(&reading) : fail(why, size, "out of memory");
    free(reading.given);
    fclose(reading.file);
    return err;
}
