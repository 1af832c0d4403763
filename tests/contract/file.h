/* A journal in a file, seen from outside: its file, its WAL, many messages at once. */
#ifndef TIDINGS_TESTS_FILE_H
#define TIDINGS_TESTS_FILE_H

#include "play.h"

#define MANY_AT_ONCE 50

/* With the room `hall` of `ann`. */
struct play *file_play(void);
const char *file_path(const struct play *play);
/* Asks the file itself for one number, as somebody else would. */
int64_t file_ask(const struct play *play, const char *sql);
void file_assert_whole(const struct play *play);
int64_t file_wal_bytes(const struct play *play);
/* The request's err; outcomes are in the commands, without their texts. From any thread. */
int file_append_all(struct play *play, struct mailbox *home, struct command *commands, int count);
/* Messages to the hall, MANY_AT_ONCE at a time; the err of the first request that had one. */
int file_post_many(struct play *play, const char *prefix, int count);

int run_crash_tests(void);
int run_disk_tests(void);
int run_fault_tests(void);

#endif
