/* tidingsd: options, configuration, then the application until it is told to stop. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/app.h"
#include "api/routes.h"
#include "base/err.h"
#include "base/logging.h"
#include "config.h"
#include "token_command.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: tidingsd [--config FILE] [--set section.key=value]...\n"
    "                [--check | --print-config | --print-reference | --print-routes]\n"
    "       tidingsd [--config FILE] [--set section.key=value]... token --sub USER\n"
    "                [--name NAME] [--ttl TIME] [--realm REALM] [--service | --guest]\n"
    "       tidingsd --version | --help\n"
    "\n"
    "  --config FILE       read this INI file; every key stands in config/tidings.ini\n"
    "  --set KEY=VALUE     set one key; wins over TIDINGS_SECTION_KEY in the environment,\n"
    "                      and that over the file\n"
    "  --check             check the configuration and the keys for tokens, then end\n"
    "  --print-config      print the configuration in force, secrets left out\n"
    "  --print-reference   print all keys with their meaning, as Markdown\n"
    "  --print-routes      print the method and path of every route\n"
    "\n"
    "SIGTERM drains and ends, a second one ends at once; SIGHUP reads the keys for tokens and the\n"
    "certificates again.\n";

enum action {
    SERVE,
    CHECK,
    PRINT_CONFIG,
    PRINT_REFERENCE,
    PRINT_ROUTES,
    PRINT_VERSION,
    PRINT_HELP,
    MAKE_TOKEN
};

/* The command line: where the configuration is, and what to do. */
struct command_line {
    const char *config_path; /* NULL: none */
    const char **settings;   /* of --set, in order; owned */
    int setting_count;
    enum action action;
    int token_argc;    /* MAKE_TOKEN: from the word `token` on, but for --config and --set */
    char **token_argv; /* owned */
};

static int refuse(const char *why)
{
    if (why)
        fprintf(stderr, "tidingsd: %s\n", why);
    fprintf(stderr, "%s", usage);
    return EXIT_USAGE;
}

/* Behind the word `token` stand its own options; those that say where the configuration is may
 * stand there too and are moved before it. Returns how many words are before. */
static int move_forward(int argc, char **argv, char **before, char **behind, int *behind_count)
{
    int count = 0;
    *behind_count = 0;
    for (int i = 0; i < argc; i++) {
        bool pair = strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "--set") == 0;
        bool ours = pair || strncmp(argv[i], "--config=", strlen("--config=")) == 0 ||
                    strncmp(argv[i], "--set=", strlen("--set=")) == 0;
        if (!ours && (*behind_count > 0 || strcmp(argv[i], "token") == 0)) {
            behind[(*behind_count)++] = argv[i];
            continue;
        }
        before[count++] = argv[i];
        if (pair && i + 1 < argc)
            before[count++] = argv[++i];
    }
    return count;
}

static int read_option(int option, struct command_line *line)
{
    switch (option) {
    case 'c':
        line->config_path = optarg;
        return 0;
    case 's':
        line->settings[line->setting_count++] = optarg;
        return 0;
    case '?':
        return refuse(NULL);
    default:
        line->action = (enum action)option;
        return 0;
    }
}

static int read_options(int argc, char **argv, struct command_line *line)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"set", required_argument, NULL, 's'},
        {"check", no_argument, NULL, CHECK},
        {"print-config", no_argument, NULL, PRINT_CONFIG},
        {"print-reference", no_argument, NULL, PRINT_REFERENCE},
        {"print-routes", no_argument, NULL, PRINT_ROUTES},
        {"version", no_argument, NULL, PRINT_VERSION},
        {"help", no_argument, NULL, PRINT_HELP},
        {NULL, 0, NULL, 0},
    };
    int option, err = 0;
    while (err == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        err = read_option(option, line);
    if (err == 0 && optind < argc)
        err = refuse("a word that is no option");
    return err;
}

