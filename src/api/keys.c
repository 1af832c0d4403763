#include "api/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <gnutls/crypto.h>

#include "base/err.h"

static const char *const algorithm_names[KEY_ALGORITHM_COUNT] = {
    [KEY_HS256] = "HS256",
    [KEY_RS256] = "RS256",
    [KEY_ES256] = "ES256",
    [KEY_EDDSA] = "EdDSA",
};

const char *key_algorithm_name(enum key_algorithm algorithm)
{
    assert(algorithm < KEY_ALGORITHM_COUNT);
    return algorithm_names[algorithm];
}

int key_algorithm_parse(struct span text, enum key_algorithm *ret)
{
    for (int i = 0; i < KEY_ALGORITHM_COUNT; i++) {
        if (span_is(text, algorithm_names[i])) {
            *ret = (enum key_algorithm)i;
            return ERR_OK;
        }
    }
    return ERR_INVALID_FIELD;
}

void key_explain(const struct key_source *source, const char *format, ...)
{
    va_list arguments;
    int len = snprintf(source->why, source->why_size, "%s: ", source->name);

    if (len > 0 && (size_t)len < source->why_size) {
        va_start(arguments, format);
        vsnprintf(source->why + len, source->why_size - (size_t)len, format, arguments);
        va_end(arguments);
    }
}

static int copy_span(struct span text, struct span *ret)
{
    char *copy;

    *ret = span_of(NULL, 0);
    if (!text.data)
        return ERR_OK;
    copy = malloc(text.len + 1);
    if (!copy)
        return ERR_MEMORY;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *ret = span_of(copy, text.len);
    return ERR_OK;
}

static void wipe_and_free(void *memory, size_t len)
{
    if (memory)
        gnutls_memset(memory, 0, len);
    free(memory);
}

/* A place for a further key, which counts once keys->count is raised. */
static int next_key(struct keys *keys, struct span kid, const struct key_source *source,
                    struct key **ret)
{
    struct key *key;
    int err;

    if (keys->count == KEYS_MAX)
        return key_refuse(source, "more than %d keys in all", KEYS_MAX);
    key = &keys->items[keys->count];
    memset(key, 0, sizeof(*key));
    err = copy_span(kid, &key->kid);
    if (err)
        return err;
    *ret = key;
    return ERR_OK;
}

int keys_add_secret(struct keys *keys, struct span secret, struct span kid,
                    const struct key_source *source)
{
    struct key *key;
    struct span copy;
    int err;

    if (secret.len < KEY_SECRET_BYTES_MIN)
        return key_refuse(source, "a secret of %zu bytes; at least %d are needed", secret.len,
                          KEY_SECRET_BYTES_MIN);
    if (secret.len > KEY_SECRET_BYTES_MAX)
        return key_refuse(source, "a secret of %zu bytes; at most %d are taken", secret.len,
                          KEY_SECRET_BYTES_MAX);
    err = copy_span(secret, &copy);
    if (err)
        return err;
    err = next_key(keys, kid, source, &key);
    if (err) {
        wipe_and_free((char *)copy.data, copy.len);
        return err;
    }
    key->algorithm = KEY_HS256;
    key->secret = (unsigned char *)copy.data;
    key->secret_len = copy.len;
    keys->count++;
    return ERR_OK;
}

/* The algorithm that a public key is good for. */
static int public_algorithm(gnutls_pubkey_t public_key, const struct key_source *source,
                            enum key_algorithm *ret)
{
    gnutls_ecc_curve_t curve;
    unsigned bits = 0;
    int kind = gnutls_pubkey_get_pk_algorithm(public_key, &bits);

    switch (kind) {
    case GNUTLS_PK_RSA:
        if (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX)
            return key_refuse(source, "an RSA key of %u bits; %d to %d are taken", bits,
                              KEY_RSA_BITS_MIN, KEY_RSA_BITS_MAX);
        *ret = KEY_RS256;
        break;
    case GNUTLS_PK_ECDSA:
        if (gnutls_pubkey_export_ecc_raw(public_key, &curve, NULL, NULL) < 0 ||
            curve != GNUTLS_ECC_CURVE_SECP256R1)
            return key_refuse(source, "an EC key that is not on P-256");
        *ret = KEY_ES256;
        break;
    case GNUTLS_PK_EDDSA_ED25519:
        *ret = KEY_EDDSA;
        break;
    default:
        return key_refuse(source, "a key of a kind that is not supported (RSA, P-256 and "
                                  "Ed25519 are)");
    }
    if (gnutls_pubkey_verify_params(public_key) < 0)
        return key_refuse(source, "a key whose numbers are not valid");
    return ERR_OK;
}

int keys_add_public(struct keys *keys, gnutls_pubkey_t public_key, struct span kid,
                    const struct key_source *source)
{
    enum key_algorithm algorithm;
    struct key *key;
    int err;

    err = public_algorithm(public_key, source, &algorithm);
    if (!err)
        err = next_key(keys, kid, source, &key);
    if (err) {
        gnutls_pubkey_deinit(public_key);
        return err;
    }
    key->algorithm = algorithm;
    key->public_key = public_key;
    keys->count++;
    return ERR_OK;
}

