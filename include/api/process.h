/* What the system says of this process.
 *
 * Floor: api. Any thread. */
#ifndef TIDINGS_API_PROCESS_H
#define TIDINGS_API_PROCESS_H

#include <stdint.h>

/* Resident bytes; 0 when /proc does not tell. */
int64_t process_memory_bytes(void);
/* Milliseconds since 1970 UTC when the program was started, by the wall clock of that time. */
int64_t process_started_wall_ms(void);
/* Seconds since then, by a clock that does not jump. */
double process_uptime_s(void);

#endif
