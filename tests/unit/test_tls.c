/* The same over TLS: requests, streams that stay with libmicrohttpd, the certificate's reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/attr.h"
#include "base/deadline.h"
#include "net_server.h"

#define H " HTTP/1.1\r\nHost: x\r\n"
#define CLOSE H "Connection: close\r\n"
#define STREAM "GET /stream" H "\r\n"

static char folder[] = "/tmp/tidings-tls-XXXXXX";
static char cert_path[64], key_path[64];
static gnutls_certificate_credentials_t credentials;

/* -- certificates --------------------------------------------------------------------------- */

static void write_file(const char *path, const gnutls_datum_t *text)
{
    FILE *file = fopen(path, "w");
    assert_true(file && fwrite(text->data, 1, text->size, file) == text->size);
    fclose(file);
}

static void make_certificate(const char *name)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    gnutls_datum_t text;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&cert);
    assert_true(gnutls_x509_privkey_generate(
                    key, GNUTLS_PK_ECDSA,
                    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, "\x01", 1);
    gnutls_x509_crt_set_activation_time(cert, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 3600);
    gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                  (unsigned)strlen(name));
    gnutls_x509_crt_set_key(cert, key);
    assert_true(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0) >= 0);
    assert_true(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &text) >= 0);
    write_file(cert_path, &text);
    gnutls_free(text.data);
    assert_true(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text) >= 0);
    write_file(key_path, &text);
    gnutls_free(text.data);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

static int make_folder(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", folder);
    snprintf(key_path, sizeof(key_path), "%s/key.pem", folder);
    gnutls_certificate_allocate_credentials(&credentials);
    make_certificate("first");
    return 0;
}

static int remove_folder(void **state)
{
    gnutls_certificate_free_credentials(credentials);
    unlink(cert_path);
    unlink(key_path);
    return rmdir(folder);
}

/* -- a client ------------------------------------------------------------------------------- */

struct client {
    int fd;
    gnutls_session_t session;
    bool ended; /* by close_notify */
};

static void client_open(struct client *client)
{
    *client = (struct client){.fd = net_connect()};
    gnutls_init(&client->session, GNUTLS_CLIENT);
    gnutls_set_default_priority(client->session);
    gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(client->session, client->fd);
    gnutls_handshake_set_timeout(client->session, 5000);
    int status;
    while ((status = gnutls_handshake(client->session)) < 0)
        if (gnutls_error_is_fatal(status))
            fail_msg("handshake: %s", gnutls_strerror(status));
}

static void client_close(struct client *client)
{
    gnutls_deinit(client->session);
    close(client->fd);
}

static void client_send(struct client *client, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t sent = gnutls_record_send(client->session, text, len);
        if (sent < 0)
            fail_msg("send: %s", gnutls_strerror((int)sent));
        text += sent;
        len -= (size_t)sent;
    }
}

/* As net_read. */
static const char *client_read(struct client *client, const char *until)
{
    static char text[BIG_BYTES + 65536];
    size_t len = 0;
    text[0] = '\0';
    while (!until || !strstr(text, until)) {
        ssize_t got = gnutls_record_recv(client->session, text + len, sizeof(text) - 1 - len);
        if (got == GNUTLS_E_INTERRUPTED)
            continue;
        if (got < 0)
            fail_msg("read: %s, after \"%.300s\"", gnutls_strerror((int)got), text);
        client->ended = got == 0;
        if (got == 0)
            break;
        len += (size_t)got;
        text[len] = '\0';
    }
    return text;
}

static const char *ask(const char *request)
{
    struct client client;
    client_open(&client);
    client_send(&client, request);
    const char *text = client_read(&client, NULL);
    assert_true(client.ended);
    client_close(&client);
    return text;
}

static const char *say(size_t len)
{
    static char request[70000];
    int head = snprintf(request, sizeof(request), "POST /say" CLOSE "Content-Length: %zu\r\n\r\n",
                        len);
    memset(request + head, 'x', len);
    request[(size_t)head + len] = '\0';
    return ask(request);
}

/* -- requests ------------------------------------------------------------------------------- */

