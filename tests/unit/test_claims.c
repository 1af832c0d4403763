/* Claims of every form, in tokens whose signature is right: what is taken, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/token.h"
#include "base/deadline.h"
#include "base/err.h"
#include "jwt.h"

#define NOW_MS INT64_C(1700000000000)
#define EXP "\"exp\":1700000100"
#define ALICE(more) "{\"sub\":\"alice\"," EXP "," more "}"
#define LIST_10(x) x "," x "," x "," x "," x "," x "," x "," x "," x "," x
#define GRANT "{\"room\":\"a\",\"can\":[]}"

static struct settings settings;
static struct keys *keys;

static int verify_at(const char *payload, int64_t now_ms, struct identity **ret)
{
    static char text[JWT_SIZE];
    const char *why;

    jwt_hmac(text, "{\"alg\":\"HS256\"}", payload, JWT_SECRET, strlen(JWT_SECRET));
    return token_verify(keys, &settings, span_text(text), now_ms, ret, &why);
}

static int verify(const char *payload)
{
    struct identity *identity = NULL;
    int err = verify_at(payload, NOW_MS, &identity);

    identity_unref(identity);
    return err;
}

static struct identity *accept(const char *payload)
{
    struct identity *identity = NULL;

    if (verify_at(payload, NOW_MS, &identity))
        fail_msg("refused: %s", payload);
    return identity;
}

static void assert_span(struct span text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_string_equal(text.data, expected); /* ended by NUL too */
}

static void payloads_that_are_wrong_are_refused(void **state)
{
    static const char *const payloads[] = {
        "", "null", "[]", "\"x\"", "{", "{}", "{" EXP "}",
        "{\"sub\":\"alice\"}",
        /* sub */
        "{\"sub\":\"\"," EXP "}", "{\"sub\":null," EXP "}", "{\"sub\":7," EXP "}",
        "{\"sub\":[\"alice\"]," EXP "}", "{\"sub\":\"a b\"," EXP "}", "{\"sub\":\"a/b\"," EXP "}",
        "{\"sub\":\"..\"," EXP "}", "{\"sub\":\"a\\u0000b\"," EXP "}",
        "{\"sub\":\"a\\nb\"," EXP "}",
        "{\"sub\":\"\xc3\xa4\"," EXP "}", "{\"sub\":\"a\xff\"," EXP "}",
        "{\"sub\":\"" LIST_10("aaaaaaaaaaaa") "\"," EXP "}",
        "{\"sub\":\"alice\",\"sub\":\"bob\"," EXP "}",
        /* exp */
        "{\"sub\":\"alice\",\"exp\":null}", "{\"sub\":\"alice\",\"exp\":\"1700000100\"}",
        "{\"sub\":\"alice\",\"exp\":1700000100.0}", "{\"sub\":\"alice\",\"exp\":17e8}",
        "{\"sub\":\"alice\",\"exp\":-1}", "{\"sub\":\"alice\",\"exp\":true}",
        "{\"sub\":\"alice\",\"exp\":1700000100000}", "{\"sub\":\"alice\",\"exp\":[1700000100]}",
        "{\"sub\":\"alice\",\"exp\":9223372036854775807}",
        "{\"sub\":\"alice\",\"exp\":99999999999999999999}", "{\"sub\":\"alice\",\"exp\":1e999}",
        "{\"sub\":\"alice\",\"exp\":1," EXP "}", "{\"sub\":\"alice\",\"Exp\":1700000100}",
        /* nbf, iat */
        ALICE("\"nbf\":1700000031"), ALICE("\"nbf\":\"1\""),
        ALICE("\"nbf\":1.5"), ALICE("\"nbf\":null"),
        ALICE("\"nbf\":9223372036854775807"),
        ALICE("\"iat\":\"1\""), ALICE("\"iat\":-1"),
        /* realm */
        ALICE("\"realm\":\"\""), ALICE("\"realm\":7"),
        ALICE("\"realm\":null"), ALICE("\"realm\":\"a/b\""),
        ALICE("\"realm\":\"a|b\""),
        /* name, data */
        ALICE("\"name\":7"), ALICE("\"name\":\"\\u0000\""),
        ALICE("\"data\":\"x\""), ALICE("\"data\":[]"),
        ALICE("\"data\":{\"a\":1,\"a\":2}"),
        /* rooms */
        ALICE("\"rooms\":{}"), ALICE("\"rooms\":[\"a\"]"),
        ALICE("\"rooms\":[{\"can\":[]}]"),
        ALICE("\"rooms\":[{\"room\":\"a\"}]"),
        ALICE("\"rooms\":[{\"room\":\"a\",\"can\":\"read\"}]"),
        ALICE("\"rooms\":[{\"room\":\"a\",\"can\":[1]}]"),
        ALICE("\"rooms\":[{\"room\":\"\",\"can\":[]}]"),
        ALICE("\"rooms\":[{\"room\":\"a*b\",\"can\":[]}]"),
        ALICE("\"rooms\":[{\"room\":\"a**\",\"can\":[]}]"),
        ALICE("\"rooms\":[{\"room\":\"*a\",\"can\":[]}]"),
        ALICE("\"rooms\":[{\"room\":\"a b*\",\"can\":[]}]"),
        ALICE("\"rooms\":[" LIST_10(LIST_10(GRANT)) "," GRANT "]"),
        /* scope */
        ALICE("\"scope\":7"), ALICE("\"scope\":[\"service\"]"),
        ALICE("\"scope\":\"guest service\""),
    };

    for (size_t i = 0; i < array_count(payloads); i++) {
        int err = verify(payloads[i]);
        if (err != ERR_TOKEN_INVALID)
            fail_msg("%s: %s", err_name(err), payloads[i]);
    }
}

