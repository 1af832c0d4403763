#include "config.h"

#include <string.h>

/* Length of `section.` without the dot. */
static int section_len(const char *name)
{
    return (int)strcspn(name, ".");
}

static bool same_section(const struct config_key *a, const struct config_key *b)
{
    int len = section_len(a->name);
    return len == section_len(b->name) && strncmp(a->name, b->name, (size_t)len) == 0;
}

/* `redis://user:password@host` with what stands before the last @ left out. */
static void print_url(const char *text, FILE *out)
{
    const char *start = strstr(text, "://");
    const char *at = start ? strrchr(start, '@') : NULL;
    if (at)
        fprintf(out, "%.*s(set)%s", (int)(start + 3 - text), text, at);
    else
        fputs(text, out);
}

static void print_value(const struct config_key *key, const char *text, FILE *out)
{
    if (key->type == CONFIG_SECRET)
        fputs(*text ? "(set)" : "", out);
    else if (key->type == CONFIG_URL)
        print_url(text, out);
    else
        fputs(text, out);
}

static void print_choices(const struct config_key *key, FILE *out)
{
    if (key->type == CONFIG_BOOL)
        fputs(" yes or no.", out);
    for (const char *at = key->choices ? key->choices : ""; *at;) {
        int len = (int)strcspn(at, "|");
        fprintf(out, "%s%.*s", at == key->choices ? " One of " : ", ", len, at);
        at += len;
        if (*at == '\0')
            fputc('.', out);
        else
            at++;
    }
}

/* `text` in lines of at most 98 columns, each behind `# `. */
static void print_comment(const char *text, FILE *out)
{
    while (*text) {
        size_t len = strlen(text);
        if (len > 96) {
            for (len = 96; len > 0 && text[len] != ' ';)
                len--;
        }
        fprintf(out, "# %.*s\n", (int)len, text);
        text += len;
        text += strspn(text, " ");
    }
}

void config_print(const struct config *config, FILE *out)
{
    fputs("# Tidings: every key with its value. What stands here is overridden by "
          "TIDINGS_SECTION_KEY\n"
          "# in the environment, and that by --set section.key=value. Durations take ms, s, m, h\n"
          "# (a plain number is seconds), sizes k, m, g, lists have commas between their items.\n"
          "# Comments stand in lines of their own.\n",
          out);
    for (const struct config_key *key = config_keys; key->name; key++) {
        if (key == config_keys || !same_section(key - 1, key))
            fprintf(out, "\n[%.*s]\n", section_len(key->name), key->name);
        char help[1024];
        FILE *line = fmemopen(help, sizeof(help), "w");
        if (!line)
            return;
        fputs(key->help, line);
        print_choices(key, line);
        fclose(line);
        print_comment(help, out);
        const char *text = config->values[key - config_keys];
        fprintf(out, "%s =%s", key->name + section_len(key->name) + 1, *text ? " " : "");
        print_value(key, text, out);
        fputc('\n', out);
    }
}

void config_print_reference(FILE *out)
{
    fputs("# Configuration\n\n| key | default | meaning |\n|---|---|---|\n", out);
    for (const struct config_key *key = config_keys; key->name; key++) {
        fprintf(out, "| `%s` |", key->name);
        if (*key->text)
            fprintf(out, " `%s`", key->text);
        fprintf(out, " | %s", key->help);
        print_choices(key, out);
        fputs(" |\n", out);
    }
}
