/* A load on a running server, in one thread and one epoll: many streams that read, and
 * connections that post. It measures the server's CPU by /proc and prints one line of JSON.
 *
 *   load fanout PORT PID TOKENS STREAMS ROOM MESSAGES [READERS]   one message after the other,
 *                                          each read by READERS of them (default: all)
 *   load burst  PORT PID TOKENS STREAMS ROOM MESSAGES [READERS]   all of them at once
 *   load idle   PORT PID TOKENS STREAMS                 opens them, waits for a line on stdin
 *   load post   PORT PID TOKENS CONNECTIONS ROOM MESSAGES         each waits for its answer
 *
 * TOKENS: a file of one token a line, used in turn; the first ones post. Loopback only. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TOKENS_MAX = 20000, BUFFER = 16384, OPENING_MAX = 200 };

struct peer {
    int fd;
    bool is_post;
    bool live;              /* a stream that has caught up */
    bool waiting;           /* a post without its answer */
    int64_t sent_us;
    uint32_t matched;       /* of the pattern that is looked for, across reads */
    char text[256];         /* of an answer's head */
    uint32_t text_len;
};

static char *tokens[TOKENS_MAX];
static int token_count, port, epoll_fd;
static const char *room;
static struct peer *peers;
static int64_t live_count, delivered, answered, failed;
static int64_t *latencies_us;

static int64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* CPU of a process, all threads, in microseconds. */
static int64_t cpu_us(int pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof(text), file))
        die("server's stat");
    fclose(file);
    unsigned long user, system;
    const char *after_name = strrchr(text, ')');
    if (sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        die("server's stat");
    return (int64_t)(user + system) * 1000000 / sysconf(_SC_CLK_TCK);
}

static void read_tokens(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[8192];
    if (!file)
        die(path);
    while (token_count < TOKENS_MAX && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = 0;
        tokens[token_count++] = strdup(line);
    }
    fclose(file);
    assert(token_count > 0);
}

static void connect_peer(struct peer *peer, bool is_post)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer->is_post = is_post;
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die("connect");
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) != 0)
        die("epoll");
}

static void write_all(int fd, const char *text, size_t len)
{
    if (write(fd, text, len) != (ssize_t)len)
        die("write");
}

static void ask_stream(struct peer *peer, int index)
{
    char text[9000];
    int len = snprintf(text, sizeof(text),
                       "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
                       "Authorization: Bearer %s\r\n\r\n", tokens[index % token_count]);
    write_all(peer->fd, text, (size_t)len);
}

