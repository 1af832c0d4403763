#include <stdlib.h>

#include <jansson.h>

#include "api/base64url.h"
#include "api/keys.h"
#include "base/limits.h"
#include "base/err.h"

#define COORDINATE_BYTES 32 /* of P-256 and Ed25519 */
#define NUMBER_BYTES_MAX (KEY_RSA_BITS_MAX / 8)

/* A decoded member of a key. */
struct number {
    unsigned char bytes[BASE64URL_DECODED_MAX(NUMBER_BYTES_MAX * 2)];
    size_t len;
};

static struct span member(const json_t *jwk, const char *name)
{
    const json_t *value = json_object_get(jwk, name);

    return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value))
                                 : span_of(NULL, 0);
}

static int read_number(const json_t *jwk, const char *name, const struct key_source *source,
                       struct number *ret)
{
    struct span text = member(jwk, name);

    if (!text.data)
        return key_refuse(source, "a key without `%s`", name);
    if (text.len > NUMBER_BYTES_MAX * 2 || base64url_decode(text, ret->bytes, &ret->len))
        return key_refuse(source, "a key whose `%s` cannot be read", name);
    return ERR_OK;
}

static int read_coordinate(const json_t *jwk, const char *name, const struct key_source *source,
                           struct number *ret)
{
    int err = read_number(jwk, name, source, ret);

    if (!err && ret->len != COORDINATE_BYTES)
        err = key_refuse(source, "a key whose `%s` is not %d bytes long", name, COORDINATE_BYTES);
    return err;
}

static gnutls_datum_t datum(struct number *number)
{
    return (gnutls_datum_t){number->bytes, (unsigned)number->len};
}

/* Ends what the add_… below begin: `failed` is GnuTLS' answer to the import. */
static int finish(struct keys *keys, gnutls_pubkey_t public_key, int failed, struct span kid,
                  const struct key_source *source)
{
    if (failed < 0) {
        gnutls_pubkey_deinit(public_key);
        return key_refuse(source, "a key that cannot be used: %s", gnutls_strerror(failed));
    }
    return keys_add_public(keys, public_key, kid, source);
}

static int add_rsa(struct keys *keys, const json_t *jwk, struct span kid,
                   const struct key_source *source)
{
    struct number n, e;
    gnutls_pubkey_t public_key;
    gnutls_datum_t modulus, exponent;
    int err;

    err = read_number(jwk, "n", source, &n);
    if (!err)
        err = read_number(jwk, "e", source, &e);
    if (err)
        return err;
    if (n.len == 0 || e.len == 0 || e.len > 8 || (e.bytes[e.len - 1] & 1) == 0 ||
        (e.len == 1 && e.bytes[0] == 1))
        return key_refuse(source, "an RSA key whose numbers are not valid");
    if (gnutls_pubkey_init(&public_key) < 0)
        return ERR_MEMORY;
    modulus = datum(&n);
    exponent = datum(&e);
    return finish(keys, public_key, gnutls_pubkey_import_rsa_raw(public_key, &modulus, &exponent),
                  kid, source);
}

static int add_ec(struct keys *keys, const json_t *jwk, struct span kid,
                  const struct key_source *source)
{
    struct number x, y;
    gnutls_pubkey_t public_key;
    gnutls_datum_t point_x, point_y;
    int err;

    err = read_coordinate(jwk, "x", source, &x);
    if (!err)
        err = read_coordinate(jwk, "y", source, &y);
    if (err)
        return err;
    if (gnutls_pubkey_init(&public_key) < 0)
        return ERR_MEMORY;
    point_x = datum(&x);
    point_y = datum(&y);
    return finish(keys, public_key,
                  gnutls_pubkey_import_ecc_raw(public_key, GNUTLS_ECC_CURVE_SECP256R1, &point_x,
                                               &point_y),
                  kid, source);
}

