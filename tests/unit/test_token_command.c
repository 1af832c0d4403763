/* `tidingsd token`: what it prints is a token that the server takes; what it cannot make, it
 * refuses with a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/token.h"
#include "base/deadline.h"
#include "base/err.h"
#include "token_command.h"

#define WORDS_MAX 12

static struct config config;
static char printed[8192]; /* by the last run, on both outputs */

/* Runs with stdout and stderr in a file. */
static int run_words(int argc, char **argv)
{
    int file = memfd_create("printed", 0), out = dup(1), err = dup(2), code;
    ssize_t len;

    assert_true(file >= 0 && out >= 0 && err >= 0);
    fflush(stdout);
    dup2(file, 1);
    dup2(file, 2);
    code = token_command(&config, argc, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    len = pread(file, printed, sizeof(printed) - 1, 0);
    assert_true(len >= 0);
    printed[len] = '\0';
    close(file);
    close(out);
    close(err);
    return code;
}

/* `words` after `token`, with one blank between. */
static int run(const char *words)
{
    static char copy[1024];
    char *argv[WORDS_MAX + 1] = {NULL}, *rest = copy;
    int argc = 0;

    snprintf(copy, sizeof(copy), "token%s%s", *words ? " " : "", words);
    while (rest) {
        assert_true(argc < WORDS_MAX);
        argv[argc++] = strsep(&rest, " ");
    }
    return run_words(argc, argv);
}

/* Who the printed token speaks for. */
static struct identity *read_token(void)
{
    struct identity *identity;
    struct keys *keys;
    char why[256];
    size_t len = strlen(printed);

    assert_true(len > 0 && printed[len - 1] == '\n');
    assert_int_equal(keys_new(&config.settings, why, sizeof(why), &keys), ERR_OK);
    assert_int_equal(token_verify(keys, &config.settings, span_of(printed, len - 1),
                                  clock_wall_ms(), &identity, NULL), ERR_OK);
    keys_unref(keys);
    return identity;
}

static void tokens_say_what_was_asked(void **state)
{
    static const struct {
        const char *words, *user, *realm, *name;
        int64_t ttl_s;
        bool service, guest;
    } rows[] = {
        {"--sub alice", "alice", "main", NULL, 3600, false, false},
        {"--sub alice --name Alice --ttl 30", "alice", "main", "Alice", 30, false, false},
        {"--sub alice --ttl 90s --realm acme", "alice", "acme", NULL, 90, false, false},
        {"--sub=a|b --ttl=5m --service", "a|b", "main", NULL, 300, true, false},
        {"--guest --ttl 2d --sub g", "g", "main", NULL, 172800, false, true},
    };

    for (size_t i = 0; i < array_count(rows); i++) {
        struct identity *identity;
        int64_t now_s = clock_wall_ms() / 1000;
        assert_int_equal(run(rows[i].words), 0);
        identity = read_token();
        assert_true(span_is(identity->user, rows[i].user));
        assert_true(span_is(identity->realm, rows[i].realm));
        assert_true(span_equal(identity->name, span_text(rows[i].name)));
        assert_in_range(identity->issued_at_s, now_s, now_s + 5);
        assert_int_equal(identity->expires_at_s - identity->issued_at_s, rows[i].ttl_s);
        assert_int_equal(identity->service, rows[i].service);
        assert_int_equal(identity->guest, rows[i].guest);
        identity_unref(identity);
    }
}

static void wrong_words_are_refused(void **state)
{
    static const char *const rows[] = {
        "", "--name Alice", "--sub", "--sub a/b", "--sub alice --realm a/b", "--sub alice --ttl 0",
        "--sub alice --ttl -1", "--sub alice --ttl h", "--sub alice --ttl 1w",
        "--sub alice --ttl 99999d", "--sub alice --ttl 1.5h", "--sub alice --service --guest",
        "--sub alice more", "--sub alice --unknown", "--sub alice --name \xff",
    };

    for (size_t i = 0; i < array_count(rows); i++) {
        if (run(rows[i]) != 2)
            fail_msg("taken: %s", rows[i]);
        assert_non_null(strstr(printed, "usage: "));
    }
}

static void without_a_secret_it_says_so(void **state)
{
    const char *secret = config.settings.auth_secret;

    config.settings.auth_secret = "";
    assert_int_equal(run("--sub alice"), 1);
    assert_non_null(strstr(printed, "auth.secret"));
    config.settings.auth_secret = "short";
    assert_int_equal(run("--sub alice"), 1);
    assert_non_null(strstr(printed, "at least 32"));
    config.settings.auth_secret = secret;
}

static int make_config(void **state)
{
    char why[512];

    return config_init(&config) ||
           config_set(&config, "auth.secret=0123456789abcdef0123456789abcdef", why, sizeof(why));
}

static int drop_config(void **state)
{
    config_fini(&config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_say_what_was_asked),
        cmocka_unit_test(wrong_words_are_refused),
        cmocka_unit_test(without_a_secret_it_says_so),
    };
    return cmocka_run_group_tests(tests, make_config, drop_config);
}
