/* Makes keys and tokens for tests: any header and payload, rightly or wrongly signed. */
#ifndef TIDINGS_TESTS_JWT_H
#define TIDINGS_TESTS_JWT_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#include "api/base64url.h"

#define JWT_SECRET "0123456789abcdef0123456789abcdef"
#define JWT_SIZE 65536

enum jwt_form { JWT_RAW, JWT_DER }; /* of ECDSA signatures */

static inline gnutls_privkey_t jwt_key(gnutls_pk_algorithm_t kind, unsigned bits)
{
    gnutls_privkey_t key;

    assert(gnutls_privkey_init(&key) == 0);
    assert(gnutls_privkey_generate(key, kind, bits, 0) == 0);
    return key;
}

/* Base64url of `len` bytes behind `text`. */
static inline void jwt_add(char *text, const void *data, size_t len)
{
    size_t at = strlen(text);

    assert(at + BASE64URL_ENCODED(len) < JWT_SIZE);
    text[at + base64url_encode(data, len, text + at)] = '\0';
}

/* header and payload with the dot between. */
static inline void jwt_begin(char *text, const char *header, const char *payload)
{
    text[0] = '\0';
    jwt_add(text, header, strlen(header));
    strcat(text, ".");
    jwt_add(text, payload, strlen(payload));
}

static inline void jwt_end(char *text, const void *signature, size_t len)
{
    strcat(text, ".");
    jwt_add(text, signature, len);
}

static inline void jwt_hmac(char *text, const char *header, const char *payload, const void *secret,
                            size_t secret_len)
{
    unsigned char signature[32];

    jwt_begin(text, header, payload);
    assert(gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, secret_len, text, strlen(text),
                            signature) == 0);
    jwt_end(text, signature, sizeof(signature));
}

/* r or s as 32 (or 48) bytes with leading zeros. */
static inline void jwt_pad(unsigned char *out, size_t size, const gnutls_datum_t *number)
{
    size_t skip = number->size > size ? number->size - size : 0;

    memset(out, 0, size);
    memcpy(out + size - (number->size - skip), number->data + skip, number->size - skip);
}

static inline void jwt_sign(char *text, const char *header, const char *payload,
                            gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm,
                            enum jwt_form form)
{
    gnutls_datum_t data, signature, r, s;
    int kind = gnutls_privkey_get_pk_algorithm(key, NULL);
    unsigned char raw[96];

    jwt_begin(text, header, payload);
    data = (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
    assert(gnutls_privkey_sign_data2(key, algorithm, 0, &data, &signature) == 0);
    if (kind == GNUTLS_PK_ECDSA && form == JWT_RAW) {
        size_t size = algorithm == GNUTLS_SIGN_ECDSA_SHA384 ? 48 : 32;
        assert(gnutls_decode_rs_value(&signature, &r, &s) == 0);
        jwt_pad(raw, size, &r);
        jwt_pad(raw + size, size, &s);
        jwt_end(text, raw, size * 2);
        gnutls_free(r.data);
        gnutls_free(s.data);
    } else {
        jwt_end(text, signature.data, signature.size);
    }
    gnutls_free(signature.data);
}

/* PEM of the public part; gnutls_free. */
static inline gnutls_datum_t jwt_public_pem(gnutls_privkey_t key)
{
    gnutls_pubkey_t public_key;
    gnutls_datum_t pem;

    assert(gnutls_pubkey_init(&public_key) == 0);
    assert(gnutls_pubkey_import_privkey(public_key, key, 0, 0) == 0);
    assert(gnutls_pubkey_export2(public_key, GNUTLS_X509_FMT_PEM, &pem) == 0);
    gnutls_pubkey_deinit(public_key);
    return pem;
}

/* A JWK of the public part; `more` stands inside, as `,"kid":"a"`. */
static inline void jwt_public_jwk(char *out, gnutls_privkey_t key, const char *more)
{
    gnutls_datum_t first, second = {NULL, 0};
    gnutls_ecc_curve_t curve;
    int kind = gnutls_privkey_get_pk_algorithm(key, NULL);
    unsigned char padded[48];

    out[0] = '\0';
    if (kind == GNUTLS_PK_RSA) {
        assert(gnutls_privkey_export_rsa_raw2(key, &first, &second, NULL, NULL, NULL, NULL, NULL,
                                              NULL, GNUTLS_EXPORT_FLAG_NO_LZ) == 0);
        strcpy(out, "{\"kty\":\"RSA\",\"n\":\"");
        jwt_add(out, first.data, first.size);
        strcat(out, "\",\"e\":\"");
        jwt_add(out, second.data, second.size);
    } else {
        size_t size = 32;
        assert(gnutls_privkey_export_ecc_raw(key, &curve, &first, &second, NULL) == 0);
        if (curve == GNUTLS_ECC_CURVE_SECP384R1)
            size = 48;
        sprintf(out, "{\"kty\":\"%s\",\"crv\":\"%s\",\"x\":\"", second.data ? "EC" : "OKP",
                !second.data ? "Ed25519" : size == 48 ? "P-384" : "P-256");
        jwt_pad(padded, size, &first);
        jwt_add(out, padded, size);
        if (second.data) {
            strcat(out, "\",\"y\":\"");
            jwt_pad(padded, size, &second);
            jwt_add(out, padded, size);
        }
    }
    strcat(out, "\"");
    strcat(out, more);
    strcat(out, "}");
    gnutls_free(first.data);
    gnutls_free(second.data);
}

/* Writes a file of its own; the caller unlinks and frees the path. */
static inline char *jwt_file(const void *data, size_t len)
{
    char *path = strdup("/tmp/tidings-key-XXXXXX");
    int fd = mkstemp(path);

    assert(fd >= 0);
    assert(write(fd, data, len) == (ssize_t)len);
    close(fd);
    return path;
}

#endif
