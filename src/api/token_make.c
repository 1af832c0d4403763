#include <assert.h>
#include <stdlib.h>

#include <jansson.h>

#include "api/base64url.h"
#include "api/verify.h"
#include "base/err.h"
#include "base/limits.h"

static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

/* Adds a text unless there is none. */
static int add_text(json_t *payload, const char *name, const char *value)
{
    if (!value || !*value)
        return ERR_OK;
    return json_object_set_new(payload, name, json_string(value)) ? ERR_INVALID_TEXT : ERR_OK;
}

static int add_number(json_t *payload, const char *name, int64_t value)
{
    return json_object_set_new(payload, name, json_integer(value)) ? ERR_MEMORY : ERR_OK;
}

static int fill_payload(json_t *payload, const struct settings *settings,
                        const struct token_claims *claims)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        {"sub", claims->user},          {"realm", claims->realm},
        {"name", claims->name},         {"scope", claims->scope},
        {"iss", settings->auth_issuer}, {"aud", settings->auth_audience},
    };
    int err = ERR_OK;

    for (size_t i = 0; i < array_count(texts) && !err; i++)
        err = add_text(payload, texts[i].name, texts[i].value);
    if (!err)
        err = add_number(payload, "iat", claims->issued_at_s);
    return err ? err : add_number(payload, "exp", claims->expires_at_s);
}

/* Header, dot, payload, dot, signature. */
static int sign(struct span secret, struct span payload, char **ret)
{
    unsigned char signature[HMAC_BYTES];
    size_t len = strlen(header);
    char *text = malloc(BASE64URL_ENCODED(len) + BASE64URL_ENCODED(payload.len) +
                        BASE64URL_ENCODED(HMAC_BYTES) + 3);
    int err;

    if (!text)
        return ERR_MEMORY;
    len = base64url_encode(header, len, text);
    text[len++] = '.';
    len += base64url_encode(payload.data, payload.len, text + len);
    err = verify_hmac(secret, span_of(text, len), signature);
    if (err) {
        free(text);
        return err;
    }
    text[len++] = '.';
    len += base64url_encode(signature, HMAC_BYTES, text + len);
    text[len] = '\0';
    *ret = text;
    return ERR_OK;
}

static int make(const struct settings *settings, const struct token_claims *claims,
                const char *secret, char **ret)
{
    json_t *payload = json_object();
    char *text = NULL;
    int err = payload ? fill_payload(payload, settings, claims) : ERR_MEMORY;

    if (!err) {
        text = json_dumps(payload, JSON_COMPACT);
        err = text ? sign(span_text(secret), span_text(text), ret) : ERR_MEMORY;
    }
    free(text);
    json_decref(payload);
    return err;
}

int token_make(const struct settings *settings, const struct token_claims *claims, char **ret)
{
    char why[256], *secret;
    int err;

    assert(claims->user);
    err = keys_read_secret(settings, why, sizeof(why), &secret);
    if (err)
        return err;
    if (!secret)
        return ERR_CONFIG;
    err = strlen(secret) < KEY_SECRET_BYTES_MIN ? ERR_CONFIG
                                                : make(settings, claims, secret, ret);
    gnutls_memset(secret, 0, strlen(secret));
    free(secret);
    return err;
}