static void post(struct peer *peer, int index)
{
    static const char body[] = "{\"text\":\"A message of a hundred and forty bytes on the wire, or "
                               "about that, so that figures can be compared with others'.\"}";
    char text[9000];
    int len = snprintf(text, sizeof(text),
                       "POST /v1/rooms/%s/messages HTTP/1.1\r\nHost: localhost\r\n"
                       "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       room, tokens[index % token_count], sizeof(body) - 1, body);
    peer->waiting = true;
    peer->sent_us = now_us();
    peer->text_len = 0;
    write_all(peer->fd, text, (size_t)len);
}

/* How often `pattern` ends in these bytes, going on from the last ones. */
static int64_t count_pattern(struct peer *peer, const char *pattern, const char *data, size_t len)
{
    int64_t count = 0;
    for (size_t i = 0; i < len; i++) {
        peer->matched = data[i] == pattern[peer->matched] ? peer->matched + 1
                                                          : data[i] == pattern[0];
        if (!pattern[peer->matched]) {
            count++;
            peer->matched = 0;
        }
    }
    return count;
}

static void read_stream(struct peer *peer, const char *data, size_t len)
{
    if (!peer->live) {
        if (count_pattern(peer, "caught_up", data, len)) {
            peer->live = true;
            peer->matched = 0;
            live_count++;
        }
        return;
    }
    delivered += count_pattern(peer, "event: new_message", data, len);
}

/* An answer is here when its body is: these are small and come whole. */
static void read_answer(struct peer *peer, const char *data, size_t len)
{
    size_t room_left = sizeof(peer->text) - 1 - peer->text_len;
    size_t taken = len < room_left ? len : room_left;
    memcpy(peer->text + peer->text_len, data, taken);
    peer->text_len += (uint32_t)taken;
    peer->text[peer->text_len] = 0;
    if (data[len - 1] != '}' || !peer->waiting)
        return;
    if (strncmp(peer->text, "HTTP/1.1 201", 12) != 0) {
        if (failed++ == 0)
            fprintf(stderr, "load: %.12s\n", peer->text);
    }
    if (latencies_us)
        latencies_us[answered] = now_us() - peer->sent_us;
    answered++;
    peer->waiting = false;
}

static void turn(int timeout_ms)
{
    static char data[BUFFER];
    struct epoll_event events[256];
    int count = epoll_wait(epoll_fd, events, 256, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct peer *peer = events[i].data.ptr;
        ssize_t len;
        while ((len = read(peer->fd, data, sizeof(data))) > 0) {
            if (peer->is_post)
                read_answer(peer, data, (size_t)len);
            else
                read_stream(peer, data, (size_t)len);
            if ((size_t)len < sizeof(data))
                break;
        }
        if (len == 0) {
            errno = ECONNRESET;
            die("the server closed");
        }
    }
}

static void open_streams(int count)
{
    for (int i = 0; i < count; i++) {
        connect_peer(&peers[i], false);
        ask_stream(&peers[i], i);
        while (i + 1 - live_count >= OPENING_MAX)
            turn(1000);
    }
    while (live_count < count)
        turn(1000);
}

static void wait_delivered(int64_t target)
{
    int64_t give_up_us = now_us() + 60 * 1000000LL;
    while (delivered < target) {
        turn(100);
        if (now_us() > give_up_us) {
            errno = ETIMEDOUT;
            die("deliveries are missing");
        }
    }
}

static void report(const char *name, int64_t cpu, int64_t elapsed_us, int64_t messages)
{
    printf("{\"case\":\"%s\",\"streams\":%lld,\"messages\":%lld,\"deliveries\":%lld,"
           "\"serverCpuUsPerMessage\":%.1f,\"serverCpuUsPerDelivery\":%.2f,"
           "\"messagesPerSecond\":%.0f,\"deliveriesPerSecond\":%.0f,\"failed\":%lld}\n",
           name, (long long)live_count, (long long)messages, (long long)delivered,
           (double)cpu / (double)messages, delivered ? (double)cpu / (double)delivered : 0.0,
           (double)messages * 1e6 / (double)elapsed_us,
           (double)delivered * 1e6 / (double)elapsed_us, (long long)failed);
}

/* One message after the other, each when the last one has arrived everywhere; or all at once. */
static void run_fanout(int pid, int streams, int messages, int readers, bool burst)
{
    open_streams(streams);
    struct peer *poster = &peers[streams];
    connect_peer(poster, true);
    int64_t cpu = cpu_us(pid), start_us = now_us();
    for (int i = 0; i < messages; i++) {
        post(poster, 0);
        while (poster->waiting)
            turn(1000);
        if (!burst)
            wait_delivered((int64_t)(i + 1) * readers);
    }
    wait_delivered((int64_t)messages * readers);
    report(burst ? "burst" : "fanout", cpu_us(pid) - cpu, now_us() - start_us, messages);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static void run_post(int pid, int connections, int messages)
{
    latencies_us = calloc((size_t)messages + (size_t)connections, sizeof(*latencies_us));
    for (int i = 0; i < connections; i++)
        connect_peer(&peers[i], true);
    int64_t cpu = cpu_us(pid), start_us = now_us();
    int sent = 0;
    while (answered < messages) {
        for (int i = 0; i < connections && sent < messages; i++) {
            if (!peers[i].waiting) {
                post(&peers[i], i);
                sent++;
            }
        }
        turn(1000);
    }
    int64_t elapsed_us = now_us() - start_us;
    cpu = cpu_us(pid) - cpu;
    qsort(latencies_us, (size_t)answered, sizeof(*latencies_us), compare);
    printf("{\"case\":\"post\",\"connections\":%d,\"messages\":%lld,\"messagesPerSecond\":%.0f,"
           "\"serverCpuUsPerMessage\":%.1f,\"p50Ms\":%.2f,\"p99Ms\":%.2f,\"failed\":%lld}\n",
           connections, (long long)answered, (double)answered * 1e6 / (double)elapsed_us,
           (double)cpu / (double)answered, (double)latencies_us[answered / 2] / 1000,
           (double)latencies_us[answered * 99 / 100] / 1000, (long long)failed);
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: see the head of load.c\n");
        return 2;
    }
    port = atoi(argv[2]);
    int pid = atoi(argv[3]), count = atoi(argv[5]);
    read_tokens(argv[4]);
    room = argc > 6 ? argv[6] : "";
    int messages = argc > 7 ? atoi(argv[7]) : 0;
    int readers = argc > 8 ? atoi(argv[8]) : count;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    peers = calloc((size_t)count + 1, sizeof(*peers));
    if (strcmp(argv[1], "fanout") == 0 || strcmp(argv[1], "burst") == 0) {
        run_fanout(pid, count, messages, readers, strcmp(argv[1], "burst") == 0);
    } else if (strcmp(argv[1], "post") == 0) {
        run_post(pid, count, messages);
    } else {
        open_streams(count);
        printf("{\"case\":\"idle\",\"streams\":%lld}\n", (long long)live_count);
        fflush(stdout);
        char line[8];
        if (!fgets(line, sizeof(line), stdin))
            return 0;
    }
    return failed ? 1 : 0;
}
