/* Configuration files: read, checked and printed, whatever stands in them. */
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"

static void read_file(struct config *config, const uint8_t *data, size_t size)
{
    char path[64], why[512] = "";
    int fd = memfd_create("config", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (config_read_file(config, path, why, sizeof(why)))
        FUZZ_CHECK(why[0] != '\0');
    close(fd);
}

/* Each line as `--set` would have it. */
static void set_lines(struct config *config, const uint8_t *data, size_t size)
{
    char line[512], why[512];
    struct span rest = fuzz_span(data, size);

    while (rest.data) {
        struct span text = span_cut(&rest, '\n');
        if (text.len >= sizeof(line) || memchr(text.data, '\0', text.len))
            continue;
        memcpy(line, text.data, text.len);
        line[text.len] = '\0';
        why[0] = '\0';
        if (config_set(config, line, why, sizeof(why)))
            FUZZ_CHECK(why[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    struct config config;
    char why[512] = "";

    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    FUZZ_CHECK(nowhere);
    if (size == 0 || config_init(&config))
        return 0;
    if (data[0] & 1)
        read_file(&config, data + 1, size - 1);
    else
        set_lines(&config, data + 1, size - 1);
    if (config_check(&config, nowhere, why, sizeof(why)))
        FUZZ_CHECK(why[0] != '\0');
    config_print(&config, nowhere);
    config_fini(&config);
    return 0;
}
