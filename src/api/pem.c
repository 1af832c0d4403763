#include "api/keys.h"

#include <gnutls/x509.h>

#include "base/err.h"

#define BEGIN "-----BEGIN "
#define DASHES "-----"
#define END "-----END "

/* Where `text` stands in `within`, as an offset; within.len when it does not. */
static size_t offset_of(struct span within, const char *text)
{
    const char *at = memmem(within.data, within.len, text, strlen(text));

    return at ? (size_t)(at - within.data) : within.len;
}

/* Cuts the first block off `*rest`: its label and the whole of it. `ret_label->data` is NULL
 * when there is none left. */
static int next_block(struct span *rest, const struct key_source *source, struct span *ret_label,
                      struct span *ret_block)
{
    size_t begin_at = offset_of(*rest, BEGIN), end_at, tail;
    struct span label, after;
    const char *begin;

    *ret_label = span_of(NULL, 0);
    if (begin_at == rest->len)
        return ERR_OK;
    label = span_of(rest->data + begin_at + strlen(BEGIN),
                    rest->len - begin_at - strlen(BEGIN));
    after = label;
    label.len = offset_of(label, DASHES);
    end_at = offset_of(after, END);
    if (label.len > 40 || end_at == after.len)
        return key_refuse(source, "a block that does not end");
    after = span_of(after.data + end_at + strlen(END), after.len - end_at - strlen(END));
    tail = label.len + strlen(DASHES);
    if (!span_starts_with(after, label) || after.len < tail ||
        memcmp(after.data + label.len, DASHES, strlen(DASHES)) != 0)
        return key_refuse(source, "a block that ends as another than it began");
    begin = rest->data + begin_at;
    *ret_block = span_of(begin, (size_t)(after.data + tail - begin));
    *ret_label = label;
    *rest = span_of(after.data + tail, after.len - tail);
    return ERR_OK;
}

static int import_certificate(gnutls_pubkey_t public_key, const gnutls_datum_t *pem)
{
    gnutls_x509_crt_t certificate;
    int failed = gnutls_x509_crt_init(&certificate);

    if (failed < 0)
        return failed;
    failed = gnutls_x509_crt_import(certificate, pem, GNUTLS_X509_FMT_PEM);
    if (failed >= 0)
        failed = gnutls_pubkey_import_x509(public_key, certificate, 0);
    gnutls_x509_crt_deinit(certificate);
    return failed;
}

static int add_block(struct keys *keys, struct span label, struct span block,
                     const struct key_source *source)
{
    const gnutls_datum_t pem = {(unsigned char *)block.data, (unsigned)block.len};
    bool is_certificate = span_is(label, "CERTIFICATE");
    gnutls_pubkey_t public_key;
    int failed;

    if (!is_certificate && !span_is(label, "PUBLIC KEY"))
        return key_refuse(source, "a block `%.*s`; PUBLIC KEY and CERTIFICATE are taken",
                          SPAN_ARGS(label));
    if (gnutls_pubkey_init(&public_key) < 0)
        return ERR_MEMORY;
    failed = is_certificate ? import_certificate(public_key, &pem)
                            : gnutls_pubkey_import(public_key, &pem, GNUTLS_X509_FMT_PEM);
    if (failed < 0) {
        gnutls_pubkey_deinit(public_key);
        return key_refuse(source, "a block `%.*s` that cannot be read: %s", SPAN_ARGS(label),
                          gnutls_strerror(failed));
    }
    return keys_add_public(keys, public_key, span_of(NULL, 0), source);
}

int keys_add_pem(struct keys *keys, struct span text, const struct key_source *source)
{
    struct span label, block;

    for (;;) {
        int err = next_block(&text, source, &label, &block);
        if (err || !label.data)
            return err;
        err = add_block(keys, label, block, source);
        if (err)
            return err;
    }
}