/* At most KEY_FILE_BYTES_MAX; `*ret_data` owned by the caller, ended by NUL. */
static int read_all(FILE *file, const struct key_source *source, char **ret_data, size_t *ret_len)
{
    size_t len;
    char *data = malloc(KEY_FILE_BYTES_MAX + 1);

    if (!data)
        return ERR_MEMORY;
    len = fread(data, 1, KEY_FILE_BYTES_MAX + 1, file);
    if (ferror(file) || len > KEY_FILE_BYTES_MAX) {
        wipe_and_free(data, len);
        return ferror(file) ? key_refuse(source, "cannot be read")
                            : key_refuse(source, "larger than %d bytes", KEY_FILE_BYTES_MAX);
    }
    data[len] = '\0';
    *ret_data = data;
    *ret_len = len;
    return ERR_OK;
}

static int read_file(const struct key_source *source, char **ret_data, size_t *ret_len)
{
    FILE *file = fopen(source->name, "re");
    int err;

    if (!file)
        return key_refuse(source, "cannot be opened: %s", strerror(errno));
    /* No second copy of a secret in a buffer that is not wiped. */
    setvbuf(file, NULL, _IONBF, 0);
    err = read_all(file, source, ret_data, ret_len);
    fclose(file);
    return err;
}

static int read_secret_file(const struct key_source *source, char **ret)
{
    struct span line;
    size_t len;
    char *data;
    int err;

    err = read_file(source, &data, &len);
    if (err)
        return err;
    err = copy_span(span_of(data, strcspn(data, "\r\n")), &line);
    wipe_and_free(data, len);
    if (err)
        return err;
    *ret = (char *)line.data;
    return ERR_OK;
}

static bool is_set(const char *setting)
{
    return setting && *setting;
}

int keys_read_secret(const struct settings *settings, char *why, size_t why_size, char **ret)
{
    const struct key_source source = {settings->auth_secret_file, why, why_size};

    *ret = NULL;
    if (is_set(settings->auth_secret)) {
        *ret = strdup(settings->auth_secret);
        return *ret ? ERR_OK : ERR_MEMORY;
    }
    return is_set(settings->auth_secret_file) ? read_secret_file(&source, ret) : ERR_OK;
}

static int add_configured_secret(struct keys *keys, const struct settings *settings, char *why,
                                 size_t why_size)
{
    const struct key_source source = {
        is_set(settings->auth_secret) ? "auth.secret" : settings->auth_secret_file, why, why_size};
    char *secret;
    int err;

    err = keys_read_secret(settings, why, why_size, &secret);
    if (err || !secret)
        return err;
    err = keys_add_secret(keys, span_text(secret), span_of(NULL, 0), &source);
    wipe_and_free(secret, strlen(secret));
    return err;
}

static int add_file(struct keys *keys, const struct key_source *source,
                    int (*add)(struct keys *keys, struct span text,
                               const struct key_source *source))
{
    size_t len;
    char *data;
    int before = keys->count;
    int err;

    if (!is_set(source->name))
        return ERR_OK;
    err = read_file(source, &data, &len);
    if (err)
        return err;
    err = add(keys, span_of(data, len), source);
    if (!err && keys->count == before)
        err = key_refuse(source, "no usable key in it");
    wipe_and_free(data, len);
    return err;
}

static int fill(struct keys *keys, const struct settings *settings, char *why, size_t why_size)
{
    const struct key_source pem = {settings->auth_public_keys, why, why_size};
    const struct key_source jwks = {settings->auth_jwks_file, why, why_size};
    int err;

    err = add_configured_secret(keys, settings, why, why_size);
    if (!err)
        err = add_file(keys, &pem, keys_add_pem);
    if (!err)
        err = add_file(keys, &jwks, keys_add_jwks);
    if (!err && keys->count == 0) {
        snprintf(why, why_size, "no key for tokens: set auth.secret, auth.secret_file, "
                                "auth.public_keys or auth.jwks_file");
        err = ERR_CONFIG;
    }
    return err;
}

int keys_new(const struct settings *settings, char *why, size_t why_size, struct keys **ret)
{
    struct keys *keys;
    int err;

    assert(why_size >= 256);
    why[0] = '\0';
    keys = calloc(1, sizeof(*keys));
    if (!keys)
        return ERR_MEMORY;
    keys->refs = 1;
    err = fill(keys, settings, why, why_size);
    if (err) {
        keys_unref(keys);
        return err;
    }
    *ret = keys;
    return ERR_OK;
}

struct keys *keys_ref(struct keys *keys)
{
    unsigned before = __atomic_fetch_add(&keys->refs, 1, __ATOMIC_RELAXED);

    assert(before > 0);
    return keys;
}

struct keys *keys_unref(struct keys *keys)
{
    if (!keys || __atomic_sub_fetch(&keys->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return NULL;
    for (int i = 0; i < keys->count; i++) {
        struct key *key = &keys->items[i];
        wipe_and_free(key->secret, key->secret_len);
        if (key->public_key)
            gnutls_pubkey_deinit(key->public_key);
        free((char *)key->kid.data);
    }
    free(keys);
    return NULL;
}
