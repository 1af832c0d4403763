#include "token_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/token.h"
#include "base/deadline.h"
#include "base/err.h"
#include "base/limits.h"
#include "core/ident.h"

#define TTL_DEFAULT_S 3600
#define TTL_MAX_S (10 * 366 * INT64_C(86400))

static const char usage[] =
    "usage: tidingsd [--config FILE] [--set section.key=value]... token --sub USER\n"
    "           [--name NAME] [--ttl TIME] [--realm REALM] [--service | --guest]\n"
    "TIME is a number with s, m, h or d behind it; default 1h.\n";

static int refuse(const char *why)
{
    fprintf(stderr, "tidingsd token: %s\n%s", why, usage);
    return ERR_CONFIG;
}

/* A number with a unit, which may be left out for seconds. */
static int parse_ttl(const char *text, int64_t *ret_s)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    struct span number = span_text(text);
    int64_t factor = 1;
    uint64_t value;

    for (size_t i = 0; i < array_count(units) && number.len > 0; i++) {
        if (number.data[number.len - 1] == units[i].unit) {
            factor = units[i].seconds;
            number.len--;
            break;
        }
    }
    if (span_to_number(number, TTL_MAX_S / (uint64_t)factor, &value) || value == 0)
        return refuse("--ttl is no time, or more than ten years");
    *ret_s = (int64_t)value * factor;
    return ERR_OK;
}

static int set_scope(struct token_claims *claims, const char *scope)
{
    if (claims->scope)
        return refuse("--service and --guest exclude each other");
    claims->scope = scope;
    return ERR_OK;
}

static int check(const struct token_claims *claims)
{
    if (!claims->user)
        return refuse("--sub is missing");
    if (!ident_is_user(span_text(claims->user)))
        return refuse("--sub is no valid userId");
    if (claims->realm && !ident_is_valid(span_text(claims->realm)))
        return refuse("--realm is no valid name");
    if (claims->name && (strlen(claims->name) > USER_NAME_BYTES_MAX ||
                         !span_is_utf8(span_text(claims->name))))
        return refuse("--name is too long or no UTF-8");
    return ERR_OK;
}

static int read_option(int option, struct token_claims *claims, int64_t *ttl_s)
{
    switch (option) {
    case 'u':
        claims->user = optarg;
        return ERR_OK;
    case 'n':
        claims->name = optarg;
        return ERR_OK;
    case 'r':
        claims->realm = optarg;
        return ERR_OK;
    case 't':
        return parse_ttl(optarg, ttl_s);
    case 's':
        return set_scope(claims, "service");
    case 'g':
        return set_scope(claims, "guest");
    default:
        return refuse("an option that is unknown or not complete");
    }
}

static int read_options(int argc, char **argv, struct token_claims *claims)
{
    static const struct option options[] = {
        {"sub", required_argument, NULL, 'u'},   {"name", required_argument, NULL, 'n'},
        {"ttl", required_argument, NULL, 't'},   {"realm", required_argument, NULL, 'r'},
        {"service", no_argument, NULL, 's'},     {"guest", no_argument, NULL, 'g'},
        {NULL, 0, NULL, 0},
    };
    int64_t ttl_s = TTL_DEFAULT_S;
    int option, err = ERR_OK;

    opterr = 0;
    optind = 0; /* main has read its own options with getopt */
    while (!err && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        err = read_option(option, claims, &ttl_s);
    if (!err && optind < argc)
        err = refuse("a word that is no option");
    claims->issued_at_s = clock_wall_ms() / 1000;
    claims->expires_at_s = claims->issued_at_s + ttl_s;
    return err ? err : check(claims);
}

int token_command(const struct config *config, int argc, char **argv)
{
    struct token_claims claims = {0};
    char why[256];
    char *token;
    struct keys *keys;
    int err;

    if (read_options(argc, argv, &claims))
        return 2;
    /* Read as the server reads them, for its message when the secret cannot be used. */
    err = keys_new(&config->settings, why, sizeof(why), &keys);
    if (err) {
        fprintf(stderr, "tidingsd token: %s\n", err == ERR_CONFIG ? why : err_text(err));
        return 1;
    }
    keys_unref(keys);
    err = token_make(&config->settings, &claims, &token);
    if (err) {
        fprintf(stderr, "tidingsd token: %s\n",
                err == ERR_CONFIG ? "no auth.secret or auth.secret_file is configured"
                                  : err_text(err));
        return 1;
    }
    puts(token);
    free(token);
    return 0;
}
