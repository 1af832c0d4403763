#include "api/verify.h"

#include <gnutls/crypto.h>

#include "base/err.h"

#define SIGNATURE_BYTES 64 /* of ES256 and EdDSA */

static gnutls_datum_t datum(struct span text)
{
    return (gnutls_datum_t){(unsigned char *)text.data, (unsigned)text.len};
}

int verify_hmac(struct span secret, struct span text, unsigned char out[HMAC_BYTES])
{
    int failed =
        gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret.data, secret.len, text.data, text.len, out);

    return failed < 0 ? ERR_MEMORY : ERR_OK;
}

static bool check_secret(const struct key *key, struct span text, struct span signature)
{
    unsigned char expected[HMAC_BYTES];

    if (signature.len != HMAC_BYTES)
        return false;
    if (verify_hmac(span_of((char *)key->secret, key->secret_len), text, expected))
        return false;
    return gnutls_memcmp(expected, signature.data, HMAC_BYTES) == 0;
}

static bool check_public(const struct key *key, gnutls_sign_algorithm_t algorithm,
                         struct span text, const gnutls_datum_t *signature)
{
    const gnutls_datum_t data = datum(text);

    return gnutls_pubkey_verify_data2(key->public_key, algorithm, 0, &data, signature) >= 0;
}

/* A number of an ECDSA signature without its leading zeros; false when it is zero. */
static bool strip(struct span number, gnutls_datum_t *ret)
{
    while (number.len > 0 && *number.data == '\0')
        number = span_of(number.data + 1, number.len - 1);
    *ret = datum(number);
    return number.len > 0;
}

/* JWS has r and s as two numbers of 32 bytes (RFC 7518, section 3.4), GnuTLS wants DER. */
static bool check_ecdsa(const struct key *key, struct span text, struct span signature)
{
    gnutls_datum_t r, s, der;
    bool is_right;

    if (signature.len != SIGNATURE_BYTES ||
        !strip(span_of(signature.data, SIGNATURE_BYTES / 2), &r) ||
        !strip(span_of(signature.data + SIGNATURE_BYTES / 2, SIGNATURE_BYTES / 2), &s))
        return false;
    if (gnutls_encode_rs_value(&der, &r, &s) < 0)
        return false;
    is_right = check_public(key, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, text, &der);
    gnutls_free(der.data);
    return is_right;
}

static bool check_with(const struct key *key, struct span text, struct span signature)
{
    const gnutls_datum_t raw = datum(signature);

    switch (key->algorithm) {
    case KEY_HS256:
        return check_secret(key, text, signature);
    case KEY_RS256:
        return check_public(key, GNUTLS_SIGN_RSA_SHA256, text, &raw);
    case KEY_ES256:
        return check_ecdsa(key, text, signature);
    case KEY_EDDSA:
        return signature.len == SIGNATURE_BYTES &&
               check_public(key, GNUTLS_SIGN_EDDSA_ED25519, text, &raw);
    case KEY_ALGORITHM_COUNT:
        break;
    }
    return false;
}

int verify_signature(const struct keys *keys, enum key_algorithm algorithm, struct span kid,
                     struct span text, struct span signature, const char **ret_why)
{
    bool tried = false;

    for (int i = 0; i < keys->count; i++) {
        const struct key *key = &keys->items[i];
        if (key->algorithm != algorithm)
            continue;
        if (kid.data && key->kid.data && !span_equal(kid, key->kid))
            continue;
        if (check_with(key, text, signature))
            return ERR_OK;
        tried = true;
    }
    *ret_why = tried ? "the signature is wrong" : "no key for its alg and kid";
    return ERR_TOKEN_INVALID;
}