static int add_ed25519(struct keys *keys, const json_t *jwk, struct span kid,
                       const struct key_source *source)
{
    struct number x;
    gnutls_pubkey_t public_key;
    gnutls_datum_t point;
    int err;

    err = read_coordinate(jwk, "x", source, &x);
    if (err)
        return err;
    if (gnutls_pubkey_init(&public_key) < 0)
        return ERR_MEMORY;
    point = datum(&x);
    return finish(keys, public_key,
                  gnutls_pubkey_import_ecc_raw(public_key, GNUTLS_ECC_CURVE_ED25519, &point, NULL),
                  kid, source);
}

static int add_secret(struct keys *keys, const json_t *jwk, struct span kid,
                      const struct key_source *source)
{
    struct number secret;
    int err = read_number(jwk, "k", source, &secret);

    if (!err)
        err = keys_add_secret(keys, span_of((char *)secret.bytes, secret.len), kid, source);
    gnutls_memset(&secret, 0, sizeof(secret));
    return err;
}

/* The kinds of keys we can use, each with the one algorithm it serves. */
static const struct kind {
    const char *type, *curve; /* `kty`, `crv`; NULL: has none */
    enum key_algorithm algorithm;
    int (*add)(struct keys *keys, const json_t *jwk, struct span kid,
               const struct key_source *source);
} kinds[] = {
    {"oct", NULL, KEY_HS256, add_secret},
    {"RSA", NULL, KEY_RS256, add_rsa},
    {"EC", "P-256", KEY_ES256, add_ec},
    {"OKP", "Ed25519", KEY_EDDSA, add_ed25519},
};

static const struct kind *kind_of(const json_t *jwk)
{
    struct span type = member(jwk, "kty"), curve = member(jwk, "crv");

    for (size_t i = 0; i < array_count(kinds); i++) {
        if (span_is(type, kinds[i].type) && (!kinds[i].curve || span_is(curve, kinds[i].curve)))
            return &kinds[i];
    }
    return NULL;
}

/* True when `key_ops` is absent or names `verify`. */
static bool may_verify(const json_t *jwk)
{
    const json_t *operations = json_object_get(jwk, "key_ops");
    const json_t *operation;
    size_t i;

    if (!operations)
        return true;
    json_array_foreach (operations, i, operation) {
        if (json_is_string(operation) && strcmp(json_string_value(operation), "verify") == 0)
            return true;
    }
    return false;
}

/* RFC 7517, section 5: keys that are not understood are left out. One that claims an algorithm
 * of ours but is of another kind is a mistake that the operator must hear of. */
static int add_jwk(struct keys *keys, const json_t *jwk, const struct key_source *source)
{
    struct span kid = member(jwk, "kid"), alg = member(jwk, "alg"), use = member(jwk, "use");
    const struct kind *kind = kind_of(jwk);
    enum key_algorithm algorithm;

    if (!json_is_object(jwk))
        return key_refuse(source, "a member of `keys` that is no object");
    if (json_object_get(jwk, "kid") && (!kid.data || kid.len > IDENT_BYTES_MAX * 2))
        return key_refuse(source, "a `kid` that is no text of at most %d bytes",
                          IDENT_BYTES_MAX * 2);
    if ((use.data && !span_is(use, "sig")) || !may_verify(jwk))
        return ERR_OK;
    if (alg.data && key_algorithm_parse(alg, &algorithm))
        return ERR_OK;
    if (alg.data && (!kind || kind->algorithm != algorithm))
        return key_refuse(source, "a key for %s of another kind", key_algorithm_name(algorithm));
    return kind ? kind->add(keys, jwk, kid, source) : ERR_OK;
}

int keys_add_jwks(struct keys *keys, struct span text, const struct key_source *source)
{
    json_error_t fault;
    json_t *set = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &fault);
    const json_t *list = json_object_get(set, "keys"), *jwk;
    size_t i;
    int err = ERR_OK;

    if (!set)
        return key_refuse(source, "no valid JSON in line %d: %s", fault.line, fault.text);
    if (!json_is_array(list))
        err = key_refuse(source, "no JWKS: an object with a list `keys` is needed");
    json_array_foreach (list, i, jwk) {
        if (!err)
            err = add_jwk(keys, jwk, source);
    }
    json_decref(set);
    return err;
}
