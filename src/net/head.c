/* From libmicrohttpd's headers to ours. Everything is copied: libmicrohttpd's memory goes when
 * the connection is moved out, and the application need not know when that is. */
#include <stdio.h>
#include <strings.h>

#include "base/err.h"
#include "net/connection.h"

static const char *const header_names[HEADER_COUNT] = {
#define X(id, text) [HEADER_##id] = text,
    REQUEST_HEADERS(X)
#undef X
};

static const char *const method_names[] = {
    [METHOD_GET] = "GET",     [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",     [METHOD_PATCH] = "PATCH",   [METHOD_DELETE] = "DELETE",
    [METHOD_OPTIONS] = "OPTIONS",
};

struct reading {
    struct call *call;
    struct gate gate;
    size_t bytes;     /* of all headers */
    int err;
    bool strict;      /* the layout is looked at */
    const char *next; /* where the next header must begin */
};

static enum method method_parse(const char *text)
{
    for (size_t i = 0; i < array_count(method_names); i++)
        if (strcmp(text, method_names[i]) == 0)
            return (enum method)i;
    return METHOD_OTHER;
}

static int header_find(struct span name)
{
    for (int i = 0; i < HEADER_COUNT; i++)
        if (strlen(header_names[i]) == name.len &&
            strncasecmp(header_names[i], name.data, name.len) == 0)
            return i;
    return -1;
}

/* A header that comes again continues the list of the first. */
static struct span header_join(struct arena *arena, struct span first, struct span next,
                               const char *separator)
{
    size_t separator_len = strlen(separator);
    char *data = arena_alloc(arena, first.len + separator_len + next.len + 1);
    if (!data)
        return (struct span){NULL, 0};
    memcpy(data, first.data, first.len);
    memcpy(data + first.len, separator, separator_len);
    if (next.len)
        memcpy(data + first.len + separator_len, next.data, next.len);
    return span_of(data, first.len + separator_len + next.len);
}

static void header_keep(struct reading *reading, struct span name, struct span value)
{
    struct request *request = &reading->call->request;
    if (name.len == 6 && strncasecmp(name.data, "Expect", 6) == 0)
        reading->call->expects = true;
    int header = header_find(name);
    if (header < 0)
        return;
    struct span *place = &request->headers[header];
    *place = place->data ? header_join(&request->arena, *place, value,
                                       header == HEADER_COOKIE ? "; " : ", ")
                         : arena_copy(&request->arena, value);
    if (!place->data)
        reading->err = ERR_MEMORY;
}

/* libmicrohttpd puts zeros over what separates the parts of a head, in place, and gives pointers
 * into it. So where each part lies tells what it does not: a folded header, a line that ends with a
 * bare LF, a NUL in a value, a header without a name (which ends the head for it!) leave a gap.
 * Other versions may keep their headers otherwise; they refuse these requests by themselves. */
static bool layout_is_known(void)
{
    return strcmp(MHD_get_version(), "0.9.75") == 0;
}

/* "METHOD target HTTP/1.1" CRLF; the target itself is taken apart, too. */
static void layout_start(struct reading *reading, const char *method, const char *url,
                         const char *version)
{
    reading->strict = layout_is_known();
    reading->next = version + strlen(version) + 2;
    if (reading->strict && url != method + strlen(method) + 1)
        reading->gate.err = ERR_INVALID_REQUEST;
}

static void layout_header(struct reading *reading, const char *name, const char *value,
                          size_t value_len)
{
    if (reading->strict && name != reading->next)
        reading->gate.err = ERR_INVALID_REQUEST;
    reading->next = value + value_len + 2;
}

/* The empty line. */
static void layout_end(struct reading *reading, const char *method)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        reading->call->connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (reading->strict && info && reading->next + 2 != method + info->header_size)
        reading->gate.err = ERR_INVALID_REQUEST;
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct reading *reading = context;
    layout_header(reading, name, value, value_len);
    struct span name_span = span_of(name ? name : "", name_len);
    struct span value_span = span_of(value ? value : "", value_len);
    reading->bytes += name_len + value_len + 4;
    gate_header(&reading->gate, name_span, value_span);
    if (!reading->gate.err && reading->bytes <= REQUEST_HEAD_BYTES_MAX)
        header_keep(reading, name_span, span_trim(value_span));
    return MHD_YES;
}