static void leeway_counts_on_both_sides(void **state)
{
    static const struct {
        const char *payload;
        int64_t now_ms;
        int err;
    } rows[] = {
        {"{\"sub\":\"a\",\"exp\":1700000000}", NOW_MS, ERR_OK},
        {"{\"sub\":\"a\",\"exp\":1700000000}", NOW_MS + 29999, ERR_OK},
        {"{\"sub\":\"a\",\"exp\":1700000000}", NOW_MS + 30000, ERR_TOKEN_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":0}", NOW_MS, ERR_TOKEN_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":253402300799}", NOW_MS, ERR_OK},
        {"{\"sub\":\"a\",\"exp\":253402300800}", NOW_MS, ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"nbf\":1700000030}", NOW_MS, ERR_OK},
        {"{\"sub\":\"a\"," EXP ",\"nbf\":1700000030}", NOW_MS - 1, ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"nbf\":1700000200,\"exp\":1}", NOW_MS, ERR_TOKEN_INVALID},
    };

    for (size_t i = 0; i < array_count(rows); i++) {
        struct identity *identity = NULL;
        assert_int_equal(verify_at(rows[i].payload, rows[i].now_ms, &identity), rows[i].err);
        identity_unref(identity);
    }
}

static void a_plain_token_has_defaults(void **state)
{
    struct identity *identity = accept("{\"sub\":\"al|ice+1=\"," EXP "}");

    assert_span(identity->user, "al|ice+1=");
    assert_span(identity->realm, "main");
    assert_null(identity->name.data);
    assert_null(identity->data.data);
    assert_null(identity->grants);
    assert_int_equal(identity->expires_at_s, 1700000100);
    assert_int_equal(identity->issued_at_s, 0);
    assert_false(identity->service || identity->guest);
    identity_unref(identity);
    identity = accept("{\"sub\":\"a\"," EXP ",\"name\":null,\"data\":null,\"rooms\":null,"
                      "\"scope\":null,\"other\":[{}]}");
    assert_null(identity->name.data);
    assert_null(identity->data.data);
    identity_unref(identity);
}

static void all_claims_are_kept(void **state)
{
    struct identity *identity = accept(
        "{\"sub\":\"bob\"," EXP ",\"iat\":1600000000,\"realm\":\"acme\",\"name\":\"B\xc3\xb6 \\n\","
        "\"data\":{ \"a\" : [1, \"x\"] },\"scope\":\"openid service\",\"rooms\":["
        "{\"room\":\"team-*\",\"can\":[\"read\",\"post\",\"fly\"]},"
        "{\"room\":\"*\",\"can\":[\"read\"]},"
        "{\"room\":\"one\",\"can\":[\"manage\"]},{\"room\":\".*\",\"can\":[]}]}");

    assert_span(identity->user, "bob");
    assert_span(identity->realm, "acme");
    assert_span(identity->name, "B\xc3\xb6 \n");
    assert_span(identity->data, "{\"a\":[1,\"x\"]}");
    assert_int_equal(identity->issued_at_s, 1600000000);
    assert_true(identity->service);
    assert_false(identity->guest);
    assert_int_equal(identity->grants->count, 4);
    assert_string_equal(identity->grants->items[0].pattern, "team-");
    assert_int_equal(grants_for(identity->grants, span_text("team-1")), GRANT_READ | GRANT_POST);
    assert_int_equal(grants_for(identity->grants, span_text("one")), GRANT_READ | GRANT_MANAGE);
    assert_int_equal(grants_for(identity->grants, span_text("one1")), GRANT_READ);
    identity_unref(identity);
    identity = accept("{\"sub\":\"g\"," EXP ",\"scope\":\"guest\"}");
    assert_true(identity->guest && !identity->service);
    identity_unref(identity);
    identity = accept("{\"sub\":\"g\"," EXP ",\"scope\":\"services guests xservice\"}");
    assert_false(identity->guest || identity->service);
    identity_unref(identity);
}

