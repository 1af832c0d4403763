/* Addresses to listen on, bound once for each worker (SO_REUSEPORT).
 *
 * MODEL  "127.0.0.1:8080", "[::1]:80", ":8080" (all IPv4 addresses), "localhost:0". The first
 *        worker's socket settles the port when it is 0. Bound in server_new, so that what is wrong
 *        is known early; listening starts with the workers.
 * Floor: net. On the main thread. */
#ifndef TIDINGS_NET_LISTEN_H
#define TIDINGS_NET_LISTEN_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <stdbool.h>

#include "base/attr.h"

#define LISTEN_NAME_BYTES 80 /* "https://[…]:65535" */

struct endpoint {
    struct sockaddr_storage address;
    socklen_t address_len;
    bool admin;
    bool secure;                  /* speaks TLS */
    char origin[LISTEN_NAME_BYTES];
};

/* Resolves `text`; ERR_CONFIG with `why`. */
MUST_CHECK int endpoint_parse(const char *text, struct endpoint *ret, char *why, size_t why_size);
/* A bound socket; settles the port and the origin of `endpoint`. ERR_IO with `why`. */
MUST_CHECK int endpoint_bind(struct endpoint *endpoint, char *why, size_t why_size, int *ret_fd);

#endif
