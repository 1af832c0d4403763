/* Tokens as enemies and careless programmers write them: each is refused, and for its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/token.h"
#include "api/token_cache.h"
#include "base/deadline.h"
#include "base/err.h"
#include "jwt.h"

#define NOW_S 1700000000
#define NOW_MS (NOW_S * INT64_C(1000))
#define HS256 "{\"alg\":\"HS256\"}"
#define GOOD "{\"sub\":\"alice\",\"exp\":1700000100}"

static struct settings settings;
static struct keys *keys; /* of all four algorithms */
static gnutls_privkey_t rsa, p256, p384, ed25519;
static gnutls_datum_t rsa_pem;
static char *pem_path, *jwks_path;
static char text[JWT_SIZE];

static int verify_with(struct keys *with, const char *token, struct identity **ret)
{
    const char *why = NULL;
    int err = token_verify(with, &settings, span_text(token), NOW_MS, ret, &why);

    assert_true((err != 0) == (why != NULL));
    return err;
}

static int verify(const char *token)
{
    struct identity *identity = NULL;
    int err = verify_with(keys, token, &identity);

    assert_true((err == 0) == (identity != NULL));
    identity_unref(identity);
    return err;
}

static int verify_claims(const char *payload)
{
    jwt_hmac(text, HS256, payload, JWT_SECRET, strlen(JWT_SECRET));
    return verify(text);
}

/* keys: the secret, the RSA key by PEM; P-256 and Ed25519 by JWKS with a kid. */
static int make_keys(void **state)
{
    char why[256], jwks[8192], jwk[2048];

    settings.auth_leeway_ms = 30000;
    settings.auth_secret = JWT_SECRET;
    rsa = jwt_key(GNUTLS_PK_RSA, 2048);
    p256 = jwt_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
    p384 = jwt_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1));
    ed25519 = jwt_key(GNUTLS_PK_EDDSA_ED25519, 256);
    rsa_pem = jwt_public_pem(rsa);
    settings.auth_public_keys = pem_path = jwt_file(rsa_pem.data, rsa_pem.size);
    strcpy(jwks, "{\"keys\":[");
    jwt_public_jwk(jwk, p256, ",\"kid\":\"p\",\"alg\":\"ES256\",\"use\":\"sig\"");
    strcat(strcat(jwks, jwk), ",");
    jwt_public_jwk(jwk, p384, ",\"kid\":\"q\"");
    strcat(strcat(jwks, jwk), ",");
    jwt_public_jwk(jwk, ed25519, ",\"kid\":\"e\"");
    strcat(strcat(jwks, jwk), "]}");
    settings.auth_jwks_file = jwks_path = jwt_file(jwks, strlen(jwks));
    if (keys_new(&settings, why, sizeof(why), &keys))
        fail_msg("%s", why);
    return 0;
}

static int drop_keys(void **state)
{
    keys_unref(keys);
    unlink(pem_path);
    unlink(jwks_path);
    free(pem_path);
    free(jwks_path);
    gnutls_free(rsa_pem.data);
    gnutls_privkey_deinit(rsa);
    gnutls_privkey_deinit(p256);
    gnutls_privkey_deinit(p384);
    gnutls_privkey_deinit(ed25519);
    return 0;
}

static void all_four_algorithms_are_accepted(void **state)
{
    assert_int_equal(verify_claims(GOOD), ERR_OK);
    jwt_sign(text, "{\"alg\":\"RS256\"}", GOOD, rsa, GNUTLS_SIGN_RSA_SHA256, JWT_RAW);
    assert_int_equal(verify(text), ERR_OK);
    jwt_sign(text, "{\"alg\":\"ES256\",\"kid\":\"p\"}", GOOD, p256, GNUTLS_SIGN_ECDSA_SHA256,
             JWT_RAW);
    assert_int_equal(verify(text), ERR_OK);
    jwt_sign(text, "{\"alg\":\"EdDSA\",\"kid\":\"e\",\"typ\":\"at+jwt\"}", GOOD, ed25519,
             GNUTLS_SIGN_EDDSA_ED25519, JWT_RAW);
    assert_int_equal(verify(text), ERR_OK);
}

/* One signature in 128 has an r or s that begins with a zero byte. */
static void short_numbers_of_ecdsa_are_accepted(void **state)
{
    for (int i = 0; i < 600; i++) {
        jwt_sign(text, "{\"alg\":\"ES256\"}", GOOD, p256, GNUTLS_SIGN_ECDSA_SHA256, JWT_RAW);
        assert_int_equal(verify(text), ERR_OK);
    }
}