static void id_make(struct request *request)
{
    struct worker *worker = request->worker;
    snprintf(request->id, sizeof(request->id), "%016llx%016llx",
             (unsigned long long)worker->request_prefix,
             (unsigned long long)worker->request_number++);
}

/* A proxy's own id for the request, if it may name one and it is fit for logs. */
static void id_take(struct request *request, struct span id)
{
    if (id.len == 0 || id.len >= sizeof(request->id))
        return;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        bool fine = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                    c == '-' || c == '_' || c == '.';
        if (!fine)
            return;
    }
    memcpy(request->id, id.data, id.len);
    request->id[id.len] = '\0';
}

/* Who the client is and how it came, as far as the one that is connected may tell. */
static int peer_read(struct call *call)
{
    struct request *request = &call->request;
    struct connection *connection = call->connection;
    const struct proxies *proxies = server_proxies(request->worker->server);
    struct span peer = span_of(connection->peer, connection->peer_len);
    char text[PEER_TEXT_BYTES];
    if (proxies_trust(proxies, &connection->address)) {
        size_t len = proxies_client(proxies, request->headers[HEADER_FORWARDED_FOR], text);
        if (len > 0)
            peer = span_of(text, len);
        struct span proto = request->headers[HEADER_FORWARDED_PROTO];
        if (proto.data)
            request->secure = proto.len == 5 && strncasecmp(proto.data, "https", 5) == 0;
        id_take(request, request->headers[HEADER_REQUEST_ID]);
    }
    request->peer = arena_copy(&request->arena, peer);
    return request->peer.data ? 0 : ERR_MEMORY;
}

/* Content-Encoding, and bodies of an unknown length. */
static int body_read(struct call *call)
{
    struct request *request = &call->request;
    bool may_have_body = request->method == METHOD_POST || request->method == METHOD_PUT ||
                         request->method == METHOD_PATCH;
    if (call->http_1_0 && may_have_body && !call->length_known &&
        request->headers[HEADER_CONTENT_TYPE].data)
        return ERR_LENGTH_REQUIRED;
    struct span encoding = request->headers[HEADER_CONTENT_ENCODING];
    if (!request->has_body || !encoding.data || encoding.len == 0 ||
        (encoding.len == 8 && strncasecmp(encoding.data, "identity", 8) == 0))
        return 0;
    call->gzip_body = (encoding.len == 4 && strncasecmp(encoding.data, "gzip", 4) == 0) ||
                      (encoding.len == 6 && strncasecmp(encoding.data, "x-gzip", 6) == 0);
    return call->gzip_body ? 0 : ERR_MEDIA_TYPE;
}

int head_read(struct call *call, const char *method, const char *url, const char *version)
{
    struct request *request = &call->request;
    struct reading reading = {.call = call};
    call->http_1_0 = strcmp(version, "HTTP/1.1") != 0;
    request->method = method_parse(method);
    request->method_text = arena_copy(&request->arena, span_text(method));
    request->secure = call->connection->daemon->secure;
    request->admin = call->connection->admin;
    id_make(request);
    gate_init(&reading.gate);
    layout_start(&reading, method, url, version);
    MHD_get_connection_values_n(call->connection->mhd, MHD_HEADER_KIND, on_header, &reading);
    layout_end(&reading, method);
    call->content_length = reading.gate.length;
    call->length_known = reading.gate.has_length;
    call->has_encoding = reading.gate.has_encoding;
    request->has_body = call->has_encoding || call->content_length > 0;
    int err = peer_read(call);
    if (!err)
        err = gate_verdict(&reading.gate, call->http_1_0);
    if (!err && call->target.len + reading.bytes > REQUEST_HEAD_BYTES_MAX)
        err = ERR_HEAD_TOO_LARGE;
    if (err) {
        call->unread = true;
        return err;
    }
    if (reading.err || !request->method_text.data)
        return ERR_MEMORY;
    if ((err = target_read(request, call->target)))
        return err;
    return body_read(call);
}
