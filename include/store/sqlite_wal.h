/* A VFS under the writer that gathers what goes to the WAL.
 *
 * WHY    SQLite writes each page of a commit by two calls, one of 24 bytes; a commit of fifty
 *        messages is 150 calls, which cost more than everything else the writer does.
 * MODEL  the default VFS, but for WAL files: writes that follow one another are gathered and go
 *        out together, at the latest when the last frame of a transaction is complete. That is
 *        before SQLite syncs the WAL or tells readers of it, and inside a write, so that a
 *        failure is SQLite's to see, in every mode of durability.
 *        Whatever else is asked of the file goes behind what was gathered.
 *        The database itself is store/sqlite_scrub.h's.
 * BOUNDS SQLITE_WAL_BUFFER_BYTES for each open WAL.
 * Floor: store. A file belongs to the thread of its connection. */
#ifndef TIDINGS_STORE_SQLITE_WAL_H
#define TIDINGS_STORE_SQLITE_WAL_H

/* 31 frames with pages of 4 KB. The default VFS takes no more than 131,071 bytes in one write. */
#define SQLITE_WAL_BUFFER_BYTES 127720

/* Its name, for sqlite3_open_v2; it is registered at the first call. */
const char *sqlite_wal_vfs(void);

#endif
