/* The gate: requests that proxies and servers could read differently are refused.
 *
 * WHY    libmicrohttpd 0.9.75 accepts several of them (two Content-Lengths, Content-Length with
 *        Transfer-Encoding, names that end with a blank, …), which lets a request be smuggled
 *        through a proxy.
 * MODEL  pure: fed with each header in turn, then asked. RFC 9112 section 6.3, RFC 9110
 *        section 5. Folded headers, bare LF and what follows a NUL the library hides from us:
 *        those are a proxy's to refuse.
 * BOUNDS HEADERS_MAX headers, then ERR_HEAD_TOO_LARGE.
 * Floor: net. */
#ifndef TIDINGS_NET_GATE_H
#define TIDINGS_NET_GATE_H

#include "base/span.h"

struct gate {
    int count;             /* headers seen */
    uint32_t seen;         /* bit set of the headers that may come once */
    bool has_length;       /* Content-Length */
    bool has_encoding;     /* Transfer-Encoding */
    bool encoding_unknown; /* which is not `chunked` */
    uint64_t length;       /* value of Content-Length */
    int err;               /* first fault found; ERR_OK */
};

void gate_init(struct gate *gate);
void gate_header(struct gate *gate, struct span name, struct span value);
/* ERR_OK, ERR_HEAD_TOO_LARGE or ERR_INVALID_REQUEST (400); after an error the connection must be
 * closed. `http_1_0`: the request's version is 1.0. */
MUST_CHECK int gate_verdict(const struct gate *gate, bool http_1_0);

#endif
