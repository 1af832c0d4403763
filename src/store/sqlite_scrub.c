/* A page of a table's rows (https://www.sqlite.org/fileformat2.html#b_tree_pages): a header of 8
 * bytes, which begins with 13 and has the number of rows at 3 and where the first byte of rows is
 * at 5; pointers of two bytes to the rows; free space; rows. An overflow page begins with the
 * number of the next page, whose first byte is 13 only in a file of more than 800 GiB. */
#include "store/sqlite_scrub.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FILE_HEADER_BYTES 100
#define LEAF_HEADER_BYTES 8
#define TABLE_LEAF 13
#define PAGE_BYTES_MAX 65536

struct scrub {
    sqlite3_file file;   /* first: SQLite knows no more of it */
    unsigned char *page; /* owned; PAGE_BYTES_MAX */
    bool too_large;
};

/* The default VFS' own file lies behind ours. */
static sqlite3_file *real(sqlite3_file *file)
{
    return (sqlite3_file *)((struct scrub *)file + 1);
}

static size_t number_at(const unsigned char *at)
{
    return (size_t)at[0] << 8 | at[1];
}

void sqlite_scrub_page(unsigned char *page, size_t size, int first)
{
    size_t header = first ? FILE_HEADER_BYTES : 0;
    if (page[header] != TABLE_LEAF)
        return;
    size_t free_at = header + LEAF_HEADER_BYTES + 2 * number_at(page + header + 3);
    size_t rows_at = number_at(page + header + 5);
    if (rows_at == 0)
        rows_at = PAGE_BYTES_MAX;
    if (rows_at <= size && free_at < rows_at)
        memset(page + free_at, 0, rows_at - free_at);
}

static int scrub_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct scrub *scrub = (struct scrub *)file;
    bool page = len >= 512 && len <= PAGE_BYTES_MAX && at % len == 0;

    if (page && at / len >= SQLITE_SCRUB_PAGES_MAX)
        scrub->too_large = true;
    if (page && !scrub->too_large) {
        memcpy(scrub->page, data, (size_t)len);
        sqlite_scrub_page(scrub->page, (size_t)len, at == 0);
        data = scrub->page;
    }
    return real(file)->pMethods->xWrite(real(file), data, len, at);
}

static int scrub_close(sqlite3_file *file)
{
    free(((struct scrub *)file)->page);
    return real(file)->pMethods->xClose(real(file));
}

static int scrub_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    return real(file)->pMethods->xRead(real(file), data, len, at);
}

static int scrub_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real(file)->pMethods->xTruncate(real(file), size);
}

static int scrub_sync(sqlite3_file *file, int flags)
{
    return real(file)->pMethods->xSync(real(file), flags);
}

static int scrub_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real(file)->pMethods->xFileSize(real(file), ret);
}

static int scrub_lock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xLock(real(file), level);
}

static int scrub_unlock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int scrub_check_lock(sqlite3_file *file, int *ret)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), ret);
}

static int scrub_control(sqlite3_file *file, int operation, void *argument)
{
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

static int scrub_sector_size(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int scrub_device(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int scrub_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret)
{
    return real(file)->pMethods->xShmMap(real(file), region, size, extend, ret);
}

static int scrub_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

static void scrub_shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}

static int scrub_shm_unmap(sqlite3_file *file, int remove)
{
    return real(file)->pMethods->xShmUnmap(real(file), remove);
}

/* Version 2: with shared memory, not mapped. */
static const sqlite3_io_methods scrub_methods = {
    .iVersion = 2,
    .xClose = scrub_close,
    .xRead = scrub_read,
    .xWrite = scrub_write,
    .xTruncate = scrub_truncate,
    .xSync = scrub_sync,
    .xFileSize = scrub_size,
    .xLock = scrub_lock,
    .xUnlock = scrub_unlock,
    .xCheckReservedLock = scrub_check_lock,
    .xFileControl = scrub_control,
    .xSectorSize = scrub_sector_size,
    .xDeviceCharacteristics = scrub_device,
    .xShmMap = scrub_shm_map,
    .xShmLock = scrub_shm_lock,
    .xShmBarrier = scrub_shm_barrier,
    .xShmUnmap = scrub_shm_unmap,
};

int sqlite_scrub_file_bytes(const sqlite3_vfs *below)
{
    return (int)sizeof(struct scrub) + below->szOsFile;
}

int sqlite_scrub_open(sqlite3_vfs *below, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    struct scrub *scrub = (struct scrub *)file;
    sqlite3_int64 size = 0;

    *scrub = (struct scrub){.page = malloc(PAGE_BYTES_MAX)};
    if (!scrub->page)
        return SQLITE_NOMEM;
    memset(real(file), 0, (size_t)below->szOsFile);
    int code = below->xOpen(below, name, real(file), flags, ret_flags);
    if (!code)
        code = real(file)->pMethods->xFileSize(real(file), &size);
    if (code) {
        if (real(file)->pMethods)
            real(file)->pMethods->xClose(real(file));
        free(scrub->page);
        return code;
    }
    scrub->too_large = size / 4096 >= SQLITE_SCRUB_PAGES_MAX;
    scrub->file.pMethods = &scrub_methods;
    return SQLITE_OK;
}