/* An HS256 token under each header; only the algorithm's own name may pass. */
static void headers_cannot_choose_the_algorithm(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}", "{\"alg\":\"None\"}", "{\"alg\":\"NONE\"}", "{\"alg\":\"nOnE\"}",
        "{\"alg\":\"\"}", "{\"alg\":null}", "{\"alg\":[\"HS256\"]}", "{}",
        "{\"alg\":\"hs256\"}", "{\"alg\":\"HS384\"}", "{\"alg\":\"HS512\"}",
        "{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}", "{\"alg\":\"EdDSA\"}", "{\"alg\":\"PS256\"}",
        "{\"alg\":\"HS256\\u0000\"}", "{\"alg\":\"HS256 \"}", "{\"Alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"crit\":null}", "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"HS256\",\"kid\":7}", "{\"alg\":\"HS256\",\"kid\":null}",
        "{\"alg\":\"HS256\"", "{\"alg\":\"HS256\"} x", "[\"HS256\"]", "\"HS256\"", "HS256",
        "{\"alg\":\"HS256\",\"x\":\"\xff\"}",
    };

    for (size_t i = 0; i < array_count(headers); i++) {
        jwt_hmac(text, headers[i], GOOD, JWT_SECRET, strlen(JWT_SECRET));
        if (verify(text) != ERR_TOKEN_INVALID)
            fail_msg("accepted: %s", headers[i]);
    }
}

static void headers_that_ask_for_other_keys_are_not_heard(void **state)
{
    jwt_hmac(text,
             "{\"alg\":\"HS256\",\"kid\":\"../../../dev/null\",\"jku\":\"http://evil/\","
             "\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"x5u\":\"file:///etc/passwd\"}",
             GOOD, JWT_SECRET, strlen(JWT_SECRET));
    /* The secret has no kid, so any fits; the rest is ignored. */
    assert_int_equal(verify(text), ERR_OK);
    jwt_hmac(text, "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}", GOOD, "", 1);
    assert_int_equal(verify(text), ERR_TOKEN_INVALID);
}

static void keys_of_other_kinds_sign_nothing(void **state)
{
    static const char *const algorithms[] = {"HS256", "RS256", "ES256", "EdDSA"};
    char header[64];

    for (size_t i = 0; i < array_count(algorithms); i++) {
        sprintf(header, "{\"alg\":\"%s\"}", algorithms[i]);
        jwt_hmac(text, header, GOOD, rsa_pem.data, rsa_pem.size);
        assert_int_equal(verify(text), ERR_TOKEN_INVALID);
        jwt_hmac(text, header, GOOD, "", 0);
        assert_int_equal(verify(text), ERR_TOKEN_INVALID);
        jwt_sign(text, header, GOOD, p384, GNUTLS_SIGN_ECDSA_SHA384, JWT_RAW);
        assert_int_equal(verify(text), ERR_TOKEN_INVALID);
        if (i != 1) {
            jwt_sign(text, header, GOOD, rsa, GNUTLS_SIGN_RSA_SHA256, JWT_RAW);
            assert_int_equal(verify(text), ERR_TOKEN_INVALID);
        }
        if (i != 2) {
            jwt_sign(text, header, GOOD, p256, GNUTLS_SIGN_ECDSA_SHA256, JWT_RAW);
            assert_int_equal(verify(text), ERR_TOKEN_INVALID);
        }
    }
    jwt_sign(text, "{\"alg\":\"RS256\"}", GOOD, rsa, GNUTLS_SIGN_RSA_SHA512, JWT_RAW);
    assert_int_equal(verify(text), ERR_TOKEN_INVALID);
    jwt_sign(text, "{\"alg\":\"RS256\"}", GOOD, rsa, GNUTLS_SIGN_RSA_PSS_SHA256, JWT_RAW);
    assert_int_equal(verify(text), ERR_TOKEN_INVALID);
}

static void a_kid_names_one_key(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"kid\":\"e\"}",
        "{\"alg\":\"ES256\",\"kid\":\"P\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\"}",
        "{\"alg\":\"ES256\",\"kid\":\"p\\u0000\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"p\"}",
    };

    for (size_t i = 0; i < array_count(headers); i++) {
        jwt_sign(text, headers[i], GOOD, p256, GNUTLS_SIGN_ECDSA_SHA256, JWT_RAW);
        assert_int_equal(verify(text), ERR_TOKEN_INVALID);
    }
}