static void requests_are_answered(void **state)
{
    struct client client;
    client_open(&client);
    for (int i = 0; i < 3; i++) {
        client_send(&client, "GET /hello" H "\r\n");
        assert_non_null(strstr(client_read(&client, "hello"), " 200 OK\r\n"));
    }
    client_send(&client, "GET /about" H "\r\n");
    client_read(&client, "secure=1");
    client_send(&client, "GET /wait" H "\r\n");
    net_wait_waiting(1);
    ask("GET /go" CLOSE "\r\n");
    client_read(&client, "went");
    client_send(&client, "GET /big" CLOSE "\r\n");
    const char *text = client_read(&client, NULL);
    assert_true(client.ended);
    assert_int_equal(strlen(strstr(text, "\r\n\r\n") + 4), BIG_BYTES);
    client_close(&client);
    assert_non_null(strstr(ask("GET /hello HTTP/1.1\r\n\r\n"), " 400 "));
    assert_non_null(strstr(ask("POST /echo" H "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
                           " 400 "));
    net_wait_connections(0);
}

static void plain_text_is_turned_away(void **state)
{
    int fd = net_connect(), reset;
    net_send(fd, "GET /hello" H "\r\n");
    assert_null(strstr(net_read(fd, NULL, &reset), "hello"));
    close(fd);
    net_wait_connections(0);
}

/* -- streams -------------------------------------------------------------------------------- */

static void streams_work(void **state)
{
    static const char *const requests[] = {STREAM, "GET /hello" H "\r\n" STREAM,
                                           STREAM "GET /hello" H "\r\n",
                                           "GET /early-stream" H "\r\n",
                                           "POST /early-stream" H "Content-Length: 9\r\n\r\nab",
                                           "POST /stream" H "Content-Length: 2\r\n\r\nab",
                                           "GET /later-stream" H "\r\n"};
    for (size_t i = 0; i < array_count(requests); i++) {
        struct client client;
        client_open(&client);
        client_send(&client, requests[i]);
        if (strstr(requests[i], "later")) {
            net_wait_waiting(1);
            ask("GET /go" CLOSE "\r\n");
        }
        const char *text = client_read(&client, "event: connected\n\n");
        assert_non_null(strstr(text, "text/event-stream"));
        for (int round = 0; round < 3; round++) {
            ask("POST /say" CLOSE "Content-Length: 8\r\n\r\ndata: x\n");
            client_read(&client, "data: x\n");
        }
        ask("POST /end" CLOSE "\r\n");
        assert_string_equal(client_read(&client, NULL), "");
        assert_true(client.ended);
        client_close(&client);
        net_wait_streams(0);
        net_wait_connections(0);
    }
}

static void slow_readers_get_all(void **state)
{
    struct client client;
    client_open(&client);
    int small = 4096;
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    client_send(&client, STREAM);
    net_wait_streams(1);
    for (int i = 0; i < 4; i++)
        assert_non_null(strstr(say(60000), " 200 "));
    ask("POST /end" CLOSE "\r\n");
    /* A turn later it is still there. */
    ask("GET /hello" CLOSE "\r\n");
    net_wait_streams(1);
    const char *text = strstr(client_read(&client, NULL), "connected\n\n");
    assert_non_null(text);
    assert_int_equal(strlen(text + strlen("connected\n\n")), 240000);
    assert_true(client.ended);
    client_close(&client);
    net_wait_streams(0);
    net_wait_connections(0);
}

static void peers_leave(void **state)
{
    static const char *const requests[] = {STREAM, "GET /park" H "\r\n",
                                           "GET /later-stream" H "\r\n"};
    for (size_t i = 0; i < array_count(requests); i++) {
        for (int how = 0; how < 4; how++) {
            struct client client;
            struct linger hard = {.l_onoff = 1};
            client_open(&client);
            client_send(&client, requests[i]);
            i == 0 ? net_wait_streams(1) : net_wait_waiting(1);
            if (how == 0)
                setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
            if (how == 1)
                gnutls_bye(client.session, GNUTLS_SHUT_WR);
            if (how == 2)
                shutdown(client.fd, SHUT_WR);
            client_close(&client);
            if (i == 2)
                ask("GET /go" CLOSE "\r\n");
            net_wait_streams(0);
            net_wait_waiting(0);
            net_wait_connections(0);
        }
    }
}

static void peers_leave_in_the_middle_of_a_write(void **state)
{
    for (int how = 0; how < 2; how++) {
        struct client client;
        int small = 4096;
        client_open(&client);
        setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        client_send(&client, STREAM);
        net_wait_streams(1);
        for (int i = 0; i < 4; i++)
            say(60000);
        if (how == 0)
            ask("POST /cut" CLOSE "\r\n");
        client_close(&client);
        net_wait_streams(0);
        net_wait_connections(0);
    }
}

static void parked_requests_are_answered(void **state)
{
    struct client client;
    client_open(&client);
    client_send(&client, "GET /park" H "\r\n");
    net_wait_waiting(1);
    ask("GET /go" CLOSE "\r\n");
    assert_non_null(strstr(client_read(&client, NULL), "\r\n\r\nwent"));
    assert_true(client.ended);
    client_close(&client);
    net_wait_connections(0);
}

static void drains(void **state)
{
    struct client client;
    client_open(&client);
    client_send(&client, STREAM);
    client_read(&client, "event: connected\n\n");
    net_stop_soon();
    assert_string_equal(client_read(&client, NULL), "event: reconnect\n\n");
    assert_true(client.ended);
    client_close(&client);
    net_join();
}

/* -- OpenSSL -------------------------------------------------------------------------------- */

/* OpenSSL tells an end without close_notify apart; Python's ssl is OpenSSL. */
static const char openssl_client[] =
    "import socket, ssl, sys\n"
    "context = ssl.create_default_context()\n"
    "context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n"
    "plain = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)\n"
    "with context.wrap_socket(plain, suppress_ragged_eofs=False) as secure:\n"
    "    secure.sendall(sys.argv[2].encode())\n"
    "    text = b''\n"
    "    while True:\n"
    "        part = secure.recv(65536)\n"
    "        if not part: break\n"
    "        text += part\n"
    "        if b'connected\\n\\n' in text and len(sys.argv) > 4:\n"
    "            other = context.wrap_socket(socket.create_connection("
    "('127.0.0.1', int(sys.argv[1])), 5))\n"
    "            other.sendall(sys.argv.pop().encode())\n"
    "            while other.recv(1000): pass\n"
    "sys.exit(0 if sys.argv[3].encode() in text else 1)\n";

static void run_openssl(const char *request, const char *answer, const char *then)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", net_port());
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/usr/bin/python3", "python3", "-c", openssl_client, port, request, answer, then,
              NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void openssl_sees_the_end(void **state)
{
    run_openssl("GET /hello" CLOSE "\r\n", "hello", NULL);
    run_openssl("GET /big" CLOSE "\r\n", "xxxx", NULL);
    run_openssl(STREAM, "connected", "POST /end" CLOSE "\r\n");
    run_openssl(STREAM "GET /hello" H "\r\n", "connected", "POST /end" CLOSE "\r\n");
    net_wait_streams(0);
    net_wait_connections(0);
}

/* -- certificates --------------------------------------------------------------------------- */

static void certificate_name(char *name, size_t size)
{
    struct client client;
    gnutls_x509_crt_t cert;
    unsigned count;
    client_open(&client);
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(client.session, &count);
    assert_non_null(chain);
    gnutls_x509_crt_init(&cert);
    gnutls_x509_crt_import(cert, chain, GNUTLS_X509_FMT_DER);
    gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size);
    gnutls_x509_crt_deinit(cert);
    client_close(&client);
}