static int read_command_line(int argc, char **argv, struct command_line *line)
{
    char **before = calloc((size_t)argc + 1, sizeof(*before));
    line->token_argv = calloc((size_t)argc + 1, sizeof(*line->token_argv));
    line->settings = calloc((size_t)argc + 1, sizeof(*line->settings));
    if (!before || !line->token_argv || !line->settings) {
        free(before);
        fprintf(stderr, "tidingsd: out of memory\n");
        return EXIT_FAILURE;
    }
    int count = move_forward(argc, argv, before, line->token_argv, &line->token_argc);
    int err = read_options(count, before, line);
    if (err == 0 && line->token_argc > 0)
        line->action = MAKE_TOKEN;
    free(before);
    return err;
}

static int read_config(const struct command_line *line, struct config *config, char *why,
                       size_t size)
{
    int err = 0;
    if (line->config_path)
        err = config_read_file(config, line->config_path, why, size);
    if (err == 0)
        err = config_read_environment(config, (const char *const *)environ, why, size);
    for (int i = 0; err == 0 && i < line->setting_count; i++)
        err = config_set(config, line->settings[i], why, size);
    if (err == 0 && config_settle(config) != 0) {
        snprintf(why, size, "out of memory");
        err = ERR_MEMORY;
    }
    return err;
}

static int fail(const char *why)
{
    fprintf(stderr, "tidingsd: %s\n", why);
    return EXIT_FAILURE;
}

/* Serving */

/* As many descriptors as we may have: each connection is one. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        log_line(LOG_WARN, "the limit of open files could not be raised", NULL);
}

static void set_log_level(const char *name)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
    for (size_t i = 0; i < array_count(names); i++) {
        if (strcmp(name, names[i]) == 0)
            log_set_level((enum log_level)i);
    }
}

static int serve(const struct config *config)
{
    char why[CONFIG_WHY_MAX] = "";
    struct app *app = NULL;
    set_log_level(config->settings.log_level);
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    int err = app_new(&config->settings, why, sizeof(why), &app);
    if (err != 0)
        return fail(*why ? why : err_text(err));
    err = app_run(app);
    app_free(app);
    return err == 0 ? EXIT_SUCCESS : fail(err_text(err));
}

static int check(const struct config *config)
{
    char why[CONFIG_WHY_MAX] = "";
    struct keys *keys = NULL;
    int err = keys_new(&config->settings, why, sizeof(why), &keys);
    keys_unref(keys);
    if (err != 0)
        return fail(*why ? why : err_text(err));
    puts("the configuration is in order");
    return EXIT_SUCCESS;
}

static int act(const struct command_line *line, struct config *config)
{
    char why[CONFIG_WHY_MAX] = "";
    if (read_config(line, config, why, sizeof(why)) != 0)
        return fail(why);
    if (line->action == PRINT_CONFIG) {
        config_print(config, stdout);
        return EXIT_SUCCESS;
    }
    if (line->action == MAKE_TOKEN)
        return token_command(config, line->token_argc, line->token_argv);
    if (config_check(config, stderr, why, sizeof(why)) != 0)
        return fail(why);
    return line->action == CHECK ? check(config) : serve(config);
}

static int act_without_config(enum action action)
{
    if (action == PRINT_REFERENCE)
        config_print_reference(stdout);
    else if (action == PRINT_ROUTES)
        routes_print(stdout);
    else if (action == PRINT_VERSION)
        puts("tidingsd " TIDINGS_VERSION);
    else
        fputs(usage, stdout);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct command_line line = {NULL};
    struct config config;
    int code = read_command_line(argc, argv, &line);
    if (code == 0 && line.action >= PRINT_REFERENCE && line.action != MAKE_TOKEN) {
        code = act_without_config(line.action);
    } else if (code == 0 && config_init(&config) != 0) {
        code = fail("out of memory");
    } else if (code == 0) {
        code = act(&line, &config);
        config_fini(&config);
    }
    free(line.settings);
    free(line.token_argv);
    return code;
}