static void signatures_have_one_form(void **state)
{
    static const char es256[] = "{\"alg\":\"ES256\"}";
    unsigned char signature[256];
    char *dot, right[JWT_SIZE];
    size_t len;

    jwt_sign(text, es256, GOOD, p256, GNUTLS_SIGN_ECDSA_SHA256, JWT_DER);
    assert_int_equal(verify(text), ERR_TOKEN_INVALID);
    jwt_sign(right, es256, GOOD, p256, GNUTLS_SIGN_ECDSA_SHA256, JWT_RAW);
    dot = strrchr(right, '.');
    assert_int_equal(base64url_decode(span_text(dot + 1), signature, &len), 0);
    assert_int_equal(len, 64);
    signature[64] = 0;
    for (size_t i = 0; i <= 66; i++) { /* cut short, and lengthened by zeros */
        jwt_begin(text, es256, GOOD);
        memset(signature + 64, 0, 2);
        jwt_end(text, signature, i);
        assert_int_equal(verify(text), i == 64 ? ERR_OK : ERR_TOKEN_INVALID);
    }
    for (int zero = 1; zero < 4; zero++) { /* r, s, both */
        unsigned char changed[64];
        memcpy(changed, signature, 64);
        memset(changed + (zero == 2 ? 32 : 0), 0, zero == 3 ? 64 : 32);
        jwt_begin(text, es256, GOOD);
        jwt_end(text, changed, 64);
        assert_int_equal(verify(text), ERR_TOKEN_INVALID);
    }
    memset(signature, 0xff, sizeof(signature));
    jwt_begin(text, es256, GOOD);
    jwt_end(text, signature, 64);
    assert_int_equal(verify(text), ERR_TOKEN_INVALID);
}

/* Whatever one bit is changed, the token is another, and refused. */
static void every_bit_is_signed(void **state)
{
    size_t len;

    jwt_hmac(text, HS256, GOOD, JWT_SECRET, strlen(JWT_SECRET));
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text[i] ^= (char)(1 << bit);
            if (text[i] != '\0')
                assert_int_equal(verify(text), ERR_TOKEN_INVALID);
            text[i] ^= (char)(1 << bit);
        }
    }
    assert_int_equal(verify(text), ERR_OK);
}

static void the_form_is_three_parts_of_base64url(void **state)
{
    char good[1024], header[256], payload[256], *signature, changed[2048];
    static const char *const junk[] = {"=", "==", "\n", " ", "+", "/", "%3D", "A", "."};

    jwt_hmac(good, HS256, GOOD, JWT_SECRET, strlen(JWT_SECRET));
    sscanf(good, "%255[^.].%255[^.]", header, payload);
    signature = strrchr(good, '.') + 1;
    for (size_t i = 0; i < array_count(junk); i++) {
        const char *const forms[] = {"%s%s.%s.%s", "%2$s%1$s.%3$s.%4$s", "%2$s.%3$s%1$s.%4$s",
                                     "%2$s.%3$s.%4$s%1$s"};
        for (size_t f = 0; f < array_count(forms); f++) {
            sprintf(changed, forms[f], junk[i], header, payload, signature);
            assert_int_equal(verify(changed), ERR_TOKEN_INVALID);
        }
    }
    static const char *const shapes[] = {"", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d",
                                         "Bearer x.y.z", "null", "undefined", "e30.e30.",
                                         "e30.e30"};
    for (size_t i = 0; i < array_count(shapes); i++)
        assert_int_equal(verify(shapes[i]), ERR_TOKEN_INVALID);
    sprintf(changed, "%s.%s.", header, payload);
    assert_int_equal(verify(changed), ERR_TOKEN_INVALID);
    sprintf(changed, "%s.%s", header, payload);
    assert_int_equal(verify(changed), ERR_TOKEN_INVALID);
    sprintf(changed, "%s.%s.%s.%s", header, payload, signature, signature);
    assert_int_equal(verify(changed), ERR_TOKEN_INVALID);
}

static void the_size_is_bounded(void **state)
{
    static char payload[JWT_SIZE];

    for (int pad = 5900; pad < 6200; pad++) {
        sprintf(payload, "{\"sub\":\"alice\",\"exp\":1700000100,\"pad\":\"%*s\"}", pad, "");
        jwt_hmac(text, HS256, payload, JWT_SECRET, strlen(JWT_SECRET));
        assert_int_equal(verify(text), strlen(text) <= 8192 ? ERR_OK : ERR_TOKEN_INVALID);
    }
    memset(payload, 0, sizeof(payload));
    strcpy(payload, "{\"sub\":\"alice\",\"exp\":1700000100,\"deep\":");
    memset(strchr(payload, '\0'), '[', 5000);
    assert_int_equal(verify_claims(payload), ERR_TOKEN_INVALID);
}

static void a_secret_is_not_shared_with_longer_or_shorter_ones(void **state)
{
    jwt_hmac(text, HS256, GOOD, JWT_SECRET "\0", strlen(JWT_SECRET) + 1);
    /* HMAC pads keys with zeros, so this one is the same key by definition. */
    assert_int_equal(verify(text), ERR_OK);
    jwt_hmac(text, HS256, GOOD, JWT_SECRET "x", strlen(JWT_SECRET) + 1);
    assert_int_equal(verify(text), ERR_TOKEN_INVALID);
    jwt_hmac(text, HS256, GOOD, JWT_SECRET, strlen(JWT_SECRET) - 1);
    assert_int_equal(verify(text), ERR_TOKEN_INVALID);
}

