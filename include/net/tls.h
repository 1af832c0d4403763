/* TLS inside the server: the certificate in force, and how streams are written through it.
 *
 * MODEL  libmicrohttpd makes the handshakes and asks here for the certificate. A stream over TLS
 *        stays a suspended connection of libmicrohttpd for life; its records are written here.
 *        Certificate and key are read again by tls_reload; handshakes under way keep the old.
 * BOUNDS one record of at most 16 KiB a call; old certificates are kept for TLS_RETIRED_MS.
 * Floor: net. tls_reload on the main thread, the rest on the workers' threads. */
#ifndef TIDINGS_NET_TLS_H
#define TIDINGS_NET_TLS_H

#include <microhttpd.h>

#include "net/loop.h"

#define TLS_OPTIONS_MAX 4
#define TLS_RETIRED_MS 60000

/* ERR_CONFIG with `why`. */
MUST_CHECK int tls_new(const char *cert_path, const char *key_path, char *why, size_t why_size,
                       struct tls **ret);
struct tls *tls_free(struct tls *tls);
/* On failure the certificate in force stays. */
MUST_CHECK int tls_reload(struct tls *tls, char *why, size_t why_size);
/* Handshakes on this thread use `tls`. */
void tls_use(struct tls *tls);
/* What a TLS daemon is started with, ended by MHD_OPTION_END. */
void tls_options(struct MHD_OptionItem ret[TLS_OPTIONS_MAX]);

/* The connection of `call`, which is suspended, becomes a stream's. */
struct call;
MUST_CHECK int tls_take(struct call *call, struct stream *stream);
/* Finishes the record before, which comes before anything else. ERR_AGAIN, ERR_CLOSED. */
MUST_CHECK int tls_flush(struct stream *stream);
/* Makes one record of the first pieces. Bytes taken, which are GnuTLS' own from then on even if it
 * could not send them yet, or ERR_CLOSED. */
long tls_write(struct stream *stream, const struct iovec *pieces, int count);
/* Drops what comes in. ERR_AGAIN: nothing more for now; ERR_CLOSED; else bytes dropped. */
long tls_drop(struct stream *stream);
/* Sends close_notify. libmicrohttpd would try only once, and a peer whose queue is full just then
 * could not tell the end from a cut. ERR_AGAIN: repeat when writable; ERR_CLOSED. */
MUST_CHECK int tls_bye(struct stream *stream);
/* libmicrohttpd gets the connection back, to end it. */
void tls_give_back(struct stream *stream);

#endif
