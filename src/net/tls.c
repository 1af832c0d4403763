#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "base/err.h"
#include "net/connection.h"

#define CHAIN_MAX 16        /* certificates of one chain */
#define RECORD_BYTES 16384  /* the most one record of TLS holds */

/* A certificate chain with its key. */
struct identity {
    struct identity *next; /* older one that handshakes may still use */
    int64_t retired_ms;    /* 0: in force */
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
};

struct tls {
    const char *cert_path, *key_path;     /* borrowed */
    _Atomic(struct identity *) identity;  /* in force; owned with those behind it */
};

/* A stream's connection, as libmicrohttpd and GnuTLS know it. */
struct stream_tls {
    struct connection *connection;
    gnutls_session_t session;
    bool pending; /* GnuTLS holds a record that it has not sent whole */
};

static _Thread_local struct tls *tls_of_thread;

static struct identity *identity_free(struct identity *identity)
{
    if (!identity)
        return NULL;
    for (unsigned i = 0; i < identity->count; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key)
        gnutls_privkey_deinit(identity->key);
    free(identity);
    return NULL;
}

static int identity_fail(struct identity *identity, const char *path, int status, char *why,
                         size_t why_size)
{
    snprintf(why, why_size, "%s: %s", path, gnutls_strerror(status));
    identity_free(identity);
    return ERR_CONFIG;
}

static int key_load(const char *path, gnutls_privkey_t key)
{
    gnutls_datum_t data;
    int status = gnutls_load_file(path, &data);
    if (status < 0)
        return status;
    status = gnutls_privkey_import_x509_raw(key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(data.data, 0, data.size);
    gnutls_free(data.data);
    return status;
}

static int chain_load(const char *path, struct identity *identity)
{
    gnutls_datum_t data;
    int status = gnutls_load_file(path, &data);
    if (status < 0)
        return status;
    unsigned count = CHAIN_MAX;
    status = gnutls_pcert_list_import_x509_raw(identity->chain, &count, &data,
                                               GNUTLS_X509_FMT_PEM, 0);
    gnutls_free(data.data);
    if (status >= 0)
        identity->count = count;
    return status;
}

static int key_fits(const struct identity *identity)
{
    gnutls_pubkey_t of_key = NULL;
    unsigned char a[64], b[64];
    size_t a_len = sizeof(a), b_len = sizeof(b);
    int status = gnutls_pubkey_init(&of_key);
    if (status >= 0)
        status = gnutls_pubkey_import_privkey(of_key, identity->key, 0, 0);
    if (status >= 0)
        status = gnutls_pubkey_get_key_id(of_key, GNUTLS_KEYID_USE_SHA256, a, &a_len);
    if (status >= 0)
        status = gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b,
                                          &b_len);
    if (status >= 0 && (a_len != b_len || memcmp(a, b, a_len) != 0))
        status = GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
    if (of_key)
        gnutls_pubkey_deinit(of_key);
    return status;
}

static int identity_load(const struct tls *tls, char *why, size_t why_size, struct identity **ret)
{
    struct identity *identity = calloc(1, sizeof(*identity));
    if (!identity || gnutls_privkey_init(&identity->key) < 0) {
        snprintf(why, why_size, "out of memory");
        free(identity);
        return ERR_MEMORY;
    }
    int status = chain_load(tls->cert_path, identity);
    if (status < 0 || identity->count == 0)
        return identity_fail(identity, tls->cert_path, status, why, why_size);
    if ((status = key_load(tls->key_path, identity->key)) < 0 ||
        (status = key_fits(identity)) < 0)
        return identity_fail(identity, tls->key_path, status, why, why_size);
    *ret = identity;
    return 0;
}

int tls_new(const char *cert_path, const char *key_path, char *why, size_t why_size,
            struct tls **ret)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    if (!tls) {
        snprintf(why, why_size, "out of memory");
        return ERR_MEMORY;
    }
    tls->cert_path = cert_path;
    tls->key_path = key_path;
    struct identity *identity;
    int err = identity_load(tls, why, why_size, &identity);
    if (err) {
        free(tls);
        return err;
    }
    atomic_init(&tls->identity, identity);
    *ret = tls;
    return 0;
}