static void wait_certificate(const char *expected)
{
    char name[64] = "";
    for (int i = 0; i < 100 && strcmp(name, expected) != 0; i++) {
        usleep(10000);
        certificate_name(name, sizeof(name));
    }
    assert_string_equal(name, expected);
}

static void certificates_are_reloaded(void **state)
{
    struct client client;
    wait_certificate("first");
    client_open(&client);
    client_send(&client, STREAM);
    client_read(&client, "event: connected\n\n");
    make_certificate("second");
    kill(getpid(), SIGHUP);
    wait_certificate("second");
    ask("POST /say" CLOSE "Content-Length: 8\r\n\r\ndata: x\n");
    client_read(&client, "data: x\n");
    /* What cannot be read changes nothing. */
    gnutls_datum_t rubbish = {(unsigned char *)"rubbish", 7};
    write_file(key_path, &rubbish);
    kill(getpid(), SIGHUP);
    net_wait_reloads(2);
    wait_certificate("second");
    make_certificate("first");
    client_close(&client);
    net_wait_connections(0);
}

static void wrong_files_are_told(void **state)
{
    struct settings settings = net_settings();
    struct http_app app = {0};
    struct server *server = NULL;
    char why[256];
    settings.tls_cert = cert_path;
    settings.tls_key = "/nonexistent";
    assert_int_not_equal(server_new(&settings, &app, why, sizeof(why), &server), 0);
    assert_non_null(strstr(why, "/nonexistent"));
    settings.tls_key = cert_path;
    assert_int_not_equal(server_new(&settings, &app, why, sizeof(why), &server), 0);
    assert_null(server);
}

static int start_hasty(void **state)
{
    struct settings settings = net_settings();
    settings.tls_cert = cert_path;
    settings.tls_key = key_path;
    settings.http_head_timeout_ms = 300;
    net_start(&settings);
    return 0;
}

static void slow_handshakes_are_cut(void **state)
{
    int fd = net_connect(), reset;
    int64_t start_ms = clock_now_ms();
    assert_int_equal(send(fd, "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL), 6);
    net_read(fd, NULL, &reset);
    assert_in_range(clock_now_ms() - start_ms, 250, 1500);
    close(fd);
    net_wait_connections(0);
}

static int set_up(void **state)
{
    struct settings settings = net_settings();
    settings.tls_cert = cert_path;
    settings.tls_key = key_path;
    net_start(&settings);
    return 0;
}

static int tear_down(void **state)
{
    net_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered),
        TEST(plain_text_is_turned_away),
        TEST(streams_work),
        TEST(slow_readers_get_all),
        TEST(peers_leave),
        TEST(peers_leave_in_the_middle_of_a_write),
        TEST(parked_requests_are_answered),
        cmocka_unit_test_setup(drains, set_up),
        TEST(openssl_sees_the_end),
        TEST(certificates_are_reloaded),
        cmocka_unit_test(wrong_files_are_told),
        cmocka_unit_test_setup_teardown(slow_handshakes_are_cut, start_hasty, tear_down),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
