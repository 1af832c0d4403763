#include "api/token.h"

#include <assert.h>

#include <jansson.h>

#include "api/base64url.h"
#include "api/claims.h"
#include "api/verify.h"
#include "base/err.h"
#include "base/limits.h"

/* A token in its three parts, still as text. */
struct parts {
    struct span header, payload, signature;
    struct span is_signed; /* header and payload with the dot between */
};

/* What the header says; texts live as long as its JSON. */
struct header {
    enum key_algorithm algorithm;
    struct span kid; /* data NULL: none */
};

static int split(struct span text, struct parts *ret)
{
    struct span rest = text;

    if (text.len > TOKEN_BYTES_MAX)
        return ERR_TOKEN_INVALID;
    ret->header = span_cut(&rest, '.');
    if (!rest.data)
        return ERR_TOKEN_INVALID;
    ret->payload = span_cut(&rest, '.');
    if (!rest.data || memchr(rest.data, '.', rest.len))
        return ERR_TOKEN_INVALID;
    ret->signature = rest;
    ret->is_signed = span_of(text.data, ret->header.len + 1 + ret->payload.len);
    return ret->header.len > 0 && ret->payload.len > 0 ? ERR_OK : ERR_TOKEN_INVALID;
}

/* Levels of a JSON text, counted before it is parsed: the parser is recursive. */
static bool is_shallow(const unsigned char *text, size_t len)
{
    bool in_text = false;
    int depth = 0;

    for (size_t i = 0; i < len && depth <= JSON_DEPTH_MAX; i++) {
        if (in_text && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_text = !in_text;
        else if (!in_text && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!in_text && (text[i] == '}' || text[i] == ']'))
            depth--;
    }
    return depth <= JSON_DEPTH_MAX;
}

/* The JSON object of a part; NULL when it is none. */
static json_t *parse_part(struct span part)
{
    unsigned char text[BASE64URL_DECODED_MAX(TOKEN_BYTES_MAX)];
    size_t len;
    json_t *object;

    assert(part.len <= TOKEN_BYTES_MAX);
    if (base64url_decode(part, text, &len) || !is_shallow(text, len))
        return NULL;
    object = json_loadb((char *)text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static struct span member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value))
                                 : span_of(NULL, 0);
}

/* `jku`, `jwk`, `x5u` and `x5c` are not looked at: where keys come from is configured. */
static int read_header(const json_t *object, struct header *ret, const char **ret_why)
{
    ret->kid = member(object, "kid");
    if (json_object_get(object, "crit")) {
        *ret_why = "crit is not supported";
        return ERR_TOKEN_INVALID;
    }
    if (key_algorithm_parse(member(object, "alg"), &ret->algorithm)) {
        *ret_why = "alg is missing or not supported";
        return ERR_TOKEN_INVALID;
    }
    if (json_object_get(object, "kid") && !ret->kid.data) {
        *ret_why = "kid is no text";
        return ERR_TOKEN_INVALID;
    }
    return ERR_OK;
}

static int check_signature(const struct keys *keys, const struct parts *parts,
                           const char **ret_why)
{
    unsigned char signature[BASE64URL_DECODED_MAX(TOKEN_BYTES_MAX)];
    struct header header;
    size_t len;
    json_t *object;
    int err;

    *ret_why = "the signature is no base64url";
    if (base64url_decode(parts->signature, signature, &len))
        return ERR_TOKEN_INVALID;
    *ret_why = "the header is no JSON object";
    object = parse_part(parts->header);
    if (!object)
        return ERR_TOKEN_INVALID;
    err = read_header(object, &header, ret_why);
    if (!err)
        err = verify_signature(keys, header.algorithm, header.kid, parts->is_signed,
                               span_of((char *)signature, len), ret_why);
    json_decref(object);
    return err;
}

int token_verify(struct keys *keys, const struct settings *settings, struct span text,
                 int64_t now_ms, struct identity **ret, const char **ret_why)
{
    const char *why = "not of three parts, or too long";
    struct parts parts;
    json_t *payload;
    int err;

    err = split(text, &parts);
    if (!err)
        err = check_signature(keys, &parts, &why);
    if (!err) {
        payload = parse_part(parts.payload);
        why = "the payload is no JSON object";
        err = payload ? claims_read(payload, settings, now_ms, ret, &why) : ERR_TOKEN_INVALID;
        json_decref(payload);
    }
    if (err && ret_why)
        *ret_why = why ? why : err_text(err);
    return err;
}