struct tls *tls_free(struct tls *tls)
{
    if (!tls)
        return NULL;
    struct identity *identity = atomic_load(&tls->identity);
    while (identity) {
        struct identity *next = identity->next;
        identity_free(identity);
        identity = next;
    }
    free(tls);
    return NULL;
}

/* Handshakes are over within http.head_timeout, so what was retired long ago is not in use. */
static void identity_drop_retired(struct identity *identity, int64_t now_ms)
{
    while (identity->next) {
        struct identity *old = identity->next;
        if (now_ms - old->retired_ms < TLS_RETIRED_MS) {
            identity = old;
            continue;
        }
        identity->next = old->next;
        identity_free(old);
    }
}

int tls_reload(struct tls *tls, char *why, size_t why_size)
{
    struct identity *identity;
    int err = identity_load(tls, why, why_size, &identity);
    if (err)
        return err;
    struct identity *old = atomic_load(&tls->identity);
    old->retired_ms = clock_now_ms();
    identity->next = old;
    identity_drop_retired(identity, old->retired_ms);
    atomic_store(&tls->identity, identity);
    return 0;
}

void tls_use(struct tls *tls)
{
    tls_of_thread = tls;
}

static int on_certificate(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
                          const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                          gnutls_pcert_st **chain, unsigned *count, gnutls_privkey_t *key)
{
    assert(tls_of_thread);
    struct identity *identity = atomic_load(&tls_of_thread->identity);
    *chain = identity->chain;
    *count = identity->count;
    *key = identity->key;
    return 0;
}

void tls_options(struct MHD_OptionItem ret[TLS_OPTIONS_MAX])
{
    static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    ret[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)on_certificate};
    ret[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)priorities};
    ret[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

int tls_take(struct call *call, struct stream *stream)
{
    struct connection *connection = call->connection;
    struct worker *worker = connection->worker;
    if (!worker->tls_record && !(worker->tls_record = malloc(RECORD_BYTES)))
        return ERR_BUSY;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!info || !info->tls_session)
        return ERR_BUSY;
    struct stream_tls *tls = malloc(sizeof(*tls));
    if (!tls)
        return ERR_BUSY;
    *tls = (struct stream_tls){.connection = connection, .session = info->tls_session};
    stream->tls = tls;
    return 0;
}

static long tls_result(ssize_t status)
{
    if (status >= 0)
        return status;
    if (status == GNUTLS_E_AGAIN || status == GNUTLS_E_INTERRUPTED)
        return ERR_AGAIN;
    return ERR_CLOSED;
}

static size_t record_fill(char *record, const struct iovec *pieces, int count)
{
    size_t len = 0;
    for (int i = 0; i < count && len < RECORD_BYTES; i++) {
        size_t part = pieces[i].iov_len;
        if (part > RECORD_BYTES - len)
            part = RECORD_BYTES - len;
        memcpy(record + len, pieces[i].iov_base, part);
        len += part;
    }
    return len;
}

int tls_flush(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;
    if (!tls->pending)
        return 0;
    /* The record is GnuTLS' own by now: only finished, not given again. */
    long sent = tls_result(gnutls_record_send(tls->session, NULL, 0));
    if (sent < 0)
        return (int)sent;
    tls->pending = false;
    return 0;
}

long tls_write(struct stream *stream, const struct iovec *pieces, int count)
{
    struct stream_tls *tls = stream->tls;
    assert(!tls->pending);
    char *record = stream->worker->tls_record;
    size_t len = record_fill(record, pieces, count);
    long sent = tls_result(gnutls_record_send(tls->session, record, len));
    if (sent != ERR_AGAIN)
        return sent;
    tls->pending = true;
    stream->writable = false;
    return (long)len;
}

long tls_drop(struct stream *stream)
{
    char waste[4096];
    long len = tls_result(gnutls_record_recv(stream->tls->session, waste, sizeof(waste)));
    return len == 0 ? ERR_CLOSED : len;
}

int tls_bye(struct stream *stream)
{
    return (int)tls_result(gnutls_bye(stream->tls->session, GNUTLS_SHUT_WR));
}

void tls_give_back(struct stream *stream)
{
    struct connection *connection = stream->tls->connection;
    free(stream->tls);
    stream->tls = NULL;
    MHD_resume_connection(connection->mhd);
    connection->daemon->due = true;
}
