/* The server: listeners, workers, the one limit of connections, drain.
 *
 * MODEL
 *        STARTING --listening--> SERVING --SIGTERM--> NOTICE (readyz 503, all else goes on)
 *           --drain.notice--> ENDING (streams end over drain.spread, answers close)
 *           --all gone, or the spread and a grace--> CLOSING (each listener hears nobody new,
 *             accepts until EAGAIN, answers those) --> STOPPED
 * BOUNDS limits.connections for the process, of which limits.connections_reserve are kept for
 *        short requests and `busy`; beyond all of it a raw 503. The listeners never stop
 *        accepting before CLOSING.
 * Floor: net. server_run on the main thread; the rest from any thread. */
#ifndef TIDINGS_NET_SERVER_H
#define TIDINGS_NET_SERVER_H

#include "base/settings.h"
#include "net/http.h"

struct server;

enum server_state { SERVER_STARTING, SERVER_SERVING, SERVER_NOTICE, SERVER_ENDING,
                    SERVER_CLOSING, SERVER_STOPPED };

/* `settings` and `app` are borrowed for life. Binds the listeners. On failure `why` (at least
 * 256 bytes) says so for the operator: ERR_CONFIG, ERR_IO, ERR_MEMORY. */
MUST_CHECK int server_new(const struct settings *settings, const struct http_app *app, char *why,
                          size_t why_size, struct server **ret);
/* After server_run has returned, or instead of it. */
struct server *server_free(struct server *server);
/* Starts the workers, prints `listening on …` lines on stdout, returns when drained. SIGTERM and
 * SIGINT drain; a second one ends at once: requests under way get no answer, streams are cut.
 * SIGHUP calls `on_reload`. These three are ignored once it has returned. */
MUST_CHECK int server_run(struct server *server, void (*on_reload)(void *context), void *context);

/* As SIGTERM: drains, from any thread; a second call ends at once. */
void server_stop(struct server *server);

enum server_state server_state(const struct server *server);
int server_worker_count(const struct server *server);
/* True when only the reserve is left; see request_may_stay. */
bool server_is_full(const struct server *server);
const struct settings *server_settings(const struct server *server);
/* The https or http origin of its first listener, as "http://127.0.0.1:8080". */
const char *server_origin(const struct server *server);

#endif
