#include "store/sqlite_queue.h"

#include <assert.h>
#include <time.h>

void sqlite_queue_init(struct sqlite_queue *queue)
{
    pthread_condattr_t attributes;
    int failed = 0;

    *queue = (struct sqlite_queue){0};
    failed |= pthread_condattr_init(&attributes);
    failed |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&queue->filled, &attributes);
    failed |= pthread_mutex_init(&queue->lock, NULL);
    assert(!failed);
    pthread_condattr_destroy(&attributes);
}

void sqlite_queue_fini(struct sqlite_queue *queue)
{
    assert(!queue->first && !queue->waiting);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
}

void sqlite_queue_put(struct sqlite_queue *queue, struct journal_request *request)
{
    request->letter.next = NULL;
    pthread_mutex_lock(&queue->lock);
    assert(!queue->closed);
    if (queue->last)
        queue->last->letter.next = &request->letter;
    else
        queue->first = request;
    queue->last = request;
    bool wake = queue->waiting > 0;
    pthread_mutex_unlock(&queue->lock);
    if (wake)
        pthread_cond_signal(&queue->filled);
}

void sqlite_queue_close(struct sqlite_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

struct journal_request *sqlite_queue_take(struct sqlite_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->waiting++;
    while (!queue->first && !queue->closed)
        pthread_cond_wait(&queue->filled, &queue->lock);
    queue->waiting--;
    struct journal_request *request = queue->first;
    if (request) {
        queue->first = sqlite_queue_next(request);
        if (!queue->first)
            queue->last = NULL;
    }
    pthread_mutex_unlock(&queue->lock);
    return request;
}

static struct timespec after_ms(int64_t wait_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(wait_ms / 1000);
    at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

struct journal_request *sqlite_queue_take_all(struct sqlite_queue *queue, int64_t wait_ms,
                                              bool *ret_closed)
{
    struct timespec until = after_ms(wait_ms);
    int late = 0;

    pthread_mutex_lock(&queue->lock);
    queue->waiting++;
    while (!queue->first && !queue->closed && !late && wait_ms > 0)
        late = pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
    queue->waiting--;
    struct journal_request *request = queue->first;
    queue->first = queue->last = NULL;
    *ret_closed = !request && queue->closed;
    pthread_mutex_unlock(&queue->lock);
    return request;
}
