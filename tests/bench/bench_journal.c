/* How many messages a second a journal stores: `bench_journal URL [SECONDS [CLIENTS [ROOMS]]]`.
 *
 * Each client has one message under way and sends the next when that is answered, as a keep-alive
 * connection would; all of them are served by one thread with one mailbox, as by one worker.
 * Prints messages/s, percentiles of the time from start to answer, and the processor time of the
 * journal's own threads for each message. */
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/journal.h"

#define CLIENTS_MAX 1024
#define SAMPLES_MAX 4000000

struct client {
    struct journal_append append;
    struct command command;
    char user[32], room[32], message_id[48];
    int64_t sent_us;
    uint64_t sent;
};

static struct {
    struct journal *journal;
    struct mailbox home;
    struct client clients[CLIENTS_MAX];
    int client_count, room_count;
    uint32_t *samples;
    int64_t done;
    int under_way;
    bool stopping;
    uint64_t run;
} bench;

static int64_t cpu_us(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

static void on_follow(void *context, struct frame *const *frames, int count)
{
}

static void send_next(struct client *client);

static void on_answer(struct letter *letter)
{
    struct client *client = container_of(letter, struct client, append.request.letter);

    bench.under_way--;
    if (client->append.request.err || client->command.outcome.err) {
        fprintf(stderr, "refused: %s, %s\n", err_text(client->append.request.err),
                err_text(client->command.outcome.err));
        exit(1);
    }
    if (client->sent > 1 && bench.done < SAMPLES_MAX)
        bench.samples[bench.done++] = (uint32_t)(clock_now_us() - client->sent_us);
    journal_append_fini(&client->append);
    if (!bench.stopping)
        send_next(client);
}

/* The first makes and joins the room. */
static void send_next(struct client *client)
{
    static const char body[] =
        "{\"roomId\":\"room-0000\",\"messageId\":\"00000000-0000-0000-0000-000000000000\","
        "\"text\":\"A message as people write them, neither long nor short.\","
        "\"sender\":{\"userId\":\"user-0000\",\"name\":\"A Name\"}}";
    size_t len = (size_t)snprintf(client->message_id, sizeof(client->message_id),
                                  "%08x-%04x-%016llx", (unsigned)random(), (unsigned)bench.run,
                                  (unsigned long long)(client->sent |
                                                       (uint64_t)(client - bench.clients) << 48));

    client->command = (struct command){
        .kind = client->sent ? COMMAND_SEND_MESSAGE : COMMAND_JOIN,
        .actor = {.user = span_text(client->user)},
        .realm = span_text("main"),
        .room = span_text(client->room),
        .auto_create = true,
        .create_allowed = true,
    };
    if (client->sent) {
        client->command.message_id = span_of(client->message_id, len);
        client->command.body = span_text(body);
    }
    client->append = (struct journal_append){
        .request = {.letter = {.on_read = on_answer}, .home = &bench.home},
        .commands = &client->command,
        .count = 1,
    };
    client->sent++;
    client->sent_us = clock_now_us();
    bench.under_way++;
    journal_start_append(bench.journal, &client->append);
}

static void serve(void)
{
    struct pollfd poll_fd = {.fd = bench.home.fd, .events = POLLIN};

    poll(&poll_fd, 1, 100);
    mailbox_read(&bench.home);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static double percentile_ms(double share)
{
    return bench.done ? bench.samples[(int64_t)(share * (double)(bench.done - 1))] / 1000.0 : 0;
}

static void report(int64_t took_us, int64_t process_us, int64_t own_us)
{
    struct metric_reading batch;

    metric_read(METRIC_COMMIT_BATCH, &batch);
    qsort(bench.samples, (size_t)bench.done, sizeof(*bench.samples), compare);
    printf("%.0f messages/s; p50 %.2f ms, p99 %.2f ms, max %.2f ms; %.1f a commit; "
           "journal %.1f us of CPU a message, sender %.1f us\n",
           (double)bench.done * 1e6 / (double)took_us, percentile_ms(0.5), percentile_ms(0.99),
           percentile_ms(1), batch.count ? (double)batch.sum / (double)batch.count : 0,
           (double)(process_us - own_us) / (double)bench.done,
           (double)own_us / (double)bench.done);
}

static void run(int64_t seconds)
{
    for (int i = 0; i < bench.client_count; i++) {
        struct client *client = &bench.clients[i];

        snprintf(client->user, sizeof(client->user), "user-%d", i);
        snprintf(client->room, sizeof(client->room), "room-%d", i % bench.room_count);
        send_next(client);
    }
    int64_t start_us = clock_now_us(), process_us = cpu_us(CLOCK_PROCESS_CPUTIME_ID),
            own_us = cpu_us(CLOCK_THREAD_CPUTIME_ID);
    while (clock_now_us() < start_us + seconds * 1000000)
        serve();
    bench.stopping = true;
    while (bench.under_way > 0)
        serve();
    report(clock_now_us() - start_us, cpu_us(CLOCK_PROCESS_CPUTIME_ID) - process_us,
           cpu_us(CLOCK_THREAD_CPUTIME_ID) - own_us);
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .journal_url = argc > 1 ? argv[1] : "memory:",
        .journal_durability = getenv("RELAXED") ? DURABILITY_RELAXED : DURABILITY_DISK,
        .journal_dedup_window_ms = 86400000,
        .journal_readers = 2,
        .replay_max_events = 10000,
        .rooms_auto_create = true,
    };
    char why[256] = "";

    bench.client_count = argc > 3 ? atoi(argv[3]) : 64;
    bench.room_count = argc > 4 ? atoi(argv[4]) : 16;
    assert(bench.client_count >= 1 && bench.client_count <= CLIENTS_MAX && bench.room_count >= 1);
    bench.samples = calloc(SAMPLES_MAX, sizeof(*bench.samples));
    bench.run = (uint64_t)clock_wall_ms();
    srandom((unsigned)bench.run);
    if (!bench.samples || mailbox_init(&bench.home))
        return 1;
    if (journal_new(&settings, on_follow, NULL, why, sizeof(why), &bench.journal)) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    run(argc > 2 ? atoll(argv[2]) : 5);
    journal_free(bench.journal);
    mailbox_fini(&bench.home);
    free(bench.samples);
    return 0;
}
