/* The clock of a redis-server that a test has started, as far ahead as the file says that is named
 * by REDIS_CLOCK_FILE: milliseconds, 8 bytes. It is loaded before the C library. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND_US 1000000
#define SECOND_NS 1000000000L

static const volatile int64_t *ahead_ms;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("REDIS_CLOCK_FILE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(*ahead_ms), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        ahead_ms = mapped;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, ret);
    if (failed || id != CLOCK_REALTIME || !ahead_ms)
        return failed;
    int64_t ns = ret->tv_nsec + *ahead_ms % 1000 * 1000000;
    ret->tv_sec += *ahead_ms / 1000 + ns / SECOND_NS;
    ret->tv_nsec = ns % SECOND_NS;
    return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    ret->tv_sec = now.tv_sec;
    ret->tv_usec = now.tv_nsec / (SECOND_NS / SECOND_US);
    return failed;
}

time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
