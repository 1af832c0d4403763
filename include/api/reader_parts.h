/* What the files of the reader share.
 * Floor: api. Nobody but src/api/reader*.c includes this. */
#ifndef TIDINGS_API_READER_PARTS_H
#define TIDINGS_API_READER_PARTS_H

#include "api/reader.h"

/* NULL is fine for both. */
struct reader_rooms *reader_rooms_ref(struct reader_rooms *rooms);
void reader_rooms_unref(struct reader_rooms *rooms);
/* What the journal is told that it follows; borrows the reader's texts. */
struct follow_spec reader_follow(const struct reader *reader, bool all);
/* Tells these gaps, and notes that they were told. */
void reader_push_gaps(struct reader *reader, const struct journal_gap *gaps, int count);
/* Notes the messages that it is to be fed before its replay. ERR_MEMORY. */
MUST_CHECK int reader_keep_history(struct reader *reader, const struct journal_open *open);
/* Notes that receipts are to be told again when it goes live with this cursor, and that they are
 * not. */
void reader_keep_receipts(struct reader *reader, struct event_id cursor);
void reader_drop_receipts(struct reader *reader);
/* Frees a closed one when nothing of it is under way. */
void reader_free_if_alone(struct reader *reader);

#endif
