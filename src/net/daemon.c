/* The libmicrohttpd daemons of a worker, in external-epoll mode.
 *
 * The daemon's epoll is one persistent read event of the loop; a turn runs it once whatever made
 * it due, and again while it says that something is pending or has closed a connection in that
 * run. All its timeouts are off: a connection's deadlines are those of net/connection. */
#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/logging.h"
#include "net/connection.h"
#include "net/tls.h"

#define RUNS_MAX 8       /* of one daemon in one turn */
#define POOL_BYTES 32768 /* of a connection: the head of its request and of its answer */

static void on_log(void *context, const char *format, va_list args)
{
    char text[256];
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    /* What a hand-over looks like to it. */
    if (strstr(text, "Application reported internal error"))
        return;
    log_line(LOG_DEBUG, "libmicrohttpd", "says", text, NULL);
}

static void *on_uri(void *context, const char *uri, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!info || !info->socket_context)
        return NULL;
    return call_new(info->socket_context, uri ? uri : "");
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *len, void **call)
{
    return *call ? call_on_mhd(*call, method, url, version, data, len) : MHD_NO;
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **call,
                         enum MHD_RequestTerminationCode why)
{
    if (*call)
        call_release(*call);
    *call = NULL;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **connection,
                          enum MHD_ConnectionNotificationCode what)
{
    struct daemon *daemon = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *connection = connection_new(daemon, mhd);
        return;
    }
    daemon->closed++;
    if (*connection)
        connection_free(*connection);
    *connection = NULL;
}

/* Paths and queries are decoded by net/target, from the line as it was sent. */
static size_t on_unescape(void *context, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;
    worker_wake(daemon->worker);
    daemon->due = true;
}

static struct MHD_Daemon *daemon_start(struct daemon *daemon)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    if (log_is_on(LOG_DEBUG))
        flags |= MHD_USE_ERROR_LOG;
    struct MHD_OptionItem secure[TLS_OPTIONS_MAX] = {{MHD_OPTION_END, 0, NULL}};
    if (daemon->secure) {
        flags |= MHD_USE_TLS;
        tls_options(secure);
    } else {
        flags |= MHD_USE_TURBO;
    }
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, NULL, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, daemon, MHD_OPTION_UNESCAPE_CALLBACK,
        on_unescape, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)INT_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
        secure, MHD_OPTION_END);
}

int daemon_open(struct daemon *daemon, struct worker *worker, bool secure)
{
    daemon->worker = worker;
    daemon->secure = secure;
    daemon->mhd = daemon_start(daemon);
    if (!daemon->mhd)
        return ERR_IO;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || info->epoll_fd < 0)
        return ERR_IO;
    daemon->event =
        event_new(worker->base, info->epoll_fd, EV_READ | EV_PERSIST, on_readable, daemon);
    if (!daemon->event)
        return ERR_MEMORY;
    return event_add(daemon->event, NULL) < 0 ? ERR_IO : 0;
}

void daemon_run(struct daemon *daemon)
{
    assert(daemon->mhd);
    for (int run = 0; run < RUNS_MAX; run++) {
        daemon->due = false;
        daemon->closed = 0;
        MHD_run(daemon->mhd);
        MHD_UNSIGNED_LONG_LONG timeout;
        bool pending = MHD_get_timeout(daemon->mhd, &timeout) == MHD_YES && timeout == 0;
        if (!pending && !daemon->closed && !daemon->due)
            return;
    }
    daemon->due = true;
}

/* libmicrohttpd cannot stop while a connection is suspended. */
static void daemon_resume_all(struct daemon *daemon)
{
    for (struct connection *at = daemon->worker->connections; at; at = at->next) {
        if (at->daemon != daemon)
            continue;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(at->mhd, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);
        if (info && info->suspended)
            MHD_resume_connection(at->mhd);
    }
}

void daemon_close(struct daemon *daemon)
{
    if (daemon->event)
        event_free(daemon->event);
    daemon->event = NULL;
    if (!daemon->mhd)
        return;
    daemon_resume_all(daemon);
    MHD_stop_daemon(daemon->mhd);
    daemon->mhd = NULL;
}
