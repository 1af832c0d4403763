/* Pages on their way to the file, without what rows left behind when they moved.
 *
 * WHY    secure_delete overwrites rows that are deleted, not the copies that stay in a page's free
 *        space when SQLite moves rows to its neighbours; what a message said would outlive it
 * there. MODEL  the default VFS' file, but for what is written: in a leaf of a table the bytes
 * between the pointers to its rows and the rows mean nothing and are made 0. Pages reach the file
 * by checkpoints alone; the WAL and the page cache are the writer's to empty. BOUNDS
 * SQLITE_SCRUB_PAGES_MAX: in a larger file another page might begin as a leaf does, and none is
 * touched. Floor: store. A file belongs to the thread of its connection. */
#ifndef TIDINGS_STORE_SQLITE_SCRUB_H
#define TIDINGS_STORE_SQLITE_SCRUB_H

#include <sqlite3.h>
#include <stddef.h>

#define SQLITE_SCRUB_PAGES_MAX 0x0c000000 /* 768 GiB of 4 KB */

/* Bytes of a file, with that of `below`; for sqlite3_vfs.szOsFile. */
int sqlite_scrub_file_bytes(const sqlite3_vfs *below);
/* As xOpen of `below`, of a main database. */
int sqlite_scrub_open(sqlite3_vfs *below, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags);
/* One page of the file; `first`: the one with the file's header. */
void sqlite_scrub_page(unsigned char *page, size_t size, int first);

#endif
