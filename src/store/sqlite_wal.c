/* A WAL is a header of 32 bytes and frames; a frame is a header of 24 bytes and a page. The second
 * number of a frame's header is not 0 in the last frame of a transaction
 * (https://www.sqlite.org/fileformat2.html#the_write_ahead_log). SQLite writes frame headers and
 * pages by calls of their own, in order, so the page that follows such a header ends what may be
 * held back. */
#include "store/sqlite_wal.h"

#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_scrub.h"

#define VFS_NAME "tidings-wal"
#define FRAME_HEADER_BYTES 24

struct wal {
    sqlite3_file file; /* first: SQLite knows no more of it */
    char *buffer;      /* owned */
    sqlite3_int64 at;  /* where in the file the buffer belongs */
    int len;           /* bytes gathered */
    bool ending;       /* the next page is the last of a transaction */
};

static sqlite3_vfs *below;

/* The default VFS' own file lies behind ours. */
static sqlite3_file *real(sqlite3_file *file)
{
    return (sqlite3_file *)((struct wal *)file + 1);
}

static int flush(sqlite3_file *file)
{
    struct wal *wal = (struct wal *)file;
    int len = wal->len;

    wal->len = 0;
    return len ? real(file)->pMethods->xWrite(real(file), wal->buffer, len, wal->at) : SQLITE_OK;
}

static bool ends_transaction(const void *data, int len)
{
    static const unsigned char zeros[4];

    return len == FRAME_HEADER_BYTES && memcmp((const char *)data + 4, zeros, sizeof(zeros)) != 0;
}

static int wal_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct wal *wal = (struct wal *)file;
    bool last = wal->ending;
    int code = SQLITE_OK;

    if (wal->len && (at != wal->at + wal->len || wal->len + len > SQLITE_WAL_BUFFER_BYTES))
        code = flush(file);
    if (code)
        return code;
    wal->ending = ends_transaction(data, len);
    if (len > SQLITE_WAL_BUFFER_BYTES)
        return real(file)->pMethods->xWrite(real(file), data, len, at);
    if (!wal->len)
        wal->at = at;
    memcpy(wal->buffer + wal->len, data, (size_t)len);
    wal->len += len;
    return last ? flush(file) : SQLITE_OK;
}

static int wal_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    int code = flush(file);

    return code ? code : real(file)->pMethods->xRead(real(file), data, len, at);
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = flush(file);

    return code ? code : real(file)->pMethods->xTruncate(real(file), size);
}

static int wal_sync(sqlite3_file *file, int flags)
{
    int code = flush(file);

    return code ? code : real(file)->pMethods->xSync(real(file), flags);
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    int code = flush(file);

    return code ? code : real(file)->pMethods->xFileSize(real(file), ret);
}

static int wal_close(sqlite3_file *file)
{
    int flushed = flush(file);
    int code = real(file)->pMethods->xClose(real(file));

    free(((struct wal *)file)->buffer);
    return flushed ? flushed : code;
}

static int wal_lock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xLock(real(file), level);
}

static int wal_unlock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int wal_check_lock(sqlite3_file *file, int *ret)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), ret);
}

static int wal_control(sqlite3_file *file, int operation, void *argument)
{
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

static int wal_sector_size(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int wal_device(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

/* Version 1: a WAL is neither mapped nor has it shared memory. */
static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_lock,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_device,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    struct wal *wal = (struct wal *)file;

    if (flags & SQLITE_OPEN_MAIN_DB)
        return sqlite_scrub_open(below, name, file, flags, ret_flags);
    if (!(flags & SQLITE_OPEN_WAL))
        return below->xOpen(below, name, file, flags, ret_flags);
    *wal = (struct wal){.buffer = malloc(SQLITE_WAL_BUFFER_BYTES)};
    if (!wal->buffer)
        return SQLITE_NOMEM;
    memset(real(file), 0, (size_t)below->szOsFile);
    int code = below->xOpen(below, name, real(file), flags, ret_flags);
    if (code) {
        if (real(file)->pMethods)
            real(file)->pMethods->xClose(real(file));
        free(wal->buffer);
        return code;
    }
    wal->file.pMethods = &wal_methods;
    return SQLITE_OK;
}

static void set_up(void)
{
    static sqlite3_vfs vfs;

    below = sqlite3_vfs_find(NULL);
    assert(below);
    vfs = *below;
    vfs.pNext = NULL;
    vfs.zName = VFS_NAME;
    vfs.szOsFile = (int)sizeof(struct wal) + below->szOsFile;
    if (vfs.szOsFile < sqlite_scrub_file_bytes(below))
        vfs.szOsFile = sqlite_scrub_file_bytes(below);
    vfs.xOpen = open_file;
    int code = sqlite3_vfs_register(&vfs, 0);
    assert(code == SQLITE_OK);
}

const char *sqlite_wal_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up);
    return VFS_NAME;
}