static void names_and_data_are_bounded(void **state)
{
    char payload[4096];

    for (int len = 250; len < 260; len++) {
        sprintf(payload, "{\"sub\":\"a\"," EXP ",\"name\":\"%0*d\"}", len, 0);
        assert_int_equal(verify(payload), len <= 256 ? ERR_OK : ERR_TOKEN_INVALID);
    }
    for (int len = 1000; len < 1030; len++) {
        sprintf(payload, "{\"sub\":\"a\"," EXP ",\"data\":{\"a\":\"%0*d\"}}", len, 0);
        assert_int_equal(verify(payload), len + 8 <= 1024 ? ERR_OK : ERR_TOKEN_INVALID);
    }
    for (int len = 126; len < 131; len++) {
        sprintf(payload, "{\"sub\":\"%0*d\"," EXP "}", len, 0);
        assert_int_equal(verify(payload), len <= 128 ? ERR_OK : ERR_TOKEN_INVALID);
    }
    assert_int_equal(verify("{\"sub\":\"a\"," EXP ",\"rooms\":[" LIST_10(LIST_10(GRANT)) "]}"),
                     ERR_OK);
}

static void issuer_and_audience_are_checked_when_configured(void **state)
{
    static const struct {
        const char *payload;
        int err;
    } rows[] = {
        {"{\"sub\":\"a\"," EXP "}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id\"}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"aud\":\"chat\"}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id\",\"aud\":\"chat\"}", ERR_OK},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id\",\"aud\":[\"x\",\"chat\"]}", ERR_OK},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id/\",\"aud\":\"chat\"}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id\",\"aud\":\"chats\"}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id\",\"aud\":[]}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id\",\"aud\":[[\"chat\"]]}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id\",\"aud\":[\"chat\",7]}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"iss\":\"https://id\",\"aud\":{\"chat\":1}}", ERR_TOKEN_INVALID},
        {"{\"sub\":\"a\"," EXP ",\"iss\":[\"https://id\"],\"aud\":\"chat\"}", ERR_TOKEN_INVALID},
    };

    settings.auth_issuer = "https://id";
    settings.auth_audience = "chat";
    for (size_t i = 0; i < array_count(rows); i++)
        assert_int_equal(verify(rows[i].payload), rows[i].err);
    settings.auth_issuer = settings.auth_audience = "";
}

static void made_tokens_are_good(void **state)
{
    const struct token_claims claims = {
        .user = "alice", .name = "Al \"x\" \xc3\xa4", .realm = "acme", .scope = "guest",
        .issued_at_s = 1700000000, .expires_at_s = 1700000100};
    struct identity *identity;
    char *token;

    settings.auth_issuer = "https://id";
    settings.auth_audience = "chat";
    assert_int_equal(token_make(&settings, &claims, &token), ERR_OK);
    assert_int_equal(token_verify(keys, &settings, span_text(token), NOW_MS, &identity, NULL),
                     ERR_OK);
    settings.auth_issuer = settings.auth_audience = "";
    assert_span(identity->user, "alice");
    assert_span(identity->name, "Al \"x\" \xc3\xa4");
    assert_span(identity->realm, "acme");
    assert_true(identity->guest);
    assert_int_equal(identity->issued_at_s, 1700000000);
    identity_unref(identity);
    free(token);
    settings.auth_secret = "";
    assert_int_equal(token_make(&settings, &claims, &token), ERR_CONFIG);
    settings.auth_secret = "short";
    assert_int_equal(token_make(&settings, &claims, &token), ERR_CONFIG);
    settings.auth_secret = JWT_SECRET;
}

static int make_keys(void **state)
{
    char why[256];

    settings.auth_leeway_ms = 30000;
    settings.auth_secret = JWT_SECRET;
    return keys_new(&settings, why, sizeof(why), &keys);
}

static int drop_keys(void **state)
{
    keys_unref(keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_that_are_wrong_are_refused),
        cmocka_unit_test(leeway_counts_on_both_sides),
        cmocka_unit_test(a_plain_token_has_defaults),
        cmocka_unit_test(all_claims_are_kept),
        cmocka_unit_test(names_and_data_are_bounded),
        cmocka_unit_test(issuer_and_audience_are_checked_when_configured),
        cmocka_unit_test(made_tokens_are_good),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
