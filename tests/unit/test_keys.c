/* Key files: which keys are taken, which are left out, which refuse the whole, and with what
 * message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/keys.h"
#include "base/err.h"
#include "jwt.h"

#define LONG_SECRET "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" /* 32 bytes */

static char why[512];

/* Keys of one file; NULL when refused, `why` then says so. */
static struct keys *read_keys(const char **setting, struct settings *settings, const void *data,
                              size_t len)
{
    char *path = jwt_file(data, len);
    struct keys *keys = NULL;
    int err;

    *setting = path;
    err = keys_new(settings, why, sizeof(why), &keys);
    assert_true(err == ERR_OK || err == ERR_CONFIG);
    assert_true((err == ERR_OK) == (keys != NULL));
    assert_true((err == ERR_OK) == (why[0] == '\0'));
    unlink(path);
    free(path);
    return keys;
}

static struct keys *read_jwks(const char *format, ...)
{
    struct settings settings = {0};
    static char text[65536];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return read_keys(&settings.auth_jwks_file, &settings, text, strlen(text));
}

static struct keys *read_pem(const char *text)
{
    struct settings settings = {0};

    return read_keys(&settings.auth_public_keys, &settings, text, strlen(text));
}

static void assert_refused(struct keys *keys, const char *message)
{
    if (keys || !strstr(why, message))
        fail_msg("expected `%s`, got `%s`", message, why);
}

static void keys_of_four_kinds_are_taken(void **state)
{
    gnutls_privkey_t rsa = jwt_key(GNUTLS_PK_RSA, 2048);
    gnutls_privkey_t p256 =
        jwt_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
    gnutls_privkey_t ed25519 = jwt_key(GNUTLS_PK_EDDSA_ED25519, 256);
    char jwk[3][2048], text[8192];
    struct keys *keys;

    jwt_public_jwk(jwk[0], rsa, ",\"kid\":\"r\",\"use\":\"sig\",\"x5c\":[\"MII\"]");
    jwt_public_jwk(jwk[1], p256, ",\"kid\":\"p\",\"key_ops\":[\"verify\"]");
    jwt_public_jwk(jwk[2], ed25519, ",\"alg\":\"EdDSA\"");
    keys = read_jwks("{\"keys\":[%s,%s,%s,{\"kty\":\"oct\",\"k\":\"" LONG_SECRET "\"}]}", jwk[0],
                     jwk[1], jwk[2]);
    assert_non_null(keys);
    assert_int_equal(keys->count, 4);
    assert_int_equal(keys->items[0].algorithm, KEY_RS256);
    assert_string_equal(keys->items[0].kid.data, "r");
    assert_int_equal(keys->items[1].algorithm, KEY_ES256);
    assert_int_equal(keys->items[2].algorithm, KEY_EDDSA);
    assert_null(keys->items[2].kid.data);
    assert_int_equal(keys->items[3].algorithm, KEY_HS256);
    assert_int_equal(keys->items[3].secret_len, 32);
    keys_unref(keys);

    text[0] = '\0';
    for (int i = 0; i < 3; i++) {
        gnutls_datum_t pem = jwt_public_pem(i == 0 ? rsa : i == 1 ? p256 : ed25519);
        strcat(text, "a comment\r\n");
        strncat(text, (char *)pem.data, pem.size);
        gnutls_free(pem.data);
    }
    keys = read_pem(text);
    assert_non_null(keys);
    assert_int_equal(keys->count, 3);
    assert_int_equal(keys->items[0].algorithm, KEY_RS256);
    assert_int_equal(keys->items[1].algorithm, KEY_ES256);
    assert_int_equal(keys->items[2].algorithm, KEY_EDDSA);
    keys_unref(keys);
    gnutls_privkey_deinit(rsa);
    gnutls_privkey_deinit(p256);
    gnutls_privkey_deinit(ed25519);
}

