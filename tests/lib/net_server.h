/* A server with a tiny application, in a thread of the test: for tests of the net floor.
 *
 * MODEL  GET /hello answers at once, /wait waits in libmicrohttpd until /go, /park moves out and
 *        waits until /go, /stream becomes a stream that /say writes to, /echo gives the body back,
 *        /big gives BIG_BYTES, /json a JSON text of 5,000 bytes, /refuse answers 403 in on_head.
 * One at a time, but for a hand-on. */
#ifndef TIDINGS_TESTS_NET_SERVER_H
#define TIDINGS_TESTS_NET_SERVER_H

#include <stddef.h>

#include "base/settings.h"
#include "net/server.h"

#define BIG_BYTES 3000000

/* Sensible settings for a test, one worker, port 0; change, then start. */
struct settings net_settings(void);
void net_start(const struct settings *settings);
/* Drains and waits for the end; fails the test unless nothing is left behind. */
void net_stop(void);
/* Without the wait. */
void net_stop_soon(void);
void net_join(void);
/* Starts another on the same port, then drains the first. */
void net_hand_on(const struct settings *settings);
/* The application no longer remembers who waits. */
void net_forget_waiting(void);
int net_port(void);
struct server *net_server(void);

/* A connection to it, with 5 s for each step. */
int net_connect(void);
/* With a receive buffer of its own, set before a window is told; 0: the system's. */
int net_connect_small(int receive_bytes);
void net_send(int fd, const char *text);
/* Reads until `until` stands in the text, or to the end when it is NULL. Returns a static text,
 * "" when the peer had closed, and fails the test after 5 s. `*ret_reset` (may be NULL): the end
 * was a reset. */
const char *net_read(int fd, const char *until, int *ret_reset);
/* One request on a connection of its own; the whole answer. */
const char *net_ask(const char *request);
/* Waits up to 5 s until so many connections, streams and requests are held. */
void net_wait_connections(int count);
void net_wait_streams(int count);
void net_wait_waiting(int count);
/* Likewise for what has come since net_start: heads of requests, and SIGHUPs carried out. */
void net_wait_heads(int count);
void net_wait_reloads(int count);
/* How often on_end was called, minus on_head; 0 when all is in order. */
int net_open_requests(void);
int net_gone_count(void);

#endif
