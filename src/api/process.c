#include "api/process.h"

#include <stdio.h>
#include <unistd.h>

#include "base/deadline.h"

static int64_t started_ms, started_wall_ms;

static void __attribute__((constructor)) note_start(void)
{
    started_ms = clock_now_ms();
    started_wall_ms = clock_wall_ms();
}

int64_t process_memory_bytes(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*s %lld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

int64_t process_started_wall_ms(void)
{
    return started_wall_ms;
}

double process_uptime_s(void)
{
    return (double)(clock_now_ms() - started_ms) / 1000;
}