static void a_certificate_gives_its_key(void **state)
{
    gnutls_privkey_t key =
        jwt_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
    gnutls_pubkey_t public_key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t pem;
    struct keys *keys;

    assert_int_equal(gnutls_pubkey_init(&public_key), 0);
    assert_int_equal(gnutls_pubkey_import_privkey(public_key, key, 0, 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_crt_set_version(certificate, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(certificate, "\1", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(certificate, 1), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(certificate, 2000000000), 0);
    assert_int_equal(gnutls_x509_crt_set_pubkey(certificate, public_key), 0);
    assert_int_equal(gnutls_x509_crt_privkey_sign(certificate, certificate, key,
                                                  GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), 0);
    keys = read_pem((char *)pem.data);
    assert_non_null(keys);
    assert_int_equal(keys->count, 1);
    assert_int_equal(keys->items[0].algorithm, KEY_ES256);
    keys_unref(keys);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_pubkey_deinit(public_key);
    gnutls_privkey_deinit(key);
}

/* RFC 7517, section 5: what is not understood is left out. */
static void keys_for_others_are_left_out(void **state)
{
    static const char *const others[] = {
        "{\"kty\":\"XYZ\"}", "{}", "{\"kty\":7}", "{\"kty\":\"EC\",\"crv\":\"P-384\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\"}", "{\"kty\":\"OKP\",\"crv\":\"X25519\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\"}", "{\"kty\":\"RSA\",\"use\":\"enc\"}",
        "{\"kty\":\"RSA\",\"alg\":\"RS512\"}", "{\"kty\":\"RSA\",\"alg\":\"RSA-OAEP\"}",
        "{\"kty\":\"RSA\",\"alg\":\"none\"}", "{\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"]}",
        "{\"kty\":\"RSA\",\"key_ops\":[]}", "{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"AA\"}",
    };

    for (size_t i = 0; i < array_count(others); i++) {
        struct keys *keys =
            read_jwks("{\"keys\":[%s,{\"kty\":\"oct\",\"k\":\"" LONG_SECRET "\"}]}", others[i]);
        if (!keys || keys->count != 1)
            fail_msg("%s: %s", others[i], why);
        keys_unref(keys);
    }
    assert_refused(read_jwks("{\"keys\":[%s]}", others[0]), "no usable key");
}

static void keys_that_are_unusable_refuse_the_file(void **state)
{
    static const struct {
        const char *jwks, *message;
    } rows[] = {
        {"", "no valid JSON"},
        {"{\"keys\":", "no valid JSON"},
        {"[]", "no JWKS"},
        {"{\"keys\":{}}", "no JWKS"},
        {"{\"keys\":[]}", "no usable key"},
        {"{\"keys\":[7]}", "no object"},
        {"{\"keys\":[],\"keys\":[]}", "duplicate"},
        {"{\"keys\":[{\"kty\":\"oct\"}]}", "without `k`"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"\"}]}", "at least 32"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "at least 32"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"" LONG_SECRET "=\"}]}", "cannot be read"},
        {"{\"keys\":[{\"kty\":\"oct\",\"kid\":7,\"k\":\"" LONG_SECRET "\"}]}", "`kid`"},
        {"{\"keys\":[{\"kty\":\"oct\",\"alg\":\"RS256\",\"k\":\"" LONG_SECRET "\"}]}",
         "another kind"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"HS256\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
         "another kind"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"alg\":\"ES256\"}]}", "another kind"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "RSA key of"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQ\"}]}", "numbers are not valid"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"Ag\"}]}", "numbers are not valid"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}", "32 bytes"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" LONG_SECRET "\",\"y\":\""
         LONG_SECRET "\"}]}", "key"}, /* not on the curve */
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}", "32 bytes"},
    };

    for (size_t i = 0; i < array_count(rows); i++)
        assert_refused(read_jwks("%s", rows[i].jwks), rows[i].message);
}

static void weak_and_foreign_keys_are_refused(void **state)
{
    gnutls_privkey_t small = jwt_key(GNUTLS_PK_RSA, 1024);
    gnutls_privkey_t p384 =
        jwt_key(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1));
    gnutls_datum_t small_pem = jwt_public_pem(small), p384_pem = jwt_public_pem(p384);
    char jwk[2048];

    jwt_public_jwk(jwk, small, "");
    assert_refused(read_jwks("{\"keys\":[%s]}", jwk), "RSA key of 1024 bits");
    assert_refused(read_pem((char *)small_pem.data), "RSA key of 1024 bits");
    assert_refused(read_pem((char *)p384_pem.data), "not on P-256");
    gnutls_free(small_pem.data);
    gnutls_free(p384_pem.data);
    gnutls_privkey_deinit(small);
    gnutls_privkey_deinit(p384);
}

