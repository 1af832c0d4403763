/* `journal.url` of a journal over Redis.
 *
 *   redis://[[user]:password@]host[:port][/database]
 *   redis+unix://[[user]:password@]/path/of/socket
 *   redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/master-name
 *   redis+cluster://[[user]:password@]host[:port][,host[:port]…]
 *
 * User and password are percent-decoded, and never logged: nothing that is said about an address
 * repeats a part of it. An IPv6 address stands in brackets.
 * Floor: store. Pure. */
#ifndef TIDINGS_STORE_REDIS_URL_H
#define TIDINGS_STORE_REDIS_URL_H

#include "base/attr.h"
#include "base/span.h"

#define REDIS_HOSTS_MAX 16
#define REDIS_NAME_BYTES_MAX 256

enum redis_kind { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_host {
    char name[REDIS_NAME_BYTES_MAX]; /* of a host, or with port 0 the path of a socket */
    int port;                        /* default 6379, of a Sentinel 26379 */
};

struct redis_url {
    enum redis_kind kind;
    struct redis_host hosts[REDIS_HOSTS_MAX];
    int host_count;                      /* at least 1 */
    char user[REDIS_NAME_BYTES_MAX];     /* "": the default one */
    char password[REDIS_NAME_BYTES_MAX]; /* "" without a user: none */
    char master[REDIS_NAME_BYTES_MAX];   /* of a Sentinel */
    int database;                        /* 0 to 15, SINGLE alone */
};

/* True for the schemes above, well-formed or not. */
bool redis_url_is(struct span text);
/* ERR_CONFIG; then `why` (at least 128 bytes) says what is wrong with it. */
MUST_CHECK int redis_url_parse(struct span text, char *why, size_t why_size, struct redis_url *ret);

#endif