/* Of so many identities that are held here, how many the cache holds too. */
static int count_kept(struct identity *const *identities, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++)
        kept += identities[i]->refs > 1;
    return kept;
}

static void a_cache_keeps_what_is_good(void **state)
{
    struct token_cache *cache;
    struct identity *first, *second, *many[100];
    struct keys *others;
    char why[256];

    assert_int_equal(token_cache_new(8, &cache), ERR_OK);
    jwt_hmac(text, HS256, GOOD, JWT_SECRET, strlen(JWT_SECRET));
    assert_int_equal(token_cache_verify(cache, keys, &settings, span_text(text), NOW_MS, &first,
                                        NULL), ERR_OK);
    assert_int_equal(token_cache_verify(cache, keys, &settings, span_text(text), NOW_MS, &second,
                                        NULL), ERR_OK);
    assert_ptr_equal(first, second);
    identity_unref(second);
    assert_int_equal(count_kept(&first, 1), 1);
    /* 100 s and the leeway later it is no good any more, and is not kept. */
    assert_int_equal(token_cache_verify(cache, keys, &settings, span_text(text), NOW_MS + 129999,
                                        &second, NULL), ERR_OK);
    assert_ptr_equal(first, second);
    identity_unref(second);
    assert_int_equal(token_cache_verify(cache, keys, &settings, span_text(text), NOW_MS + 130000,
                                        &second, NULL), ERR_TOKEN_EXPIRED);
    assert_int_equal(count_kept(&first, 1), 0);
    identity_unref(first);
    for (int i = 0; i < 100; i++) {
        char payload[128];
        sprintf(payload, "{\"sub\":\"u%d\",\"exp\":1700000100}", i);
        jwt_hmac(text, HS256, payload, JWT_SECRET, strlen(JWT_SECRET));
        assert_int_equal(token_cache_verify(cache, keys, &settings, span_text(text), NOW_MS,
                                            &many[i], NULL), ERR_OK);
        assert_memory_equal(many[i]->user.data, payload + 8, many[i]->user.len);
    }
    assert_int_equal(count_kept(many, 100), 8);
    text[strlen(text) - 2] ^= 1;
    assert_int_equal(token_cache_verify(cache, keys, &settings, span_text(text), NOW_MS, &first,
                                        NULL), ERR_TOKEN_INVALID);
    text[strlen(text) - 2] ^= 1;
    /* Under other keys it is looked at anew. */
    settings.auth_secret = "another secret of more than thirty-two bytes";
    assert_int_equal(keys_new(&settings, why, sizeof(why), &others), ERR_OK);
    settings.auth_secret = JWT_SECRET;
    assert_int_equal(token_cache_verify(cache, others, &settings, span_text(text), NOW_MS, &first,
                                        NULL), ERR_TOKEN_INVALID);
    assert_int_equal(count_kept(many, 100), 0);
    for (int i = 0; i < 100; i++)
        identity_unref(many[i]);
    keys_unref(others);
    token_cache_free(cache);
}

/* Printed, not asserted: the machine may be busy. */
static void the_cost_is_shown(void **state)
{
    struct identity *identity;
    int64_t started_us;

    jwt_hmac(text, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
             "{\"sub\":\"alice\",\"realm\":\"main\",\"name\":\"Alice\",\"iat\":1700000000,"
             "\"exp\":1700000100}",
             JWT_SECRET, strlen(JWT_SECRET));
    started_us = clock_now_us();
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(verify_with(keys, text, &identity), ERR_OK);
        identity_unref(identity);
    }
    print_message("HS256: %.2f us a token\n", (double)(clock_now_us() - started_us) / 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_four_algorithms_are_accepted),
        cmocka_unit_test(short_numbers_of_ecdsa_are_accepted),
        cmocka_unit_test(headers_cannot_choose_the_algorithm),
        cmocka_unit_test(headers_that_ask_for_other_keys_are_not_heard),
        cmocka_unit_test(keys_of_other_kinds_sign_nothing),
        cmocka_unit_test(a_kid_names_one_key),
        cmocka_unit_test(signatures_have_one_form),
        cmocka_unit_test(every_bit_is_signed),
        cmocka_unit_test(the_form_is_three_parts_of_base64url),
        cmocka_unit_test(the_size_is_bounded),
        cmocka_unit_test(a_secret_is_not_shared_with_longer_or_shorter_ones),
        cmocka_unit_test(a_cache_keeps_what_is_good),
        cmocka_unit_test(the_cost_is_shown),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
