/* Tokens and what belongs to them. The first byte chooses:
 *   0  the text of a token, which nobody has signed
 *   1  a header, a line end, a payload: signed with the right secret, so that claims are reached
 *   2  a JWKS     3  a PEM file     4  base64url     5  a Cookie header and an Origin */
#include <gnutls/crypto.h>

#include "api/base64url.h"
#include "api/cookie.h"
#include "api/keys.h"
#include "api/origin.h"
#include "api/verify.h"
#include "base/limits.h"
#include "core/ident.h"
#include "fuzz.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW_MS INT64_C(1700000000000)

static const struct settings settings = {.auth_secret = SECRET, .auth_leeway_ms = 30000};

static struct keys *the_keys(void)
{
    static struct keys *keys;
    char why[256];

    if (!keys)
        FUZZ_CHECK(keys_new(&settings, why, sizeof(why), &keys) == ERR_OK);
    return keys;
}

static void check_identity(const struct identity *identity)
{
    FUZZ_CHECK(ident_is_user(identity->user));
    FUZZ_CHECK(ident_is_valid(identity->realm));
    FUZZ_CHECK(identity->name.len <= USER_NAME_BYTES_MAX);
    FUZZ_CHECK(identity->data.len <= USER_DATA_BYTES_MAX);
    FUZZ_CHECK(span_is_utf8(identity->name) && span_is_utf8(identity->data));
    FUZZ_CHECK(identity->expires_at_s * 1000 + 30000 > NOW_MS);
    FUZZ_CHECK(identity->issued_at_s >= 0);
    FUZZ_CHECK(!identity->service || !identity->guest);
    for (int i = 0; identity->grants && i < identity->grants->count; i++)
        FUZZ_CHECK(strlen(identity->grants->items[i].pattern) == identity->grants->items[i].len);
    (void)grants_for(identity->grants, span_text("team-1"));
}

static int verify(struct span text)
{
    struct identity *identity = NULL;
    const char *why = NULL;
    int err = token_verify(the_keys(), &settings, text, NOW_MS, &identity, &why);

    FUZZ_CHECK((err == ERR_OK) == (identity != NULL));
    FUZZ_CHECK((err == ERR_OK) == (why == NULL));
    if (identity)
        check_identity(identity);
    identity_unref(identity);
    return err;
}

static size_t encode(char *out, struct span part)
{
    return base64url_encode(part.data, part.len, out);
}

static void check_signed(struct span text)
{
    struct span header = span_cut(&text, '\n');
    unsigned char signature[HMAC_BYTES];
    char *token;
    size_t len;

    if (!text.data)
        return;
    token = malloc(BASE64URL_ENCODED(header.len) + BASE64URL_ENCODED(text.len) + 64);
    FUZZ_CHECK(token);
    len = encode(token, header);
    token[len++] = '.';
    len += encode(token + len, text);
    FUZZ_CHECK(verify_hmac(span_text(SECRET), span_of(token, len), signature) == ERR_OK);
    token[len++] = '.';
    len += encode(token + len, span_of((char *)signature, sizeof(signature)));
    (void)verify(span_of(token, len));
    free(token);
}

static void check_keys(struct span text, int (*add)(struct keys *keys, struct span text,
                                                    const struct key_source *source))
{
    char why[256] = "";
    const struct key_source source = {"file", why, sizeof(why)};
    struct keys *keys = calloc(1, sizeof(*keys));
    int err;

    FUZZ_CHECK(keys);
    keys->refs = 1;
    err = add(keys, text, &source);
    FUZZ_CHECK(err == ERR_OK || err == ERR_CONFIG);
    FUZZ_CHECK((err == ERR_OK) == (why[0] == '\0'));
    FUZZ_CHECK(keys->count <= KEYS_MAX);
    keys_unref(keys);
}

static void check_base64url(struct span text)
{
    unsigned char *bytes = malloc(BASE64URL_DECODED_MAX(text.len));
    char *again = malloc(text.len + 1);
    size_t len;

    FUZZ_CHECK(bytes && again);
    if (base64url_decode(text, bytes, &len) == ERR_OK) {
        FUZZ_CHECK(BASE64URL_ENCODED(len) == text.len);
        FUZZ_CHECK(span_equal(span_of(again, base64url_encode(bytes, len, again)), text));
    }
    free(bytes);
    free(again);
}

static void check_cookie(struct span text)
{
    struct span origin = span_cut(&text, '\n');
    char out[COOKIE_HEADER_BYTES_MAX];
    struct span value = cookie_find(text, cookie_name(false));

    FUZZ_CHECK(!value.data || !memchr(value.data, ';', value.len));
    if (cookie_format(value, true, SAMESITE_LAX, INT64_MAX, out) == ERR_OK)
        FUZZ_CHECK(memchr(out, '\0', sizeof(out)));
    if (origin_is_own(&settings, false, text, origin))
        FUZZ_CHECK(origin.len == text.len + 7);
    (void)origin_is_loopback(origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text;

    if (size == 0)
        return 0;
    text = fuzz_span(data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
        FUZZ_CHECK(verify(text) != ERR_OK);
        break;
    case 1:
        check_signed(text);
        break;
    case 2:
        check_keys(text, keys_add_jwks);
        break;
    case 3:
        check_keys(text, keys_add_pem);
        break;
    case 4:
        check_base64url(text);
        break;
    default:
        check_cookie(text);
        break;
    }
    return 0;
}
