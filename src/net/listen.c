#include "net/listen.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/span.h"

/* Over loopback a segment has 64 KiB, and a proxy there whose window is smaller is fed by window
 * probes alone, seconds apart. On a network segments are smaller anyway. */
#define SEGMENT_BYTES_MAX 8192

static int fail(char *why, size_t why_size, const char *text, const char *what)
{
    snprintf(why, why_size, "cannot listen on %.100s: %s", text, what);
    return ERR_CONFIG;
}

/* Splits "host:port"; `host` empty for all addresses. */
static bool split(const char *text, char *host, size_t host_size, const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon[1] == '\0')
        return false;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= host_size)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    uint64_t port;
    return span_to_number(span_text(colon + 1), 65535, &port) == 0;
}

int endpoint_parse(const char *text, struct endpoint *ret, char *why, size_t why_size)
{
    char host[256];
    const char *port;
    if (!split(text, host, sizeof(host), &port))
        return fail(why, why_size, text, "not of the form address:port");
    struct addrinfo hints = {.ai_family = host[0] ? AF_UNSPEC : AF_INET,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int status = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (status != 0)
        return fail(why, why_size, text, gai_strerror(status));
    assert(found->ai_addrlen <= sizeof(ret->address));
    memcpy(&ret->address, found->ai_addr, found->ai_addrlen);
    ret->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static void endpoint_name(struct endpoint *endpoint)
{
    char host[INET6_ADDRSTRLEN];
    bool is_new = endpoint->address.ss_family == AF_INET6;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&endpoint->address;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&endpoint->address;
    const void *address = is_new ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr;
    unsigned port = ntohs(is_new ? six->sin6_port : four->sin_port);
    inet_ntop(endpoint->address.ss_family, address, host, sizeof(host));
    snprintf(endpoint->origin, sizeof(endpoint->origin), "%s://%s%s%s:%u",
             endpoint->secure ? "https" : "http", is_new ? "[" : "", host, is_new ? "]" : "", port);
}

static bool set_number(int fd, int level, int option, int number)
{
    return setsockopt(fd, level, option, &number, sizeof(number)) == 0;
}

static bool set_on(int fd, int level, int option)
{
    return set_number(fd, level, option, 1);
}

int endpoint_bind(struct endpoint *endpoint, char *why, size_t why_size, int *ret_fd)
{
    int family = endpoint->address.ss_family;
    endpoint_name(endpoint);
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* What is set here, accepted sockets inherit. */
    if (fd < 0 || !set_on(fd, SOL_SOCKET, SO_REUSEADDR) || !set_on(fd, SOL_SOCKET, SO_REUSEPORT) ||
        !set_on(fd, IPPROTO_TCP, TCP_NODELAY) ||
        !set_number(fd, IPPROTO_TCP, TCP_MAXSEG, SEGMENT_BYTES_MAX) ||
        (family == AF_INET6 && !set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
        bind(fd, (struct sockaddr *)&endpoint->address, endpoint->address_len) < 0 ||
        getsockname(fd, (struct sockaddr *)&endpoint->address, &endpoint->address_len) < 0) {
        fail(why, why_size, endpoint->origin, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    endpoint_name(endpoint);
    *ret_fd = fd;
    return 0;
}