static void pem_files_are_read_strictly(void **state)
{
    static const struct {
        const char *pem, *message;
    } rows[] = {
        {"", "no usable key"},
        {"text without a block", "no usable key"},
        {"-----BEGIN PUBLIC KEY-----\nAAAA\n", "does not end"},
        {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY", "ends as another"},
        {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END CERTIFICATE-----\n", "ends as another"},
        {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "`PRIVATE KEY`"},
        {"-----BEGIN RSA PRIVATE KEY-----\nA\n-----END RSA PRIVATE KEY-----\n", "PRIVATE KEY`"},
    };

    for (size_t i = 0; i < array_count(rows); i++)
        assert_refused(read_pem(rows[i].pem), rows[i].message);
}

static void secrets_are_read_and_measured(void **state)
{
    static const struct {
        const char *file;
        size_t len; /* of the secret; 0: refused */
    } rows[] = {
        {JWT_SECRET, 32},
        {JWT_SECRET "\n", 32},
        {JWT_SECRET "\r\nmore\n", 32},
        {JWT_SECRET " \n", 33},
        {"", 0},
        {"\n" JWT_SECRET, 0},
        {"0123456789abcdef0123456789abcde", 0},
    };

    for (size_t i = 0; i < array_count(rows); i++) {
        struct settings settings = {.auth_secret = ""};
        struct keys *keys = read_keys(&settings.auth_secret_file, &settings, rows[i].file,
                                      strlen(rows[i].file));
        assert_int_equal(keys ? keys->items[0].secret_len : 0, rows[i].len);
        keys_unref(keys);
    }
}

static void what_is_missing_is_told(void **state)
{
    struct settings settings = {.auth_jwks_file = "/nonexistent/keys"};
    struct keys *keys = NULL;

    assert_int_equal(keys_new(&settings, why, sizeof(why), &keys), ERR_CONFIG);
    assert_non_null(strstr(why, "/nonexistent/keys: cannot be opened"));
    settings.auth_jwks_file = "/proc/self";
    assert_int_equal(keys_new(&settings, why, sizeof(why), &keys), ERR_CONFIG);
    settings.auth_jwks_file = "/dev/zero";
    assert_int_equal(keys_new(&settings, why, sizeof(why), &keys), ERR_CONFIG);
    assert_non_null(strstr(why, "larger than"));
    settings.auth_jwks_file = "";
    assert_int_equal(keys_new(&settings, why, sizeof(why), &keys), ERR_CONFIG);
    assert_non_null(strstr(why, "no key for tokens"));
}

static void keys_are_bounded_in_number(void **state)
{
    static char text[16384];

    for (int count = KEYS_MAX; count <= KEYS_MAX + 1; count++) {
        struct keys *keys;
        strcpy(text, "{\"keys\":[");
        for (int i = 0; i < count; i++)
            strcat(text, i ? ",{\"kty\":\"oct\",\"k\":\"" LONG_SECRET "\"}"
                           : "{\"kty\":\"oct\",\"k\":\"" LONG_SECRET "\"}");
        strcat(text, "]}");
        keys = read_jwks("%s", text);
        if (count > KEYS_MAX)
            assert_refused(keys, "more than 64");
        else
            assert_int_equal(keys->count, KEYS_MAX);
        keys_unref(keys);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_four_kinds_are_taken),
        cmocka_unit_test(a_certificate_gives_its_key),
        cmocka_unit_test(keys_for_others_are_left_out),
        cmocka_unit_test(keys_that_are_unusable_refuse_the_file),
        cmocka_unit_test(weak_and_foreign_keys_are_refused),
        cmocka_unit_test(pem_files_are_read_strictly),
        cmocka_unit_test(secrets_are_read_and_measured),
        cmocka_unit_test(what_is_missing_is_told),
        cmocka_unit_test(keys_are_bounded_in_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
